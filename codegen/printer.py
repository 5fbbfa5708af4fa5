"""A SymPy expression to Python text for a Numba kernel.

Every number is written `real(...)`, a conversion to the parameters' type that costs nothing once compiled: a bare Python number would turn
float32 arithmetic into float64. A factor that is 0 or 1 by a condition becomes a choice: `real(0) if A1[j] <= real(0) else dH1[j]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy import Basic, Expr

from codegen.constants import ADD, ATOM, CHOICE, MULTIPLY, OR, POWER, SIGN, constant, is_constant, negative, positive_first
from codegen.elementary import LogOfProduct, call
from derive.functions import AtLeast, Log1p
from derive.index import AtMost, Delta, Entry, Index, Indicator, InRange, Size

COMPARISONS: dict[type[Basic], str] = {
    sp.StrictLessThan: "<",
    sp.LessThan: "<=",
    sp.StrictGreaterThan: ">",
    sp.GreaterThan: ">=",
    sp.Equality: "==",
    sp.Unequality: "!=",
}


def code(e: Expr, within: int = CHOICE) -> str:
    """The text of a real-valued expression, in parentheses where an operator of precedence `within` needs them."""
    text, own = _printed(e)
    return f"({text})" if own < within else text


def identifier(index: Index) -> str:
    """The variable of an index: its letter, a prime as an underscore."""
    return index.label.replace("'", "_")


def element(entry: Entry) -> str:
    """`W1[j, i]`, or the name alone for a scalar."""
    inside = ", ".join(position(i) for i in entry.indices)
    return f"{entry.tensor.name}[{inside}]" if inside else entry.tensor.name


def position(e: Expr, within: int = CHOICE) -> str:
    """The text of an integer-valued index expression."""
    if isinstance(e, Index):
        return identifier(e)
    if isinstance(e, Entry):
        return element(e) if e.tensor.values else f"int({element(e)})"
    if e.is_Add:
        first, *others = sorted(e.args, key=_place)
        text = position(first, ADD) + "".join(f" - {position(-t, MULTIPLY)}" if negative(t) else f" + {position(t, ADD)}" for t in others)
        return f"({text})" if within > ADD else text
    if e.is_Mul and e.as_coeff_Mul()[0].is_negative:
        text = f"-{position(-e, SIGN)}"
        return f"({text})" if within > ADD else text
    if e.is_Mul:
        text = " * ".join(position(f, MULTIPLY) for f in e.args)
        return f"({text})" if within > MULTIPLY else text
    if isinstance(e, sp.floor):
        above, below = sp.fraction(sp.together(e.args[0]))
        text = f"{position(above, MULTIPLY)} // {position(below, ATOM)}"
        return f"({text})" if within > MULTIPLY else text
    return constant(e)


def _place(term: Expr) -> tuple[bool, bool, Expr, str]:
    """Where a term of a position stands: what is taken away after what is added, numbers last, the slowest index first."""
    return negative(term), bool(term.is_number), -abs(term.as_coeff_Mul()[0]), str(term)


# -- expressions ---------------------------------------------------------------------------------------------------------


def _printed(e: Expr) -> tuple[str, int]:
    if isinstance(e, Entry):
        return (f"real({element(e)})" if e.tensor.values else element(e)), ATOM
    if isinstance(e, Index):
        return f"real({identifier(e)})", ATOM
    if is_constant(e):
        return f"real({constant(e)})", ATOM
    if e.is_Add:
        return _sum(e), ADD
    if isinstance(e, Indicator):
        return _guarded([e], sp.S.One)
    if isinstance(e, sp.Piecewise):
        return _choice(_cases(e, sp.S.One))
    if e.is_Mul:
        return _product(e)
    if isinstance(e, sp.Pow):
        return _power(e.base, e.exp)
    return _function(e)


def _function(e: Expr) -> tuple[str, int]:
    if called := call(e):
        name, argument = called
        return f"{name}({code(argument)})", ATOM
    x = _argument(e)
    if isinstance(e, sp.Abs):
        return f"abs({code(x)})", ATOM
    if isinstance(e, AtLeast):
        return _at_least(x, e.args[1]), ATOM
    if isinstance(e, LogOfProduct):
        return f"real(_log({code(x)}))", ATOM
    if isinstance(e, sp.sign):
        return f"np.sign({code(x)})", ATOM
    raise ValueError(f"no Python text for {e} ({type(e).__name__})")


def _argument(e: Expr) -> Expr:
    return e.args[0]


def _at_least(x: Expr, bound: Expr) -> str:
    """In this order Numba's max lets NaN through: it takes the bound only where bound > x."""
    return f"max({code(x)}, {code(bound)})"


def _sum(e: Expr) -> str:
    """The terms, a log(1 + x) last: where the others cancel, its digits would be lost in one of them.

    A single entry beside several products of entries is the first: each product is then added to it by one instruction.
    """
    products = sum(t.is_Mul and all(isinstance(f, Entry) for f in t.args) for t in e.args)
    first, *others = sorted(positive_first(e), key=lambda term: (term.has(Log1p), products > 1 and not isinstance(term, Entry)))
    return code(first, ADD) + "".join(f" - {code(-t, MULTIPLY)}" if negative(t) else f" + {code(t, ADD)}" for t in others)


def _product(e: Expr) -> tuple[str, int]:
    guards = [f for f in e.args if isinstance(f, Indicator)]
    if guards:  # before a branch: what they protect may not be read in its condition
        return _guarded(guards, sp.Mul(*[f for f in e.args if f not in guards]))
    chosen = [f for f in e.args if isinstance(f, sp.Piecewise)]
    if chosen:
        return _choice(_cases(chosen[0], sp.Mul(*[f for f in e.args if f is not chosen[0]])))
    number = sp.Mul(*[f for f in e.args if is_constant(f)])
    varying = [f for f in e.args if not is_constant(f)]
    above = [f for f in varying if not _below(f)]
    below = [1 / f for f in varying if _below(f)]
    sign, above_number, below_number = _number(number)
    tops = [f"real({constant(above_number)})"] if above_number != 1 or not above else []
    tops += [code(f, MULTIPLY) for f in above]
    bottoms = [f"real({constant(below_number)})"] if below_number != 1 else []
    bottoms += [code(f, POWER) for f in below]
    text = sign + " * ".join(tops)
    if bottoms:
        text += f" / {bottoms[0]}" if len(bottoms) == 1 else f" / ({' * '.join(bottoms)})"
    return text, SIGN if sign and not bottoms and len(tops) == 1 else MULTIPLY


def _below(factor: Expr) -> bool:
    return isinstance(factor, sp.Pow) and bool(factor.exp.is_negative)


def _number(e: Expr) -> tuple[str, Expr, Expr]:
    """A constant factor as sign, numerator and denominator; the latter only where it holds an extent, as in 1/N."""
    sign = "-" if e.as_coeff_Mul()[0].is_negative else ""
    number = -e if sign else e
    above, below = sp.fraction(number)
    if below.has(Size):
        return sign, above, below
    return sign, number, sp.S.One


def _power(base: Expr, exponent: Expr) -> tuple[str, int]:
    if exponent.is_negative:
        return f"real(1) / {code(base**-exponent, POWER)}", MULTIPLY
    if exponent == sp.Rational(1, 2):
        return f"math.sqrt({code(base)})", ATOM
    if isinstance(exponent, sp.Rational) and exponent.q == 2:
        return f"{code(base ** (exponent.p // 2), MULTIPLY)} * math.sqrt({code(base)})", MULTIPLY
    if not exponent.is_Integer:
        raise ValueError(f"no Python text for a power with exponent {exponent}")
    simple = isinstance(base, Entry) and not base.indices
    return f"{code(base, ATOM)}{'**' if simple else ' ** '}{exponent}", POWER


# -- choices -------------------------------------------------------------------------------------------------------------

Case = tuple[Expr, str]


def _guarded(guards: Sequence[Expr], value: Expr) -> tuple[str, int]:
    """The value where all guards hold, else 0."""
    return f"{code(value, OR)} if {' and '.join(map(holds, guards))} else real(0)", CHOICE


def _cases(e: sp.Piecewise, factor: Expr) -> list[Case]:
    """The values of factor * e with their conditions, the last one without."""
    *cases, (otherwise, _) = e.args
    return [*((factor * value, condition(test)) for value, test in cases), (factor * otherwise, "")]


def _choice(cases: list[Case]) -> tuple[str, int]:
    if len(cases) == 2 and (text := _kept_above(cases)):
        return text, ATOM
    *tested, (otherwise, _) = cases
    text = " else ".join(f"{code(value, OR)} if {test}" for value, test in tested)
    return f"{text} else {code(otherwise)}", CHOICE


def _kept_above(cases: list[Case]) -> str:
    """`max(x, bound)` for "bound where x <= bound, else x"."""
    (bound, test), (x, _) = cases
    return _at_least(x, bound) if test in (f"{code(x, ADD)} {sign} {code(bound, ADD)}" for sign in ("<=", "<")) else ""


def condition(e: Basic) -> str:
    """The text of a condition."""
    if isinstance(e, sp.Rel):
        return f"{code(e.lhs, ADD)} {COMPARISONS[type(e)]} {code(e.rhs, ADD)}"
    if isinstance(e, sp.And | sp.Or):
        word = " and " if isinstance(e, sp.And) else " or "
        return word.join(f"({condition(a)})" for a in sp.ordered(e.args))
    if isinstance(e, sp.Not):
        return f"not ({condition(e.args[0])})"
    raise ValueError(f"no Python text for the condition {e}")


def holds(e: Expr) -> str:
    """The condition under which an indicator is 1."""
    a, b = (position(arg, ADD) for arg in e.args)
    if isinstance(e, Delta):
        return f"{a} == {b}"
    if isinstance(e, AtMost):
        return f"{a} <= {b}"
    if isinstance(e, InRange):
        return f"0 <= {a} < {b}"
    raise ValueError(f"no Python text for {e} ({type(e).__name__})")
