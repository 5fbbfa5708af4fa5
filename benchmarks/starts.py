"""Cold and warm starts: the first step of a peer in a fresh process, first with empty caches, then with what that left there."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import environment
from benchmarks.peers import OURS, DoesNotFit
from benchmarks.process import ROOT, Failed
from benchmarks.results import Start
from benchmarks.workloads import Case

WARM = 3  # starts with a full cache, of which the median counts
PATIENCE = 240.0  # seconds


def starts(case: Case, peer: str, python: str, commit: str) -> Iterator[Start]:
    """A cold and a warm one. Raises DoesNotFit and Failed."""
    with tempfile.TemporaryDirectory() as folder:
        for warm in (False, True):
            found = [_parts(case, peer, python, Path(folder)) for _ in range(WARM if warm else 1)]
            parts = sorted(found, key=lambda p: sum(p.values()))[len(found) // 2]
            seconds = statistics.median(sum(p.values()) for p in found)
            yield Start(case.workload.name, peer, warm, seconds, parts, commit)


def _parts(case: Case, peer: str, python: str, caches: Path) -> dict[str, float]:
    command = [python, "-m", "benchmarks.first", peer, case.workload.name, str(case.batch), case.dtype]
    return json.loads(output(command, environment.of_threads(case.threads, caches)))


def output(command: list[str], variables: dict[str, str]) -> str:
    """What a program prints. Raises DoesNotFit and Failed."""
    try:
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True, timeout=PATIENCE)
        return done.stdout
    except subprocess.TimeoutExpired:
        raise Failed(f"no answer within {PATIENCE:.0f} s") from None
    except subprocess.CalledProcessError as error:
        last = (str(error.stderr).strip().splitlines() or ["no reason given"])[-1]
        raise (DoesNotFit if DoesNotFit.__name__ in last else Failed)(last) from None


def python_of(peer: str, ours: str) -> str:
    """The interpreter that runs a peer."""
    return ours if peer == OURS else sys.executable
