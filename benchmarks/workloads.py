"""The networks that are measured, and the cases of each: a batch size, a type, a number of threads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

Loss = Literal["cross_entropy", "binary_cross_entropy", "half_squared_error", "squared_error"]
TYPES = ("float64", "float32")


@dataclass(frozen=True)
class Workload:
    """A network of dense layers, how it is trained, and in which batches.

    widths: of the input and of every layer. hidden, output: activations. examples: how many the data set has at least, unless that
    makes more than `LONGEST` batches. rate: the learning rate.
    """

    name: str
    widths: tuple[int, ...]
    hidden: str
    loss: Loss
    batches: tuple[int, ...]
    rate: float
    examples: int = 4096
    output: str = "identity"
    hidden_bias: bool = True
    optimizer: str = "sgd"

    @property
    def title(self) -> str:
        """What a table calls it."""
        widths = [str(w) for w in self.widths]
        repeated = len(set(widths[:-1])) == 1 and len(widths) > 3
        size = f"{widths[0]} x {len(widths) - 1} - {widths[-1]}" if repeated else "-".join(widths)
        bias = "" if self.hidden_bias else ", no hidden bias"
        update = "" if self.optimizer == "sgd" else f", {self.optimizer.capitalize()}"
        return f"{size} {self.hidden}{bias}, {self.loss.replace('_', ' ')}{update}"

    @property
    def tiny(self) -> bool:
        """Whether no layer is wide enough to be worth a second thread to a library that works matrix by matrix."""
        return max(self.widths) <= 16


LONGEST = 256  # batches in a data set
DEEP = (64, 64, 64, 64, 64, 64, 64, 64, 10)

WORKLOADS = (
    Workload("a", (2, 16, 2), "relu", "cross_entropy", (1, 4, 32, 256, 4096), 0.02, examples=16384),
    Workload("b", (2, 3, 1), "relu", "binary_cross_entropy", (4, 32, 256, 4096), 0.02, 16384, output="sigmoid", hidden_bias=False),
    Workload("c", (2, 4, 1), "sigmoid", "half_squared_error", (4,), 0.5, examples=4, output="sigmoid"),
    Workload("d", (784, 128, 10), "relu", "cross_entropy", (1, 32, 256), 0.05, examples=1024),
    Workload("e", (784, 512, 256, 10), "relu", "cross_entropy", (32, 256, 1024), 0.05, examples=1024),
    Workload("f-tanh", DEEP, "tanh", "cross_entropy", (32, 256), 0.05, examples=1024),
    Workload("f-gelu", DEEP, "gelu", "cross_entropy", (32, 256), 0.05, examples=1024),
    Workload("g", (4, 32, 16, 4), "tanh", "squared_error", (10000,), 0.001, examples=10000, optimizer="adam"),
)


@dataclass(frozen=True)
class Case:
    """What one row of a table is about."""

    workload: Workload
    batch: int
    dtype: str
    threads: int

    def __str__(self) -> str:
        return f"{self.workload.name} batch {self.batch} {self.dtype} {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def batches(self) -> int:
        """How many batches the data set has."""
        return max(1, min(LONGEST, self.workload.examples // self.batch))


def workload(name: str) -> Workload:
    """The workload of a name. Raises KeyError when there is none."""
    return {w.name: w for w in WORKLOADS}[name]


def cases(threads: int, only: Collection[str] = (), batches: Collection[int] = (), types: Collection[str] = TYPES) -> Iterator[Case]:
    """The cases of a number of threads; `only` names workloads, "f" all whose name begins so, and nothing means all."""
    for each in WORKLOADS:
        if only and each.name not in only and each.name[0] not in only:
            continue
        for batch in each.batches:
            if not batches or batch in batches:
                yield from (Case(each, batch, dtype, threads) for dtype in TYPES if dtype in types)
