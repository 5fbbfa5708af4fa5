"""Elementary functions for kernels: exp, expm1, tanh, the logistic function, softplus, log, log1p, erf and erfc.

The functions of C's library take one number at a time, so that a loop that calls them cannot be vectorised. These are additions,
multiplications, divisions and choices alone: inlined into a loop, they are computed for several numbers at once. A generated module holds
a copy of those that its kernels use (codegen/elementary.py).

Method: the argument is reduced, exp(x) = 2^k exp(r) with |r| <= ln(2) / 2 and log(x) = k ln(2) + log(m) with m between sqrt(1/2) and
sqrt(2) (Cody and Waite, Software Manual for the Elementary Functions, 1980). On what remains stands a polynomial `q` of Chebyshev's
interpolation; tests/test_elementary.py says of what, and computes the coefficients again. Its terms are taken two at a time, in powers of
the square (Estrin 1960): a processor then waits half as long as for one after the other. Functions of float32 are float32 throughout.

Errors are in units in the last place (ulp) of float64 and of float32, on processors that fuse multiplication and addition;
tests/test_elementary.py reads them here and measures them. NaN gives NaN, and infinities give the limits. Subnormal numbers are as good
as others, unless a docstring says otherwise. The sign of zero is lost.

No function here may be compiled with `reassoc`: x + 1.5 * 2**52 - 1.5 * 2**52 is x rounded to a whole number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

Real = np.floating[Any] | float
Float32: type[Any] = np.float32


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _bias(x: Real) -> Real:
    """So large a number that its sum with another one is rounded to a whole number k more; the last bits are then the exponent of 2^k."""
    return np.float32(1.5 * 2**23 + 127) if isinstance(x, Float32) else np.float64(1.5 * 2**52 + 1023)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _power(n: Real) -> Real:
    """2^k, where n = k + _bias(n), for k from -1022 to 1023 (float32: -126 to 127): the last bits of n, as an exponent."""
    if isinstance(n, Float32):
        return np.int32(np.float32(n).view(np.int32) << 23).view(np.float32)
    return np.int64(np.float64(n).view(np.int64) << 52).view(np.float64)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _scaled(f: Real, n: Real) -> Real:
    """(1 + f) 2^k, also where 2^k is out of range, by two powers of 2; n = k + 1023 + _bias(n) (float32: k + 127 + _bias(n))."""
    if isinstance(n, Float32):
        whole = np.float32(n).view(np.uint32)
        half = np.uint32(whole >> np.uint32(1))
        first, second = np.uint32(half << np.uint32(23)), np.uint32((whole - half) << np.uint32(23))
        s = first.view(np.float32)
        return (s + s * f) * second.view(np.float32)
    whole = np.float64(n).view(np.uint64)
    half = np.uint64(whole >> np.uint64(1))
    first, second = np.uint64(half << np.uint64(52)), np.uint64((whole - half) << np.uint64(52))
    s = first.view(np.float64)
    return (s + s * f) * second.view(np.float64)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _reduced(x: Real, rest: Real, more: Real) -> tuple[Real, Real, Real, Real]:
    """n = k + more + _bias(x), r, exp(r) - 1 - r, and what r lacks.

    There x - rest = k ln(2) + r with a whole number k and |r| <= ln(2) / 2 (Cody and Waite 1980).
    """
    real = type(x)
    if isinstance(x, Float32):
        high, low = real(0.693359375), real(-0.00021219444)
    else:
        high, low = real(0.6931471803691238), real(1.9082149292705877e-10)
    bias = _bias(x) + more
    n = (x - rest) * real(1 / math.log(2)) + bias
    k = n - bias
    most = x - k * high  # exact: high has few digits
    less = k * low + rest
    r = most - less
    rr = r * r
    if isinstance(x, Float32):
        q = real(0.0013926176)
        q = q * rr + (real(0.008363173) * r + real(0.041666556))
        q = q * rr + (real(0.16666578) * r + real(0.5))
    else:
        q = real(2.5100375832561234e-08) * r + real(2.7620075879983367e-07)
        q = q * rr + (real(2.7557268480310024e-06) * r + real(2.4801521322368692e-05))
        q = q * rr + (real(0.00019841269863040545) * r + real(0.0013888888917196719))
        q = q * rr + (real(0.008333333333330065) * r + real(0.041666666666624164))
        q = q * rr + (real(0.16666666666666669) * r + real(0.5000000000000001))
    return n, r, rr * q, (most - r) - less


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _exp(x: Real) -> Real:
    """exp(x), within 1.1 ulp: 2^k exp(r)."""
    real = type(x)
    low, high, more = (real(-104), real(89), real(127)) if isinstance(x, Float32) else (real(-746), real(710), real(1023))
    n, r, p, _ = _reduced(min(max(x, low), high), real(0), more)
    return _scaled(r + p, n)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _expm1(x: Real) -> Real:
    """exp(x) - 1, within 2 ulp: 2^k (exp(r) - 1) + (2^k - 1). Subnormal numbers lose their last digit."""
    real = type(x)
    n, r, p, lost = _reduced(min(max(x, real(-40)), real(89) if isinstance(x, Float32) else real(710)), real(0), real(-1))
    s = _power(n)
    return real(2) * (s * (r + (p + lost)) + (s - real(0.5)))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _decayed(x: Real) -> Real:
    """exp(x) for x at most 0, within 1.1 ulp: 2^k exp(r), with 2^k = 2^(k + 64) / 2^64 where k is out of range."""
    real = type(x)
    n, r, p, _ = _reduced(max(x, real(-104) if isinstance(x, Float32) else real(-746)), real(0), real(64))
    s = _power(n) * real(2.0**-64)
    return s + s * (r + p)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)), within 2 ulp: 1 - e / (1 + e), or e times that, with e = exp(-|x|), which _softplus(-|x|) has as well."""
    real = type(x)
    e = _decayed(-abs(x))
    start = e if x < real(0) else real(1)
    return start - start * (e / (real(1) + e))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _softplus(x: Real) -> Real:
    """log(1 + exp(x)) for x at most 0, within 2 ulp: with e = exp(x) from 0 to 1, log(1 + e) needs no exponent of 1 + e."""
    real = type(x)
    e = _decayed(x)
    s = e / (real(2) + e)  # log(1 + e) = log(1 + s) - log(1 - s) = 2s + s^3 q, and 2s = e - s e
    z = s * s
    zz = z * z
    if isinstance(x, Float32):
        q = real(0.2322433)
        q = q * zz + (real(0.21706575) * z + real(0.28592357))
        q = q * zz + (real(0.39999706) * z + real(0.6666667))
    else:
        q = real(0.1616404561194353) * z + real(0.08800738486144674)
        q = q * zz + (real(0.12001072809590713) * z + real(0.13314144209654935))
        q = q * zz + (real(0.15385570064958623) * z + real(0.18181789436132859))
        q = q * zz + (real(0.22222222717427864) * z + real(0.2857142856710876))
        q = q * zz + (real(0.40000000000014585) * z + real(0.6666666666666666))
    return e - s * (e - z * q)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _tanh(x: Real) -> Real:
    """tanh(x), within 1.75 ulp: near zero t = tanh(x) itself, elsewhere 1 - 2 / (1 + exp(2 |x|)), by t = tanh(h) of h = |x| - k ln(2) / 2.

    With s = 2^-k, exp(2 |x|) = (1 + t) / ((1 - t) s), so that one polynomial and one division do for both.
    """
    real = type(x)
    size = min(abs(x), real(22))
    far = size >= real(0.55)
    bias = _bias(x)
    n = size * real(-2 / math.log(2)) + bias
    s = _power(n)
    h = (n - bias) * real(math.log(2) / 2) + size if far else size
    z = h * h
    zz = z * z
    if isinstance(x, Float32):
        q = real(-0.0066102277)
        q = q * zz + (real(0.021309389) * z + real(-0.05390943))
        q = q * zz + (real(0.13333113) * z + real(-0.3333333))
    else:
        q = real(5.390642014172177e-05) * z + real(-0.00021454222089075102)
        q = q * zz + (real(0.0005817724407868131) * z + real(-0.0014541180436174583))
        q = q * zz + (real(0.003591904413192802) * z + real(-0.008863217663269123))
        q = q * zz + (real(0.021869487712363182) * z + real(-0.05396825394889914))
        q = q * zz + (real(0.13333333333315647) * z + real(-0.3333333333333331))
    t = h + (h * z) * q
    d = (real(1) + s) + (real(1) - s) * t
    v = s - s * t if far else real(0)
    y = (real(1) if far else t) - real(2) * (v / d)
    return real(math.copysign(y, x))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _split(x: Real) -> tuple[Real, Real]:
    """k and m with x = 2^k m, m between sqrt(1/2) and sqrt(2), for positive x, from its bits."""
    if isinstance(x, Float32):
        subnormal = x < np.float32(2**-126)
        bits = np.float32(x * np.float32(2**25) if subnormal else x).view(np.int32)
        k = np.int32(bits - 0x3F3504F3) >> 23
        m = np.int32(bits - (k << 23)).view(np.float32)
        return np.float32(k) - (np.float32(25) if subnormal else np.float32(0)), m
    subnormal = x < np.float64(2**-1022)
    bits = np.float64(x * np.float64(2**54) if subnormal else x).view(np.int64)
    k = np.int64(bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    return np.float64(k) - (np.float64(54) if subnormal else np.float64(0)), m


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _logarithm(x: Real, k: Real, f: Real) -> Real:
    """log(x), where x = 2^k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2) (Cody and Waite 1980); -infinity at 0 and NaN below."""
    real = type(x)
    s = f / (real(2) + f)  # log(1 + f) = log(1 + s) - log(1 - s) = 2s + s^3 q, and 2s = f - s f
    z = s * s
    zz = z * z
    if isinstance(x, Float32):
        high, low = real(0.693359375), real(-0.00021219444)
        q = real(0.23330468) * z + real(0.28550822)
        q = q * zz + (real(0.40000123) * z + real(0.6666667))
    else:
        high, low = real(0.6931471803691238), real(1.9082149292705877e-10)
        q = real(0.14616449685043406)
        q = q * zz + (real(0.15331721600556042) * z + real(0.18182889125261723))
        q = q * zz + (real(0.2222221113479508) * z + real(0.28571428625975487))
        q = q * zz + (real(0.39999999999899505) * z + real(0.666666666666667))
    y = k * high + ((s * (z * q - f) + k * low) + f)
    special = real(-np.inf) if x == real(0) else real(np.nan)
    special = x if x > real(0) else special
    return y if real(0) < x < real(np.inf) else special


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _log(x: Real) -> Real:
    """log(x), within 1 ulp."""
    k, m = _split(x)
    return _logarithm(x, k, m - type(x)(1))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _log1p(x: Real) -> Real:
    """log(1 + x), within 1.5 ulp."""
    real = type(x)
    y = real(1) + x
    rest = x - (y - real(1))  # what rounding has cost 1 + x
    k, m = _split(y)
    return _logarithm(y, k, (m - real(1)) + rest * _power(_bias(x) - min(k, real(100))))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _erfc(x: Real) -> Real:
    """1 - erf(x), within 1.9 ulp: exp(-x^2) / (1 + 2x) (1 + x / (x + 4) q), q in (x - 4) / (x + 4) (Shepherd and Laframboise 1981)."""
    real = type(x)
    size = min(abs(x), real(10.2) if isinstance(x, Float32) else real(27.3))
    part = real(1.5 * 2**15) if isinstance(x, Float32) else real(1.5 * 2**32)
    head = (size + part) - part  # few digits, so that its square is exact
    n, r, e, _ = _reduced(-head * head, (size - head) * (size + head), real(64))
    e = r + e
    v = size / (size + real(4))
    u = real(2) * v - real(1)
    uu = u * u
    if isinstance(x, Float32):
        q = real(-0.00132912)
        q = q * uu + (real(-0.0010538714) * u + real(0.011111261))
        q = q * uu + (real(-0.043043748) * u + real(0.11757887))
        q = q * uu + (real(-0.25030014) * u + real(0.43771565))
        q = q * uu + (real(-0.639794) * u + real(0.77599216))
        q = q * uu + (real(-0.7452326) * u + real(0.46599025))
    else:
        q = real(-5.422751844229354e-09) * u + real(-2.7302233055270614e-08)
        q = q * uu + (real(1.1651814161733453e-08) * u + real(2.3274968729494372e-07))
        q = q * uu + (real(-9.850048639674515e-08) * u + real(-1.5859712531209014e-06))
        q = q * uu + (real(2.1747286955750745e-06) * u + real(9.268445579786794e-06))
        q = q * uu + (real(-3.170758769289359e-05) * u + real(-1.710063618668949e-05))
        q = q * uu + (real(0.0003183406152755912) * u + real(-0.0007168515409871026))
        q = q * uu + (real(-0.000798693956123613) * u + real(0.01086263353932078))
        q = q * uu + (real(-0.04325810184654009) * u + real(0.11759313295351817))
        q = q * uu + (real(-0.2502538645592324) * u + real(0.43771953455456086))
        q = q * uu + (real(-0.6397976666280794) * u + real(0.7759917751374865))
        q = q * uu + (real(-0.74523247093223) * u + real(0.46599023725110494))
    below = real(1) + real(2) * size
    y = real(1) / below
    p = v * q + ((real(1) - y * below) - y * (real(2) * size - (below - real(1))))  # with what rounding took from y
    y = y + y * (e + (p + p * e))
    y = y * (_power(n) * real(2.0**-64))
    return real(2) - y if x < real(0) else y


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _erf(x: Real) -> Real:
    """erf(x), within 1.5 ulp: near zero x (1 + q), q in x^2, elsewhere 1 - erfc(|x|)."""
    real = type(x)
    size = abs(x)
    z = min(size, real(1)) * min(size, real(1))
    zz = z * z
    if isinstance(x, Float32):
        q = real(7.875875e-05)
        q = q * zz + (real(-0.00080168643) * z + real(0.0051890872))
        q = q * zz + (real(-0.026854211) * z + real(0.11283594))
        q = q * zz + (real(-0.37612626) * z + real(0.12837917))
    else:
        q = real(-7.795898827002142e-10) * z + real(1.3720064546777686e-08)
        q = q * zz + (real(-1.6208483801871705e-07) * z + real(1.6447424703317362e-06))
        q = q * zz + (real(-1.492473690741966e-05) * z + real(0.00012055294904839707))
        q = q * zz + (real(-0.0008548325975389692) * z + real(0.0052239776071164225))
        q = q * zz + (real(-0.02686617064323777) * z + real(0.11283791670945006))
        q = q * zz + (real(-0.37612638903183543) * z + real(0.12837916709551256))
    y = size + size * q if size < real(1) else real(1) - _erfc(size)
    return -y if x < real(0) else y
