"""Microseconds of a training step: the generated module against the same step written by hand in NumPy.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.step

Both train a two-layer ReLU network with softmax cross-entropy by plain gradient descent on the same random data. The module runs
whole epochs in one compiled call, as a user would; NumPy runs the loop over the batches in Python. The runs are interleaved, and
medians are shown. Before the clock starts, both must arrive at the same parameters.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import codegen
from derive import Network

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]

ROUNDS = 9
SECONDS = 0.05  # of a measured run, about
RATE = 1e-3


@dataclass(frozen=True)
class Work:
    """A network's widths, a batch size and a type."""

    widths: tuple[int, int, int]
    batch: int
    dtype: type[np.floating[Any]]

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.widths)):>10}  {self.batch:>5}  {self.dtype.__name__}"


WORKS = [
    Work(widths, batch, dtype)
    for widths, batches in (((2, 16, 2), (1, 4, 32, 256)), ((64, 64, 10), (1, 32, 256)))
    for batch in batches
    for dtype in (np.float64, np.float32)
]


def main() -> None:
    """Print the table."""
    print("   network  batch  type      module us  numpy us  ratio")
    for work in WORKS:
        ours, numpy = measured(work)
        print(f"{work}  {ours:>9.2f}  {numpy:>8.2f}  {numpy / ours:>5.1f}", flush=True)


def measured(work: Work) -> tuple[float, float]:
    """Microseconds a step of the module and of NumPy."""
    inputs, hidden, classes = work.widths
    layers = [{"kind": "dense", "units": hidden, "activation": "relu"}, {"kind": "dense", "units": classes}]
    module: Any = codegen.build(Network(name="step", inputs=inputs, loss="softmax_cross_entropy", layers=layers))
    p = module.init(0, work.dtype)
    rng = np.random.default_rng(0)
    X: Array = rng.standard_normal((max(work.batch, 1024), inputs)).astype(work.dtype)
    y: Labels = rng.integers(0, classes, len(X))
    batches = len(X) // work.batch

    def ours(epochs: int) -> list[Array]:
        trained, _ = module.train(p, X, y, epochs=epochs, batch_size=work.batch, learning_rate=RATE, shuffle=False)
        return list(trained)

    def by_hand(epochs: int) -> list[Array]:
        q = [a.copy() for a in p]
        for _ in range(epochs):
            for start in range(0, X.shape[0], work.batch):
                numpy_step(q, X[start : start + work.batch], y[start : start + work.batch])
        return q

    for mine, other in zip(ours(1), by_hand(1), strict=True):
        np.testing.assert_allclose(
            mine, other, rtol=1e-9 if work.dtype is np.float64 else 1e-3, atol=1e-12 if work.dtype is np.float64 else 1e-6
        )
    epochs = [rounds(ours), rounds(by_hand)]
    times = [[seconds(run, k) / k for run, k in zip((ours, by_hand), epochs, strict=True)] for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) / batches * 1e6 for column in zip(*times, strict=True))
    return mine, other


def numpy_step(p: list[Array], X: Array, y: Labels) -> None:
    """One step of gradient descent, in place on W1, b1, W2, b2."""
    W1, b1, W2, b2 = p
    N = X.shape[0]
    H = np.maximum(X @ W1.T + b1, 0)
    Z = H @ W2.T + b2
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    dZ = E / E.sum(axis=1, keepdims=True)
    _loss = -np.log(dZ[np.arange(N), y]).mean()
    dZ[np.arange(N), y] -= 1
    np.divide(dZ, N, out=dZ)
    dA = (dZ @ W2) * (H > 0)
    for theta, gradient in zip(p, (dA.T @ X, dA.sum(axis=0), dZ.T @ H, dZ.sum(axis=0)), strict=True):
        theta -= RATE * gradient


def rounds(run: Callable[[int], object]) -> int:
    """How many epochs a run needs to last long enough."""
    return max(1, int(SECONDS / seconds(run, 1)))


def seconds(run: Callable[[int], object], epochs: int) -> float:
    """Wall time of a run."""
    start = time.perf_counter()
    run(epochs)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
