"""NumPy: forward pass, backward pass and update written by hand, into arrays that are allocated once.

In float64 this is also what all others are compared with. Its formulas are the textbook's.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers import Array, Run
from benchmarks.problem import Problem

erf: Callable[..., npt.NDArray[Any]] = import_module("scipy.special").erf
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam: Kingma and Ba 2015


class ByHand:
    """See Run. Values are [examples, units]."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.rate = problem.dtype.type(problem.workload.rate)
        self.update = {"sgd": self._sgd, "adam": self._adam}[problem.workload.optimizer]
        self.activate, self.differentiate = HIDDEN[problem.workload.hidden]
        N = problem.X.shape[1]
        self.rows = np.arange(N, dtype=np.int64)
        self.Z = [np.empty((N, len(W)), problem.dtype) for W in problem.weights]
        self.H = [np.empty_like(Z) for Z in self.Z]
        self.dZ = [np.empty_like(Z) for Z in self.Z]
        self.reset()

    def reset(self) -> None:
        self.now = [a.copy() for a in self.problem.parameters]
        self.layers = self.problem.paired(self.now)
        self.gradients = [np.empty_like(a) for a in self.now]
        self.paired_gradients = self.problem.paired(self.gradients)
        self.m = [np.zeros_like(a) for a in self.now]
        self.v = [np.zeros_like(a) for a in self.now]
        self.steps = 0

    def train(self, epochs: int) -> Array:
        losses = np.empty(epochs)
        batches = list(zip(self.problem.X, self.problem.Y, strict=True))
        for epoch in range(epochs):
            total = 0.0
            for X, Y in batches:
                total += self._step(X, Y)
            losses[epoch] = total / len(batches)
        return losses

    def parameters(self) -> list[Array]:
        return self.now

    def predict(self) -> Array:
        Z = self._forward(self.problem.X[0])
        if self.problem.workload.loss == "cross_entropy":
            E = np.exp(Z - Z.max(axis=1, keepdims=True))
            return E / E.sum(axis=1, keepdims=True)
        return Z.copy() if self.problem.workload.output == "identity" else sigmoid(Z)

    def _forward(self, X: Array) -> Array:
        """The last layer's output before its activation."""
        for layer, (W, b) in enumerate(self.layers, 1):
            H = self.H[layer - 2] if layer > 1 else X
            Z = np.matmul(H, W.T, out=self.Z[layer - 1])
            if b is not None:
                np.add(Z, b, out=Z)
            if layer < len(self.layers):
                self.activate(Z, self.H[layer - 1])
        return self.Z[-1]

    def _step(self, X: Array, Y: Array) -> float:
        loss = self._loss(self._forward(X), Y, self.dZ[-1])
        for layer in range(len(self.layers) - 1, -1, -1):
            (W, _), (dW, db) = self.layers[layer], self.paired_gradients[layer]
            dZ = self.dZ[layer]
            np.matmul(dZ.T, self.H[layer - 1] if layer else X, out=dW)
            if db is not None:
                dZ.sum(axis=0, out=db)
            if layer:
                np.matmul(dZ, W, out=self.dZ[layer - 1])
                self.differentiate(self.dZ[layer - 1], self.Z[layer - 1], self.H[layer - 1])
        self.update()
        return loss

    def _loss(self, Z: Array, Y: Array, dZ: Array) -> float:
        """The loss; its derivative by Z goes into dZ."""
        kind = self.problem.workload.loss
        if kind == "cross_entropy":
            np.subtract(Z, Z.max(axis=1, keepdims=True), out=dZ)
            correct = dZ[self.rows, Y]
            np.exp(dZ, out=dZ)
            total = dZ.sum(axis=1, keepdims=True)
            np.divide(dZ, total, out=dZ)
            dZ[self.rows, Y] -= 1
            dZ /= len(Z)
            return float((np.log(total[:, 0]) - correct).mean())
        if kind == "binary_cross_entropy":
            np.subtract(sigmoid(Z), Y, out=dZ)
            dZ /= len(Z)
            return float((np.maximum(Z, 0) - Z * Y + np.log1p(np.exp(-np.abs(Z)))).mean())
        P = Z if self.problem.workload.output == "identity" else sigmoid(Z)
        np.subtract(P, Y, out=dZ)
        squares = float(np.vdot(dZ, dZ)) / Z.size
        if kind == "squared_error":
            dZ *= 2 / Z.size
            return squares
        dZ *= P * (1 - P) / len(Z)
        return squares / 2

    def _sgd(self) -> None:
        for theta, gradient in zip(self.now, self.gradients, strict=True):
            gradient *= self.rate
            theta -= gradient

    def _adam(self) -> None:
        self.steps += 1
        rate, root = self.rate / (1 - BETA1**self.steps), sqrt(1 - BETA2**self.steps)
        for theta, gradient, m, v in zip(self.now, self.gradients, self.m, self.v, strict=True):
            m *= BETA1
            m += (1 - BETA1) * gradient
            v *= BETA2
            v += (1 - BETA2) * gradient**2
            theta -= rate * m / (np.sqrt(v) / root + EPSILON)


def sigmoid(Z: Array) -> Array:
    """1 / (1 + exp(-Z)), which is (1 + tanh(Z / 2)) / 2: NumPy's tanh is fast and does not overflow."""
    P = np.tanh(Z / 2)
    np.add(P, 1, out=P)
    return np.divide(P, 2, out=P)


def _relu(Z: Array, H: Array) -> None:
    np.maximum(Z, 0, out=H)


def _relu_backward(dH: Array, _Z: Array, H: Array) -> None:
    dH *= H > 0


def _tanh(Z: Array, H: Array) -> None:
    np.tanh(Z, out=H)


def _tanh_backward(dH: Array, _Z: Array, H: Array) -> None:
    dH *= 1 - H * H


def _sigmoid(Z: Array, H: Array) -> None:
    H[:] = sigmoid(Z)


def _sigmoid_backward(dH: Array, _Z: Array, H: Array) -> None:
    dH *= H * (1 - H)


def _gelu(Z: Array, H: Array) -> None:
    erf(np.divide(Z, sqrt(2), out=H), out=H)
    np.add(H, 1, out=H)
    np.multiply(H, Z, out=H)
    np.divide(H, 2, out=H)


def _gelu_backward(dH: Array, Z: Array, _H: Array) -> None:
    dH *= (1 + erf(Z / sqrt(2))) / 2 + Z * np.exp(Z * Z / -2) / sqrt(2 * pi)


Forward = Callable[[Array, Array], None]
Backward = Callable[[Array, Array, Array], None]
HIDDEN: dict[str, tuple[Forward, Backward]] = {
    "relu": (_relu, _relu_backward),
    "tanh": (_tanh, _tanh_backward),
    "sigmoid": (_sigmoid, _sigmoid_backward),
    "gelu": (_gelu, _gelu_backward),
}
RUNS: dict[str, Callable[[Problem], Run]] = {"numpy": ByHand}
