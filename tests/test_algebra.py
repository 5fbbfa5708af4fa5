"""Rational algebra over opaque atoms: what may be cancelled, what may not, and how signs are written."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr, Rational, exp, log

from derive.algebra import cancel, cost, equal, expand_products, flatten, orient, sift, sum_out
from derive.functions import where
from derive.index import Axis, Delta, Sum, Tensor

N, C = Axis("n", "N"), Axis("c", "C")
n, c, k, other = N.index(), C.index(), C.index("k"), C.index("r")
X, P, G, labels = Tensor("X", (N,)), Tensor("P", (N, C)), Tensor("G", (N, C)), Tensor("y", (N,), values=C)
x, p = X[n], P[n, c]


def test_exponentials_of_multiples_are_powers_of_one_symbol() -> None:
    flat, back = flatten(exp(2 * x) + exp(-x) * exp(x / 2))
    assert list(back.values()) == [exp(x / 2)]
    assert flat.xreplace(back) == exp(2 * x) + exp(-x) * exp(x / 2)


@pytest.mark.parametrize("number", [sp.Integer(10) ** 12, Rational("0.333"), Rational("1e-12")])
def test_the_coefficient_of_an_exponent_is_no_power(number: Expr) -> None:
    """A polynomial of degree 333 takes seconds, one of degree 10^12 for ever."""
    flat, back = flatten(exp(number * x) / (1 + exp(-number * x)) ** 2)
    (symbol,) = back
    assert (back[symbol], flat) == (exp(number * x), symbol / (1 + 1 / symbol) ** 2)
    assert set(flatten(exp(number * x) + exp(x))[1].values()) == {exp(number * x), exp(x)}


def test_what_is_below_a_binder_or_a_function_is_one_symbol() -> None:
    _, back = flatten(x * log(x + 1) + Sum(p * x, c))
    assert set(back.values()) == {x, log(x + 1), Sum(p, c)}


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        ((x**2 - 1) / (x - 1), x + 1),
        ((1 - exp(-x)) / (exp(x) - 1), exp(-x)),
        (Sum(p, c) * x / Sum(p, c), x),
        (where(x <= 0, 0, x * x / x), where(x <= 0, 0, x)),
        (where(x <= 0, (x**2 - 1) / (x - 1), x + 1), x + 1),
    ],
)
def test_cancel(e: Expr, expected: Expr) -> None:
    assert cancel(e) == expected


def test_equal_branches_above_a_third_one_stay() -> None:
    """Where x < -5 only the first condition holds: without it the value would be that of the last branch."""
    e = sp.Piecewise(((x**2 - 1) / (x - 1), x < -5), (x + 1, x > 5), (0, True))
    for value in (-7, 0, 7):
        assert cancel(e).xreplace({x: sp.Integer(value)}) == e.xreplace({x: sp.Integer(value)})


def test_cancel_never_makes_longer() -> None:
    for e in (x / (x + 1) ** 3, (1 - x) * (1 + x), x * (p + x) + 1):
        assert cost(cancel(e)) <= cost(e)


@pytest.mark.parametrize(
    ("e", "expected"),
    [
        (x / (p - 1), -x / (1 - p)),
        (x / (p - 1) ** 2, x / (1 - p) ** 2),
        (-x / (p - 1), x / (1 - p)),
        (-x * (p - X[0]), x * (X[0] - p)),
        (x / (-p - x), -x / (p + x)),
        (x * (1 - p), x * (1 - p)),
    ],
)
def test_signs_are_written_as_a_person_writes_them(e: Expr, expected: Expr) -> None:
    found = orient(e)
    assert found == expected
    assert equal(found, e)


def test_equal() -> None:
    assert equal((x + 1) ** 2, x**2 + 2 * x + 1)
    assert not equal(x, x * Rational(100001, 100000))


def test_inverses_of_sums_stay_whole() -> None:
    assert expand_products((x + 1) * (x - 1) / (p + 1)) == x**2 / (p + 1) - 1 / (p + 1)


def test_a_delta_names_the_place() -> None:
    assert sift(G[n, c] * P[n, c] * Delta(c, labels[n])) == G[n, labels[n]] * P[n, labels[n]] * Delta(c, labels[n])


def test_two_deltas_on_one_index() -> None:
    """Whichever place is named, the product is the same wherever both deltas are 1."""
    e = G[n, c] * Delta(c, k) * Delta(c, labels[n])
    found = sift(e)
    assert {d for d in found.args if isinstance(d, Delta)} == {Delta(c, k), Delta(c, labels[n])}
    places = {i: sp.Symbol("here") for i in (c, k, labels[n])}
    assert found.xreplace(places) == e.xreplace(places)


def test_deltas_inside_sums_are_used() -> None:
    e = Sum(G[n, k] * (Delta(c, k) - P[n, c]), k)
    assert sum_out(e) == G[n, c] - P[n, c] * Sum(G[n, k], k)
    assert sum_out(x * Sum(G[n, k] * Delta(k, labels[n]), k)) == x * G[n, labels[n]]
