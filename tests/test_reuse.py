"""Derivatives in stored values: found by solving an equation for its kernel, kept where that is safe and shorter."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr, Rational, exp, log, sqrt, tanh

from derive.adjoint import differentiate
from derive.functions import where
from derive.index import Axis, Sum, Tensor
from derive.program import Equation, Program, ProgramError, renumber
from derive.proof import prove
from derive.reuse import stored

N, C = Axis("n", "N", 2), Axis("c", "C", 3)
n, c, k = N.index(), C.index(), C.index("k")
A, H, Z, W = Tensor("A", (N,)), Tensor("H", (N,)), Tensor("Z", (N, C)), Tensor("W", (N,))
P = Tensor("P", (N, C), sign="positive")
a, h = A[n], H[n]
total = Sum(exp(Z[n, k]), k)

CASES: dict[str, tuple[Expr, Expr, Expr]] = {  # the equation's body, its derivative, the derivative in its value
    "tanh": (tanh(a), 1 - tanh(a) ** 2, 1 - h**2),
    "logistic": (1 / (1 + exp(-a)), exp(-a) / (1 + exp(-a)) ** 2, h * (1 - h)),
    "exponential": (exp(a), exp(a), h),
    "square root": (sqrt(1 + a**2), a * sqrt(1 + a**2), a * h),
    "no new denominator: exp(a) / (1 + exp(a)) has a stable form": (exp(a), exp(a) / (1 + exp(a)), exp(a) / (1 + exp(a))),
    "the body itself": (log(1 + a**2) * a, log(1 + a**2) * a, h),
    "elu": (where(a <= 0, 2 * (exp(a) - 1), a), where(a <= 0, 2 * exp(a), 1), where(a <= 0, h + 2, 1)),
    "no new denominator: x may be 0": (a * tanh(a), tanh(a), tanh(a)),
    "not linear in any kernel": (exp(a) + exp(2 * a), exp(a), exp(a)),
}


@pytest.mark.parametrize("case", CASES)
def test_stored(case: str) -> None:
    body, slope, expected = CASES[case]
    assert stored(slope, Equation(H, (n,), body)) == expected


def test_a_kernel_is_replaced_at_every_index() -> None:
    softmax = Equation(P, (n, c), exp(Z[n, c]) / total)
    assert stored(-exp(Z[n, c]) * exp(Z[n, 0]) / total**2, softmax) == -P[n, c] * P[n, 0]


def test_another_tensor_is_no_kernel() -> None:
    assert stored(1 - tanh(W[n]) ** 2, Equation(H, (n,), tanh(a))) == 1 - tanh(W[n]) ** 2


def test_a_value_with_an_index_that_means_nothing_is_not_used() -> None:
    spread = Tensor("S", (N, C))
    assert stored(exp(a), Equation(spread, (n, c), 2 * exp(a))) == exp(a)


def program(*equations: Equation) -> Program:
    last = equations[-1].tensor
    loss = Equation(Tensor("L"), (), sp.Add(*[Sum(e.entry, *e.indices) for e in equations]))
    return Program("p", (), (), (A,), renumber((*equations, loss)), (last, loss.tensor))


def test_values_beside_the_one_that_is_differentiated_are_used() -> None:
    """H = tanh(a) is stored, so the derivative of a tanh(a) needs no tanh; the proof agrees."""
    derivation = differentiate(program(Equation(H, (n,), tanh(a)), Equation(W, (n,), a * tanh(a))))
    assert not [v for v in prove(derivation) if not v.holds]
    assert not derivation.gradient(A).equation.body.has(tanh)


def test_a_spread_value_beside_is_no_obstacle() -> None:
    spread, scaled = Tensor("S", (N, C)), Tensor("Y", (N,))
    derivation = differentiate(program(Equation(spread, (n, c), exp(a)), Equation(scaled, (n,), Rational(1, 2) * exp(a))))
    assert not [v for v in prove(derivation) if not v.holds]


def test_a_tensor_with_the_name_of_a_gradient_is_refused() -> None:
    with pytest.raises(ProgramError, match="dA: the tensor is defined twice"):
        differentiate(program(Equation(Tensor("dA", (N,)), (n,), exp(a))))


def test_a_condition_that_is_no_comparison_is_refused() -> None:
    with pytest.raises(ProgramError, match="no single comparison"):
        program(Equation(H, (n,), sp.Piecewise((0, (a < 0) | (a > 6)), (a, True))))
