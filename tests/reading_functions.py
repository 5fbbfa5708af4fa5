"""The functions that a formula may name, and the comparisons in its conditions."""

# ruff: noqa: RUF001 - the signs of formulas are meant as they stand

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Expr
from sympy.logic.boolalg import Boolean

from derive.functions import AtLeast, where

COMPARISONS: dict[str, Callable[[Expr, Expr], Boolean]] = {"<": sp.Lt, "≤": sp.Le, ">": sp.Gt, "≥": sp.Ge}


def sigmoid(x: Expr) -> Expr:
    return 1 / (1 + sp.exp(-x))


FUNCTIONS: dict[str, Callable[[Expr], Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "tanh": sp.tanh,
    "erf": sp.erf,
    "σ": sigmoid,
    "ReLU": lambda x: AtLeast(x, sp.S.Zero),
    "log1p": lambda x: sp.log(1 + x),
    "expm1": lambda x: sp.exp(x) - 1,
    "erfc": lambda x: 1 - sp.erf(x),
    "GELU": lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "hardtanh": lambda x: where(x <= -1, -1, where(x >= 1, 1, x)),
}
SLOPES: dict[str, Callable[[Expr], Expr]] = {
    "σ": lambda x: sigmoid(x) * (1 - sigmoid(x)),
    "ReLU": lambda x: where(x <= 0, 0, 1),
    "tanh": lambda x: 1 - sp.tanh(x) ** 2,
    "hardtanh": lambda x: where(x <= -1, 0, where(x >= 1, 0, 1)),
    "GELU": lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2 + x * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),
}


def exp(x: Expr) -> Expr:
    return sp.exp(x)


def absolute(x: Expr) -> Expr:
    return sp.Abs(x)


def root(x: Expr) -> Expr:
    return x ** sp.Rational(1, 2)


def holds(relation: Callable[[Expr, Expr], Boolean], a: Expr, b: Expr) -> Expr:
    return where(relation(a, b), 1, 0)
