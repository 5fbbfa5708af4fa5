"""The factors of the chain: the derivative of each operation by each tensor that it reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Basic, Expr

from derive.derivation import Derivation
from derive.documents.document import Block, Formula, Paragraph, Ref, Row, Section
from derive.documents.notation import Notation
from derive.documents.words import activation_of, heading, operator
from derive.index import Entry, Index, Partial, Tensor
from derive.program import Equation
from derive.reuse import stored
from derive.terms import Term, derivative, eliminate, total

WORDS = (
    "The backward pass multiplies the gradient that arrives at an operation by the operation's own derivative. A letter that stands "
    "above and below the fraction bar means the same position in both; at two different positions the derivative is 0."
)


@dataclass(frozen=True)
class Slope:
    """The derivative of an equation's value by tensor[at], in stored values; an index that is on both sides must be equal."""

    equation: Equation
    tensor: Tensor
    at: tuple[Index, ...]
    value: Expr

    @property
    def elementwise(self) -> bool:
        """Whether each entry of the value depends on the one entry of the tensor at the same place."""
        return set(self.at) == set(self.equation.indices)


def local(derivation: Derivation, how: Notation) -> Iterator[Section]:
    """The derivatives of all equations but the loss, whose derivatives are the gradients that the backward pass starts from."""
    forward = derivation.forward
    varying = [d.of for d in derivation.backward if d.of is not None]
    blocks: list[Block] = []
    for equation in forward.equations:
        by = [t for t in varying if t in equation.reads]
        if by and equation.tensor in varying:
            blocks.append(Paragraph((f"{heading(equation)}, ", Ref(equation.number), ":")))
            blocks.append(Formula(tuple(_row(slope(equation, t), derivation, how) for t in by)))
    if blocks:
        yield Section(("Local derivatives",), (Paragraph((WORDS,)), *blocks))


def slope(equation: Equation, by: Tensor) -> Slope:
    """The derivative of an equation by a tensor that it reads. Indices that a Kronecker delta in every term equates are made equal."""
    taken = {i.axis for i in equation.indices}
    at = tuple(i.axis.fresh() if i.axis in taken else i for i in by.indices())
    terms = [eliminate(replace(t, coefficient=stored(t.coefficient, equation))) for t in derivative(equation.body, by, at)]
    equal = _equated(terms, equation, at)
    rule: dict[Basic, Expr] = {**equal}
    return Slope(equation, by, tuple(equal.get(i, i) for i in at), total([t.put(rule) for t in terms]))


def _equated(terms: list[Term], equation: Equation, at: tuple[Index, ...]) -> dict[Index, Index]:
    """The indices in `at` that every term equates with the same index of the equation."""
    found: dict[Index, Index] = {}
    for mine in at:
        for own in equation.indices:
            pair = {mine, own}
            if own not in found.values() and terms and all(pair in [set(d) for d in t.deltas] for t in terms):
                found.setdefault(mine, own)
    return found


def _row(slope: Slope, derivation: Derivation, how: Notation) -> Row:
    """dP/dZ = sigma'(Z) = sigma(Z) (1 - sigma(Z)) = P (1 - P)."""
    equation = slope.equation
    left = how.index(Partial(equation.entry, Entry(slope.tensor, *slope.at)), equation.indices)
    sides = [how.cases(slope.value, equation.indices)]
    kind = activation_of(equation)
    if kind is not None and slope.elementwise:
        applied = applied_function(equation, derivation)
        if applied is not None and slope.value.has(equation.entry):
            sides.insert(0, how.index(slope.value.xreplace({equation.entry: applied}), equation.indices))
        sides.insert(0, rf"{operator(kind)}'\left({how.entry(slope.tensor, slope.at)}\right)")
    return Row(left, " = ".join(sides))


def applied_function(equation: Equation, derivation: Derivation) -> Expr | None:
    """The value of an equation where it is one named function of an entry, as it stands or in its stable form: sigma(Z)."""
    forms = [equation.body, *(d.equation.body for d in derivation.stable if d.equation.tensor == equation.tensor)]
    return next((e for e in forms if isinstance(e, sp.Function) and isinstance(e.args[0], Entry)), None)
