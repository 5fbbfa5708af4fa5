"""The functions of the language that take values, each by its definition."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Expr

from derive.language.choose import maximum, minimum
from derive.language.errors import Place
from derive.language.sound import check_parts, exponential, logarithm, power, sound

HALF = sp.Rational(1, 2)


def sigmoid(x: Expr, at: Place) -> Expr:
    return 1 / (1 + exponential(-x, at))


def softplus(x: Expr, at: Place) -> Expr:
    return logarithm(1 + exponential(x, at), at)


def sinh(x: Expr, at: Place) -> Expr:
    check_parts(at, 2, x)
    return (exponential(x, at) - exponential(-x, at)) / 2


def cosh(x: Expr, at: Place) -> Expr:
    check_parts(at, 2, x)
    return (exponential(x, at) + exponential(-x, at)) / 2


def sqrt(x: Expr, at: Place) -> Expr:
    return power(x, HALF, at)


def tanh(x: Expr, at: Place) -> Expr:
    return sound(sp.tanh(x), at)


def erf(x: Expr, at: Place) -> Expr:
    return sound(sp.erf(x), at)


def absolute(x: Expr, at: Place) -> Expr:
    return sound(sp.Abs(x), at)


def sign(x: Expr, at: Place) -> Expr:
    return sound(sp.sign(x), at)


ONE: dict[str, Callable[[Expr, Place], Expr]] = {
    "exp": exponential, "log": logarithm, "sqrt": sqrt, "tanh": tanh, "erf": erf, "abs": absolute, "sign": sign,
    "sigmoid": sigmoid, "sinh": sinh, "cosh": cosh, "softplus": softplus,
}  # fmt: skip
TWO: dict[str, Callable[[Expr, Expr, Place], Expr]] = {"minimum": minimum, "maximum": maximum}

CALLS = {
    **{name: f"{name}(x)" for name in ONE},
    **{name: f"{name}(a, b)" for name in TWO},
    "where": "where(condition, a, b)",
    "sum": "sum(i, body)",
    "mean": "mean(i, body)",
    "max": "max(i, body)",
    "size": "size(i)",
    "position": "position(i, j)",
    "delta": "delta(i, j)",
    "at_most": "at_most(i, j)",
    "inside": "inside(i - 1, j)",
}
CONSTANTS = {"pi": sp.pi}
