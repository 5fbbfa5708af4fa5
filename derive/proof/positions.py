"""Index expressions as functions of where the free indices stand.

A proof reads more entries than it does anything else, so an expression is taken apart once, and asked at many places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TypeVar

import sympy as sp
from sympy import Expr

from derive.index import ArgMax, AtMost, Axis, Delta, Entry, Index, Indicator, InRange, Size
from derive.proof.meaning import At, Meaningless, Place

Looked = Callable[[Expr, At], int]
V = TypeVar("V")

CONDITIONS: Mapping[type[Indicator], Callable[[int, int], bool]] = {
    Delta: lambda first, second: first == second,
    InRange: lambda first, second: 0 <= first < second,
    AtMost: lambda first, second: first <= second,
}


def places(positions: Sequence[Expr], extents: Mapping[Axis, int], looked: Looked) -> Callable[[At], Place]:
    """The integer values of index expressions, which raise Meaningless where one has none.

    looked: the value of a label, or of the position of a maximum.
    """
    indices = [e for e in positions if isinstance(e, Index)]
    if len(indices) == len(positions):
        return _known(lambda at: tuple([at[i] for i in indices]))
    parts = [_position(e, extents, looked) for e in positions]
    return lambda at: tuple([part(at) for part in parts])


def _position(e: Expr, extents: Mapping[Axis, int], looked: Looked) -> Callable[[At], int]:
    scaled = _affine(e, extents)
    if scaled is not None:
        constant, terms = scaled
        return _known(lambda at: constant + sum([k * at[i] for k, i in terms]))
    if isinstance(e, Entry | ArgMax):
        return lambda at: looked(e, at)
    if e.is_Add or e.is_Mul:
        join = sum if e.is_Add else prod
        parts = [_position(a, extents, looked) for a in e.args]
        return lambda at: join([part(at) for part in parts])
    raise Meaningless(f"{e} is no index expression")


def _affine(e: Expr, extents: Mapping[Axis, int]) -> tuple[int, list[tuple[int, Index]]] | None:
    """A constant, and the indices that are added to it with their factors, where the expression is nothing more."""
    constant, terms = 0, list[tuple[int, Index]]()
    for term in sp.Add.make_args(e):
        factors = sp.Mul.make_args(term)
        numbers = [int(f) if isinstance(f, sp.Integer) else extents[f.axis] for f in factors if isinstance(f, sp.Integer | Size)]
        indices = [f for f in factors if isinstance(f, Index)]
        if len(numbers) + len(indices) < len(factors) or len(indices) > 1:
            return None
        if indices:
            terms.append((prod(numbers), indices[0]))
        else:
            constant += prod(numbers)
    return constant, terms


def _known(value: Callable[[At], V]) -> Callable[[At], V]:
    """A value that needs the positions of indices; Meaningless where one has none."""

    def found(at: At) -> V:
        try:
            return value(at)
        except KeyError as missing:
            raise Meaningless(f"the index {missing.args[0].label} has no value") from None

    return found


def condition(e: Indicator, extents: Mapping[Axis, int], looked: Looked) -> Callable[[At], bool]:
    """Whether the condition of an indicator holds. Raises Meaningless for an indicator of no known meaning."""
    holds = CONDITIONS.get(type(e))
    if holds is None:
        raise Meaningless(f"a {type(e).__name__} has no meaning here: {e}")
    first, second = (_position(a, extents, looked) for a in e.args)
    return lambda at: holds(first(at), second(at))
