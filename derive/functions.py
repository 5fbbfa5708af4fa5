"""Scalar functions that a stable formula may hold beside SymPy's own, each with its definition.

They are never differentiated: a formula is differentiated first and stabilised after. The definition is what the proof runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import sympy as sp
from sympy import Expr
from sympy.logic.boolalg import Boolean


class Stable(sp.Function):
    """A function with a numerically careful implementation; `definition` is its mathematical meaning."""

    definition: ClassVar[Callable[[Expr], Expr]]

    @classmethod
    def eval(cls, _x: Expr) -> Expr | None:
        return None

    def _eval_is_real(self) -> bool:
        return True


class Sigmoid(Stable):
    """The logistic function 1 / (1 + exp(-x)): right for every x, since exp may only overflow in a denominator."""

    @staticmethod
    def definition(x: Expr) -> Expr:
        return 1 / (1 + sp.exp(-x))

    def _eval_is_positive(self) -> bool:
        return True


class Log1p(Stable):
    """log(1 + x), accurate for small x."""

    @staticmethod
    def definition(x: Expr) -> Expr:
        return sp.log(1 + x)


class Expm1(Stable):
    """exp(x) - 1, accurate for small x."""

    @staticmethod
    def definition(x: Expr) -> Expr:
        return sp.exp(x) - 1


class AtLeast(sp.Function):
    """max(x, bound) of two numbers, NaN where x is NaN."""

    @classmethod
    def eval(cls, _x: Expr, _bound: Expr) -> Expr | None:
        return None

    def _eval_is_real(self) -> bool:
        return True


def where(condition: Boolean, then: Expr | int, otherwise: Expr | int) -> Expr:
    """`then` where the condition holds, `otherwise` elsewhere (and for NaN)."""
    return sp.Piecewise((then, condition), (otherwise, True))
