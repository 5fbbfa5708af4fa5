"""How often compiled code takes memory, counted by Numba's runtime, through which all of it goes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def allocations(call: Callable[[], object]) -> int:
    """How often a call takes memory for arrays or for what Numba keeps beside them."""
    runtime: Any = importlib.import_module("numba.core.runtime")
    runtime._nrt_python.memsys_enable_stats()
    before = runtime.rtsys.get_allocation_stats().alloc
    call()
    return runtime.rtsys.get_allocation_stats().alloc - before


def allocates_in_its_loop(module: Any, p: Any, X: Any, y: Any, batch_size: int, **options: Any) -> bool:
    """Whether `train` takes more memory for many epochs than for one."""

    def train(epochs: int) -> object:
        return module.train(p, X, y, epochs=epochs, batch_size=batch_size, learning_rate=1e-3, **options)

    train(1)  # compiles
    return allocations(lambda: train(1)) != allocations(lambda: train(50))
