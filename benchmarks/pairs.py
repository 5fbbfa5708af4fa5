"""What one call takes longer than another, where both take far longer than they differ.

The calls of a pair follow one another at once, so that both meet the same machine; and each is measured right after a call of its own kind,
so that neither is charged for what the other one has driven out of the caches.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

FEWEST = 100  # pairs
Call = Callable[[], object]


@dataclass(frozen=True)
class Paired:
    """Microseconds of two calls (medians), by how much the first is longer (the median over the pairs), and how far that may be off.

    The latter is half of an interval that holds the median of all pairs there could be, with a probability of 95 %: its ends are
    the differences that stand sqrt(n) to the left and to the right of the middle among n sorted ones.
    """

    first: float
    second: float
    difference: float
    within: float


def paired(first: Call, second: Call, seconds: float) -> Paired:
    """Measure two calls in turn for so many seconds, every other pair in the other order."""
    for call in (first, second) * 2:
        call()
    times: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    gc.collect()
    gc.disable()
    while len(times) < FEWEST or time.perf_counter() < end:
        if len(times) % 2 == 0:
            one, other = _again(first), _again(second)
        else:
            other, one = _again(second), _again(first)
        times.append((one, other))
    gc.enable()
    differences = sorted(one - other for one, other in times)
    middle, off = len(times) // 2, math.ceil(math.sqrt(len(times)))
    return Paired(
        statistics.median(one for one, _ in times),
        statistics.median(other for _, other in times),
        statistics.median(differences),
        (differences[middle + off] - differences[middle - off]) / 2,
    )


def _again(call: Call) -> float:
    """Microseconds of a call's second time."""
    call()
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1e3
