"""Hostile formulas: an error, or a value, within two seconds and a gigabyte; and never another error than FormulaError."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derive.language import FormulaError, extent
from derive.language.limits import MAX_TEXT
from tests.formulas import defined
from tests.fuzz_formulas import SCOPE, OutOfTime, bounded, feed, formulas, memory, mutated, nested, soup


def endless() -> None:
    while True:
        pass


def test_the_bound_on_time_can_fail() -> None:
    with pytest.raises(OutOfTime), bounded(seconds=0.05):
        endless()


def test_the_bound_on_memory_can_fail() -> None:
    with pytest.raises(AssertionError), bounded(seconds=60, size=2**20):
        assert len(bytes(range(256)) * (memory() // 256)) > 0


def tower(pattern: str, depth: int, leaf: str = "x") -> str:
    """A formula in a formula in a formula."""
    for _ in range(depth):
        leaf = pattern.replace("A", leaf)
    return leaf


LONG = 100_000
REFUSED = {
    "tower of powers": "9**9**9**9**9",
    "tower of powers from the left": "(((9**64)**64)**64)**64",
    "power of a parameter": "(beta**64)**64",
    "huge number": "9" * 5000,
    "huge exponent of a number": "1e999999999",
    "product of large numbers": "*".join(["1e300"] * 200),
    "hidden power": "exp(1000000000 * log(2))",
    "hidden power in a sum": "exp(x + 1000000000 * log(2))",
    "tower of exponentials": tower("exp(A)", 12, "9"),
    "tower of polynomials": tower("(A/3 + a)**64", 8),
    "parentheses": "(" * LONG + "x" + ")" * LONG,
    "parentheses without an end": "(" * 10_000,
    "brackets": "X[" * 5000,
    "signs": "-" * 10_000 + "x",
    "nots": "where(" + "not " * 3000 + "causal, 1, 2)",
    "functions in functions": tower("exp(A)", 300),
    "doubled arguments": tower("cosh(A)", 60),
    "doubled arguments in reach": tower("cosh(A)", 12),
    "constants": tower("sigmoid(A)", 12, "2"),
    "a long name": "x" * 1000,
    "a long name of a function": "f" * 1000 + "(x)",
    "many positions": "X[" + ",".join(["n"] * 500) + "]",
    "many arguments": "sum(" + ",".join("abcdefgh"[k % 8] + str(k) for k in range(300)) + ", x)",
    "line ends": "\n" * 19_000,
    "a long text": "x + " * LONG,
    "a long position": "X[n, " + "*".join(["1000000000"] * 100) + "]",
    "nested labels": "P[n, " + "y[" * 20 + "n" + "]" * 21,
    "an attribute": "x.func.__globals__",
    "a class": "().__class__.__mro__[1].__subclasses__()",
    "an import": "__import__('os').system('true')",
    "an import without quotes": "__import__(os)",
    "eval": "eval(x)",
    "exec": "exec(x)",
    "open": "open(x)",
    "sympify": "S(x)",
    "getattr": "getattr(x, func)",
    "a lambda": "(lambda: x)()",
    "a comprehension": "[x for x in (1,)]",
    "a walrus": "(y := x)",
    "a star": "exp(*x)",
    "text": "'x' * 1000000000",
    "a template": "{{ x }}",
    "a command of LaTeX": "\\input{/etc/passwd}",
    "Cyrillic": "\u0435\u0445\u0440(x)",
    "fullwidth": "\uff45\uff58\uff50(x)",
    "superscripts": "x\u2079\u2079",
    "a mathematical letter": "\U0001d465",
    "digits of another script": "x * \u0663",
    "right to left": "x \u202e+ 1",
    "nothing visible": "\u200b\u2060",
    "a zero byte": "x\x00",
    "half a character": "\ud800",
    "a combining accent": "x\u0301",
}


EITHER = {  # large but within the bounds, or beyond one of them
    "constants too close to compare": "maximum(1, 1 / erf(1e300)) + where(x > 1 - erf(1e300), x, 1)",
    "maxima of maxima": tower("maximum(A, x * a)", 12),
    "sum of a large power": "(x + a + prediction + X[n, 0] + X[n, 1])**64 * (x + 1)**-64",
    "logarithms of sigmoids": tower("log(sigmoid(A))", 6),
    "many equations": "\n".join(f"y{k} = {k}" for k in range(1000)),
    "a long sum": "+".join(["x"] * 1000),
    "a long product": "*".join(["(x+1)"] * 300),
    "roots of roots": tower("tanh(sqrt(1 + A))", 12),
    "choices in choices": tower("where(A > 0, x, A)", 8),
}


@pytest.mark.parametrize("kind", REFUSED | EITHER)
def test_a_hostile_formula_costs_little(kind: str) -> None:
    with bounded():
        feed((REFUSED | EITHER)[kind])


@pytest.mark.parametrize("kind", REFUSED)
def test_a_hostile_formula_is_refused(kind: str) -> None:
    with bounded(), pytest.raises(FormulaError):
        defined(f"Y[n, i] = {REFUSED[kind]}", SCOPE)


@pytest.mark.parametrize("text", ["9" * MAX_TEXT, "(" * 10_000, "9**9**9", "-" * 10_000 + "1", "*".join(["1000000000"] * 150)])
def test_a_hostile_extent_is_refused(text: str) -> None:
    with bounded(), pytest.raises(FormulaError):
        extent(text, {}, {})


# -- random formulas; `make fuzz` takes a million of them -------------------------------------------------------------


def test_random_formulas_give_a_value_or_a_formula_error() -> None:
    with bounded(seconds=30):
        taken = [feed(text) for text in islice(formulas(2), 3000)]
    assert any(taken)
    assert not all(taken)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    with bounded():
        feed(text)


def deep(random: Random) -> str:
    return nested(random, 4)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from([mutated, soup, deep]), st.integers(0, 2**32))
def test_any_words(make: Callable[[Random], str], seed: int) -> None:
    with bounded():
        feed(make(Random(seed)))
