"""Sums of exponentials whose terms are written out, such as exp(u) + exp(-u): in logarithms and in denominators."""

from __future__ import annotations

from functools import reduce

import sympy as sp
from sympy import Expr

from derive.functions import AtLeast
from derive.index import rewrite

Terms = tuple[tuple[Expr, Expr], ...]  # factors and exponents: the sum of factor * exp(exponent)


def largest_off(e: Expr) -> Expr:
    """Take the largest exponent m off every term of S = sum_i c_i exp(u_i), all c_i positive, with S = exp(m) S'.

    log S = m + log S'; and T / S^p = T exp(-p m) / S'^p for a sum of exponentials T.
    """

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log):
            terms = _positive(node.args[0])
            if terms is None:
                return None
            largest = _largest(terms)
            return largest + sp.log(_less(terms, largest))
        return _quotient(node) if node.is_Mul else None

    return rewrite(e, change)


def _quotient(e: Expr) -> Expr | None:
    """A product with one numerator of exponentials over positive sums of exponentials."""
    above: list[Terms] = []
    exponent, rest = sp.S.Zero, list[Expr]()
    for factor in e.args:
        base, power = factor.as_base_exp()
        below = _positive(base) if power.is_negative else None
        terms = _terms(factor) if power == 1 or isinstance(factor, sp.exp) else None
        if below is not None:
            largest = _largest(below)
            exponent += power * largest
            rest.append(_less(below, largest) ** power)
        elif terms is not None and any(u != 0 for _, u in terms) and not above:
            above.append(terms)
        else:
            rest.append(factor)
    return sp.Mul(_less(above[0], -exponent), *rest) if above and exponent != 0 else None


def _terms(e: Expr) -> Terms | None:
    """The terms of a sum; None where an exponential stands deeper in one of them."""
    found: list[tuple[Expr, Expr]] = []
    for term in sp.Add.make_args(e):
        exponents = [f.args[0] for f in sp.Mul.make_args(term) if isinstance(f, sp.exp)]
        factor = sp.Mul(*[f for f in sp.Mul.make_args(term) if not isinstance(f, sp.exp)])
        if factor.has(sp.exp):
            return None
        found.append((factor, sp.Add(*exponents)))
    return tuple(found)


def _positive(e: Expr) -> Terms | None:
    """The terms of a sum of at least two, all positive, at least one of them an exponential."""
    terms = _terms(e) if e.is_Add else None
    if terms is None or not all(c.is_positive for c, _ in terms) or not any(u != 0 for _, u in terms):
        return None
    return terms


def _largest(terms: Terms) -> Expr:
    exponents = list(dict.fromkeys(u for _, u in terms))
    if len(exponents) == 2 and exponents[0] == -exponents[1]:
        return sp.Abs(exponents[0])
    return reduce(lambda m, u: AtLeast(u, m), exponents)


def _less(terms: Terms, exponent: Expr) -> Expr:
    return sp.Add(*[c * sp.exp(u - exponent) for c, u in terms])
