"""The examples of a block: what is given for them is copied into arrays of the block's own, and results are copied out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from codegen.flat import unused
from codegen.lines import INDENT
from codegen.training import Taken
from codegen.unroll import WRITTEN
from derive.index import Tensor


def copied_in(data: Sequence[Taken], taken: Collection[str], together: bool) -> Iterator[str]:
    """The statements that copy what is given for the examples of a block.

    taken: names of the kernel. together: few numbers of an example are copied in one loop; two loops would be calls that copy by
    shorter vectors than those that read them next.
    """
    for d in data:
        n, *each = (unused(letter, set(taken)) for letter in d.rows.place)
        target, source = ", ".join([*each, n]), ", ".join([*reversed(each), _example(n)])
        line = f"{d.name}[{target}] = {d.checked}[{source}]"
        if together and math.prod(map(int, d.rows.extents)) <= WRITTEN:
            yield from _nested([n, *each], ["block", *d.rows.extents], line)
        else:
            yield from _nested([*each, n], [*d.rows.extents, "block"], line)


def copied_out(results: Sequence[Tensor], taken: Collection[str]) -> Iterator[str]:
    """The statements that copy results out of a block."""
    for tensor in results:
        axes, letters = tensor.axes[:-1], set(taken)
        n, *each = (unused(a.name, letters) for a in (tensor.axes[-1], *axes))
        target, source = ", ".join([_example(n), *each]), ", ".join([*each, n])
        yield from _nested([n, *each], ["block", *(str(a.extent) for a in axes)], f"out[{target}] = {tensor.name}[{source}]")


def _example(n: str) -> str:
    """The place of an example; without a sign, so that the compiler need not ask whether it is counted from the end."""
    return f"np.uint64(start + {n})"


def _nested(letters: Sequence[str], extents: Sequence[str], statement: str) -> Iterator[str]:
    """A statement in loops."""
    for k, (letter, extent) in enumerate(zip(letters, extents, strict=True), 1):
        yield f"{INDENT * k}for {letter} in range({extent}):"
    yield f"{INDENT * (1 + len(letters))}{statement}"
