"""The training loop of a module: what it is handed, and how it gathers a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codegen.arguments import Rows
from codegen.lines import INDENT
from codegen.views import tuple_text

PADDING = 8  # numbers after the last example, where the examples are the last axis


@dataclass(frozen=True)
class Taken:
    """Data that a public function takes for every example, and its name once it has been checked."""

    rows: Rows
    checked: str  # examples, targets, weights

    @property
    def name(self) -> str:
        """Its name in the mathematics."""
        return self.rows.tensor.name

    @property
    def batch(self) -> str:
        """The name of the memory for a batch."""
        return f"{self.name}_batch"

    @property
    def dtype(self) -> str:
        """The type of its numbers, as Python."""
        return "np.int64" if self.rows.tensor.values else "dtype"

    @property
    def arranged(self) -> str:
        """The shape of an array that holds all examples along its last axis, and the other axes in reverse order, as Python.

        It is a little longer than the examples: if the places of an example were a power of two apart, they would share the same few
        lines of the cache.
        """
        return tuple_text([*reversed(self.rows.extents), f"order.size + {PADDING}" if self.rows.each else "order.size"])

    @property
    def inside(self) -> str:
        """The checked array as a kernel takes it."""
        return self.rows.inside(self.checked)


@dataclass(frozen=True)
class Argument:
    """An argument of the training loop, with what the public function hands over."""

    name: str
    type: str
    value: str


def arguments(
    data: Sequence[Taken],
    optimisers: Sequence[Argument],
    vectors: Sequence[Argument],
    constants: Sequence[Argument],
    empty: str | None,
) -> list[Argument]:
    """The arguments of the training loop.

    optimisers: the one that is chosen, and what it remembers; vectors: memory that the loop writes to; constants: arrays of fixed
    numbers; empty: the function that gives memory for the examples of a batch, which are copied before the step, or None where those of an
    epoch are arranged before it.
    """
    integers = "npt.NDArray[np.int64]"
    batches = [Argument(d.batch, d.rows.type, f"{'np.empty' if d.rows.tensor.values else empty}({d.rows.size}, {d.dtype})") for d in data]
    epochs = [Argument(d.checked, d.rows.type, f"np.empty({d.arranged}, {d.dtype})") for d in data]
    return [
        Argument("theta", "Array", "theta"),
        *(Argument(d.name, d.rows.type, d.checked) for d in data),
        *constants,
        Argument("epochs", "int", "epochs"),
        Argument("batch_size", "int", "N"),
        Argument("rate", "float", "rate"),
        *optimisers,
        Argument("shuffle", "bool", "shuffle"),
        Argument("rng", "np.random.Generator", "np.random.default_rng(seed)"),
        Argument("order", integers, "order"),
        *(batches if empty else epochs),
        *vectors,
        Argument("losses", "npt.NDArray[np.float64]", "losses"),
    ]


def gathered(data: Sequence[Taken]) -> list[str]:
    """The statements that find the examples of a batch.

    In a new order they are copied into its memory, side by side. In their own order they lie so already where a kernel holds them as
    they are given, an example after the other: copying them took a fifth of a step at 784 numbers an example.
    """
    views = [f"{d.checked} = {d.rows.view(d.batch)}" for d in data]
    n = data[0].rows.place[0]
    copies = [line for d in data for line in d.rows.gathered(d.name, d.checked, f"order[start + {n}]")]
    copied = [*views, f"for {n} in range(N):", *(INDENT + line for line in copies)]
    if any(d.rows.last for d in data):
        return copied
    parts = [f"{d.checked} = {d.name}[start : start + N]" for d in data]
    return ["if shuffle:", *(INDENT + line for line in copied), "else:", *(INDENT + line for line in parts)]


def arranged(data: Sequence[Taken]) -> list[str]:
    """The statements that arrange all examples as blocks read them: in the order of an epoch, along the last axis."""
    n = data[0].rows.place[0]
    lines = [f"for {n} in range(order.size):"]
    for d in data:
        _, *each = d.rows.place
        lines += [f"{INDENT * (1 + k)}for {i} in range({size}):" for k, (i, size) in enumerate(zip(each, d.rows.extents, strict=True))]
        target, source = ", ".join([*reversed(each), n]), ", ".join([f"order[{n}]", *each])
        lines.append(f"{INDENT * (1 + len(each))}{d.checked}[{target}] = {d.name}[{source}]")
    return lines
