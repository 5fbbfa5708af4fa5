"""Quotients of exponentials as polynomials in the logistic function, which lies between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import sympy as sp
from sympy import Basic, Expr

from derive.algebra import Back, flatten, is_kernel, multiple, orient, per_branch
from derive.functions import Sigmoid
from derive.index import Binder, Entry, Sum
from derive.stable.risk import best


def logistic(e: Expr) -> Expr:
    """Write E = exp(m) as s / (1 - s), s the logistic function of m, where no denominator is then 0 for any s from 0 to 1.

    tanh(u) = (E - 1) / (E + 1) with E = exp(2 u) takes part where that leaves less at risk; an exponential that is shifted does not.
    """

    def change(node: Expr) -> Expr | None:
        if not (node.is_Mul or node.is_Add or node.is_Pow) or not node.has(sp.exp, sp.tanh):
            return None
        new = _without_exponential_below(node)
        return None if new == node else new

    return _outermost(e, change)


def _without_exponential_below(e: Expr) -> Expr:
    forms = [form for start in dict.fromkeys((e, _with_exponentials(e))) for form in _forms(start)]
    return best([e, *forms]) if e.has(sp.tanh) else best(forms) if forms else e


def _with_exponentials(e: Expr) -> Expr:
    """tanh(u) by its definition, where an exponential of a multiple of u or 1 + tanh(u) stands beside it."""
    kernels = [a.args[0] for a in flatten(e)[1].values() if is_kernel(a)]
    sums = [a for a in e.atoms(sp.Add) if a.as_coeff_Add()[0] != 0]
    rule: dict[Basic, Expr] = {}
    for t in e.atoms(sp.tanh):
        u = t.args[0]
        beside = any(multiple(u, k) is not None for k in kernels) or any(a.as_coeff_Add()[0] in (a.coeff(t), -a.coeff(t)) for a in sums)
        if beside and not u.has(sp.exp):
            rule[t] = (sp.exp(2 * u) - 1) / (sp.exp(2 * u) + 1)
    return e.xreplace(rule)


def _forms(e: Expr) -> list[Expr]:
    """The expression with logistic functions in place of the exponentials in its denominators, in several arrangements."""
    flat, back = flatten(e)
    flat, known = sp.together(flat), len(back)
    for symbol, atom in list(back.items()):
        if not is_kernel(atom):
            continue
        flat = sp.cancel(flat)
        if symbol not in sp.fraction(flat)[1].free_symbols:
            continue
        s = sp.Dummy("s", positive=True)
        times = _common_power(flat, symbol)
        new = sp.cancel(flat.xreplace({symbol: (s / (1 - s)) ** sp.Rational(1, times)}))
        if _vanishes(sp.fraction(new)[1], s):
            continue
        flat, back[s] = new, Sigmoid(times * atom.args[0])
    if len(back) == known:
        return []
    return [orient(form.xreplace(back)) for form in _arrangements(flat, back)]


def _common_power(flat: Expr, symbol: Expr) -> int:
    """k where the exponential occurs only as its k-th power and powers of that: exp(k m) then takes its place."""
    above, below = sp.fraction(flat)
    powers = [m[0] for part in (above, below) for m in sp.Poly(part, symbol).monoms()]
    return math.gcd(*powers) or 1


def _vanishes(below: Expr, s: Expr) -> bool:
    """Whether a denominator may be 0 for some s from 0 to 1."""
    if s not in below.free_symbols:
        return False
    return any(_has_root(sp.Poly(factor, s)) for factor, _ in sp.factor_list(below)[1] if s in factor.free_symbols)


def _has_root(p: sp.Poly) -> bool:
    """Not where the coefficients in s / (1 - s), which is at least 0, are all positive."""
    if p.domain.is_ZZ or p.domain.is_QQ:
        return p.count_roots(0, 1) > 0
    ratio = sp.Dummy("ratio", positive=True)
    above = sp.cancel(p.as_expr().xreplace({p.gen: ratio / (1 + ratio)}) * (1 + ratio) ** p.degree())
    return len(p.all_coeffs()) != len(found := sp.Poly(above, ratio).all_coeffs()) or not all(c.is_positive for c in found)


def _arrangements(flat: Expr, back: Back) -> list[Expr]:
    others = [z for z in back if not isinstance(back[z], Sigmoid)]
    grouped = sp.factor(flat)
    each = [sp.Mul(*[sp.collect(f, others, how) for f in sp.Mul.make_args(grouped)]) for how in (None, sp.factor)]
    return [*each, sp.factor_terms(flat), grouped, flat]


def _outermost(e: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Change the whole expression, else its parts; where the parts alone do as well and stay shorter, these."""
    if isinstance(e, sp.Piecewise):
        return per_branch(e, lambda value: _outermost(value, change))
    if isinstance(e, Sum):
        body, indices = e.open()
        return Sum(_outermost(body, change), *indices)
    if not e.args or isinstance(e, Entry | Binder):
        return e
    whole = change(e)
    parts = e.func(*[_outermost(a, change) for a in e.args])
    if whole is None:
        return parts
    enough = parts != e and change(parts) is None and _exponentials(parts) <= _exponentials(whole)
    return best([parts, whole]) if enough else whole


def _exponentials(e: Expr) -> set[Expr]:
    """The exponentials that algebra sees."""
    return set(filter(is_kernel, flatten(e)[1].values()))
