"""Rational normal forms over opaque atoms: entries, sums and functions are symbols, only + * / and powers are touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import sympy as sp
from sympy import Basic, Expr

from derive.functions import AtLeast
from derive.index import Binder, Delta, Entry, Index, Indicator, Max, Sum, rewrite
from derive.terms import eliminate, split

Back = dict[Expr, Expr]

MAX_POWER = 32  # of an exponential in a polynomial


def opaque(e: Expr) -> bool:
    """Whether algebra sees this node as one symbol."""
    if isinstance(e, Entry | Binder | Indicator | sp.Piecewise | sp.Function):
        return True
    return bool(e.is_NumberSymbol or (isinstance(e, sp.Pow) and not e.exp.is_Integer))


def flatten(e: Expr) -> tuple[Expr, Back]:
    """The expression with a symbol for every opaque atom, and the way back.

    exp(sum of c_i m_i) splits into powers of exp(u_i m_i), u_i the greatest common divisor of all the c_i in the expression, so that
    exp(x) and exp(-x) are one symbol and its inverse, and so are exp(0.333 x) and exp(-0.333 x).
    """
    forth: dict[Expr, Expr] = {}
    units = _units(e)
    whole = _common(e)

    def symbol(atom: Expr) -> Expr:
        if atom not in forth:
            forth[atom] = sp.Dummy(f"z{len(forth)}", positive=True) if atom.is_positive else sp.Dummy(f"z{len(forth)}", real=True)
        return forth[atom]

    def exponential(argument: Expr) -> Expr:
        powers: list[Expr] = []
        times = multiple(argument, whole) if whole is not None else None
        if whole is not None and times is not None:
            return symbol(sp.exp(whole)) ** times
        for term in sp.Add.make_args(sp.expand(argument)):
            number, rest = term.as_coeff_Mul()
            unit = units.get(rest, number)
            powers.append(symbol(sp.exp(unit * rest)) ** (number / unit))
        return sp.Mul(*powers)

    def go(node: Expr) -> Expr:
        if isinstance(node, sp.exp) and not _is_shifted(node):
            return exponential(node.args[0])
        if opaque(node):
            return symbol(node)
        return node.func(*[go(a) for a in node.args]) if node.args else node

    flat = go(e)
    return flat, {s: atom for atom, s in forth.items()}


def is_kernel(e: Expr) -> bool:
    """Whether algebra takes an exponential apart: not one of a number, nor one that is shifted by a maximum, which it would lose."""
    return isinstance(e, sp.exp) and not e.is_number and not _is_shifted(e)


def _is_shifted(e: Expr) -> bool:
    return e.args[0].has(Max, AtLeast)


def _common(e: Expr) -> Expr | None:
    """The sum u of which every exponent is a small multiple, as in exp(x - y) and exp(2y - 2x); None where there is none."""
    exponents = list(dict.fromkeys(sp.expand(a.args[0]) for a in _exponentials(e)))
    if not exponents or not exponents[0].is_Add or exponents[0].is_number:
        return None
    times = [k for u in exponents if (k := multiple(u, exponents[0])) is not None]
    if len(times) < len(exponents):
        return None
    unit = sp.Rational(math.gcd(*[t.p for t in times]), math.lcm(*[t.q for t in times]))
    return unit * exponents[0] if all(abs(t / unit) <= MAX_POWER for t in times) else None


def multiple(u: Expr, unit: Expr) -> sp.Rational | None:
    """The number k for which u = k unit, if there is one."""
    terms, units = (sp.expand(e).as_coefficients_dict() for e in (u, unit))
    ratios = {terms[t] / units[t] for t in units if t in terms}
    if u == 0:
        return sp.S.Zero
    if terms.keys() != units.keys() or len(ratios) != 1:
        return None
    (ratio,) = ratios
    return ratio if isinstance(ratio, sp.Rational) else None


def _exponentials(e: Basic) -> Iterator[Expr]:
    """The exponentials that algebra sees."""
    if isinstance(e, sp.exp):
        if not _is_shifted(e):
            yield e
    elif isinstance(e, Expr) and not opaque(e):
        for arg in e.args:
            yield from _exponentials(arg)


def _units(e: Expr) -> Mapping[Expr, sp.Rational]:
    """The greatest common divisor of the coefficients of every term in an exponent; none where it would make a power too high."""
    found: dict[Expr, list[sp.Rational]] = {}
    for node in _exponentials(e):
        for term in sp.Add.make_args(sp.expand(node.args[0])):
            number, rest = term.as_coeff_Mul()
            if isinstance(number, sp.Rational) and rest != 1:
                found.setdefault(rest, []).append(number)
    units = {rest: sp.Rational(math.gcd(*[n.p for n in numbers]), math.lcm(*[n.q for n in numbers])) for rest, numbers in found.items()}
    return {rest: unit for rest, unit in units.items() if all(abs(n / unit) <= MAX_POWER for n in found[rest])}


def cost(e: Expr) -> int:
    """Operations of an expression; transcendental functions and sums count more."""
    heavy = sum(isinstance(n, sp.exp | sp.log | sp.tanh | sp.erf) for n in sp.preorder_traversal(e))
    sums = sum(isinstance(n, Binder) for n in sp.preorder_traversal(e))
    return int(sp.count_ops(e)) + 2 * heavy + 4 * sums


def cancel(e: Expr) -> Expr:
    """The cheapest of the expression itself and its quotient of polynomials in the opaque atoms, factored or not."""
    e = _roots(_branches(e))
    flat, back = flatten(e)
    quotient = sp.cancel(flat)
    forms = [sp.factor_terms(quotient), sp.factor(quotient), quotient]
    candidates = [*(orient(form.xreplace(back)) for form in forms), e]
    return min(candidates, key=cost)


def equal(a: Expr, b: Expr) -> bool:
    """Whether two expressions are the same rational function of their opaque atoms."""
    return sp.cancel(flatten(a - b)[0]) == 0


def _branches(e: Expr) -> Expr:
    """Cancel inside the branches of Piecewise; a last condition that changes nothing is dropped."""

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, sp.Piecewise):
            return None
        cases = [(cancel(value), condition) for value, condition in node.args]
        while len(cases) > 1 and equal(cases[-2][0], cases[-1][0]):
            del cases[-2]
        return sp.Piecewise(*cases)

    return rewrite(e, change) if e.has(sp.Piecewise) else e


def _roots(e: Expr) -> Expr:
    """Sums over one root, 1/sqrt(v) - x^2/v^(3/2), over one power of it, where that is simpler."""

    def change(node: Expr) -> Expr | None:
        powers: dict[Expr, list[Expr]] = {}
        for term in node.args if node.is_Add else ():
            for base, exponent in (f.as_base_exp() for f in sp.Mul.make_args(term)):
                if base.is_Add and isinstance(exponent, sp.Rational) and exponent.q == 2:
                    powers.setdefault(base, []).append(exponent)
        for base, exponents in powers.items():
            lowest = min(exponents)
            if max(exponents) > lowest:
                rest = sp.cancel(sp.Add(*[t * base**-lowest for t in node.args]))
                if cost(rest * base**lowest) < cost(node):
                    return rest * base**lowest
        return None

    return rewrite(e, change) if any(isinstance(p.exp, sp.Rational) and p.exp.q == 2 for p in e.atoms(sp.Pow)) else e


def orient(e: Expr) -> Expr:
    """Signs as a person writes them: 1 - p rather than -(p - 1), no minus before a difference that can be turned round."""

    def change(node: Expr) -> Expr | None:
        if not node.is_Mul:
            return None
        sign, factors = 1, list(node.args)
        for k, factor in enumerate(factors):
            base, power = factor.as_base_exp()
            if base.is_Add and power.is_Integer and _backward(base):
                factors[k] = sp.Add(*[-t for t in base.args]) ** power
                sign *= -1 if power.is_odd else 1
        number = sp.Mul(*[f for f in factors if f.is_Number]) * sign
        factors = [f for f in factors if not f.is_Number]
        if number.is_negative:
            for k, factor in enumerate(factors):
                if factor.is_Add and any(t.could_extract_minus_sign() for t in factor.args) and not any(t.is_Number for t in factor.args):
                    factors[k] = sp.Add(*[-t for t in factor.args])
                    number = -number
                    break
        new = sp.Mul(number, *factors)
        return new if new != node else None

    return rewrite(e, change)


def _backward(e: Expr) -> bool:
    """p - 1, which reads better as 1 - p, and -a - b."""
    number = sp.Add(*[t for t in e.args if t.is_Number])
    return bool(number.is_negative) or all(t.could_extract_minus_sign() for t in e.args)


def expand_products(e: Expr) -> Expr:
    """Multiply out, seeing opaque atoms and the inverses of sums as symbols."""
    forth: dict[Expr, Expr] = {}

    def go(node: Expr) -> Expr:
        inverse = isinstance(node, sp.Pow) and node.base.is_Add and node.exp.is_negative
        if opaque(node) or inverse:
            return forth.setdefault(node, sp.Dummy(f"z{len(forth)}", real=True))
        return node.func(*[go(a) for a in node.args]) if node.args else node

    flat = sp.expand(go(e), power_base=False, power_exp=False, log=False)
    return flat.xreplace({s: atom for atom, s in forth.items()})


def sum_out(e: Expr) -> Expr:
    """Expand the bodies of sums that hold deltas and use these deltas, outside sums too."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Sum) and node.body.has(Delta):
            body, indices = node.open()
            return sp.Add(*[eliminate(split(t, indices)).expr() for t in sp.Add.make_args(expand_products(body))])
        return None

    done = rewrite(e, change)
    return sift(done) if done.has(Delta) else done


def sift(e: Expr) -> Expr:
    """f(c) * delta(c, y) = f(y) * delta(c, y), for an index c and a label (or another index) y."""

    def change(node: Expr) -> Expr | None:
        deltas = [f for f in node.args if isinstance(f, Delta)] if node.is_Mul else []
        if not deltas:
            return None
        factors = [f for f in node.args if not isinstance(f, Delta)]
        for delta in deltas:
            a, b = delta.args
            old, new = (a, b) if isinstance(a, Index) and not isinstance(b, Index) else (b, a)
            if isinstance(old, Index):
                factors = [f.xreplace({old: new}) for f in factors]
        return sp.Mul(*factors, *deltas)

    return rewrite(expand_products(e), change)


def per_branch(e: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Apply a change to an expression, or to each branch of a Piecewise."""
    if isinstance(e, sp.Piecewise):
        return sp.Piecewise(*[(change(value), condition) for value, condition in e.args])
    return change(e)
