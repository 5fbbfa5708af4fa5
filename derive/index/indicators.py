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
    """1 where an index expression lies on an axis: 0 <= e < size. It is the number 1 where known extents say so for all indices."""

    def __new__(cls, position: Expr, size: Expr) -> Expr:
        if isinstance(size, Size) and lies_on(position, size.axis):
            return sp.S.One
        reach, extent = bounds(position), bounds(size)
        if reach is not None and extent is not None and reach[0] >= 0 and reach[1] < extent[0]:
            return sp.S.One
        if position.is_Integer and size.is_Integer:
            return sp.S.Zero
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


def bounds(position: Expr) -> tuple[int, int] | None:
    """The least and the greatest value of an index expression, if all extents in it are known.

    Exact where every index occurs once, as in (c*H + h)*W + w; otherwise the interval may be too wide, never too narrow.
    """
    if isinstance(position, sp.Integer):
        return int(position), int(position)
    if isinstance(position, Index):
        return None if position.axis.extent is None else (0, position.axis.extent - 1)
    if isinstance(position, Size):
        return None if position.axis.extent is None else (position.axis.extent, position.axis.extent)
    if isinstance(position, Entry):
        labels = position.tensor.values
        return None if labels is None or labels.extent is None else (0, labels.extent - 1)
    if isinstance(position, sp.Pow) and position.exp.is_Integer and position.exp.is_positive:
        found = [bounds(position.base)] * int(position.exp)
    elif position.is_Add or position.is_Mul:
        found = [bounds(a) for a in position.args]
    else:
        return None
    known = [b for b in found if b is not None]
    if len(known) < len(found):
        return None
    if position.is_Add:
        return sum(b[0] for b in known), sum(b[1] for b in known)
    low, high = 1, 1
    for b in known:
        ends = [x * y for x in (low, high) for y in b]
        low, high = min(ends), max(ends)
    return low, high
