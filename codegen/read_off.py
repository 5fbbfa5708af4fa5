"""Conditions that are read off a stored value instead of the value before it.

H = where(A <= 0, 0, A) is at most 0 exactly where A is. The backward pass, which asks whether A <= 0, can ask H, which it needs anyway for
the gradients of weights; then nobody reads A after H has been computed, and H may stand in its memory (codegen/in_place.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Basic, Expr

from codegen.loops import Statement, accesses, leaves, substituted
from derive.index import Entry, Tensor
from derive.program import Equation


@dataclass(frozen=True)
class Kept:
    """before <= bound exactly where after <= bound, for the entries at the same place."""

    before: Tensor
    after: Tensor
    bound: Expr

    def in_statement(self, statement: Statement) -> Statement:
        """The statement with the condition on `after` wherever it is one on `before`."""
        return substituted(statement, self._in_expression)

    def _in_expression(self, e: Expr) -> Expr:
        found: dict[Basic, Basic] = {
            c: sp.Le(Entry(self.after, *c.lhs.indices), c.rhs)
            for c in e.atoms(sp.Le)
            if isinstance(c.lhs, Entry) and c.lhs.tensor == self.before and c.rhs == self.bound
        }
        return e.xreplace(found)


def kept(equation: Equation) -> Kept | None:
    """What the tensor of an equation says of the one that it is computed from; None where it does not say as much.

    The equation is where(x <= bound, value, x), whose value is at most the bound where x is. With NaN neither condition holds.
    """
    body = equation.body
    if not isinstance(body, sp.Piecewise) or len(body.args) != 2:
        return None
    (value, condition), (other, _) = body.args
    if not isinstance(condition, sp.Le) or not isinstance(other, Entry) or condition.lhs != other or other.indices != equation.indices:
        return None
    bound = condition.rhs
    low = bool(value <= bound) if value.is_number else bound == 0 and bool((value / other).is_number and (value / other).is_positive)
    return Kept(other.tensor, equation.tensor, bound) if bound.is_number and low else None


def read_off(statements: Sequence[Statement], fixed: Sequence[Tensor]) -> tuple[Statement, ...]:
    """The statements with conditions on other values where then nothing reads the values before any more.

    fixed: tensors that are stored in any case.
    """
    done = list(statements)
    computing: dict[Tensor, list[int]] = {}  # which statements belong to a tensor's equation, and which touch it
    touching: dict[Tensor, list[int]] = {}
    for k, statement in enumerate(statements):
        for leaf in leaves(statement):
            computing.setdefault(leaf.equation.tensor, []).append(k)
        for tensor in dict.fromkeys(a.tensor for a in accesses(statement)):
            touching.setdefault(tensor, []).append(k)
    for rule in _rules(statements):
        if rule.before in fixed:
            continue
        own = [*computing.get(rule.before, ()), *computing[rule.after]]
        others = [k for k in touching.get(rule.before, ()) if k not in own]
        changed = {k: rule.in_statement(done[k]) for k in others}
        if all(k > max(own) for k in others) and not any(a.tensor == rule.before for s in changed.values() for a in accesses(s)):
            for k, statement in changed.items():
                done[k] = statement
            touching.setdefault(rule.after, []).extend(others)
    return tuple(done)


def _rules(statements: Sequence[Statement]) -> Iterator[Kept]:
    every = dict.fromkeys(leaf.equation for s in statements for leaf in leaves(s))
    yield from (rule for equation in every if (rule := kept(equation)) is not None)
