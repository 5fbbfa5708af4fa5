"""Activations: forward formulas only. Everything else about an activation is derived from its line here.

Branches are ordered so that NaN falls into the one that passes it on. At a kink the derivative is that of the branch which
holds there, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, Rational, erf, exp, log, pi, sqrt, tanh

from derive.functions import where
from derive.index import Index, Sum


@dataclass(frozen=True)
class Parameter:
    """A number that a formula takes from the spec: its default and whether it must be positive."""

    default: float
    positive: bool = False


@dataclass(frozen=True)
class Elementwise:
    """H[..., j] = formula(A[..., j])."""

    formula: Callable[..., Expr]
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])

    def body(self, x: Expr, _feature: Index, **values: Expr) -> Expr:
        return self.formula(x, **values)


@dataclass(frozen=True)
class AlongFeatures:
    """H[..., j] = formula(A[..., :], j): the formula gets A as a function of its feature index, j, and an index to sum over."""

    formula: Callable[..., Expr]
    source: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])

    def body(self, x: Expr, feature: Index, **values: Expr) -> Expr:
        def at(i: Index) -> Expr:
            return x.xreplace({feature: i})

        return self.formula(at, feature, feature.axis.fresh(), **values)


Activation = Elementwise | AlongFeatures


def identity(x: Expr) -> Expr:
    return x


def relu(x: Expr) -> Expr:
    return where(x <= 0, 0, x)


def leaky_relu(x: Expr, slope: Expr) -> Expr:
    return where(x <= 0, slope * x, x)


def elu(x: Expr, alpha: Expr) -> Expr:
    return where(x <= 0, alpha * (exp(x) - 1), x)


def sigmoid(x: Expr) -> Expr:
    return 1 / (1 + exp(-x))


def softplus(x: Expr, beta: Expr, threshold: Expr) -> Expr:
    return where(beta * x > threshold, x, log(1 + exp(beta * x)) / beta)


def silu(x: Expr) -> Expr:
    return x / (1 + exp(-x))


def gelu(x: Expr) -> Expr:
    return x * (1 + erf(x / sqrt(2))) / 2


def gelu_tanh(x: Expr) -> Expr:
    return x * (1 + tanh(sqrt(2 / pi) * (x + Rational(44715, 1000000) * x**3))) / 2


def softmax(x: Callable[[Index], Expr], c: Index, k: Index) -> Expr:
    return exp(x(c)) / Sum(exp(x(k)), k)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Elementwise(identity, "torch.nn.Identity"),
    "relu": Elementwise(relu, "Nair and Hinton 2010"),
    "leaky_relu": Elementwise(leaky_relu, "Maas et al. 2013", {"slope": Parameter(0.01)}),
    "elu": Elementwise(elu, "Clevert et al. 2016", {"alpha": Parameter(1.0)}),
    "sigmoid": Elementwise(sigmoid, "torch.nn.Sigmoid"),
    "tanh": Elementwise(tanh, "torch.nn.Tanh"),
    "softplus": Elementwise(softplus, "torch.nn.Softplus", {"beta": Parameter(1.0, positive=True), "threshold": Parameter(20.0)}),
    "silu": Elementwise(silu, "Elfwing et al. 2018"),
    "gelu": Elementwise(gelu, "Hendrycks and Gimpel 2016"),
    "gelu_tanh": Elementwise(gelu_tanh, "Hendrycks and Gimpel 2016, equation (2)"),
    "softmax": AlongFeatures(softmax, "Bridle 1990"),
}


def exact(value: float) -> sp.Rational:
    """The decimal number that a person wrote: 0.1 is 1/10."""
    return sp.Rational(repr(value))
