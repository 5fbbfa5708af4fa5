"""docs/performance.md from the figures: the prose stands in `performance.md.j2`, the tables come from `tables`."""

from __future__ import annotations

import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks import plot, tables
from benchmarks.results import Results, Row, commits

FOLDER = Path(__file__).parent


def text(results: Results, picture: str | None, figures: str = "performance.json") -> str:
    """The document; the same figures give the same text. picture: the plot's file name, if there is one; figures: that of the figures."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    counts = sorted({row.threads for row in results.of(Row)})
    return environment.get_template("performance.md.j2").render(
        tables=tables, results=results, counts=counts, picture=picture, figures=figures, commits=commits(results)
    )


def write(results: Results, path: Path) -> None:
    """Write the document and its plot."""
    picture = path.with_suffix(".svg")
    steps = tables.rows(results, "step", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        plot.draw(steps, picture)
    except ImportError:
        print("no plot: matplotlib is not installed", file=sys.stderr)
    path.write_text(text(results, picture.name if steps and picture.is_file() else None, path.with_suffix(".json").name), encoding="utf-8")
