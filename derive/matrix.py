"""Matrix algebra as small immutable trees: leaves, products, Hadamard products.

A tree stands for a matrix. A tensor of rank 2 is the matrix [first axis, second axis], one of rank 1 a column vector, one of rank 0
a 1 x 1 matrix. What a tree means in numbers is derive/matrix_value.py; derive/matrix_form.py finds the tree of an index expression.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from derive.index import Axis, Tensor

Extent = Axis | None  # None: one row, or one column


@dataclass(frozen=True)
class Leaf:
    """A named matrix, column vector or scalar."""

    tensor: Tensor


@dataclass(frozen=True)
class Number:
    """A 1 x 1 matrix of numbers and extents, such as 1/N."""

    expression: Expr


@dataclass(frozen=True)
class Ones:
    """The column vector of ones over an axis."""

    axis: Axis


@dataclass(frozen=True)
class Full:
    """A matrix whose entries are all one scalar: the 1 of 1 - P."""

    scalar: Tree
    rows: Extent
    columns: Extent


@dataclass(frozen=True)
class Identity:
    axis: Axis


@dataclass(frozen=True)
class Transpose:
    of: Tree


@dataclass(frozen=True)
class Product:
    factors: tuple[Tree, ...]


@dataclass(frozen=True)
class Hadamard:
    """The elementwise product of matrices of one shape."""

    factors: tuple[Tree, ...]


@dataclass(frozen=True)
class Plus:
    terms: tuple[Tree, ...]


@dataclass(frozen=True)
class Scale:
    """A 1 x 1 matrix times a matrix."""

    scalar: Tree
    of: Tree


@dataclass(frozen=True)
class Diagonal:
    """The diagonal matrix of a column vector."""

    of: Tree


@dataclass(frozen=True)
class Power:
    """Every entry raised to a number."""

    of: Tree
    exponent: Expr


@dataclass(frozen=True)
class Apply:
    """A scalar function of every entry."""

    function: type[sp.Function]
    of: Tree


@dataclass(frozen=True)
class Condition:
    """A comparison of two matrices, entry by entry; relation is one of < <= > >= == !=."""

    left: Tree
    relation: str
    right: Tree


@dataclass(frozen=True)
class Where:
    """Entry by entry: `then` where the condition holds, `otherwise` elsewhere. With 1 and 0 it is an indicator 1[A > 0]."""

    condition: Condition
    then: Tree
    otherwise: Tree


@dataclass(frozen=True)
class Maximum:
    """The larger one of two matrices, entry by entry."""

    bound: Tree
    of: Tree


Tree = Leaf | Number | Ones | Full | Identity | Transpose | Product | Hadamard | Plus | Scale | Diagonal | Power | Apply | Where | Maximum

OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def shape(tree: Tree) -> tuple[Extent, Extent]:
    """The axes of the rows and of the columns."""
    match tree:
        case Leaf(tensor):
            rows, columns = (*tensor.axes, None, None)[:2]
            return rows, columns
        case Number():
            return None, None
        case Ones(axis):
            return axis, None
        case Full(_, rows, columns):
            return rows, columns
        case Identity(axis):
            return axis, axis
        case Transpose(of):
            rows, columns = shape(of)
            return columns, rows
        case Product(factors):
            return shape(factors[0])[0], shape(factors[-1])[1]
        case Hadamard(parts) | Plus(parts):
            return shape(parts[0])
        case Scale(_, of) | Power(of) | Apply(_, of) | Where(_, of) | Maximum(_, of):
            return shape(of)
        case Diagonal(of):
            return shape(of)[0], shape(of)[0]


def children(tree: Tree) -> tuple[Tree, ...]:
    """The trees directly below."""
    match tree:
        case Transpose(of) | Diagonal(of) | Power(of) | Apply(_, of):
            return (of,)
        case Product(parts) | Hadamard(parts) | Plus(parts):
            return parts
        case Scale(first, second) | Maximum(first, second):
            return first, second
        case Full(scalar):
            return (scalar,)
        case Where(condition, then, otherwise):
            return condition.left, condition.right, then, otherwise
        case _:
            return ()


# -- constructors that keep trees short: transposes at the factors, scalars in front ------------------------------------


def transpose(tree: Tree) -> Tree:
    """The transpose, with the factors of a product turned one by one."""
    if shape(tree) == (None, None):
        return tree
    match tree:
        case Transpose(of):
            return of
        case Product(factors):
            return Product(tuple(transpose(f) for f in reversed(factors)))
        case Scale(scalar, of):
            return Scale(scalar, transpose(of))
        case Full(scalar, rows, columns):
            return Full(scalar, columns, rows)
        case Identity() | Diagonal():
            return tree
        case _:
            return Transpose(tree)


def product(*factors: Tree) -> Tree:
    """The matrix product, flat, scalars in front."""
    scalars, bare = _scalars_out(factors)
    flat = [f for factor in bare for f in (factor.factors if isinstance(factor, Product) else (factor,))]
    return scale(*scalars, of=flat[0] if len(flat) == 1 else Product(tuple(flat)))


def hadamard(*factors: Tree) -> Tree:
    """The elementwise product, flat, scalars in front."""
    scalars, bare = _scalars_out(factors)
    flat = [f for factor in bare for f in (factor.factors if isinstance(factor, Hadamard) else (factor,))]
    return scale(*scalars, of=flat[0] if len(flat) == 1 else Hadamard(tuple(flat)))


def _scalars_out(factors: tuple[Tree, ...]) -> tuple[list[Tree], list[Tree]]:
    """The scalars of all factors, and the factors without them."""
    scalars: list[Tree] = []
    bare: list[Tree] = []
    for factor in factors:
        inner = factor
        while isinstance(inner, Scale):
            scalars.append(inner.scalar)
            inner = inner.of
        bare.append(inner)
    return scalars, bare


def scale(*scalars: Tree, of: Tree) -> Tree:
    """Scalars times a matrix, all numbers in one."""
    numbers = [s.expression for s in scalars if isinstance(s, Number)]
    others = [s for s in scalars if not isinstance(s, Number)]
    while isinstance(of, Scale):
        if isinstance(of.scalar, Number):
            numbers.append(of.scalar.expression)
        else:
            others.append(of.scalar)
        of = of.of
    factor = sp.Mul(*numbers)
    if isinstance(of, Number):
        factor, of = factor * of.expression, Number(sp.S.One)
    if of == Number(sp.S.One) and others:
        of = others.pop()
    for other in reversed(others):
        of = Scale(other, of)
    if of == Number(sp.S.One):
        return Number(factor)
    return of if factor == 1 else Scale(Number(factor), of)
