"""How many threads a process has: libraries read it from environment variables when they are imported, and the processors are pinned."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")


def of_threads(count: int, caches: Path) -> dict[str, str]:
    """The environment of a process with some threads, whose libraries keep what they compile below a folder."""
    flags = f"--xla_cpu_multi_thread_eigen={'true' if count > 1 else 'false'} intra_op_parallelism_threads={count}"
    return {
        **os.environ,
        **dict.fromkeys(VARIABLES, str(count)),
        "BENCHMARK_THREADS": str(count),
        "XLA_FLAGS": flags,
        "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(caches),
        "TORCHINDUCTOR_CACHE_DIR": str(caches / "torch"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "PYTHONHASHSEED": "0",
    }


def threads() -> int:
    """How many this process may use."""
    return int(os.environ.get("BENCHMARK_THREADS", "1"))


def processors() -> list[int]:
    """Those that this process was allowed to use when it was imported."""
    return ALLOWED


def pin(count: int | None) -> None:
    """Allow all threads of this process so many processors, or all (None)."""
    chosen = ALLOWED[:count]
    for thread in Path("/proc/self/task").iterdir() if hasattr(os, "sched_setaffinity") else ():
        os.sched_setaffinity(int(thread.name), chosen)


ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
