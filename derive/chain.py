"""The chain rule from equations to a derivative: its steps, whichever way the equations are walked.

The derivative of a loss by a tensor sums over the equations that read the tensor (derive/adjoint.py), the derivative of a tensor
along a direction over the tensors that its equation reads (derive/tangents.py). Either is a sum of links, and what is done with
such a sum is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from derive.algebra import cancel, cost, sum_out
from derive.derivation import Step
from derive.index import Entry, Index, Partial, Size, Sum, Tensor, inline, rewrite, tensors
from derive.program import Equation, Fact
from derive.reuse import stored
from derive.template import Renaming
from derive.terms import Term, derivative, eliminate, total


@dataclass
class Steps:
    """A chain of expressions, each equal to the one before by a rule."""

    indices: tuple[Index, ...]
    now: Expr
    steps: list[Step] = field(default_factory=list[Step])

    def to(self, rule: str, after: Expr, uses: tuple[str, ...] = (), because: str = "") -> None:
        if after != self.now:
            self.steps.append(Step(rule, self.now, after, self.indices, uses, because))
            self.now = after

    def renamed(self, naming: Renaming) -> Steps:
        return Steps(naming.indices(self.indices), naming.expr(self.now), [naming.step(s) for s in self.steps])


@dataclass(frozen=True)
class Link:
    """sum over `over` of factor * d(the equation's entry) / d(by)."""

    equation: Equation
    by: Entry
    factor: Expr
    over: tuple[Index, ...]

    def expr(self) -> Expr:
        return Sum(self.factor * Partial(self.equation.entry, self.by), *self.over)

    def local(self) -> list[Term]:
        at = tuple(i for i in self.by.indices if isinstance(i, Index))
        return derivative(self.equation.body, self.by.tensor, at)

    def chained(self, local: Sequence[Term]) -> list[Term]:
        return [t.times(self.factor).over(self.over) for t in local]


def solved(
    indices: tuple[Index, ...], links: Sequence[Link], beside: Sequence[Equation], known: Sequence[Equation], facts: Sequence[Fact]
) -> Steps:
    """The sum of the links as a formula, with all steps.

    beside: further equations that store functions of what is read. known: equations that are put in where that makes the result
    shorter; facts: what may be used when they are.
    """
    steps = Steps(indices, sp.Add(*[link.expr() for link in links]))

    def chained(local: list[list[Term]]) -> list[Term]:
        return [t for link, ts in zip(links, local, strict=True) for t in link.chained(ts)]

    local = [link.local() for link in links]
    equations = tuple(dict.fromkeys(link.equation for link in links))
    names = tuple(dict.fromkeys(e.tensor.name for e in equations))
    steps.to("local derivative", total(chained(local)), names)
    storing = {link.equation: dict.fromkeys((link.equation, *equations, *beside)) for link in links}
    local = [[_stored(t, storing[link.equation]) for t in terms] for link, terms in zip(links, local, strict=True)]
    steps.to("stored value", total(chained(local)), (*names, *(e.tensor.name for e in beside)))
    parts = [total([eliminate(t) for t in link.chained(ts)]) for link, ts in zip(links, local, strict=True)]
    steps.to("delta elimination", sp.Add(*parts))
    steps.to("collect", min((sp.Add(*map(cancel, parts)), cancel(steps.now)), key=cost))
    for equation in known:
        _substitute(steps, equation, facts)
    return steps


def _substitute(steps: Steps, known: Equation, facts: Sequence[Fact]) -> None:
    """Put in an equation where the result is shorter than with its name, or no longer divides by a value that the equation divides by.

    Where such a value is rounded to 0, only the result has a number for what cancels.
    """
    trial = Steps(steps.indices, steps.now)
    trial.to("substitute", inline(steps.now, known.tensor, known.indices, known.body), (known.tensor.name,))
    trial.to("delta elimination", sum_out(trial.now))
    for fact in facts:
        trial.to("fact", trial.now.xreplace({fact.left: fact.right}), (), fact.meaning)
    trial.to("cancel", cancel(trial.now))
    before, after = _divisors(steps.now) | _divisors(known.body), _divisors(trial.now)
    if _length(trial.now) < _length(steps.now) or after < before:
        steps.steps += trial.steps
        steps.now = trial.now


def _stored(term: Term, equations: Iterable[Equation]) -> Term:
    """The term in the values that the equations store."""
    slope = term.coefficient
    for equation in equations:
        slope = stored(slope, equation)
    return replace(term, coefficient=slope)


def _length(e: Expr) -> int:
    """The cost of an expression, extents aside: 1/(N C) is a constant, and must not decide whether P (1 - P) cancels."""
    return cost(rewrite(e, lambda node: sp.S.One if isinstance(node, Size) else None))


def _divisors(e: Expr) -> set[Tensor]:
    """The tensors with axes that an expression divides by."""
    below = [node.base for node in sp.preorder_traversal(e) if isinstance(node, sp.Pow) and node.exp.is_negative]
    return {tensor for base in below for tensor in tensors(base) if tensor.axes}


def fresh(equation: Equation) -> Equation:
    """The equation at indices that occur nowhere else."""
    return equation.at({i: i.axis.fresh() for i in equation.indices})
