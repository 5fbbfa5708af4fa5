"""Declared lower bounds, the conventions of evaluation at the edge of a formula's domain."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.functions import AtLeast
from derive.index import Entry, rewrite
from derive.program import Floors


def floored(e: Expr, floors: Floors) -> Expr:
    """Declared lower bounds of logarithms and of denominators; a product of denominators is bounded as a whole."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and floors.log is not None:
            return AtLeast(node, floors.log)
        if floors.denominator is None:
            return None
        if isinstance(node, sp.Pow) and node.exp.is_negative and node.base.has(Entry):
            return 1 / AtLeast(1 / node, floors.denominator)
        below = [f for f in node.args if isinstance(1 / f, AtLeast)] if node.is_Mul else []
        if len(below) > 1:
            whole = sp.Mul(*[(1 / f).args[0] for f in below])
            return sp.Mul(*[f for f in node.args if f not in below], 1 / AtLeast(whole, floors.denominator))
        return None

    return rewrite(e, change)
