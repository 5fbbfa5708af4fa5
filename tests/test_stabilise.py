"""Each rule for stable forms on the smallest expression that it changes, and on one that it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from sympy import Expr, exp, log, tanh

from derive.evaluate import value
from derive.functions import AtLeast, Erfc, Expm1, Log1p, Sigmoid, where
from derive.index import AtMost, Axis, Max, Sum, Tensor
from derive.program import Equation, Floors
from derive.stable import Definitions, stable_forms

N, C = Axis("n", "N", 2), Axis("c", "C", 3)
n, c, k = N.index(), C.index(), C.index("k")
k_n = N.index("m")
X, Y, Z, P, S = Tensor("X", (N,)), Tensor("Y", (N,)), Tensor("Z", (N, C)), Tensor("P", (N, C), sign="positive"), Tensor("S", (N,))
x, y = X[n], Y[n]
m = Max(Z[n, k], k)
below = Sum(exp(Z[n, k]), k)
shifted = Sum(exp(Z[n, k] - m), k)
M = AtLeast(m, sp.S.Zero)
moved = Sum(exp(Z[n, k] - M), k)
three = exp(x - sp.Abs(x)) + exp(-x - sp.Abs(x)) + exp(-sp.Abs(x))
LARGEST, LARGER = AtLeast(AtLeast(2 * y, x), sp.S.Zero), AtLeast(2 * x, 2 * y)
LOWEST, SMALLEST = sp.Integer(-100), sp.Rational(1, 1000)
FLOORS = Floors(LOWEST, SMALLEST)

CASES: dict[str, tuple[Expr, Expr, list[str]]] = {
    "softmax": (exp(Z[n, c]) / below, exp(Z[n, c] - m) / shifted, ["shift by the maximum"]),
    "its square": (exp(2 * Z[n, c]) / below**2, exp(2 * Z[n, c] - 2 * m) / shifted**2, ["shift by the maximum"]),
    "two exponentials over one sum": (exp(Z[n, c]) * exp(x) / below, exp(Z[n, c] + x - m) / shifted, ["shift by the maximum"]),
    "a sum that no exponential meets": (x / below, x / below, []),
    "log of a sum of exponentials": (log(below), m + log(shifted), ["shift by the maximum"]),
    "log of a multiple of one": (
        log(x**2 * below),
        log(x**2) + m + log(shifted),
        ["logarithm of a quotient", "shift by the maximum"],
    ),
    "a sum that is shifted already": (exp(Z[n, c] - m) / shifted, exp(Z[n, c] - m) / shifted, []),
    "log of softmax": (log(exp(Z[n, c]) / below), Z[n, c] - m - log(shifted), ["logarithm of a quotient", "shift by the maximum"]),
    "log of the logistic function": (
        log(1 / (1 + exp(-x))),
        -AtLeast(-x, sp.S.Zero) - Log1p(exp(-sp.Abs(x))),
        ["logarithm of a quotient", "softplus form"],
    ),
    "log of a product of perhaps negative factors": (log(exp(x) * x * y), x + log(x * y), ["logarithm of a quotient"]),
    "log of an even power": (log(exp(x) * (y + 2) ** 2), x + log((y + 2) ** 2), ["logarithm of a quotient"]),
    "logistic function": (1 / (1 + exp(-x)), Sigmoid(x), ["logistic form"]),
    "its derivative": (exp(-x) / (1 + exp(-x)) ** 2, Sigmoid(-x) * Sigmoid(x), ["logistic form", "complement"]),
    "a logistic function inside a long product": (
        (1 - tanh(x) ** 2) * y * exp(y) / (1 + exp(y)) + tanh(x),
        (1 - tanh(x)) * (1 + tanh(x)) * y * Sigmoid(y) + tanh(x),
        ["logistic form", "difference of squares"],
    ),
    "a denominator of three exponentials": (
        exp(x) / (1 + exp(x) + exp(2 * x)),
        Sigmoid(-x) * Sigmoid(x) / (1 - Sigmoid(x) + Sigmoid(x) ** 2),
        ["logistic form", "complement"],
    ),
    "an exponential of a difference": (1 / (exp(x - y) + exp(y - x)) * exp(x - y), Sigmoid(2 * x - 2 * y), ["logistic form", "complement"]),
    "hyperbolic tangent by its definition": (
        (exp(x) - exp(-x)) / (exp(x) + exp(-x)),
        tanh(x),
        ["logistic form", "complement"],
    ),
    "1 + tanh": (x * (1 + tanh(y)) / 2, x * Sigmoid(2 * y), ["logistic form"]),
    "tanh of a logarithm": (
        tanh(log(1 + exp(x))),
        (2 - Sigmoid(x)) * Sigmoid(x) / (2 - 2 * Sigmoid(x) + Sigmoid(x) ** 2),
        ["tanh of a logarithm", "logistic form"],
    ),
    "1 + erf": (x * (1 + sp.erf(x)), x * Erfc(-x), ["complement"]),
    "1 - s beside what is never small": (y + x * y / (1 + exp(x)), y + x * y * (1 - Sigmoid(x)), ["logistic form"]),
    "a root near a number": (sp.sqrt(x**2 + 1) - 1, x**2 / (1 + sp.sqrt(x**2 + 1)), ["difference of roots"]),
    "log(cosh(x))": (log((exp(x) + exp(-x)) / 2), sp.Abs(x) + Log1p(Expm1(-2 * sp.Abs(x)) / 2), ["softplus form"]),
    "the logarithm of weighted exponentials": (
        log(2 * exp(x) + 2 * exp(y)),
        AtLeast(x + log(2), y + log(2)) + Log1p(exp(-sp.Abs(x - y))),
        ["softplus form"],
    ),
    "the logarithm of three exponentials": (log(1 + exp(x) + exp(-x)), sp.Abs(x) + log(three), ["softplus form"]),
    "log(1 - s)": (
        log(1 - 1 / (1 + exp(-x))),
        -AtLeast(x, sp.S.Zero) - Log1p(exp(-sp.Abs(x))),
        ["logarithm of a quotient", "softplus form"],
    ),
    "one more class": (exp(Z[n, c]) / (1 + below), exp(Z[n, c] - M) / (exp(-M) + moved), ["shift by the maximum"]),
    "its logarithm": (log(1 + below), M + log(exp(-M) + moved), ["shift by the maximum"]),
    "a mean that exponentials weigh": (
        Sum(Z[n, k] * exp(Z[n, k]), k) / below,
        Sum(Z[n, k] * exp(Z[n, k] - m), k) / shifted,
        ["shift by the maximum"],
    ),
    "two exponentials that are not related": (
        exp(x) / (exp(x) + exp(y)),
        exp(x - AtLeast(x, y)) / (exp(x - AtLeast(x, y)) + exp(y - AtLeast(x, y))),
        ["shift by the maximum"],
    ),
    "an exponential that grows faster than the other falls": (
        (1 - tanh(exp(x)) ** 2) * exp(x),
        4 * exp(x - 2 * exp(x)) * Sigmoid(2 * exp(x)) ** 2,
        ["difference of squares", "complement", "one exponential"],
    ),
    "exp(x) - exp(y)": (exp(x) - exp(y), Expm1(x) - Expm1(y), ["exp(x) - 1"]),
    "a comparison of exponentials": (
        sp.Piecewise((x, exp(x) > 1), (y, True)),
        sp.Piecewise((x, x > 0), (y, True)),
        ["comparison of an exponential"],
    ),
    "softplus": (log(1 + exp(x)), AtLeast(x, sp.S.Zero) + Log1p(exp(-sp.Abs(x))), ["softplus form"]),
    "softplus in the branches of a formula by cases": (
        sp.Piecewise((x, x > 9), (log(1 + exp(x)), True)),
        sp.Piecewise((x, x > 9), (AtLeast(x, sp.S.Zero) + Log1p(exp(-sp.Abs(x))), True)),
        ["softplus form"],
    ),
    "a product of exponentials": (exp(x) * exp(-y) * y, y * exp(x - y), ["one exponential"]),
    "an exponential beside a sum with its inverse": (
        y * exp(-x) * (1 + exp(2 * x)),
        y * (exp(-x) + exp(x)),
        ["exponentials inside of a sum"],
    ),
    "a difference of such": (
        y * exp(-x) * (exp(2 * x) - 1),
        y * (Expm1(x) - Expm1(-x)),
        ["exponentials inside of a sum", "exp(x) - 1"],
    ),
    "exponentials that grow together": (exp(x) * (2 + exp(2 * x)), exp(x) * (2 + exp(2 * x)), []),
    "log of a written sum": (
        log(exp(x) + 3 * exp(2 * y) + 2),
        LARGEST + log(exp(x - LARGEST) + 3 * exp(2 * y - LARGEST) + 2 * exp(-LARGEST)),
        ["softplus form"],
    ),
    "a quotient of sums of exponentials": (
        y * (exp(2 * x) + 3 * exp(2 * y)) / (exp(2 * x) + exp(2 * y)) ** 2,
        y * exp(-LARGER) * (exp(2 * x - LARGER) + 3 * exp(2 * y - LARGER)) / (exp(2 * x - LARGER) + exp(2 * y - LARGER)) ** 2,
        ["shift by the maximum"],
    ),
    "log(1 - x)": (y * log(1 - x), y * Log1p(-x), ["logarithm near 1"]),
    "log(2 + x)": (log(2 + x), log(2 + x), []),
    "exp(x) - 1": (y * (exp(x) - 1), y * Expm1(x), ["exp(x) - 1"]),
    "exp(x) - 2": (exp(x) - 2, exp(x) - 2, []),
    "1 - y^2": (x * (1 - y**2), x * (1 - y) * (1 + y), ["difference of squares"]),
    "1 - x y": (1 - x * y, 1 - x * y, []),
}


def last(body: Expr, definitions: Definitions, floors: Floors | None = None) -> Expr:
    """What the rules make of an expression."""
    for _, after, _, _ in stable_forms(body, definitions, floors):
        body = after
    return body


@pytest.mark.parametrize("case", CASES)
def test_a_rule_gives_an_equal_expression(case: str) -> None:
    before, after, rules = CASES[case]
    found = list(stable_forms(before, {}, None))
    assert [rule for rule, *_ in found] == [f"stabilise: {rule}" for rule in rules]
    assert (found[-1][1] if found else before) == after
    rng = np.random.default_rng(0)
    arrays = {t.name: rng.uniform(-1, 1, [a.extent or 0 for a in t.axes]) for t in (X, Y, Z)}
    arrays["Y"][:] = np.copysign(arrays["Y"], arrays["X"])  # so that x y is positive, and both are negative somewhere
    assert arrays["X"].min() < 0
    np.testing.assert_allclose(value(before, (n, c), arrays, {}), value(after, (n, c), arrays, {}), rtol=1e-13)


def test_the_logarithm_of_an_entry_uses_its_definition() -> None:
    definition = Equation(P, (n, c), exp(Z[n, c]) / below)
    (rule, after, uses, _), *_ = stable_forms(log(P[n, k]), {P: definition}, None)
    assert (rule, after, uses) == ("stabilise: logarithm of a quotient", Z[n, k] - log(below), ("P",))


def test_a_masked_sum_is_shifted_by_the_largest_exponent_that_the_mask_leaves() -> None:
    position, later = N.index("m"), AtMost(N.index("m"), n)
    before = later * exp(X[position]) / Sum(later * exp(X[position]), position)
    ((rule, after, _, _),) = stable_forms(before, {}, None)
    largest = Max(sp.Piecewise((X[position], position <= n), (-sp.oo, True)), position)
    assert rule == "stabilise: shift by the maximum"
    assert after == later * exp(X[position] - largest) / Sum(later * exp(X[position] - largest), position)
    arrays = {"X": np.array([-1000.0, 1000.0])}
    np.testing.assert_array_equal(value(after, (n, position), arrays, {}), [[1.0, 0.0], [0.0, 1.0]])


def test_a_number_and_a_stored_value_are_the_exponential_that_they_hide() -> None:
    stored = Equation(S, (n,), where(X[n] <= 0, 2 * exp(X[n]) - 2, X[n]))
    before = where(X[k_n] <= 0, y * (2 + S[k_n]), y)
    assert last(before, {S: stored}) == where(X[k_n] <= 0, 2 * y * exp(X[k_n]), y)
    other = where(X[k_n] > 1, y * (2 + S[k_n]), y)
    assert last(other, {S: stored}) == other  # another branch of the equation may hold here


def test_the_logarithm_of_an_entry_without_an_exponential_stays() -> None:
    assert last(log(S[n]), {S: Equation(S, (n,), x * y)}) == log(S[n])


def test_the_logarithm_of_an_entry_that_is_defined_by_cases_stays() -> None:
    assert last(log(S[n]), {S: Equation(S, (n,), sp.Piecewise((x, x > 0), (exp(x), True)))}) == log(S[n])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (log(P[n, c]), AtLeast(log(P[n, c]), LOWEST)),
        (1 / P[n, c], 1 / AtLeast(P[n, c], SMALLEST)),
        (x / (P[n, c] * (1 - P[n, c])), x / AtLeast(P[n, c] * (1 - P[n, c]), SMALLEST)),
        (x / N.count, x / N.count),
        (x / P[n, c] + y / (1 - P[n, c]), x / AtLeast(P[n, c], SMALLEST) + y / AtLeast(1 - P[n, c], SMALLEST)),
    ],
)
def test_declared_floors(before: Expr, after: Expr) -> None:
    assert last(before, {}, FLOORS) == after


def test_a_floored_logarithm_of_a_logistic_function_is_a_softplus() -> None:
    """And the one of its complement, with the same log(1 + exp(-|x|)): of the argument, not of the rounded value."""
    logistic = Equation(S, (n,), 1 / (1 + exp(-x)))
    part = Log1p(exp(-sp.Abs(x)))
    after = y * AtLeast(-AtLeast(-x, sp.S.Zero) - part, LOWEST) + (1 - y) * AtLeast(-AtLeast(x, sp.S.Zero) - part, LOWEST)
    before = y * log(S[n]) + (1 - y) * log(1 - S[n])
    assert [(rule, uses) for rule, _, uses, _ in stable_forms(before, {S: logistic}, FLOORS)] == [
        ("stabilise: floors", ()),
        ("stabilise: logarithm of a quotient", ("S",)),
        ("stabilise: softplus form", ()),
    ]
    assert last(before, {S: logistic}, FLOORS) == after


def test_without_a_floor_a_denominator_stays() -> None:
    assert last(1 / P[n, c], {}, Floors(sp.Integer(-100))) == 1 / P[n, c]
