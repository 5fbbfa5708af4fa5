"""Tiny sizes at which a proof tests claims.

Axes that meet in one formula get different extents, so that a transposed read, a sum over the wrong axis or a lost 1/N shows, and
every claim is tested at two assignments of extents, so that a number in the place of a size shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp
from sympy import Expr

from derive.index import ArgMax, Axis, Entry, Index, InRange, Size, Tensor
from derive.program import Derivation, Equation

Extents = Mapping[Axis, int]
Read = tuple[Expr, Axis]  # an index expression, and the axis that it is a position on


def tiny_extents(derivation: Derivation) -> tuple[Extents, ...]:
    """Two assignments of extents to all axes, large enough for all reads.

    Axes that meet in a formula differ in the first where there are no more than four of them; those that do not, differ in the second.
    """
    groups = [_axes(e) for e in _formulas(derivation)]
    reads = [read for e in derivation.forward.equations for read in _computed_reads(e)]
    neighbours: dict[Axis, dict[Axis, None]] = {}
    for group in groups:
        for axis in group:
            neighbours.setdefault(axis, {}).update(dict.fromkeys(b for b in group if b != axis))
    first = _assigned(neighbours, (2, 3, 4, 5), {}, reads)
    return first, _assigned(neighbours, (3, 4, 5, 2), first, reads)


def _assigned(neighbours: Mapping[Axis, Iterable[Axis]], choices: Sequence[int], earlier: Extents, reads: list[Read]) -> Extents:
    """An extent for every axis that as few neighbours as possible share, those least that shared the earlier one."""
    extents: dict[Axis, int] = {}
    for axis, others in neighbours.items():
        before = earlier.get(axis, 0)
        sharing = {n: [o for o in others if extents.get(o) == n] for n in choices}
        again = {n: [o for o in sharing[n] if earlier.get(o) == before] for n in choices}
        extents[axis] = min(choices, key=lambda n: (len(again[n]), len(sharing[n])))
    for _ in extents:  # an extent that grows may let an index run further
        for index, axis in reads:
            extents[axis] = max(extents[axis], _highest(index, extents) + 1)
    return extents


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


def _computed_reads(equation: Equation) -> Iterable[Read]:
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
