"""How close a training step comes to what the machine could do: the time that its parts would take at the measured limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.peers import OURS
from benchmarks.results import Limit, Results, Row
from benchmarks.workloads import Workload, workload

FUNCTIONS: dict[str, dict[str, int]] = {  # evaluated for each hidden unit of each example, forward and backward
    "relu": {},
    "sigmoid": {"exp": 1},
    "tanh": {"tanh": 1},
    "gelu": {"erf": 1, "exp": 1},
}


@dataclass(frozen=True)
class Closeness:
    """Microseconds of a step of ours and of its parts at the limits.

    products: its matrix products at the peak of a square one
    alone: the same products through the BLAS, None where that was not measured
    functions: at the best measured time of an element
    memory: what it must at least read and write, at the bandwidth of the memory
    """

    row: Row
    products: float
    alone: float | None
    functions: float
    memory: float

    @property
    def ours(self) -> float:
        """The step."""
        return self.row.micros[OURS]

    @property
    def share(self) -> float:
        """Of the step: the longest of arithmetic and memory, which could overlap."""
        return max(self.products + self.functions, self.memory) / self.ours


def closeness(results: Results) -> Iterator[Closeness]:
    """Of every measured step whose limits have been measured with as many threads."""
    limits = {limit.key: limit.value for limit in results.of(Limit)}
    for row in results.of(Row):
        found = {name: value for (name, threads), value in limits.items() if threads == row.threads}
        if row.what == "step" and OURS in row.micros and f"product {row.dtype}" in found and "memory" in found:
            yield _of(row, workload(row.workload), found)


def _of(row: Row, work: Workload, limits: Mapping[object, float]) -> Closeness:
    products = operations(work, row.batch) / limits[f"product {row.dtype}"] / 1e3
    alone = limits.get(f"products {work.name} {row.batch} {row.dtype}")
    nanoseconds = sum(
        count * min(limits[f"{name} {row.dtype}, NumPy"], limits[f"{name} {row.dtype}, module"])
        for name, count in elements(work, row.batch).items()
    )
    number = 8 if row.dtype == "float64" else 4
    weights = sum(a * b for a, b in zip(work.widths, work.widths[1:], strict=False))
    moved = number * (2 * weights + row.batch * work.widths[0])  # every weight read and written, every input read
    return Closeness(row, products, alone, nanoseconds / 1e3 / row.threads, moved / limits["memory"] / 1e3)


def elements(work: Workload, batch: int) -> dict[str, int]:
    """How many values of each function a step needs at least."""
    found = {name: count * batch * sum(work.widths[1:-1]) for name, count in FUNCTIONS[work.hidden].items()}
    if work.loss != "squared_error":
        found["exp"] = found.get("exp", 0) + batch * work.widths[-1]
    return found


def shapes(work: Workload, batch: int) -> list[tuple[int, int, int]]:
    """Rows, columns and inner extent of each product of a step: forward, the weights' gradients, and back to each hidden layer."""
    found: list[tuple[int, int, int]] = []
    for layer, (inputs, outputs) in enumerate(zip(work.widths, work.widths[1:], strict=False)):
        found += [(batch, outputs, inputs), (outputs, inputs, batch)]
        if layer:
            found.append((batch, inputs, outputs))
    return found


def operations(work: Workload, batch: int) -> int:
    """Multiplications and additions in the products of a step."""
    return sum(2 * m * n * k for m, n, k in shapes(work, batch))
