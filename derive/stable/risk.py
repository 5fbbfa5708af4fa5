"""How much of a form's accuracy is at risk: what the choice between equal forms goes by, before their cost."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.algebra import cost
from derive.functions import Sigmoid
from derive.index import Binder, Entry


def best(forms: list[Expr]) -> Expr:
    """The form with the least at risk, of several the cheapest, of several the first."""
    return min(forms, key=lambda e: (risk(e), cost(e)))


def risk(e: Expr) -> int:
    """The number of additions that may cancel, and of different exponentials that may overflow."""
    growing: set[Expr] = set()

    def go(node: Expr) -> int:
        if isinstance(node, Entry):
            return 0
        if isinstance(node, sp.exp) and not node.args[0].is_nonpositive:
            growing.add(node)
        below = sum(go(a) for a in ((node.body,) if isinstance(node, Binder) else node.args))
        return below + (len(node.args) - 1 if node.is_Add and _may_cancel(node) else 0)

    return go(e) + len(growing)


def _may_cancel(total: Expr) -> bool:
    if all(t.is_nonnegative for t in total.args) or all(t.is_nonpositive for t in total.args):
        return False
    p = _polynomial(total)
    if p is None:
        return True
    roots = [x for x in (sp.S.Zero, sp.S.Half, sp.S.One) if p.eval(x) == 0]
    return bool(roots) and (p.degree() > 1 or roots == [sp.S.Zero])  # 1 - s and 2 s - 1 have functions of their own


def never_small(e: Expr) -> bool:
    """Whether an expression is a number, or a polynomial in one logistic function without root from 0 to 1."""
    p = _polynomial(e)
    return (e.is_number and e != 0) or (p is not None and p.count_roots(0, 1) == 0)


def _polynomial(e: Expr) -> sp.Poly | None:
    """The expression as a polynomial with rational coefficients in its one logistic function; None for others."""
    functions = e.atoms(Sigmoid)
    if len(functions) != 1:
        return None
    (function,) = functions
    s = sp.Dummy("s", positive=True)
    flat = e.xreplace({function: s})
    if flat.free_symbols != {s} or not flat.is_polynomial(s):
        return None
    p = sp.Poly(flat, s)
    return p if p.domain.is_ZZ or p.domain.is_QQ else None
