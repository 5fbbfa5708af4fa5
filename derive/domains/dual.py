"""Dual numbers: a value and its derivatives by named variables. A formula run on them is differentiated, by no rule
but those of arithmetic and of the few elementary functions below; nothing here knows about tensors, sums or layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from random import Random

from derive.domains.number import Domain, Number

Variable = tuple[str, tuple[int, ...]]  # the entry of a tensor: name and place
Tangents = Mapping[Variable, Number]
NONE: Tangents = {}
MOTION: Variable = ("", ())  # how far along a direction, where that is all that derivatives are taken by


class Dual(Number):
    """value + sum over v of tangents[v] dv."""

    __slots__ = ("domain", "tangents", "value")

    def __init__(self, domain: Domain, value: Number, tangents: Tangents = NONE) -> None:
        self.domain = domain
        self.value = value
        self.tangents = tangents

    @property
    def real(self) -> float:
        return self.value.real

    def __add__(self, other: Number) -> Dual:
        assert isinstance(other, Dual)
        return Dual(self.domain, self.value + other.value, _total(self.tangents, other.tangents))

    def __neg__(self) -> Dual:
        return Dual(self.domain, -self.value, {v: -t for v, t in self.tangents.items()})

    def __mul__(self, other: Number) -> Dual:
        assert isinstance(other, Dual)
        tangents = _total(_scaled(self.tangents, other.value), _scaled(other.tangents, self.value))
        return Dual(self.domain, self.value * other.value, tangents)

    def reciprocal(self) -> Dual:
        inverse = self.value.reciprocal()
        return self._chain(inverse, -(inverse * inverse))

    def exp(self) -> Dual:
        value = self.value.exp()
        return self._chain(value, value)

    def log(self) -> Dual:
        return self._chain(self.value.log(), self.value.reciprocal())

    def erf(self) -> Dual:
        """The derivative of erf(x) is 2 / sqrt(pi) exp(-x^2)."""
        value = self.value.erf()
        if not self.tangents:
            return Dual(self.domain, value)
        slope = self.domain.constant(Fraction(2)) * self.domain.pi().root().reciprocal() * (-(self.value * self.value)).exp()
        return self._chain(value, slope)

    def root(self) -> Dual:
        value = self.value.root()
        if not self.tangents:
            return Dual(self.domain, value)
        return self._chain(value, self.domain.constant(Fraction(1, 2)) * value.reciprocal())

    def equals(self, other: Number) -> bool:
        return isinstance(other, Dual) and self.value.equals(other.value)

    def compare(self, other: Number) -> int:
        assert isinstance(other, Dual)
        return self.value.compare(other.value)

    def _chain(self, value: Number, slope: Number) -> Dual:
        return Dual(self.domain, value, _scaled(self.tangents, slope))


class DualDomain(Domain):
    """Dual numbers over a domain; its constants and random numbers have derivative 0."""

    def __init__(self, base: Domain) -> None:
        self.base = base
        self.name = base.name

    def constant(self, value: Fraction) -> Dual:
        return Dual(self.base, self.base.constant(value))

    def pi(self) -> Dual:
        return Dual(self.base, self.base.pi())

    def random(self, rng: Random, low: float, high: float) -> Dual:
        return Dual(self.base, self.base.random(rng, low, high))

    def variable(self, value: Number, name: Variable) -> Dual:
        """A number that derivatives are taken by."""
        return Dual(self.base, value, {name: self.base.constant(Fraction(1))})


def _scaled(tangents: Tangents, factor: Number) -> Tangents:
    return {v: factor * t for v, t in tangents.items()}


def _total(first: Tangents, second: Tangents) -> Tangents:
    if not first or not second:
        return first or second
    total = dict(first)
    for v, t in second.items():
        total[v] = total[v] + t if v in total else t
    return total
