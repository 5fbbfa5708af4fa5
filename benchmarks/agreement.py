"""Whether a peer computes what it is meant to: nothing is timed that does not.

What training has changed is compared, not where it arrived: a wrong gradient hardly shows in parameters that have hardly moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers import Run

Array = npt.NDArray[Any]
TOLERANCE = {"float64": 1e-9, "float32": 2e-3}  # of |difference| / |change|, norms of each array


@dataclass(frozen=True)
class Answer:
    """What training came to: the mean loss of each epoch, the prediction for the first batch, and the parameters."""

    losses: Array
    prediction: Array
    parameters: Sequence[Array]


def answer(run: Run, epochs: int) -> Answer:
    """A run's answer after some epochs from the start."""
    run.reset()
    losses = run.train(epochs)
    return Answer(losses, run.predict(), [a.copy() for a in run.parameters()])


def stored(file: str) -> Answer:
    """An answer that a child has written."""
    with np.load(file) as arrays:
        count = sum(name.startswith("p") and name[1:].isdigit() for name in arrays.files)
        return Answer(arrays["losses"], arrays["prediction"], [arrays[f"p{k}"] for k in range(count)])


def epochs(batches: int) -> int:
    """How many to compare after: a few steps at least."""
    return 2 if batches > 2 else 5


def disagreement(start: Sequence[Array], right: Answer, found: Answer, dtype: str) -> str | None:
    """What is wrong with an answer, or None. `start` holds the parameters before training, `right` the answer in float64."""
    tolerance = TOLERANCE[dtype]
    if len(found.parameters) != len(start):
        return f"{len(found.parameters)} arrays of parameters instead of {len(start)}"
    triples = enumerate(zip(start, right.parameters, found.parameters, strict=True))
    pairs = [(f"parameters {k}", after, theirs, after - before) for k, (before, after, theirs) in triples]
    pairs += [
        ("the losses", right.losses, found.losses, right.losses),
        ("the prediction", right.prediction, found.prediction, right.prediction),
    ]
    for name, expected, given, scale in pairs:
        if expected.shape != given.shape:
            return f"{name} have shape {given.shape} instead of {expected.shape}"
        if not np.any(scale):
            return f"{name}: nothing has changed, so nothing can be compared"
        error = float(np.linalg.norm(given.astype(np.float64) - expected) / np.linalg.norm(scale))
        if not error <= tolerance:
            return f"{name} differ by {error:.1e}, where {tolerance:.0e} is allowed"
    return None
