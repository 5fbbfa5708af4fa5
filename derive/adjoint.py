"""Differentiation: a forward program to its gradients, each with the steps that lead to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from derive.algebra import cancel, cost, sum_out
from derive.compute import computed_program
from derive.index import Entry, Index, Partial, Sum, Tensor, inline
from derive.program import Derivation, Derived, Equation, Program, Step, gradient_of
from derive.reuse import stored
from derive.terms import Term, derivative, eliminate, total


def differentiate(program: Program) -> Derivation:
    """Derive dL/dT for every value, parameter and input that the loss depends on.

    The loss is the program's last output. Every gradient comes with its steps: the chain rule, the local derivative of the equations
    that read T, its form in stored values, the deltas eliminated, and where it shortens the result, the upstream gradient put in.
    """
    backward = _Sweep(program).run()
    stable, computed = computed_program(program, backward)
    return Derivation(program, backward, stable, computed)


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


@dataclass
class _Sweep:
    """One reverse sweep over the equations."""

    program: Program
    done: dict[Tensor, Derived] = field(default_factory=dict[Tensor, Derived])

    def run(self) -> tuple[Derived, ...]:
        loss = self.program.outputs[-1]
        matter = self._matter(loss)
        wanted = [t for t in self._order() if t in matter]
        wanted += [t for t in self.program.parameters if t not in matter]  # their gradient is 0
        for number, tensor in enumerate(wanted, len(self.program.equations) + 1):
            self.done[tensor] = self._gradient(tensor, loss, str(number))
        return tuple(self.done.values())

    def _order(self) -> list[Tensor]:
        """Tensors in the order of their gradients: from the loss back, each layer's parameters before what it read."""
        order: list[Tensor] = []
        for equation in reversed(self.program.equations):
            reads = [t for t in equation.reads if not t.values and t not in self.program.targets]
            last = [t for t in reads if self.program.reading(t)[0] == equation]  # all later readers are done
            order += [t for t in self.program.parameters if t in last]
            order += [t for t in last if t not in self.program.parameters]
        inputs = [t for t in order if t in self.program.inputs]
        return [t for t in order if t not in inputs] + inputs

    def _matter(self, loss: Tensor) -> dict[Tensor, None]:
        """The tensors that the loss depends on."""
        found: dict[Tensor, None] = {loss: None}
        for equation in reversed(self.program.equations):
            if equation.tensor in found:
                found.update(dict.fromkeys(equation.reads))
        return found

    def _readers(self, tensor: Tensor, loss: Tensor) -> list[Equation]:
        return [e for e in self.program.reading(tensor) if e.tensor == loss or e.tensor in self.done]

    def _gradient(self, tensor: Tensor, loss: Tensor, number: str) -> Derived:
        at = tensor.indices()
        readers = [_fresh(e) for e in self._readers(tensor, loss)]
        upstream = [sp.S.One if e.tensor == loss else gradient_of(e.tensor)[e.indices] for e in readers]
        parts = [Sum(g * Partial(e.entry, Entry(tensor, *at)), *e.indices) for g, e in zip(upstream, readers, strict=True)]
        steps = _Steps(at, sp.Add(*parts))

        local = [derivative(e.body, tensor, at) for e in readers]
        names = tuple(e.tensor.name for e in readers)
        steps.to("local derivative", _chained(upstream, readers, local), names)
        beside = [e for e in self.program.reading(tensor) if e.tensor.name not in names and len(_values(e)) == 1]
        known = [[e, *beside] for e in readers]
        local = [[replace(t, coefficient=_stored(t.coefficient, es)) for t in ts] for es, ts in zip(known, local, strict=True)]
        steps.to("stored value", _chained(upstream, readers, local), (*names, *(e.tensor.name for e in beside)))
        terms = [eliminate(t.times(g).over(e.indices)) for g, e, ts in zip(upstream, readers, local, strict=True) for t in ts]
        steps.to("delta elimination", total(terms))
        steps.to("collect", cancel(steps.now))
        self._substitute(steps, readers)
        gradient = gradient_of(tensor)
        return Derived(Equation(gradient, at, steps.now, number, f"gradient of {tensor.name}"), tuple(steps.steps), tensor)

    def _substitute(self, steps: _Steps, readers: list[Equation]) -> None:
        """Put in the upstream gradients where the result is shorter than with their names."""
        for reader in readers:
            known = self.done.get(reader.tensor)
            if known is None or known.equation.body.has(Sum):
                continue
            trial = _Steps(steps.indices, steps.now)
            name = known.equation.tensor.name
            trial.to("substitute", inline(steps.now, known.equation.tensor, known.equation.indices, known.equation.body), (name,))
            trial.to("delta elimination", sum_out(trial.now))
            self._facts(trial)
            trial.to("cancel", cancel(trial.now))
            if cost(trial.now) < cost(steps.now):
                steps.steps += trial.steps
                steps.now = trial.now

    def _facts(self, steps: _Steps) -> None:
        """Use what is declared of the data."""
        for fact in self.program.facts:
            after = steps.now.replace(lambda e, f=fact: e == f.left, lambda _, f=fact: f.right)
            steps.to("fact", after, (), fact.meaning)


def _chained(upstream: list[Expr], readers: list[Equation], local: list[list[Term]]) -> Expr:
    """The chain rule with the local derivatives in place, deltas and all."""
    return total([t.times(g).over(e.indices) for g, e, ts in zip(upstream, readers, local, strict=True) for t in ts])


def _values(equation: Equation) -> list[Tensor]:
    return [t for t in equation.reads if not t.values]


def _stored(slope: Expr, equations: list[Equation]) -> Expr:
    for equation in equations:
        slope = stored(slope, equation)
    return slope


def _fresh(equation: Equation) -> Equation:
    """The equation at indices that occur nowhere else."""
    fresh = tuple(i.axis.fresh() for i in equation.indices)
    return Equation(equation.tensor, fresh, equation.body.xreplace(dict(zip(equation.indices, fresh, strict=True))), equation.number)
