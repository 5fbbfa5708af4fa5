"""What each node of an expression means, one function a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Basic, Expr

from derive.domains.number import Number, Outside
from derive.functions import AtLeast
from derive.index import ArgMax, AtMost, Delta, Entry, Index, Indicator, InRange, Max, Partial, Size, Sum

if TYPE_CHECKING:
    from derive.proof.interpret import Interpreter

Place = tuple[int, ...]
At = Mapping[Index, int]


class Meaningless(Exception):
    """An expression that has no value: it reads past the end of a tensor, or holds a node of no known meaning."""


class LeftOut(Meaningless):
    """Minus infinity: what a maximum takes no part of."""


def _add(run: Interpreter, e: Expr, at: At) -> Number:
    first, *others = e.args
    total = run.value(first, at)
    for term in others:
        total = total + run.value(term, at)
    return total


def _mul(run: Interpreter, e: Expr, at: At) -> Number:
    """A product. Indicators come first: where one is 0 the other factors may read past the end of a tensor."""
    factors: list[Expr] = []
    for factor in e.args:
        if not isinstance(factor, Indicator):
            factors.append(factor)
        elif not run.indicates(factor, at):
            return run.number(sp.S.Zero)
    product = run.value(factors[0], at) if factors else run.number(sp.S.One)
    for factor in factors[1:]:
        product = product * run.value(factor, at)
    return product


def _pow(run: Interpreter, e: Expr, at: At) -> Number:
    base, exponent = e.args
    if not isinstance(exponent, sp.Rational):
        raise Meaningless(f"the power {exponent} is no number")
    return run.value(base, at).power(Fraction(exponent.p, exponent.q))


def _tanh(run: Interpreter, e: Expr, at: At) -> Number:
    """tanh(x) = 1 - 2 / (exp(2x) + 1)."""
    one, two = run.number(sp.S.One), run.number(sp.Integer(2))
    return one + -(two * ((two * run.value(e.args[0], at)).exp() + one).reciprocal())


def _sign(run: Interpreter, e: Expr, at: At) -> Number:
    order = run.value(e.args[0], at).compare(run.number(sp.S.Zero))
    _record(run, e, order)
    return run.number(sp.Integer(order))


def _abs(run: Interpreter, e: Expr, at: At) -> Number:
    """|x| = x sign(x), so that its derivative at 0 is 0."""
    return run.value(e.args[0], at) * _sign(run, e, at)


def _piecewise(run: Interpreter, e: sp.Piecewise, at: At) -> Number:
    for branch, (value, condition) in enumerate(e.args):
        if run.holds(condition, at):
            run.reached.setdefault(e, set()).add(branch)
            return run.value(value, at)
    raise Meaningless(f"no branch of {e} holds")


def _at_least(run: Interpreter, e: Expr, at: At) -> Number:
    value, bound = (run.value(a, at) for a in e.args)
    order = value.compare(bound)
    if e.args[1] not in run.floors:
        _record(run, e, order)
    elif order < 0:
        raise Outside("a declared floor binds")
    return value if order >= 0 else bound


def _record(run: Interpreter, e: Expr, order: int) -> None:
    branches = run.reached.setdefault(e, set())
    if order:
        branches.add(0 if order > 0 else 1)


def branches(e: Expr) -> list[Basic]:
    """The conditions of the branches of a formula by cases, in the order of their numbers."""
    if isinstance(e, sp.Piecewise):
        return [condition for _, condition in e.args]
    bound = e.args[1] if isinstance(e, AtLeast) else sp.S.Zero
    return [sp.Gt(e.args[0], bound), sp.Lt(e.args[0], bound)]


def _indicator(run: Interpreter, e: Indicator, at: At) -> Number:
    return run.number(sp.S.One if run.indicates(e, at) else sp.S.Zero)


def _position(run: Interpreter, e: Expr, at: At) -> Number:
    return run.domain.constant(Fraction(run.position(e, at)))


def _entry(run: Interpreter, e: Entry, at: At) -> Number:
    return _position(run, e, at) if e.tensor.values else run.entry(e, at)


def _exp(run: Interpreter, e: Expr, at: At) -> Number:
    return run.value(e.args[0], at).exp()


def _log(run: Interpreter, e: Expr, at: At) -> Number:
    return run.value(e.args[0], at).log()


def _erf(run: Interpreter, e: Expr, at: At) -> Number:
    return run.value(e.args[0], at).erf()


def _pi(run: Interpreter, _node: Expr, _at: At) -> Number:
    return run.domain.pi()


def _left_out(_run: Interpreter, _node: Expr, _at: At) -> Number:
    raise LeftOut("minus infinity outside of a maximum")


def _e(run: Interpreter, _node: Expr, _at: At) -> Number:
    return run.number(sp.S.One).exp()


def _sum(run: Interpreter, e: Sum, at: At) -> Number:
    return run.total(e, at)


def _max(run: Interpreter, e: Max, at: At) -> Number:
    return run.largest(e, at)[0]


def _partial(run: Interpreter, e: Partial, at: At) -> Number:
    return run.partial(e.of, e.by, at)


MEANINGS: Mapping[type[Basic], Callable[..., Number]] = {
    sp.Add: _add,
    sp.Mul: _mul,
    sp.Pow: _pow,
    sp.Piecewise: _piecewise,
    sp.exp: _exp,
    sp.log: _log,
    sp.erf: _erf,
    sp.tanh: _tanh,
    sp.Abs: _abs,
    sp.sign: _sign,
    AtLeast: _at_least,
    type(sp.pi): _pi,
    type(sp.E): _e,
    type(sp.S.NegativeInfinity): _left_out,
    Entry: _entry,
    Index: _position,
    Size: _position,
    ArgMax: _position,
    Delta: _indicator,
    InRange: _indicator,
    AtMost: _indicator,
    Sum: _sum,
    Max: _max,
    Partial: _partial,
}

CONDITIONS: Mapping[type[sp.Rel], Callable[[int], bool]] = {
    sp.Lt: lambda order: order < 0,
    sp.Le: lambda order: order <= 0,
    sp.Gt: lambda order: order > 0,
    sp.Ge: lambda order: order >= 0,
    sp.Eq: lambda order: order == 0,
    sp.Ne: lambda order: order != 0,
}
