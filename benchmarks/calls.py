"""What it costs to call `gradients` from Python: its checks and its arrays, over the kernel that it calls."""

from __future__ import annotations

from typing import Any

import codegen
from benchmarks.kernels import kernel
from benchmarks.pairs import Paired, paired
from benchmarks.problem import problem
from benchmarks.spec import network
from benchmarks.workloads import Case

SECONDS = 2.0


def gradients(case: Case) -> Paired:
    """`gradients` and the kernel alone, called from Python too, for the first batch, with parameters as `init` and `train` give them."""
    module: Any = codegen.build(network(case.workload))
    data = problem(case)
    p, _ = module.train(data.parameters, data.X[0], data.Y[0], epochs=1, batch_size=case.batch, learning_rate=1e-3)

    def public() -> None:
        module.gradients(p, data.X[0], data.Y[0])

    return paired(public, kernel(module, "_gradients", public), SECONDS)
