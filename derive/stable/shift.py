"""Sums of exponentials that are shifted by their largest exponent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key, reduce

import sympy as sp
from sympy import Expr

from derive.algebra import flatten, is_kernel, multiple
from derive.functions import AtLeast, where
from derive.index import AtMost, Delta, Indicator, InRange, Max, Sum, rewrite


def shifted(e: Expr) -> Expr:
    """Take the largest exponent m off every exponential of a sum S = exp(m) S', such as sum_k exp(a(k)), m = max a.

    exp(b) S^p = exp(b + p m) S'^p, so exp(a(c)) / S = exp(a(c) - m) / S'; log S = m + log S'. A product without exponentials in its
    numerator stays: it overflows to the right limit.
    """

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and node.args[0].has(Sum):
            exponent, product = _without_peaks(sp.Mul.make_args(node.args[0]))
            return None if exponent == 0 else exponent + sp.log(product)
        if not node.is_Mul:
            return None
        exponentials = [f for f in node.args if isinstance(f, sp.exp)]
        others = [f for f in node.args if f not in exponentials]
        below = [f for f in others if f.as_base_exp()[1].is_negative and peak(f.as_base_exp()[0]) is not None]
        above = [f for f in others if f not in below and peak(f.as_base_exp()[0]) is not None]
        if not below or not (exponentials or above):
            return None
        exponent, product = _without_peaks(others)
        return sp.exp(sp.Add(exponent, *[f.args[0] for f in exponentials])) * product

    return rewrite(e, change)


def _without_peaks(factors: Sequence[Expr]) -> tuple[Expr, Expr]:
    """The product as exp(exponent) * product, where no sum of exponentials in the product can overflow."""
    exponent, product = sp.S.Zero, sp.S.One
    for factor in factors:
        base, power = factor.as_base_exp()
        largest = peak(base)
        if largest is not None:
            exponent += power * largest
            factor = sp.Add(*[_lowered(t, largest) for t in sp.Add.make_args(base)]) ** power
        product *= factor
    return exponent, product


def peak(base: Expr) -> Expr | None:
    """The largest exponent in a sum of exponentials over an index, or of several unrelated ones; None for anything else.

    One that holds a maximum is shifted already.
    """
    if base.has(Max, AtLeast):
        return None
    terms = sp.Add.make_args(base)
    sums = [f for t in terms for f in sp.Mul.make_args(t) if isinstance(f, Sum) and f.body.has(sp.exp)]
    if any(_exponent(f) is None for f in sums):
        return None
    if not sums:
        kernels = [a for a in flatten(base)[1].values() if is_kernel(a)] if base.is_Add else []
        if len(kernels) < 2:
            return None
    exponents = [_term_exponent(t) for t in terms]
    found = list(dict.fromkeys(exponents))
    return None if len(found) == 1 and found[0] == 0 else largest_of(found)


def largest_of(exponents: Sequence[Expr]) -> Expr:
    """The largest of some numbers; |u| for u and -u, and no more than the two ends of multiples of one number."""
    unit = next((u for u in exponents if u != 0), sp.S.One).as_coeff_Mul()[1]
    times = {u: multiple(u, unit) for u in exponents}
    known = [t for t in times.values() if t is not None]
    if len(known) == len(times):
        low, high = min(known), max(known)
        if low == -high:
            return high * sp.Abs(unit)
        exponents = [u for u, t in times.items() if t in (low, high)]
    first, *others = sorted(exponents, key=cmp_to_key(lambda u, v: u.is_number - v.is_number or u.compare(v)))
    return reduce(AtLeast, others, first)


def _term_exponent(term: Expr) -> Expr:
    """The largest exponent of one term: 0 where it holds no exponential."""
    found = [_exponent(f) for f in sp.Mul.make_args(term)]
    return sp.Add(*[u for u in found if u is not None])


def _exponent(factor: Expr) -> Expr | None:
    """u of exp(u), max_k u(k) of sum_k w(k) exp(u(k)) over the positions where indicators hold; None for other factors."""
    if isinstance(factor, sp.exp):
        return factor.args[0]
    if not isinstance(factor, Sum) or factor.body.is_Add:
        return None
    body, indices = factor.open()
    exponentials = [f for f in sp.Mul.make_args(body) if isinstance(f, sp.exp)]
    if not exponentials:
        return None
    exponent = sp.Add(*[f.args[0] for f in exponentials])
    return Max(_where_held([f for f in sp.Mul.make_args(body) if isinstance(f, Indicator)], exponent), *indices)


def _where_held(indicators: Sequence[Indicator], value: Expr) -> Expr:
    """The value where all indicators are 1, else a number below all others."""
    for indicator in indicators:
        a, b = indicator.args
        match indicator:
            case AtMost():
                value = where(sp.Le(a, b), value, sp.S.NegativeInfinity)
            case Delta():
                value = where(sp.Eq(a, b), value, sp.S.NegativeInfinity)
            case InRange():
                value = where(sp.Ge(a, 0), where(sp.Lt(a, b), value, sp.S.NegativeInfinity), sp.S.NegativeInfinity)
            case _:
                raise ValueError(f"an indicator of kind {type(indicator).__name__}")
    return value


def _lowered(term: Expr, by: Expr) -> Expr:
    """The term times exp(-by), in its own exponentials."""
    factors = list(sp.Mul.make_args(term))
    for k, factor in enumerate(factors):
        if isinstance(factor, Sum) and _exponent(factor) is not None:
            body, indices = factor.open()
            factors[k] = Sum(_merged(body, -by), *indices)
            return sp.Mul(*factors)
    return _merged(term, -by)


def _merged(product: Expr, exponent: Expr) -> Expr:
    exponentials = [f for f in sp.Mul.make_args(product) if isinstance(f, sp.exp)]
    others = [f for f in sp.Mul.make_args(product) if f not in exponentials]
    return sp.Mul(sp.exp(sp.Add(exponent, *[f.args[0] for f in exponentials])), *others)
