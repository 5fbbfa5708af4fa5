"""Interval arithmetic in float64, rounded outwards: a pair that encloses every value of an expression on an interval of its variable.

Every operation is widened by a unit in the last place or more, so an enclosure stays one whatever the rounding was (Moore 1966). What
has no enclosure here (a function that is not known, a number divided by an interval with 0 inside) is the whole line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import sympy as sp
from sympy import Basic, Expr
from sympy.core.relational import Relational

Interval = tuple[float, float]
Enclosure = Callable[[Interval], Interval]
LINE: Interval = (-math.inf, math.inf)
ULPS = 4  # that the functions of Python's `math` are taken to be off at most


class NoEnclosure(Exception):
    """An expression holds a function that interval arithmetic does not know here."""


def enclosure(e: Expr, variable: sp.Symbol) -> Enclosure:
    """The function that gives, for an interval of the variable, one that holds every value of the expression. Raises NoEnclosure."""
    if e == variable:
        return lambda at: at
    if isinstance(e, sp.Number | sp.NumberSymbol):
        fixed = _wider((float(e), float(e))) if not e.is_Integer else (float(e), float(e))
        return lambda _: fixed
    if isinstance(e, sp.Piecewise):
        return _branches(e, variable)
    inner = [enclosure(a, variable) for a in e.args]
    if isinstance(e, sp.Add):
        return lambda at: _folded(_add, [f(at) for f in inner])
    if isinstance(e, sp.Mul):
        return lambda at: _folded(_times, [f(at) for f in inner])
    if isinstance(e, sp.Pow):
        return _power(inner[0], e.exp)
    if isinstance(e, sp.Abs):
        return lambda at: magnitude(inner[0](at))
    if isinstance(e, sp.sign):
        return lambda at: _sign(inner[0](at))
    function = INCREASING.get(type(e))
    if function is None:
        raise NoEnclosure(type(e).__name__)
    return lambda at: _wider(_ends(function, inner[0](at)), ULPS)


def _ends(function: Callable[[float], float], at: Interval) -> Interval:
    return (_apply(function, at[0]), _apply(function, at[1]))


def _sign(at: Interval) -> Interval:
    low, high = at
    return (float(-1 if low < 0 else int(low > 0)), float(1 if high > 0 else -int(high < 0)))


def magnitude(found: Interval) -> Interval:
    """The absolute values of an interval."""
    low, high = found
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))


def _apply(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except OverflowError:
        return math.inf
    except ValueError:  # outside of the domain, or at a pole on its edge
        return -math.inf


INCREASING: Mapping[type[Basic], Callable[[float], float]] = {sp.exp: math.exp, sp.log: math.log, sp.tanh: math.tanh, sp.erf: math.erf}


def _wider(found: Interval, ulps: int = 1) -> Interval:
    low, high = found
    if math.isnan(low) or math.isnan(high):
        return LINE
    for _ in range(ulps):
        low, high = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
    return (low, high)


def _folded(operation: Callable[[Interval, Interval], Interval], arguments: list[Interval]) -> Interval:
    found = arguments[0]
    for argument in arguments[1:]:
        found = operation(found, argument)
    return found


def _add(a: Interval, b: Interval) -> Interval:
    return _wider((a[0] + b[0], a[1] + b[1]))


def _times(a: Interval, b: Interval) -> Interval:
    """0 times an end that is infinite is 0: the factors themselves are finite."""
    ends = [0.0 if x == 0 or y == 0 else x * y for x in a for y in b]
    exact = a == (0.0, 0.0) or b == (0.0, 0.0)
    return (0.0, 0.0) if exact else _wider((min(ends), max(ends)))


def _power(inner: Enclosure, exponent: Expr) -> Enclosure:
    """A power with a fixed exponent: whole, or of a base that is not negative."""
    if not exponent.is_number:
        raise NoEnclosure("power with a varying exponent")
    whole, size, below = bool(exponent.is_Integer), abs(float(exponent)), bool(exponent.is_negative)

    def raised(at: Interval) -> Interval:
        low, high = base = inner(at)
        if whole and size % 2 == 0:
            low, high = magnitude(base)
        elif not whole and high < 0:
            raise NoEnclosure("root of a negative number")
        elif not whole:
            low = max(low, 0.0)
        found = base if size == 1 else _wider((_raised(low, size), _raised(high, size)), ULPS)
        return _inverse(found) if below else found

    return raised


def _raised(x: float, n: float) -> float:
    try:
        return x**n
    except OverflowError:
        return -math.inf if x < 0 else math.inf


def _inverse(found: Interval) -> Interval:
    low, high = found
    if low < 0 < high or low == high == 0:
        return LINE
    return _wider((-math.inf if high == 0 else 1 / high, math.inf if low == 0 else 1 / low))


def _branches(e: sp.Piecewise, variable: sp.Symbol) -> Enclosure:
    """The branch that holds on the whole interval, or the hull of those that may hold somewhere on it."""
    pieces = [(enclosure(branch, variable), holding(condition, variable)) for branch, condition in e.args]

    def hull(at: Interval) -> Interval:
        low, high = math.inf, -math.inf
        for branch, holding in pieces:
            holds = holding(at)
            if holds is False:
                continue
            found = branch(at)
            low, high = min(low, found[0]), max(high, found[1])
            if holds:
                break
        return (low, high) if low <= high else LINE

    return hull


def holding(condition: Basic, variable: sp.Symbol) -> Callable[[Interval], bool | None]:
    """Whether a comparison holds for every value of the variable, for none, or not known (None)."""
    if not isinstance(condition, Relational):
        always = condition == sp.true
        return lambda _: always
    sides = [enclosure(side, variable) for side in (condition.lhs, condition.rhs)]
    if isinstance(condition, sp.Gt | sp.Ge):
        sides.reverse()
    ordered, different = isinstance(condition, sp.Lt | sp.Gt | sp.Le | sp.Ge), isinstance(condition, sp.Ne)

    def holds(at: Interval) -> bool | None:
        (a, b), (c, d) = (side(at) for side in sides)
        if ordered:
            return True if b < c else False if a > d else None
        return different if b < c or a > d else None

    return holds
