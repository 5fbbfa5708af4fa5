"""Exponentials: their products, their differences near 0, their comparisons, and those that a stored value hides."""

from __future__ import annotations

import sympy as sp
from sympy import Basic, Expr

from derive.algebra import cancel, multiple
from derive.functions import Expm1, Sigmoid
from derive.index import Binder, Entry, inline, rewrite
from derive.stable.logarithms import Changed, Definitions


def merged(e: Expr) -> Expr:
    """exp(a) exp(b) = exp(a + b), and exp(a) s(-b) = exp(a - b) s(b) for b >= 0 and the logistic function s, near exp(-b) there."""

    def change(node: Expr) -> Expr | None:
        exponentials = [f for f in node.args if isinstance(f, sp.exp)] if node.is_Mul else []
        small = [f for f in node.args if isinstance(f, Sigmoid) and f.args[0].is_nonpositive] if exponentials else []
        if len(exponentials) + len(small) < 2:
            return None
        exponent = sp.Add(*[f.args[0] for f in (*exponentials, *small)])
        others = [f for f in node.args if f not in exponentials and f not in small]
        return sp.Mul(sp.exp(exponent), *[Sigmoid(-f.args[0]) for f in small], *others)

    return rewrite(e, change)


def divided(e: Expr) -> Expr:
    """exp(-u) (c + exp(2u)) = c exp(-u) + exp(u), and for other multiples of u: one factor is infinite long before the product is."""

    def change(node: Expr) -> Expr | None:
        exponential = next((f for f in node.args if isinstance(f, sp.exp)), None) if node.is_Mul else None
        total = next((f for f in node.args if f.is_Add and _holds_inverse(f, exponential)), None) if exponential is not None else None
        if exponential is None or total is None:
            return None
        others = [f for f in node.args if f not in (exponential, total)]
        return sp.Mul(sp.Add(*[exponential * t for t in total.args]), *others)

    return rewrite(e, change)


def _holds_inverse(total: Expr, exponential: Expr) -> bool:
    """Whether a term has a power of the exponential's inverse as a factor."""
    found = [f for t in total.args for f in sp.Mul.make_args(t) if isinstance(f, sp.exp)]
    times = [multiple(f.args[0], exponential.args[0]) for f in found]
    return any(k is not None and k < 0 for k in times)


def differences(e: Expr) -> Expr:
    """A sum of c exp(u) whose coefficients, with the number beside them, add up to 0: that of c (exp(u) - 1)."""

    def change(node: Expr) -> Expr | None:
        if not node.is_Add:
            return None
        number, terms = node.as_coeff_Add()
        scaled = {t: t.as_coeff_Mul() for t in sp.Add.make_args(terms)}
        exponentials = {t: (c, f.args[0]) for t, (c, f) in scaled.items() if isinstance(f, sp.exp)}
        if not exponentials:
            return None
        rest = [t for t in scaled if t not in exponentials]
        if number + sp.Add(*[c for c, _ in exponentials.values()]) == 0:
            return sp.Add(*[c * Expm1(u) for c, u in exponentials.values()], *rest)
        for term, (c, u) in exponentials.items():
            if c == -number:
                return sp.Add(c * Expm1(u), *[t for t in scaled if t != term])
        return None

    return rewrite(e, change)


def comparisons(e: Expr) -> Expr:
    """exp(u) > 1 where u > 0."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.Rel) and isinstance(node.lhs, sp.exp) and node.rhs == 1:
            return node.func(node.lhs.args[0], sp.S.Zero)
        return None

    return rewrite(e, change) if e.has(sp.Piecewise) else e


def recomputed(e: Expr, definitions: Definitions) -> Changed:
    """A number and a stored value, where these are one exponential by the value's equation: 1 + H = exp(A) for H = exp(A) - 1.

    An equation by cases is followed into the branch that holds where the sum stands.
    """
    used: dict[str, None] = {}

    def go(node: Expr, held: tuple[tuple[Basic, ...], int] | None) -> Expr:
        if isinstance(node, sp.Piecewise):
            conditions = tuple(c for _, c in node.args)
            return sp.Piecewise(*[(go(value, (conditions, k)), c) for k, (value, c) in enumerate(node.args)])
        if isinstance(node, Binder | Entry) or not node.args:
            return node
        if node.is_Add and node.as_coeff_Add()[0] != 0:
            for entry in [e for t in node.args if isinstance(e := t.as_coeff_Mul()[1], Entry)]:
                found = _exponential(node, entry, definitions, held)
                if found is not None:
                    used[entry.tensor.name] = None
                    return found
        return node.func(*[go(a, held) for a in node.args])

    return go(e, None), tuple(used)


def _exponential(total: Expr, entry: Entry, definitions: Definitions, held: tuple[tuple[Basic, ...], int] | None) -> Expr | None:
    """The sum with the entry's definition put in, if that leaves a product of numbers and exponentials."""
    equation = definitions.get(entry.tensor)
    if equation is None:
        return None
    value = inline(entry, equation.tensor, equation.indices, equation.body)
    if isinstance(value, sp.Piecewise):
        if held is None or held[0] != tuple(c for _, c in value.args):
            return None
        value = value.args[held[1]][0]
    if not value.has(sp.exp) or value.has(Binder, sp.log):
        return None
    found = cancel(total.xreplace({entry: value}))
    return found if all(f.is_number or isinstance(f, sp.exp) for f in sp.Mul.make_args(found)) else None
