"""Measures, and writes docs/performance.md, its plot, and the figures as JSON beside them.

    python -m benchmarks                                            # everything, half an hour to an hour on an idle machine
    python -m benchmarks --quick                                    # a few cases, roughly: build/performance.md
    python -m benchmarks --only a,b --batches 4,32 --peers numpy,jax --threads 1 --parts steady

Figures are saved as they come in; a run of a part replaces the rows that it measures and leaves the others.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import machine, report, workloads
from benchmarks.peers import PEERS
from benchmarks.process import ROOT
from benchmarks.results import Results, read, resumed
from benchmarks.session import Chosen, Session

PARTS = ("limits", "calls", "steady", "starts", "made")
QUICK = {"only": ["a", "d", "f-tanh"], "batches": [4, 32], "parts": ["limits", "calls", "steady"]}  # what is not chosen otherwise


def main() -> None:
    """Parse the command line, measure, write."""
    options = _options()
    output = options.output or (ROOT / "build" if options.quick else ROOT / "docs") / "performance.md"
    if options.quick:
        for name, value in QUICK.items():
            setattr(options, name, getattr(options, name) or value)
    chosen = Chosen(
        options.only, options.batches, options.types, options.threads, options.peers, options.parts or PARTS, options.quick, options.ours
    )
    figures = output.with_suffix(".json")
    if options.report:
        report.write(read(figures.read_text(encoding="utf-8")), output)
        return
    results = resumed(figures, machine.machine(), machine.versions(options.ours))
    try:
        _measure(chosen, results, figures)
    finally:  # what was measured before an interruption is shown too
        report.write(results, output)
        print(f"written: {output}", file=sys.stderr)


def _measure(chosen: Chosen, results: Results, figures: Path) -> None:
    caches = ROOT / "build" / "benchmarks"
    caches.mkdir(parents=True, exist_ok=True)
    with (caches / "log.txt").open("w", encoding="utf-8") as log:
        Session(chosen, results, figures, caches, machine.commit(), log).run()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    names = ", ".join(w.name for w in workloads.WORKLOADS)
    parser.add_argument("--only", type=_texts, default=[], help=f"workloads: {names}, or f for both")
    parser.add_argument("--batches", type=_counts, default=[], help="batch sizes")
    parser.add_argument("--types", type=_texts, default=list(workloads.TYPES), help="float64, float32")
    parser.add_argument("--threads", type=_counts, default=[1, 2], help="numbers of threads")
    parser.add_argument("--peers", type=_texts, default=[], help=f"{', '.join(p.name for p in PEERS[1:])}, or jax, torch for all of theirs")
    parser.add_argument("--parts", type=_texts, default=[], help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="fewer cases, fewer and shorter runs")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report from the figures that there are")
    parser.add_argument("--output", type=Path, help="the report (docs/performance.md; with --quick build/performance.md)")
    own = ROOT / ".venv" / "bin" / "python"
    parser.add_argument(
        "--ours", default=str(own) if own.is_file() else sys.executable, help="the interpreter that runs chainrule (.venv's)"
    )
    return parser.parse_args()


def _texts(text: str) -> list[str]:
    return text.split(",")


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
