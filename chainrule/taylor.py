"""The order of a Taylor remainder: how |L(h) - L(0) - h L'(0)| shrinks with h. A right gradient gives 2, a wrong one 1.

One number for a tolerance says nothing about a gradient that is slightly wrong; the order does. (Firedrake's and loopy's tests
of adjoints ask the same question.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

STEPS = tuple(2.0**-k for k in range(6, 41))  # large steps would show the third order too
WINDOW = 5  # neighbouring steps that the order is fitted to
CLEAR = 3000  # roundings of the loss: a smaller remainder is not told apart from them
EXACT = 100 * float(np.finfo(np.float64).eps)  # of the gradient's size: its own roundings


@dataclass(frozen=True)
class Remainder:
    """The fitted order, and the largest step of the fit; no order where the remainder is nothing but rounding."""

    order: float | None
    reach: float


def remainder(
    loss: Callable[[float], float | np.longdouble], slope: float, real: type[np.floating[Any]] = np.float64, scale: float = 0.0
) -> Remainder:
    """Fit the order along a line: `loss(h)` is the loss at distance h, computed in the type `real`, `slope` its claimed derivative at 0.

    scale: the size of the gradient that the slope is of, whose roundings say nothing: those of a gradient that is 0 may be all there is.

    The fit takes the smallest steps whose remainders stand out from rounding, so that no higher order mixes in.
    """
    clear = CLEAR * float(np.finfo(real).eps)
    start = loss(0.0)
    found: list[tuple[float, float]] = []
    best: list[tuple[float, float]] = []
    for step in STEPS:
        value = loss(step)
        size = float(abs(value - start - step * slope))
        if not math.isfinite(size):
            return Remainder(math.nan, step)
        if size <= max(clear * float(max(abs(start), abs(value))), EXACT * scale * step):
            break
        found.append((step, size))
        best = found[-WINDOW:]
    if len(best) < WINDOW:
        return Remainder(None, STEPS[0])
    logs = np.log(np.array(best, dtype=np.float64))
    return Remainder(float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]), best[0][0])
