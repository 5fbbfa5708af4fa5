"""A kernel in blocks as functions of the module: for a block, for a batch, and for flat vectors, as every kernel takes them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from codegen.blocks import SIZES, BlockKernel, adds_up
from codegen.chunks import INNER, chunk_functions
from codegen.flat import unused
from codegen.functions import Function, Results, apart, fitted, place
from codegen.lines import INDENT, lines
from codegen.loops import Statement
from codegen.training import Taken
from codegen.unroll import WRITTEN
from codegen.views import Size, View, laid_out, shape, tuple_text
from derive.index import Tensor

FIRST = "np.int64(0)"  # the first example; no literal, for which Numba would compile a batch anew
TURNED = "_has_many_registers"  # a function of a module (templates/arrays.py.j2): whether sums with features side by side stay in registers
INLINED = f"forceinline=True, {INNER}"  # so that a block's number of examples is known where it is compiled


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
    shown: set[str] = field(default_factory=set[str])  # the equations that comments have shown in full

    def functions(self) -> Iterator[Function]:
        """In the order of their definitions; the last one is the kernel of the public functions."""
        block = self._block()
        batch = self._batch(block)
        given = [d for d in self.data if d.checked in batch.arguments]
        values = dict.fromkeys(("stop", "N"), f"{given[0].checked}.shape[0]") | {"start": FIRST}
        turned = {d.checked: f"np.ascontiguousarray({d.checked}.T)" for d in given if d.rows.each}
        line = fitted(f"{INDENT}{'return ' if self.results.number else ''}{batch.call(values | turned)}")
        yield block
        yield batch
        if "gradient" in batch.arguments and adds_up(self.kernel):
            yield from chunk_functions(self.name, batch, [d.checked for d in self.data], self._derivatives[-1][1].stop.fixed)
        arguments = {a: t for a, t in batch.arguments.items() if a not in values}
        yield Function(self.name, self.purpose, arguments, self._returns, line.split("\n"), Size())

    # -- the functions -------------------------------------------------------------------------------------------------

    def _block(self) -> Function:
        body = list(self._statements())
        starts = [f"{INDENT}{t.name} = real(0)" for t in self.kernel.sums]
        tail = [f"{INDENT}return {', '.join(t.name for t in self.kernel.sums)}"] if self.kernel.sums else []
        code = [*self._copied_in(), *starts, *body, *self._copied_out(), *tail]
        shared = {v.tensor.name for v in self._own(self._around)}
        own = [self._local(v.tensor) for v in self._own(code) if v.tensor.name not in shared]
        wide = [f"{INDENT}if wide is not None:", f"{INDENT * 2}_wide_vectors()", f"{INDENT}else:", f"{INDENT * 2}_vectors_of_four(theta)"]
        every = [*wide, *(INDENT + line for line in (*self._viewed(code), *own)), *code]
        count = len(self.kernel.sums)
        returns = "None" if count == 0 else "Real" if count == 1 else f"tuple[{', '.join(['Real'] * count)}]"
        purpose = (
            f"{self.name}_batch for the examples of a block, from `start` on; their number is known where this is called.\n\n"
            f"{INDENT}wide: None for blocks that are shorter than the processor's widest vectors.\n{INDENT}"
        )
        arguments = {**self._used(every, shared), "block": "np.int64", "wide": "bool | None"}
        return Function(f"{self.name}_block", purpose, arguments, returns, every, Size(), INLINED)

    def _statements(self) -> Iterator[str]:
        """The lines of the statements of a block, in both ways where there are two."""
        start = 0
        for k in (*self.kernel.wide, len(self.kernel.block)):
            yield from self._lines(self.kernel.block[start:k])
            if k in self.kernel.wide:
                yield f"{INDENT}if wide is not None and {TURNED}():"
                yield from self._lines(self.kernel.wide[k], 2)
                yield f"{INDENT}else:"
                yield from self._lines(self.kernel.block[k : k + 1], 2)
            start = k + 1

    def _lines(self, statements: Sequence[Statement], depth: int = 1) -> list[str]:
        return lines([apart(s, self._taken) for s in statements], self._taken, depth, slices=False, shown=self.shown)

    def _batch(self, block: Function) -> Function:
        starts = [f"{INDENT}{t.name} = 0.0" for t in self.kernel.sums]
        tail = [f"{INDENT}{place('gradient', v)} = {t.name}" for t, v in self._derivatives if not t.axes]
        tail += [f"{INDENT}return float({self.results.number.name})"] if self.results.number else []
        before, after = self._around_parts
        code = [*before, *starts, *self._every_block(block), *after, *tail]
        every = [*(INDENT + line for line in (*self._viewed(code), *(self._local(v.tensor) for v in self._own(self._around)))), *code]
        long = self.kernel.long
        purpose = f"{self.purpose[:-1]}: of examples `start` to `stop - 1`, in blocks of {in_words(SIZES)}.\n\n"
        purpose += f"{INDENT}The examples lie along the last axis of their arrays, and the other axes in reverse order.\n"
        purpose += f"{INDENT}Blocks of {long} come first, in float32 of {2 * long}.\n" if long > SIZES[0] else ""
        purpose += INDENT
        return Function(f"{self.name}_batch", purpose, self._used(every), self._returns, every, Size(), INLINED)

    def _every_block(self, block: Function) -> Iterator[str]:
        """The loops over the blocks, from the largest size to single examples."""
        if self.kernel.long > SIZES[0]:
            yield f"{INDENT}long = _doubled(theta, {self.kernel.long})"
            yield from self._blocks_of("long", "start", "stop - (stop - start) % long", block)
            yield f"{INDENT}start = stop - (stop - start) % long"
        ends = ["start", *(f"stop - (stop - start) % {size}" if size > 1 else "stop" for size in SIZES)]
        for first, end, size in zip(ends, ends[1:], SIZES, strict=False):
            yield from self._blocks_of(size, first, end, block)

    def _blocks_of(self, size: int | str, first: str, end: str, block: Function) -> Iterator[str]:
        """The loop over the blocks of one size: a number, or a variable for long ones."""
        sums = [t.name for t in self.kernel.sums]
        parts = [unused(f"part_{name}", set(self._taken)) for name in sums]
        yield f"{INDENT}for at in range({first}, {end}{f', {size}' if size != 1 else ''}):"
        # an int64 and no literal, for each of which Numba would compile the block
        number, wide = (size, True) if isinstance(size, str) else (f"np.int64({size})", size >= SIZES[0])
        call = block.call({"start": "at", "block": number, "wide": str(wide or None)})
        if len(sums) == 1:
            yield from fitted(f"{INDENT * 2}{sums[0]} += {call}").split("\n")
            return
        yield from fitted(f"{INDENT * 2}{', '.join(parts)}{' = ' if parts else ''}{call}").split("\n")
        yield from (f"{INDENT * 2}{name} += {part}" for name, part in zip(sums, parts, strict=True))

    # -- their parts ---------------------------------------------------------------------------------------------------

    @cached_property
    def _taken(self) -> set[str]:
        """The names of what the kernel works on."""
        tensors = [*(v.tensor for v in (*self.fields, *self.kernel.workspace)), *(t for t, _ in self._derivatives)]
        return {t.name for t in (*tensors, *self.kernel.sums, *self.kernel.given)}

    @property
    def _returns(self) -> str:
        return "float" if self.results.number else "None"

    @cached_property
    def _derivatives(self) -> list[tuple[Tensor, View]]:
        """Every gradient with its place."""
        given = self.results.vectors.get("gradient", ())
        return list(zip(given, laid_out(given), strict=True))

    @cached_property
    def _copied(self) -> list[Taken]:
        """What is copied for the examples of a block."""
        names = {t.name for t in self.kernel.data}
        return [d for d in self.data if d.name in names]

    @cached_property
    def _around_parts(self) -> tuple[list[str], list[str]]:
        """The lines of a batch before its blocks, and after them."""
        before, after = (self._lines(part) for part in (self.kernel.before, self.kernel.after))
        return before, after

    @property
    def _around(self) -> list[str]:
        return [line for part in self._around_parts for line in part]

    def _own(self, code: Sequence[str]) -> list[View]:
        """The arrays of the workspace that some lines use."""
        used = set(re.findall(r"\w+", _code(code)))
        return [v for v in self.kernel.workspace if v.tensor.name in used]

    def _used(self, code: Sequence[str], shared: Collection[str] = ()) -> Mapping[str, str]:
        """The arguments that some lines use; `shared` are arrays of the batch that its blocks are handed."""
        fields = {v.tensor for v in self.fields}
        data = {d.checked: d.rows.type for d in self.data}
        constants = {t.name: "Array" for t in self.kernel.given if t not in fields}
        kinds = {"theta": "Array", **data, **constants, "start": "int | np.int64", "stop": "int", "N": "int"}
        kinds |= {"out": "Array", "gradient": "Array", **{v.tensor.name: "Array" for v in self.kernel.workspace if v.tensor.name in shared}}
        text = _code(code)
        return {name: kind for name, kind in kinds.items() if re.search(rf"\b{name}\b", text)}

    def _viewed(self, code: Sequence[str]) -> list[str]:
        """What the code reads and writes of the parameters and their gradients, by name."""
        used = set(re.findall(r"\w+", _code(code)))
        head = ["real = theta.dtype.type"] if "real" in used else []
        head += [f"{v.tensor.name} = {part('theta', v)}" for v in self.fields if v.tensor.name in used]
        return head + [f"{t.name} = {part('gradient', v)}" for t, v in self._derivatives if t.axes and t.name in used]

    def _local(self, tensor: Tensor) -> str:
        """`X = _per_example(theta, (2,), 128)`: an array of a kernel's own."""
        if tensor.axes[-1].size == "block":
            return f"{tensor.name} = _per_example(theta, {tuple_text(shape(tensor)[:-1])}, {self.kernel.long})"
        return f"{tensor.name} = _local(theta, {tuple_text(shape(tensor))})"

    def _copied_in(self) -> Iterator[str]:
        """The statements that copy what is given for the examples of the block."""
        for d in self._copied:
            n, *each = (unused(letter, set(self._taken)) for letter in d.rows.place)
            target, source = ", ".join([*each, n]), ", ".join([*reversed(each), _example(n)])
            line = f"{d.name}[{target}] = {d.checked}[{source}]"
            if self.kernel.wide and math.prod(map(int, d.rows.extents)) <= WRITTEN:  # two loops would be calls that copy by shorter vectors
                yield from _nested([n, *each], ["block", *d.rows.extents], line)
            else:
                yield from _nested([*each, n], [*d.rows.extents, "block"], line)

    def _copied_out(self) -> Iterator[str]:
        """The statements that copy results out of the block."""
        for tensor in self.kernel.results:
            axes, letters = tensor.axes[:-1], set(self._taken)
            n, *each = (unused(a.name, letters) for a in (tensor.axes[-1], *axes))
            target, source = ", ".join([_example(n), *each]), ", ".join([*each, n])
            yield from _nested([n, *each], ["block", *(str(a.extent) for a in axes)], f"out[{target}] = {tensor.name}[{source}]")


def in_words(sizes: Sequence[int]) -> str:
    """32, 4 and 1."""
    return f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"


def part(vector: str, view: View) -> str:
    """`_part(theta, 0, (16, 2))`, or the entry for a tensor of no axes."""
    return f"_part({vector}, {view.start.fixed}, {tuple_text(shape(view.tensor))})" if view.tensor.axes else place(vector, view)


def _example(n: str) -> str:
    """The place of an example; without a sign, so that the compiler need not ask whether it is counted from the end."""
    return f"np.uint64(start + {n})"


def _nested(letters: Sequence[str], extents: Sequence[str], statement: str) -> Iterator[str]:
    """A statement in loops."""
    for k, (letter, extent) in enumerate(zip(letters, extents, strict=True), 1):
        yield f"{INDENT * k}for {letter} in range({extent}):"
    yield f"{INDENT * (1 + len(letters))}{statement}"


def _code(lines: Sequence[str]) -> str:
    """The lines without comments."""
    return "\n".join(line for line in lines if not line.strip().startswith("#"))
