"""How long it takes to generate the modules of the shipped networks, to compile them, and to load what is compiled already."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import environment
from benchmarks.process import ROOT
from benchmarks.results import Made
from benchmarks.starts import WARM, output

NETWORKS = tuple(sorted(path.stem for path in (ROOT / "networks").glob("*.toml")))
DEPTHS = (25, 50, 100, 200)  # layers
CALLS = ("import", "train", "gradients", "predict")  # what is slow with empty caches
COMMAND = "import sys; from chainrule.cli import main; sys.argv[0] = 'chainrule'; main()"


def made(chosen: Sequence[str], python: str, commit: str) -> Iterator[Made]:
    """Of the networks that were chosen, or of all; then of deeper and deeper ones. Raises Failed."""
    for name in (n for n in NETWORKS if not chosen or n in chosen):
        with tempfile.TemporaryDirectory() as folder:
            variables = environment.of_threads(1, Path(folder))
            start = time.perf_counter()
            output([python, "-c", COMMAND, "generate", name, "--output", str(Path(folder) / "module.py")], variables)
            command = time.perf_counter() - start
            cold, *warm = (json.loads(output([python, "-m", "benchmarks.loading", name], variables)) for _ in range(1 + WARM))
        parts = {part: statistics.median(run[part] for run in warm) for part in cold}
        yield Made(name, {"command": command, **parts, **{f"{part}, cold": cold[part] for part in CALLS}}, commit)
    for layers in DEPTHS if not chosen else ():
        found = output([python, "-m", "benchmarks.loading", str(layers)], environment.of_threads(1, ROOT))
        yield Made(f"{layers} layers", json.loads(found), commit)
