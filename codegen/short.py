"""What a block holds a few numbers of for each example, as one array for each of them: loops over the few are written out.

The values of an example then meet in one loop over the examples, where most of them are variables.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import sympy as sp

from codegen.elementary import CALLS
from codegen.flat import unused
from codegen.loops import Access, Accumulate, Assign, Loop, Statement, Track, accesses, leaves, renamed, substituted, with_entries
from derive.index import Axis, Entry, Index, Tensor

FEW = 4  # numbers for an example


def divided(statements: Sequence[Statement], kept: Collection[Tensor], taken: set[str], inside: Axis) -> tuple[Statement, ...]:
    """The statements with every array of a few numbers for each example, those `kept` excepted, as one array for each of these.

    taken: names that a new array must not have; those of new ones join them. inside: the axis of the examples of a block.
    """
    names = _divisible(statements, {t.name for t in kept}, inside)
    parts: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def divide(entry: Entry) -> Entry:
        if entry.tensor.name not in names:
            return entry
        places = tuple(int(i) for i, axis in zip(entry.indices, entry.tensor.axes, strict=True) if axis != inside)
        key = entry.tensor.name, places
        if key not in parts:
            name = unused("_".join([entry.tensor.name, *map(str, places)]), taken)
            taken.add(name)
            parts[key] = Tensor(name, [inside], entry.tensor.values, entry.tensor.sign)
        return Entry(parts[key], *(i for i, axis in zip(entry.indices, entry.tensor.axes, strict=True) if axis == inside))

    return begun(with_entries(s, divide) for statement in statements for s in _written_out(statement, names, inside))


def _divisible(statements: Sequence[Statement], kept: Collection[str], inside: Axis) -> set[str]:
    """The names of the arrays that can be divided."""
    found: dict[str, bool] = {}
    for statement in statements:
        for access in accesses(statement):
            name = access.tensor.name
            found[name] = found.get(name, name not in kept) and _divides(access, inside)
    return {name for name, divides in found.items() if divides}


def _divides(access: Access, inside: Axis) -> bool:
    """Whether the array has a few numbers for each example, and the loops over them can be written out."""
    axes = [a for a in access.tensor.axes if a != inside]
    extents = [a.extent for a in axes if a.extent is not None]
    if len(axes) == len(access.tensor.axes) or not axes or len(extents) < len(axes) or math.prod(extents) > FEW:
        return False
    indices = [i for i, axis in zip(access.indices, access.tensor.axes, strict=True) if axis != inside]
    return all(i.is_Integer or any(_repeats(loop, i) for loop in access.path) for i in indices)


def _repeats(loop: Loop, index: sp.Expr) -> bool:
    """Whether a loop over an index can be written out."""
    if loop.index != index or loop.low or loop.high or loop.step != 1:
        return False
    bounds = [bound for inner in _loops(loop) for bound in (*inner.low, *inner.high)]
    tracked = [p for leaf in leaves(loop) if isinstance(leaf, Track) for p in leaf.positions]
    return not any(b.has(index) for b in (*bounds, *tracked))


def _loops(statement: Statement) -> Iterator[Loop]:
    if isinstance(statement, Loop):
        yield statement
        for inner in statement.body:
            yield from _loops(inner)


def _written_out(statement: Statement, names: Collection[str], inside: Axis) -> Iterator[Statement]:
    """The statement without loops over the numbers of an example in the arrays of these names."""
    if not isinstance(statement, Loop):
        yield statement
        return
    body = [s for inner in statement.body for s in _written_out(inner, names, inside)]
    if statement.index.axis == inside or not any(
        i == statement.index for s in body for a in accesses(s) if a.tensor.name in names for i in a.indices
    ):
        yield Loop(statement.index, tuple(body), statement.low, statement.high, statement.step)
        return
    for place in range(statement.index.axis.extent or 0):
        for s in body:
            yield _put(s, statement.index, place)


def _put(statement: Statement, index: Index, place: int) -> Statement:
    return substituted(statement, lambda e: e.xreplace({index: sp.Integer(place)}))


# -- the first term --------------------------------------------------------------------------------------------------------


def begun(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements with accumulations that start in one loop and get their first term in the next one begun with that term."""
    done: list[Statement] = []
    for statement in statements:
        joined = _begun(done[-1], statement) if done else None
        done[-1:] = [joined] if joined else [*done[-1:], statement]
    return tuple(done)


def _begun(start: Statement, first: Statement) -> Statement | None:
    """Both as one, if one gives every entry its start and the other one adds a term to every entry."""
    if isinstance(start, Loop) and isinstance(first, Loop):
        if len(start.body) != 1 or len(first.body) != 1 or replace(start, body=()) != replace(first, index=start.index, body=()):
            return None
        inner = _begun(start.body[0], renamed(first.body[0], first.index, start.index))
        return replace(start, body=(inner,)) if inner else None
    if not isinstance(start, Assign) or not isinstance(first, Accumulate) or start.target != first.target or start.guards or first.guards:
        return None
    if first.operation == "max":
        return Assign(first.equation, first.target, first.value) if start.value == -sp.oo else None
    return Assign(first.equation, first.target, start.value + first.value)


# -- sums of elementary functions ------------------------------------------------------------------------------------------


def summed_apart(statements: Sequence[Statement], inside: Axis) -> tuple[Statement, ...]:
    """The statements with sums of elementary functions in loops over the examples of their own.

    Nothing waits for such a sum: a processor does the work of several short loops' iterations at once, and less of one long loop's.
    """
    return tuple(s for statement in statements for s in _summed_apart(statement, inside))


def _summed_apart(statement: Statement, inside: Axis) -> Iterator[Statement]:
    if not isinstance(statement, Loop):
        yield statement
        return
    if statement.index.axis != inside:
        yield replace(statement, body=summed_apart(statement.body, inside))
        return
    sums = [s for s in statement.body if sums_a_function(s) and not any(_meets(s, other) for other in statement.body)]
    others = [s for s in statement.body if s not in sums]
    yield from (replace(statement, body=tuple(body)) for body in (others, sums) if body)


def sums_a_function(statement: Statement) -> bool:
    """Whether a statement adds an elementary function to a number."""
    return isinstance(statement, Accumulate) and not statement.target.indices and statement.value.has(*CALLS)


def _meets(sum_: Statement, other: Statement) -> bool:
    """Whether another statement touches the target of a sum."""
    assert isinstance(sum_, Accumulate)
    return other != sum_ and any(a.tensor == sum_.target.tensor for a in accesses(other))
