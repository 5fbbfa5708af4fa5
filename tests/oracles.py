"""What every operation of the catalogue gives by a source that is not ours.

PyTorch's function is found by the operation's own name; the tables hold those that PyTorch calls otherwise or has not. Where it has
none, and where it is no better than float32, the judge is the formula in arithmetic of many digits, differentiated by dual numbers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from derive.choices import OWN
from derive.domains.digits import CONTEXT, Digits, RealNumber
from derive.domains.dual import Dual
from derive.index import Axis
from derive.loss_spec import Loss
from derive.program import Program
from derive.proof.interpret import Interpreter

Arrays = Mapping[str, np.ndarray]
Function = Callable[..., Tensor]

DIGITS = 400  # exp(-1e4) is 1e-4343, but what is added to it is near 1: what is lost is below every tolerance


def prelu(x: Tensor, a: Tensor) -> Tensor:
    return F.prelu(x, a.reshape(1))


def maxout(x: Tensor, pieces: int) -> Tensor:
    return torch.max(x.reshape(*x.shape[:-1], -1, pieces), -1).values


def mean_squared_error(p: Tensor, y: Tensor, half: bool, reduction: str) -> Tensor:
    return F.mse_loss(p, y, reduction=reduction) * (0.5 if half else 1.0)


def gaussian_nll(p: Tensor, variance: Tensor, y: Tensor, **options: Any) -> Tensor:
    return F.gaussian_nll_loss(p, y, variance, **options)


def product(p: Tensor, y: Tensor) -> Tensor:
    return p * y


def log_cosh(p: Tensor, y: Tensor) -> Tensor:
    return torch.log(torch.cosh(p - y))


def weighted_sum(p: Tensor, y: Tensor, w: Tensor) -> Tensor:
    return -(w * y * p).sum(-1)


ACTIVATIONS: dict[str, Function] = {
    "identity": torch.clone,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "prelu": prelu,
    "maxout": maxout,
}
LOSSES: dict[str, Function] = {
    "softmax_cross_entropy": F.cross_entropy,
    "negative_log_likelihood": F.nll_loss,
    "mean_squared_error": mean_squared_error,
    "multi_label_soft_margin": F.multilabel_soft_margin_loss,
    "kl_divergence": F.kl_div,
    "gaussian_nll": gaussian_nll,
}
FORMULAS: dict[str, Function] = {
    "prediction * target": product,
    "log(cosh(prediction - target))": log_cosh,
    "-sum(c, w[c] * target[c] * prediction[c])": weighted_sum,
}
ROUGH = {"softplus", "celu", "hardsigmoid"}  # PyTorch's is good to 1e-9, 4e-8 and 3e-8
BY_CLASS_WEIGHT = {"softmax_cross_entropy", "negative_log_likelihood"}  # their means divide by the sum of the weights of the labels
CLASSES_SECOND = (F.cross_entropy, F.nll_loss)  # examples, classes, then any other axes


def activation(kind: str) -> Function | None:
    """PyTorch's activation, over the last axis; None where it has none that is good to float64."""
    return None if kind in ROUGH else rough_activation(kind)


def rough_activation(kind: str) -> Function | None:
    """PyTorch's activation, over the last axis, however many digits it has."""
    return _along_the_last_axis(ACTIVATIONS.get(kind) or getattr(F, kind, None))


def loss(spec: Loss) -> Function | None:
    """PyTorch's loss of each element or example as a function of the values that the loss reads and of the targets."""
    function = LOSSES.get(spec.kind) or getattr(F, spec.kind, None) or getattr(F, f"{spec.kind}_loss", None)
    options: dict[str, Any] = {name: tensor(v) if isinstance(v, tuple) else v for name, v in spec.options.items()}
    if spec.kind == OWN:
        return partial(FORMULAS[spec.formula.formula], **options)
    if spec.ignore_index is not None:
        options["ignore_index"] = spec.ignore_index
    if spec.targets == "log_probabilities":
        options["log_target"] = True
    if function is None:
        return None
    each = partial(function, reduction="none", **options)
    return partial(_classes_second, each) if function in CLASSES_SECOND else each


def reduced(spec: Loss, each: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    """The losses as one number: PyTorch's means, and those of weighted examples."""
    share = torch.ones_like(each) if weights is None else like(weights, each)
    total = (each * share).sum()
    if spec.reduction in ("sum", "none"):
        return total
    if spec.reduction == "batchmean":
        return total / (len(each) if weights is None else weights.sum())
    if spec.kind in BY_CLASS_WEIGHT and spec.targets == "labels":
        counted = target != (-1 if spec.ignore_index is None else spec.ignore_index)
        by_class = tensor(spec.options.get("weight", [1.0] * (int(target.max()) + 1)))
        share = share * torch.where(counted, by_class[target.clamp_min(0)], 0.0)
    return total / share.sum()


def tensor(numbers: object) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def like(weights: Tensor, each: Tensor) -> Tensor:
    """The weights of examples for each of their losses."""
    return weights.reshape(weights.shape + (1,) * (each.dim() - weights.dim())).expand_as(each)


def _along_the_last_axis(function: Function | None) -> Function | None:
    try:
        along = function is not None and "dim" in inspect.signature(function).parameters
    except ValueError:  # a function that is written in C has no signature
        along = False
    return partial(function, dim=-1) if function is not None and along else function


def _classes_second(function: Function, prediction: Tensor, target: Tensor) -> Tensor:
    return function(prediction.movedim(-1, 1), target if target.dim() < prediction.dim() else target.movedim(-1, 1))


# -- arithmetic of many digits -----------------------------------------------------------------------------------------


def judged(program: Program, given: Arrays, by: Sequence[str], digits: int = DIGITS) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of a forward program and its derivatives by the named given tensors, rounded once.

    Arrays are in the order of the program's axes. Derivatives at a kink are those of the branch which holds.
    """
    with CONTEXT.workdps(digits):
        exact = Interpreter(Digits(), _extents(program, given), {})
        for tensor in program.given:
            places = {p: given[tensor.name][p] for p in np.ndindex(given[tensor.name].shape)}
            if tensor.values:
                exact.labels[tensor.name] = {p: int(v) for p, v in places.items()}
            else:
                exact.tables[tensor.name] = {p: Digits().constant(Fraction(float(v))) for p, v in places.items()}
        dual = exact.differentiated(by)
        for equation in program.equations:
            dual.define(equation)
        total = dual.tables[program.outputs[-1].name][()]
        assert isinstance(total, Dual)
        gradients = {name: np.zeros(given[name].shape) for name in by}
        for (name, place), slope in total.tangents.items():
            gradients[name][place] = _rounded(slope)
        return _rounded(total.value), gradients


def _rounded(number: object) -> float:
    assert isinstance(number, RealNumber)
    return number.real


class _Extents(dict[Axis, int]):
    """The extents of the axes of arrays; any other axis has its own."""

    def __missing__(self, axis: Axis) -> int:
        return axis.extent or 0


def _extents(program: Program, given: Arrays) -> _Extents:
    return _Extents({axis: size for tensor in program.given for axis, size in zip(tensor.axes, given[tensor.name].shape, strict=True)})
