"""What the stable form of an equation changes: where the mathematical form, computed as it stands in floating point, is wrong, and by how
much.

Both forms are taken as functions of one entry, z, of the tensor that they start from; other entries of it are 0, everything else that is
read is 1, and labels and targets are 0 or 1. z runs over numbers of both signs with three significant digits, first over a few in every
power of ten, then by halving to the place where a form begins or ceases to be wrong.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import mpmath
from mpmath import mpf
from sympy import Expr

from derive.index import Axis, Binder, Entry, Tensor
from derive.program import Derivation, Derived, Equation
from derive.rounded import FLOAT32, FLOAT64, TRUE, Arithmetic, At, Function, NoValue, Sample, function_of
from derive.template import canonical

TYPES = (FLOAT64, FLOAT32)
POWERS = range(-8, 3)  # of ten, that z runs over
MANTISSAS = (100, 200, 500)  # of the first z
NAME = "name"  # the step that gives names to parts changes no number
MOST = 2  # positions of an axis
LEVELS = tuple((m, p) for p in POWERS for m in range(100, 1000))  # the sizes of z: m / 100 * 10^p
COARSE = (*(k for k, (m, _) in enumerate(LEVELS) if m in MANTISSAS), len(LEVELS) - 1)


@dataclass(frozen=True)
class Interval:
    """The z from `low` to `high`, both tried and both within. None stands for the far end, "0" for the smallest z that was tried."""

    low: str | None
    high: str | None


@dataclass(frozen=True)
class Example:
    """A number z, what both forms give there, and the true value; target: what labels and targets are. Digits to be read, or NaN and inf."""

    z: str
    target: int
    plain: str
    stable: str
    true: str


@dataclass(frozen=True)
class Wrong:
    """Where a form is not finite although the true value is, and where it is finite but right to less than half of the type's digits."""

    infinite: tuple[Interval, ...]
    lost: tuple[Interval, ...]


@dataclass(frozen=True)
class InType:
    """Both forms in one type. example: where the mathematical form is worst and the other is not; None where it is nowhere wrong."""

    name: str
    plain: Wrong
    stable: Wrong
    example: Example | None

    @property
    def agree(self) -> bool:
        """Whether neither form is wrong anywhere."""
        return not any((self.plain.infinite, self.plain.lost, self.stable.infinite, self.stable.lost))


@dataclass(frozen=True)
class Change:
    """The equation as it is derived and the body that is computed for it, by the tensor whose entry is z, in every type.

    read: the values between the two, which are computed from z as well. targets: whether labels or targets are read. alike: all that is
    computed, with canonical names: two equations that have it in common are one formula.
    """

    mathematical: Equation
    computed: Derived
    by: Tensor
    read: tuple[Equation, ...]
    targets: bool
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
    try:
        found = _in_types(plain, other, naming.tensor(by), tuple(naming.tensor(t) for t in targets), tuple(extents.items()))
    except NoValue:
        return None
    return Change(mathematical, derived, by, read, bool(targets), found, (*plain, *other))


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
    return dict.fromkeys((*(a for t in tensors for a in (*t.axes, *([t.values] if t.values else []))), *sorted(bound, key=lambda a: a.name)))


def _extent(axis: Axis) -> int:
    """One example, and of every other axis two positions where it has so many."""
    return min(axis.extent or 1, MOST)


# -- one equation ------------------------------------------------------------------------------------------------------------------------


@cache
def _in_types(
    plain: tuple[Equation, ...], careful: tuple[Equation, ...], by: Tensor, targets: tuple[Tensor, ...], extents: tuple[tuple[Axis, int], ...]
) -> tuple[InType, ...]:
    """Both forms compared; the first equation of each is the value, the others are what it reads."""
    pairs = [
        (target, _scalar(plain, by, targets, target, dict(extents)), _scalar(careful, by, targets, target, dict(extents)))
        for target in ((0, 1) if targets else (0,))
    ]
    return tuple(_in_type(arithmetic, pairs) for arithmetic in TYPES)


def _scalar(equations: tuple[Equation, ...], by: Tensor, targets: tuple[Tensor, ...], target: int, extents: Mapping[Axis, int]) -> Function:
    """The first entry of the first equation's value, as a function of the first entry of `by`."""
    first, *others = equations
    tensors = {t for e in equations for t in e.reads}
    values = {t.name: 1 for t in tensors} | {t.name: target for t in targets} | {by.name: 0}
    for t in tensors:
        if t.values is not None and t not in targets:
            values[t.name] = 0
    values |= {t.name: min(target, extents[t.values] - 1) for t in targets if t.values is not None}
    at: At = dict.fromkeys(first.indices, 0)
    return function_of(first.body, at, Sample(extents, values, {e.tensor.name: e for e in others}, (by.name, (0,) * len(by.axes))))


@dataclass(frozen=True)
class _Tried:
    """Both forms at one z. error: of the mathematical form, relative; infinite where it is not finite."""

    z: mpf
    target: int
    plain: mpf
    stable: mpf
    true: mpf
    arithmetic: Arithmetic

    def error(self, found: mpf) -> float:
        """Relative to the true value; infinite for NaN and inf, 0 where nothing but numbers below the type's normal ones is lost."""
        if not self.arithmetic.context.isfinite(found):
            return math.inf
        off = abs(TRUE.context.mpf(found) - self.true)
        if off <= TRUE.context.mpf(self.arithmetic.normal):
            return 0.0
        return float(off / abs(self.true)) if self.true != 0 else sys.float_info.max

    def infinite(self, found: mpf) -> bool:
        return math.isinf(self.error(found))

    def lost(self, found: mpf) -> bool:
        return 2.0 ** (-self.arithmetic.bits / 2) < self.error(found) < math.inf

    @property
    def rank(self) -> tuple[bool, float, mpf]:
        """The other form is right, then by the error of this one, then the nearest to 0."""
        return (self.infinite(self.stable) or self.lost(self.stable), -self.error(self.plain), abs(self.z))


Pair = tuple[int, Function, Function]


def _in_type(arithmetic: Arithmetic, pairs: Sequence[Pair]) -> InType:
    known: dict[tuple[int, int], list[_Tried]] = {}

    def tried(sign: int, level: int) -> list[_Tried]:
        if (sign, level) not in known:
            known[sign, level] = list(_tried(arithmetic, pairs, sign, level))
        return known[sign, level]

    def intervals(holds: Callable[[_Tried], bool]) -> tuple[Interval, ...]:
        return tuple(i for sign in (-1, 1) for i in _intervals(lambda s, k: any(map(holds, tried(s, k))), sign))

    plain = Wrong(intervals(lambda t: t.infinite(t.plain)), intervals(lambda t: t.lost(t.plain)))
    stable = Wrong(intervals(lambda t: t.infinite(t.stable)), intervals(lambda t: t.lost(t.stable)))
    wrong = [t for key in sorted(known) for t in known[key] if t.infinite(t.plain) or t.lost(t.plain)]
    return InType(arithmetic.name, plain, stable, _example(wrong))


def _tried(arithmetic: Arithmetic, pairs: Sequence[Pair], sign: int, level: int) -> Iterator[_Tried]:
    z = arithmetic.rounded(TRUE.context.mpf(_text(sign, level)))
    for target, plain, careful in pairs:
        true = plain(TRUE, TRUE.context.mpf(z))
        if TRUE.context.isfinite(true) and abs(true) <= TRUE.context.mpf(arithmetic.largest):
            yield _Tried(z, target, plain(arithmetic, z), careful(arithmetic, z), true, arithmetic)


def _text(sign: int, level: int) -> str:
    """A number z: 710, -0.035, 1.5e-7."""
    mantissa, power = LEVELS[level]
    digits = f"{mantissa / 100:.2f}".rstrip("0").rstrip(".")
    if not -3 <= power <= 3:
        return f"{'-' * (sign < 0)}{digits}e{power}"
    return f"{sign * mantissa * 10.0 ** (power - 2):.{max(2 - power, 0)}f}".rstrip("0").rstrip(".") if power < 2 else str(sign * mantissa)


def _intervals(test: Callable[[int, int], bool], sign: int) -> Iterator[Interval]:
    """Where a test holds on one side of 0: from the first z for which it does to the last, and anew where it fails for a power of ten."""
    holds = [k for k, level in enumerate(COARSE) if test(sign, level)]
    runs: list[tuple[int, int]] = []
    for k in holds:
        if runs and k - runs[-1][1] <= len(MANTISSAS):
            runs[-1] = (runs[-1][0], k)
        else:
            runs.append((k, k))
    found: list[Interval] = []
    for first, last in runs:
        near = "0" if first == 0 else _text(sign, _edge(test, sign, COARSE[first], COARSE[first - 1]))
        far = None if last == len(COARSE) - 1 else _text(sign, _edge(test, sign, COARSE[last], COARSE[last + 1]))
        found.append(Interval(near, far) if sign > 0 else Interval(far, near))
    yield from found if sign > 0 else reversed(found)


def _edge(test: Callable[[int, int], bool], sign: int, inside: int, outside: int) -> int:
    """The last level, from one where the test holds towards one where it does not, by halving."""
    while abs(inside - outside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if test(sign, middle) else (inside, middle)
    return inside


def _example(wrong: Sequence[_Tried]) -> Example | None:
    """Where the mathematical form is worst, shown with enough digits to see it."""
    if not wrong:
        return None
    worst = min(wrong, key=lambda t: t.rank)
    error = worst.error(worst.plain)
    digits = 4 if not 0 < error < 0.01 else min(math.ceil(-math.log10(error)) + 2, 17)
    plain, stable, true = (mpmath.nstr(x, digits) for x in (worst.plain, worst.stable, worst.true))
    return Example(mpmath.nstr(worst.z, 4), worst.target, plain, stable, true)
