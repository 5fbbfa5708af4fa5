"""A module's compiled kernels, called alone, with the arguments that the public function gives them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
ROUNDS = 15


def kernel(module: ModuleType, name: str, call: Callable[[], object]) -> Callable[[], object]:
    """The kernel of a name as a call without arguments, with the arguments of the last time that `call` called it.

    Raises RuntimeError when `call` does not.
    """
    compiled: Any = getattr(module, name)
    seen: list[tuple[Any, ...]] = []

    def noting(*arguments: Any) -> Any:
        seen.append(arguments)
        return compiled(*arguments)

    setattr(module, name, noting)
    try:
        call()
    finally:
        setattr(module, name, compiled)
    if not seen:
        raise RuntimeError(f"{module.__name__} has not called {name}")
    arguments = seen[-1]
    return lambda: compiled(*arguments)


def medians(calls: list[Callable[[], object]], seconds: float = 0.005) -> list[float]:
    """Microseconds of each call: the medians of rounds in which they take turns, each round of a call about so many seconds long."""
    counts = [max(1, round(seconds / max(min(_seconds(call, 1), _seconds(call, 1)), 1e-7))) for call in calls]
    columns: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, count, column in zip(calls, counts, columns, strict=True):
            column.append(_seconds(call, count) / count)
    return [statistics.median(column) * 1e6 for column in columns]


def _seconds(call: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start
