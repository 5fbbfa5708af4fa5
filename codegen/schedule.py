"""A program to the kernels of a module: which equations each needs, in what loops, on what arrays.

Everything is decided from the equations and the extents of their axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codegen.flat import flattened
from codegen.fusion import contracted, fused, tracked_once
from codegen.in_place import in_place
from codegen.logarithms import one_logarithm
from codegen.loops import Demand, Statement, accesses, entries, nested, with_entries
from codegen.nests import statements
from codegen.order import loop_order
from codegen.read_off import read_off
from codegen.registers import in_registers, reordered
from codegen.short import divided, summed_apart
from codegen.unroll import together
from codegen.views import LINE, Size, View, laid_out
from derive.index import Axis, Entry, Tensor
from derive.program import Equation, Program, needed


@dataclass(frozen=True)
class Range:
    """The numbers low <= x <= high that a tensor's entries must lie in, and why."""

    low: int
    high: int
    why: str


@dataclass(frozen=True)
class Kernel:
    """The statements that compute some outputs of a program, and the arrays that they work on."""

    body: tuple[Statement, ...]
    given: tuple[Tensor, ...]  # given tensors that it reads
    workspace: tuple[View, ...]  # intermediate arrays, in one flat vector

    @property
    def work(self) -> Size:
        """The length of the workspace."""
        return self.workspace[-1].stop if self.workspace else Size()


def kernel(program: Program, outputs: Sequence[Tensor], ranges: Mapping[Tensor, Range]) -> Kernel:
    """The kernel that computes the outputs of a program; those with axes are arrays of the caller's.

    ranges: what the entries of some tensors must lie in.
    """
    wanted = needed(program.equations, outputs)
    flat = flattened(replace(program, equations=wanted, outputs=()))
    taken = {t.name for t in program.given} | {e.tensor.name for e in (*program.equations, *flat)} | {a.name for a in program.axes}
    scheduled = [s for e in flat for s in _with_demand(e, ranges, taken)]
    body = finished(read_off(scheduled, (*outputs, *program.given)), (*outputs, *program.given), taken)
    used = tuple(dict.fromkeys(a.tensor for s in body for a in accesses(s)))
    arrays = [t for t in used if t.axes and t not in program.given and t not in outputs]
    real = {t: Tensor(t.name, t.axes) for t in arrays if t.values}  # positions are kept among real numbers
    arrays = [real.get(t, t) for t in arrays]
    if real:
        body = tuple(with_entries(s, lambda e: Entry(real.get(e.tensor, e.tensor), *e.indices)) for s in body)
    return Kernel(body, tuple(t for t in program.given if t in used), laid_out(arrays, in_place(body, arrays), LINE))


def finished(scheduled: Sequence[Statement], kept: Sequence[Tensor], taken: set[str]) -> tuple[Statement, ...]:
    """The statements of single equations as the code of all of them; the arrays that are `kept` keep their axes."""
    return _in_variables(tracked_once(fused(scheduled)), kept, taken)


def block_finished(
    scheduled: Sequence[Statement], kept: Sequence[Tensor], taken: set[str], inside: Axis, large: set[str]
) -> tuple[Statement, ...]:
    """The same for a part of a kernel in blocks, whose loops over the examples, the axis `inside`, stay innermost.

    large: the names of tensors of which a product over a block has one logarithm.
    """
    loops = summed_apart(tracked_once(fused(divided(scheduled, kept, taken, inside))), inside)
    loops = one_logarithm(loops, large, taken, inside)
    return together(_in_variables(loops, kept, taken), inside)


def _in_variables(statements: Sequence[Statement], kept: Sequence[Tensor], taken: set[str]) -> tuple[Statement, ...]:
    """The statements with what lives for one iteration alone, and sums, in variables."""
    return tuple(reordered(s) for s in in_registers(contracted(statements, kept, taken), taken))


def run_time_axis(program: Program) -> Axis:
    """The axis of examples: the only one whose extent is unknown. Raises ValueError when there is none, or more than one."""
    found = [a for a in program.axes if a.extent is None]
    if len(found) != 1:
        raise ValueError(f"{program.name}: code needs one axis with an extent known only at run time, found {[a.name for a in found]}")
    return found[0]


def _with_demand(equation: Equation, ranges: Mapping[Tensor, Range], taken: set[str]) -> tuple[Statement, ...]:
    """The statements of an equation, and the check of what they computed where its entries must lie in a range."""
    done = statements(equation, taken)
    within = ranges.get(equation.tensor)
    if within is None:
        return done
    order = loop_order(equation.indices, (), tuple(entries(equation.entry)))
    return (*done, *nested(order, Demand(equation, equation.entry, within.low, within.high, within.why)))
