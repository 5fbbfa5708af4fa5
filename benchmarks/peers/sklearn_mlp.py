"""scikit-learn: MLPClassifier, whose loss for three classes or more is softmax cross-entropy.

For two classes it has one logistic output, MLPRegressor's output is the identity under half the squared error, and there is no GELU and no
layer without a bias: these networks do not fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers import Array, DoesNotFit, Run
from benchmarks.problem import Problem

mlp: Any = import_module("sklearn.neural_network")
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


class Classifier:
    """See Run. An epoch is a call of `partial_fit`; weights are [inputs, outputs]."""

    def __init__(self, problem: Problem) -> None:
        work = problem.workload
        if work.loss != "cross_entropy" or work.widths[-1] < 3:
            raise DoesNotFit("no such loss")
        if work.hidden not in ACTIVATIONS or None in [b if b is None else 0 for b in problem.biases] or work.optimizer != "sgd":
            raise DoesNotFit("no such network")
        warnings.filterwarnings("ignore", module="sklearn")
        self.problem = problem
        self.X = problem.X.reshape(-1, problem.X.shape[-1])
        self.Y = problem.Y.ravel()
        self.model: Any = mlp.MLPClassifier(
            work.widths[1:-1],
            activation=ACTIVATIONS[work.hidden],
            solver="sgd",
            alpha=0.0,
            momentum=0.0,
            learning_rate_init=work.rate,
            batch_size=problem.X.shape[1],
            shuffle=False,
        )
        self.model.partial_fit(self.X, self.Y, classes=np.arange(work.widths[-1]))

    def reset(self) -> None:
        for k, (W, b) in enumerate(zip(self.problem.weights, self.problem.biases, strict=True)):
            self.model.coefs_[k][:] = W.T
            self.model.intercepts_[k][:] = b

    def train(self, epochs: int) -> Array:
        losses = np.empty(epochs)
        for epoch in range(epochs):
            self.model.partial_fit(self.X, self.Y)
            losses[epoch] = self.model.loss_
        return losses

    def parameters(self) -> list[Array]:
        return [a for pair in zip(self.model.coefs_, self.model.intercepts_, strict=True) for a in (pair[0].T, pair[1])]

    def predict(self) -> Array:
        return self.model.predict_proba(self.problem.X[0])


RUNS: dict[str, Callable[[Problem], Run]] = {"sklearn": Classifier}
