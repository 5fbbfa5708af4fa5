"""The weights and the data of a case: the same numbers in every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.workloads import Case, Workload

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """What a peer trains: weights [outputs, inputs], biases or None, X [batches, examples, inputs], Y [batches, examples, ...]."""

    workload: Workload
    weights: tuple[Array, ...]
    biases: tuple[Array | None, ...]
    X: Array
    Y: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights, the inputs, and the targets that are no labels."""
        return self.X.dtype

    @property
    def layers(self) -> int:
        """How many there are."""
        return len(self.weights)

    @property
    def parameters(self) -> list[Array]:
        """W1, b1, W2, b2, ...: what a run's `parameters` are compared with."""
        return [a for pair in zip(self.weights, self.biases, strict=True) for a in pair if a is not None]

    def paired(self, parameters: list[Array]) -> list[tuple[Array, Array | None]]:
        """A weight and a bias for every layer, from a list in the order of `parameters`."""
        left = iter(parameters)
        return [(next(left), None if bias is None else next(left)) for bias in self.biases]


def problem(case: Case) -> Problem:
    """The weights and the data of a case: those of float32 are those of float64, rounded."""
    rng = np.random.default_rng(0)
    work = case.workload
    weights: list[Array] = []
    biases: list[Array | None] = []
    for layer, (inputs, outputs) in enumerate(zip(work.widths, work.widths[1:], strict=False), 1):
        bound = (6 / (inputs + outputs)) ** 0.5
        weights.append(rng.uniform(-bound, bound, (outputs, inputs)).astype(case.dtype))
        last = layer == len(work.widths) - 1
        bias = rng.uniform(-0.1, 0.1, outputs).astype(case.dtype)
        biases.append(bias if last or work.hidden_bias else None)
    inputs, targets = _data(work, case.batches * case.batch, rng)
    shape = (case.batches, case.batch)
    X = inputs.reshape(*shape, -1).astype(case.dtype)
    Y = targets.reshape(shape) if work.loss == "cross_entropy" else targets.reshape(*shape, -1).astype(case.dtype)
    return Problem(work, tuple(weights), tuple(biases), X, Y)


def _data(work: Workload, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Inputs and targets: exclusive or for c, the matrix exponential for g (as in the article on SimpleChains), else random ones."""
    if work.loss == "half_squared_error":
        return np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    X: Array = rng.standard_normal((count, work.widths[0]))
    if work.loss == "squared_error":
        return X, _exponential(X)
    if work.loss == "binary_cross_entropy":
        return X, (X.sum(axis=1) > 0).astype(np.float64)
    if work.widths[0] > 64:
        np.multiply(np.abs(X), 0.3, out=X)  # about as bright as handwritten digits
    return X, rng.integers(0, work.widths[-1], count)


def _exponential(X: Array) -> Array:
    """exp of 2 x 2 matrices, each a row of four numbers.

    exp(X) = exp(m) (cosh(d) + (X - m) sinh(d) / d), where m is half of the trace and d^2 = m^2 - det X.
    """
    m = (X[:, 0] + X[:, 3]) / 2
    d = np.sqrt((m**2 - X[:, 0] * X[:, 3] + X[:, 1] * X[:, 2]).astype(np.complex128))
    cosh, sinh = (np.asarray(a, np.complex128).real for a in (np.cosh(d), np.sinh(d) / d))
    identity = np.array([1.0, 0.0, 0.0, 1.0])
    return np.exp(m)[:, None] * (cosh[:, None] * identity + sinh[:, None] * (X - m[:, None] * identity))
