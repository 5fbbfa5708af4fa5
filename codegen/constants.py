"""Numbers as ordinary Python text, and the precedence of Python's operators."""

from __future__ import annotations

import sympy as sp
from sympy import Basic, Expr

from derive.functions import Erfc, Expm1, Log1p
from derive.index import Entry, Index, Indicator, Size

CHOICE, OR, AND, NOT, COMPARE, ADD, MULTIPLY, SIGN, POWER, ATOM = range(10)

FUNCTIONS: dict[type[Basic], str] = {
    sp.exp: "math.exp",
    sp.log: "math.log",
    sp.tanh: "math.tanh",
    sp.erf: "math.erf",
    sp.Abs: "abs",
    Log1p: "math.log1p",
    Expm1: "math.expm1",
    Erfc: "math.erfc",
}


def constant(e: Expr, within: int = CHOICE) -> str:
    """The text of a number, as ordinary Python: `math.sqrt(2) / (2 * math.sqrt(math.pi))`."""
    text, own = _constant(e)
    return f"({text})" if own < within else text


def is_constant(e: Expr) -> bool:
    """Whether an expression is a number once the number of examples is known."""
    return not e.has(Entry, Index, Indicator)


def _constant(e: Expr) -> tuple[str, int]:
    if isinstance(e, Size):
        return (e.name, ATOM) if e.axis.extent is None else (str(e.axis.extent), ATOM)
    if isinstance(e, Entry) and not e.indices:
        return e.tensor.name, ATOM
    if e == -sp.oo:
        return "-np.inf", SIGN
    if e == sp.pi:
        return "math.pi", ATOM
    if isinstance(e, sp.Rational):
        return _rational(e)
    if isinstance(e, sp.Float):
        return repr(float(e)), ATOM
    if e.is_Add:
        first, *others = positive_first(e)
        return constant(first, ADD) + "".join(
            f" - {constant(-t, MULTIPLY)}" if negative(t) else f" + {constant(t, ADD)}" for t in others
        ), ADD
    if e.is_Mul:
        return _constant_product(e)
    if isinstance(e, sp.Pow) and e.exp == sp.Rational(1, 2):
        return f"math.sqrt({constant(e.base)})", ATOM
    if isinstance(e, sp.Pow) and e.exp.is_negative:
        return f"1 / {constant(1 / e, POWER)}", MULTIPLY
    if isinstance(e, sp.Pow):
        base, exponent = constant(e.base, ATOM), constant(e.exp, ATOM)
        return f"{base}**{exponent}", POWER
    if type(e) in FUNCTIONS:
        return f"{FUNCTIONS[type(e)]}({constant(e.args[0])})", ATOM
    raise ValueError(f"no Python text for the number {e} ({type(e).__name__})")


def _rational(e: sp.Rational) -> tuple[str, int]:
    if e.q == 1:
        return str(e.p), ATOM if e.p >= 0 else SIGN
    if sp.Rational(repr(float(e))) == e:
        return repr(float(e)), ATOM if e.p >= 0 else SIGN
    return f"{e.p} / {e.q}", MULTIPLY


def _constant_product(e: Expr) -> tuple[str, int]:
    sign = "-" if e.as_coeff_Mul()[0].is_negative else ""
    above, below = sp.fraction(-e if sign else e)
    bottom = [constant(f, POWER) for f in sp.Mul.make_args(below) if f != 1]
    top = " * ".join(constant(f, MULTIPLY) for f in sp.Mul.make_args(above))
    if not bottom:
        return sign + top, MULTIPLY
    return f"{sign}{top} / {bottom[0] if len(bottom) == 1 else '(' + ' * '.join(bottom) + ')'}", MULTIPLY


def positive_first(e: Expr) -> list[Expr]:
    """The terms of a sum, those with a minus sign last."""
    return sorted(e.args, key=negative)


def negative(e: Expr) -> bool:
    """Whether an expression starts with a minus sign."""
    return bool(e.could_extract_minus_sign())
