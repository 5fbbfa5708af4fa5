"""The numbers of the proof obey the laws that the proof relies on, and its reading of formulas is the plain one."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from random import Random

import mpmath
import pytest
import sympy as sp

from derive.domains.digits import Digits
from derive.domains.dual import Dual, DualDomain
from derive.domains.field import FieldPair, G, P, Q
from derive.domains.number import Domain, Number, Outside, Unsupported
from derive.index import ArgMax, Axis, Delta, InRange, Max, Partial, Sum, Tensor
from derive.program import Equation
from derive.proof.interpret import Interpreter
from derive.proof.meaning import Meaningless

FIELD, DIGITS = FieldPair(), Digits()


@pytest.fixture(params=[FIELD, DIGITS], ids=["finite field", "50 digits"])
def domain(request: pytest.FixtureRequest) -> Domain:
    return request.param


def drawn(domain: Domain, low: float = -2.0, high: float = 2.0, seed: int = 1) -> Number:
    return domain.random(Random(seed), low, high)


def number(domain: Domain, value: int) -> Number:
    return domain.constant(Fraction(value))


def test_the_fields_are_fields_and_exp_has_its_order() -> None:
    assert sp.isprime(P)
    assert sp.isprime(Q)
    assert (P - 1) % Q == 0
    assert (P % 8, Q % 8) == (7, 7)
    assert pow(G, Q, P) == 1
    assert G != 1


def test_exp_is_a_homomorphism(domain: Domain) -> None:
    u, v = drawn(domain, seed=1), drawn(domain, seed=2)
    assert (u + v).exp().equals(u.exp() * v.exp())
    assert (-u).exp().equals(u.exp().reciprocal())
    assert (u * domain.constant(Fraction(3, 2))).exp().power(Fraction(2)).equals(u.exp().power(Fraction(3)))
    assert number(domain, 0).exp().equals(number(domain, 1))


def test_exp_undoes_log(domain: Domain) -> None:
    u, v = drawn(domain, 1, 2), drawn(domain, 1, 2, seed=2)
    w = drawn(domain, seed=3)
    assert u.log().exp().equals(u)
    assert (number(domain, 3) * u.log() + -v.log() + w).exp().equals(u.power(Fraction(3)) * v.reciprocal() * w.exp())


def test_roots(domain: Domain) -> None:
    two, eight = number(domain, 2), number(domain, 8)
    assert (two.root() * eight.root()).equals(number(domain, 4))
    assert two.power(Fraction(-3, 2)).equals((two * two.root()).reciprocal())
    assert (domain.pi().root() * domain.pi().root()).equals(domain.pi())


def test_erf_is_odd(domain: Domain) -> None:
    u = drawn(domain)
    assert (-u).erf().equals(-u.erf())
    assert number(domain, 0).erf().equals(number(domain, 0))


def test_what_a_domain_cannot_do_is_refused(domain: Domain) -> None:
    zero = number(domain, 0)
    for outside in (zero.reciprocal, zero.log, number(domain, -1).log, number(domain, -2).root):
        with pytest.raises(Outside):
            outside()
    with pytest.raises(Unsupported):
        drawn(domain).power(Fraction(1, 3))


def test_exponentials_do_not_nest_in_the_field() -> None:
    with pytest.raises(Unsupported):
        drawn(FIELD).exp().exp()


def test_comparisons_are_by_the_real_number(domain: Domain) -> None:
    u = drawn(domain, 1, 2)
    assert (u.compare(number(domain, 0)), (-u).compare(u), u.compare(u)) == (1, -1, 0)


def test_numbers_too_close_to_compare_are_refused() -> None:
    one = number(DIGITS, 1)
    with pytest.raises(Outside):
        one.compare(one + DIGITS.constant(Fraction(1, 10**45)))
    one = number(FIELD, 1)
    with pytest.raises(Outside):
        one.compare(one + FIELD.constant(Fraction(1, 10**12)))


FUNCTIONS: list[Callable[[Number], Number]] = [
    lambda x: x.exp(),
    lambda x: x.log(),
    lambda x: x.erf(),
    lambda x: x.root(),
    lambda x: x.reciprocal(),
    lambda x: x.power(Fraction(-5, 2)),
    lambda x: x * x.exp() + -(x * x),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_dual_numbers_differentiate(function: Callable[[Number], Number]) -> None:
    """Against central differences of 50-digit numbers with a step of 10^-16: an error of 10^-32 relatively."""
    at, step = DIGITS.constant(Fraction(7, 5)), DIGITS.constant(Fraction(1, 10**16))
    dual = function(DualDomain(DIGITS).variable(at, ("x", ())))
    assert isinstance(dual, Dual)
    slope = (function(at + step) + -function(at + -step)) * DIGITS.constant(Fraction(10**16, 2))
    error = slope + -dual.tangents["x", ()]
    assert abs(error.real) < 1e-29


def test_digits_agree_with_floats() -> None:
    assert DIGITS.pi().real == math.pi
    assert number(DIGITS, 1).erf().real == pytest.approx(math.erf(1), rel=1e-15)
    assert mpmath.mp.dps == 15  # the precision is this domain's own, not mpmath's


# -- the reading of formulas -------------------------------------------------------------------------------------------

N, S = Axis("n", "N"), Axis("s", "S")
n, s = N.index(), S.index()
x, labels, v = Tensor("x", (S,)), Tensor("labels", (N,), S), Tensor("v", (N,))


def interpreter(values: list[int], domain: Domain = FIELD) -> Interpreter:
    """x[s] = values, labels[n] = 2, 0."""
    largest = Equation(Tensor("top"), (), Max(x[s], s))
    chosen = Equation(v, (n,), x[labels[n]] ** 2)
    run = Interpreter(domain, {N: 2, S: len(values)}, {"top": largest, "v": chosen})
    run.tables["x"] = {(k,): number(domain, value) for k, value in enumerate(values)}
    run.labels["labels"] = {(0,): 2, (1,): 0}
    return run


def check(run: Interpreter, e: sp.Expr, wanted: int, **at: int) -> None:
    places = {index: at[index.label] for index in (n, s) if index.label in at}
    assert run.value(e, places).equals(number(run.domain, wanted))


def test_sums_maxima_and_labels(domain: Domain) -> None:
    run = interpreter([3, 7, 7, -1], domain)
    check(run, Sum(x[s], s), 16)
    check(run, Sum(x[s] ** 2, s) / S.count, 27)
    check(run, Max(x[s], s), 7)
    check(run, ArgMax(x[s], 0, s) + 0 * x[0], 1)  # of equal maxima the first
    check(run, x[ArgMax(x[s], 0, s) + 2], -1)
    check(run, x[labels[n]], 7, n=0)
    check(run, Sum(Delta(labels[n], s) * (n + 1), n), 2, s=0)


def test_an_indicator_that_is_0_masks_a_read_past_the_end() -> None:
    run = interpreter([3, 7, 7, -1])
    check(run, Sum(InRange(s + 1, S.count) * x[s + 1], s), 13)
    with pytest.raises(Meaningless, match=r"x\[4\] is read"):
        run.value(Sum(x[s + 1], s), {})


def test_local_derivatives_come_from_forward_equations(domain: Domain) -> None:
    run = interpreter([3, 7, 7, -1], domain)
    top = Tensor("top")
    for place, wanted in enumerate((0, 1, 0, 0)):  # of equal maxima the first has the derivative
        check(run, Partial(top[()], x[s]), wanted, s=place)
    check(run, Partial(v[n], x[s]), 14, n=0, s=2)
    check(run, Partial(v[n], x[s]), 0, n=0, s=1)
    with pytest.raises(Meaningless, match="x has no forward equation"):
        run.value(Partial(x[s], x[s]), {s: 0})


def test_the_derivative_of_a_modulus_is_0_at_0() -> None:
    run = Interpreter(FIELD, {S: 3}, {"a": Equation(Tensor("a", (S,)), (s,), sp.Abs(x[s]))})
    run.tables["x"] = {(k,): number(FIELD, k - 1) for k in range(3)}
    for place, wanted in enumerate((-1, 0, 1)):
        check(run, Partial(Tensor("a", (S,))[s], x[s]), wanted, s=place)


def test_what_has_no_meaning_is_refused() -> None:
    run = interpreter([1, 2, 3])
    for unknown in (sp.sinh(x[0]), sp.Symbol("free"), sp.Float(0.5), Tensor("missing")[()], x[s]):
        with pytest.raises(Meaningless):
            run.value(unknown, {})
