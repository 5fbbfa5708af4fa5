"""What rounding takes from equations that are evaluated as they stand: of x - tanh(x) of small numbers, most digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.evaluate import evaluate
from derive.program import Program

Values = Mapping[str, npt.NDArray[Any]]

NEAR = 4  # points that are looked at: at one alone, what is lost in one place may make up for what is lost in another
TIMES = 10  # what is lost there, another way of computing the same may lose
APART = 2.0**-20  # between one and the next, relative; inwards, so that probabilities and their logarithms remain what they are


def allowed(program: Program, given: Values, names: Sequence[str]) -> float:
    """How far entries of some tensors may be from their plain evaluation in float64 because that has lost digits.

    The measure is its largest difference from the same in longer numbers, the longest of the machine: 0 where it has none but float64, and
    where the difference is no finite number.
    """
    worst = 0.0
    for k in range(NEAR):
        near = {name: a * (1 - k * APART) if a.dtype.kind == "f" else a for name, a in given.items()}
        short, long = evaluate(program, near), evaluate(program, longer(near))
        worst = max([worst, *(float(np.abs(short[name] - long[name]).max()) for name in names)])
    return TIMES * worst if np.isfinite(worst) else 0.0


def longer(given: Values) -> dict[str, npt.NDArray[Any]]:
    """The values in the longest floating point numbers of the machine."""
    return {name: a.astype(np.longdouble) if a.dtype.kind == "f" else a for name, a in given.items()}
