"""Measures, and writes docs/performance.md, its plot, and the figures as JSON beside them.

    python -m benchmarks                                            # everything, about 15 minutes on an idle machine
    python -m benchmarks --quick                                    # everything, roughly: build/performance.md
    python -m benchmarks --only a,b --batches 4,32 --peers numpy,jax --threads 1

Figures are saved as they come in; a run of a part replaces the rows that it measures and leaves the others.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import environment, machine, report, results, timing, workloads
from benchmarks.peers import OURS, PEERS, installed
from benchmarks.process import ROOT, Process


def main() -> None:
    """Parse the command line, measure, write."""
    chosen = _arguments()
    output = chosen.output or (ROOT / "build" if chosen.quick else ROOT / "docs") / "performance.md"
    figures = output.with_suffix(".json")
    found = results.resumed(figures, machine.machine(), machine.versions())
    if not chosen.report:
        caches = ROOT / "build" / "benchmarks"
        caches.mkdir(parents=True, exist_ok=True)
        _steady(chosen, found, figures, caches)
    report.write(found, output)
    tell(f"written: {output}")


def _steady(chosen: argparse.Namespace, found: results.Results, figures: Path, caches: Path) -> None:
    """The times of all chosen cases."""
    names = [p.name for p in PEERS if p.name == OURS or not chosen.peers or p.name in chosen.peers or p.name.split("_")[0] in chosen.peers]
    for peer in [p for p in PEERS if p.name in names and not installed(p)]:
        tell(f"{peer.name} is left out: {peer.needs} is not installed")
        names.remove(peer.name)
    effort = timing.QUICK if chosen.quick else timing.FULL
    commit = machine.commit()
    begun = time.monotonic()
    with (caches / "log.txt").open("w") as log:
        for threads in chosen.threads:
            variables = environment.of_threads(threads, caches)
            processes = timing.processes(names, lambda v=variables: Process(v, log))
            bench = timing.Bench(processes, effort, commit, tell)
            try:
                for case in workloads.cases(threads, chosen.only, chosen.batches, chosen.types):
                    tell(f"{time.monotonic() - begun:5.0f} s  {case}")
                    for row in bench.rows(case):
                        found.add(row)
                        found.save(figures)
                        tell(f"         {report.line(row)}")
            finally:
                for process in processes.values():
                    process.stop()


def tell(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    names = ", ".join(w.name for w in workloads.WORKLOADS)
    parser.add_argument("--only", type=_texts, default=[], help=f"workloads: {names}, or f for both")
    parser.add_argument("--batches", type=_counts, default=[], help="batch sizes")
    parser.add_argument("--types", type=_texts, default=list(workloads.TYPES), help="float64, float32")
    parser.add_argument("--threads", type=_counts, default=[1, 2], help="numbers of threads")
    parser.add_argument("--peers", type=_texts, default=[], help=f"{', '.join(p.name for p in PEERS[1:])}, or jax, torch for all of theirs")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report from the figures that there are")
    parser.add_argument("--output", type=Path, help="the report (docs/performance.md; with --quick build/performance.md)")
    return parser.parse_args()


def _texts(text: str) -> list[str]:
    return text.split(",")


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
