"""Contraction of an index graph: a product of placed factors, summed over some of their indices, as one matrix expression.

Factors with the same indices are multiplied entry by entry; an index that is summed over joins two matrices in a matrix product, a
matrix and a vector, or is summed with a vector of ones; indices that stay free are the rows and the columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from derive.index import Index
from derive.matrix import Diagonal, Hadamard, Number, Ones, Scale, Transpose, Tree, children, hadamard, product, scale, transpose


class NoMatrixForm(Exception):
    """The expression is not a matrix expression."""


@dataclass(frozen=True)
class Placed:
    """A tree whose rows run over one index and whose columns run over another; None for one row or column.

    A column without a row does not occur: a single index is that of a column vector.
    """

    tree: Tree
    row: Index | None = None
    column: Index | None = None

    @property
    def indices(self) -> tuple[Index, ...]:
        return tuple(i for i in (self.row, self.column) if i is not None)

    def swapped(self) -> Placed:
        return Placed(transpose(self.tree), self.column, self.row)

    def led_by(self, index: Index) -> Placed:
        """The same matrix with this one of its indices as its rows."""
        return self if self.row == index else self.swapped()


def contract(factors: Sequence[Placed], bound: Sequence[Index], preferred: Sequence[Index]) -> Placed:
    """The product summed over the bound indices, in the order that gives the shortest tree. Raises NoMatrixForm.

    preferred: the order of the free indices, rows first, where both of them are among it.
    """
    orders = itertools.permutations(bound) if len(bound) <= 4 else iter([bound])
    found: list[Placed] = []
    for order in orders:
        try:
            found.append(_combine(_eliminate(factors, order), preferred))
        except NoMatrixForm:
            continue
    if not found:
        raise NoMatrixForm
    return min(found, key=lambda p: _length(p.tree))


def _eliminate(factors: Sequence[Placed], bound: Sequence[Index]) -> list[Placed]:
    """Sum over the bound indices, one after the other."""
    left = _merge(factors)
    for index in bound:
        with_index = [p for p in left if index in p.indices]
        left = _merge([p for p in left if index not in p.indices] + [_sum_over(index, with_index)])
    return left


def _merge(factors: Sequence[Placed]) -> list[Placed]:
    """Multiply factors over the same indices entry by entry."""
    merged: dict[frozenset[Index], Placed] = {}
    for factor in factors:
        key = frozenset(factor.indices)
        if key in merged:
            first = merged[key]
            second = factor if factor.row == first.row else factor.swapped()
            both = hadamard(first.tree, second.tree) if key else scale(first.tree, of=second.tree)
            factor = Placed(both, first.row, first.column)
        merged[key] = factor
    return list(merged.values())


def _sum_over(index: Index, factors: Sequence[Placed]) -> Placed:
    """The sum over one index of a product of at most two matrices and a vector."""
    vectors = [p.tree for p in factors if p.column is None]
    matrices = [p for p in factors if p.column is not None]
    match matrices:
        case []:
            return Placed(_dot(vectors[0], index))
        case [matrix]:
            left = matrix.led_by(index).swapped()
            return Placed(product(left.tree, vectors[0] if vectors else Ones(index.axis)), left.row)
        case [first, second]:
            left, right = first.led_by(index).swapped(), second.led_by(index)
            middle = [Diagonal(v) for v in vectors]
            return Placed(product(left.tree, *middle, right.tree), left.row, right.column)
        case _:
            raise NoMatrixForm


def _dot(vector: Tree, index: Index) -> Tree:
    """The sum of a vector's entries: u^T v where it is an entrywise product of two."""
    match vector:
        case Scale(scalar, of):
            return scale(scalar, of=_dot(of, index))
        case Hadamard((first, second)):
            return product(transpose(first), second)
        case _:
            return product(Transpose(Ones(index.axis)), vector)


def _combine(factors: Sequence[Placed], preferred: Sequence[Index]) -> Placed:
    """One matrix from what is left: scalars, a vector for each free index, a matrix over both."""
    scalars = [p.tree for p in factors if p.row is None]
    vectors = [p for p in factors if p.row is not None and p.column is None]
    matrices = [p for p in factors if p.column is not None]
    if len(matrices) == 1:
        matrix = _oriented(matrices[0], preferred)
        before = [Diagonal(v.tree) for v in vectors if v.row == matrix.row]
        after = [Diagonal(v.tree) for v in vectors if v.row == matrix.column]
        if len(before) + len(after) < len(vectors):
            raise NoMatrixForm
        return Placed(scale(*scalars, of=product(*before, matrix.tree, *after)), matrix.row, matrix.column)
    if matrices or len(vectors) > 2:
        raise NoMatrixForm
    match vectors:
        case [first, second]:
            outer = Placed(product(first.tree, transpose(second.tree)), first.row, second.row)
            outer = _oriented(outer, preferred)
            return Placed(scale(*scalars, of=outer.tree), outer.row, outer.column)
        case [only]:
            return Placed(scale(*scalars, of=only.tree), only.row)
        case _:
            return Placed(scale(*scalars, of=Number(sp.S.One)))


def _oriented(placed: Placed, preferred: Sequence[Index]) -> Placed:
    """The matrix with its indices in the preferred order."""
    order = [i for i in preferred if i in placed.indices]
    return placed.led_by(order[0]) if len(order) == 2 else placed


def _length(tree: Tree) -> tuple[int, int]:
    """How long a tree reads: its transposes of other things than ones, then its nodes."""
    below = [_length(t) for t in children(tree)]
    turned = isinstance(tree, Transpose) and not isinstance(tree.of, Ones)
    return turned + sum(t for t, _ in below), 1 + sum(n for _, n in below)
