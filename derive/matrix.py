"""Matrix algebra as small immutable trees: leaves, products, Hadamard products, and their meaning in NumPy.

A tree stands for a matrix. A tensor of rank 2 is the matrix [first axis, second axis], one of rank 1 a column vector, one of rank 0
a 1 x 1 matrix. `value` is the judge: it computes a tree from arrays, so that a form found elsewhere can be checked.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.special
import sympy as sp
from numpy.typing import NDArray
from sympy import Expr

from derive.functions import Expm1, Log1p, Sigmoid
from derive.index import Axis, Size, Tensor

Array = NDArray[np.float64]
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

RELATIONS: dict[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
FUNCTIONS: dict[type[sp.Function], Callable[[Array], Array]] = {
    sp.exp: np.exp,
    sp.log: np.log,
    sp.tanh: np.tanh,
    sp.erf: scipy.special.erf,
    sp.Abs: np.abs,
    sp.sign: np.sign,
    Sigmoid: scipy.special.expit,
    Log1p: np.log1p,
    Expm1: np.expm1,
}


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
            return shape(of)[::-1]
        case Product(factors):
            return shape(factors[0])[0], shape(factors[-1])[1]
        case Hadamard(parts) | Plus(parts):
            return shape(parts[0])
        case Scale(_, of) | Power(of) | Apply(_, of) | Where(_, of) | Maximum(_, of):
            return shape(of)
        case Diagonal(of):
            return shape(of)[0], shape(of)[0]


def value(tree: Tree, arrays: Mapping[str, Array], extents: Mapping[Axis, int]) -> Array:
    """The matrix that a tree stands for, always with two axes.

    arrays: an array for every tensor by name; extents: the number of positions of every axis.
    """

    def of(part: Tree) -> Array:
        return value(part, arrays, extents)

    match tree:
        case Leaf(tensor):
            array = np.asarray(arrays[tensor.name], dtype=np.float64)
            return array if array.ndim == 2 else array.reshape(-1, 1)
        case Number(expression):
            return np.array([[number(expression, extents)]])
        case Ones(axis):
            return np.ones((extents[axis], 1))
        case Full(scalar, rows, columns):
            return of(scalar) * np.ones((extents[rows] if rows else 1, extents[columns] if columns else 1))
        case Identity(axis):
            return np.eye(extents[axis])
        case Transpose(part):
            return of(part).T
        case Product(factors):
            return functools.reduce(operator.matmul, map(of, factors))
        case Hadamard(factors):
            return functools.reduce(operator.mul, map(of, factors))
        case Plus(terms):
            return functools.reduce(operator.add, map(of, terms))
        case Scale(scalar, part):
            return of(scalar) * of(part)
        case Diagonal(part):
            return np.diag(of(part).ravel())
        case Power(part, exponent):
            return of(part) ** float(exponent)
        case Apply(function, part):
            return FUNCTIONS[function](of(part))
        case Where(condition, then, otherwise):
            holds = RELATIONS[condition.relation](of(condition.left), of(condition.right))
            return np.where(holds, of(then), of(otherwise))
        case Maximum(bound, part):
            return np.maximum(of(bound), of(part))


def number(expression: Expr, extents: Mapping[Axis, int]) -> float:
    """An expression of numbers and extents as a float."""
    sizes = sorted(expression.atoms(Size), key=str)
    return float(expression.xreplace({size: sp.Integer(extents[size.axis]) for size in sizes}))


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
    scalars, flat = [], []
    for factor in factors:
        while isinstance(factor, Scale):
            scalars.append(factor.scalar)
            factor = factor.of
        flat += factor.factors if isinstance(factor, Product) else (factor,)
    return scale(*scalars, of=flat[0] if len(flat) == 1 else Product(tuple(flat)))


def hadamard(*factors: Tree) -> Tree:
    """The elementwise product, flat, scalars in front."""
    scalars, flat = [], []
    for factor in factors:
        while isinstance(factor, Scale):
            scalars.append(factor.scalar)
            factor = factor.of
        flat += factor.factors if isinstance(factor, Hadamard) else (factor,)
    return scale(*scalars, of=flat[0] if len(flat) == 1 else Hadamard(tuple(flat)))


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
