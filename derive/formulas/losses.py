"""Losses: forward formulas only, of one element or one example; the reduction and all weights of examples are added by the network.

At a kink the derivative is that of the branch which holds there, as in PyTorch, whose parameters and defaults these are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import sympy as sp

from derive.formulas.operation import Parameter
from derive.program import Floors

Target = Literal["labels", "probabilities", "log_probabilities", "unit", "values", "signs", "counts"]

TARGETS: Mapping[Target, str] = {
    "labels": "the number of a class, 0 to C - 1",
    "probabilities": "probabilities that sum to 1",
    "log_probabilities": "logarithms of probabilities that sum to 1",
    "unit": "numbers from 0 to 1",
    "values": "any numbers",
    "signs": "1 or -1",
    "counts": "numbers of at least 0",
}


PART = re.compile(r"([\s;]*)([A-Za-z]\w*)\s*=(?!=)([^\n;]*)[\n;]")


@dataclass(frozen=True)
class Loss:
    """A loss over what the last layer gives, or over several values of the network.

    formula: an expression in the `values` and in `target`. Without positions it is the loss of one element, and a list of numbers
        means the one of that element; with positions, `prediction[target]` or `sum(c, target[c] * prediction[c])`, that of one
        example, the axes of examples left out. A list of numbers that the spec leaves out is all ones. Lines before the expression
        give names to parts of it: `cosine = ...`.
    target: what the targets hold; reads: the name of what the last layer gives: Z logits, P probabilities, Yhat predictions.
    link: the activation that turns what the last layer gives into the prediction that `predict` returns, if any; `of_link`
        says that the formula reads that prediction and not the last layer's output.
    normaliser: an expression like the formula; the mean is the sum of the losses over the sum of these. None: their number.
    expects: the activations of the last layer that the formula makes sense with, where it needs one.
    """

    formula: str
    source: str
    target: Target
    reads: str = "Yhat"
    values: tuple[str, ...] = ("prediction",)
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    link: str | None = None
    of_link: bool = False
    normaliser: str | None = None
    expects: tuple[str, ...] = ()
    unit_prediction: bool = False  # the formula holds for predictions in [0, 1] only
    floors: Floors | None = None

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """The named parts and the expression itself, whose name is empty; every text keeps the line and column that it has."""
        return lines(self.formula)

    @property
    def over(self) -> Literal["elements", "examples"]:
        """What the formula is the loss of."""
        return "examples" if any(has_positions(name, self.formula) for name in self.values) else "elements"

    @property
    def target_over(self) -> Literal["elements", "examples"]:
        """Whether there is a target for each element of the prediction, or one for each example."""
        return "elements" if self.over == "elements" or has_positions("target", self.formula) else "examples"


def lines(formula: str) -> tuple[tuple[str, str], ...]:
    """The lines `name = expression` of a formula, and what stands after them under the name ""; each at its line and column."""
    found: list[tuple[str, str]] = []
    while (line := PART.match(formula)) is not None:
        found.append((line[2], blank(formula[: line.start(3)]) + line[3]))
        formula = blank(formula[: line.end()]) + formula[line.end() :]
    return (*found, ("", formula))


def blank(text: str) -> str:
    """As many blank lines and columns."""
    return re.sub(r"[^\n]", " ", text)


def has_positions(name: str, formula: str) -> bool:
    """Whether a formula reads entries of what has this name, and not the thing itself."""
    return re.search(rf"\b{name}\s*\[", formula) is not None


@dataclass(frozen=True)
class Penalty:
    """A term of the loss for every entry `w` of the parameters that it is put on: their sum is added."""

    formula: str
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])


BCE_FLOORS = Floors(sp.Integer(-100), sp.Rational("1e-12"), "as PyTorch does, so that p = 0 and p = 1 give finite values")

ONES = Parameter(kind="reals", least=0.0, meaning="one a class or an output")
OFF = Parameter(False, "switch")
ON = Parameter(True, "switch")
ONE = Parameter(1.0)
POSITIVE = Parameter(1.0, above=0.0)
SHARE = Parameter(0.0, least=0.0, most=1.0)
WEIGHT = {"weight": ONES}

LOSSES: dict[tuple[str, str], Loss] = {
    ("softmax_cross_entropy", "labels"): Loss(
        "-(1 - label_smoothing) * weight[target] * log(prediction[target]) - label_smoothing * mean(c, weight[c] * log(prediction[c]))",
        "torch.nn.CrossEntropyLoss", "labels", "Z", link="softmax", of_link=True, normaliser="weight[target]",
        parameters={"weight": ONES, "label_smoothing": SHARE},
    ),
    ("softmax_cross_entropy", "probabilities"): Loss(
        "-sum(c, weight[c] * ((1 - label_smoothing) * target[c] + label_smoothing / size(c)) * log(prediction[c]))",
        "torch.nn.CrossEntropyLoss", "probabilities", "Z", link="softmax", of_link=True,
        parameters={"weight": ONES, "label_smoothing": SHARE},
    ),
    ("negative_log_likelihood", "labels"): Loss(
        "-weight[target] * prediction[target]", "torch.nn.NLLLoss", "labels",
        normaliser="weight[target]", parameters=WEIGHT, expects=("log_softmax",),
    ),
    ("binary_cross_entropy", "unit"): Loss(
        "-weight * (target * log(prediction) + (1 - target) * log(1 - prediction))", "torch.nn.BCELoss", "unit", "P",
        parameters=WEIGHT, expects=("sigmoid",), unit_prediction=True, floors=BCE_FLOORS,
    ),
    ("binary_cross_entropy_with_logits", "unit"): Loss(
        "weight * ((1 + (pos_weight - 1) * target) * log(1 + exp(prediction)) - pos_weight * target * prediction)",
        "torch.nn.BCEWithLogitsLoss", "unit", "Z", link="sigmoid", parameters={"weight": ONES, "pos_weight": ONES},
    ),
    ("multi_label_soft_margin", "unit"): Loss(
        "mean(c, weight[c] * (log(1 + exp(prediction[c])) - target[c] * prediction[c]))",
        "torch.nn.MultiLabelSoftMarginLoss", "unit", "Z", link="sigmoid", parameters=WEIGHT,
    ),
    ("mean_squared_error", "values"): Loss(
        "where(half, 1 / 2, 1) * (prediction - target)**2", "torch.nn.MSELoss", "values", parameters={"half": OFF}
    ),
    ("l1", "values"): Loss("abs(prediction - target)", "torch.nn.L1Loss", "values"),
    ("smooth_l1", "values"): Loss(
        "where(abs(prediction - target) < beta, (prediction - target)**2 / (2 * beta), abs(prediction - target) - beta / 2)",
        "Girshick 2015; torch.nn.SmoothL1Loss", "values", parameters={"beta": POSITIVE},
    ),
    ("huber", "values"): Loss(
        "where(abs(prediction - target) <= delta, (prediction - target)**2 / 2, delta * (abs(prediction - target) - delta / 2))",
        "Huber 1964; torch.nn.HuberLoss", "values", parameters={"delta": POSITIVE},
    ),
    ("kl_divergence", "probabilities"): Loss(
        "where(target > 0, target * log(target), 0) - target * prediction",
        "torch.nn.KLDivLoss", "probabilities", expects=("log_softmax",),
    ),
    ("kl_divergence", "log_probabilities"): Loss(
        "exp(target) * (target - prediction)", "torch.nn.KLDivLoss, log_target", "log_probabilities", expects=("log_softmax",)
    ),
    ("poisson_nll", "counts"): Loss(
        "where(log_input, exp(prediction) - target * prediction, prediction - target * log(prediction + eps))"
        " + where(full, where(target > 1, target * log(target) - target + log(2 * pi * target) / 2, 0), 0)",
        "torch.nn.PoissonNLLLoss", "counts", parameters={"log_input": ON, "full": OFF, "eps": Parameter(1e-8, least=0.0)},
    ),
    ("gaussian_nll", "values"): Loss(
        "bounded = maximum(variance, eps); (log(bounded) + (prediction - target)**2 / bounded) / 2 + where(full, log(2 * pi) / 2, 0)",
        "Nix and Weigend 1994; torch.nn.GaussianNLLLoss", "values", values=("prediction", "variance"),
        parameters={"full": OFF, "eps": Parameter(1e-6, above=0.0)},
    ),
    ("hinge_embedding", "signs"): Loss(
        "where(target > 0, prediction, where(prediction > margin, 0, margin - prediction))",
        "torch.nn.HingeEmbeddingLoss", "signs", parameters={"margin": ONE},
    ),
    ("soft_margin", "signs"): Loss("log(1 + exp(-target * prediction))", "torch.nn.SoftMarginLoss", "signs"),
    ("multi_margin", "labels"): Loss(
        "weight[target] / size(c) * sum(c, (1 - delta(c, target)) * where(margin + prediction[c] <= prediction[target], 0,"
        " (margin + prediction[c] - prediction[target])**p))",
        "Crammer and Singer 2001; torch.nn.MultiMarginLoss", "labels",
        parameters={"p": Parameter(1, "count", least=1, most=2), "margin": ONE, "weight": ONES},
    ),
    ("cosine_embedding", "signs"): Loss(
        "cosine = sum(i, first[i] * second[i]) / sqrt((sum(i, first[i]**2) + 1e-12) * (sum(i, second[i]**2) + 1e-12));"
        " where(target > 0, 1 - cosine, where(cosine < margin, 0, cosine - margin))",
        "torch.nn.CosineEmbeddingLoss", "signs", values=("first", "second"), parameters={"margin": Parameter(0.0)},
    ),
}  # fmt: skip

PENALTIES: dict[str, Penalty] = {
    "l2": Penalty("strength * w**2 / 2", "Hoerl and Kennard 1970; weight_decay in torch.optim.SGD", {"strength": Parameter(least=0.0)}),
    "l1": Penalty("strength * abs(w)", "Tibshirani 1996", {"strength": Parameter(least=0.0)}),
}
