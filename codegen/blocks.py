"""A kernel that computes its examples in blocks of a fixed number, which pays where layers are small.

In a block, the examples lie along the last axis of every array: the innermost loops run over a number of examples that the compiler
knows, and become a few vector instructions each. What is summed over all examples is added up from block to block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from codegen.by_feature import by_feature
from codegen.flat import flattened, outermost_binders, unused
from codegen.layout import Layout, NotInBlocksError
from codegen.logarithms import at_least_one
from codegen.loops import Accumulate, Assign, Loop, MatrixProduct, Statement, accesses, entries, leaves, nested
from codegen.nests import opened, statements
from codegen.order import bounded, loop_order, order_of
from codegen.products import known_extents, matrix_product
from codegen.summands import merged, summands
from codegen.unroll import side_by_side
from codegen.views import View, laid_out
from derive.index import Axis, Binder, Entry, Sum, Tensor
from derive.program import Equation, Program, needed

SIZES = (32, 4, 1)  # examples in a block: as many blocks of the first size as there are, then of the next
LONG = 64  # examples of the largest blocks, if their arrays fit, and twice as many in float32: sums over a block are added up once
FASTEST = 48 * 1024  # bytes of the fastest memory
CHUNK = 1024  # examples that a thread computes at a time
LARGEST = 2**14  # numbers in the workspace of a block: more leave the fastest memory, and so much code takes long to compile
CALL_PAYS = 1024  # entries of a matrix from which on its products are better computed by calls, whole batches at a time

Finish = Callable[[Sequence[Statement], Sequence[Tensor], set[str], Axis, set[str]], tuple[Statement, ...]]


@dataclass(frozen=True)
class BlockKernel:
    """The statements of a batch: those before the blocks, those of a block, those after the blocks."""

    before: tuple[Statement, ...]
    block: tuple[Statement, ...]
    wide: Mapping[int, tuple[Statement, ...]]  # what stands in place of some of the block's statements where it fills wide vectors
    after: tuple[Statement, ...]
    data: tuple[Tensor, ...]  # copies of what is given for each example of a block
    given: tuple[Tensor, ...]  # what else is read
    sums: tuple[Tensor, ...]  # numbers that every block adds to
    results: tuple[Tensor, ...]  # outputs with an entry for each example, as a block holds them
    workspace: tuple[View, ...]

    @property
    def long(self) -> int:
        """How many examples the largest blocks hold, in float32 twice as many."""
        numbers = self.workspace[-1].stop.fixed // SIZES[0]
        return LONG if numbers * LONG * 8 <= FASTEST else SIZES[0]


def block_kernel(program: Program, outputs: Sequence[Tensor], examples: Axis, finish: Finish) -> BlockKernel:
    """The kernel of some outputs of a program. finish: what the statements of a part go through last (codegen/schedule.py).

    Raises NotInBlocksError where this cannot be done or would not pay.
    """
    flat = flattened(replace(program, equations=needed(program.equations, outputs), outputs=()))
    taken = {t.name for t in program.given} | {e.tensor.name for e in (*program.equations, *flat)} | {a.name for a in program.axes}
    layout = Layout(examples)
    parts = _Parts(layout.inside, taken)
    for equation in flat:
        _demand_small(equation)
        parts.add(layout.equation(equation))
    given = [layout.tensor(t) for t in program.given]
    kept = [*given, *map(layout.tensor, outputs), *parts.shared(given)]
    large = at_least_one(flat, 2 * LONG)
    before, block, after = (
        layout.shown(finish(part, kept, taken, layout.inside, large)) for part in (parts.before, parts.block, parts.after)
    )
    wide = by_feature(block, given, layout.inside, taken)
    turned = [s for done in wide.values() for s in done]
    touched = tuple(dict.fromkeys(a.tensor for s in (*before, *block, *turned, *after) for a in accesses(s)))
    data = [layout.real(t) for t in given if layout.inside in t.axes]
    arrays = [t for t in touched if t.axes and t not in given and t.name not in {o.name for o in outputs if examples not in o.axes}]
    every = dict.fromkeys([*(t for t in data if t in touched), *arrays])
    workspace = laid_out([_sized(t, layout.inside) for t in every])
    if workspace[-1].stop.fixed > LARGEST:
        raise NotInBlocksError(f"a block would take {workspace[-1].stop.fixed} numbers, and from {LARGEST} on it pays no more")
    return BlockKernel(
        before,
        block,
        wide,
        after,
        tuple(t for t in data if t in touched),
        tuple(t for t in program.given if t in touched and examples not in t.axes),
        tuple(parts.sums),
        tuple(layout.real(layout.tensor(t)) for t in outputs if examples in t.axes),
        workspace,
    )


def adds_up(kernel: BlockKernel) -> bool:
    """Whether the results for some of the examples and for the others add up to those for all of them."""
    started = all(isinstance(leaf, Assign) and leaf.value == 0 for s in kernel.before for leaf in leaves(s))
    totals = {Entry(t): sp.Dummy() for t in kernel.sums}
    last = [leaf.value.xreplace(totals) for s in kernel.after for leaf in leaves(s) if isinstance(leaf, Assign)]
    homogeneous = all(sp.expand(e - sum(sp.diff(e, t) * t for t in totals.values())) == 0 for e in last)
    return started and homogeneous and not any(isinstance(s, Loop) for s in kernel.after)


def _sized(tensor: Tensor, inside: Axis) -> Tensor:
    """The array with room for the largest block."""
    return Tensor(tensor.name, [replace(a, extent=SIZES[0]) if a == inside else a for a in tensor.axes])


# -- before, in and after the blocks ---------------------------------------------------------------------------------------


@dataclass
class _Parts:
    """The statements of the three parts.

    A value of every example goes into the block; a sum over examples starts before the blocks and is added to in them; what reads such
    a sum comes after them.
    """

    inside: Axis
    taken: set[str]
    before: list[Statement] = field(default_factory=list[Statement])
    block: list[Statement] = field(default_factory=list[Statement])
    after: list[Statement] = field(default_factory=list[Statement])
    sums: list[Tensor] = field(default_factory=list[Tensor])
    late: list[Tensor] = field(default_factory=list[Tensor])  # known only after the blocks

    def add(self, equation: Equation) -> None:
        late = [t.name for t in equation.reads if t in self.late]
        over = [b for b in outermost_binders(equation.body) if any(i.axis == self.inside for i in b.bound)]
        if any(i.axis == self.inside for i in equation.indices):
            if late or over:
                raise NotInBlocksError(f"({equation.number}) needs values of all examples: {', '.join(late) or 'a sum over them'}")
            self.block += statements(equation, self.taken, CALL_PAYS)
        elif over:
            self._total(equation, over)
        elif late:
            self.late.append(equation.tensor)
            self.after += statements(equation, self.taken, CALL_PAYS)
        else:
            self.before += statements(equation, self.taken, CALL_PAYS)

    def _total(self, equation: Equation, over: Sequence[Binder]) -> None:
        """Sums over examples: one alone in the target itself, others beside it."""
        self.late.append(equation.tensor)
        body = equation.body
        for binder in over:
            if not isinstance(binder, Sum):
                raise NotInBlocksError(f"({equation.number}) is no sum over the examples")
            alone = len(over) == 1 and (body == binder or bool(equation.indices))
            total = equation.entry if alone else self._beside(equation)
            self._added(equation, total, binder)
            body = body.xreplace({binder: total})
        if body != equation.entry:
            self.after += (
                statements(replace(equation, body=body), self.taken, CALL_PAYS) if not equation.indices else self._finished(equation, body)
            )

    def _finished(self, equation: Equation, body: Expr) -> tuple[Statement, ...]:
        if any(b for b in outermost_binders(body)):
            raise NotInBlocksError(f"({equation.number}) adds sums of two kinds")
        order = loop_order(equation.indices, (), (equation.entry, *entries(body)))
        return nested(order, Assign(equation, equation.entry, body))

    def _beside(self, equation: Equation) -> Entry:
        return Entry(Tensor(unused(f"sum_{equation.tensor.name}", self.taken), equation.tensor.axes), *equation.indices)

    def _added(self, equation: Equation, total: Entry, binder: Sum) -> None:
        """A sum that starts at 0 and that every block adds to."""
        if total.indices:
            self.before += nested(equation.indices, Assign(equation, total, sp.S.Zero, starts=True))
        else:
            self.sums.append(total.tensor)
        body, bound = opened(binder, equation.indices)
        for part in merged(summands(total, body, (*equation.indices, *bound))):
            for one in side_by_side(part):
                self.block += bounded(order_of(one), Accumulate(equation, one.target, "sum", one.value), one.guards)

    def shared(self, given: Sequence[Tensor]) -> list[Tensor]:
        """The tensors that more than one part touches. A number among them must be a sum."""
        found = [dict.fromkeys(a.tensor for s in part for a in accesses(s)) for part in (self.before, self.block, self.after)]
        shared = dict.fromkeys([t for t in found[1] if t in found[0] or t in found[2]] + [t for t in found[0] if t in found[2]])
        numbers = [t.name for t in shared if not t.axes and t not in self.sums and t not in given]
        if numbers:
            raise NotInBlocksError(f"{', '.join(numbers)}: a number that the examples share is computed first")
        return list(shared)


def whole_product(equation: Equation, extents: int) -> MatrixProduct | None:
    """The first sum of an equation that is a product of matrices with as many known entries (see codegen/products.py); None without one."""
    for binder in outermost_binders(equation.body):
        if isinstance(binder, Sum):
            body, bound = opened(binder, equation.indices)
            parts = summands(equation.entry, body, (*equation.indices, *bound))
            product = matrix_product(equation, parts[0], extents) if len(parts) == 1 else None
            if product is not None:
                return product
    return None


def _demand_small(equation: Equation) -> None:
    """Raise NotInBlocksError where an equation is a matrix product that one call for the whole batch does better."""
    product = whole_product(equation, CALL_PAYS)
    if product is not None:
        known = " x ".join(map(str, known_extents(product)))
        raise NotInBlocksError(
            f"({equation.number}) is a product of large matrices: {known} known entries, and from {CALL_PAYS} on one call for all is faster"
        )
