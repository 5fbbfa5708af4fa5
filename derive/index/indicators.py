"""Conditions on indices as factors: Kronecker's delta, range guards, causal masks."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.index.binders import ArgMax
from derive.index.entries import Axis, Entry, Index, Indicator, Size


class Delta(Indicator):
    """Kronecker's delta of two index expressions."""

    def __new__(cls, a: Expr, b: Expr) -> Expr:
        if a == b:
            return sp.S.One
        if a.is_Integer and b.is_Integer:
            return sp.S.Zero
        a, b = (a, b) if a.compare(b) <= 0 else (b, a)
        return Expr.__new__(cls, a, b)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[{printer.doprint(self.args[0])} = {printer.doprint(self.args[1])}]"


class InRange(Indicator):
    """1 where an index expression lies on an axis: 0 <= e < size."""

    def __new__(cls, position: Expr, size: Expr) -> Expr:
        if isinstance(size, Size) and lies_on(position, size.axis):
            return sp.S.One
        if position.is_Integer and size.is_Integer:
            return sp.S.One if 0 <= position < size else sp.S.Zero
        return Expr.__new__(cls, position, size)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[0 <= {printer.doprint(self.args[0])} < {printer.doprint(self.args[1])}]"


class AtMost(Indicator):
    """1 where one index expression is at most another (a causal mask)."""

    def __new__(cls, a: Expr, b: Expr) -> Expr:
        return Expr.__new__(cls, a, b)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[{printer.doprint(self.args[0])} <= {printer.doprint(self.args[1])}]"


def lies_on(position: Expr, axis: Axis) -> bool:
    """Whether an index expression is on the axis by its type alone."""
    if isinstance(position, Index):
        return position.axis == axis
    if isinstance(position, Entry):
        return position.tensor.values == axis
    if isinstance(position, ArgMax):
        return position.bound[position.place].axis == axis
    return False
