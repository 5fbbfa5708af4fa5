"""Differentiation: a forward program to its gradients, each with the steps that lead to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from derive.algebra import cancel, cost, sum_out
from derive.compute import computed_program
from derive.index import Entry, Index, Partial, Size, Sum, Tensor, inline, rewrite, tensors
from derive.program import Derivation, Derived, Equation, Fact, Program, Step, gradient_of, with_gradients
from derive.reuse import stored
from derive.template import Renaming, canonical
from derive.terms import Term, derivative, eliminate, total


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
    solved: dict[_Task, _Steps] = field(default_factory=dict["_Task", "_Steps"])

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

    def _solve(self, task: _Task) -> _Steps:
        naming = canonical((*task.readers, *task.beside, *task.upstream), (task.tensor, task.loss))
        general = task.renamed(naming)
        if general not in self.solved:
            self.solved[general] = general.solve()
        return self.solved[general].renamed(naming.inverse)


@dataclass
class _Steps:
    """A chain of expressions, each equal to the one before by a rule."""

    indices: tuple[Index, ...]
    now: Expr
    steps: list[Step] = field(default_factory=list[Step])

    def to(self, rule: str, after: Expr, uses: tuple[str, ...] = (), because: str = "") -> None:
        if after != self.now:
            self.steps.append(Step(rule, self.now, after, self.indices, uses, because))
            self.now = after

    def renamed(self, naming: Renaming) -> _Steps:
        return _Steps(naming.indices(self.indices), naming.expr(self.now), [naming.step(s) for s in self.steps])


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

    def solve(self) -> _Steps:
        at = self.tensor.indices()
        readers = [_fresh(e) for e in self.readers]
        above = [sp.S.One if e.tensor == self.loss else gradient_of(e.tensor)[e.indices] for e in readers]
        parts = [Sum(g * Partial(e.entry, Entry(self.tensor, *at)), *e.indices) for g, e in zip(above, readers, strict=True)]
        steps = _Steps(at, sp.Add(*parts))

        def chained(local: list[list[Term]]) -> list[Term]:
            return [t.times(g).over(e.indices) for g, e, ts in zip(above, readers, local, strict=True) for t in ts]

        local = [derivative(e.body, self.tensor, at) for e in readers]
        names = tuple(e.tensor.name for e in readers)
        steps.to("local derivative", total(chained(local)), names)
        local = [[_stored(t, (e, *readers, *self.beside)) for t in terms] for e, terms in zip(readers, local, strict=True)]
        steps.to("stored value", total(chained(local)), (*names, *(e.tensor.name for e in self.beside)))
        steps.to("delta elimination", total([eliminate(t) for t in chained(local)]))
        steps.to("collect", cancel(steps.now))
        for gradient in self.upstream:
            self._substitute(steps, gradient)
        return steps

    def _substitute(self, steps: _Steps, gradient: Equation) -> None:
        """Put in an upstream gradient where the result is shorter than with its name."""
        trial = _Steps(steps.indices, steps.now)
        trial.to("substitute", inline(steps.now, gradient.tensor, gradient.indices, gradient.body), (gradient.tensor.name,))
        trial.to("delta elimination", sum_out(trial.now))
        for fact in self.facts:
            trial.to("fact", trial.now.xreplace({fact.left: fact.right}), (), fact.meaning)
        trial.to("cancel", cancel(trial.now))
        if _length(trial.now) < _length(steps.now):
            steps.steps += trial.steps
            steps.now = trial.now


def _stored(term: Term, equations: Sequence[Equation]) -> Term:
    """The term in the values that the equations store."""
    slope = term.coefficient
    for equation in equations:
        slope = stored(slope, equation)
    return replace(term, coefficient=slope)


def _length(e: Expr) -> int:
    """The cost of an expression, extents aside: 1/(N C) is a constant, and must not decide whether P (1 - P) cancels."""
    return cost(rewrite(e, lambda node: sp.S.One if isinstance(node, Size) else None))


def _fresh(equation: Equation) -> Equation:
    """The equation at indices that occur nowhere else."""
    fresh = tuple(i.axis.fresh() for i in equation.indices)
    return Equation(equation.tensor, fresh, equation.body.xreplace(dict(zip(equation.indices, fresh, strict=True))), equation.number)
