"""The forward sweep: the derivatives of values along directions of what they are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp

from derive.chain import Link, Steps, solved
from derive.derivation import Derived
from derive.family import GRADIENT, Family
from derive.index import Entry, Index, Sum, Tensor
from derive.program import Equation
from derive.template import Renaming, canonical


def moving(equations: Sequence[Equation], moved: Sequence[Tensor]) -> dict[Tensor, None]:
    """The tensors that depend on the moved ones, these included. Labels and positions do not: they are steps."""
    found = dict.fromkeys(moved)
    for equation in equations:
        if not equation.tensor.values and any(t in found for t in equation.reads):
            found[equation.tensor] = None
    return found


@dataclass
class Tangents:
    """One sweep over equations, from the first to the last.

    moved: the given tensors that derivatives are taken by. family: what the derivatives are called. units: those of the moved tensors
    that are moved along every unit direction at once, the same in all examples; the family's further axes are their other axes.
    first: the number of the first equation.
    """

    equations: tuple[Equation, ...]
    moved: tuple[Tensor, ...]
    family: Family
    first: int
    units: tuple[Tensor, ...] = ()
    done: dict[Tensor, Derived] = field(default_factory=dict[Tensor, Derived])

    def run(self, ends: Sequence[Tensor]) -> tuple[Derived, ...]:
        """The derivatives of `ends`, and before them those of all that they are computed from."""
        moves = moving(self.equations, self.moved)
        wanted = self._wanted(ends, moves)
        for number, equation in enumerate(wanted, self.first):
            steps = self._solve(self._task(equation, moves))
            tensor = equation.tensor
            made = Equation(self.family.of(tensor), steps.indices, steps.now, str(number), f"derivative of {tensor.name}")
            self.done[tensor] = Derived(made, tuple(steps.steps), tensor)
        return tuple(self.done.values())

    def _wanted(self, ends: Sequence[Tensor], moves: dict[Tensor, None]) -> list[Equation]:
        """The equations that the ends depend on and that move; those of the ends in any case."""
        needed, wanted = dict.fromkeys(ends), list[Equation]()
        for equation in reversed(self.equations):
            if equation.tensor in needed and (equation.tensor in moves or equation.tensor in ends):
                wanted.append(equation)
                needed.update(dict.fromkeys(equation.reads))
        return wanted[::-1]

    def _task(self, equation: Equation, moves: dict[Tensor, None]) -> _Task:
        reads = tuple(t for t in equation.reads if t in moves)
        known = tuple(self.done[t].equation for t in reads if t in self.done)
        short = tuple(e for e in known if not e.body.has(Sum))
        units = tuple(t for t in reads if t in self.units)
        return _Task(equation, reads, units, self.family, short)

    def _solve(self, task: _Task) -> Steps:
        naming = canonical((task.equation, *task.known), (), (GRADIENT, self.family))
        return _solved(task.renamed(naming)).renamed(naming.inverse)


@dataclass(frozen=True)
class _Task:
    """All that the derivative of one equation's tensor depends on.

    reads: what it reads that moves; units: those of them that are moved along unit directions; known: derivatives of what it reads,
    where these are short enough to be put in.
    """

    equation: Equation
    reads: tuple[Tensor, ...]
    units: tuple[Tensor, ...]
    family: Family
    known: tuple[Equation, ...]

    def renamed(self, naming: Renaming) -> _Task:
        reads, units = (tuple(map(naming.tensor, ts)) for ts in (self.reads, self.units))
        known = tuple(map(naming.equation, self.known))
        return _Task(naming.equation(self.equation), reads, units, self.family.renamed(naming.axes), known)

    def solve(self) -> Steps:
        tensor = self.equation.tensor
        own, along = self.family.indices(tensor)
        equation = self.equation.at(dict(zip(self.equation.indices, own, strict=True)))
        links = [self._link(equation, t, along) for t in self.reads]
        return solved(self.family.of(tensor).indices(), links, (), self.known, ())

    def _link(self, equation: Equation, read: Tensor, along: tuple[Index, ...]) -> Link:
        at = tuple(axis.fresh() for axis in read.axes)
        if read not in self.units:
            return Link(equation, Entry(read, *at), self.family.entry(Entry(read, *at), along), at)
        unit = iter(along)
        summed = tuple(i for i in at if i.axis == self.family.examples)
        return Link(equation, Entry(read, *(i if i in summed else next(unit) for i in at)), sp.S.One, summed)


@lru_cache(maxsize=1024)
def _solved(task: _Task) -> Steps:
    """What a task comes to, of a layer and of every layer of its kind: tasks in general names are equal in all networks."""
    return task.solve()
