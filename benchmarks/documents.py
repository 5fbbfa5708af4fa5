"""Seconds that a document takes, from the network to the text: the digits network, and networks of growing depth.

    python -m benchmarks.documents

The first run in a process also fills caches (SymPy's, and those of the engine), so the digits network is written up several times, and
the first run and the median of the others are shown. Depth: dense layers of 16 units with ReLU; every network is a new one. A PDF
takes the LaTeX and TeX on top of that, and is timed where pdflatex is installed.
"""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path
from typing import get_args

import derive
from chainrule.pdf import pdf
from derive import Network
from derive.documents import Format

ROUNDS = 5
DEPTHS = (25, 50, 100, 200)
NETWORKS = Path(__file__).parent.parent / "networks"


def main() -> None:
    """Print both tables."""
    network = derive.load(NETWORKS / "digits.toml")
    print("digits      first s  warm s  characters")
    for form in get_args(Format):
        (first, length), *others = (timed(network, form) for _ in range(ROUNDS))
        warm = statistics.median(seconds for seconds, _ in others)
        print(f"{form:<10}  {first:>7.2f}  {warm:>6.2f}  {length:>10}", flush=True)
    if shutil.which("pdflatex") is not None:
        start = time.perf_counter()
        made = pdf(written(network, "latex"))
        print(f"{'pdf':<10}  {time.perf_counter() - start:>7.2f}  {'':>6}  {len(made):>10}", flush=True)
    print("\nlayers  " + "  ".join(f"{form:>9} s" for form in get_args(Format)) + "   s a layer  characters a layer")
    for depth in DEPTHS:
        found = [timed(deep(depth), form) for form in get_args(Format)]
        slowest = max(seconds for seconds, _ in found)
        longest = max(length for _, length in found)
        columns = "  ".join(f"{seconds:>11.2f}" for seconds, _ in found)
        print(f"{depth:>6}  {columns}  {slowest / depth:>10.4f}  {longest // depth:>18}", flush=True)


def deep(depth: int) -> Network:
    """A network of so many dense layers."""
    hidden = [{"kind": "dense", "units": 16, "activation": "relu"} for _ in range(depth - 1)]
    return Network(name="deep", inputs=16, loss="softmax_cross_entropy", layers=[*hidden, {"kind": "dense", "units": 10}])


def timed(network: Network, form: Format) -> tuple[float, int]:
    """The seconds that a document takes, derivation included, and its length."""
    start = time.perf_counter()
    text = written(network, form)
    return time.perf_counter() - start, len(text)


def written(network: Network, form: Format) -> str:
    return derive.document(derive.differentiate(network.program()), network, form)


if __name__ == "__main__":
    main()
