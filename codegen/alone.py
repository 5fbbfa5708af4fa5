"""Single examples in a kernel in blocks: several features at a time, and gradients that are written where one example is the whole batch.

With one example nothing lies side by side but features. Little makes them fast: a function of its own, in short vectors, and gradients that
nothing reads before they are there. Of longer vectors, those of entries that lie two apart are put together for one store, and what reads
half of it next must wait until it has left for the memory; so must what reads zeros that were stored in other pieces.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from sympy import Expr

from codegen.blocks import BlockKernel, adds_up
from codegen.elementary import CALLS
from codegen.functions import Function, fitted
from codegen.lines import INDENT
from codegen.loops import Accumulate, Assign, Demand, Loop, Statement, accesses, leaves
from codegen.views import Size
from derive.index import Entry, Index, Tensor

FEATURES = 8  # positions of a loop over features from which on they are worth vectors; with fewer, one example is a block like others


def written_alone(kernel: BlockKernel, gradients: Sequence[Tensor]) -> tuple[Statement, ...] | None:
    """The statements of a block with the first terms of the gradients read from arrays of other names (`so_far`), and sums over features
    in any order; None where that cannot be done, or would not pay.

    It takes that a block does nothing with the gradients but to go on with their sums, and that it writes every entry of them.
    """
    names = {t.name for t in gradients}
    started = {a.tensor.name for s in kernel.before for a in accesses(s)}
    if kernel.results or not adds_up(kernel) or not all(t.axes for t in gradients) or started != names:
        return None
    if not _pays(kernel.block) or any(isinstance(leaf, Demand) for s in kernel.block for leaf in leaves(s)):
        return None
    done = tuple(_in_any_order(_from_so_far(s, names)) for s in kernel.block)
    touched = [a for s in done for a in accesses(s) if a.tensor.name in names]
    return done if all(a.kind == "write" for a in touched) and all(covers(done, t) for t in gradients) else None


def so_far(tensor: Tensor) -> Tensor:
    """What a sum over examples comes to before those of a block."""
    return Tensor(f"{tensor.name}_so_far", tensor.axes)


def example_function(name: str, block: Function, options: str) -> Function:
    """A block of one example as a function of its own. block: the function for any number; options: more arguments of the compiler."""
    arguments = {a: t for a, t in block.arguments.items() if a not in ("block", "wide")}
    call = f"{INDENT}return {block.call({'block': 'np.int64(1)', 'wide': 'None'})}"
    purpose = (
        f"{name}_block for the example `start`: `so_far` is zeros where it is the whole batch.\n\n"
        f"{INDENT}Nothing lies side by side but features; short vectors of them wait least for what was stored just before.\n{INDENT}"
    )
    code = [f"{INDENT}_short_vectors()", *fitted(call).split("\n")]
    return Function(f"{name}_example", purpose, arguments, block.returns, code, Size(), options)


def _pays(block: Sequence[Statement]) -> bool:
    """Whether the loops over features are long and simple: each a few vectors of products.

    An elementary function of each feature, or a loop in a loop, would take the time, and longer vectors.
    """
    many = [s for s in block if isinstance(s, Loop) and (s.index.axis.extent or 0) >= FEATURES]
    return bool(many) and not any(_takes_long(s) for s in many)


def _takes_long(loop: Loop) -> bool:
    nested = [inner for s in loop.body if isinstance(s, Loop) for inner in (s, *s.body)]
    deep = any(isinstance(s, Loop) and s.index.axis.extent is not None for s in nested)
    return deep or any(isinstance(leaf, Assign) and leaf.value.has(*CALLS) for leaf in leaves(loop))


def _from_so_far(statement: Statement, names: Collection[str]) -> Statement:
    if isinstance(statement, Loop):
        return replace(statement, body=tuple(_from_so_far(s, names) for s in statement.body))
    if not isinstance(statement, Assign) or not statement.starts or not isinstance(statement.value, Entry):
        return statement
    old = statement.value
    return replace(statement, value=Entry(so_far(old.tensor), *old.indices)) if old.tensor.name in names else statement


def _in_any_order(statement: Statement, features: frozenset[Index] = frozenset()) -> Statement:
    """The statement with sums over many features free to be taken several terms at a time: one after the other, all else waits for them."""
    if isinstance(statement, Loop):
        inner = features | {statement.index} if (statement.index.axis.extent or 0) >= FEATURES else features
        return replace(statement, body=tuple(_in_any_order(s, inner) for s in statement.body))
    if isinstance(statement, Accumulate) and statement.operation == "sum" and features - statement.target.free_symbols:
        return replace(statement, reordered=True)
    return statement


# -- whether every entry is written ----------------------------------------------------------------------------------------


def covers(statements: Sequence[Statement], tensor: Tensor) -> bool:
    """Whether assignments without conditions write every entry of a tensor."""
    extents = [a.extent or 0 for a in tensor.axes]
    written = np.zeros(extents, np.bool_)
    for statement in statements:
        _mark(written, tensor, statement, ())
    return math.prod(extents) > 0 and bool(written.all())


def _mark(written: np.ndarray, tensor: Tensor, statement: Statement, path: tuple[Loop, ...]) -> None:
    if isinstance(statement, Loop):
        for inner in statement.body:
            _mark(written, tensor, inner, (*path, statement))
        return
    if not isinstance(statement, Assign) or statement.target.tensor != tensor or statement.guards:
        return
    places = [_places(i, path) for i in statement.target.indices]
    loops = [loop.index for loop in path]
    apart = all(sum(i.has(index) for i in statement.target.indices) == 1 for index in loops)
    if apart and all(places):
        written[np.ix_(*places)] = True


def _places(position: Expr, path: Sequence[Loop]) -> list[int]:
    """The positions that an index expression takes in loops of known bounds: a number, or the index of a loop and a number more."""
    if position.is_Integer:
        return [int(position)]
    loop = next((loop for loop in path if (position - loop.index).is_Integer), None)
    extent = loop.index.axis.extent if loop else None
    if loop is None or extent is None or not all(b.is_Integer for b in (*loop.low, *loop.high)):
        return []
    low, high = max(map(int, loop.low), default=0), min(map(int, loop.high), default=extent)
    return [k + int(position - loop.index) for k in range(low, high, loop.step)]
