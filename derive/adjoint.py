"""Differentiation: a forward program to its gradients, each with the steps that lead to it."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from derive.chain import Link, Steps, fresh, solved
from derive.compute import computed_program
from derive.index import Entry, Sum, Tensor, tensors
from derive.program import Derivation, Derived, Equation, Fact, Program, gradient_of, with_gradients
from derive.template import Renaming, canonical


def differentiate(program: Program) -> Derivation:
    """Derive dL/dT for every value, parameter and input that the loss depends on.

    The loss is the program's last output. Every gradient comes with its steps: the chain rule, the local derivative of the equations
    that read T, its form in stored values, the deltas eliminated, and where it shortens the result, the upstream gradient put in.
    Equations that differ only in names are differentiated once. Raises ProgramError where a tensor has the name of a gradient.
    """
    backward = _Sweep(program).run()
    stable, computed = computed_program(with_gradients(program, backward))
    return Derivation(program, backward, stable, computed)


@dataclass
class _Sweep:
    """One reverse sweep over the equations."""

    program: Program
    done: dict[Tensor, Derived] = field(default_factory=dict[Tensor, Derived])
    solved: dict[_Task, Steps] = field(default_factory=dict["_Task", "Steps"])

    def run(self) -> tuple[Derived, ...]:
        matter = self._matter()
        wanted = [t for t in self._order() if t in matter]
        wanted += [t for t in self.program.parameters if t not in matter]  # their gradient is 0
        for number, tensor in enumerate(wanted, len(self.program.equations) + 1):
            steps = self._solve(self._task(tensor))
            equation = Equation(gradient_of(tensor), steps.indices, steps.now, str(number), f"gradient of {tensor.name}")
            self.done[tensor] = Derived(equation, tuple(steps.steps), tensor)
        return tuple(self.done.values())

    def _order(self) -> list[Tensor]:
        """Tensors in the order of their gradients: from the loss back, each layer's parameters before what it read."""
        order: list[Tensor] = []
        for equation in reversed(self.program.equations):
            reads = [t for t in equation.reads if not t.values and t not in (*self.program.targets, *self.program.fixed)]
            last = [t for t in reads if self.program.reading(t)[0] == equation]  # all later readers are done
            order += [t for t in self.program.parameters if t in last]
            order += [t for t in last if t not in self.program.parameters]
        inputs = [t for t in order if t in self.program.inputs]
        return [t for t in order if t not in inputs] + inputs

    def _matter(self) -> dict[Tensor, None]:
        """The tensors that the loss depends on."""
        found: dict[Tensor, None] = {self.program.outputs[-1]: None}
        for equation in reversed(self.program.equations):
            if equation.tensor in found:
                found.update(dict.fromkeys(equation.reads))
        return found

    def _task(self, tensor: Tensor) -> _Task:
        loss = self.program.outputs[-1]
        reading = self.program.reading(tensor)
        readers = tuple(e for e in reading if e.tensor == loss or e.tensor in self.done)
        beside = tuple(e for e in reading if e not in readers and sum(not t.values for t in e.reads) == 1)
        upstream = tuple(self.done[e.tensor].equation for e in readers if e.tensor in self.done)
        short = tuple(e for e in upstream if not e.body.has(Sum))  # a sum that is put in would be computed again and again
        facts = self.program.facts if any(set(tensors(f.left)) & set(e.reads) for f in self.program.facts for e in short) else ()
        return _Task(tensor, loss, readers, beside, short, facts)

    def _solve(self, task: _Task) -> Steps:
        naming = canonical((*task.readers, *task.beside, *task.upstream), (task.tensor, task.loss))
        general = task.renamed(naming)
        if general not in self.solved:
            self.solved[general] = general.solve()
        return self.solved[general].renamed(naming.inverse)


@dataclass(frozen=True)
class _Task:
    """All that the gradient of one tensor depends on.

    readers: the equations that read the tensor on the way to the loss; beside: others that store a function of it alone;
    upstream: gradients of what the readers define, where these are short enough to be put in.
    """

    tensor: Tensor
    loss: Tensor
    readers: tuple[Equation, ...]
    beside: tuple[Equation, ...]
    upstream: tuple[Equation, ...]
    facts: tuple[Fact, ...]

    def renamed(self, naming: Renaming) -> _Task:
        readers, beside, upstream = (tuple(naming.equation(e) for e in es) for es in (self.readers, self.beside, self.upstream))
        facts = tuple(naming.fact(f) for f in self.facts)
        return _Task(naming.tensor(self.tensor), naming.tensor(self.loss), readers, beside, upstream, facts)

    def solve(self) -> Steps:
        at = self.tensor.indices()
        by = Entry(self.tensor, *at)
        readers = [fresh(e) for e in self.readers]
        above = [sp.S.One if e.tensor == self.loss else gradient_of(e.tensor)[e.indices] for e in readers]
        links = [Link(e, by, g, e.indices) for e, g in zip(readers, above, strict=True)]
        return solved(at, links, self.beside, self.upstream, self.facts)
