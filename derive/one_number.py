"""An index expression as a function of one number: the formula at one position, with fixed values for all but one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import sympy as sp
from mpmath import mpf
from sympy import Expr
from sympy.core.relational import Relational

from derive.functions import AtLeast, Stable
from derive.index import AtMost, Axis, Delta, Entry, Index, Indicator, InRange, Max, Size, Sum
from derive.program import Equation
from derive.rounded import TRUE, Arithmetic, NoValue

X = sp.Symbol("x", real=True)
Place = tuple[int, ...]
At = Mapping[Index, int]
Function = Callable[[Arithmetic, mpf], mpf]


@dataclass(frozen=True)
class Sample:
    """What a formula is evaluated at: the one entry `free` of a tensor is the variable, and every other entry has a fixed value.

    extents: the positions of every axis. values: of all entries of a tensor but the free one, by its name; labels are positions.
    equations: what is put in for a tensor, by its name. peaks: the axis and the position at which alone a tensor has its value; it is 0
    elsewhere.
    """

    extents: Mapping[Axis, int]
    values: Mapping[str, int]
    equations: Mapping[str, Equation]
    free: tuple[str, Place] | None
    peaks: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


def function_of(e: Expr, at: At, sample: Sample) -> Function:
    """An expression at a position of its indices, as a function of the free entry. Raises NoValue where it has none."""
    if e == X:
        return lambda _, x: x
    if isinstance(e, sp.Number | sp.NumberSymbol):
        return _constant(e)
    if isinstance(e, Size | Index):
        return _constant(sp.Integer(_position(e, at, sample)))
    if isinstance(e, Entry):
        return _entry(e, at, sample)
    if isinstance(e, sp.Piecewise):
        return _branches(e, at, sample)
    if isinstance(e, Sum | Max):
        body, bound = e.open()
        places = product(*[range(sample.extents[i.axis]) for i in bound])
        every = [function_of(body, {**at, **dict(zip(bound, place, strict=True))}, sample) for place in places]
        return _folded(_add if isinstance(e, Sum) else _larger, every)
    if isinstance(e, sp.Mul):
        return _product(e, at, sample)
    inner = [function_of(a, at, sample) for a in e.args]
    if isinstance(e, sp.Add):
        return _folded(_add, inner)
    if isinstance(e, AtLeast):
        return _folded(_larger, inner)
    if isinstance(e, sp.Pow):
        return _power(inner[0], e.exp)
    if len(inner) != 1:
        raise NoValue(type(e).__name__)
    kind = type(e)
    if issubclass(kind, Stable):
        meaning = function_of(kind.definition(X), {}, Sample({}, {}, {}, None))  # computed in many digits and rounded once
        return lambda arithmetic, x: arithmetic.rounded(meaning(TRUE, TRUE.rounded(inner[0](arithmetic, x))))
    return lambda arithmetic, x: arithmetic.apply(kind, inner[0](arithmetic, x))


def _entry(e: Entry, at: At, sample: Sample) -> Function:
    place = tuple(_position(i, at, sample) for i in e.indices)
    name = e.tensor.name
    if any(not 0 <= p < sample.extents[axis] for p, axis in zip(place, e.tensor.axes, strict=True)):
        raise NoValue(f"{name} outside of its shape")
    if (name, place) == sample.free:
        return lambda _, x: x
    equation = sample.equations.get(name)
    if equation is not None:
        return function_of(equation.body, dict(zip(equation.indices, place, strict=True)), sample)
    if name not in sample.values:
        raise NoValue(name)
    peak = sample.peaks.get(name)
    return _constant(sp.Integer(sample.values[name] if peak is None or place[peak[0]] == peak[1] else 0))


def _constant(e: Expr) -> Function:
    @cache
    def known(arithmetic: Arithmetic) -> mpf:
        return arithmetic.number(e)

    return lambda arithmetic, _: known(arithmetic)


def _position(e: Expr, at: At, sample: Sample) -> int:
    """The value of an index expression."""
    if isinstance(e, Index):
        return at[e]
    if isinstance(e, Size):
        return sample.extents[e.axis]
    if isinstance(e, sp.Integer):
        return int(e)
    if isinstance(e, Entry) and e.tensor.name in sample.values:
        return sample.values[e.tensor.name]
    if isinstance(e, sp.Add):
        return sum(_position(a, at, sample) for a in e.args)
    if isinstance(e, sp.Mul):
        found = 1
        for a in e.args:
            found *= _position(a, at, sample)
        return found
    raise NoValue(type(e).__name__)


def _indicates(e: Indicator, at: At, sample: Sample) -> bool:
    left, right = (_position(a, at, sample) for a in e.args)
    match e:
        case Delta():
            return left == right
        case InRange():
            return 0 <= left < right
        case AtMost():
            return left <= right
        case _:
            raise NoValue(type(e).__name__)


def _product(e: sp.Mul, at: At, sample: Sample) -> Function:
    """An indicator that is 0 makes the product 0, whatever its other factors are."""
    guards = [f for f in e.args if isinstance(f, Indicator)]
    if not all(_indicates(g, at, sample) for g in guards):
        return _constant(sp.S.Zero)
    factors = [function_of(f, at, sample) for f in e.args if not isinstance(f, Indicator)]
    return _folded(_times, factors or [_constant(sp.S.One)])


def _folded(operation: Callable[[Arithmetic, mpf, mpf], mpf], parts: list[Function]) -> Function:
    first, *others = parts

    def folded(arithmetic: Arithmetic, x: mpf) -> mpf:
        found = first(arithmetic, x)
        for part in others:
            found = operation(arithmetic, found, part(arithmetic, x))
        return found

    return folded


def _add(arithmetic: Arithmetic, a: mpf, b: mpf) -> mpf:
    return arithmetic.keep(a + b)


def _times(arithmetic: Arithmetic, a: mpf, b: mpf) -> mpf:
    return arithmetic.keep(a * b)


def _larger(arithmetic: Arithmetic, a: mpf, b: mpf) -> mpf:
    return arithmetic.nan if a != a or b != b else a if a >= b else b


def _power(base: Function, exponent: Expr) -> Function:
    """Whole powers by products, halves by roots, negative ones by a division."""
    if not isinstance(exponent, sp.Rational) or exponent.q > 2:
        raise NoValue("power")
    times, halved, below = abs(int(exponent.p)), exponent.q == 2, bool(exponent.is_negative)

    def raised(arithmetic: Arithmetic, x: mpf) -> mpf:
        one = base(arithmetic, x)
        one = arithmetic.root(one) if halved else one
        found = one
        for _ in range(times - 1):
            found = arithmetic.keep(found * one)
        return arithmetic.inverse(found) if below else found

    return raised


def _branches(e: sp.Piecewise, at: At, sample: Sample) -> Function:
    """The first branch that holds."""
    made = list(_pieces(e, at, sample))

    def chosen(arithmetic: Arithmetic, x: mpf) -> mpf:
        return next((branch(arithmetic, x) for holds, branch in made if holds(arithmetic, x)), arithmetic.nan)

    return chosen


def _pieces(e: sp.Piecewise, at: At, sample: Sample) -> Iterator[tuple[Callable[[Arithmetic, mpf], bool], Function]]:
    """Conditions and branches; a branch behind a comparison of positions that fails is never looked at."""
    for branch, condition in e.args:
        if isinstance(condition, Relational):
            if not condition.has(Entry, X):
                left, right = (sp.Integer(_position(side, at, sample)) for side in condition.args)
                if condition.func(left, right) != sp.true:
                    continue
                yield (lambda _, __: True), function_of(branch, at, sample)
                return
            yield _comparison(condition, at, sample), function_of(branch, at, sample)
        elif condition == sp.true:
            yield (lambda _, __: True), function_of(branch, at, sample)
            return
        else:
            raise NoValue(type(condition).__name__)


def _comparison(condition: Relational, at: At, sample: Sample) -> Callable[[Arithmetic, mpf], bool]:
    left, right = (function_of(side, at, sample) for side in condition.args)
    compare = RELATIONS[type(condition)]
    return lambda arithmetic, x: compare(left(arithmetic, x), right(arithmetic, x))


RELATIONS: Mapping[type[Relational], Callable[[mpf, mpf], bool]] = {
    sp.Lt: lambda a, b: a < b, sp.Le: lambda a, b: a <= b, sp.Gt: lambda a, b: a > b, sp.Ge: lambda a, b: a >= b,
    sp.Eq: lambda a, b: a == b, sp.Ne: lambda a, b: a != b and a == a and b == b,
}  # fmt: skip
