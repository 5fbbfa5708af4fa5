"""Numbers of a floating-point type in which every operation is rounded from its exact result, and numbers of many digits.

All numbers are mpmath's, so no function of the C library takes part and the results are the same bits on every machine: sums, products,
quotients and roots are those of IEEE 754, and every other function is computed to 60 digits or more and then rounded once. 0 has no
sign, and a result below the normal numbers of a type is rounded twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import mpmath
import sympy as sp
from mpmath import mpf
from sympy import Basic, Expr

TRUE_BITS = 1700  # of the true values, 500 digits: e^-1000 still counts beside 1
FUNCTION_BITS = 200  # of a function before it is rounded
LARGE = 1e6  # exp of what is larger has no value that any type holds


class NoValue(Exception):
    """An expression reads what is not given, or has no value here."""


class Arithmetic:
    """Numbers of so many bits, with the range of exponents of a type, or with any exponent where `lowest` and `highest` are None.

    lowest: the exponent of the smallest positive number; highest: that of the first power of two that is too large.
    """

    def __init__(self, name: str, bits: int, lowest: int | None = None, highest: int | None = None) -> None:
        self.name, self.bits, self.lowest, self.highest = name, bits, lowest, highest
        self.context = mpmath.mp.clone()
        self.context.prec = bits
        self.nan, self.inf = self.context.nan, self.context.inf
        self.largest = self.inf if highest is None else self.power_of_two(highest) * (1 - self.power_of_two(-bits))
        self.normal = self.number(sp.S.Zero) if lowest is None else self.power_of_two(lowest + bits - 1)

    def power_of_two(self, exponent: int) -> mpf:
        return self.context.ldexp(self.context.mpf(1), exponent)

    def keep(self, x: mpf) -> mpf:
        """A number of these bits, as the type holds it: beyond its range infinite, or a multiple of the smallest number."""
        if self.highest is None or self.lowest is None or x == 0 or not self.context.isfinite(x):
            return x
        size = abs(x)
        if size > self.largest:
            return self.inf if x > 0 else -self.inf
        if size < self.normal:
            return self.context.ldexp(self.context.nint(self.context.ldexp(x, -self.lowest)), self.lowest)
        return x

    def rounded(self, x: mpf) -> mpf:
        """A number of another arithmetic."""
        return self.keep(self.context.mpf(x))

    def number(self, e: Expr) -> mpf:
        """A constant, rounded once."""
        if e in (sp.oo, -sp.oo):
            return self.context.inf if e == sp.oo else -self.context.inf
        wide = WIDE.mpf(int(e.p)) / int(e.q) if isinstance(e, sp.Rational) else WIDE.mpf(str(e.evalf(WIDE.dps)))
        return self.context.mpf(wide)

    def inverse(self, x: mpf) -> mpf:
        return self.keep(1 / x) if x != 0 else self.inf

    def root(self, x: mpf) -> mpf:
        return self.keep(self.context.sqrt(x)) if not x < 0 else self.nan

    def apply(self, function: type[Basic], x: mpf) -> mpf:
        """A function of one number: NaN where it has no real value."""
        if self.context.isnan(x):
            return x
        if function is sp.log and x < 0:
            return self.nan
        if function not in FUNCTIONS:
            raise NoValue(function.__name__)
        return self.rounded(_wide(function, WIDE.mpf(x)) if self.highest is None else FUNCTIONS[function](FINE, FINE.mpf(x)))


def _context(bits: int) -> mpmath.MPContext:
    found = mpmath.mp.clone()
    found.prec = bits
    return found


def _exp(context: mpmath.MPContext, x: mpf) -> mpf:
    return context.inf if x > LARGE else context.mpf(0) if x < -LARGE else context.exp(x)


FINE, WIDE = _context(FUNCTION_BITS), _context(TRUE_BITS)
FUNCTIONS: Mapping[type[Basic], Callable[[mpmath.MPContext, mpf], mpf]] = {
    sp.exp: _exp,
    sp.log: lambda context, x: context.log(x) if x != 0 else -context.inf,
    sp.tanh: lambda context, x: context.tanh(x),
    sp.erf: lambda context, x: context.erf(x),
    sp.Abs: lambda _, x: abs(x),
    sp.sign: lambda context, x: context.mpf((x > 0) - (x < 0)),
}


@lru_cache(maxsize=4096)
def _wide(function: type[Basic], x: mpf) -> mpf:
    return FUNCTIONS[function](WIDE, x)


TRUE = Arithmetic("true", TRUE_BITS)
FLOAT64, FLOAT32 = Arithmetic("float64", 53, -1074, 1024), Arithmetic("float32", 24, -149, 128)
