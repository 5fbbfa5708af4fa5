"""What the stable form of an equation changes: where the mathematical form, computed as it stands in floating point, is wrong, and by how
much.

Both forms are taken as functions of one entry, z, of the tensor that they start from; its other entries are 0, everything else that is
read is 1, and labels and targets are 0 or 1 (derive/compared.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sympy import Expr

from derive.compared import InType, compared
from derive.derivation import Derivation, Derived
from derive.index import Axis, Binder, Entry, Sum, Tensor
from derive.program import Equation
from derive.rounded import NoValue
from derive.template import canonical

NAME = "name"  # the step that gives names to parts changes no number
MOST = 2  # positions of an axis


@dataclass(frozen=True)
class Change:
    """The equation as it is derived and the body that is computed for it, by the tensor whose entry is z, in every type.

    read: the values between the two, which are computed from z as well. targets: whether labels or targets are read; classes: whether these
    are labels, or shares of classes. alike: all that is computed, with canonical names: two equations that have it in common are one
    formula.
    """

    mathematical: Equation
    computed: Derived
    by: Tensor
    read: tuple[Equation, ...]
    targets: bool
    classes: bool
    types: tuple[InType, ...]
    alike: tuple[Equation, ...]

    @property
    def body(self) -> Expr:
        """What is computed, without the names of its parts."""
        return _unnamed(self.computed)


def changes(derivation: Derivation) -> Iterator[Change]:
    """The equations that a rule for stable forms has changed, in the order of computation, with what that does."""
    equations = {e.tensor: e for e in derivation.equations}
    stable = {d.equation.tensor: d for d in derivation.stable if _rules(d)}
    for tensor, derived in stable.items():
        mathematical = equations.get(tensor)
        found = None if mathematical is None else _change(mathematical, derived, equations, stable, derivation)
        if found is not None:
            yield found


def rewritten(derivation: Derivation) -> list[Equation]:
    """The mathematical equations that a rule for stable forms has changed."""
    changed = {d.equation.tensor for d in derivation.stable if _rules(d)}
    return [e for e in derivation.equations if e.tensor in changed]


def _rules(derived: Derived) -> list[str]:
    return [s.rule for s in derived.steps if s.rule != NAME]


def _unnamed(derived: Derived) -> Expr:
    return next(s.after for s in reversed(derived.steps) if s.rule != NAME)


def _change(
    mathematical: Equation,
    derived: Derived,
    equations: Mapping[Tensor, Equation],
    stable: Mapping[Tensor, Derived],
    derivation: Derivation,
) -> Change | None:
    """None where the forms are no functions of one number that can be computed here."""
    forward = derivation.forward
    read = tuple(_behind(mathematical, equations, stable, derivation))
    bodies = {e.tensor: _unnamed(stable[e.tensor]) if e.tensor in stable else e.body for e in read}
    starts = dict.fromkeys(t for e in (mathematical, *read) for t in e.reads if t not in bodies and t in forward.varying)
    (by, *others) = [t for t in starts if t not in forward.parameters] or [None]
    if by is None or others:
        return None
    targets = tuple(t for t in forward.targets if any(t in e.reads for e in (mathematical, *read)))
    careful = (Equation(mathematical.tensor, mathematical.indices, _unnamed(derived)),)
    careful += tuple(Equation(e.tensor, e.indices, bodies[e.tensor]) for e in read)
    naming = canonical((mathematical, *read, *careful), (by,))
    plain, other = (tuple(naming.equation(e) for e in some) for some in ((mathematical, *read), careful))
    extents = {naming.axes.get(a, a): _extent(a) for a in _axes((*careful, mathematical, *read))}
    shares = tuple((naming.tensor(t).name, axis) for t, axis in _shares(derivation).items() if t in targets)
    try:
        found = compared(plain, other, naming.tensor(by), tuple(naming.tensor(t) for t in targets), tuple(extents.items()), shares)
    except NoValue:
        return None
    classes = bool(shares) or any(t.values is not None for t in targets)
    return Change(mathematical, derived, by, read, bool(targets), classes, found, (*plain, *other))


def _shares(derivation: Derivation) -> dict[Tensor, int]:
    """The targets that add up to 1, by declared facts, with the axis along which they do."""
    found: dict[Tensor, int] = {}
    for fact in derivation.forward.facts:
        if isinstance(fact.left, Sum):
            body, (bound, *_) = fact.left.open()
            if isinstance(body, Entry) and bound in body.indices:
                found[body.tensor] = body.indices.index(bound)
    return found


def _behind(
    equation: Equation, equations: Mapping[Tensor, Equation], stable: Mapping[Tensor, Derived], derivation: Derivation
) -> Iterator[Equation]:
    """The forward values that an equation reads and that are themselves computed in another form, or entry by entry from one value."""
    forward = {e.tensor for e in derivation.forward.equations}
    waiting, met = [equation], {equation.tensor}
    while waiting:
        for tensor in waiting.pop(0).reads:
            own = equations.get(tensor)
            if own is None or tensor in met or tensor not in forward:
                continue
            if tensor in stable or _pointwise(own):
                met.add(tensor)
                waiting.append(own)
                yield own


def _pointwise(equation: Equation) -> bool:
    """Whether a value is a function of one entry and of nothing else."""
    entries = equation.body.atoms(Entry)
    return len(entries) == 1 and not equation.body.has(Binder) and set(*(e.indices for e in entries)) == set(equation.indices)


def _axes(equations: Sequence[Equation]) -> dict[Axis, None]:
    bound = (i.axis for e in equations for b in e.body.atoms(Binder) for i in b.bound)
    tensors = (t for e in equations for t in (e.tensor, *e.reads))
    return dict.fromkeys(
        (*(a for t in tensors for a in (*t.axes, *([t.values] if t.values else []))), *sorted(bound, key=lambda a: a.name))
    )


def _extent(axis: Axis) -> int:
    """One example, and of every other axis two positions where it has so many."""
    return min(axis.extent or 1, MOST)
