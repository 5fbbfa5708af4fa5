"""Where two forms of one function are wrong in floating point: searched for over numbers of three digits, against the true value.

z runs over numbers of both signs, first over a few in every power of ten, then by halving to the place where a form begins or ceases to be
wrong.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import mpmath
from mpmath import mpf

from derive.index import Axis, Tensor
from derive.one_number import At, Function, Sample, function_of
from derive.program import Equation
from derive.rounded import FLOAT32, FLOAT64, TRUE, Arithmetic

TYPES = (FLOAT64, FLOAT32)
POWERS = range(-8, 3)  # of ten, that z runs over
MANTISSAS = (100, 200, 500)  # of the first z
LEVELS = tuple((m, p) for p in POWERS for m in range(100, 1000))  # the sizes of z: m / 100 * 10^p
COARSE = (*(k for k, (m, _) in enumerate(LEVELS) if m in MANTISSAS), len(LEVELS) - 1)


@dataclass(frozen=True)
class Interval:
    """The z from `low` to `high`, both tried and both within. None stands for the far end, "0" for the smallest z that was tried."""

    low: str | None
    high: str | None


@dataclass(frozen=True)
class Example:
    """A number z, what both forms give there, and the true value; target: what labels and targets are."""

    z: str
    target: int
    plain: str
    stable: str
    true: str


@dataclass(frozen=True)
class Wrong:
    """Where a form is not finite although the true value is, and where it is finite but right to less than half of the type's digits.

    off: the largest error, not relative, that was met where digits are lost.
    """

    infinite: tuple[Interval, ...]
    lost: tuple[Interval, ...]
    off: str = "0"


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


@cache
def compared(
    plain: tuple[Equation, ...],
    careful: tuple[Equation, ...],
    by: Tensor,
    targets: tuple[Tensor, ...],
    extents: tuple[tuple[Axis, int], ...],
    shares: tuple[tuple[str, int], ...] = (),
) -> tuple[InType, ...]:
    """Both forms in every type; the first equation of each is the value, the others are what it reads, and `by` has the entry z.

    Every other entry of `by` is 0, targets are 0 and 1, and whatever else is read is 1. shares: the targets that add up to 1 along an axis,
    by name, with its number: they are 1 at its first and at its second position. Raises NoValue where a form is no such function.
    """
    scalar = partial(_scalar, by=by, targets=targets, extents=dict(extents), shares=dict(shares))
    pairs = [(target, scalar(plain, target), scalar(careful, target)) for target in ((0, 1) if targets else (0,))]
    return tuple(_in_type(arithmetic, pairs) for arithmetic in TYPES)


def _scalar(
    equations: tuple[Equation, ...],
    target: int,
    by: Tensor,
    targets: tuple[Tensor, ...],
    extents: Mapping[Axis, int],
    shares: Mapping[str, int],
) -> Function:
    """The first entry of the first equation's value, as a function of the first entry of `by`."""
    first, *others = equations
    tensors = {t for e in equations for t in e.reads}
    values = {t.name: 1 for t in tensors} | {t.name: target for t in targets} | {by.name: 0}
    for t in tensors:
        if t.values is not None and t not in targets:
            values[t.name] = 0
    values |= {t.name: min(target, extents[t.values] - 1) for t in targets if t.values is not None}
    values |= dict.fromkeys(shares, 1)
    peaks = {t.name: (shares[t.name], min(target, extents[t.axes[shares[t.name]]] - 1)) for t in targets if t.name in shares}
    sample = Sample(extents, values, {e.tensor.name: e for e in others}, (by.name, (0,) * len(by.axes)), peaks)
    at: At = dict.fromkeys(first.indices, 0)
    return function_of(first.body, at, sample)


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


Pair = tuple[int, Function, Function]
Run = tuple[int, int, int]  # a sign, and the levels from which and to which something holds


def _in_type(arithmetic: Arithmetic, pairs: Sequence[Pair]) -> InType:
    known: dict[tuple[int, int], list[_Tried]] = {}

    def tried(sign: int, level: int) -> list[_Tried]:
        if (sign, level) not in known:
            known[sign, level] = list(_tried(arithmetic, pairs, sign, level))
        return known[sign, level]

    def runs(holds: Callable[[_Tried], bool]) -> tuple[Run, ...]:
        return tuple(run for sign in (-1, 1) for run in _runs(lambda s, k: any(map(holds, tried(s, k))), sign))

    kinds: tuple[Callable[[_Tried], bool], ...] = (
        lambda t: t.infinite(t.plain),
        lambda t: t.lost(t.plain),
        lambda t: t.infinite(t.stable),
        lambda t: t.lost(t.stable),
    )
    found = [runs(kind) for kind in kinds]
    written = [tuple(map(_interval, some)) for some in found]
    wrong = [(key, t) for key in sorted(known) for t in known[key] if t.infinite(t.plain) or t.lost(t.plain)]
    worst = min(wrong, key=lambda pair: _rank(*pair, (*found[2], *found[3])), default=None)
    tries = [t for key in sorted(known) for t in known[key]]
    plain = Wrong(written[0], written[1], _off([(t.plain, t.true) for t in tries if t.lost(t.plain)]))
    stable = Wrong(written[2], written[3], _off([(t.stable, t.true) for t in tries if t.lost(t.stable)]))
    return InType(arithmetic.name, plain, stable, None if worst is None else _example(worst[1]))


def _off(pairs: Sequence[tuple[mpf, mpf]]) -> str:
    """The largest difference, to two digits."""
    return mpmath.nstr(max((abs(TRUE.context.mpf(found) - true) for found, true in pairs), default=mpf(0)), 2)


def _rank(key: tuple[int, int], at: _Tried, bad: Sequence[Run]) -> tuple[bool, bool, bool, float, mpf]:
    """What is no number is worst; then where the other form is right, of true values that have all their digits; then the largest error,
    nearest to 0."""
    sign, level = key
    inside = any(sign == s and low <= level <= high for s, low, high in bad)
    small = abs(at.true) < TRUE.context.mpf(at.arithmetic.normal)
    return (not at.infinite(at.plain), inside, small, -at.error(at.plain), abs(at.z))


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


def _runs(test: Callable[[int, int], bool], sign: int) -> Iterator[Run]:
    """Where a test holds on one side of 0: from the first level to the last, and anew where it fails for a power of ten."""
    runs: list[tuple[int, int]] = []
    for k in (k for k, level in enumerate(COARSE) if test(sign, level)):
        near = bool(runs) and k - runs[-1][1] <= len(MANTISSAS)
        runs[-1:] = [(runs[-1][0], k)] if near else [*runs[-1:], (k, k)]
    for first, last in runs:
        low = 0 if first == 0 else _edge(test, sign, COARSE[first], COARSE[first - 1])
        yield sign, low, COARSE[-1] if COARSE[last] == COARSE[-1] else _edge(test, sign, COARSE[last], COARSE[last + 1])


def _interval(run: Run) -> Interval:
    sign, low, high = run
    near, far = "0" if low == 0 else _text(sign, low), None if high == COARSE[-1] else _text(sign, high)
    return Interval(near, far) if sign > 0 else Interval(far, near)


def _edge(test: Callable[[int, int], bool], sign: int, inside: int, outside: int) -> int:
    """The last level, from one where the test holds towards one where it does not, by halving."""
    while abs(inside - outside) > 1:
        middle = (inside + outside) // 2
        inside, outside = (middle, outside) if test(sign, middle) else (inside, middle)
    return inside


def _example(worst: _Tried) -> Example:
    """With enough digits to see the error."""
    error = worst.error(worst.plain)
    digits = 4 if not 0 < error < 0.01 else min(math.ceil(-math.log10(error)) + 2, 17)
    plain, stable, true = (mpmath.nstr(x, digits) for x in (worst.plain, worst.stable, worst.true))
    return Example(mpmath.nstr(worst.z, 4), worst.target, plain, stable, true)
