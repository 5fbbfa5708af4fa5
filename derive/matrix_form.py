"""From index form to matrix form, by looking at which index stands in which factor.

A product of entries is a graph: a factor joins its (at most two) indices, and derive/index_graph.py reads that graph as a product
of matrices. No convention and no operation is a special case, and where there is no such reading (tensors of rank 3, a maximum) the
answer is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from derive.functions import AtLeast
from derive.index import Binder, Delta, Entry, Index, Sum, Tensor, free_indices, rewrite
from derive.index_graph import NoMatrixForm, Placed, contract
from derive.matrix import (
    OPPOSITE,
    Apply,
    Condition,
    Full,
    Identity,
    Leaf,
    Maximum,
    Number,
    Ones,
    Plus,
    Power,
    Transpose,
    Tree,
    Where,
    product,
    transpose,
)
from derive.matrix_value import FUNCTIONS
from derive.program import Equation

OneHots = Mapping[Tensor, Tensor]  # a tensor of labels y -> the tensor Y with Y[n,c] = 1 where c = y[n], else 0


def matrix_form(equation: Equation, onehots: OneHots | None = None) -> Tree | None:
    """The right-hand side as a matrix of the left-hand side's shape; None where there is no matrix form.

    The first index of the equation is the row, the second one the column; one index alone makes a column vector.
    onehots: for tensors of labels, the one-hot tensor to write in their place.
    """
    return matrix_of(equation.body, equation.indices, onehots)


def matrix_of(e: Expr, indices: Sequence[Index], onehots: OneHots | None = None) -> Tree | None:
    """The matrix of an expression with these indices as its row and column; None where there is none."""
    if len(indices) > 2 or _leaves_its_axis(e):
        return None
    row, column = (*indices, None, None)[:2]
    try:
        return _filling(with_onehots(_plain_indices(e, onehots or {}), onehots or {}), row, column)
    except NoMatrixForm:
        return None


def _leaves_its_axis(e: Expr) -> bool:
    """Whether an index of one axis stands on another: the read is a part of a matrix."""
    places = ((i, axis) for entry in e.atoms(Entry) for i, axis in zip(entry.indices, entry.tensor.axes, strict=True))
    return any(isinstance(i, Index) and i.axis != axis for i, axis in places)


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
        raise NoMatrixForm
    if (placed.row, placed.column) == (row, column):
        return placed.tree
    if placed.row is None:
        return Full(placed.tree, row.axis if row else None, column.axis if column else None)
    if placed.column is not None:
        return transpose(placed.tree)
    if placed.row == row:
        return placed.tree if column is None else product(placed.tree, Transpose(Ones(column.axis)))
    return transpose(placed.tree) if row is None else product(Ones(row.axis), transpose(placed.tree))


def _place(e: Expr, preferred: Sequence[Index]) -> Placed:
    """The expression as a matrix over its own free indices, in the preferred order where that names them."""
    free = free_indices(e)
    if len(free) > 2:
        raise NoMatrixForm
    row, column = (*_order(e, free, preferred), None, None)[:2]
    match e:
        case Entry():
            return _place_entry(e)
        case Delta():
            return _place_delta(e)
        case sp.Mul() | Sum():
            return _contract(e, preferred)
        case sp.Add():
            return Placed(Plus(tuple(_filling(term, row, column) for term in e.args)), row, column)
        case sp.Pow() if e.exp.is_Number and not _is_number(e):
            return Placed(Power(_filling(e.base, row, column), e.exp), row, column)
        case sp.Piecewise():
            return Placed(_branches(e.args, row, column), row, column)
        case AtLeast():
            return Placed(Maximum(_filling(e.args[1], row, column), _filling(e.args[0], row, column)), row, column)
        case sp.Function() if e.func in FUNCTIONS and not _is_number(e):
            return Placed(Apply(e.func, _filling(e.args[0], row, column)), row, column)
        case _ if _is_number(e):
            return Placed(Number(e))
        case _:
            raise NoMatrixForm


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


def _place_entry(e: Entry) -> Placed:
    places = [i for i in e.indices if isinstance(i, Index)]
    if len(places) < len(e.indices) or len(places) > 2:
        raise NoMatrixForm
    return Placed(Leaf(e.tensor), *places)


def _place_delta(e: Delta) -> Placed:
    a, b = e.args
    if isinstance(a, Index) and isinstance(b, Index) and a.axis == b.axis:
        return Placed(Identity(a.axis), a, b)
    raise NoMatrixForm


def _branches(pairs: Sequence[tuple[Expr, Boolean]], row: Index | None, column: Index | None) -> Tree:
    """The branches of a Piecewise, nested: where(first condition, first value, the rest)."""
    (first, condition), *rest = pairs
    if condition == sp.true:
        return _filling(first, row, column)
    if not isinstance(condition, Relational) or not rest:
        raise NoMatrixForm
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


def _contract(e: Expr, preferred: Sequence[Index]) -> Placed:
    """A product of factors, summed over the bound indices if it stands in a sum."""
    body, bound = e.open() if isinstance(e, Sum) else (e, ())
    return contract([_place(f, preferred) for f in sp.Mul.make_args(body)], bound, preferred)
