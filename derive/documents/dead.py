"""Where the derivative of an activation is exactly 0, and which parameters then stand still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import sympy as sp
from sympy import Expr

from derive.bounds import Bound, flat_at
from derive.derivation import Derivation
from derive.documents.document import Math, Part, Ref, Text
from derive.documents.notation import Notation
from derive.documents.signs import number_latex
from derive.documents.symbols import fraction
from derive.family import gradient_of
from derive.index import Entry, Index, Tensor
from derive.program import Equation

At = tuple[Index, ...]


def dead_where(function: Expr, found: Bound, name: str) -> list[str]:
    """Inequalities for the argument `name`; an end belongs to an interval where the branch that holds there has the derivative 0."""
    conditions: list[str] = []
    for low, high in found.dead:
        below, above = (r"\le" if flat_at(function, end) else "<" for end in (low, high))
        if high == sp.oo:
            conditions.append(f"{name} {'>' if below == '<' else chr(92) + 'ge'} {number_latex(low)}")
        else:
            left = "" if low == -sp.oo else f"{number_latex(low)} {below} "
            conditions.append(f"{left}{name} {above} {number_latex(high)}")
    return conditions


def dead_words(equation: Equation, by: Tensor, function: Expr, found: Bound, derivation: Derivation, how: Notation) -> Text:
    """Where nothing comes back to `by`, and which parameters have a gradient of 0 if that is so all over the batch; nothing if nowhere."""
    own = by.indices()
    where = [Math(condition) for condition in dead_where(function, found, how.entry(by, own))]
    if not where or len(derivation.forward.reading(by)) != 1:
        return ()
    text: list[Part] = ["Nothing comes back through ", Ref(equation.number), " where ", *_listed(where, " or "), "."]
    for others, some in groupby(_still(by, own, derivation), key=lambda still: still[0]):
        zeros = [Math(f"{fraction('L', how.index(Entry(tensor, *at), (*own, *at)))} = 0") for _, tensor, at in some]
        every = _listed([Math(how.index(i, (i,))) for i in others], ", ")
        text += [" Where that is so for every ", *every, ", it is dead: "] if every else [" There "]
        text += [*_listed(zeros, " and "), ", and gradient descent leaves these parameters as they are."]
    return tuple(text)


def _still(by: Tensor, own: At, derivation: Derivation) -> Iterator[tuple[At, Tensor, At]]:
    """The parameters whose gradient is a sum over entries of the gradient of `by` alone.

    With each the indices of `by` that are summed over, and its own indices, in the letters of `by` where they are the same.
    """
    maker = derivation.forward.defining(by)
    read = () if maker is None else maker.reads
    for derived in derivation.backward:
        parameter, equation = derived.of, derived.equation
        if parameter not in read:
            continue
        entries = {e for e in equation.body.atoms(Entry) if e.tensor == gradient_of(by)}
        if parameter is None or parameter not in derivation.forward.parameters or len(entries) != 1:
            continue
        (entry,) = entries
        places = [i for i in entry.indices if isinstance(i, Index)]
        if len(set(places)) < len(entry.indices) or equation.body.xreplace({entry: sp.S.Zero}) != 0:
            continue
        same = {place: mine for place, mine in zip(places, own, strict=True) if place in equation.indices}
        at = tuple(same.get(i) or (i.axis.fresh() if i.axis in by.axes else i) for i in equation.indices)
        yield tuple(mine for place, mine in zip(places, own, strict=True) if place not in same), parameter, at


def _listed(parts: Sequence[Math], between: str) -> Text:
    found: list[Part] = []
    for part in parts:
        found += [between, part] if found else [part]
    return tuple(found)
