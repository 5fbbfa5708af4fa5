"""Real numbers to 50 digits (mpmath), for formulas that the finite fields cannot hold."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import mpmath

from derive.domains.number import Domain, Number, Outside

CONTEXT = mpmath.mp.clone()
CONTEXT.dps = 50
RELATIVE = CONTEXT.mpf("1e-30")  # two ways to compute one number differ by far less
ABSOLUTE = CONTEXT.mpf("1e-40")  # what rounding may leave where terms cancel
LARGEST = CONTEXT.mpf(2) ** 4096  # that exp is applied to: exp(exp(exp(100))) would not fit into memory


class RealNumber(Number):
    """A real number of 50 digits."""

    __slots__ = ("value",)

    def __init__(self, value: mpmath.mpf) -> None:
        self.value = value

    @property
    def real(self) -> float:
        return float(self.value)

    def __add__(self, other: Number) -> RealNumber:
        assert isinstance(other, RealNumber)
        return RealNumber(self.value + other.value)

    def __neg__(self) -> RealNumber:
        return RealNumber(-self.value)

    def __mul__(self, other: Number) -> RealNumber:
        assert isinstance(other, RealNumber)
        return RealNumber(self.value * other.value)

    def reciprocal(self) -> RealNumber:
        if not self.value:
            raise Outside("division by 0")
        return RealNumber(1 / self.value)

    def exp(self) -> RealNumber:
        if abs(self.value) > LARGEST:
            raise Outside("exp of a number that is too large")
        return RealNumber(CONTEXT.exp(self.value))

    def log(self) -> RealNumber:
        if self.value <= 0:
            raise Outside("log of a number that is not positive")
        return RealNumber(CONTEXT.log(self.value))

    def erf(self) -> RealNumber:
        return RealNumber(CONTEXT.erf(self.value))

    def root(self) -> RealNumber:
        if self.value < 0:
            raise Outside("root of a negative number")
        return RealNumber(CONTEXT.sqrt(self.value))

    def equals(self, other: Number) -> bool:
        assert isinstance(other, RealNumber)
        gap = abs(self.value - other.value)
        return bool(gap <= ABSOLUTE or gap <= RELATIVE * max(abs(self.value), abs(other.value)))

    def compare(self, other: Number) -> int:
        assert isinstance(other, RealNumber)
        gap = self.value - other.value
        if gap and self.equals(other):
            raise Outside("two numbers too close to compare")
        return (gap > 0) - (gap < 0)


class Digits(Domain):
    """Real numbers to 50 digits."""

    name = "50 digits"

    def constant(self, value: Fraction) -> RealNumber:
        return RealNumber(CONTEXT.mpf(value.numerator) / value.denominator)

    def pi(self) -> RealNumber:
        return RealNumber(+CONTEXT.pi)

    def random(self, rng: Random, low: float, high: float) -> RealNumber:
        fraction = CONTEXT.mpf(rng.getrandbits(160)) / 2**160
        return RealNumber(low + (CONTEXT.mpf(high) - low) * fraction)
