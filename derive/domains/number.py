"""What a proof asks of a number, whatever domain it is from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from random import Random


class Unsupported(Exception):
    """This domain cannot carry out an operation: another domain must decide."""


class Outside(Exception):
    """A point lies outside the domain of the formula (log of a negative number, a division by 0): draw another one."""


class Number(ABC):
    """A number of some domain. All numbers of one computation are of one class; they are never changed."""

    __slots__ = ()

    @abstractmethod
    def __add__(self, other: Number) -> Number: ...

    @abstractmethod
    def __mul__(self, other: Number) -> Number: ...

    @abstractmethod
    def __neg__(self) -> Number: ...

    @abstractmethod
    def reciprocal(self) -> Number: ...

    @abstractmethod
    def exp(self) -> Number: ...

    @abstractmethod
    def log(self) -> Number: ...

    @abstractmethod
    def erf(self) -> Number: ...

    @abstractmethod
    def root(self) -> Number:
        """The square root that is not negative."""

    @abstractmethod
    def equals(self, other: Number) -> bool:
        """Whether the two are the same number, as far as the domain can tell."""

    @abstractmethod
    def compare(self, other: Number) -> int:
        """-1, 0 or 1: less, equal, greater. Raises Outside where the two are too close to tell."""

    @property
    @abstractmethod
    def real(self) -> float:
        """The real number that this stands for, to about 15 digits: for messages."""

    def power(self, exponent: Fraction) -> Number:
        """An integer or half-integer power; Unsupported for any other."""
        if exponent.denominator > 2:
            raise Unsupported(f"power {exponent}")
        base = self if exponent.denominator == 1 else self.root()
        if exponent < 0:
            base = base.reciprocal()
        times = abs(exponent.numerator)
        result = base
        for bit in bin(times)[3:]:
            result = result * result
            if bit == "1":
                result = result * base
        return result


class Domain(ABC):
    """A source of numbers."""

    name: str

    @abstractmethod
    def constant(self, value: Fraction) -> Number: ...

    @abstractmethod
    def pi(self) -> Number: ...

    @abstractmethod
    def random(self, rng: Random, low: float, high: float) -> Number:
        """A random number that stands for a real one between the bounds."""
