"""Tiny sizes at which a proof tests claims.

Axes that meet in one formula get different extents, so that a transposed read, a sum over the wrong axis or a lost 1/N shows, and
every claim is tested at two assignments of extents, so that a number in the place of a size shows.

Computed positions such as 2t + p bind extents to each other. Where the program's own extents show that a read stays inside its axis, the
tiny ones are made to do so too; a read that leaves its axis at the program's own extents stays one that leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation
from derive.index import ArgMax, Axis, Delta, Entry, Index, InRange, Size, Tensor, lies_on
from derive.program import Equation

Extents = Mapping[Axis, int]
Read = tuple[Expr, Axis]  # an index expression, and the axis that it is a position on


def tiny_extents(derivation: Derivation) -> tuple[Extents, ...]:
    """Two assignments of extents to all axes, large enough for all reads.

    Axes that meet in a formula differ in the first where there are no more than four of them; those that do not, differ in the second.
    """
    formulas = _formulas(derivation)
    neighbours: dict[Axis, dict[Axis, None]] = {}
    for e in formulas:
        group = _axes(e)
        for axis in group:
            neighbours.setdefault(axis, {}).update(dict.fromkeys(b for b in group if b != axis))
    declared = {axis: axis.extent for axis in neighbours if axis.extent is not None}
    inside = [read for read in _reads(formulas) if _is_inside(read, declared)]
    unknown = [read for e in derivation.forward.equations for read in _unguarded(e) if _interval(read[0], declared) is None]
    most = {axis: declared[axis] for position, read in inside for axis in (*_variables(position).values(), read)}
    first = _assigned(neighbours, (2, 3, 4, 5), {}, most, (*inside, *unknown))
    return first, _assigned(neighbours, (3, 4, 5, 2), first, most, (*inside, *unknown))


def _assigned(
    neighbours: Mapping[Axis, Iterable[Axis]], choices: Sequence[int], earlier: Extents, most: Extents, reads: Sequence[Read]
) -> Extents:
    """An extent for every axis that as few neighbours as possible share, those least that shared the earlier one.

    most: the extents that are known to be large enough for all reads between them; no extent exceeds them.
    """
    extents: dict[Axis, int] = {}
    for axis, others in neighbours.items():
        before = earlier.get(axis, 0)
        sharing = {n: [o for o in others if extents.get(o) == n] for n in choices}
        again = {n: [o for o in sharing[n] if earlier.get(o) == before] for n in choices}
        chosen = min(choices, key=lambda n: (len(again[n]), len(sharing[n])))
        extents[axis] = min(chosen, most.get(axis, chosen))
    for _ in extents:  # an extent that grows may let an index run further
        grown = dict(extents)
        for index, axis in reads:
            needed = (_interval(index, extents) or (0, 0))[1] + 1
            grown[axis] = max(grown[axis], min(needed, most.get(axis, needed)))
        if grown == extents:
            break
        extents = grown
    return extents


def _formulas(derivation: Derivation) -> list[Expr]:
    derived = (*derivation.derived, *derivation.stable)
    equations = [*derivation.forward.equations, *derivation.computed.equations, *(d.equation for d in derived)]
    steps = [e for d in derived for s in d.steps for e in (s.before, s.after)]
    return list(dict.fromkeys([e for equation in equations for e in (equation.entry, equation.body)] + steps))


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


def _reads(formulas: Iterable[Expr]) -> Iterator[Read]:
    """The computed positions at which formulas read an axis, or sum over it against a delta."""
    found: dict[Read, None] = {}
    for e in formulas:
        for node in sp.preorder_traversal(e):
            if isinstance(node, Entry):
                found.update(dict.fromkeys(zip(node.indices, node.tensor.axes, strict=True)))
            elif isinstance(node, Delta):
                a, b = node.args
                found.update({(p, i.axis): None for p, i in ((a, b), (b, a)) if isinstance(i, Index)})
    return ((position, axis) for position, axis in found if not lies_on(position, axis))


def _unguarded(equation: Equation) -> Iterator[Read]:
    guarded = [n.args[0] for n in sp.preorder_traversal(equation.body) if isinstance(n, InRange)]
    return ((position, axis) for position, axis in _reads([equation.body]) if position not in guarded)


def _is_inside(read: Read, extents: Extents) -> bool:
    position, axis = read
    found = _interval(position, extents)
    return axis in extents and found is not None and found[0] >= 0 and found[1] < extents[axis]


def _interval(position: Expr, extents: Extents) -> tuple[int, int] | None:
    """The least and the greatest value of an affine index expression; None for others and for unknown extents."""
    variables = _variables(position)
    if not all(axis in extents for axis in variables.values()):
        return None
    sizes = {node: sp.Integer(extents[axis]) for node, axis in variables.items() if isinstance(node, Size)}
    symbols = {node: sp.Dummy() for node in variables if node not in sizes}
    flat = sp.expand(position.xreplace({**sizes, **symbols}))
    slopes = {node: flat.coeff(symbol) for node, symbol in symbols.items()}
    rest = flat - sp.Add(*[slope * symbols[node] for node, slope in slopes.items()])
    if not all(value.is_Integer for value in (rest, *slopes.values())):
        return None
    ends = [int(slope) * (extents[variables[node]] - 1) for node, slope in slopes.items()]
    return int(rest) + sum(end for end in ends if end < 0), int(rest) + sum(end for end in ends if end > 0)


def _variables(e: Expr) -> dict[Expr, Axis]:
    """The parts of an index expression that algebra does not look into, with the axes whose positions or extents they are."""
    if isinstance(e, Index | Size):
        return {e: e.axis}
    if isinstance(e, ArgMax):
        return {e: e.bound[e.place].axis}
    if isinstance(e, Entry):
        return {e: e.tensor.values} if e.tensor.values else {}
    return {node: axis for a in e.args for node, axis in _variables(a).items()}
