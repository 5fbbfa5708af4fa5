"""Differences of numbers that may be near each other, written so that their digits are kept."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.functions import Erfc, Sigmoid
from derive.index import Binder, Entry, rewrite
from derive.stable.risk import never_small


def squares(e: Expr) -> Expr:
    """1 - y^2 = (1 - y)(1 + y) for a value y or a bounded function of one."""

    def change(node: Expr) -> Expr | None:
        if not node.is_Add or len(node.args) != 2 or sp.S.One not in node.args:
            return None
        square = -(node - 1)
        if isinstance(square, sp.Pow) and square.exp == 2 and isinstance(square.base, Entry | sp.tanh | sp.erf):
            return (1 - square.base) * (1 + square.base)
        return None

    return rewrite(e, change)


def complements(e: Expr) -> Expr:
    """1 - s(u) = s(-u) for the logistic function, 1 + tanh(u) = 2 s(2u), 2 s(u) - 1 = tanh(u/2), 1 - erf(u) = erfc(u).

    In a term of a sum in which another term never comes near 0, 1 - s stays: its lost digits are small beside that one. So do 1 - tanh
    and 1 + tanh in one product, whose tanh is computed once, as long as no exponential there is infinite where they are 0.
    """

    def go(node: Expr, beside: bool) -> Expr:
        if isinstance(node, Entry) or not node.args:
            return node
        if isinstance(node, Binder):
            body, indices = node.open()
            return node.bind(go(body, beside), indices)
        if node.is_Add:
            node = _complement(node, beside)
        if node.is_Add:
            return node.func(*[go(t, _steady(node)) for t in node.args])
        kept = _both(node)
        return node.func(*[a if a in kept else go(a, beside) for a in node.args])

    return go(e, False)


def _both(product: Expr) -> list[Expr]:
    """The factors 1 - tanh(u) and 1 + tanh(u) of a product."""
    if not product.is_Mul or any(isinstance(f, sp.exp) for f in product.args):
        return []
    return [f for f in product.args if f.is_Add and f.has(sp.tanh) and 2 - f in product.args]


def _steady(total: Expr) -> bool:
    """Whether a term of a sum, what all terms have in common aside, is a number or a polynomial in one logistic function without root."""
    terms = [sp.Mul.make_args(t) for t in total.args]
    common = [f for f in terms[0] if all(f in factors for factors in terms)]
    return any(never_small(sp.Mul(*[f for f in factors if f not in common])) for factors in terms)


def _complement(total: Expr, beside: bool) -> Expr:
    """A number and one function of the sum in one term, where they have one."""
    number, rest = total.as_coeff_Add()
    for term in sp.Add.make_args(rest) if number else ():
        coefficient, function = term.as_coeff_Mul()
        alone = term == rest or not (isinstance(function, Sigmoid) and never_small(total))
        new = _of_function(function, number, coefficient, beside) if alone else None
        if new is not None:
            return new + (rest - term)
    return total


def _of_function(f: Expr, number: Expr, times: Expr, beside: bool) -> Expr | None:
    """number + times * f(u) as a multiple of one function."""
    if isinstance(f, Sigmoid) and times == -number and not beside:
        return number * Sigmoid(-f.args[0])
    if isinstance(f, Sigmoid) and times == -2 * number:
        return -number * sp.tanh(f.args[0] / 2)
    if isinstance(f, sp.tanh) and abs(times) == abs(number):
        return 2 * number * Sigmoid(2 * f.args[0] * times / number)
    if isinstance(f, sp.erf) and abs(times) == abs(number):
        return number * Erfc(-f.args[0] * times / number)
    return None


def roots(e: Expr) -> Expr:
    """a sqrt(v + (b/a)^2) - b = a v / (sqrt(v + (b/a)^2) + b/a) for numbers a and b of one sign."""

    def change(node: Expr) -> Expr | None:
        number, rest = node.as_coeff_Add() if node.is_Add else (sp.S.Zero, node)
        for term in sp.Add.make_args(rest) if number else ():
            times, root = term.as_coeff_Mul()
            ratio = -number / times
            if isinstance(root, sp.Pow) and root.exp == sp.Rational(1, 2) and root.base.is_Add and ratio.is_positive:
                constant, varying = root.base.as_coeff_Add()
                if constant == ratio**2:
                    return times * varying / (root + ratio) + (rest - term)
        return None

    return rewrite(e, change)
