"""Terms with indicators as loops without them.

A delta in a term says at which position of the target, or of an index that is summed over, the term is not zero: the loop over that
index goes, and the others reach the position directly. So `Y[n,f] = sum_h,e [4 h + e = f] A[n,h,e]` becomes `Y[n,4 h + e] += A[n,h,e]`,
and a gradient with respect to a table becomes `dE[y[n],d] += ...`. A range guard on `x - q` makes that position the loop and x a computed
position, where this leaves no guard or fewer iterations. The guards that stay become bounds of loops (codegen/nests.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Basic, Expr
from sympy.core.relational import Relational

from codegen.flat import unused
from codegen.positions import at_most, inside, limits, plain, slope, solved
from derive.index import AtMost, Delta, Entry, Index, Indicator, InRange, Size


@dataclass(frozen=True)
class Summand:
    """`target` gets `value` added for all positions of the loops at which the guards hold.

    Outside of that it gets nothing. Different positions may meet in one entry only where the loops hold an index that the target of
    the equation does not have.
    """

    target: Entry
    value: Expr
    loops: tuple[Index, ...]
    guards: tuple[Expr, ...] = ()

    def put(self, index: Index, position: Expr, *loops: Index) -> Summand:
        """The summand with a position in place of a loop index, and other loops in place of that loop."""
        rule = {index: position}
        k = self.loops.index(index)
        guards = tuple(dict.fromkeys(g for g in (_plain(g.xreplace(rule)) for g in self.guards) if g != 1))
        target, value = (_with_plain_positions(e.xreplace(rule)) for e in (self.target, self.value))
        assert isinstance(target, Entry)
        return Summand(target, value, (*self.loops[:k], *loops, *self.loops[k + 1 :]), guards)


def summands(target: Entry, value: Expr, loops: Sequence[Index]) -> tuple[Summand, ...]:
    """The terms of a value that is added to a target for all positions of the loops, each without the indicators that it can lose.

    No read in them lies outside of its tensor: one that an indicator in the value does not protect makes the whole term 0 there.
    """
    if value == 0:
        return ()
    if not _computes(value):
        return (Summand(target, value, tuple(loops)),)
    found: list[Summand] = []
    summed = any(i not in target.free_symbols for i in loops)
    for indicators, coefficient in _in_terms(value, loops) if summed else _split(value, loops):
        every = dict.fromkeys(map(_plain, (*indicators, *protection(coefficient, indicators))))
        guards = tuple(g for g in every if g != 1)
        summand = Summand(target, _with_plain_positions(coefficient), tuple(loops), guards)
        while (simpler := _without_delta(summand) or _turned(summand)) is not None:
            summand = simpler
        if 0 not in summand.guards:
            found.append(summand)
    return tuple(merged(found))


def merged(parts: Sequence[Summand]) -> list[Summand]:
    """The summands with those of the same loops, target and guards made one."""
    values: dict[tuple[object, ...], list[Summand]] = {}
    for part in parts:
        values.setdefault((part.target, part.loops, part.guards), []).append(part)
    return [replace(same[0], value=sp.Add(*[p.value for p in same])) for same in values.values()]


def protection(e: Expr, known: Sequence[Expr] = ()) -> tuple[Expr, ...]:
    """The guards that the reads in an expression need beside those that are known and those that stand before them in a product."""
    if isinstance(e, Entry):
        own = [inside(p, axis) for p, axis in zip(e.indices, e.tensor.axes, strict=True)]
        return (*(g for g in own if g != 1 and _plain(g) not in map(_plain, known)), *(g for p in e.indices for g in protection(p, known)))
    if isinstance(e, Indicator):
        return tuple(g for a in e.args for g in protection(a, known))
    if e.is_Mul:
        known = (*known, *(f for f in e.args if isinstance(f, Indicator)))
    return tuple(dict.fromkeys(g for a in e.args for g in protection(a, known)))


def admitted(body: Expr) -> tuple[Expr, tuple[Expr, ...]]:
    """What a maximum is taken of, and the guards of the positions at which it is: elsewhere the body is -oo, or not readable."""
    guards: list[Expr] = []
    while isinstance(body, sp.Piecewise) and len(body.args) == 2 and body.args[1][0] == -sp.oo:
        value, test = body.args[0]
        guard = _on_positions(test)
        if guard is None:
            break
        guards.append(guard)
        body = value
    return body, tuple(dict.fromkeys((*guards, *protection(body, guards))))


def _on_positions(test: Basic) -> Expr | None:
    """A comparison of index expressions as an indicator."""
    if not isinstance(test, Relational) or not (test.lhs - test.rhs).is_integer:
        return None
    a, b = test.lhs, test.rhs
    match test:
        case sp.LessThan():
            return AtMost(a, b)
        case sp.GreaterThan():
            return AtMost(b, a)
        case sp.StrictLessThan():
            return AtMost(a + 1, b)
        case sp.StrictGreaterThan():
            return AtMost(b + 1, a)
        case sp.Equality():
            return Delta(a, b)
        case _:
            return None


def _computes(e: Expr) -> bool:
    """Whether an expression holds an indicator or a read at a computed position."""
    places = ((p, axis) for entry in e.atoms(Entry) for p, axis in zip(entry.indices, entry.tensor.axes, strict=True))
    return e.has(Indicator) or any(not isinstance(p, Index) or p.axis != axis for p, axis in places)


# -- indicators as factors of terms ----------------------------------------------------------------------------------------


def _split(value: Expr, loops: Sequence[Index]) -> Iterator[tuple[tuple[Expr, ...], Expr]]:
    """The terms of a value as useful indicators times a coefficient, the one without any first; a term that is 0 is left out.

    A read that needs protection makes its own term 0, no other.
    """
    for indicator in sorted(value.atoms(Indicator), key=str):
        if not _useful(indicator, loops):
            continue
        here = sp.Dummy("here")
        body = value.xreplace({indicator: here})
        factor = sp.diff(body, here)
        if here in factor.free_symbols or any(here in c.free_symbols for c in body.atoms(Relational)):
            continue  # inside a function or a comparison it is a number, not a condition of the whole term
        yield from _split(body.xreplace({here: sp.S.Zero}), loops)
        yield from (((indicator, *others), coefficient) for others, coefficient in _split(factor, loops))
        return
    if value.is_Add and protection(value):
        yield from (((), term) for term in value.args)
    elif value != 0:
        yield (), value


def _in_terms(value: Expr, loops: Sequence[Index]) -> Iterator[tuple[tuple[Expr, ...], Expr]]:
    """The same for what is summed: a term such as (1 - [c = y]) f(c) stays whole, since f(y) might swallow the digits of the sum."""
    for term in sp.Add.make_args(value):
        parts = list(_split(term, loops))
        yield from parts if len(parts) == 1 else [((), term)]


def _useful(indicator: Expr, loops: Sequence[Index]) -> bool:
    """Whether an indicator can spare iterations: fix an index, or bound it."""
    if isinstance(indicator, Delta):
        return any(solved(indicator.args[0], indicator.args[1], i) is not None for i in loops)
    return any(limits(indicator, i) is not None for i in loops)


# -- elimination ---------------------------------------------------------------------------------------------------------


def _without_delta(summand: Summand) -> Summand | None:
    """The summand without a loop that one of its deltas fixes: without a new guard if possible, and the longest such loop."""
    choices: list[tuple[tuple[bool, float], Expr, Index, Expr]] = []
    for delta in summand.guards:
        if isinstance(delta, Delta):
            for index in summand.loops:
                position = solved(delta.args[0], delta.args[1], index)
                if position is not None:
                    choices.append(((inside(position, index.axis) != 1, -_extent(index)), delta, index, position))
    if not choices:
        return None
    _, delta, index, position = min(choices, key=lambda choice: choice[0])
    others = (*(g for g in summand.guards if g != delta), inside(position, index.axis))
    return replace(summand, guards=others).put(index, position)


def _turned(summand: Summand) -> Summand | None:
    """The summand with the position of a range guard as a loop, in place of an index in it, where that spares iterations."""
    for guard in summand.guards:
        if not isinstance(guard, InRange) or guard.has(Entry):
            continue
        position, size = guard.args
        if not isinstance(size, Size) or size.axis.extent is None:
            continue
        for index in summand.loops:
            if slope(position, index) not in (1, -1) or index.axis.extent is None:
                continue
            labels = {i.label for i in summand.loops}
            fresh = size.axis.index(unused(size.axis.name, labels, "'"))
            value = solved(position, fresh, index)
            assert value is not None
            other = inside(value, index.axis)
            if other == 1 or size.axis.extent < index.axis.extent:
                return replace(summand, guards=(*(g for g in summand.guards if g != guard), other)).put(index, value, fresh)
    return None


def _extent(index: Index) -> float:
    return float("inf") if index.axis.extent is None else index.axis.extent


def _plain(guard: Expr) -> Expr:
    """A guard with its positions multiplied out, so that equal ones compare equal; 0 where it never holds, 1 where it always does."""
    if not isinstance(guard, Delta | InRange | AtMost):
        return guard
    a, b = guard.args
    if isinstance(guard, InRange):
        return sp.S.Zero if at_most(a, sp.Integer(-1)) or at_most(b, a) else InRange(plain(a), b)
    a, b = plain(a), plain(b)
    if at_most(b + 1, a) or (isinstance(guard, Delta) and at_most(a + 1, b)):
        return sp.S.Zero
    return sp.S.One if isinstance(guard, AtMost) and at_most(a, b) else guard.func(a, b)


def _with_plain_positions(e: Expr) -> Expr:
    rule = {entry: Entry(entry.tensor, *map(plain, entry.indices)) for entry in e.atoms(Entry)}
    return e.xreplace({old: new for old, new in rule.items() if old != new})
