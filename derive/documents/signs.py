"""Signs, numbers and branches of expressions, as they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean


def parenthesised(text: str) -> str:
    return rf"\left({text}\right)"


def signed_sum(terms: Sequence[str]) -> str:
    """Terms joined by their signs; a term that is subtracted starts with a minus sign."""
    first, *rest = terms
    return first + "".join(f" - {t[1:]}" if t.startswith("-") else f" + {t}" for t in rest)


def number_latex(value: Expr) -> str:
    """An integer, a fraction with a short denominator, or else the decimal number that it is: 1/2, 0.01, 10^{-12}."""
    if not isinstance(value, sp.Rational):
        return sp.latex(value)
    p, q = value.p, value.q
    digits = next((k for k in range(1, 400) if 10**k % q == 0), None)
    if q == 1:
        return str(p)
    if q < 10 or digits is None:
        return rf"{'-' if p < 0 else ''}\frac{{{abs(p)}}}{{{q}}}"
    scaled = p * 10**digits // q
    if digits > 7 or (digits > 3 and scaled == 1):
        return rf"10^{{-{digits}}}" if scaled == 1 else rf"{scaled} \cdot 10^{{-{digits}}}"
    sign, figures = "-" if scaled < 0 else "", str(abs(scaled)).rjust(digits + 1, "0")
    return f"{sign}{figures[:-digits]}.{figures[-digits:]}"


def fraction(coefficient: Expr) -> tuple[list[str], list[str]]:
    """What a product's coefficient puts above and below its fraction bar; a 1 is left out."""
    if isinstance(coefficient, sp.Rational) and coefficient.q < 10:
        return [str(coefficient.p)] * (coefficient.p != 1), [str(coefficient.q)] * (coefficient.q != 1)
    return [number_latex(coefficient)], []


def roots_below(coefficient: Expr, factors: Sequence[Expr]) -> tuple[Expr, list[Expr], list[Expr]]:
    """1/2 sqrt(2) as 1/sqrt(2): the coefficient, the factors that stay, and the roots below the fraction bar."""
    stay: list[Expr] = []
    below: list[Expr] = []
    for factor in factors:
        base = _under_root(factor)
        if isinstance(base, sp.Integer) and isinstance(coefficient, sp.Rational) and coefficient.q % base.p == 0:
            coefficient = sp.Rational(coefficient.p * base.p, coefficient.q)
            below.append(factor)
        else:
            stay.append(factor)
    return coefficient, stay, below


def together_under_a_root(factors: Sequence[Expr]) -> list[Expr]:
    """Roots of numbers as one: sqrt(2) sqrt(pi) as sqrt(2 pi)."""
    bases = [base for f in factors if (base := _under_root(f)) is not None and base.is_number]
    if len(bases) < 2:
        return list(factors)
    others = [f for f in factors if _under_root(f) not in bases]
    return [*others, sp.Pow(sp.Mul(*bases), sp.S.Half, evaluate=False)]


def _under_root(factor: Expr) -> Expr | None:
    """x of the root of x."""
    return factor.base if isinstance(factor, sp.Pow) and factor.exp == sp.S.Half else None


def denominator(factor: Expr) -> Expr | None:
    """What a factor with a negative power puts below the fraction bar; None for any other factor."""
    if isinstance(factor, sp.Pow) and factor.exp.is_Number and factor.exp.is_negative:
        return sp.Pow(factor.base, -factor.exp)
    return None


def negative(e: Expr) -> bool:
    """Whether an expression is written with a minus sign in front."""
    if e.is_Number:
        return bool(e.is_negative)
    if e.is_Add:
        return all(negative(t) for t in e.args)
    if e.is_Mul:
        return sum(negative(f) for f in e.args) % 2 == 1
    return False


def opposite(e: Expr) -> Expr:
    """-e, for an expression that is written with a minus sign in front."""
    if e.is_Add:
        return sp.Add(*(opposite(t) for t in e.args))
    if e.is_Mul:
        return sp.Mul(*(opposite(f) if negative(f) else f for f in e.args))
    return -e


def two_branches(e: Expr) -> tuple[Expr, Relational, Expr] | None:
    """(value, condition, other value) of a Piecewise of two branches."""
    if not isinstance(e, sp.Piecewise) or len(e.args) != 2:
        return None
    (first, condition), (second, _) = e.args
    return (first, condition, second) if isinstance(condition, Relational) else None


def apart(one: Boolean, other: Boolean) -> bool:
    """Whether two comparisons of one expression with numbers cannot both hold: x <= -1 and x >= 1."""
    if not isinstance(one, Relational) or not isinstance(other, Relational) or one.lhs != other.lhs:
        return False
    low, high = (one, other) if isinstance(one, sp.Le | sp.Lt) else (other, one)
    bounds = isinstance(low, sp.Le | sp.Lt) and isinstance(high, sp.Ge | sp.Gt) and low.rhs.is_number and high.rhs.is_number
    return bounds and bool(low.rhs < high.rhs)


def indicator(e: Expr) -> Relational | None:
    """The condition that a Piecewise of 1 and 0 indicates."""
    match two_branches(e):
        case (sp.S.One, condition, sp.S.Zero):
            return condition
        case (sp.S.Zero, condition, sp.S.One):
            return condition.negated
        case _:
            return None


def lower_bound(e: Expr) -> tuple[Expr, Expr] | None:
    """The b and x of max(b, x), from `b where x <= b, x elsewhere`."""
    match two_branches(e):
        case (bound, sp.Le() | sp.Lt() as condition, x) if (condition.lhs, condition.rhs) == (x, bound):
            return bound, x
        case _:
            return None


def rounded_up(x: float) -> str:
    """Four significant digits, never below the number by more than its own rounding."""
    if x == 0:
        return "0"
    exponent = math.floor(math.log10(x)) - 3
    scaled = math.ceil(x * (1 - 1e-9) / 10.0**exponent)
    shown = f"{scaled * 10.0**exponent:.4g}"
    mantissa, _, power = shown.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa


def decimal_latex(text: str) -> str:
    """A number as Python or mpmath write it, as LaTeX: 1.5e-07 is 1.5 times a power of ten."""
    if text in ("nan", "+inf", "-inf"):
        return {"nan": r"\mathrm{NaN}", "+inf": r"\infty", "-inf": r"-\infty"}[text]
    mantissa, _, power = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    return rf"{mantissa} \cdot 10^{{{int(power)}}}" if power else mantissa
