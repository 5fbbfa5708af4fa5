"""The reverse sweep: from a tensor back to the derivatives of its entries by all that it was computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import sympy as sp

from derive.chain import Link, Steps, fresh, solved
from derive.derivation import Derived
from derive.family import GRADIENT, Family
from derive.index import Entry, Index, Sum, Tensor, tensors
from derive.program import Equation, Fact, Program
from derive.template import Renaming, canonical


@dataclass
class Sweep:
    """One sweep over the equations of a program.

    end: the tensor that is differentiated, the loss for one. family: what the derivatives are called; its further axes are those of
    the end, less the axis of examples, over which the derivatives of the end are summed. first: the number of the first equation.
    """

    program: Program
    end: Tensor
    family: Family
    first: int
    done: dict[Tensor, Derived] = field(default_factory=dict[Tensor, Derived])

    def run(self, wanted: Iterable[Tensor]) -> tuple[Derived, ...]:
        """The derivatives by some tensors, which stand in the order of `order`."""
        for number, tensor in enumerate(wanted, self.first):
            steps = self._solve(self._task(tensor))
            equation = Equation(self.family.of(tensor), steps.indices, steps.now, str(number), self._note(tensor))
            self.done[tensor] = Derived(equation, tuple(steps.steps), tensor)
        return tuple(self.done.values())

    def order(self) -> list[Tensor]:
        """What the end depends on, in the order of the derivatives: from the end back, parameters before what their equation read."""
        program, order = self.program, list[Tensor]()
        matter = self._matter()
        for equation in reversed(program.equations):
            reads = [t for t in equation.reads if not t.values and t in program.varying]
            last = [t for t in reads if program.reading(t)[0] == equation]  # all later readers are done
            order += [t for t in program.parameters if t in last]
            order += [t for t in last if t not in program.parameters]
        inputs = [t for t in order if t in program.inputs]
        return [t for t in (*(t for t in order if t not in inputs), *inputs) if t in matter and t != self.end]

    def unused(self) -> list[Tensor]:
        """The parameters that the end does not depend on: their derivative is 0."""
        matter = self._matter()
        return [t for t in self.program.parameters if t not in matter]

    def _matter(self) -> dict[Tensor, None]:
        """The tensors that the end depends on."""
        found: dict[Tensor, None] = {self.end: None}
        for equation in reversed(self.program.equations):
            if equation.tensor in found:
                found.update(dict.fromkeys(equation.reads))
        return found

    def _note(self, tensor: Tensor) -> str:
        return f"derivative of {self.end.name} by {tensor.name}" if self.family != GRADIENT else f"gradient of {tensor.name}"

    def _task(self, tensor: Tensor) -> _Task:
        reading = self.program.reading(tensor)
        readers = tuple(e for e in reading if e.tensor == self.end or e.tensor in self.done)
        beside = tuple(e for e in reading if e not in readers and sum(not t.values for t in e.reads) == 1)
        upstream = tuple(self.done[e.tensor].equation for e in readers if e.tensor in self.done)
        short = tuple(e for e in upstream if not e.body.has(Sum))  # a sum that is put in would be computed again and again
        facts = self.program.facts if any(set(tensors(f.left)) & set(e.reads) for f in self.program.facts for e in short) else ()
        return _Task(tensor, self.end, self.family, readers, beside, short, facts)

    def _solve(self, task: _Task) -> Steps:
        naming = canonical((*task.readers, *task.beside, *task.upstream), (task.tensor, task.end), (self.family,))
        return _solved(task.renamed(naming)).renamed(naming.inverse)


@dataclass(frozen=True)
class _Task:
    """All that the derivative by one tensor depends on.

    readers: the equations that read the tensor on the way to the end; beside: others that store a function of it alone;
    upstream: derivatives by what the readers define, where these are short enough to be put in.
    """

    tensor: Tensor
    end: Tensor
    family: Family
    readers: tuple[Equation, ...]
    beside: tuple[Equation, ...]
    upstream: tuple[Equation, ...]
    facts: tuple[Fact, ...]

    def renamed(self, naming: Renaming) -> _Task:
        readers, beside, upstream = (tuple(naming.equation(e) for e in es) for es in (self.readers, self.beside, self.upstream))
        facts = tuple(naming.fact(f) for f in self.facts)
        family = self.family.renamed(naming.axes)
        return _Task(naming.tensor(self.tensor), naming.tensor(self.end), family, readers, beside, upstream, facts)

    def solve(self) -> Steps:
        own, along = self.family.indices(self.tensor)
        by = Entry(self.tensor, *own)
        links = [self._link(fresh(e), by, along) for e in self.readers]
        return solved(self.family.of(self.tensor).indices(), links, self.beside, self.upstream, self.facts)

    def _link(self, reader: Equation, by: Entry, along: tuple[Index, ...]) -> Link:
        if reader.tensor != self.end:
            return Link(reader, by, self.family.entry(reader.entry, along), reader.indices)
        at = iter(along)
        summed = tuple(i for i in reader.indices if i.axis == self.family.examples)
        places = {i: next(at) for i in reader.indices if i not in summed}
        return Link(reader.at(places), by, sp.S.One, summed)


@lru_cache(maxsize=1024)
def _solved(task: _Task) -> Steps:
    """What a task comes to, of a layer and of every layer of its kind: tasks in general names are equal in all networks."""
    return task.solve()
