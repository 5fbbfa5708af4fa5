"""The figures as a document."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers import OURS
from benchmarks.results import Results, Row


def line(row: Row) -> str:
    """A row in a line, the fastest first."""
    times = sorted(row.micros.items(), key=lambda item: item[1])
    ratio = row.ratio()
    return f"{row.what:>7}: {'' if ratio is None else f'{ratio:.2f} x; '}" + ", ".join(f"{name} {number(t)}" for name, t in times)


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def write(results: Results, path: Path) -> None:
    """Write the document."""
    path.write_text("\n".join(line(row) for row in results.of(Row)) + "\n", encoding="utf-8")


__all__ = ["OURS", "line", "number", "write"]
