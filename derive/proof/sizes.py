"""Tiny sizes at which a proof tests claims.

Axes that meet in one formula get different extents, so that a transposed read, a sum over the wrong axis or a lost 1/N shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp
from sympy import Expr

from derive.index import ArgMax, Axis, Entry, Index, InRange, Size, Tensor
from derive.program import Derivation, Equation

Extents = Mapping[Axis, int]


def tiny_extents(derivation: Derivation, smallest: int) -> Extents:
    """An extent from `smallest` up for every axis: different where axes meet in a formula, and large enough for all reads."""
    groups = [_axes(e) for e in _formulas(derivation)]
    extents: dict[Axis, int] = {}
    for axis in dict.fromkeys(a for group in groups for a in group):
        extents[axis] = _unused(axis, groups, extents, smallest)
    reads = [read for e in derivation.forward.equations for read in _computed_reads(e)]
    for _ in extents:  # an extent that grows may push another one
        for index, axis in reads:
            needed = _highest(index, extents) + 1
            if needed > extents[axis]:
                extents[axis] = _unused(axis, groups, extents, needed)
    return extents


def _unused(axis: Axis, groups: list[tuple[Axis, ...]], extents: Extents, start: int) -> int:
    taken = [extents[other] for group in groups if axis in group for other in group if other != axis and other in extents]
    while start in taken:
        start += 1
    return start


def _formulas(derivation: Derivation) -> list[Expr]:
    derived = (*derivation.backward, *derivation.stable)
    equations = [*derivation.forward.equations, *derivation.computed.equations, *(d.equation for d in derived)]
    steps = [e for d in derived for s in d.steps for e in (s.before, s.after)]
    return [e for equation in equations for e in (equation.entry, equation.body)] + steps


def _axes(e: Expr) -> tuple[Axis, ...]:
    found: dict[Axis, None] = {}
    for node in sp.preorder_traversal(e):
        if isinstance(node, Index | Size):
            found[node.axis] = None
        elif isinstance(node, Tensor):
            found.update(dict.fromkeys(node.axes))
            if node.values:
                found[node.values] = None
    return tuple(found)


def _computed_reads(equation: Equation) -> Iterable[tuple[Expr, Axis]]:
    """The index expressions such as 2t + p at which an equation reads an axis, unless an indicator guards them."""
    nodes = list(sp.preorder_traversal(equation.body))
    guarded = [n.args[0] for n in nodes if isinstance(n, InRange)]
    for entry in (n for n in nodes if isinstance(n, Entry)):
        for index, axis in zip(entry.indices, entry.tensor.axes, strict=True):
            if not isinstance(index, Index | Entry | ArgMax) and index not in guarded:
                yield index, axis


def _highest(index: Expr, extents: Extents) -> int:
    """The largest value of an affine index expression."""
    ends: dict[Expr, Expr] = {}
    for symbol in index.free_symbols:
        if isinstance(symbol, Size):
            ends[symbol] = sp.Integer(extents[symbol.axis])
        elif isinstance(symbol, Index):
            rises = sp.expand(index).coeff(symbol).is_positive
            ends[symbol] = sp.Integer(extents[symbol.axis] - 1 if rises else 0)
    value = index.xreplace(ends)
    return int(value) if value.is_Integer else 0
