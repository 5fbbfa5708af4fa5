"""Positions on axes: affine integer expressions in indices, sizes and whole-number parameters, or a label."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.index import ArgMax, Axis, Entry, Index
from derive.language.context import Context
from derive.language.errors import Place, quoted, wrong
from derive.language.limits import MAX_WHOLE
from derive.language.scope import Operand
from derive.language.tree import Call, Name, Negative, Node, Number, Read, Rest, Series

AFFINE = "a sum of indices with whole coefficients, sizes and whole numbers, such as `stride*i + k - 1`, or a label"


def size(node: Call, context: Context) -> Expr:
    """The number of positions on the axes of letters and `...`; axes of one position do not show in it."""
    return sp.Mul(*[axis.count for axis in context.axes_of(node.arguments) if axis.extent != 1])


def label(value: Expr | bool | int | Operand | None) -> Axis | None:
    """The axis that a label points into; None for any other value."""
    if isinstance(value, Entry):
        return value.tensor.values
    return value.bound[value.place].axis if isinstance(value, ArgMax) else None


def affine(node: Node, context: Context) -> Expr:
    """A position as an expression. Raises FormulaError where it is not affine."""
    match node:
        case Number():
            return _whole(sp.Rational(node.value.numerator, node.value.denominator), node.at)
        case Name():
            return _named(node, context)
        case Call(function="size"):
            return size(node, context)
        case Call(function="position"):
            return row_major(node, context)
        case Negative():
            return -affine(node.of, context)
        case Series():
            return _series(node, context)
        case _:
            raise wrong(node.at, "something that is no position", AFFINE)


def row_major(node: Call, context: Context) -> Expr:
    """The position that several indices have in all, the last one running fastest: (i * size(j) + j) * size(k) + k."""
    total: Expr = sp.S.Zero
    for argument in node.arguments:
        axes = context.axes_of([argument])
        indices = context.rest if isinstance(argument, Rest) else (index(argument, context),) if isinstance(argument, Name) else None
        if indices is None:
            raise wrong(argument.at, "`...` on the right only", "`...` on the left side too, or in a sum such as `sum(..., X[...])`")
        for axis, i in zip(axes, indices, strict=True):
            total = total * axis.count + i if axis.extent != 1 else total
    return total


def index(node: Name, context: Context) -> Index:
    """The index of a letter. Raises FormulaError where it is bound by nothing around."""
    if node.name not in context.indices:
        context.axis(node)
        right = f"{quoted(node.name)} on the left side, or a sum such as `sum({node.name[:8]}, ...)` around it"
        raise wrong(node.at, f"{quoted(node.name)}, an index that nothing around it runs over", right)
    return context.indices[node.name]


def _named(node: Name, context: Context) -> Expr:
    value = context.scope.values.get(node.name)
    if node.name in context.indices or value is None:
        return index(node, context)
    if isinstance(value, int) and not isinstance(value, bool):
        return _whole(sp.Integer(value), node.at)
    if isinstance(value, sp.Rational):
        return _whole(value, node.at)
    raise wrong(node.at, f"{quoted(node.name)}, which is no whole number", AFFINE)


def _series(node: Series, context: Context) -> Expr:
    total = affine(node.first, context)
    for operator, term in node.more:
        if operator in ("/", "//"):
            raise wrong(term.at, f"{quoted(operator)} in a position", AFFINE)
        value = affine(term, context)
        if operator == "*" and _varies(total) and _varies(value):
            raise wrong(term.at, "a product of indices in a position", AFFINE)
        total = total * value if operator == "*" else total + value if operator == "+" else total - value
        _check_small(total, node.at)
    return total


def _varies(position: Expr) -> bool:
    return any(isinstance(s, Index) for s in position.free_symbols)


def _whole(value: sp.Rational, at: Place) -> Expr:
    if not value.is_Integer:
        raise wrong(at, f"{value} in a position", "a whole number")
    _check_small(value, at)
    return value


def _check_small(position: Expr, at: Place) -> None:
    for term in sp.Add.make_args(position):
        if abs(term.as_coeff_Mul()[0]) > MAX_WHOLE:
            raise wrong(at, "a whole number that is too large for a position", f"at most {MAX_WHOLE}")


def is_label(node: Node, context: Context) -> bool:
    """Whether a position is the entry of a tensor of labels."""
    return isinstance(node, Read) or (isinstance(node, Name) and label(context.scope.values.get(node.name)) is not None)
