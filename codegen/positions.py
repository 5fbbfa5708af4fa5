"""Index expressions as affine functions of loop indices: slopes, solutions, limits."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.index import AtMost, Axis, Entry, Index, InRange, Size, free_indices, lies_on
from derive.index.indicators import bounds


def plain(position: Expr) -> Expr:
    """An index expression multiplied out, known extents as numbers; a bare index or label as it is."""
    if isinstance(position, Index | Entry):
        return position
    sizes = {s: sp.Integer(s.axis.extent) for s in position.atoms(Size) if s.axis.extent is not None}
    return sp.expand(position.xreplace(sizes))


def slope(position: Expr, index: Index) -> int | None:
    """The coefficient of an index in an affine expression, 0 where it does not occur; None where it stands in a label or a product."""
    if index not in position.free_symbols:
        return 0
    flat = plain(position)
    found = flat.coeff(index, 1)
    rest = sp.expand(flat - found * index)
    return int(found) if found.is_Integer and index not in rest.free_symbols else None


def solved(left: Expr, right: Expr, index: Index) -> Expr | None:
    """The value of an index for which two index expressions are equal; None where it is not a whole number for all others."""
    if index == left and index not in right.free_symbols:
        return right
    if index == right and index not in left.free_symbols:
        return left
    difference = plain(left - right)
    rise = slope(difference, index)
    return sp.expand(index - rise * difference) if rise in (1, -1) else None


def inside(position: Expr, axis: Axis) -> Expr:
    """The guard of a read at a position of an axis: 1 where it needs none."""
    return sp.S.One if lies_on(position, axis) else InRange(plain(position), axis.count)


def at_most(a: Expr, b: Expr) -> bool:
    """Whether the extents that are known say that one index expression is never above another."""
    reach = bounds(plain(b - a))
    return reach is not None and reach[0] >= 0


def dense(position: Expr) -> tuple[Index, ...] | None:
    """The indices of a position that takes every value between its least and its greatest once, as (c H + h) W + w + 3 does.

    In the order in which the position runs along them, the slowest first; None for other positions.
    """
    steps: list[tuple[int, Index]] = []
    for index in free_indices(position):
        rise = slope(position, index)
        if rise is None or index.axis.extent is None:
            return None
        steps.append((abs(rise), index))
    expected = 1
    for step, index in sorted(steps, key=lambda s: (s[0], s[1].axis.extent)):
        if step != expected and index.axis.extent != 1:
            return None
        expected *= index.axis.extent or 1
    return tuple(index for _, index in sorted(steps, key=lambda s: -s[0]))


def in_row_major_order(entry: Entry) -> tuple[Index, ...] | None:
    """The different indices that run over all entries of a tensor in the order in which they lie in memory; None where none do.

    An index that has one position only is left out.
    """
    found: list[Index] = []
    for position, axis in zip(entry.indices, entry.tensor.axes, strict=True):
        if isinstance(position, Index) and position.axis == axis:
            found.append(position)
            continue
        inside = dense(position)
        if inside is None or any((slope(position, i) or 0) < 0 for i in inside) or bounds(plain(position)) != (0, (axis.extent or 0) - 1):
            return None
        found += inside
    found = [i for i in found if i.axis.extent != 1]
    return tuple(found) if len(set(found)) == len(found) else None


def limits(guard: Expr, index: Index) -> tuple[Expr | None, Expr | None] | None:
    """The first value of an index that a guard admits, and the first one past the last; None for a side that it leaves open.

    None altogether where the guard is no interval of the index, or depends on labels.
    """
    if guard.has(Entry) or not isinstance(guard, InRange | AtMost):
        return None
    position, least, most = _interval(guard)
    rise = slope(position, index)
    if not rise:
        return None
    step, rest = abs(rise), plain(position) - rise * index
    low, high = (least, most) if rise > 0 else (most, least)
    first = None if low is None else _floor((low - rest) * (rise // step) + step - 1, step)
    last = None if high is None else _floor((high - rest) * (rise // step), step)
    return first, None if last is None else last + 1


def _interval(guard: InRange | AtMost) -> tuple[Expr, Expr | None, Expr | None]:
    """A guard as least <= position <= most."""
    if isinstance(guard, InRange):
        return guard.args[0], sp.S.Zero, plain(guard.args[1]) - 1
    return guard.args[0] - guard.args[1], None, sp.S.Zero


def _floor(position: Expr, step: int) -> Expr:
    """The whole number of steps below a position, what Python's // gives."""
    return sp.expand(sp.floor(sp.expand(position) / step))
