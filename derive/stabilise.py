"""Rewrites to numerically stable forms. Each is an equality of real numbers; none changes a derivative that was taken before.

They are applied to one expression at a time, in a fixed order, and every one that changes it becomes a step of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import sympy as sp
from sympy import Expr

from derive.algebra import cost, flatten, orient, per_branch
from derive.exponentials import largest_off
from derive.functions import AtLeast, Expm1, Log1p, Sigmoid
from derive.index import Binder, Entry, Max, Sum, Tensor, inline, rewrite
from derive.program import Equation, Floors

Change = Callable[[Expr], Expr]
Changed = tuple[Expr, tuple[str, ...]]  # the result, and the tensors whose equations it rests on
Form = tuple[str, Expr, tuple[str, ...], str]  # rule, result, tensors, reason
Definitions = Mapping[Tensor, Equation]


def stable_forms(body: Expr, definitions: Definitions, floors: Floors | None) -> Iterator[Form]:
    """The rules that change an expression, one after the other: (rule, result, tensors whose equations it uses, reason)."""
    for rule, change, reason in _rules(definitions, floors):
        after, uses = change(body)
        if after != body:
            yield f"stabilise: {rule}", after, uses, reason
            body = after


def _rules(definitions: Definitions, floors: Floors | None) -> Iterator[tuple[str, Callable[[Expr], Changed], str]]:
    def alone(change: Change) -> Callable[[Expr], Changed]:
        return lambda e: (change(e), ())

    if floors is not None:
        yield "floors", alone(lambda e: _floored(e, floors)), floors.reason
    else:
        yield "logarithm of a quotient", lambda e: _log_quotient(e, definitions), "the logarithm of a rounded 0 is lost, its terms are not"
    yield "shift by the maximum", alone(_shift), "exp of a large number overflows; the shift leaves the value unchanged"
    yield "logistic form", alone(_logistic), "no exponential may stand in numerator and denominator: inf / inf"
    yield "softplus form", alone(_softplus), "log(1 + exp(u)) = max(u, 0) + log(1 + exp(-|u|)), whose exponential cannot overflow"
    yield "largest exponent", alone(largest_off), "exp of a large number overflows; divided by the largest, every exponential is at most 1"
    yield "logarithm near 1", alone(_log1p), "log(1 + x) loses the digits of an x near 0"
    yield "one exponential", alone(_merge), "a product of exponentials overflows where the exponential of the sum does not"
    yield "exp(x) - 1", alone(_expm1), "the difference loses digits near 0"
    yield "difference of squares", alone(_squares), "1 - u^2 loses digits where u is near 1 or -1"


# -- logarithms ----------------------------------------------------------------------------------------------------------


def _log_quotient(e: Expr, definitions: Definitions) -> Changed:
    """log(exp(a) / S) = a - log(S), for a quotient as it stands and for an entry that is defined as one.

    Only factors that are positive leave the logarithm: log(u v) = log(u) + log(v) says nothing of negative u and v.
    """
    used: list[str] = []

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, sp.log):
            return None
        argument, equation = node.args[0], None
        if isinstance(argument, Entry):
            equation = definitions.get(argument.tensor)
            if equation is not None:
                argument = inline(argument, equation.tensor, equation.indices, equation.body)
        factors = sp.Mul.make_args(argument)
        outside = [f for f in factors if f.is_positive and f.has(sp.exp)]
        if not outside:
            return None
        if equation is not None:
            used.append(equation.tensor.name)
        inside = sp.Mul(*[f for f in factors if f not in outside])
        return sp.Add(*map(_log_factor, outside), sp.log(inside))

    return rewrite(e, change), tuple(dict.fromkeys(used))


def _log_factor(factor: Expr) -> Expr:
    base, power = factor.as_base_exp()
    if isinstance(factor, sp.exp):
        return factor.args[0]
    return power * sp.log(base)


def _floored(e: Expr, floors: Floors) -> Expr:
    """Declared lower bounds of logarithms and of denominators; a product of denominators is bounded as a whole."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and floors.log is not None:
            return AtLeast(node, floors.log)
        if floors.denominator is None:
            return None
        if isinstance(node, sp.Pow) and node.exp.is_negative and node.base.has(Entry):
            return 1 / AtLeast(1 / node, floors.denominator)
        below = [f for f in node.args if isinstance(1 / f, AtLeast)] if node.is_Mul else []
        if len(below) > 1:
            whole = sp.Mul(*[(1 / f).args[0] for f in below])
            return sp.Mul(*[f for f in node.args if f not in below], 1 / AtLeast(whole, floors.denominator))
        return None

    return rewrite(e, change)


# -- exponentials --------------------------------------------------------------------------------------------------------


def _shift(e: Expr) -> Expr:
    """Take the largest a off every exponent of S = sum_k exp(a(k)), with S = exp(m) S' and m = max a.

    exp(b) S^p = exp(b + p m) S'^p, so exp(a(c)) / S = exp(a(c) - m) / S'; log S = m + log S'. A product of no exponential stays.
    """

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log):
            exponent, product = _shifted(sp.Mul.make_args(node.args[0]))
            return None if exponent == 0 else exponent + sp.log(product)
        exponentials = [f for f in node.args if isinstance(f, sp.exp)] if node.is_Mul else []
        exponent, product = _shifted([f for f in node.args if f not in exponentials]) if exponentials else (sp.S.Zero, node)
        return None if exponent == 0 else sp.exp(sp.Add(exponent, *[f.args[0] for f in exponentials])) * product

    return rewrite(e, change)


def _shifted(factors: Sequence[Expr]) -> tuple[Expr, Expr]:
    """The product as exp(exponent) * product, where no sum of exponentials in the product can overflow."""
    exponent, product = sp.S.Zero, sp.S.One
    for factor in factors:
        base, power = factor.as_base_exp()
        if isinstance(base, Sum) and isinstance(base.body, sp.exp) and not base.body.has(Max):  # with a Max it is shifted already
            body, indices = base.open()
            largest = Max(body.args[0], *indices)
            exponent += power * largest
            factor = Sum(sp.exp(body.args[0] - largest), *indices) ** power
        product *= factor
    return exponent, product


def _logistic(e: Expr) -> Expr:
    """Write E = exp(m) as s / (1 - s), s the logistic function of m, where that removes E from every denominator."""

    def change(node: Expr) -> Expr | None:
        if not (node.is_Mul or node.is_Add or node.is_Pow) or not node.has(sp.exp):
            return None
        new = _without_exponential_below(node)
        return None if new == node else new

    return _outermost(e, change)


def _without_exponential_below(e: Expr) -> Expr:
    flat, back = flatten(e)
    flat = sp.together(flat)
    for symbol, atom in list(back.items()):
        if not isinstance(atom, sp.exp) or symbol not in sp.fraction(sp.cancel(flat))[1].free_symbols:
            continue
        s = sp.Dummy("s", positive=True)
        new = sp.cancel(flat.xreplace({symbol: s / (1 - s)}))
        if s in sp.fraction(new)[1].free_symbols:
            continue
        flat, back[s] = new, Sigmoid(atom.args[0])
    if not any(isinstance(a, Sigmoid) for a in back.values()):
        return e
    grouped = sp.factor(flat)
    grouped = sp.Mul(*[sp.collect(f, [z for z in back if not isinstance(back[z], Sigmoid)]) for f in sp.Mul.make_args(grouped)])
    forms = [orient(form.xreplace(back)) for form in (grouped, sp.factor_terms(flat), sp.factor(flat), flat)]
    return min(forms, key=cost)


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
    enough = change(parts) is None and _exponentials(parts) <= _exponentials(whole)
    return min((parts, whole), key=cost) if enough else whole


def _exponentials(e: Expr) -> set[Expr]:
    """The exponentials that algebra sees."""
    return {atom for atom in flatten(e)[1].values() if isinstance(atom, sp.exp)}


def _softplus(e: Expr) -> Expr:
    def change(node: Expr) -> Expr | None:
        if not isinstance(node, sp.log) or not node.args[0].is_Add:
            return None
        rest = node.args[0] - 1
        if isinstance(rest, sp.exp):
            u = rest.args[0]
            return AtLeast(u, sp.S.Zero) + Log1p(sp.exp(-sp.Abs(u)))
        return None

    return rewrite(e, change)


def _log1p(e: Expr) -> Expr:
    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and node.args[0].is_Add and sp.S.One in node.args[0].args:
            return Log1p(node.args[0] - 1)
        return None

    return rewrite(e, change)


def _merge(e: Expr) -> Expr:
    """exp(a) exp(b) = exp(a + b)."""

    def change(node: Expr) -> Expr | None:
        exponentials = [f for f in node.args if isinstance(f, sp.exp)] if node.is_Mul else []
        if len(exponentials) < 2:
            return None
        return sp.Mul(sp.exp(sp.Add(*[f.args[0] for f in exponentials])), *[f for f in node.args if f not in exponentials])

    return rewrite(e, change)


def _expm1(e: Expr) -> Expr:
    def change(node: Expr) -> Expr | None:
        if not node.is_Add:
            return None
        for term in node.args:
            number, function = term.as_coeff_Mul()
            if isinstance(function, sp.exp) and -number in node.args:
                return sp.Add(number * Expm1(function.args[0]), *[t for t in node.args if t not in (term, -number)])
        return None

    return rewrite(e, change)


def _squares(e: Expr) -> Expr:
    """1 - y^2 = (1 - y)(1 + y) for a value y or a bounded function of one."""

    def change(node: Expr) -> Expr | None:
        if not node.is_Add or len(node.args) != 2 or sp.S.One not in node.args:
            return None
        square = -(node - 1)
        if isinstance(square, sp.Pow) and square.exp == 2 and isinstance(square.base, Entry | sp.tanh | sp.erf):
            return (1 - square.base) * (1 + square.base)
        return None

    return rewrite(e, change)
