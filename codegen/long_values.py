"""Values that are too long for a line of code: the parts that they may be cut into."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy import Basic, Expr

from codegen.printer import code
from codegen.summands import protection
from derive.functions import Log1p
from derive.index import Entry, Indicator


def halves(value: Expr, room: int) -> tuple[Expr, Expr]:
    """The value, and 0; two parts of a sum that is longer than the room. A sum in which digits may cancel stays whole."""
    if not value.is_Add or len(code(value)) <= room or value.has(Log1p):
        return value, sp.S.Zero
    terms = sp.Add.make_args(value)
    return sp.Add(*terms[: len(terms) // 2]), sp.Add(*terms[len(terms) // 2 :])


def longest_part(value: Expr, room: int) -> tuple[str, Expr] | None:
    """The longest part of an expression that fits a line of its own, with a word for its role."""
    found = [(word, e) for word, e in _parts(value) if len(f"{word}___ = {code(e)}") <= room]
    return max(found, key=lambda p: len(code(p[1])), default=None)


def _parts(e: Expr) -> Iterable[tuple[str, Expr]]:
    if isinstance(e, Entry | Indicator):
        return
    guarded = any(isinstance(a, Indicator) for a in e.args)
    word = "term" if e.is_Add else "factor" if e.is_Mul else "argument"
    for arg in _values(e):
        if guarded and protection(arg):
            continue  # it may be read only where the condition holds
        if not arg.is_Atom and not isinstance(arg, Entry | Indicator) and not arg.is_number:
            yield word, arg
            yield from _parts(arg)


def _values(e: Basic) -> list[Expr]:
    """The real-valued arguments; not the conditions."""
    if isinstance(e, sp.Piecewise):
        return [value for value, _ in e.args]
    return [a for a in e.args if isinstance(a, Expr)]
