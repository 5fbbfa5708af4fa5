"""A kernel in blocks as functions of the module: for a block, for a batch, and for flat vectors, as every kernel takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from codegen.blocks import SIZES, BlockKernel
from codegen.flat import unused
from codegen.functions import Function, Results, apart, place
from codegen.lines import INDENT, lines
from codegen.training import Taken
from codegen.views import View, laid_out, view_text
from derive.index import Tensor

ORDER = "npt.NDArray[np.int64]"
INLINED = "forceinline=True"  # so that a block's number of examples is known where it is compiled


@dataclass(frozen=True)
class BlockFunctions:
    """The functions of one kernel.

    fields: the parameters in theta, whose names and places the gradients share. data: what the caller gives for every example.
    """

    name: str
    purpose: str
    kernel: BlockKernel
    results: Results
    fields: Sequence[View]
    data: Sequence[Taken]

    def functions(self) -> Iterator[Function]:
        """In the order of their definitions; the last one is the kernel of the public functions."""
        yield self._arrays()
        yield self._block()
        yield self._batch()
        values = {
            "parameters": "_views(theta)",
            "derivatives": "_views(gradient)",
            "arrays": f"{self.name}_arrays(work)",
            "start": "0",
            "N": "order.size",
        }
        call = _call(f"{self.name}_batch", [values.get(a, a) for a in self._of_batch])
        arguments = {a: t for a, t in {**self._of_batch, "work": "Array"}.items() if a not in values}
        lines = [f"{INDENT}{'return ' if self.results.number else ''}{call}"]
        yield Function(self.name, self.purpose, arguments, self._returns, lines, self.kernel.workspace[-1].stop)

    # -- the functions -------------------------------------------------------------------------------------------------

    def _arrays(self) -> Function:
        purpose = f"The arrays of {self.name}_block: parts of a workspace, with room for {SIZES[0]} examples."
        views = [f"{INDENT * 2}{view_text('work', v)},  # {v.tensor.name}" for v in self.kernel.workspace]
        body = [f"{INDENT}return (", *views, f"{INDENT})"]
        return Function(f"{self.name}_arrays", purpose, {"work": "Array"}, "tuple[Array, ...]", body, self.kernel.workspace[-1].stop)

    def _block(self) -> Function:
        body = lines([apart(s, self._taken) for s in self.kernel.block], self._taken, slices=False)
        code = [*self._copied_in(), *(f"{INDENT}{t.name} = real(0)" for t in self.kernel.sums), *body, *self._copied_out()]
        names = [v.tensor.name for v in self.kernel.workspace]
        head = [*self._viewed(code), f"{', '.join(names)}{',' if len(names) == 1 else ''} = arrays"]
        sums = ", ".join(t.name for t in self.kernel.sums)
        tail = [f"{INDENT}return {sums}"] if sums else []
        purpose = f"{self.name}_batch for the M examples order[start], order[start + 1], ...; M is a number known to the compiler."
        every = [*(INDENT + line for line in head), *code, *tail]
        count = len(self.kernel.sums)
        returns = "None" if count == 0 else "float" if count == 1 else f"tuple[{', '.join(['float'] * count)}]"
        arguments = {**self._of_batch, "M": "int"}
        return Function(f"{self.name}_block", purpose, arguments, returns, every, self.kernel.workspace[-1].stop, INLINED)

    def _batch(self) -> Function:
        before, after = (
            lines([apart(s, self._taken) for s in part], self._taken, slices=False) for part in (self.kernel.before, self.kernel.after)
        )
        code = [*before, *(f"{INDENT}{t.name} = 0.0" for t in self.kernel.sums), *self._every_block(), *after]
        tail = [f"{place('gradient', v)} = {t.name}" for t, v in self._derivatives if not t.axes]
        tail += [f"return float({self.results.number.name})"] if self.results.number else []
        every = [*(INDENT + line for line in self._viewed([*code, *tail])), *code, *(INDENT + line for line in tail)]
        purpose = f"{self.purpose[:-1]}, the N examples order[start], order[start + 1], ..., in blocks of {SIZES[0]}, {SIZES[1]} and {SIZES[2]}."
        return Function(f"{self.name}_batch", purpose, self._of_batch, self._returns, every, self.kernel.workspace[-1].stop)

    def _every_block(self) -> Iterator[str]:
        """The loops over the blocks, from the largest size to single examples."""
        ends = ["start", *(f"start + N - N % {size}" if size > 1 else "start + N" for size in SIZES)]
        sums = [t.name for t in self.kernel.sums]
        parts = [unused(f"part_{name}", set(self._taken)) for name in sums]
        for first, end, size in zip(ends, ends[1:], SIZES, strict=False):
            step = f", {size}" if size > 1 else ""
            yield f"{INDENT}for at in range({first}, {end}{step}):"
            call = _call(f"{self.name}_block", ["at" if a == "start" else a for a in self._of_batch] + [str(size)])
            if len(sums) == 1:
                yield f"{INDENT * 2}{sums[0]} += {call}"
                continue
            yield f"{INDENT * 2}{', '.join(parts)}{' = ' if parts else ''}{call}"
            yield from (f"{INDENT * 2}{name} += {part}" for name, part in zip(sums, parts, strict=True))

    # -- their parts ---------------------------------------------------------------------------------------------------

    @cached_property
    def _taken(self) -> set[str]:
        touched = {v.tensor.name for v in self.fields} | {v.tensor.name for v in self.kernel.workspace}
        return touched | {t.name for t in self.kernel.sums} | {t.name for t, _ in self._derivatives} | {t.name for t in self.kernel.given}

    @property
    def _returns(self) -> str:
        return "float" if self.results.number else "None"

    @cached_property
    def _derivatives(self) -> list[tuple[Tensor, View]]:
        """Every gradient with its place."""
        given = self.results.vectors.get("gradient", ())
        return list(zip(given, laid_out(given), strict=True))

    @cached_property
    def _of_batch(self) -> Mapping[str, str]:
        """The arguments of the function for a batch."""
        fields = {v.tensor for v in self.fields}
        data = {d.checked: d.rows.type for d in self.data if d.rows.tensor.name in {t.name for t in self.kernel.data}}
        constants = {t.name: "Array" for t in self.kernel.given if t not in fields}
        written = {"out": "Array"} if self.kernel.results else {}
        written |= {"gradient": "Array", "derivatives": "Parameters"} if self._derivatives else {}
        kinds = {"theta": "Array", "parameters": "Parameters", **data, **constants, "order": ORDER, "start": "int", "N": "int"}
        return kinds | written | {"arrays": "tuple[Array, ...]"}

    def _viewed(self, code: Sequence[str]) -> list[str]:
        """What the code reads and writes of the parameters and their gradients, by name."""
        text = "\n".join(line for line in code if not line.strip().startswith("#"))

        def used(name: str) -> bool:
            return re.search(rf"\b{name}\b", text) is not None

        head = ["real = theta.dtype.type"] if re.search(r"\breal\(", text) else []
        for v in self.fields:
            if used(v.tensor.name):
                head.append(f"{v.tensor.name} = {f'parameters.{v.tensor.name}' if v.tensor.axes else place('theta', v)}")
        for (tensor, _), v in zip(self._derivatives, self.fields, strict=False):
            if tensor.axes and used(tensor.name):
                head.append(f"{tensor.name} = derivatives.{v.tensor.name}")
        return head

    def _copied_in(self) -> Iterator[str]:
        """The statements that copy what is given for the examples of the block."""
        taken = [d for d in self.data if d.rows.tensor.name in {t.name for t in self.kernel.data}]
        if not taken:
            return
        n = self._letter(taken[0])
        yield f"{INDENT}for {n} in range(M):"
        yield f"{INDENT * 2}example = order[start + {n}]"
        for d in taken:
            yield from self._copy(d, n)

    def _copied_out(self) -> Iterator[str]:
        for tensor in self.kernel.results:
            axes, letters = tensor.axes[:-1], set(self._taken)
            n, *each = (unused(a.name, letters) for a in (tensor.axes[-1], *axes))
            yield f"{INDENT}for {n} in range(M):"
            yield from _nested(each, [str(a.extent) for a in axes], f"out[{', '.join([f'order[start + {n}]', *each])}] = {tensor.name}[{', '.join([*each, n])}]")

    def _letter(self, data: Taken) -> str:
        return unused(data.rows.place[0], set(self._taken))

    def _copy(self, data: Taken, n: str) -> Iterator[str]:
        taken = {*self._taken, n}
        each = [unused(letter, taken) for letter in data.rows.place[1:]]
        yield from _nested(each, data.rows.extents, f"{data.name}[{', '.join([*each, n])}] = {data.checked}[{', '.join(['example', *each])}]")


def _nested(letters: Sequence[str], extents: Sequence[str], statement: str) -> Iterator[str]:
    """A statement in loops, in the loop over the examples of a block."""
    for k, (letter, extent) in enumerate(zip(letters, extents, strict=True)):
        yield f"{INDENT * (2 + k)}for {letter} in range({extent}):"
    yield f"{INDENT * (2 + len(letters))}{statement}"


def _call(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})"
