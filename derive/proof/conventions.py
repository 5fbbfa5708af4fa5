"""The same network in two conventions: every equation of one derivation says of each entry what that of the other says.

Two derivations correspond where their tensors have the same names and the same axes, in whatever order: the weights of "xw" are the
transposed ones of "rows". An equation is carried over by putting the axes of every tensor that it reads into the order of the first
derivation, and nothing else. The two right-hand sides are then tested as any other claim is, with random numbers for what they read.
From equation to equation, from the inputs to the loss and back, all values and all gradients are therefore the same numbers, in the
places that the axes say; and a gradient is transposed where what it belongs to is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sympy import Expr

from derive.derivation import Derivation
from derive.index import Entry, Tensor, rewrite
from derive.program import Equation
from derive.proof.claim import Claim, Finding, decide
from derive.proof.sampling import Setting, setting
from derive.proof.verdict import Verdict
from derive.text import text

Order = tuple[int, ...]  # where each axis of a tensor stands among the axes of its counterpart


@dataclass(frozen=True)
class Agreement:
    """One derivation in several conventions, the one first that the others are compared with, and what came of that."""

    derivations: Mapping[str, Derivation]
    verdicts: tuple[Verdict, ...]


def prove_conventions(derivations: Mapping[str, Derivation], seed: int = 0, equation: str | None = None) -> Iterator[Verdict]:
    """Compare derivations of one network, by the names of their conventions: the first with each of the others.

    For each other one a verdict on all tensors and their axes, then one for each equation. A failed check is a verdict, never an
    exception. seed: what the random points are drawn from. equation: a number, to compare this equation alone.
    """
    (name, first), *others = derivations.items()
    tested = setting(first)
    for other_name, other in others:
        yield _tensors(first, other, other_name)
        counterparts = {e.tensor.name: e for e in other.equations}
        settled: list[str] = []
        for own in first.equations:
            if equation in (None, own.number):
                counterpart = counterparts.get(own.tensor.name)
                uses = _uses(own.tensor.name, first, other)
                finding = _compare(own, counterpart, tested, uses, settled, f"{seed}/{name}/{other_name}/{own.number}")
                there = other_name if counterpart is None else f"{other_name}: {text(counterpart.entry)}"
                yield Verdict(own.number, f"as in {there}", finding.method, finding.holds, finding.detail, text(own.entry))
            settled.append(own.tensor.name)


def orders(first: Derivation, other: Derivation) -> Mapping[str, Order]:
    """For every tensor of two derivations that has the same axes in both, where those of the first stand in the other."""
    there = _named(other)
    found = {name: order_of(tensor, there[name]) for name, tensor in _named(first).items() if name in there}
    return {name: order for name, order in found.items() if order is not None}


def order_of(tensor: Tensor, other: Tensor) -> Order | None:
    """Where each axis of a tensor stands among those of another; None where they have not the same axes, or not the same kind of entries.

    The axes of a tensor that has one of them twice keep their order.
    """
    left = list(enumerate(other.axes))
    found: list[int] = []
    for axis in tensor.axes:
        place = next((k for k, (_, there) in enumerate(left) if there == axis), None)
        if place is None:
            return None
        found.append(left.pop(place)[0])
    return None if left or tensor.values != other.values or tensor.sign != other.sign else tuple(found)


def _named(derivation: Derivation) -> Mapping[str, Tensor]:
    return {t.name: t for t in (*derivation.given, *(e.tensor for e in derivation.equations))}


def _tensors(first: Derivation, other: Derivation, name: str) -> Verdict:
    """Whether both have the same tensors, and every gradient its axes in the order of what it belongs to."""
    about, rule = "all tensors", f"as in {name}"
    here, there, known = _named(first), _named(other), orders(first, other)
    alone = [n for n in (*here, *there) if n not in known]
    if alone:
        return Verdict("", rule, "inspection", False, f"without a counterpart of the same axes: {', '.join(dict.fromkeys(alone))}", about)
    for derived in (d for d in first.backward if d.of is not None):
        if derived.of is not None and known[derived.equation.tensor.name] != known[derived.of.name]:
            detail = f"the axes of {derived.equation.tensor.name} are not in the order of those of {derived.of.name}"
            return Verdict("", rule, "inspection", False, detail, about)
    turned = [n for n, order in known.items() if list(order) != sorted(order)]
    detail = f"{len(known)} tensors, axes in another order: {', '.join(turned) or 'none'}"
    return Verdict("", rule, "inspection", True, detail, about)


def _uses(name: str, first: Derivation, other: Derivation) -> tuple[str, ...]:
    """The tensors whose equations the derivations of a tensor's equation rely on."""
    derived = [d for d in (*first.derived, *other.derived) if d.equation.tensor.name == name]
    return tuple(dict.fromkeys(use for d in derived for step in d.steps for use in step.uses))


def _compare(
    own: Equation, counterpart: Equation | None, tested: Setting, uses: tuple[str, ...], settled: Collection[str], seed: str
) -> Finding:
    """Whether an equation and its counterpart say the same of every entry."""
    if counterpart is None:
        return Finding("inspection", False, "has no counterpart")
    here = {t.name: t for t in (own.tensor, *own.reads, *(t for e in tested.definitions.values() for t in (e.tensor, *e.reads)))}
    carried = _carried(counterpart, own, here)
    if carried is None:
        return Finding("inspection", False, "reads a tensor that has no counterpart of the same axes")
    known = tuple(use for use in uses if use in settled)
    return decide(Claim(own.body, carried, own.indices, known, tested.facts, seed), tested)


def _carried(equation: Equation, own: Equation, here: Mapping[str, Tensor]) -> Expr | None:
    """The right-hand side of an equation over the tensors of another derivation and the indices of its equation `own`."""
    order = order_of(own.tensor, equation.tensor)
    mates = {t: (here[t.name], order_of(here[t.name], t)) for t in equation.reads if t.name in here}
    if order is None or len(mates) < len(equation.reads) or any(o is None for _, o in mates.values()):
        return None

    def change(node: Expr) -> Expr | None:
        if not isinstance(node, Entry):
            return None
        tensor, places = mates[node.tensor]
        return Entry(tensor, *(node.indices[k] for k in places or ()))

    placed = equation.at({equation.indices[k]: index for k, index in zip(order, own.indices, strict=True)})
    return rewrite(placed.body, change)
