"""Choices by a comparison: `where`, `minimum`, `maximum`. A Program wants single comparisons without choices inside."""

from __future__ import annotations

import sympy as sp
from sympy import Expr
from sympy.logic.boolalg import Boolean

from derive.functions import where
from derive.language.errors import Place, wrong
from derive.language.limits import MAX_PARTS
from derive.language.sound import check_parts, number, sound
from derive.language.tree import Comparison

RELATIONS = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge}
FLIPPED: dict[Comparison, Comparison] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def choice(operator: Comparison, left: Expr, right: Expr, then: Expr, otherwise: Expr, at: Place) -> Expr:
    """`then` where the comparison holds, `otherwise` elsewhere and for NaN.

    A choice that is a term or a factor of what is compared moves outward:
    where(where(c, p, q) > r, a, b) = where(c, where(p > r, a, b), where(q > r, a, b)).
    Raises FormulaError where one stands deeper, in a function or a sum over an index.
    """
    check_parts(at, _cases(left, at) * _cases(right, at), left, right, then, otherwise)
    return _chosen(operator, left, right, then, otherwise, at)


def maximum(a: Expr, b: Expr, at: Place) -> Expr:
    """The larger; where they are equal, the derivative is that of b. NaN passes on (of two expressions, that of a)."""
    if a.is_number and not b.is_number:
        return choice("<", b, a, a, b, at)
    return choice("<=", a, b, b, a, at)


def minimum(a: Expr, b: Expr, at: Place) -> Expr:
    """The smaller; where they are equal, the derivative is that of b. NaN passes on (of two expressions, that of a)."""
    if a.is_number and not b.is_number:
        return choice(">", b, a, a, b, at)
    return choice(">=", a, b, b, a, at)


def compared(operator: Comparison, left: Expr, right: Expr, at: Place) -> Boolean:
    """The comparison as SymPy's, constants on the right; two constants are compared as floats."""
    if left.is_number and right.is_number:
        left, right = (e if e.is_Rational else sp.Float(number(e, at)) for e in (left, right))
    elif left.is_number:
        operator, left, right = FLIPPED[operator], right, left
    return RELATIONS[operator](left, right)


def _chosen(operator: Comparison, left: Expr, right: Expr, then: Expr, otherwise: Expr, at: Place) -> Expr:
    outward = [*_choices(left), *_choices(right)]
    if outward:
        (first, condition), *others = outward[0].args
        branches: list[Expr] = []
        for value in (first, sp.Piecewise(*others)):
            moved = [_put(e, outward[0], value, at) for e in (left, right, then, otherwise)]
            branches.append(_chosen(operator, moved[0], moved[1], moved[2], moved[3], at))
        return where(condition, branches[0], branches[1])
    if left.has(sp.Piecewise) or right.has(sp.Piecewise):
        raise wrong(at, "a comparison of a function or sum of choices", "an equation of its own for what is compared")
    condition = compared(operator, left, right, at)
    if condition == sp.true or condition == sp.false:
        return then if condition == sp.true else otherwise
    return where(condition, then, otherwise)


def _choices(e: Expr) -> list[sp.Piecewise]:
    """The choices that are terms or factors of an expression, in the order of occurrence."""
    if isinstance(e, sp.Piecewise):
        return [e]
    return [found for arg in e.args for found in _choices(arg)] if isinstance(e, sp.Add | sp.Mul) else []


def _put(e: Expr, old: Expr, new: Expr, at: Place) -> Expr:
    """The expression with another term or factor in the place of a choice."""
    if e == old:
        return new
    if not isinstance(e, sp.Add | sp.Mul):
        return e
    return sound(e.func(*[_put(arg, old, new, at) for arg in e.args]), at)


def _cases(e: Expr, at: Place) -> int:
    """How many cases there are when the choices of an expression have moved outward."""
    total = 1
    for found in dict.fromkeys(_choices(e)):
        total *= sum(_cases(value, at) for value, _ in found.args)
        if total > MAX_PARTS:
            raise wrong(at, "a comparison of too many choices", "an equation of its own for what is compared")
    return total
