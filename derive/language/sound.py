"""Arithmetic that stays small and real: SymPy folds constants at once, however large they become, so every fold is bounded first."""

from __future__ import annotations

import math

import sympy as sp
from sympy import Expr

from derive.index import Entry, Indicator
from derive.language.errors import Place, quoted, wrong
from derive.language.limits import MAX_BITS, MAX_CONSTANT, MAX_EXPONENT, MAX_PARTS, MAX_ROOTS

UNREAL = (sp.S.ComplexInfinity, sp.S.NaN, sp.S.Infinity, sp.S.NegativeInfinity, sp.S.ImaginaryUnit)
LARGEST_EXPONENT = 700  # exp of more is no float, exp of less is 0


def sound(value: Expr, at: Place) -> Expr:
    """The value itself. Raises FormulaError where it is infinite, complex or a constant that no float can hold."""
    parts = (value, *value.args, *(a for arg in value.args for a in arg.args))
    if any(part in UNREAL for part in parts):
        raise wrong(at, "an expression without a real value", "one that is a real number wherever it is read")
    coefficient = value if value.is_Rational else value.as_coeff_Mul()[0]
    if isinstance(coefficient, sp.Rational) and bits(coefficient) > MAX_BITS:
        raise wrong(at, "a constant with too many digits", "a smaller one")
    if value.is_number and not value.is_Rational:
        number(value, at)
    return value


def number(value: Expr, at: Place) -> float:
    """A constant as a float. Raises FormulaError where it is none."""
    if parts(value) > MAX_CONSTANT:
        raise wrong(at, "a constant of many parts", "the number that it is")
    try:
        found = float(value.evalf(15))
    except (TypeError, ArithmeticError):
        found = math.inf
    if not math.isfinite(found):
        raise wrong(at, "a constant that is no finite real number", "one between -1e308 and 1e308")
    return found


def bits(value: sp.Rational) -> int:
    return max(int(value.p).bit_length(), int(value.q).bit_length())


def quotient(value: Expr, divisor: Expr, at: Place) -> Expr:
    """value / divisor; `at` is the divisor's place."""
    _check_divisor(divisor, at)
    return value / divisor


def power(base: Expr, exponent: Expr, at: Place) -> Expr:
    """base ** exponent. Raises FormulaError unless the exponent is a small integer or half of one, and the value is real.

    A number that is whole and positive whatever its value, such as the number of a step, may be an exponent too.
    """
    if isinstance(exponent, Entry) and exponent.is_integer and exponent.is_positive:
        return sound(base**exponent, at)
    if not isinstance(exponent, sp.Rational) or exponent.q not in (1, 2) or abs(exponent) > MAX_EXPONENT:
        right = f"a whole or half number from -{MAX_EXPONENT} to {MAX_EXPONENT}"
        raise wrong(at, f"the exponent {quoted(str(exponent))}" if exponent.is_number else "an exponent that is no constant", right)
    if exponent < 0:
        _check_divisor(base, at)
    if exponent.q == 2:
        _check_root(base, at)
    _check_power(base, exponent, at)
    return sound(base**exponent, at)


def _check_power(base: Expr, exponent: sp.Rational, at: Place) -> None:
    """SymPy raises numbers, powers and the branches of a choice at once: every one must stay small."""
    if isinstance(base, sp.Piecewise):
        for branch, _ in base.args:
            power(branch, exponent, at)
        return
    coefficient, rest = base.as_coeff_Mul()
    if isinstance(coefficient, sp.Rational) and bits(coefficient) * abs(exponent) > MAX_BITS:
        raise wrong(at, "a constant with too many digits", "a smaller one")
    for factor in sp.Mul.make_args(rest):
        whole = factor.as_base_exp()[1] * exponent
        if isinstance(whole, sp.Rational) and whole.q > 2:
            raise wrong(at, f"a power of a power, with the exponent {whole} in all", "a whole or half number")
        if isinstance(factor, sp.Piecewise):
            _check_power(factor, exponent, at)
    if abs(exponent) * _degree(rest) > MAX_EXPONENT:
        raise wrong(
            at, f"powers of powers, of more than {MAX_EXPONENT} in all", "smaller ones, or equations of their own for the inner ones"
        )


def _degree(e: Expr) -> Expr:
    """The largest product of the exponents of powers that stand inside one another."""
    own = abs(e.exp) if isinstance(e, sp.Pow) and isinstance(e.exp, sp.Rational) and abs(e.exp) > 1 else sp.S.One
    return own * max(map(_degree, e.args), default=sp.S.One)


def _check_root(base: Expr, at: Place) -> None:
    """Whether roots of roots are real takes SymPy a time exponential in their depth."""
    if _is_negative(base, at):
        raise wrong(at, "a root of what is always negative", "one of what is never negative")
    if _roots(base) >= MAX_ROOTS:
        raise wrong(at, f"more than {MAX_ROOTS} roots inside one another", "equations of their own for the inner ones")


def _roots(e: Expr) -> int:
    """How many roots stand inside one another."""
    own = isinstance(e, sp.Pow) and isinstance(e.exp, sp.Rational) and e.exp.q == 2
    return own + max(map(_roots, e.args), default=0)


def exponential(x: Expr, at: Place) -> Expr:
    """exp(x). SymPy writes exp(c log(u)) as the power u**c, which must be one that the language has."""
    if x.is_number and abs(number(x, at)) > LARGEST_EXPONENT:
        raise wrong(at, "the exponential of a constant beyond 700", "one from -700 to 700")
    for term in sp.Add.make_args(x):
        factors = sp.Mul.make_args(term)
        logs = [f for f in factors if isinstance(f, sp.log)]
        others = [f for f in factors if not isinstance(f, sp.log)]
        if len(logs) == 1 and all(f.is_number for f in others):
            power(logs[0].args[0], sp.Mul(*others), at)
    return sound(sp.exp(x), at)


def logarithm(x: Expr, at: Place) -> Expr:
    if _is_zero(x) or _is_negative(x, at):
        raise wrong(at, "a logarithm of what is never positive", "one of what is positive")
    return sound(sp.log(x), at)


def parts(*values: Expr) -> int:
    """How many nodes the expressions have as trees, counted up to the bound only."""
    found, todo = 0, list(values)
    while todo and found <= MAX_PARTS:
        found += 1
        todo += todo.pop().args
    return found


def check_parts(at: Place, copies: int, *values: Expr) -> None:
    """Raises FormulaError where so many copies of the values would be too large an expression."""
    if copies * parts(*values) > MAX_PARTS:
        raise wrong(at, f"an expression of more than {MAX_PARTS} parts, written out", "equations of their own for its parts")


def _is_negative(x: Expr, at: Place) -> bool:
    """Whether a constant is negative; of other values nothing is asked, since SymPy's answer may take long."""
    return x.is_number and number(x, at) < 0


def _is_zero(x: Expr) -> bool:
    return x == 0 or (x.is_number and bool(x.is_zero))


def _check_divisor(divisor: Expr, at: Place) -> None:
    if _is_zero(divisor):
        raise wrong(at, "a division by zero", "a divisor that is not 0")
    if any(isinstance(f, Indicator) for f in sp.Mul.make_args(divisor)):
        raise wrong(at, "a division by an entry that may lie outside of its tensor, where it is 0", "a sum that is never 0")
