"""From index form to matrix form, by looking at which index stands in which factor.

A product of entries is a graph: a factor joins its (at most two) indices. Factors with the same indices are multiplied entry by
entry; an index that is summed over joins two matrices in a matrix product, a matrix and a vector, or is summed with a vector of
ones; indices that stay free are the rows and the columns. No convention and no operation is a special case, and where the graph
has no such reading (tensors of rank 3, a maximum) the answer is None.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational

from derive.functions import AtLeast
from derive.index import Binder, Delta, Entry, Index, Sum, Tensor, free_indices, rewrite
from derive.matrix import (
    FUNCTIONS,
    OPPOSITE,
    Apply,
    Condition,
    Diagonal,
    Full,
    Hadamard,
    Identity,
    Leaf,
    Maximum,
    Number,
    Ones,
    Plus,
    Power,
    Scale,
    Transpose,
    Tree,
    Where,
    children,
    hadamard,
    product,
    scale,
    transpose,
)
from derive.program import Equation

OneHots = Mapping[Tensor, Tensor]  # a tensor of labels y -> the tensor Y with Y[n,c] = 1 where c = y[n], else 0


class _NoMatrixForm(Exception):
    """The expression is not a matrix expression."""


@dataclass(frozen=True)
class _Placed:
    """A tree whose rows run over one index and whose columns run over another; None for one row or column.

    A column without a row does not occur: a single index is that of a column vector.
    """

    tree: Tree
    row: Index | None = None
    column: Index | None = None

    @property
    def indices(self) -> tuple[Index, ...]:
        return tuple(i for i in (self.row, self.column) if i is not None)

    def swapped(self) -> _Placed:
        return _Placed(transpose(self.tree), self.column, self.row)

    def led_by(self, index: Index) -> _Placed:
        """The same matrix with this one of its indices as its rows."""
        return self if self.row == index else self.swapped()


def matrix_form(equation: Equation, onehots: OneHots | None = None) -> Tree | None:
    """The right-hand side as a matrix of the left-hand side's shape; None where there is no matrix form.

    The first index of the equation is the row, the second one the column; one index alone makes a column vector.
    onehots: for tensors of labels, the one-hot tensor to write in their place.
    """
    return matrix_of(equation.body, equation.indices, onehots)


def matrix_of(e: Expr, indices: Sequence[Index], onehots: OneHots | None = None) -> Tree | None:
    """The matrix of an expression with these indices as its row and column; None where there is none."""
    if len(indices) > 2:
        return None
    row, column = (*indices, None, None)[:2]
    try:
        return _filling(with_onehots(_plain_indices(e, onehots or {}), onehots or {}), row, column)
    except _NoMatrixForm:
        return None


def with_onehots(e: Expr, onehots: OneHots) -> Expr:
    """Write Y[n,c] for the indicator of c = y[n]."""

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, Delta):
            return None
        for position, label in (node.args, node.args[::-1]):
            if isinstance(label, Entry) and label.tensor in onehots:
                onehot = onehots[label.tensor]
                places = dict(zip(label.tensor.axes, label.indices, strict=True))
                return Entry(onehot, *(places.get(axis, position) for axis in onehot.axes))
        return None

    return rewrite(e, change)


def _plain_indices(e: Expr, onehots: OneHots) -> Expr:
    """Write entries at labels and diagonals as sums: P[n,y[n]] = sum_c P[n,c] [c = y[n]], Z[n,n] = sum_m Z[n,m] [m = n]."""

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, Entry):
            return None
        places: list[Expr] = []
        opened: list[tuple[Index, Expr]] = []
        for position, axis in zip(node.indices, node.tensor.axes, strict=True):
            labels = isinstance(position, Entry) and position.tensor in onehots
            if labels or (isinstance(position, Index) and position in places):
                opened.append((axis.fresh(), position))
                places.append(opened[-1][0])
            else:
                places.append(position)
        if not opened:
            return None
        return Sum(Entry(node.tensor, *places) * sp.Mul(*(Delta(i, position) for i, position in opened)), *(i for i, _ in opened))

    return rewrite(e, change)


# -- placing expressions -----------------------------------------------------------------------------------------------


def _filling(e: Expr, row: Index | None, column: Index | None) -> Tree:
    """The expression as a matrix of exactly these rows and columns, repeated along an index that it lacks."""
    placed = _place(e, tuple(i for i in (row, column) if i is not None))
    if set(placed.indices) - {row, column}:
        raise _NoMatrixForm
    if (placed.row, placed.column) == (row, column):
        return placed.tree
    if placed.row is None:
        return Full(placed.tree, row.axis if row else None, column.axis if column else None)
    if placed.column is not None:
        return transpose(placed.tree)
    if placed.row == row:
        return placed.tree if column is None else product(placed.tree, Transpose(Ones(column.axis)))
    return transpose(placed.tree) if row is None else product(Ones(row.axis), transpose(placed.tree))


def _place(e: Expr, preferred: Sequence[Index]) -> _Placed:
    """The expression as a matrix over its own free indices, in the preferred order where that names them."""
    free = free_indices(e)
    if len(free) > 2:
        raise _NoMatrixForm
    row, column = (*_order(e, free, preferred), None, None)[:2]
    match e:
        case Entry():
            return _place_entry(e)
        case Delta():
            return _place_delta(e)
        case sp.Mul() | Sum():
            return _contract(e, preferred)
        case sp.Add():
            return _Placed(Plus(tuple(_filling(term, row, column) for term in e.args)), row, column)
        case sp.Pow() if e.exp.is_Number and not _is_number(e):
            return _Placed(Power(_filling(e.base, row, column), e.exp), row, column)
        case sp.Piecewise():
            return _Placed(_branches(e.args, row, column), row, column)
        case AtLeast():
            return _Placed(Maximum(_filling(e.args[1], row, column), _filling(e.args[0], row, column)), row, column)
        case sp.Function() if e.func in FUNCTIONS and not _is_number(e):
            return _Placed(Apply(e.func, _filling(e.args[0], row, column)), row, column)
        case _ if _is_number(e):
            return _Placed(Number(e))
        case _:
            raise _NoMatrixForm


def _order(e: Expr, free: Sequence[Index], preferred: Sequence[Index]) -> Sequence[Index]:
    """Two free indices in the preferred order; where that does not tell, as they stand in most of the entries."""
    wanted = [i for i in preferred if i in free]
    if len(free) < 2 or len(wanted) == 2:
        return wanted or free
    pairs = [a.indices for a in sp.preorder_traversal(e) if isinstance(a, Entry) and set(a.indices) >= set(free)]
    turned = sum(p.index(free[1]) < p.index(free[0]) for p in pairs)
    return free[::-1] if 2 * turned > len(pairs) else free


def _is_number(e: Expr) -> bool:
    return not e.has(Entry, Binder, Index, Delta)


def _place_entry(e: Entry) -> _Placed:
    if len(e.indices) > 2 or not all(isinstance(i, Index) for i in e.indices):
        raise _NoMatrixForm
    return _Placed(Leaf(e.tensor), *e.indices)


def _place_delta(e: Delta) -> _Placed:
    a, b = e.args
    if isinstance(a, Index) and isinstance(b, Index) and a.axis == b.axis:
        return _Placed(Identity(a.axis), a, b)
    raise _NoMatrixForm


def _branches(pairs: Sequence[tuple[Expr, Expr]], row: Index | None, column: Index | None) -> Tree:
    """The branches of a Piecewise, nested: where(first condition, first value, the rest)."""
    (first, condition), *rest = pairs
    if condition == sp.true:
        return _filling(first, row, column)
    if not isinstance(condition, Relational) or not rest:
        raise _NoMatrixForm
    left, right = _filling(condition.lhs, row, column), _filling(condition.rhs, row, column)
    then, otherwise = _filling(first, row, column), _branches(rest, row, column)
    if condition.rel_op in ("<", "<=") and (then, otherwise) == (right, left):
        return Maximum(right, left)
    if _is_full(then, 0) or _is_full(otherwise, 1):
        return Where(Condition(left, OPPOSITE[condition.rel_op], right), otherwise, then)
    return Where(Condition(left, condition.rel_op, right), then, otherwise)


def _is_full(tree: Tree, number: int) -> bool:
    scalar = tree.scalar if isinstance(tree, Full) else tree
    return scalar == Number(sp.Integer(number))


# -- products and sums: the index graph --------------------------------------------------------------------------------


def _contract(e: Expr, preferred: Sequence[Index]) -> _Placed:
    """A product of factors, summed over bound indices in the order that gives the shortest tree."""
    body, bound = e.open() if isinstance(e, Sum) else (e, ())
    factors = [_place(f, preferred) for f in sp.Mul.make_args(body)]
    orders = itertools.permutations(bound) if len(bound) <= 4 else iter([bound])
    found: list[_Placed] = []
    for order in orders:
        try:
            found.append(_combine(_eliminate(factors, order), preferred))
        except _NoMatrixForm:
            continue
    if not found:
        raise _NoMatrixForm
    return min(found, key=lambda p: _length(p.tree))


def _eliminate(factors: Sequence[_Placed], bound: Sequence[Index]) -> list[_Placed]:
    """Sum over the bound indices, one after the other."""
    left = _merge(factors)
    for index in bound:
        with_index = [p for p in left if index in p.indices]
        left = _merge([p for p in left if index not in p.indices] + [_sum_over(index, with_index)])
    return left


def _merge(factors: Sequence[_Placed]) -> list[_Placed]:
    """Multiply factors over the same indices entry by entry."""
    merged: dict[frozenset[Index], _Placed] = {}
    for factor in factors:
        key = frozenset(factor.indices)
        if key in merged:
            first = merged[key]
            second = factor if factor.row == first.row else factor.swapped()
            both = hadamard(first.tree, second.tree) if key else scale(first.tree, of=second.tree)
            factor = _Placed(both, first.row, first.column)
        merged[key] = factor
    return list(merged.values())


def _sum_over(index: Index, factors: Sequence[_Placed]) -> _Placed:
    """The sum over one index of a product of at most two matrices and a vector."""
    vectors = [p.tree for p in factors if p.column is None]
    matrices = [p for p in factors if p.column is not None]
    match matrices:
        case []:
            return _Placed(_dot(vectors[0], index))
        case [matrix]:
            left = matrix.led_by(index).swapped()
            return _Placed(product(left.tree, vectors[0] if vectors else Ones(index.axis)), left.row)
        case [first, second]:
            left, right = first.led_by(index).swapped(), second.led_by(index)
            middle = [Diagonal(v) for v in vectors]
            return _Placed(product(left.tree, *middle, right.tree), left.row, right.column)
        case _:
            raise _NoMatrixForm


def _dot(vector: Tree, index: Index) -> Tree:
    """The sum of a vector's entries: u^T v where it is an entrywise product of two."""
    match vector:
        case Scale(scalar, of):
            return scale(scalar, of=_dot(of, index))
        case Hadamard((first, second)):
            return product(transpose(first), second)
        case _:
            return product(Transpose(Ones(index.axis)), vector)


def _combine(factors: Sequence[_Placed], preferred: Sequence[Index]) -> _Placed:
    """One matrix from what is left: scalars, a vector for each free index, a matrix over both."""
    scalars = [p.tree for p in factors if p.row is None]
    vectors = [p for p in factors if p.row is not None and p.column is None]
    matrices = [p for p in factors if p.column is not None]
    if len(matrices) == 1:
        matrix = _oriented(matrices[0], preferred)
        before = [Diagonal(v.tree) for v in vectors if v.row == matrix.row]
        after = [Diagonal(v.tree) for v in vectors if v.row == matrix.column]
        if len(before) + len(after) < len(vectors):
            raise _NoMatrixForm
        return _Placed(scale(*scalars, of=product(*before, matrix.tree, *after)), matrix.row, matrix.column)
    if matrices or len(vectors) > 2:
        raise _NoMatrixForm
    match vectors:
        case [first, second]:
            outer = _Placed(product(first.tree, transpose(second.tree)), first.row, second.row)
            outer = _oriented(outer, preferred)
            return _Placed(scale(*scalars, of=outer.tree), outer.row, outer.column)
        case [only]:
            return _Placed(scale(*scalars, of=only.tree), only.row)
        case _:
            return _Placed(scale(*scalars, of=Number(sp.S.One)))


def _oriented(placed: _Placed, preferred: Sequence[Index]) -> _Placed:
    """The matrix with its indices in the preferred order."""
    order = [i for i in preferred if i in placed.indices]
    return placed.led_by(order[0]) if len(order) == 2 else placed


def _length(tree: Tree) -> tuple[int, int]:
    """How long a tree reads: its transposes of other things than ones, then its nodes."""
    below = [_length(t) for t in children(tree)]
    turned = isinstance(tree, Transpose) and not isinstance(tree.of, Ones)
    return turned + sum(t for t, _ in below), 1 + sum(n for _, n in below)
