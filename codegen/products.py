"""Sums that are products of whole matrices, after merging axes that lie side by side in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp
from sympy import Expr

from codegen.loops import MatrixProduct
from derive.index import Axis, Entry, Index
from derive.program import Equation

PRODUCT_EXTENTS = 256


def matrix_product(equation: Equation, out: Entry, body: Expr, bound: Sequence[Index]) -> MatrixProduct | None:
    """The product out[a,b] = sum_k left[a,k] right[k,b], either factor possibly transposed, where that is what the sum is.

    Each of a, b and k may be several indices, which stand side by side and in the same order wherever they occur: in memory, they are
    one. None where a loop nest is better.
    """
    factors = sp.Mul.make_args(body)
    if len(factors) != 2:
        return None
    for left, right in (factors, factors[::-1]):
        if not isinstance(left, Entry) or not isinstance(right, Entry):
            return None
        rows = tuple(i for i in equation.indices if i in left.indices)
        columns = tuple(i for i in equation.indices if i in right.indices)
        inner = tuple(i for i in left.indices if i in bound)
        if len(inner) != len(bound) or not (rows and columns and inner) or equation.indices != rows + columns:
            continue
        if left.indices in (rows + inner, inner + rows) and right.indices in (inner + columns, columns + inner):
            groups = tuple(tuple(i.axis for i in group) for group in (rows, inner, columns))
            return MatrixProduct(equation, out, left, right, len(rows), len(inner)) if _pays(groups) else None
    return None


def _pays(groups: Sequence[Sequence[Axis]]) -> bool:
    """Whether a call to the matrix product beats a loop nest: the extents known now must be large enough."""
    known = [math.prod(a.extent or 0 for a in group) for group in groups if all(a.extent is not None for a in group)]
    return math.prod(sorted(known)[:2]) >= PRODUCT_EXTENTS
