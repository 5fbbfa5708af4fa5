"""The first step of a peer in a fresh process: prints what it took, as JSON, in seconds.

They are counted from the moment when Python, NumPy and the data are there.

python -m benchmarks.first PEER WORKLOAD BATCH DTYPE
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from importlib import import_module

from benchmarks import peers
from benchmarks.problem import Problem, problem
from benchmarks.workloads import Case, workload


def main() -> None:
    """What libraries print goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    peer, name, batch, dtype = sys.argv[1:]
    data = problem(Case(workload(name), int(batch), dtype, 1))
    data = replace(data, X=data.X[:1], Y=data.Y[:1])
    parts = _ours(data) if peer == peers.OURS else _theirs(peer, data)
    os.write(answers, json.dumps(parts).encode())


def _theirs(peer: str, data: Problem) -> dict[str, float]:
    clock = Clock()
    peers.library(peer)
    clock.lap("imports")
    run = peers.start(peer, data)
    run.reset()
    run.train(1)
    clock.lap("first step")
    return clock.parts


def _ours(data: Problem) -> dict[str, float]:
    """The parts of what `codegen.build` does, and a step."""
    clock = Clock()
    import_module("numba")
    clock.lap("import numba")
    from benchmarks.peers.module import Module
    from benchmarks.spec import network
    from codegen import render
    from codegen.cache import load_module
    from derive import differentiate

    clock.lap("import chainrule")
    spec = network(data.workload)
    text = render(differentiate(spec.program()), spec)
    clock.lap("generate")
    Module(data, load_module(spec.name, text)).train(1)
    clock.lap("first step")
    return clock.parts


class Clock:
    """Seconds since it was made, in parts."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.parts: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """The time since the last lap belongs to this part."""
        now = time.perf_counter()
        self.parts[name] = now - self.last
        self.last = now


if __name__ == "__main__":
    main()
