"""The order in which the proof sums: indices that an indicator ties together come first, so that most terms are never reached."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from derive.index import Binder, Index, Indicator

Order = Sequence[tuple[Index, Sequence[Indicator]]]


def summation_order(e: Binder) -> Order:
    """The bound indices of a sum, each with the indicators whose value is known once it has its position."""
    waiting: dict[Indicator, set[Index]] = {
        f: {i for i in e.bound if i in f.free_symbols} for f in sp.Mul.make_args(e.body) if isinstance(f, Indicator)
    }
    order: list[tuple[Index, list[Indicator]]] = []
    left = list(e.bound)
    while left:
        unfinished = [needed for needed in waiting.values() if needed]
        shortest = min(unfinished, key=len) if unfinished else set(left)
        index = next(i for i in left if i in shortest)
        left.remove(index)
        waiting = {f: needed - {index} for f, needed in waiting.items()}
        order.append((index, [f for f, needed in waiting.items() if not needed]))
        waiting = {f: needed for f, needed in waiting.items() if needed}
    return order
