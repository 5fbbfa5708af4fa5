"""Training a generated module on a data set, epoch by epoch, with the accuracy on the examples that are held out."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass

import numpy as np

from chainrule.data import DataSet, DType, fitted
from chainrule.module import Array, Module, Parameters, built
from chainrule.progress import Report, silent
from chainrule.specs import InputError
from derive import Network


@dataclass(frozen=True)
class Settings:
    """How to train: plain stochastic gradient descent. The defaults were chosen on a third of the digits that are not held out."""

    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 0.5
    seed: int = 0
    dtype: DType = "float64"


@dataclass(frozen=True)
class Training:
    """What came of it; `losses` and `accuracies` (held out) have one entry for each epoch, `seconds` leaves out compilation."""

    network: str
    data: str
    settings: Settings
    examples: int
    held_out: int
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    seconds: float

    @property
    def accuracy(self) -> float:
        """The share of the held-out examples that the trained network classifies rightly."""
        return self.accuracies[-1]

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.losses[-1]))

    def record(self) -> dict[str, object]:
        return {**asdict(self), "accuracy": self.accuracy, "loss": self.losses[-1]}


def train(network: Network, data: DataSet, settings: Settings, report: Report = silent) -> Training:
    """Build the network's module and train it. Raises InputError when the data does not fit the network, or a setting is wrong."""
    data = fitted(network, data)
    if not (math.isfinite(settings.learning_rate) and settings.learning_rate > 0):
        raise InputError(f"learning rate: found {settings.learning_rate}; right would be a finite number above 0")
    report(f"compiling {network.name}")
    module = built(network)
    p = module.init(settings.seed, settings.dtype)
    _epoch(module, p, data, settings, np.random.default_rng(0))  # compiles, which is not timed; p stays as it is
    random = np.random.default_rng(settings.seed)  # one stream for all epochs
    losses: list[float] = []
    accuracies: list[float] = []
    seconds = 0.0
    for epoch in range(settings.epochs):
        start = time.perf_counter()
        p, loss = _epoch(module, p, data, settings, random)
        seconds += time.perf_counter() - start
        losses.append(loss)
        accuracies.append(accuracy(module, p, data.held_out_X, data.held_out_y))
        report(f"training {network.name}: loss {losses[-1]:.4f}, accuracy {accuracies[-1]:.1%}", epoch + 1, settings.epochs)
        if not np.isfinite(loss):
            break
    return Training(network.name, data.name, settings, len(data.X), len(data.held_out_X), tuple(losses), tuple(accuracies), seconds)


def accuracy(module: Module, p: Parameters, X: Array, y: Array) -> float:
    """The share of examples whose largest output is the one of their label. X [N, ...], y [N], predictions [N, classes]."""
    return float((module.predict(p, X).argmax(axis=1) == y).mean())


def _epoch(module: Module, p: Parameters, data: DataSet, settings: Settings, random: np.random.Generator) -> tuple[Parameters, float]:
    """One pass over the examples in a random order, and its loss."""
    size, rate = settings.batch_size, settings.learning_rate
    p, losses = module.train(p, data.X, data.y, epochs=1, batch_size=size, learning_rate=rate, seed=random)
    return p, float(losses[0])
