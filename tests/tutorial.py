"""The numeric tutorial's two networks in plain NumPy, as its own programs compute them: the other side of the comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# The tutorial's example: 2-1-1, sigmoids, half the squared error.
EXAMPLE: dict[str, Array] = {
    "X": np.array([[0.5], [0.8]]),
    "Y": np.array([[1.0]]),
    "W1": np.array([[0.4, 0.6]]),
    "b1": np.array([0.1]),
    "W2": np.array([[0.9]]),
    "b2": np.array([0.1]),
}
RATE = 0.5


def sigma(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def gradients(given: dict[str, Array]) -> dict[str, Array]:
    """Forward and backward pass of a 2-layer network of sigmoids, one column an example, as the tutorial's program writes them."""
    x, y, w1, b1, w2, b2 = (given[name] for name in ("X", "Y", "W1", "b1", "W2", "b2"))
    a1 = w1 @ x + b1[:, None]
    h1 = sigma(a1)
    z = w2 @ h1 + b2[:, None]
    yhat = sigma(z)
    dz = (yhat - y) * yhat * (1 - yhat) / x.shape[1]
    da1 = w2.T @ dz * h1 * (1 - h1)
    forward = {"A1": a1, "H1": h1, "Z": z, "Yhat": yhat, "L": np.asarray(np.mean(0.5 * (yhat - y) ** 2), dtype=np.float64)}
    errors = {"dZ": dz, "dH1": w2.T @ dz, "dA1": da1}
    return {**forward, **errors, "dW2": dz @ h1.T, "db2": dz.sum(axis=1), "dW1": da1 @ x.T, "db1": da1.sum(axis=1)}


@dataclass(frozen=True)
class Run:
    """A training run: the loss of every epoch before its update, and the predictions of the last epoch."""

    losses: list[float]
    predictions: Array


def xor_data() -> tuple[Array, Array]:
    return np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float), np.array([[0.0], [1], [1], [0]])


def xor_start() -> dict[str, Array]:
    """The initial weights of the text's program: its generator, its seed, its order."""
    generator = np.random.RandomState(42)
    w1 = generator.randn(4, 2) * 0.5
    return {"W1": w1, "b1": np.zeros(4), "W2": generator.randn(1, 4) * 0.5, "b2": np.zeros(1)}


def xor_run() -> Run:
    """Section 09 of the tutorial: full batch, learning rate 2, 5000 epochs."""
    x, y = xor_data()
    given, losses, found = {"X": x.T, "Y": y.T, **xor_start()}, list[float](), dict[str, Array]()
    for _ in range(5000):
        found = gradients(given)
        losses.append(float(found["L"]))
        for name in ("W1", "b1", "W2", "b2"):
            given[name] = given[name] - 2 * found["d" + name]
    return Run(losses, found["Yhat"].ravel())
