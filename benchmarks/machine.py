"""On what and with what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "torch", "jax", "jaxlib", "pytensor", "scikit-learn")
ROOT = Path(__file__).parent.parent


def machine() -> dict[str, str]:
    """Processor, its number and caches, memory, system."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _cpuinfo("model name") or platform.processor(),
        "processors": str(os.cpu_count()),
        "vector units": ", ".join(f for f in ("avx2", "fma", "avx512f", "amx_tile") if f in _cpuinfo("flags").split()) or "unknown",
        "caches": ", ".join(_caches()) or "unknown",
        "memory": f"{size:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(ours: str = sys.executable) -> dict[str, str]:
    """Of Python and of the libraries that are installed; `ours` is the interpreter that runs chainrule, whose Numba may be another."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if ours != sys.executable:
        program = "from importlib.metadata import version as v; print(*map(v, ['numba', 'llvmlite', 'numpy']))"
        done = subprocess.run([ours, "-c", program], capture_output=True, text=True, check=True)
        for package, own in zip(("numba", "llvmlite", "numpy"), done.stdout.split(), strict=True):
            found[f"{package} of chainrule"] = own
    return found


def commit() -> str:
    """The version of this repository, with a mark when its code has been changed since; "unknown" outside of one."""
    try:
        name = _git("rev-parse", "--short=10", "HEAD")
        return name + ("+changes" if _git("status", "--porcelain", "--", "derive", "codegen", "benchmarks") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _cpuinfo(key: str) -> str:
    """A line of /proc/cpuinfo."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")


def _caches() -> list[str]:
    """The caches of the first processor."""
    found: list[str] = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return found
