"""What it costs to call `gradients` from Python: its checks and its arrays, over the kernel that it calls."""

from __future__ import annotations

from typing import Any

import codegen
from benchmarks.kernels import kernel, medians
from benchmarks.problem import problem
from benchmarks.spec import network
from benchmarks.workloads import Case


def gradients(case: Case) -> tuple[float, float]:
    """Microseconds of `gradients` and of the kernel alone, called from Python too, for the first batch."""
    module: Any = codegen.build(network(case.workload))
    data = problem(case)
    p = module.Parameters(*data.parameters)

    def public() -> object:
        return module.gradients(p, data.X[0], data.Y[0])

    public_time, kernel_time = medians([public, kernel(module, "_gradients", public)])
    return public_time, kernel_time
