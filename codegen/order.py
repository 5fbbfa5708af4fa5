"""The loops of a nest: their order, and guards as their bounds.

Innermost goes the index that is the last one of every entry that it stands in (neighbouring entries lie side by side in memory),
outermost the axis whose extent is known only at run time. Of several such indices the longest goes innermost, unless what is summed over
is a small window of fixed size: then the loops over the window do, which a compiler writes out, so that the loop around them computes
several entries at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from codegen.loops import Accumulate, Assign, Loop, Statement, Track, entries
from codegen.positions import at_most, limits
from codegen.summands import Summand
from derive.index import Entry, Index

UNROLLED = 32  # the iterations of a window that a compiler writes out


def order_of(part: Summand) -> tuple[Index, ...]:
    """The loops around one part of an equation, outermost first."""
    free = [i for i in part.loops if i in part.target.free_symbols]
    bound = [i for i in part.loops if i not in free]
    return loop_order(free, bound, (part.target, *entries(part.value)), [i for i in bound if any(i in g.free_symbols for g in part.guards)])


def loop_order(
    free: Sequence[Index], bound: Sequence[Index], touched: Sequence[Entry], confined: Sequence[Index] = ()
) -> tuple[Index, ...]:
    """The loops of a nest, outermost first; `bound` are those summed over, `confined` those of them that a guard depends on."""
    every = (*free, *_in_memory_order(bound, touched))
    if not every:
        return ()
    unrolled = not confined and math.prod(i.axis.extent or UNROLLED + 1 for i in bound) <= UNROLLED
    strides = {i: sum(any(i in e.free_symbols for e in entry.indices[:-1]) for entry in set(touched)) for i in every}

    def cost(index: Index) -> tuple[int, bool, bool, float, bool]:
        length = 0 if unrolled else math.inf if index.axis.extent is None else index.axis.extent
        return strides[index], index.axis.extent == 1, unrolled and index in free, -length, index not in free

    last = min(reversed(every), key=cost)
    beside = [] if unrolled else [i for i in every if strides[i] == strides[last]]  # these run along memory as well
    outer = [i for i in every if i != last]
    outer.sort(key=lambda i: (i.axis.extent is not None, i in beside, i in bound))
    return (*outer, last)


def _in_memory_order(indices: Sequence[Index], touched: Sequence[Entry]) -> list[Index]:
    """The indices in the order in which the entry that holds most of them has them."""
    found = [list[Index](), *([i for e in entry.indices for i in indices if i in e.free_symbols] for entry in touched)]
    return list(dict.fromkeys((*max(found, key=lambda these: len(set(these))), *indices)))


def bounded(order: Sequence[Index], leaf: Assign | Accumulate | Track, guards: Sequence[Expr]) -> tuple[Statement, ...]:
    """The loops around a leaf, each guard a bound of the innermost loop that it depends on; else a condition of the leaf."""
    low: dict[Index, list[Expr]] = {i: [] for i in order}
    high: dict[Index, list[Expr]] = {i: [] for i in order}
    conditions: list[Expr] = []
    for guard in guards:
        last = next((i for i in reversed(order) if i in guard.free_symbols), None)
        found = limits(guard, last) if last is not None else None
        if found is None or last is None:
            conditions.append(guard)
            continue
        first, end = found
        extent = last.axis.count if last.axis.extent is None else sp.Integer(last.axis.extent)
        low[last] += [first] if first is not None and not at_most(first, sp.S.Zero) else []
        high[last] += [end] if end is not None and not at_most(extent, end) else []
    body: tuple[Statement, ...] = (replace(leaf, guards=tuple(conditions)),)
    for index in reversed(order):
        body = (Loop(index, body, tuple(dict.fromkeys(low[index])), tuple(dict.fromkeys(high[index]))),)
    return body
