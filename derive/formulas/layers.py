"""Layers: forward formulas only."""

from __future__ import annotations

from collections.abc import Callable

from sympy import Expr

from derive.index import Entry, Index, Sum, Tensor

Convention = str  # "rows", "columns" or "xw"


def dense(x: Callable[[Index], Entry], weight: Callable[[Index, Index], Entry], bias: Tensor | None, j: Index, i: Index) -> Expr:
    """A[..., j] = sum_i X[..., i] W[j, i] + b[j]; `weight(j, i)` knows which of its axes is the output's."""
    product = Sum(x(i) * weight(j, i), i)
    return product if bias is None else product + bias[j]
