"""Exact arithmetic in a pair of finite fields, F_p and F_q with q | p - 1, in which exp is a true homomorphism.

A number is (a, b): a mod p is its value, b mod q its value as an exponent. With g of order q in F_p, exp maps (a, b) to
g^b mod p, so exp(u + v) = exp(u) exp(v) and exp(-u) = 1 / exp(u) hold exactly; the result has no b, and exp of a number that
already holds one raises Unsupported. log is an oracle (a fixed random function of a) that remembers what it came from,
so exp(log(v)) = v; erf is an odd oracle. p and q are 7 mod 8: -1 is no square and 2 is one, so of two roots exactly one is
itself a square, that one is `root`, and root(u) root(v) = root(u v).

Beside its residues a number carries a shadow, the real number that it stands for as a float. The shadow decides comparisons
and maxima, and nothing else; where two shadows are closer than rounding allows although the residues differ, the point is not used.
Source: identity testing for circuits with exponentiation gates, as in Mirage (Wu et al., OSDI 2025).
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from random import Random

from derive.domains.number import Domain, Number, Outside, Unsupported

Q = 1152921504606847687  # prime, 7 mod 8
P = 10 * Q + 1  # prime, 7 mod 8
G = 1024  # 2^10: of order Q in F_P

CLOSE = 1e-9  # shadows of different numbers are farther apart than this, relatively

Logs = tuple[tuple[int, int], ...]  # (v, k): k times the logarithm of v mod P


class FieldNumber(Number):
    """(shadow, a mod P, b mod Q or None, logarithms that the exponent part consists of beside b)."""

    __slots__ = ("a", "b", "logs", "shadow")

    def __init__(self, shadow: float, a: int, b: int | None, logs: Logs = ()) -> None:
        self.shadow = shadow
        self.a = a % P
        self.b = None if b is None else b % Q
        self.logs = () if b is None else logs

    @property
    def real(self) -> float:
        return self.shadow

    def __add__(self, other: Number) -> FieldNumber:
        assert isinstance(other, FieldNumber)
        b = None if self.b is None or other.b is None else self.b + other.b
        logs = _merge(self.logs, other.logs) if self.logs or other.logs else ()
        return FieldNumber(self.shadow + other.shadow, self.a + other.a, b, logs)

    def __neg__(self) -> FieldNumber:
        return FieldNumber(-self.shadow, -self.a, None if self.b is None else -self.b, tuple((v, -k) for v, k in self.logs))

    def __mul__(self, other: Number) -> FieldNumber:
        assert isinstance(other, FieldNumber)
        b = None if self.b is None or other.b is None else self.b * other.b
        logs: Logs = ()
        if b is not None and (self.logs or other.logs):
            logarithm, factor = (self, other) if self.logs else (other, self)
            times = factor._as_integer()
            b = None if times is None else b
            logs = tuple((v, k * (times or 0)) for v, k in logarithm.logs)
        return FieldNumber(self.shadow * other.shadow, self.a * other.a, b, logs)

    def reciprocal(self) -> FieldNumber:
        if self.a == 0:
            raise Outside("division by 0")
        b = pow(self.b, -1, Q) if self.b and not self.logs else None
        return FieldNumber(1 / self.shadow if self.shadow else math.nan, pow(self.a, -1, P), b)

    def exp(self) -> FieldNumber:
        if self.b is None:
            raise Unsupported("an exponential inside an exponential")
        value = pow(G, self.b, P)
        for v, k in self.logs:
            value = value * pow(v, k, P) % P
        return FieldNumber(math.exp(self.shadow) if self.shadow < 700 else math.inf, value, None)

    def log(self) -> FieldNumber:
        if self.a == 0 or not self.shadow > 0:
            raise Outside("log of a number that is not positive")
        return FieldNumber(math.log(self.shadow), _oracle("log", self.a), 0, ((self.a, 1),))

    def erf(self) -> FieldNumber:
        flipped = self.a > P // 2
        value = _oracle("erf", P - self.a if flipped else self.a) if self.a else 0
        return FieldNumber(math.erf(self.shadow), -value if flipped else value, None)

    def root(self) -> FieldNumber:
        if self.shadow < 0:
            raise Outside("root of a negative number")
        a = pow(self.a, (P + 1) // 4, P)
        if a * a % P != self.a:
            raise Outside("root of a number that is no square in the field")
        b = None
        if self.b is not None and not self.logs:
            b = pow(self.b, (Q + 1) // 4, Q)
            b = b if b * b % Q == self.b else None
        return FieldNumber(math.sqrt(self.shadow), a, b)

    def equals(self, other: Number) -> bool:
        return isinstance(other, FieldNumber) and self.a == other.a

    def compare(self, other: Number) -> int:
        assert isinstance(other, FieldNumber)
        gap = self.shadow - other.shadow
        near = abs(gap) <= CLOSE * max(1.0, abs(self.shadow), abs(other.shadow))
        if near and self.a == other.a:
            return 0
        if near or math.isnan(gap):
            raise Outside("two numbers too close to compare")
        return 1 if gap > 0 else -1

    def _as_integer(self) -> int | None:
        """The small integer that this is, if it is one."""
        if not math.isfinite(self.shadow):
            return None
        nearest = round(self.shadow)
        return nearest if nearest % P == self.a and nearest % Q == self.b and not self.logs else None


class FieldPair(Domain):
    """F_P x F_Q."""

    name = "finite field"

    def constant(self, value: Fraction) -> FieldNumber:
        top, bottom = value.numerator, value.denominator
        return FieldNumber(top / bottom, top * pow(bottom, -1, P), top * pow(bottom, -1, Q))

    def pi(self) -> FieldNumber:
        """A fixed random square: formulas may take its root, and may know nothing else about it."""
        return FieldNumber(math.pi, _oracle("pi", 1) ** 2, _oracle("pi", 2) ** 2)

    def random(self, rng: Random, low: float, high: float) -> FieldNumber:
        return FieldNumber(rng.uniform(low, high), rng.randrange(P), rng.randrange(Q))


def _merge(first: Logs, second: Logs) -> Logs:
    times = dict(first)
    for v, k in second:
        times[v] = times.get(v, 0) + k
    return tuple((v, k) for v, k in times.items() if k)


def _oracle(name: str, value: int) -> int:
    digest = hashlib.blake2b(f"{name}{value}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big") % P
