"""Re-expressing a derivative in values that the forward pass has stored, with no table of derivatives.

Where an equation `v = body` is a Moebius function of one kernel (exp(-x) in the logistic function, tanh(x), exp(Z[n,c]) in softmax), it
is solved for that kernel: linear algebra. The kernel is then replaced in the derivative, at every index at which it occurs. The
result is kept only if no new denominator appears, or y/x could replace a logistic function that is fine at x = 0.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp
from sympy import Basic, Expr

from derive.algebra import cancel, cost, flatten
from derive.index import Binder, Entry, Index, Indicator
from derive.program import Equation


def stored(slope: Expr, equation: Equation) -> Expr:
    """The slope of an equation's body, with the equation's own value put in where that makes it simpler."""
    body, value = equation.body, equation.entry
    if isinstance(body, sp.Piecewise):
        return _stored_in_branches(slope, equation)
    whole = slope.xreplace({body: value})
    replaced = [_replace(whole, kernel, solution, equation.indices) for kernel, solution in _solutions(body, value)]
    others = [e for e in (whole, *replaced) if e is not None and e != slope]
    if not others:
        return slope
    below = _denominators(slope)
    candidates = [slope, *(e for e in others if _denominators(e) <= below)]
    return min(candidates, key=lambda e: (cost(e), str(e)))


def _stored_in_branches(slope: Expr, equation: Equation) -> Expr:
    body = equation.body
    if not isinstance(slope, sp.Piecewise) or not isinstance(body, sp.Piecewise) or [c for _, c in slope.args] != [c for _, c in body.args]:
        return slope
    cases = [
        (stored(d, Equation(equation.tensor, equation.indices, f)) if f.args and not isinstance(f, Entry) else d, condition)
        for (d, condition), (f, _) in zip(slope.args, body.args, strict=True)
    ]
    return sp.Piecewise(*cases)


@lru_cache(maxsize=1024)
def _solutions(body: Expr, value: Entry) -> tuple[tuple[Expr, Expr], ...]:
    """Every kernel of the body that `value = body` determines, with its solution.

    One that adds other entries to the value is none: exp(x) = l + y x, for l = exp(x) - y x, loses digits that exp(x) has.
    """
    flat, back = flatten(body)
    v = sp.Dummy("v", positive=True) if value.is_positive else sp.Dummy("v", real=True)
    above, below = sp.fraction(sp.together(flat))
    equation = sp.expand(above - v * below)
    found: list[tuple[Expr, Expr]] = []
    for symbol, atom in back.items():
        kernel = not isinstance(atom, Entry | Binder | Indicator) and not atom.is_number
        if kernel and equation.is_polynomial(symbol) and sp.degree(equation, symbol) == 1:
            solution = sp.cancel(-equation.coeff(symbol, 0) / equation.coeff(symbol, 1))
            if not any(part.is_Add and part.free_symbols - {v} for part in sp.fraction(solution)):
                found.append((atom, solution.xreplace(back).xreplace({v: value})))
    return tuple(found)


def _replace(slope: Expr, kernel: Expr, solution: Expr, indices: tuple[Index, ...]) -> Expr | None:
    """Put the solution in place of the kernel and its powers, at every index where they occur in the slope."""
    flat, back = flatten(slope)
    rule: dict[Basic, Expr] = {}
    for symbol, atom in back.items():
        power = sp.S.One
        if isinstance(kernel, sp.Pow) and isinstance(atom, sp.Pow) and (atom.exp / kernel.exp).is_Integer:
            power, atom = atom.exp / kernel.exp, sp.Pow(atom.base, kernel.exp)
        at = _unify(kernel, atom, indices, {})
        if at is not None and all(i in at for i in indices):  # else the solution would hold an index that means nothing here
            rule[symbol] = solution.xreplace(at) ** power
    if not rule:
        return None
    return cancel(flat.xreplace(rule).xreplace(back))


def _unify(pattern: Basic, target: Basic, indices: tuple[Index, ...], at: dict[Basic, Basic]) -> dict[Basic, Basic] | None:
    """The values of the indices for which the pattern is the target."""
    if isinstance(pattern, Index) and pattern in indices:
        return {**at, pattern: target} if at.get(pattern, target) == target else None
    if not pattern.args or not target.args:
        return at if pattern == target else None
    if pattern.func != target.func or len(pattern.args) != len(target.args):
        return None
    found: dict[Basic, Basic] | None = at
    for p, t in zip(pattern.args, target.args, strict=True):
        found = _unify(p, t, indices, found)
        if found is None:
            return None
    return found


def _denominators(e: Expr) -> set[Basic]:
    """The opaque atoms below the fraction bar."""
    flat, back = flatten(e)
    below = sp.fraction(sp.cancel(flat))[1].free_symbols
    return {atom for symbol, atom in back.items() if symbol in below}
