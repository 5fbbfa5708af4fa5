"""A kernel in blocks as functions of the module: for a block, for a batch, and for flat vectors, as every kernel takes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from codegen.alone import example_function, so_far, written_alone
from codegen.block_copies import copied_in, copied_out
from codegen.blocks import SIZES, BlockKernel, adds_up
from codegen.chunks import INNER, chunk_functions
from codegen.flat import unused
from codegen.functions import Function, Results, apart, fitted, place
from codegen.lines import INDENT, lines
from codegen.loops import Statement
from codegen.training import Taken
from codegen.views import Size, View, laid_out, shape, tuple_text
from derive.index import Tensor

FIRST = "np.int64(0)"  # the first example; no literal, for which Numba would compile a batch anew
TURNED = "_has_many_registers"  # a function of a module (templates/arrays.py.j2): whether sums with features side by side stay in registers
INLINED = f"forceinline=True, {INNER}"  # so that a block's number of examples is known where it is compiled
UNCOUNTED = "_nrt=False"  # it allocates nothing, and need not count who refers to its arrays; that would take longer than one example


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
        if self._alone is not None:
            yield self._example(block)
        yield batch
        if "gradient" in batch.arguments and adds_up(self.kernel):
            yield from chunk_functions(self.name, batch, [d.checked for d in self.data], self._length)
        arguments = {a: t for a, t in batch.arguments.items() if a not in values}
        yield Function(self.name, self.purpose, arguments, self._returns, line.split("\n"), Size())

    # -- the functions -------------------------------------------------------------------------------------------------

    def _block(self) -> Function:
        body = list(self._statements())
        starts = [f"{INDENT}{t.name} = real(0)" for t in self.kernel.sums]
        tail = [f"{INDENT}return {', '.join(t.name for t in self.kernel.sums)}"] if self.kernel.sums else []
        code = [
            *copied_in(self._copied, self._taken, bool(self.kernel.wide)),
            *starts,
            *body,
            *copied_out(self.kernel.results, self._taken),
            *tail,
        ]
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
        if self._alone is not None:
            purpose += f"so_far: the derivatives before this block, to which it adds: `gradient`, or zeros.\n{INDENT}"
        arguments = {**self._used(every, shared), "block": "np.int64", "wide": "bool | None"}
        return Function(f"{self.name}_block", purpose, arguments, returns, every, Size(), f"{INLINED}{self._uncounted}")

    def _example(self, block: Function) -> Function:
        return example_function(self.name, block, f"{INNER}{self._uncounted}")

    def _statements(self) -> Iterator[str]:
        """The lines of the statements of a block, in both ways where there are two."""
        block, start = self.kernel.block if self._alone is None else self._alone, 0
        for k in (*self.kernel.wide, len(block)):
            yield from self._lines(block[start:k])
            if k in self.kernel.wide:
                yield f"{INDENT}if wide is not None and {TURNED}():"
                yield from self._lines(self.kernel.wide[k], 2)
                yield f"{INDENT}else:"
                yield from self._lines(block[k : k + 1], 2)
            start = k + 1

    def _lines(self, statements: Sequence[Statement], depth: int = 1) -> list[str]:
        return lines([apart(s, self._taken) for s in statements], self._taken, depth, slices=False, shown=self.shown)

    def _batch(self, block: Function) -> Function:
        starts = [f"{INDENT}{t.name} = 0.0" for t in self.kernel.sums]
        tail = [f"{INDENT}{place('gradient', v)} = {t.name}" for t, v in self._derivatives if not t.axes]
        tail += [f"{INDENT}return float({self.results.number.name})"] if self.results.number else []
        before, after = self._around_parts
        if self._alone is None:
            code = [*before, *starts, *self._every_block(block), *after, *tail]
        else:
            code = [*starts, *self._one_or_more(before, block), *after, *tail]
        every = [*(INDENT + line for line in (*self._viewed(code), *(self._local(v.tensor) for v in self._own(self._around)))), *code]
        long = self.kernel.long
        purpose = f"{self.purpose[:-1]}: of examples `start` to `stop - 1`, in blocks of {in_words(SIZES)}.\n\n"
        purpose += f"{INDENT}The examples lie along the last axis of their arrays, and the other axes in reverse order.\n"
        purpose += f"{INDENT}Blocks of {long} come first, in float32 of {2 * long}.\n" if long > SIZES[0] else ""
        purpose += INDENT
        return Function(f"{self.name}_batch", purpose, self._used(every), self._returns, every, Size(), f"{INLINED}{self._uncounted}")

    def _one_or_more(self, before: Sequence[str], block: Function) -> Iterator[str]:
        """The statements of a batch, which may be one example alone."""
        yield f"{INDENT}if stop - start == 1:"
        yield from self._summed(self._example(block).call({"so_far": f"_zeros(theta, ({self._length},))"}), 2)
        yield f"{INDENT}else:"
        yield from before
        yield from self._every_block(block, 2)

    def _every_block(self, block: Function, depth: int = 1) -> Iterator[str]:
        """The loops over the blocks, from the largest size to single examples."""
        if self.kernel.long > SIZES[0]:
            yield f"{INDENT * depth}long = _doubled(theta, {self.kernel.long})"
            yield from self._blocks_of("long", "start", "stop - (stop - start) % long", block, depth)
            yield f"{INDENT * depth}start = stop - (stop - start) % long"
        ends = ["start", *(f"stop - (stop - start) % {size}" if size > 1 else "stop" for size in SIZES)]
        for first, end, size in zip(ends, ends[1:], SIZES, strict=False):
            yield from self._blocks_of(size, first, end, block, depth)

    def _blocks_of(self, size: int | str, first: str, end: str, block: Function, depth: int) -> Iterator[str]:
        """The loop over the blocks of one size: a number, or a variable for long ones."""
        yield f"{INDENT * depth}for at in range({first}, {end}{f', {size}' if size != 1 else ''}):"
        if size == 1 and self._alone is not None:
            yield from self._summed(self._example(block).call({"start": "at", "so_far": "gradient"}), depth + 1)
            return
        # an int64 and no literal, for each of which Numba would compile the block
        number, wide = (size, True) if isinstance(size, str) else (f"np.int64({size})", size >= SIZES[0])
        call = block.call({"start": "at", "so_far": "gradient", "block": number, "wide": str(wide or None)})
        yield from self._summed(call, depth + 1)

    def _summed(self, call: str, depth: int) -> Iterator[str]:
        """The statements that add what a block returns to the sums."""
        sums = [t.name for t in self.kernel.sums]
        parts = [unused(f"part_{name}", set(self._taken)) for name in sums]
        indent = INDENT * depth
        if len(sums) == 1:
            yield from fitted(f"{indent}{sums[0]} += {call}").split("\n")
            return
        yield from fitted(f"{indent}{', '.join(parts)}{' = ' if parts else ''}{call}").split("\n")
        yield from (f"{indent}{name} += {part}" for name, part in zip(sums, parts, strict=True))

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
    def _alone(self) -> tuple[Statement, ...] | None:
        """The block as one example alone needs it, too; None where that is a block like others."""
        return written_alone(self.kernel, [t for t, _ in self._derivatives]) if self._derivatives else None

    @property
    def _length(self) -> int:
        """How many numbers the gradient holds."""
        return self._derivatives[-1][1].stop.fixed

    @property
    def _uncounted(self) -> str:
        return "" if self._alone is None else f", {UNCOUNTED}"

    @cached_property
    def _copied(self) -> list[Taken]:
        """What is copied for the examples of a block."""
        names = {t.name for t in self.kernel.data}
        return [d for d in self.data if d.name in names]

    @cached_property
    def _around_parts(self) -> tuple[list[str], list[str]]:
        """The lines of a batch before its blocks, and after them."""
        depth = 1 if self._alone is None else 2
        return self._lines(self.kernel.before, depth), self._lines(self.kernel.after)

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
        kinds |= {
            "out": "Array",
            "gradient": "Array",
            "so_far": "Array",
            **{v.tensor.name: "Array" for v in self.kernel.workspace if v.tensor.name in shared},
        }
        text = _code(code)
        return {name: kind for name, kind in kinds.items() if re.search(rf"\b{name}\b", text)}

    def _viewed(self, code: Sequence[str]) -> list[str]:
        """What the code reads and writes of the parameters and their gradients, by name."""
        used = set(re.findall(r"\w+", _code(code)))
        head = ["real = theta.dtype.type"] if "real" in used else []
        head += [f"{v.tensor.name} = {part('theta', v)}" for v in self.fields if v.tensor.name in used]
        head += [f"{t.name} = {part('gradient', v)}" for t, v in self._derivatives if t.axes and t.name in used]
        return head + [f"{so_far(t).name} = {part('so_far', v)}" for t, v in self._derivatives if so_far(t).name in used]

    def _local(self, tensor: Tensor) -> str:
        """`X = _per_example(theta, (2,), 128)`: an array of a kernel's own."""
        if tensor.axes[-1].size == "block":
            return f"{tensor.name} = _per_example(theta, {tuple_text(shape(tensor)[:-1])}, {self.kernel.long})"
        return f"{tensor.name} = _local(theta, {tuple_text(shape(tensor))})"


def in_words(sizes: Sequence[int]) -> str:
    """32, 4 and 1."""
    return f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"


def part(vector: str, view: View) -> str:
    """`_part(theta, 0, (16, 2))`, or the entry for a tensor of no axes."""
    return f"_part({vector}, {view.start.fixed}, {tuple_text(shape(view.tensor))})" if view.tensor.axes else place(vector, view)


def _code(lines: Sequence[str]) -> str:
    """The lines without comments."""
    return "\n".join(line for line in lines if not line.strip().startswith("#"))
