"""Logarithms of quotients, of products and of sums that hold exponentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp
from sympy import Expr

from derive.algebra import flatten
from derive.functions import AtLeast, Expm1, Log1p
from derive.index import Binder, Entry, Max, Sum, Tensor, inline, rewrite
from derive.program import Equation
from derive.stable.shift import largest_of

Changed = tuple[Expr, tuple[str, ...]]  # the result, and the tensors whose equations it rests on
Definitions = Mapping[Tensor, Equation]


def of_quotients(e: Expr, definitions: Definitions) -> Changed:
    """log(exp(a) / S) = a - log(S), for a quotient as it stands and for entries that are defined as one.

    Only factors that are positive leave the logarithm: log(u v) = log(u) + log(v) says nothing of negative u and v.
    """
    used: dict[str, None] = {}

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, sp.log):
            return None
        argument, names = _defined(node.args[0], definitions)
        found = _split(argument)
        if found is not None:
            used.update(dict.fromkeys(names))
        return found

    return rewrite(e, change), tuple(used)


def _defined(e: Expr, definitions: Definitions) -> tuple[Expr, list[str]]:
    """The expression with definitions in place of entries, and the names of these."""
    names: list[str] = []
    for entry in [n for n in sp.preorder_traversal(e) if isinstance(n, Entry)]:
        equation = definitions.get(entry.tensor)
        if equation is not None and equation.body.has(sp.exp) and not e.has(Binder):
            e = inline(e, equation.tensor, equation.indices, equation.body)
            names.append(equation.tensor.name)
    return e, names


def _split(argument: Expr) -> Expr | None:
    """log(argument) as a sum of logarithms, if a positive factor with exponentials is not all of the argument."""
    if argument.has(sp.Piecewise):
        return None
    factors = _factors(argument)
    outside = [(f, k) for f, k in factors if f.is_positive and f.has(sp.exp)]
    if not outside or (len(factors) == 1 and factors[0][1] == 1 and not isinstance(factors[0][0], sp.exp)):
        return None
    inside = sp.Mul(*[f**k for f, k in factors if (f, k) not in outside])
    return sp.Add(*[k * (f.args[0] if isinstance(f, sp.exp) else sp.log(f)) for f, k in outside], sp.log(inside))


def _factors(e: Expr) -> list[tuple[Expr, Expr]]:
    """The factors of a product with their powers; those of a quotient of sums of exponentials where these stand below."""
    plain = [f.as_base_exp() if not isinstance(f, sp.exp) else (f, sp.S.One) for f in sp.Mul.make_args(e)]
    if not any(base.is_Add and base.has(sp.exp) for base, _ in plain):
        return plain
    flat, back = flatten(e)
    above, below = (sp.factor_list(part) for part in sp.fraction(sp.together(flat)))
    found = [*above[1], *((f, -k) for f, k in below[1])]
    number = above[0] / below[0]
    if all(f in back for f, k in found if k < 0):
        return plain  # nothing but exponentials below
    exponentials = {s: k for s, k in found if isinstance(back.get(s), sp.exp)}
    factors = [(f, k) for f, k in found if f not in exponentials]
    for symbol, power in exponentials.items():
        factors, power = _absorbed(symbol, power, factors)
        factors += [(symbol, power)] if power else []
    result: list[tuple[Expr, Expr]] = [(f.xreplace(back), sp.Integer(k)) for f, k in factors]
    return result if number == 1 else [(number, sp.S.One), *result]


def _absorbed(symbol: Expr, power: int, factors: Sequence[tuple[Expr, int]]) -> tuple[list[tuple[Expr, int]], int]:
    """A power of an exponential inside of a factor: E / (1 + E) is 1 / (1 + 1/E), whose logarithm is one term."""
    for position, (factor, k) in enumerate(factors):
        times = -power / sp.Integer(k)
        if factor.has(symbol) and times.is_Integer and 0 < times <= sp.degree(factor, symbol):
            changed = sp.expand(factor / symbol**times)
            return [*factors[:position], (changed, k), *factors[position + 1 :]], 0
    return list(factors), power


def of_sums(e: Expr) -> Expr:
    """log(a exp(u) + b exp(v)) = max(p, q) + log(1 + exp(-|p - q|)), p = u + log(a), q = v + log(b), and its like for more terms.

    Where the coefficients are numbers that add up to 1, the logarithm is 0 where all exponents are, and log(1 + sum of c (exp(u) - 1))
    keeps its digits there.
    """

    changed: dict[Expr, None] = {}

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and node.args[0].is_Add:
            new = _of_sum(node.args[0])
            changed.update({new: None} if new is not None else {})
            return new
        return sp.Add(*[_spread(t, changed) for t in node.args]) if node.is_Add and changed else None

    return rewrite(e, change)


def _spread(term: Expr, sums: Iterable[Expr]) -> Expr:
    """c (m + log(1 + u)) in a sum as c m + c log(1 + u): where the large terms cancel, the small one is left."""
    for total in sums:
        if term.is_Mul and total in term.args:
            rest = sp.Mul(*[f for f in term.args if f != total])
            return sp.Add(*[rest * t for t in total.args])
    return term


def _of_sum(total: Expr) -> Expr | None:
    """The logarithm of a sum of exponentials."""
    terms = _exponents(total)
    if terms is None or all(u.is_nonpositive for u, _ in terms):
        return None
    exponents, coefficients = [u for u, _ in terms], [c for _, c in terms]
    numbers = all(c.is_number and c.is_positive for c in coefficients)
    largest = largest_of(exponents)
    if numbers and sum(coefficients) == 1:
        return largest + Log1p(_near_one(exponents, coefficients, largest))
    if numbers and len(terms) == 2:
        p, q = (u + sp.log(c) for u, c in terms)
        return largest_of([p, q]) + Log1p(sp.exp(-sp.Abs(p - q)))
    return largest + sp.log(sp.Add(*[c * sp.exp(u - largest) for u, c in terms]))


def _near_one(exponents: Sequence[Expr], coefficients: Sequence[Expr], largest: Expr) -> Expr:
    if len(exponents) == 2 and coefficients[0] == coefficients[1]:
        return coefficients[0] * Expm1(-sp.Abs(exponents[0] - exponents[1]))
    return sp.Add(*[c * Expm1(u - largest) for u, c in zip(exponents, coefficients, strict=True)])


def _exponents(total: Expr) -> list[tuple[Expr, Expr]] | None:
    """Exponent and coefficient of every term, one for each exponent, 0 last; None where no exponential that grows stands in the sum."""
    found: dict[Expr, Expr] = {}
    for term in total.args:
        factors = sp.Mul.make_args(term)
        exponentials = [f for f in factors if isinstance(f, sp.exp)]
        rest = sp.Mul(*[f for f in factors if f not in exponentials])
        exponent = sp.Add(*[f.args[0] for f in exponentials])
        if rest.has(Sum, sp.exp) or exponent.has(AtLeast, Max):  # with these it is shifted already
            return None
        found[exponent] = found.get(exponent, sp.S.Zero) + rest
    if len(found) < 2:
        return None
    return sorted(found.items(), key=lambda item: item[0].is_number)


def log1p(e: Expr) -> Expr:
    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and node.args[0].is_Add and sp.S.One in node.args[0].args:
            return Log1p(node.args[0] - 1)
        return None

    return rewrite(e, change)


def tanh_of_logarithms(e: Expr) -> Expr:
    """tanh(log(v)) = (v^2 - 1) / (v^2 + 1)."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.tanh) and isinstance(node.args[0], sp.log):
            square = node.args[0].args[0] ** 2
            return (square - 1) / (square + 1)
        return None

    return rewrite(e, change)
