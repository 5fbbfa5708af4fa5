"""chainrule: the generated module's `train` and `predict`, called as a user calls them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import codegen
from benchmarks.peers import OURS, Array, Run
from benchmarks.problem import Problem
from benchmarks.spec import network


class Module:
    """See Run. module: the workload's module, if it has been built already."""

    def __init__(self, problem: Problem, module: ModuleType | None = None) -> None:
        self.module: Any = module or codegen.build(network(problem.workload))
        optimizer = {"sgd": self.module.SGD, "adam": self.module.Adam}[problem.workload.optimizer]()
        self.start: Any = self.module.init(dtype=problem.dtype)  # views of one vector, as `train` gives them too
        for array, values in zip(self.start, problem.parameters, strict=True):
            array[...] = values
        self.now = self.start
        self.X = problem.X.reshape(-1, problem.X.shape[-1])
        self.Y = problem.Y.reshape(len(self.X), *problem.Y.shape[2:])
        self.batch = problem.X.shape[1]
        self.options = {"batch_size": self.batch, "learning_rate": problem.workload.rate, "shuffle": False, "optimizer": optimizer}
        self.first = problem.X[0]

    def reset(self) -> None:
        self.now = self.start

    def train(self, epochs: int) -> Array:
        self.now, losses = self.module.train(self.start, self.X, self.Y, epochs=epochs, **self.options)
        return losses

    def parameters(self) -> list[Array]:
        return list(self.now)

    def predict(self) -> Array:
        return self.module.predict(self.now, self.first)


RUNS: dict[str, Callable[[Problem], Run]] = {OURS: Module}
