"""The ratios as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.results import Row
from benchmarks.workloads import TYPES

COLOURS = {"float64": "#0b5394", "float32": "#e69138"}
MARKERS = {"float64": "o", "float32": "s"}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Two panels, against the best peer and against PyTorch's best, a point for each case; the same rows give the same file.

    Raises ImportError without matplotlib.
    """
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "chainrule", "svg.fonttype": "none", "font.size": 8})
    pyplot: Any = import_module("matplotlib.pyplot")
    names = list(dict.fromkeys(f"{row.workload}  {row.batch}" for row in rows))
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 0.8 + 0.2 * len(names)), sharey=True, layout="constrained")
    for panel, (title, family) in zip(axes, (("the best peer", None), ("PyTorch's best", "PyTorch")), strict=True):
        for dtype in TYPES:
            points = [
                (ratio, names.index(f"{row.workload}  {row.batch}"))
                for row in rows
                if row.dtype == dtype and (ratio := row.ratio(family)) is not None
            ]
            if points:
                panel.scatter(*zip(*points, strict=True), s=16, marker=MARKERS[dtype], color=COLOURS[dtype], label=dtype)
        panel.axvline(1, color="black", linewidth=0.8)
        panel.set_xscale("log")
        panel.set_xlabel(f"time of {title} / time of chainrule")
        panel.grid(alpha=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylabel("workload, batch")
    axes[0].invert_yaxis()
    axes[1].legend()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
