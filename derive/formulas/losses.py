"""Losses: forward formulas only, of one example or one element; the reduction is added by the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import sympy as sp
from sympy import Expr, exp, log

from derive.index import Index, Sum
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


BCE_FLOORS = Floors(sp.Integer(-100), sp.Rational("1e-12"), "as PyTorch does, so that p = 0 and p = 1 give finite values")

At = Callable[[Expr], Expr]  # the entries at a feature index


def cross_entropy_of_label(p: At, y: Expr, _k: Index) -> Expr:
    return -log(p(y))


def cross_entropy(p: At, y: At, k: Index) -> Expr:
    return -Sum(y(k) * log(p(k)), k)


def negative_log_likelihood(q: At, y: Expr, _k: Index) -> Expr:
    return -q(y)


def binary_cross_entropy(p: At, y: At, k: Index) -> Expr:
    return -(y(k) * log(p(k)) + (1 - y(k)) * log(1 - p(k)))


def binary_cross_entropy_with_logits(z: At, y: At, k: Index) -> Expr:
    return log(1 + exp(z(k))) - y(k) * z(k)


def squared_error(f: At, y: At, k: Index, half: bool) -> Expr:
    return (f(k) - y(k)) ** 2 * (sp.Rational(1, 2) if half else 1)


LOSSES: dict[tuple[str, str], Loss] = {
    ("softmax_cross_entropy", "labels"): Loss(
        cross_entropy_of_label, "torch.nn.CrossEntropyLoss", "examples", "labels", "Z", link="softmax", of_link=True
    ),
    ("softmax_cross_entropy", "probabilities"): Loss(
        cross_entropy, "torch.nn.CrossEntropyLoss", "examples", "probabilities", "Z", link="softmax", of_link=True
    ),
    ("negative_log_likelihood", "labels"): Loss(negative_log_likelihood, "torch.nn.NLLLoss", "examples", "labels", "Yhat"),
    ("binary_cross_entropy", "unit"): Loss(
        binary_cross_entropy, "torch.nn.BCELoss", "elements", "unit", "P", unit_prediction=True, floors=BCE_FLOORS
    ),
    ("binary_cross_entropy_with_logits", "unit"): Loss(
        binary_cross_entropy_with_logits, "torch.nn.BCEWithLogitsLoss", "elements", "unit", "Z", link="sigmoid"
    ),
    ("mean_squared_error", "values"): Loss(squared_error, "torch.nn.MSELoss", "elements", "values", "Yhat", options={"half": False}),
}
