"""Losses: forward formulas only, of one example or one element; the reduction is added by the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import sympy as sp
from sympy import Expr, exp, log

from derive.index import Sum
from derive.program import Floors


@dataclass(frozen=True)
class Loss:
    """A loss over what the last layer gives.

    formula(prediction, target, k): `prediction(c)` and `target(c)` are entries at feature index c (for labels, `target` is the
    label's entry itself); k is an index to sum over, or the element's own index when the loss is elementwise.
    link: the activation that turns what the last layer gives into the prediction that `predict` returns, if any; `of_link`
    says that the formula reads that prediction and not the last layer's output.
    """

    formula: Callable[..., Expr]
    source: str
    over: Literal["elements", "examples"]
    target: Literal["labels", "probabilities", "values", "unit"]  # unit: numbers in [0, 1]; probabilities: rows that sum to 1
    reads: str  # what the last layer gives: Z logits, P probabilities, Yhat predictions
    link: str | None = None
    of_link: bool = False
    unit_prediction: bool = False  # the formula holds for predictions in [0, 1] only
    floors: Floors | None = None
    options: Mapping[str, bool] = field(default_factory=dict[str, bool])


TORCH = "torch.nn"
BCE_FLOORS = Floors(sp.Integer(-100), sp.Rational("1e-12"), "as PyTorch does, so that p = 0 and p = 1 give finite values")

LOSSES: dict[tuple[str, str], Loss] = {
    ("softmax_cross_entropy", "labels"): Loss(
        lambda p, y, k: -log(p(y)), f"{TORCH}.CrossEntropyLoss", "examples", "labels", "Z", link="softmax", of_link=True
    ),
    ("softmax_cross_entropy", "probabilities"): Loss(
        lambda p, y, k: -Sum(y(k) * log(p(k)), k), f"{TORCH}.CrossEntropyLoss", "examples", "probabilities", "Z", link="softmax", of_link=True
    ),
    ("negative_log_likelihood", "labels"): Loss(lambda q, y, k: -q(y), f"{TORCH}.NLLLoss", "examples", "labels", "Yhat"),
    ("binary_cross_entropy", "unit"): Loss(
        lambda p, y, k: -(y(k) * log(p(k)) + (1 - y(k)) * log(1 - p(k))),
        f"{TORCH}.BCELoss", "elements", "unit", "P", unit_prediction=True, floors=BCE_FLOORS,
    ),
    ("binary_cross_entropy_with_logits", "unit"): Loss(
        lambda z, y, k: log(1 + exp(z(k))) - y(k) * z(k), f"{TORCH}.BCEWithLogitsLoss", "elements", "unit", "Z", link="sigmoid"
    ),
    ("mean_squared_error", "values"): Loss(
        lambda f, y, k, half: (f(k) - y(k)) ** 2 * (sp.Rational(1, 2) if half else 1),
        f"{TORCH}.MSELoss", "elements", "values", "Yhat", options={"half": False},
    ),
}
