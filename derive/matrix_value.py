"""What a matrix tree means: its value in NumPy, by which the recognition of matrix forms is judged."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping

import numpy as np
import scipy.special
import sympy as sp
from numpy.typing import NDArray
from sympy import Expr

from derive.functions import Erfc, Expm1, Log1p, Sigmoid
from derive.index import Axis, Size
from derive.matrix import (
    Apply,
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
    Product,
    Scale,
    Transpose,
    Tree,
    Where,
)  # fmt: skip

Array = NDArray[np.float64]

RELATIONS: dict[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}

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
    Erfc: scipy.special.erfc,
}


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
            return functools.reduce(lambda a, b: a @ b, map(of, factors))
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
