"""PyTensor: the step as one function compiled by Numba; weights, data and the number of the batch are shared variables."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers import Array, Run, mean_losses
from benchmarks.problem import Problem

pytensor: Any = import_module("pytensor")
pt: Any = import_module("pytensor.tensor")
special: Any = import_module("pytensor.tensor.special")

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
HIDDEN: dict[str, Callable[[Any], Any]] = {
    "relu": lambda Z: pt.maximum(Z, 0),
    "tanh": pt.tanh,
    "sigmoid": pt.sigmoid,
}


class PyTensor:
    """See Run."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.real = problem.dtype.type
        self.now: list[Any] = [pytensor.shared(a.copy(), shape=a.shape) for a in problem.parameters]
        self.next: Any = pytensor.shared(np.int64(0))
        X, Y = (pytensor.shared(a, shape=a.shape) for a in (problem.X, problem.Y))
        batches = len(problem.X)
        loss = self._loss(self._logits(X[self.next]), Y[self.next])
        updates, self.moments = self._updates(pytensor.grad(loss, self.now))
        step = pytensor.function([], loss, updates=[*updates, (self.next, (self.next + 1) % batches)], mode="NUMBA")
        forward = pytensor.function([], self._prediction(self._logits(X[0])), mode="NUMBA")
        self.step, self.forward = step, forward

    def reset(self) -> None:
        for shared, start in zip(self.now, self.problem.parameters, strict=True):
            shared.set_value(start)
        for moment in self.moments:
            moment.set_value(np.zeros_like(moment.get_value()))
        self.next.set_value(np.int64(0))

    def train(self, epochs: int) -> Array:
        return mean_losses(np.array([self.step() for _ in range(epochs * len(self.problem.X))]), epochs)

    def parameters(self) -> list[Array]:
        return [a.get_value() for a in self.now]

    def predict(self) -> Array:
        return np.asarray(self.forward())

    def _logits(self, X: Any) -> Any:
        *hidden, (W, b) = self.problem.paired(self.now)
        values = X
        for layer in hidden:
            values = self._hidden(_affine(values, *layer))
        return _affine(values, W, b)

    def _hidden(self, Z: Any) -> Any:
        kind = self.problem.workload.hidden
        if kind == "gelu":
            return Z * (1 + pt.erf(Z * self.real(0.5**0.5))) * self.real(0.5)
        return HIDDEN[kind](Z)

    def _prediction(self, Z: Any) -> Any:
        if self.problem.workload.loss == "cross_entropy":
            return special.softmax(Z, axis=1)
        return Z if self.problem.workload.output == "identity" else pt.sigmoid(Z)

    def _loss(self, Z: Any, Y: Any) -> Any:
        kind = self.problem.workload.loss
        if kind == "cross_entropy":
            total = special.log_softmax(Z, axis=1)[np.arange(self.problem.X.shape[1]), Y].sum()
            return -total / self.real(self.problem.X.shape[1])
        if kind == "binary_cross_entropy":
            return (pt.softplus(Z) - Z * Y).sum() / self.real(self.problem.X.shape[1])
        squares = pt.sqr(self._prediction(Z) - Y).sum() / self.real(self.problem.Y[0].size)
        return squares * self.real(0.5) if kind == "half_squared_error" else squares

    def _updates(self, gradients: list[Any]) -> tuple[list[Any], list[Any]]:
        """The updates of the parameters and of what the optimiser remembers, and the latter's shared variables."""
        rate = self.real(self.problem.workload.rate)
        if self.problem.workload.optimizer == "sgd":
            return [(a, a - rate * g) for a, g in zip(self.now, gradients, strict=True)], []
        steps = pytensor.shared(np.zeros((), self.real))
        t = steps + self.real(1)
        scale, root = rate / (1 - self.real(BETA1) ** t), pt.sqrt(1 - self.real(BETA2) ** t)
        updates: list[Any] = [(steps, t)]
        moments: list[Any] = [steps]
        for a, g in zip(self.now, gradients, strict=True):
            m, v = (pytensor.shared(np.zeros_like(a.get_value()), shape=a.type.shape) for _ in range(2))
            new_m = self.real(BETA1) * m + self.real(1 - BETA1) * g
            new_v = self.real(BETA2) * v + self.real(1 - BETA2) * pt.sqr(g)
            updates += [(m, new_m), (v, new_v), (a, a - scale * new_m / (pt.sqrt(new_v) / root + self.real(EPSILON)))]
            moments += [m, v]
        return updates, moments


def _affine(X: Any, W: Any, b: Any) -> Any:
    """X W^T + b, or without b."""
    return X @ W.T if b is None else X @ W.T + b


RUNS: dict[str, Callable[[Problem], Run]] = {"pytensor": PyTensor}
