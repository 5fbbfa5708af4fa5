"""Rewrites to numerically stable forms. Each is an equality of real numbers; none changes a derivative that was taken before.

They are applied to one expression at a time, in a fixed order, and every one that changes it becomes a step of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import sympy as sp
from sympy import Expr

from derive.algebra import cost, flatten, orient, per_branch
from derive.functions import AtLeast, Expm1, Log1p, Sigmoid
from derive.index import Entry, Max, Sum, Tensor, inline, rewrite
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
    yield "logarithm near 1", alone(_log1p), "log(1 + x) loses the digits of an x near 0"
    yield "one exponential", alone(_merge), "a product of exponentials overflows where the exponential of the sum does not"
    yield "exp(x) - 1", alone(_expm1), "the difference loses digits near 0"
    yield "difference of squares", alone(_squares), "1 - y^2 loses digits where y is near 1 or -1"


# -- logarithms ----------------------------------------------------------------------------------------------------------


def _log_quotient(e: Expr, definitions: Definitions) -> Changed:
    """log(P) with P = exp(a) / S: a - log(S)."""
    used: list[str] = []

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, sp.log) or not isinstance(node.args[0], Entry):
            return None
        equation = definitions.get(node.args[0].tensor)
        if equation is None or not any(isinstance(f, sp.exp) for f in sp.Mul.make_args(equation.body)):
            return None
        used.append(equation.tensor.name)
        quotient = inline(node.args[0], equation.tensor, equation.indices, equation.body)
        return sp.Add(*[_log_factor(f) for f in sp.Mul.make_args(quotient)])

    return rewrite(e, change), tuple(dict.fromkeys(used))


def _log_factor(factor: Expr) -> Expr:
    base, power = factor.as_base_exp()
    if isinstance(factor, sp.exp):
        return factor.args[0]
    return power * sp.log(base)


def _floored(e: Expr, floors: Floors) -> Expr:
    """Declared lower bounds of logarithms and of denominators."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, sp.log) and floors.log is not None:
            return AtLeast(node, floors.log)
        below = [f for f in sp.Mul.make_args(node) if _may_vanish(f)]
        if below and floors.denominator is not None and node.is_Mul:
            rest = [f for f in sp.Mul.make_args(node) if f not in below]
            return sp.Mul(*rest, 1 / AtLeast(sp.Mul(*[1 / f for f in below]), floors.denominator))
        return None

    return rewrite(e, change)


def _may_vanish(factor: Expr) -> bool:
    return bool(isinstance(factor, sp.Pow) and factor.exp.is_negative and factor.base.has(Entry))


# -- exponentials --------------------------------------------------------------------------------------------------------


def _shift(e: Expr) -> Expr:
    """In exp(a(c)) / sum_k exp(a(k)) and log sum_k exp(a(k)), take the largest a off every exponent.

    Every exponential exp(a) becomes T exp(a - m) with m = max a and T = exp(m); the form is kept where T cancels.
    """

    def change(node: Expr) -> Expr | None:
        sums = [s for s in _parts(node) if isinstance(s, Sum) and isinstance(s.body, sp.exp)]
        return _shifted(node, sums[0]) if sums else None

    return rewrite(e, change)


def _parts(node: Expr) -> list[Expr]:
    """The factors of a product with their powers taken off, or the argument of a logarithm."""
    if isinstance(node, sp.log):
        return [node.args[0]]
    return [f.as_base_exp()[0] for f in node.args] if node.is_Mul else []


def _shifted(node: Expr, total: Sum) -> Expr | None:
    body, indices = total.open()
    exponent = body.args[0]
    largest = Max(exponent, *indices)
    if exponent.has(Max):
        return None  # shifted already
    factor = sp.Dummy("T", positive=True)
    shifted = Sum(sp.exp(exponent - largest), *indices)
    if isinstance(node, sp.log):
        return largest + sp.log(shifted)
    parts: list[Expr] = []
    for part in node.args:
        base, power = part.as_base_exp()
        if base == total:
            parts.append((factor * shifted) ** power)
        elif isinstance(part, sp.exp):
            parts.append(factor * sp.exp(part.args[0] - largest))
        else:
            parts.append(part)
    new = sp.Mul(*parts)
    return None if factor in new.free_symbols else new


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
    """Try the whole expression first, then its parts."""
    if isinstance(e, sp.Piecewise):
        return per_branch(e, lambda value: _outermost(value, change))
    if isinstance(e, Sum):
        body, indices = e.open()
        return Sum(_outermost(body, change), *indices)
    changed = change(e)
    if changed is not None:
        return changed
    if not e.args or isinstance(e, Entry | Max):
        return e
    return e.func(*[_outermost(a, change) for a in e.args])


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
        if not node.is_Mul:
            return None
        powers = [f for f in node.args if isinstance(f.as_base_exp()[0], sp.exp) or isinstance(f, sp.exp)]
        if len(powers) < 2:
            return None
        exponent = sp.Add(*[_exponent(f) for f in powers])
        return sp.Mul(sp.exp(exponent), *[f for f in node.args if f not in powers])

    return rewrite(e, change)


def _exponent(power: Expr) -> Expr:
    if isinstance(power, sp.exp):
        return power.args[0]
    base, n = power.as_base_exp()
    return n * base.args[0]


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
