"""Derivatives as terms with deltas, and every way in which a delta removes a sum."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr, exp

from derive.index import ArgMax, AtMost, Axis, Delta, Index, InRange, Max, Sum, Tensor
from derive.terms import Term, derivative, eliminate, split, total

N, J, T = Axis("n", "N"), Axis("j", "J"), Axis("t", "T")
n, m, r, j, t = N.index(), N.index("m"), N.index("r"), J.index(), T.index()
X, Y, W, labels = Tensor("X", (N,)), Tensor("Y", (N,)), Tensor("W", (J,)), Tensor("y", (J,), values=N)

ELIMINATED: dict[str, tuple[Expr, tuple[Index, ...], Expr]] = {
    "an index of the same axis": (X[n] * Delta(n, m), (n,), X[m]),
    "the other way round": (X[n] * Delta(m, n), (n,), X[m]),
    "a chain of two": (X[n] * Delta(n, m) * Delta(m, r), (n, m), X[r]),
    "two that say the same": (X[n] * Delta(n, m) * Delta(m, n), (n,), X[m]),
    "a label": (X[n] * Delta(n, labels[j]), (n,), X[labels[j]]),
    "a sum over the labels' own index stays": (X[n] * W[j] * Delta(n, labels[j]), (j,), Sum(X[n] * W[j] * Delta(n, labels[j]), j)),
    "an index of another axis leaves a guard": (X[n] * Delta(n, j), (n,), X[j] * InRange(j, N.count)),
    "an affine position leaves a guard": (X[n] * Delta(n + t, j), (n,), X[j - t] * InRange(j - t, N.count)),
    "a coefficient of -1": (X[n] * Delta(t - n, j), (n,), X[t - j] * InRange(t - j, N.count)),
    "a coefficient of 2 cannot be solved": (X[n] * Delta(2 * n, j), (n,), Sum(X[n] * Delta(2 * n, j), n)),
    "a free index is not summed": (X[n] * Delta(n, m), (), X[n] * Delta(n, m)),
    "a guard goes along": (X[n] * AtMost(n, r) * Delta(n, m), (n,), X[m] * AtMost(m, r)),
}


@pytest.mark.parametrize("case", ELIMINATED)
def test_elimination(case: str) -> None:
    product, bound, expected = ELIMINATED[case]
    assert eliminate(split(product, bound)).expr() == expected


def test_the_free_index_stays_where_a_delta_joins_it_to_a_bound_one() -> None:
    term = Term(X[n] * X[m], (n,), ((n, m),))
    assert eliminate(term) == Term(X[m] ** 2)


DERIVATIVES: dict[str, tuple[Expr, Expr]] = {
    "an entry": (X[n], Delta(n, m)),
    "another tensor": (Y[n], sp.S.Zero),
    "a product of two entries": (X[n] * X[r], X[r] * Delta(n, m) + X[n] * Delta(r, m)),
    "a function": (exp(2 * X[n]), 2 * exp(2 * X[n]) * Delta(n, m)),
    "a sum inside a function": (exp(Sum(X[r] * Y[r], r)), Y[m] * exp(Sum(X[r] * Y[r], r))),
    "a square of a sum": (Sum(X[r], r) ** 2, 2 * Sum(X[r], r)),
    "a guard is constant": (X[n] * AtMost(n, r), AtMost(n, r) * Delta(n, m)),
    "a position is constant": (Y[labels[j]] * X[labels[j]], Y[labels[j]] * Delta(labels[j], m)),
    "the largest entry": (Max(X[r], r), Delta(ArgMax(X[r], 0, r), m)),
    "where it is": (W[j] * ArgMax(X[r], 0, r), sp.S.Zero),
    "a sign is a step function": (sp.sign(X[n]) * X[r], sp.sign(X[n]) * Delta(r, m)),
    "by cases": (sp.Piecewise((0, X[n] <= 0), (X[n], True)), sp.Piecewise((0, X[n] <= 0), (1, True)) * Delta(n, m)),
}


@pytest.mark.parametrize("case", DERIVATIVES)
def test_derivative(case: str) -> None:
    body, expected = DERIVATIVES[case]
    assert total([eliminate(term) for term in derivative(body, X, (m,))]) == expected
