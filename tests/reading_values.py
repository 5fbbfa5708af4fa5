"""What the parts of a formula are: matrices of entries, a number one of 1 by 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from derive.index import Axis, Delta, Entry, Index, Partial, Sum, Tensor

ANY = "any"  # as many as the place demands: the rows of a column of ones
Side = Axis | str | None


class NotRead(Exception):
    """A formula that says something this reader has no meaning for."""


@dataclass(frozen=True)
class Value:
    """A matrix: its axes (None: one row, one column), and the entry at given indices.

    whole: the tensor that it is the gradient by, or the pair of tensors of a derivative, where it stands in a product of derivatives.
    """

    rows: Side
    columns: Side
    at: Callable[[Index | None, Index | None], Expr]
    whole: Tensor | tuple[Tensor, Tensor] | None = None
    entries: Callable[[tuple[Index, ...]], Expr] | None = None

    def mapped(self, function: Callable[[Expr], Expr]) -> Value:
        """The same matrix with a function of every entry."""
        return Value(self.rows, self.columns, lambda r, c: function(self.at(r, c)))


def number(e: Expr) -> Value:
    return Value(None, None, lambda _r, _c: e)


def scaled(value: Value, sign: int) -> Value:
    return value if sign == 1 else value.mapped(lambda x: -x)


def is_number(value: Value) -> bool:
    return value.rows is None and value.columns is None


def entrywise(a: Value, b: Value, function: Callable[[Expr, Expr], Expr]) -> Value:
    """A function of two matrices of the same shape, or of a matrix and a number."""
    rows, columns = joined(a, b, "rows"), joined(a, b, "columns")

    def at(r: Index | None, c: Index | None) -> Expr:
        first, second = (v.at(None, None) if is_number(v) else v.at(r, c) for v in (a, b))
        return function(first, second)

    return Value(rows, columns, at)


def joined(a: Value, b: Value, name: str) -> Side:
    first, second = getattr(a, name), getattr(b, name)
    if is_number(a) or first == ANY:
        return second
    if is_number(b) or second in (first, ANY):
        return first
    raise NotRead(f"matrices of different shapes: {first} and {second} {name}")


def times(a: Value, b: Value) -> Value:
    """The product of two matrices, of a number and a matrix, or of a gradient and a derivative."""
    if isinstance(b.whole, tuple) or isinstance(a.whole, tuple):
        return chained(a, b)
    if is_number(a) or is_number(b):
        return entrywise(a, b, lambda x, y: x * y)
    between = a.columns if isinstance(a.columns, Axis) else b.rows
    if between == ANY or any(side not in (between, ANY) for side in (a.columns, b.rows)):
        raise NotRead(f"a product over {a.columns} and {b.rows}")

    def at(r: Index | None, c: Index | None) -> Expr:
        if between is None:
            return a.at(r, None) * b.at(None, c)
        assert isinstance(between, Axis)
        k = between.fresh()
        return Sum(a.at(r, k) * b.at(k, c), k)

    return Value(a.rows, b.columns, at)


def chained(a: Value, b: Value) -> Value:
    """dL/dP dP/dZ: a sum over the entries of P."""
    if not isinstance(a.whole, Tensor) or not isinstance(b.whole, tuple) or a.entries is None or b.whole[0] != a.whole:
        raise NotRead("derivatives that do not meet")
    of, by = b.whole
    above = a.entries

    def entries(at: tuple[Index, ...]) -> Expr:
        over = tuple(axis.fresh() for axis in of.axes)
        return Sum(above(over) * Partial(Entry(of, *over), Entry(by, *at)), *over)

    def place(r: Index | None, c: Index | None) -> Expr:
        return entries(tuple(i for i in (r, c) if i is not None))

    rows, columns = (*by.axes, None, None)[:2]
    return Value(rows, columns, place, by, entries)


def vector(value: Value) -> Callable[[Index | None], Expr]:
    if value.columns is not None:
        raise NotRead("a diagonal of a matrix")
    return lambda i: value.at(i, None)


def equal(r: Index | None, c: Index | None) -> Expr:
    return sp.S.One if r is None or c is None else Delta(r, c)
