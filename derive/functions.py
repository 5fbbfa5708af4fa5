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

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_positive

    def _eval_is_nonnegative(self) -> bool | None:
        return self.args[0].is_nonnegative


class Expm1(Stable):
    """exp(x) - 1, accurate for small x."""

    @staticmethod
    def definition(x: Expr) -> Expr:
        return sp.exp(x) - 1

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_positive

    def _eval_is_nonnegative(self) -> bool | None:
        return self.args[0].is_nonnegative


class Erfc(Stable):
    """1 - erf(x), accurate for large x."""

    @staticmethod
    def definition(x: Expr) -> Expr:
        return 1 - sp.erf(x)

    def _eval_is_positive(self) -> bool:
        return True


class AtLeast(sp.Function):
    """max(x, bound) of two numbers, NaN where x is NaN."""

    @classmethod
    def eval(cls, _x: Expr, _bound: Expr) -> Expr | None:
        return None

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool | None:
        return True if any(a.is_nonnegative for a in self.args) else None

    def _eval_is_positive(self) -> bool | None:
        return True if any(a.is_positive for a in self.args) else None


def where(condition: Boolean, then: Expr | int, otherwise: Expr | int) -> Expr:
    """`then` where the condition holds, `otherwise` elsewhere (and for NaN)."""
    return sp.Piecewise((then, _settled(condition)), (otherwise, True))


def _settled(condition: Boolean) -> Boolean:
    """A comparison of sums as one with a number: SymPy turns 9x/10 < y + x/10 round and round without end."""
    if not isinstance(condition, sp.Rel) or not (condition.lhs.is_Add or condition.rhs.is_Add):
        return condition
    number, rest = (condition.lhs - condition.rhs).as_coeff_Add()
    content, primitive = rest.primitive()
    comparison = condition.func(primitive, -number / content)
    return comparison if isinstance(comparison, Boolean) else condition
