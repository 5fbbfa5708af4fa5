"""tiny_attention: 8 - embedding - positional_embedding - attention - add - 10 identity, softmax_cross_entropy (mean).

Axes:
    n  examples (N)
    t  inputs (N_t = 8)
    v  vocabulary (N_v = 10)
    d  embedding 1 (N_d = 16)
    f  attention attended (N_f = 16)
    c  classes (C = 10)
    h  attention attended (N_h = 1)
    e  attention attended (N_e = 16)

The comment over a loop or a product is the equation that it computes, with its number in the network's derivation
(docs/derivations/ for the shipped networks, `chainrule derive` for any).

    p = init(seed=0)
    p, losses = train(p, X, y, epochs=10, batch_size=32, learning_rate=0.1)
    P = predict(p, X)

X holds a row of tokens for each example, [N, 8]; y holds a row of labels for each example, [N, 8].
Everything is computed in the type of the parameters, float32 or float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, type_callable
from numba.np.arrayobj import make_array, populate_array
from numba.np.linalg import check_blas_return, ensure_blas

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Real = np.floating[Any] | float

FAST = {"contract", "arcp", "nsz"}  # fused multiply-add, division by reciprocals; NaN and infinity keep their meaning
REAL_TYPES = np.dtype(np.float64), np.dtype(np.float32)
INTEGER = np.dtype(np.int64)
Float32: type[Any] = np.float32


class Parameters(NamedTuple):
    """The weights and biases: arrays of one type, float32 or float64. Gradients have the same names and shapes."""

    E1: Array  # [10, 16]
    E2: Array  # [8, 16]
    Wq3: Array  # [16, 16]
    bq3: Array  # [16]
    Wk3: Array  # [16, 16]
    bk3: Array  # [16]
    Wv3: Array  # [16, 16]
    bv3: Array  # [16]
    Wo3: Array  # [16, 16]
    bo3: Array  # [16]
    W5: Array  # [10, 16]
    b5: Array  # [10]


def init(seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters:
    """Random weights and zero biases; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    p = Parameters(
        E1=rng.standard_normal((10, 16)),
        E2=rng.standard_normal((8, 16)),
        Wq3=rng.uniform(-1, 1, (16, 16)) * math.sqrt(6 / (16 + 16)),  # Glorot
        bq3=np.zeros(16),
        Wk3=rng.uniform(-1, 1, (16, 16)) * math.sqrt(6 / (16 + 16)),  # Glorot
        bk3=np.zeros(16),
        Wv3=rng.uniform(-1, 1, (16, 16)) * math.sqrt(6 / (16 + 16)),  # Glorot
        bv3=np.zeros(16),
        Wo3=rng.uniform(-1, 1, (16, 16)) * math.sqrt(6 / (16 + 16)),  # Glorot
        bo3=np.zeros(16),
        W5=rng.uniform(-1, 1, (10, 16)) * math.sqrt(6 / (16 + 10)),  # Glorot
        b5=np.zeros(10),
    )
    return _unpack(_pack(p).astype(_real_type(dtype)))


# -- elementary functions, which a compiler computes for several numbers at once; ulp: unit in the last place


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _bias(x: Real) -> Real:
    """So large a number that its sum with another one is rounded to a whole number k more; the last bits are then the exponent of 2^k."""
    return np.float32(1.5 * 2**23 + 127) if isinstance(x, Float32) else np.float64(1.5 * 2**52 + 1023)


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


# -- kernels: they trust their arguments, which the public functions below have checked


@njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _add(total: Real, x: Real) -> Real:
    """total + x in a sum whose terms may be added in any order, several at a time; x itself is computed as it is written."""
    return total + x


@njit(error_model="numpy", fastmath=FAST)
def _predict(theta: Array, X: Labels, P: Array, work: Array) -> None:
    """P for a batch of examples."""
    real = theta.dtype.type
    N = X.shape[0]
    E1 = theta[0:160].reshape(10, 16)
    E2 = theta[160:288].reshape(8, 16)
    Wq3 = theta[288:544].reshape(16, 16)
    bq3 = theta[544:560]
    Wk3 = theta[560:816].reshape(16, 16)
    bk3 = theta[816:832]
    Wv3 = theta[832:1088].reshape(16, 16)
    bv3 = theta[1088:1104]
    Wo3 = theta[1104:1360].reshape(16, 16)
    bo3 = theta[1360:1376]
    W5 = theta[1376:1536].reshape(10, 16)
    b5 = theta[1536:1546]
    sum_K3_Q3 = work[0:64].reshape(8, 8)
    S3 = work[64:72]
    exp_S3 = work[80:88]
    P3 = work[96:160].reshape(1, 8, 8)
    H4 = work[160:176]
    Z = work[176:186]
    exp_Z = work[192:202]
    H2 = work[208 : 208 + 128 * N].reshape(N, 8, 16)
    Q3 = work[208 + 128 * N : 208 + 256 * N].reshape(N, 8, 16)
    K3 = work[208 + 256 * N : 208 + 384 * N].reshape(N, 8, 16)
    V3 = work[208 + 384 * N : 208 + 512 * N].reshape(N, 8, 16)
    O3 = work[208 + 512 * N : 208 + 640 * N].reshape(N, 8, 1, 16)
    H3 = work[208 + 640 * N : 208 + 768 * N].reshape(N, 8, 16)
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[X[n, t], d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[n, t, d] = h1 + E2[t, d]
    # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wq3.T, Q3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                Q3[n, t, f] += bq3[f]
    # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wk3.T, K3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                K3[n, t, f] += bk3[f]
    # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wv3.T, V3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                V3[n, t, f] += bv3[f]
        # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
        for t_ in range(8):
            for t in range(8):
                sum_sum_K3_Q3 = real(0)
                for e in range(16):
                    sum_sum_K3_Q3 = _add(sum_sum_K3_Q3, K3[n, t_, e] * Q3[n, t, e])
                sum_K3_Q3[t_, t] = sum_sum_K3_Q3
        for h in range(1):
            for t in range(8):
                # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
                for t_ in range(8):
                    S3[t_] = sum_K3_Q3[t_, t] / real(math.sqrt(16))
                # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
                max_S3 = real(-np.inf)
                for t_ in range(t + 1):
                    max_S3 = np.maximum(max_S3, S3[t_])
                # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
                for t_ in range(8):
                    exp_S3[t_] = _exp(S3[t_] - max_S3)
                # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
                sum_exp_S3 = real(0)
                for t_ in range(t + 1):
                    sum_exp_S3 = _add(sum_exp_S3, exp_S3[t_])
                # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
                for t_ in range(8):
                    P3[h, t, t_] = real(0)
                for t_ in range(t + 1):
                    P3[h, t, t_] = exp_S3[t_] / sum_exp_S3
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for t in range(8):
            for h in range(1):
                for e in range(16):
                    O3[n, t, h, e] = real(0)
                for t_ in range(8):
                    for e in range(16):
                        O3[n, t, h, e] += P3[h, t, t_] * V3[n, t_, e]
    # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
    _product(O3.reshape(8 * N, 16), Wo3.T, H3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for d in range(16):
                H3[n, t, d] += bo3[d]
                # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
                H4[d] = H2[n, t, d] + H3[n, t, d]
            max_Z = real(-np.inf)
            for c in range(10):
                # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
                sum_Z = b5[c]
                for d in range(16):
                    sum_Z = _add(sum_Z, H4[d] * W5[c, d])
                Z[c] = sum_Z
                # (12a)  max_Z[n,t] = max_c Z[n,t,c]
                max_Z = np.maximum(max_Z, Z[c])
            sum_exp_Z = real(0)
            for c in range(10):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z[c] = _exp(Z[c] - max_Z)
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z = _add(sum_exp_Z, exp_Z[c])
            # (12d)  P[n,t,c] = exp_Z[n,t,c]/sum_exp_Z[n,t]
            for c in range(10):
                P[n, t, c] = exp_Z[c] / sum_exp_Z


@njit(error_model="numpy", fastmath=FAST)
def _loss(theta: Array, X: Labels, y: Labels, work: Array) -> float:
    """The loss of a batch."""
    real = theta.dtype.type
    N = X.shape[0]
    E1 = theta[0:160].reshape(10, 16)
    E2 = theta[160:288].reshape(8, 16)
    Wq3 = theta[288:544].reshape(16, 16)
    bq3 = theta[544:560]
    Wk3 = theta[560:816].reshape(16, 16)
    bk3 = theta[816:832]
    Wv3 = theta[832:1088].reshape(16, 16)
    bv3 = theta[1088:1104]
    Wo3 = theta[1104:1360].reshape(16, 16)
    bo3 = theta[1360:1376]
    W5 = theta[1376:1536].reshape(10, 16)
    b5 = theta[1536:1546]
    sum_K3_Q3 = work[0:64].reshape(8, 8)
    S3 = work[64:72]
    exp_S3 = work[80:88]
    P3 = work[96:160].reshape(1, 8, 8)
    H4 = work[160:176]
    Z = work[176:186]
    H2 = work[192 : 192 + 128 * N].reshape(N, 8, 16)
    Q3 = work[192 + 128 * N : 192 + 256 * N].reshape(N, 8, 16)
    K3 = work[192 + 256 * N : 192 + 384 * N].reshape(N, 8, 16)
    V3 = work[192 + 384 * N : 192 + 512 * N].reshape(N, 8, 16)
    O3 = work[192 + 512 * N : 192 + 640 * N].reshape(N, 8, 1, 16)
    H3 = work[192 + 640 * N : 192 + 768 * N].reshape(N, 8, 16)
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[X[n, t], d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[n, t, d] = h1 + E2[t, d]
    # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wq3.T, Q3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                Q3[n, t, f] += bq3[f]
    # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wk3.T, K3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                K3[n, t, f] += bk3[f]
    # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wv3.T, V3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                V3[n, t, f] += bv3[f]
        # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
        for t_ in range(8):
            for t in range(8):
                sum_sum_K3_Q3 = real(0)
                for e in range(16):
                    sum_sum_K3_Q3 = _add(sum_sum_K3_Q3, K3[n, t_, e] * Q3[n, t, e])
                sum_K3_Q3[t_, t] = sum_sum_K3_Q3
        for h in range(1):
            for t in range(8):
                # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
                for t_ in range(8):
                    S3[t_] = sum_K3_Q3[t_, t] / real(math.sqrt(16))
                # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
                max_S3 = real(-np.inf)
                for t_ in range(t + 1):
                    max_S3 = np.maximum(max_S3, S3[t_])
                # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
                for t_ in range(8):
                    exp_S3[t_] = _exp(S3[t_] - max_S3)
                # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
                sum_exp_S3 = real(0)
                for t_ in range(t + 1):
                    sum_exp_S3 = _add(sum_exp_S3, exp_S3[t_])
                # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
                for t_ in range(8):
                    P3[h, t, t_] = real(0)
                for t_ in range(t + 1):
                    P3[h, t, t_] = exp_S3[t_] / sum_exp_S3
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for t in range(8):
            for h in range(1):
                for e in range(16):
                    O3[n, t, h, e] = real(0)
                for t_ in range(8):
                    for e in range(16):
                        O3[n, t, h, e] += P3[h, t, t_] * V3[n, t_, e]
    # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
    _product(O3.reshape(8 * N, 16), Wo3.T, H3.reshape(8 * N, 16))
    sum_L = 0.0
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (9) continued
                H3[n, t, d] += bo3[d]
                # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
                H4[d] = H2[n, t, d] + H3[n, t, d]
            max_Z = real(-np.inf)
            for c in range(10):
                # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
                sum_Z = b5[c]
                for d in range(16):
                    sum_Z = _add(sum_Z, H4[d] * W5[c, d])
                Z[c] = sum_Z
                # (12a)  max_Z[n,t] = max_c Z[n,t,c]
                max_Z = np.maximum(max_Z, Z[c])
            sum_exp_Z = real(0)
            for c in range(10):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z = _exp(Z[c] - max_Z)
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z = _add(sum_exp_Z, exp_Z)
            # (13a)  L = -(sum_n,t (Z[n,t,y[n,t]] - max_Z[n,t] - log(sum_exp_Z[n,t])))/(N N_t)
            sum_L += Z[y[n, t]] - max_Z - _log(sum_exp_Z)
    # (13a) continued
    L = -sum_L / real(N * 8)
    return float(L)


@njit(error_model="numpy", fastmath=FAST)
def _gradients(theta: Array, X: Labels, y: Labels, gradient: Array, work: Array) -> float:
    """The loss of a batch; its derivatives go into `gradient`."""
    real = theta.dtype.type
    N = X.shape[0]
    E1 = theta[0:160].reshape(10, 16)
    E2 = theta[160:288].reshape(8, 16)
    Wq3 = theta[288:544].reshape(16, 16)
    bq3 = theta[544:560]
    Wk3 = theta[560:816].reshape(16, 16)
    bk3 = theta[816:832]
    Wv3 = theta[832:1088].reshape(16, 16)
    bv3 = theta[1088:1104]
    Wo3 = theta[1104:1360].reshape(16, 16)
    bo3 = theta[1360:1376]
    W5 = theta[1376:1536].reshape(10, 16)
    b5 = theta[1536:1546]
    dE1 = gradient[0:160].reshape(10, 16)
    dE2 = gradient[160:288].reshape(8, 16)
    dWq3 = gradient[288:544].reshape(16, 16)
    dbq3 = gradient[544:560]
    dWk3 = gradient[560:816].reshape(16, 16)
    dbk3 = gradient[816:832]
    dWv3 = gradient[832:1088].reshape(16, 16)
    dbv3 = gradient[1088:1104]
    dWo3 = gradient[1104:1360].reshape(16, 16)
    dbo3 = gradient[1360:1376]
    dW5 = gradient[1376:1536].reshape(10, 16)
    db5 = gradient[1536:1546]
    sum_K3_Q3 = work[0:64].reshape(8, 8)
    S3 = work[64:72]
    exp_S3 = work[80:88]
    H4 = work[96:224].reshape(8, 16)
    Z = work[224:234]
    exp_Z = work[240:250]
    dZ = work[256:336].reshape(8, 10)
    dO3 = work[336:464].reshape(8, 1, 16)
    dP3 = work[464:472]
    dS3 = work[480:544].reshape(1, 8, 8)
    H2 = work[544 : 544 + 128 * N].reshape(N, 8, 16)
    Q3 = work[544 + 128 * N : 544 + 256 * N].reshape(N, 8, 16)
    K3 = work[544 + 256 * N : 544 + 384 * N].reshape(N, 8, 16)
    V3 = work[544 + 384 * N : 544 + 512 * N].reshape(N, 8, 16)
    P3 = work[544 + 512 * N : 544 + 576 * N].reshape(N, 1, 8, 8)
    O3 = work[544 + 576 * N : 544 + 704 * N].reshape(N, 8, 1, 16)
    H3 = work[544 + 704 * N : 544 + 832 * N].reshape(N, 8, 16)
    dH4 = work[544 + 832 * N : 544 + 960 * N].reshape(N, 8, 16)
    dH3 = work[544 + 960 * N : 544 + 1088 * N].reshape(N, 8, 16)
    sum_Wo3_dH3 = work[544 + 1088 * N : 544 + 1216 * N].reshape(N, 8, 16)
    dV3 = work[544 + 1216 * N : 544 + 1344 * N].reshape(N, 8, 16)
    dK3 = work[544 + 1344 * N : 544 + 1472 * N].reshape(N, 8, 16)
    dQ3 = work[544 + 1472 * N : 544 + 1600 * N].reshape(N, 8, 16)
    sum_dH2 = work[544 + 1600 * N : 544 + 1728 * N].reshape(N, 8, 16)
    sum_dH2_ = work[544 + 1728 * N : 544 + 1856 * N].reshape(N, 8, 16)
    sum_dH2__ = work[544 + 1856 * N : 544 + 1984 * N].reshape(N, 8, 16)
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[X[n, t], d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[n, t, d] = h1 + E2[t, d]
    # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wq3.T, Q3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                Q3[n, t, f] += bq3[f]
    # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wk3.T, K3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                K3[n, t, f] += bk3[f]
    # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
    _product(H2.reshape(8 * N, 16), Wv3.T, V3.reshape(8 * N, 16))
    for n in range(N):
        for t in range(8):
            for f in range(16):
                V3[n, t, f] += bv3[f]
        # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
        for t_ in range(8):
            for t in range(8):
                sum_sum_K3_Q3 = real(0)
                for e in range(16):
                    sum_sum_K3_Q3 = _add(sum_sum_K3_Q3, K3[n, t_, e] * Q3[n, t, e])
                sum_K3_Q3[t_, t] = sum_sum_K3_Q3
        for h in range(1):
            for t in range(8):
                # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
                for t_ in range(8):
                    S3[t_] = sum_K3_Q3[t_, t] / real(math.sqrt(16))
                # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
                max_S3 = real(-np.inf)
                for t_ in range(t + 1):
                    max_S3 = np.maximum(max_S3, S3[t_])
                # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
                for t_ in range(8):
                    exp_S3[t_] = _exp(S3[t_] - max_S3)
                # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
                sum_exp_S3 = real(0)
                for t_ in range(t + 1):
                    sum_exp_S3 = _add(sum_exp_S3, exp_S3[t_])
                # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
                for t_ in range(8):
                    P3[n, h, t, t_] = real(0)
                for t_ in range(t + 1):
                    P3[n, h, t, t_] = exp_S3[t_] / sum_exp_S3
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for t in range(8):
            for h in range(1):
                for e in range(16):
                    O3[n, t, h, e] = real(0)
                for t_ in range(8):
                    for e in range(16):
                        O3[n, t, h, e] += V3[n, t_, e] * P3[n, h, t, t_]
    # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
    _product(O3.reshape(8 * N, 16), Wo3.T, H3.reshape(8 * N, 16))
    # start of (13a), (16), (17), (21)
    sum_L = 0.0
    dW5[:, :] = real(0)
    db5[:] = real(0)
    dbo3[:] = real(0)
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (9) continued
                H3[n, t, d] += bo3[d]
                # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
                H4[t, d] = H2[n, t, d] + H3[n, t, d]
            max_Z = real(-np.inf)
            for c in range(10):
                # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
                sum_Z = b5[c]
                for d in range(16):
                    sum_Z = _add(sum_Z, H4[t, d] * W5[c, d])
                Z[c] = sum_Z
                # (12a)  max_Z[n,t] = max_c Z[n,t,c]
                max_Z = np.maximum(max_Z, Z[c])
            sum_exp_Z = real(0)
            for c in range(10):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z[c] = _exp(Z[c] - max_Z)
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z = _add(sum_exp_Z, exp_Z[c])
            for c in range(10):
                # (12d)  P[n,t,c] = exp_Z[n,t,c]/sum_exp_Z[n,t]
                p = exp_Z[c] / sum_exp_Z
                # (15)  dZ[n,t,c] = (P[n,t,c] - [y[n,t] = c])/(N N_t)
                dZ[t, c] = p / real(N * 8)
            # (13a)  L = -(sum_n,t (Z[n,t,y[n,t]] - max_Z[n,t] - log(sum_exp_Z[n,t])))/(N N_t)
            sum_L += Z[y[n, t]] - max_Z - _log(sum_exp_Z)
            # (15) continued
            dZ[t, y[n, t]] -= real(1 / (N * 8))
            # start of (18)
            for d in range(16):
                dH4[n, t, d] = real(0)
            for c in range(10):
                # (17)  db5[c] = sum_n,t dZ[n,t,c]
                db5[c] += dZ[t, c]
                # (18)  dH4[n,t,d] = sum_c W5[c,d] dZ[n,t,c]
                for d in range(16):
                    dH4[n, t, d] += W5[c, d] * dZ[t, c]
            for d in range(16):
                # (19)  dH3[n,t,d] = dH4[n,t,d]
                dH3[n, t, d] = dH4[n, t, d]
                # (21)  dbo3[d] = sum_n,t dH3[n,t,d]
                dbo3[d] += dH3[n, t, d]
        # (16)  dW5[c,d] = sum_n,t H4[n,t,d] dZ[n,t,c]
        for c in range(10):
            for t in range(8):
                for d in range(16):
                    dW5[c, d] += H4[t, d] * dZ[t, c]
    # (13a) continued
    L = -sum_L / real(N * 8)
    # (20)  dWo3[d,f] = sum_h,n,t dH3[n,t,d] O3[n,t,h,f]
    _product(dH3.reshape(8 * N, 16).T, O3.reshape(8 * N, 16), dWo3)
    # (22a)  sum_Wo3_dH3[n,t,e] = sum_d Wo3[d,e] dH3[n,t,d]
    _product(dH3.reshape(8 * N, 16), Wo3, sum_Wo3_dH3.reshape(8 * N, 16))
    # start of (29), (31), (33)
    dbv3[:] = real(0)
    dbk3[:] = real(0)
    dbq3[:] = real(0)
    for n in range(N):
        # (22b)  dO3[n,t,h,e] = sum_Wo3_dH3[n,t,e]
        for t in range(8):
            for h in range(1):
                for e in range(16):
                    dO3[t, h, e] = sum_Wo3_dH3[n, t, e]
        # (23)  dV3[n,t,f] = sum_h,t' P3[n,h,t',t] dO3[n,t',h,f]
        for t in range(8):
            for f in range(16):
                dV3[n, t, f] = real(0)
            for h in range(1):
                for t_ in range(8):
                    for f in range(16):
                        dV3[n, t, f] += dO3[t_, h, f] * P3[n, h, t_, t]
        for h in range(1):
            for t in range(8):
                sum_P3_dP3 = real(0)
                for t_ in range(8):
                    # (24)  dP3[n,h,t,t'] = sum_e V3[n,t',e] dO3[n,t,h,e]
                    sum_dP3 = real(0)
                    for e in range(16):
                        sum_dP3 = _add(sum_dP3, V3[n, t_, e] * dO3[t, h, e])
                    dP3[t_] = sum_dP3
                    # (25a)  sum_P3_dP3[n,h,t] = sum_t' P3[n,h,t,t'] dP3[n,h,t,t']
                    sum_P3_dP3 += dP3[t_] * P3[n, h, t, t_]
                # (25b)  dS3[n,h,t,t'] = (dP3[n,h,t,t'] - sum_P3_dP3[n,h,t]) P3[n,h,t,t']
                for t_ in range(8):
                    dS3[h, t, t_] = (dP3[t_] - sum_P3_dP3) * P3[n, h, t, t_]
        for t in range(8):
            # start of (26), (27)
            for f in range(16):
                dK3[n, t, f] = real(0)
            for f in range(16):
                dQ3[n, t, f] = real(0)
            for h in range(1):
                for t_ in range(8):
                    for f in range(16):
                        # (26)  dK3[n,t,f] = (sum_h,t' Q3[n,t',f] dS3[n,h,t',t])/sqrt(N_e)
                        dK3[n, t, f] += Q3[n, t_, f] * dS3[h, t_, t]
                        # (27)  dQ3[n,t,f] = (sum_h,t' K3[n,t',f] dS3[n,h,t,t'])/sqrt(N_e)
                        dQ3[n, t, f] += K3[n, t_, f] * dS3[h, t, t_]
            for f in range(16):
                # (26) continued
                dK3[n, t, f] = dK3[n, t, f] / real(math.sqrt(16))
                # (27) continued
                dQ3[n, t, f] = dQ3[n, t, f] / real(math.sqrt(16))
                # (29)  dbv3[f] = sum_n,t dV3[n,t,f]
                dbv3[f] += dV3[n, t, f]
                # (31)  dbk3[f] = sum_n,t dK3[n,t,f]
                dbk3[f] += dK3[n, t, f]
                # (33)  dbq3[f] = sum_n,t dQ3[n,t,f]
                dbq3[f] += dQ3[n, t, f]
    # (28)  dWv3[f,d] = sum_n,t H2[n,t,d] dV3[n,t,f]
    _product(dV3.reshape(8 * N, 16).T, H2.reshape(8 * N, 16), dWv3)
    # (30)  dWk3[f,d] = sum_n,t H2[n,t,d] dK3[n,t,f]
    _product(dK3.reshape(8 * N, 16).T, H2.reshape(8 * N, 16), dWk3)
    # (32)  dWq3[f,d] = sum_n,t H2[n,t,d] dQ3[n,t,f]
    _product(dQ3.reshape(8 * N, 16).T, H2.reshape(8 * N, 16), dWq3)
    # (34)  dH2[n,t,d] = dH4[n,t,d] + sum_f Wk3[f,d] dK3[n,t,f] + sum_f Wq3[f,d] dQ3[n,t,f] + sum_f Wv3[f,d] dV3[n,t,f]
    _product(dK3.reshape(8 * N, 16), Wk3, sum_dH2.reshape(8 * N, 16))
    _product(dQ3.reshape(8 * N, 16), Wq3, sum_dH2_.reshape(8 * N, 16))
    _product(dV3.reshape(8 * N, 16), Wv3, sum_dH2__.reshape(8 * N, 16))
    # start of (35), (37)
    dE2[:, :] = real(0)
    dE1[:, :] = real(0)
    for n in range(N):
        for t in range(8):
            for d in range(16):
                # (34) continued
                sum_dH2___ = dH4[n, t, d] + sum_dH2[n, t, d] + sum_dH2_[n, t, d] + sum_dH2__[n, t, d]
                dH2 = sum_dH2___
                # (35)  dE2[t,d] = sum_n dH2[n,t,d]
                dE2[t, d] += dH2
                # (36)  dH1[n,t,d] = dH2[n,t,d]
                dH1 = dH2
                # (37)  dE1[v,d] = sum_n,t [X[n,t] = v] dH1[n,t,d]
                dE1[X[n, t], d] += dH1
    return float(L)


# -- optimizers: of theta, what is learned, each changes the entries theta[k]; t is the number of the step, from 1


class SGD(NamedTuple):
    """SGD with its options (Robbins and Monro 1951)."""

    weight_decay: float = 0.0  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _sgd(theta: Array, gradient: Array, options: SGD, rate: float) -> None:
    """One step of SGD on all parameters."""
    real = theta.dtype.type
    (weight_decay,) = options
    for k in range(1546):
        # theta[k] <- theta[k] - (weight_decay theta[k] + gradient[k]) rate
        theta[k] -= (real(weight_decay) * theta[k] + gradient[k]) * real(rate)


class Momentum(NamedTuple):
    """Momentum with its options (Polyak 1964; torch.optim.SGD, momentum)."""

    momentum: float = 0.9  # at least 0 and below 1
    weight_decay: float = 0.0  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _momentum(theta: Array, gradient: Array, memory: Array, options: Momentum, rate: float) -> None:
    """One step of Momentum on all parameters."""
    real = theta.dtype.type
    momentum, weight_decay = options
    velocity = memory[0:1546]
    for k in range(1546):
        # velocity[k] <- momentum velocity[k] + weight_decay theta[k] + gradient[k]
        velocity[k] = gradient[k] + real(momentum) * velocity[k] + real(weight_decay) * theta[k]
        # theta[k] <- theta[k] - rate velocity[k]
        theta[k] -= real(rate) * velocity[k]


class Nesterov(NamedTuple):
    """Nesterov with its options (Nesterov 1983, in the form of Sutskever et al. 2013; torch.optim.SGD, nesterov)."""

    momentum: float = 0.9  # at least 0 and below 1
    weight_decay: float = 0.0  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _nesterov(theta: Array, gradient: Array, memory: Array, options: Nesterov, rate: float) -> None:
    """One step of Nesterov on all parameters."""
    real = theta.dtype.type
    momentum, weight_decay = options
    velocity = memory[0:1546]
    for k in range(1546):
        # slope[k] = weight_decay theta[k] + gradient[k]
        slope = real(weight_decay) * theta[k] + gradient[k]
        # velocity[k] <- momentum velocity[k] + slope[k]
        velocity[k] = real(momentum) * velocity[k] + slope
        # theta[k] <- theta[k] - (momentum velocity[k] + slope[k]) rate
        theta[k] -= (real(momentum) * velocity[k] + slope) * real(rate)


class Adam(NamedTuple):
    """Adam with its options (Kingma and Ba 2015, algorithm 1)."""

    beta1: float = 0.9  # at least 0 and below 1
    beta2: float = 0.999  # at least 0 and below 1
    eps: float = 1e-08  # above 0
    weight_decay: float = 0.0  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _adam(theta: Array, gradient: Array, memory: Array, options: Adam, rate: float, t: int) -> None:
    """One step of Adam on all parameters."""
    real = theta.dtype.type
    beta1, beta2, eps, weight_decay = options
    mean = memory[0:1546]
    square = memory[1546:3092]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - beta1)
    c2 = real(1 - beta2)
    c3 = real(rate / (1 - beta1**t))
    c4 = real(1 / (1 - beta2**t))
    for k in range(1546):
        # slope[k] = weight_decay theta[k] + gradient[k]
        slope = real(weight_decay) * theta[k] + gradient[k]
        # mean[k] <- (1 - beta1) slope[k] + beta1 mean[k]
        mean[k] = c1 * slope + real(beta1) * mean[k]
        # square[k] <- slope[k]**2 (1 - beta2) + beta2 square[k]
        square[k] = slope**2 * c2 + real(beta2) * square[k]
        # theta[k] <- theta[k] - rate mean[k]/((1 - beta1**t) (sqrt(square[k]/(1 - beta2**t)) + eps))
        theta[k] -= c3 * mean[k] / (math.sqrt(c4 * square[k]) + real(eps))


class AdamW(NamedTuple):
    """AdamW with its options (Loshchilov and Hutter 2019, algorithm 2; torch.optim.AdamW)."""

    beta1: float = 0.9  # at least 0 and below 1
    beta2: float = 0.999  # at least 0 and below 1
    eps: float = 1e-08  # above 0
    weight_decay: float = 0.01  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _adamw(theta: Array, gradient: Array, memory: Array, options: AdamW, rate: float, t: int) -> None:
    """One step of AdamW on all parameters."""
    real = theta.dtype.type
    beta1, beta2, eps, weight_decay = options
    mean = memory[0:1546]
    square = memory[1546:3092]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - beta1)
    c2 = real(1 - beta2)
    c3 = real(1 - rate * weight_decay)
    c4 = real(rate / (1 - beta1**t))
    c5 = real(1 / (1 - beta2**t))
    for k in range(1546):
        # mean[k] <- (1 - beta1) gradient[k] + beta1 mean[k]
        mean[k] = c1 * gradient[k] + real(beta1) * mean[k]
        # square[k] <- gradient[k]**2 (1 - beta2) + beta2 square[k]
        square[k] = gradient[k] ** 2 * c2 + real(beta2) * square[k]
        # theta[k] <- (1 - rate weight_decay) theta[k] - rate mean[k]/((1 - beta1**t) (sqrt(square[k]/(1 - beta2**t)) + eps))
        theta[k] = c3 * theta[k] - c4 * mean[k] / (math.sqrt(c5 * square[k]) + real(eps))


class RMSProp(NamedTuple):
    """RMSProp with its options (Tieleman and Hinton 2012, lecture 6.5; torch.optim.RMSprop)."""

    alpha: float = 0.99  # at least 0 and below 1
    eps: float = 1e-08  # above 0
    weight_decay: float = 0.0  # at least 0


@njit(error_model="numpy", fastmath=FAST)
def _rmsprop(theta: Array, gradient: Array, memory: Array, options: RMSProp, rate: float) -> None:
    """One step of RMSProp on all parameters."""
    real = theta.dtype.type
    alpha, eps, weight_decay = options
    square = memory[0:1546]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - alpha)
    for k in range(1546):
        # slope[k] = weight_decay theta[k] + gradient[k]
        slope = real(weight_decay) * theta[k] + gradient[k]
        # square[k] <- slope[k]**2 (1 - alpha) + alpha square[k]
        square[k] = slope**2 * c1 + real(alpha) * square[k]
        # theta[k] <- theta[k] - rate slope[k]/(sqrt(square[k]) + eps)
        theta[k] -= real(rate) * slope / (math.sqrt(square[k]) + real(eps))


Optimizer = SGD | Momentum | Nesterov | Adam | AdamW | RMSProp


class State:
    """What an optimizer remembers from step to step. One State for several calls of `train` lets them continue one another.

    optimizer: the name of its class, empty before the first step; steps: their number so far; vectors: the numbers that it keeps for
    the parameters.
    """

    def __init__(self) -> None:
        self.optimizer = ""
        self.steps = 0
        self.vectors: Array = np.zeros(0)


@njit(error_model="numpy")
def _shuffle(rng: np.random.Generator, order: npt.NDArray[np.int64]) -> None:
    """A random order of 0 .. order.size - 1 (Fisher and Yates)."""
    for k in range(order.size):
        order[k] = k
    for k in range(order.size - 1, 0, -1):
        other = int(rng.random() * (k + 1))
        order[k], order[other] = order[other], order[k]


@njit(error_model="numpy")
def _train(
    theta: Array,
    X: Labels,
    y: Labels,
    epochs: int,
    batch_size: int,
    rate: float,
    sgd: SGD | None,
    momentum: Momentum | None,
    nesterov: Nesterov | None,
    adam: Adam | None,
    adamw: AdamW | None,
    rmsprop: RMSProp | None,
    memory: Array,
    steps: int,
    shuffle: bool,
    rng: np.random.Generator,
    order: npt.NDArray[np.int64],
    X_batch: Labels,
    y_batch: Labels,
    gradient: Array,
    work: Array,
    losses: npt.NDArray[np.float64],
) -> int:
    """All epochs of training, in place on theta; gives the number of the last step. The caller allocates everything that this writes to.

    All optimizers but one are None, and Numba compiles that one alone.
    """
    since = 0  # examples computed since Python last looked at signals
    for epoch in range(epochs):
        if shuffle:
            _shuffle(rng, order)
        total = 0.0
        for start in range(0, order.size, batch_size):
            N = min(batch_size, order.size - start)
            if shuffle:
                examples = X_batch[0 : 8 * N].reshape(N, 8)
                targets = y_batch[0 : 8 * N].reshape(N, 8)
                for n in range(N):
                    for t in range(8):
                        examples[n, t] = X[order[start + n], t]
                    for t in range(8):
                        targets[n, t] = y[order[start + n], t]
            else:
                examples = X[start : start + N]
                targets = y[start : start + N]
            total += N * _gradients(theta, examples, targets, gradient, work)
            steps += 1
            if sgd is not None:
                _sgd(theta, gradient, sgd, rate)
            elif momentum is not None:
                _momentum(theta, gradient, memory, momentum, rate)
            elif nesterov is not None:
                _nesterov(theta, gradient, memory, nesterov, rate)
            elif adam is not None:
                _adam(theta, gradient, memory, adam, rate, steps)
            elif adamw is not None:
                _adamw(theta, gradient, memory, adamw, rate, steps)
            elif rmsprop is not None:
                _rmsprop(theta, gradient, memory, rmsprop, rate)
            since += N
            if since >= 43408:
                since = 0
                _heed_signals()
        losses[epoch] = total / order.size
    return steps


# -- public functions


def predict(p: Parameters, X: npt.ArrayLike) -> Array:
    """P, softmax: an array [N, 8, 10]. An empty X gives an empty array."""
    theta = _pack(p)
    examples = _examples(X)
    N = examples.shape[0]
    P = np.empty((N, 8, 10), theta.dtype)
    work = np.empty(208 + 768 * N, theta.dtype)
    if N > 0:
        _predict(theta, examples, P, work)
    return P


def loss(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The loss of p on the examples X with targets y."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    work = np.empty(192 + 768 * N, theta.dtype)
    return _loss(theta, examples, targets, work)


def gradients(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, Parameters]:
    """The loss, and its derivative with respect to every parameter."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    gradient = np.empty(1546, theta.dtype)
    work = np.empty(544 + 1984 * N, theta.dtype)
    L = _gradients(theta, examples, targets, gradient, work)
    return L, _unpack(gradient)


def train(
    p: Parameters,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: Optimizer | None = None,
    state: State | None = None,
    seed: int | np.random.Generator = 0,
    shuffle: bool = True,
) -> tuple[Parameters, npt.NDArray[np.float64]]:
    """New parameters after `epochs` passes over the examples in batches, and the loss of each epoch; p stays as it is.

    Every epoch visits the examples in a new random order (in their own order without `shuffle`); a Generator in place of a seed lets
    several calls continue one another. The same seed gives the same bits. The last batch of an epoch may be
    smaller. The loss of an epoch is the mean over its examples,
    each taken before the step that used it. Results below the normal numbers of the type (1.2e-38 in float32, 2.2e-308 in float64) are
    zero in training, where the processor is of the x86 family: it takes up to a hundred times longer over them.
    Ctrl-C, like any signal whose handler raises, ends training, and what it has learned is lost.

    optimizer: SGD() where it is left out, or another of these, whose options have these defaults:
        SGD(weight_decay=0.0)
        Momentum(momentum=0.9, weight_decay=0.0)
        Nesterov(momentum=0.9, weight_decay=0.0)
        Adam(beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)
        AdamW(beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01)
        RMSProp(alpha=0.99, eps=1e-08, weight_decay=0.0)
    state: a State() that is given to several calls lets them continue one another with one optimizer; each leaves in it where it
        ended. Without one, every call starts anew.
    """
    theta, examples, targets = _batch(p, X, y)
    theta = _copied(theta)
    epochs, batch_size = _count("epochs", epochs), _count("batch_size", batch_size)
    rate = _number("learning_rate", learning_rate, theta.dtype, above=0)
    _demand_type("shuffle", shuffle, (bool, np.bool), "True or False")
    dtype = theta.dtype
    chosen = _optimizer(SGD() if optimizer is None else optimizer, dtype)
    steps, memory = _remembered(state, chosen, dtype)
    order = np.arange(examples.shape[0], dtype=np.int64)
    N = min(batch_size, order.size)
    losses = np.empty(epochs, np.float64)
    settings = _flush_from_python()
    try:
        steps = _train(
            theta,
            examples,
            targets,
            epochs,
            N,
            rate,
            chosen if isinstance(chosen, SGD) else None,
            chosen if isinstance(chosen, Momentum) else None,
            chosen if isinstance(chosen, Nesterov) else None,
            chosen if isinstance(chosen, Adam) else None,
            chosen if isinstance(chosen, AdamW) else None,
            chosen if isinstance(chosen, RMSProp) else None,
            memory,
            steps,
            shuffle,
            np.random.default_rng(seed),
            order,
            np.empty(8 * N, np.int64),
            np.empty(8 * N, np.int64),
            _empty(theta.size, dtype),
            _empty(544 + 1984 * N, dtype),
            losses,
        )
    finally:
        _restore_from_python(settings)
    if state is not None:
        state.optimizer, state.steps, state.vectors = type(chosen).__name__, steps, memory
    return _unpack(theta), losses


# -- checks: a kernel reads memory without asking, so nothing wrong may reach it


def _pack(p: Parameters) -> Array:
    """The parameters as one new vector; refuses other shapes and types."""
    shapes = (
        (10, 16),  # E1
        (8, 16),  # E2
        (16, 16),  # Wq3
        (16,),  # bq3
        (16, 16),  # Wk3
        (16,),  # bk3
        (16, 16),  # Wv3
        (16,),  # bv3
        (16, 16),  # Wo3
        (16,),  # bo3
        (10, 16),  # W5
        (10,),  # b5
    )
    _demand_type("p", p, (tuple, list), "Parameters(E1, E2, Wq3, bq3, Wk3, bk3, Wv3, bv3, Wo3, bo3, W5, b5)")
    if len(p) != len(shapes):
        raise TypeError(f"p holds {len(p)} arrays: Parameters({', '.join(Parameters._fields)}) is needed")
    every: Any = p
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11 = every
    if (
        type(a0) is np.ndarray
        and a0.dtype in REAL_TYPES
        and a0.shape == (10, 16)
        and a0.flags.c_contiguous
        and type(a1) is np.ndarray
        and a1.dtype is a0.dtype
        and a1.shape == (8, 16)
        and a1.flags.c_contiguous
        and type(a2) is np.ndarray
        and a2.dtype is a0.dtype
        and a2.shape == (16, 16)
        and a2.flags.c_contiguous
        and type(a3) is np.ndarray
        and a3.dtype is a0.dtype
        and a3.shape == (16,)
        and a3.flags.c_contiguous
        and type(a4) is np.ndarray
        and a4.dtype is a0.dtype
        and a4.shape == (16, 16)
        and a4.flags.c_contiguous
        and type(a5) is np.ndarray
        and a5.dtype is a0.dtype
        and a5.shape == (16,)
        and a5.flags.c_contiguous
        and type(a6) is np.ndarray
        and a6.dtype is a0.dtype
        and a6.shape == (16, 16)
        and a6.flags.c_contiguous
        and type(a7) is np.ndarray
        and a7.dtype is a0.dtype
        and a7.shape == (16,)
        and a7.flags.c_contiguous
        and type(a8) is np.ndarray
        and a8.dtype is a0.dtype
        and a8.shape == (16, 16)
        and a8.flags.c_contiguous
        and type(a9) is np.ndarray
        and a9.dtype is a0.dtype
        and a9.shape == (16,)
        and a9.flags.c_contiguous
        and type(a10) is np.ndarray
        and a10.dtype is a0.dtype
        and a10.shape == (10, 16)
        and a10.flags.c_contiguous
        and type(a11) is np.ndarray
        and a11.dtype is a0.dtype
        and a11.shape == (10,)
        and a11.flags.c_contiguous
    ):
        return np.frombuffer(bytearray().join(every), a0.dtype)  # sooner done than np.concatenate
    dtype = _real_type(np.asarray(p[0]).dtype)
    for name, array, shape in zip(Parameters._fields, p, shapes, strict=True):
        if type(array) is np.ndarray and array.shape == shape and array.dtype == dtype:
            continue
        if np.ma.isMaskedArray(array) or np.shape(array) != shape:
            raise ValueError(f"{name} has shape {np.shape(array)}: an array of shape {shape} is needed, without a mask")
        if np.asarray(array).dtype != dtype:
            raise TypeError(f"{name} has dtype {np.asarray(array).dtype}, and the first array has {dtype}: one type is needed")
    return np.concatenate(p, axis=None)


def _unpack(theta: Array) -> Parameters:
    """The parameters as views of one vector."""
    return Parameters(
        theta[0:160].reshape(10, 16),
        theta[160:288].reshape(8, 16),
        theta[288:544].reshape(16, 16),
        theta[544:560],
        theta[560:816].reshape(16, 16),
        theta[816:832],
        theta[832:1088].reshape(16, 16),
        theta[1088:1104],
        theta[1104:1360].reshape(16, 16),
        theta[1360:1376],
        theta[1376:1536].reshape(10, 16),
        theta[1536:1546],
    )


def _empty(size: int, dtype: np.dtype[np.floating[Any]]) -> Array:
    """A new vector that begins with a line of the processor's cache, so that no vector of the processor lies in two of them.

    NumPy's own arrays begin at any multiple of 16 bytes.
    """
    memory = np.empty(size + 64 // dtype.itemsize, dtype)
    first = _first_line(memory)
    return memory[first : first + size]


@njit(error_model="numpy")
def _first_line(memory: Array) -> np.int64:
    """The first entry that begins a line of the cache."""
    return -np.int64(memory.ctypes.data) % 64 // memory.itemsize


def _copied(vector: Array) -> Array:
    """A copy that begins with a line of the cache."""
    new = _empty(vector.size, vector.dtype)
    new[:] = vector
    return new


def _real_type(dtype: npt.DTypeLike) -> np.dtype[np.floating[Any]]:
    """float32 or float64."""
    found = np.dtype(dtype)
    for known in (np.float64, np.float32):
        if found == known:
            return np.dtype(known)
    raise TypeError(f"the parameters have dtype {found}: float32 or float64 is needed")


def _reals(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """The values as an array of real numbers; refuses masks (a kernel would read through them), text, objects and complex numbers."""
    if type(values) is not np.ndarray and _masked(values):
        raise TypeError(f"{name} is a masked array, whose mask would be ignored: fill it, or leave the masked examples out")
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}: real numbers are needed")
    return array


def _masked(values: Any) -> bool:
    """Whether the values, or the rows in a list, have a mask."""
    return np.ma.isMaskedArray(values) or (type(values) in (list, tuple) and any(np.ma.isMaskedArray(row) for row in values))


def _examples(X: npt.ArrayLike) -> Labels:
    """X as a contiguous array [N, 8] of tokens in 0 .. 9."""
    array = _reals("X", X)
    if array.ndim != 2 or array.shape[1] != 8:
        raise ValueError(f"X has shape {array.shape}: [N, 8] is needed, an example a row")
    if array.dtype.kind not in "iu":
        raise TypeError(f"X has dtype {array.dtype}: tokens are integers, their numbers in the vocabulary")
    wrong = (array < 0) | (array >= 10)
    if np.count_nonzero(wrong) > 0:
        n, t = np.argwhere(wrong)[0]
        raise IndexError(f"X[{n}, {t}] is {array[n, t]}: tokens are 0 .. 9")
    return np.require(array, np.int64, ["C", "A", "W"])


@njit(error_model="numpy")
def _right(examples: Labels, targets: Labels) -> bool:
    """Whether no entry has to be refused."""
    wrong = False
    for x in examples.flat:
        wrong |= not 0 <= x < 10
    for x in targets.flat:
        wrong |= not 0 <= x <= 9
    return not wrong


def _ready(X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Labels, Labels] | None:
    """X and y, where kernels can take them as they are: nothing has to be converted or refused."""
    if (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.dtype is INTEGER
        and y.dtype is INTEGER
        and X.shape[1:] == (8,)
        and y.shape == (len(X), 8)
        and len(X) >= 1
        and X.flags.carray
        and y.flags.carray
        and _right(X, y)
    ):
        return X, y
    return None


def _batch(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Labels, Labels]:
    """The arguments of a kernel that needs targets; refuses an empty batch, whose loss is undefined."""
    theta = _pack(p)
    ready = _ready(X, y)
    examples, targets = _examined(X, y) if ready is None else ready
    return theta, examples, targets


def _examined(X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Labels, Labels]:
    """X and y as kernels take them, or an error that says what is wrong with them and where."""
    examples = _examples(X)
    if examples.shape[0] == 0:
        raise ValueError("X holds no examples: the loss of an empty batch is undefined")
    return examples, _targets(y, examples.shape[0])


def _targets(y: npt.ArrayLike, N: int) -> Labels:
    """y as labels [N, 8] in 0 .. 9."""
    labels = _reals("y", y)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"y has dtype {labels.dtype}: labels are integers, the number of each example's class")
    if labels.shape != (N, 8):
        raise ValueError(f"y has shape {labels.shape}: ({N}, 8) is needed, a row for each example")
    wrong = (labels < 0) | (labels >= 10)
    if np.count_nonzero(wrong) > 0:
        n, t = np.argwhere(wrong)[0]
        raise IndexError(f"y[{n}, {t}] is {labels[n, t]}: labels are 0 .. 9")
    if labels.dtype == np.int64 and labels.flags.carray:
        return labels
    return np.require(labels, np.int64, ["C", "A", "W"])


def _demand_type(name: str, value: object, types: tuple[type, ...], needed: str) -> None:
    if not isinstance(value, types):
        raise TypeError(f"{name} has type {type(value).__name__}: {needed} is needed")


def _optimizer(optimizer: Optimizer, dtype: np.dtype[Any]) -> Optimizer:
    """The optimizer with its options as floats; refuses those that are out of range."""
    match optimizer:
        case SGD():
            return SGD(
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case Momentum():
            return Momentum(
                _number("momentum", optimizer.momentum, dtype, least=0, below=1),
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case Nesterov():
            return Nesterov(
                _number("momentum", optimizer.momentum, dtype, least=0, below=1),
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case Adam():
            return Adam(
                _number("beta1", optimizer.beta1, dtype, least=0, below=1),
                _number("beta2", optimizer.beta2, dtype, least=0, below=1),
                _number("eps", optimizer.eps, dtype, above=0),
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case AdamW():
            return AdamW(
                _number("beta1", optimizer.beta1, dtype, least=0, below=1),
                _number("beta2", optimizer.beta2, dtype, least=0, below=1),
                _number("eps", optimizer.eps, dtype, above=0),
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case RMSProp():
            return RMSProp(
                _number("alpha", optimizer.alpha, dtype, least=0, below=1),
                _number("eps", optimizer.eps, dtype, above=0),
                _number("weight_decay", optimizer.weight_decay, dtype, least=0),
            )
        case _:
            names = "SGD(), Momentum(), Nesterov(), Adam(), AdamW() or RMSProp()"
            raise TypeError(f"optimizer is {optimizer!r}: {names} is needed")


def _remembered(state: State | None, optimizer: Optimizer, dtype: np.dtype[Any]) -> tuple[int, Array]:
    """How many steps were done before, and a copy of what the optimizer keeps; refuses the state of something else."""
    vectors = {
        "SGD": 0,
        "Momentum": 1,
        "Nesterov": 1,
        "Adam": 2,
        "AdamW": 2,
        "RMSProp": 1,
    }
    name = type(optimizer).__name__
    size = vectors[name] * 1546
    if state is not None:
        _demand_type("state", state, (State,), "a State()")
    if state is None or state.steps == 0:
        return 0, _copied(np.zeros(size, dtype))
    if state.optimizer != name:
        raise ValueError(f"the state is that of {state.optimizer}, and the optimizer is {name}: a State() of its own is needed")
    kept = np.asarray(state.vectors)
    if kept.shape != (size,) or kept.dtype != dtype:
        raise ValueError(f"state.vectors has shape {kept.shape} and dtype {kept.dtype}: ({size},) and {dtype} are needed")
    return _count("state.steps", state.steps), _copied(kept)


def _number(
    name: str,
    value: float,
    dtype: np.dtype[Any],
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """A finite number within bounds, as a float; it must keep them when it is rounded to the parameters' type."""
    if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            rounded = float(dtype.type(value))
        if above < rounded < below and least <= rounded <= most:
            return float(value)
    bounds = {"above": above, "of at least": least, "below": below, "of at most": most}
    words = " and".join(f" {word} {bound:g}" for word, bound in bounds.items() if math.isfinite(bound))
    raise ValueError(f"{name} is {value!r}: a finite number{words} is needed, of type {dtype}")


def _count(name: str, value: int) -> int:
    """A whole number of at least 1."""
    if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "iu" or value < 1:
        raise ValueError(f"{name} is {value!r}: a whole number of at least 1 is needed")
    return int(value)


# -- subnormal numbers: below 1.2e-38 in float32 and 2.2e-308 in float64, with fewer digits than others


def _flush_subnormals() -> int:
    """Makes results that would be subnormal zero, in this thread; gives the processor's settings before, for `_restore`.

    Many processors take a hundred times longer over such numbers, and a network that has learned its examples computes little else.
    """
    return 0


def _restore(settings: int) -> None:
    """The processor's settings as they were before `_flush_subnormals`."""


@njit(error_model="numpy")
def _flush_from_python() -> int:
    """`_flush_subnormals` for Python, where it has no meaning itself."""
    return _flush_subnormals()


@njit(error_model="numpy")
def _restore_from_python(settings: int) -> None:
    _restore(settings)


@type_callable(_flush_subnormals)
def _flush_subnormals_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found() -> Any:
        return types.uint32

    return found


@lower_builtin(_flush_subnormals)
def _compiled_flush_subnormals(context: Any, builder: Any, *_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    memory = cgutils.alloca_once_value(builder, context.get_constant(types.uint32, 0))
    _access("stmxcsr", builder, memory)
    settings = builder.load(memory)
    builder.store(builder.or_(settings, settings.type(0x8000)), memory)  # "flush to zero"
    _access("ldmxcsr", builder, memory)
    return settings


@type_callable(_restore)
def _restore_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(settings: Any) -> Any:
        return types.none if isinstance(settings, types.Integer) else None

    return found


@lower_builtin(_restore, types.Integer)
def _compiled_restore(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    settings = context.cast(builder, arguments[0], signature.args[0], types.uint32)
    _access("ldmxcsr", builder, cgutils.alloca_once_value(builder, settings))
    return context.get_dummy_value()


def _access(instruction: str, builder: Any, memory: Any) -> None:
    """Reads or writes the settings, where the processor is one that has them in this form."""
    if builder.module.triple.startswith("x86_64"):
        takes = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [cgutils.voidptr_t])
        function = cgutils.get_or_insert_function(builder.module, takes, f"llvm.x86.sse.{instruction}")
        builder.call(function, [builder.bitcast(memory, cgutils.voidptr_t)])


# -- signals, such as Ctrl-C: Python heeds them between steps of its own, of which compiled code has none


def _heed_signals() -> None:
    """Has Python do what signals ask for, in its main thread; what that raises ends the function that calls this."""


@type_callable(_heed_signals)
def _heed_signals_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found() -> Any:
        return types.none

    return found


@lower_builtin(_heed_signals)
def _compiled_heed_signals(context: Any, builder: Any, *_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    kind = cgutils.ir.FunctionType(cgutils.int32_t, [])
    raised = builder.call(cgutils.get_or_insert_function(builder.module, kind, "PyErr_CheckSignals"), [])
    with builder.if_then(builder.icmp_signed("!=", raised, raised.type(0)), likely=False):
        context.call_conv.return_exc(builder)
    return context.get_dummy_value()


# -- products of matrices, with the same bits for any number of threads

_LINE = 128  # bytes of a row of a tile and of a line of a panel: two vectors of 512 bits, four of 256
_TERMS = 160  # of the sums, that a tile adds up before it is stored: the lines of a panel
_PANELS = 8  # that hold the left factor's rows, 164 KB on the stack; of rows that stay where they are, twice as many are taken at a time
_FAR = 2048  # bytes between what a tile reads one after the other, from which on so much lies in more pages than a processor keeps at hand
_USES = 4  # tiles that read a part of a factor, from which on it pays to copy it
_MANY = 128  # terms from which on it pays to have the processor load what a tile is added to while its sums are computed
_ALONE = 2**18  # multiplications up to which OpenBLAS takes one thread


def _product(a: Array, b: Array, out: Array) -> None:
    """out <- a b."""
    np.dot(a, b, out)


@type_callable(_product)
def _product_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(a: Any, b: Any, out: Any) -> Any:
        return types.none if a.dtype == b.dtype == out.dtype else None

    return found


@lower_builtin(_product, types.Array, types.Array, types.Array)
def _compiled_product(context: Any, builder: Any, signature: Any, matrices: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    real = signature.args[2].dtype
    numbers = [context.get_constant(real, 0), context.get_constant(real, 1)]
    return _call_multiply(context, builder, (real, real, *signature.args), [*numbers, *matrices])


def _call_multiply(context: Any, builder: Any, kinds: Any, values: list[Any]) -> Any:
    """A call of `_multiply`, which takes arrays with any strides: it is compiled once for all orders in memory."""
    real, values, strided = kinds[0], list(values), types.Array(kinds[0], 2, "A")
    for k in (2, 3, 4):
        held = make_array(kinds[k])(context, builder, values[k])
        held.meminfo = cgutils.get_null_value(held.meminfo.type)
        values[k] = held._getvalue()
    function = context.typing_context.resolve_value_type(_multiply)
    call = context.get_function(function, function.get_call_type(context.typing_context, (real, real, strided, strided, strided), {}))
    context.add_linking_libs(call.libs)
    call(builder, values)
    return context.get_dummy_value()


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _multiply(keep: Real, add: Real, a: Array, b: Array, out: Array) -> None:
    """out <- keep out + add a b. With few rows or columns BLAS is faster."""
    rows, columns = out.shape
    if rows < 8 or columns < 8:
        _by_blas(keep, add, a, b, out)
    else:
        _in_tiles(keep, add, a, b, out)


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _by_blas(keep: Real, add: Real, a: Array, b: Array, out: Array) -> None:
    """out <- keep out + add a b, in parts so small that BLAS takes one thread: the order of the sums would depend on how many there are."""
    (rows, columns), terms = out.shape, a.shape[1]
    if rows * columns * terms <= _ALONE:
        _call_blas(keep, add, a, b, out)
    elif rows < columns:
        some = max(_ALONE // (rows * terms), 1)
        for j in range(0, columns, some):
            _call_blas(keep, add, a, b[:, j : j + some], out[:, j : j + some])
    else:
        some = max(_ALONE // (columns * terms), 1)
        for i in range(0, rows, some):
            _call_blas(keep, add, a[i : i + some], b, out[i : i + some])


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _in_tiles(keep: Real, add: Real, a: Array, b: Array, out: Array) -> None:
    """out <- keep out + add a b, a column of tiles after the other; what is in `out` is not read where keep is 0.

    What tiles read again and again, and lies far apart, is copied to panels before: some rows of a, some columns of b.
    """
    (rows, columns), terms, width, b = out.shape, a.shape[1], _LINE // out.itemsize, b.T
    left, right = _panels(out, _PANELS), _panels(out, 1)
    copies_a = a.strides[1] >= _FAR and columns >= _USES * width
    copies_b = b.strides[0] != b.itemsize or (b.strides[1] >= _FAR and rows >= 8 * _USES)
    apart = a.itemsize if copies_a else a.strides[0]
    high, long = _even(rows, (1 if copies_a else 2) * _PANELS * width, width), _even(terms, _TERMS, 1)
    for k in range(0, terms, long):
        some = min(long, terms - k)
        for i in range(0, rows, high):
            height, factor = min(high, rows - i), _onward(a, i, k)
            if copies_a:
                _copy(factor, height, some, left)
                factor = _matrix(left)
            for j in range(0, columns, width):
                wide, other = min(width, columns - j), _onward(b, j, k)
                if copies_b:
                    _copy(other, wide, some, right)
                    other = _matrix(right)
                _tiles(keep, add, factor, apart, other, _onward(out, i, j), height, wide, some)
        keep = out.dtype.type(1)


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _even(count: int, most: int, step: int) -> int:
    """How many to take at a time: at most so many, a multiple of a step, and about the same each time."""
    if count <= most:
        return count
    parts = (count + most - 1) // most
    return (count + parts * step - 1) // (parts * step) * step


@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _copy(x: Array, rows: int, columns: int, panels: Array) -> None:
    """The panels <- x, whose rows lie side by side there. Where they lie along memory, squares are turned, the last ones overlap."""
    width = _LINE // x.itemsize
    side = width // 2
    for i in range(0, rows, width):
        if x.strides[0] == x.itemsize and i + width <= rows:
            for k in range(columns):
                _copy_line(x, i, k, panels)
        elif x.strides[1] == x.itemsize and columns >= side:
            for row in range(i, min(i + width, rows), side):
                for k in range(0, columns, side):
                    _turn_square(x, rows, row, min(k, columns - side), panels)
        else:
            for row in range(i, min(i + width, rows)):
                for k in range(columns):
                    panels[i // width, k, row - i] = x[row, k]


@intrinsic(prefer_literal=False)
def _call_blas(_: Any, keep: Any, add: Any, a: Any, b: Any, out: Any) -> Any:
    """The function behind Numba's np.dot. It takes matrices whose columns lie along memory: out.T <- keep out.T + add b.T a.T."""

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        ensure_blas()
        numbers = [builder.bitcast(cgutils.alloca_once_value(builder, value), cgutils.voidptr_t) for value in values[:2]]
        zero = context.get_constant(types.intp, 0)
        left, right, result = (_entry(context, builder, kind, x, zero, zero) for kind, x in zip((a, b, out), values[2:], strict=True))
        data = [builder.bitcast(matrix[0], cgutils.voidptr_t) for matrix in (left, right, result)]
        item = zero.type(context.get_abi_sizeof(context.get_data_type(out.dtype)))
        orders, apart = zip(*(_order(builder, item, *matrix[1:]) for matrix in (left, right, result)), strict=True)
        kind, (m, k), (_, n) = cgutils.int8_t(ord("s" if out.dtype == types.float32 else "d")), left[2], right[2]
        call = (kind, orders[1], orders[0], n, m, k, numbers[1], data[1], apart[1], data[0], apart[0], numbers[0], data[2], apart[2])
        declared = cgutils.ir.FunctionType(cgutils.int32_t, [x.type for x in call])
        check_blas_return(context, builder, builder.call(cgutils.get_or_insert_function(builder.module, declared, "numba_xxgemm"), call))
        return context.get_dummy_value()

    return types.void(keep, add, a, b, out), build


def _order(builder: Any, item: Any, strides: Any, shape: Any) -> tuple[Any, Any]:
    """How a matrix lies in memory, in the words of BLAS: n where it is the transposed one whose columns lie along it, and how far apart."""
    along = builder.icmp_signed("==", strides[1], item)
    apart = builder.sdiv(builder.select(along, strides[0], strides[1]), item)
    least = builder.select(along, shape[1], shape[0])
    letter = builder.select(along, cgutils.int8_t(ord("n")), cgutils.int8_t(ord("t")))
    return letter, builder.select(builder.icmp_signed("<", apart, least), least, apart)


def _entry(context: Any, builder: Any, kind: Any, array: Any, i: Any, j: Any) -> tuple[Any, Any, Any]:
    """Where an entry of a matrix lies, and the matrix's strides and extents."""
    held = make_array(kind)(context, builder, array)
    strides, shape = (cgutils.unpack_tuple(builder, numbers) for numbers in (held.strides, held.shape))
    place = builder.add(builder.mul(i, strides[0]), builder.mul(j, strides[1]))
    return cgutils.pointer_add(builder, held.data, place), strides, shape


@intrinsic(prefer_literal=True)
def _panels(_: Any, like: Any, count: Any) -> Any:
    """Memory of the caller's own: [panel, term, row in the panel]."""
    kind = types.Array(like.dtype, 3, "C")

    def build(context: Any, builder: Any, _: Any, __: Any) -> Any:
        real = context.get_data_type(like.dtype)
        item = context.get_abi_sizeof(real)
        shape = (count.literal_value, _TERMS, _LINE // item)
        memory, array = cgutils.alloca_once(builder, real, math.prod(shape)), make_array(kind)(context, builder)
        memory.align = 64
        shape, strides = ([context.get_constant(types.intp, n) for n in numbers] for numbers in (shape, (_TERMS * _LINE, _LINE, item)))
        populate_array(array, data=memory, shape=shape, strides=strides, itemsize=strides[2], meminfo=None)
        return array._getvalue()

    return kind(like, count), build


@intrinsic(prefer_literal=False)
def _matrix(_: Any, panels: Any) -> Any:
    """Panels as a matrix: a row that begins a panel lies where the strides say, the others right after it."""
    kind = types.Array(panels.dtype, 2, "A")

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        data = make_array(panels)(context, builder, values[0]).data
        item = context.get_abi_sizeof(data.type.pointee)
        return _of_no_size(context, builder, kind, data, [context.get_constant(types.intp, n) for n in (_TERMS * item, _LINE, item)])

    return kind(panels), build


@intrinsic(prefer_literal=False)
def _onward(_: Any, x: Any, i: Any, k: Any) -> Any:
    """A matrix from row i and column k on."""
    kind = types.Array(x.dtype, 2, "A")

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        start, strides = _entry(context, builder, x, *values)[:2]
        return _of_no_size(context, builder, kind, start, [*strides, strides[0].type(context.get_abi_sizeof(start.type.pointee))])

    return kind(x, i, k), build


def _of_no_size(context: Any, builder: Any, kind: Any, data: Any, strides: list[Any]) -> Any:
    """A matrix whose extents are known to those who read it. The last of the strides is the size of an entry."""
    array, none = make_array(kind)(context, builder), strides[0].type(0)
    populate_array(array, data=data, shape=[none, none], strides=strides[:2], itemsize=strides[2], meminfo=None)
    return array._getvalue()


@intrinsic(prefer_literal=False)
def _copy_line(_: Any, x: Any, i: Any, k: Any, panels: Any) -> Any:
    """A line of a panel <- as many rows of column k of x, from row i on, which lie beside one another."""

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        x_, i_, k_, panels_ = values
        start = _entry(context, builder, x, x_, i_, k_)[0]
        to = _place(context, builder, panels, panels_, i_, k_)
        vector = cgutils.ir.VectorType(start.type.pointee, _LINE // context.get_abi_sizeof(start.type.pointee))
        line = builder.load(builder.bitcast(start, vector.as_pointer()), align=_LINE // vector.count)
        builder.store(line, builder.bitcast(to, vector.as_pointer()), align=_LINE // vector.count)
        return context.get_dummy_value()

    return types.void(x, i, k, panels), build


@intrinsic(prefer_literal=False)
def _turn_square(_: Any, x: Any, rows: Any, i: Any, k: Any, panels: Any) -> Any:
    """As many lines of a panel as half of it has columns, and that half: vectors are interleaved until rows are columns."""

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        x_, rows_, i_, k_, panels_ = values
        start, (stride, _), _ = _entry(context, builder, x, x_, i_, k_)
        to = _place(context, builder, panels, panels_, i_, k_)
        item = context.get_abi_sizeof(start.type.pointee)
        side = _LINE // item // 2
        last = builder.sub(builder.sub(rows_, i_), i_.type(1))
        vector = cgutils.ir.VectorType(start.type.pointee, side)
        places = [builder.mul(_least(builder, i_.type(r), last), stride) for r in range(side)]  # the last one stands for those beyond
        lines = [builder.load(cgutils.pointer_add(builder, start, place, vector.as_pointer()), align=item) for place in places]
        halves = [[(half * side + lane) // 2 + lane % 2 * side for lane in range(side)] for half in (0, 1)]
        for _ in range(side.bit_length() - 1):
            lines = [_picked(builder, lines[r], lines[r + side // 2], half) for r in range(side // 2) for half in halves]
        for r, line in enumerate(lines):
            builder.store(line, cgutils.pointer_add(builder, to, i_.type(r * _LINE), vector.as_pointer()), align=item)
        return context.get_dummy_value()

    return types.void(x, rows, i, k, panels), build


@intrinsic(prefer_literal=False)
def _tiles(_: Any, keep: Any, add: Any, a: Any, apart: Any, b: Any, out: Any, rows: Any, columns: Any, terms: Any) -> Any:
    """A column of tiles: out <- keep out + add a b.T, of such extents; apart: how far rows of a are apart, in bytes."""

    def build(context: Any, builder: Any, _: Any, values: Any) -> Any:
        keep_, add_, a_, apart_, b_, out_, *extents = values
        zero = apart_.type(0)
        (left, (across, along), _), (right, (_, line), _), (to, (down, _), _) = (
            _entry(context, builder, kind, matrix, zero, zero) for kind, matrix in ((a, a_), (b, b_), (out, out_))
        )
        numbers = [keep_, add_, left, across, apart_, along, right, line, to, down, *extents]
        kind = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [number.type for number in numbers])
        function = cgutils.get_or_insert_function(builder.module, kind, f"tiles of {out.dtype}")
        if not function.blocks:
            function.linkage = "internal"
            function.attributes.add("noinline")
            set[Any].add(function.attributes, '"prefer-vector-width"="512"')  # its own `add` takes no attribute with a value
            wide = "+avx512f" in context.codegen().magic_tuple()[2]  # 32 registers of 512 bits: 16 for the sums
            _column(function, 8 if wide else 2, _LINE // context.get_abi_sizeof(add_.type))
        builder.call(function, numbers)
        return context.get_dummy_value()

    return types.void(keep, add, a, apart, b, out, rows, columns, terms), build


def _column(function: Any, height: int, width: int) -> None:
    """Whole tiles, then lower ones whose rows and columns may reach beyond the matrix."""
    builder = cgutils.ir.IRBuilder(function.append_basic_block())
    rows, columns = function.args[10:12]
    n = rows.type
    whole = builder.sub(rows, builder.srem(rows, n(height)))
    whole = builder.select(builder.icmp_signed(">=", columns, n(width)), whole, n(0))
    for start, stop, tall, edge in ((n(0), whole, height, False), (whole, rows, height // 2, True)):
        with cgutils.for_range_slice(builder, start, stop, n(tall)) as (i, _):
            _tile(builder, function.args, i, tall, width, edge)
    builder.ret_void()


def _tile(builder: Any, arguments: Any, first: Any, height: int, width: int, edge: bool) -> None:
    """A tile. Beyond the last row its values stand once more; columns beyond the last are neither read nor written."""
    keep, add, left, across, apart, along, right, line, to, down, rows, columns, terms = arguments
    vector, item, fast, n = cgutils.ir.VectorType(add.type, width), _LINE // width, ("contract", "nsz"), rows.type
    load, store = _lanes(builder, vector, columns) if edge else (builder.load, builder.store)
    last = builder.sub(builder.sub(rows, first), n(1))
    at = [_least(builder, n(r), last) if edge else n(r) for r in range(height)]
    places = [cgutils.pointer_add(builder, to, builder.mul(builder.add(first, r), down), vector.as_pointer()) for r in at]
    with builder.if_then(builder.icmp_signed(">=", terms, n(_MANY))):
        for place in places:
            _fetch(builder, place)
    inside = builder.and_(first, n(width - 1))  # the panel
    start = builder.add(builder.mul(builder.sub(first, inside), across), builder.mul(inside, apart))
    starts = [cgutils.pointer_add(builder, left, builder.add(start, builder.mul(r, apart))) for r in at]
    sums = [cgutils.alloca_once(builder, vector) for _ in at]
    for total in sums:
        builder.store(cgutils.get_null_value(vector), total)
    with cgutils.for_range(builder, terms) as loop:
        x = load(cgutils.pointer_add(builder, right, builder.mul(loop.index, line), vector.as_pointer()), align=item)
        term = _opaque(builder, builder.mul(loop.index, along))
        for total, place in zip(sums, starts, strict=True):
            factor = builder.load(cgutils.pointer_add(builder, place, term))
            product = builder.fmul(_spread(builder, factor, width), x, flags=fast)
            builder.store(builder.fadd(builder.load(total), product, flags=fast), total)
    for total in sums:
        builder.store(builder.fmul(_spread(builder, add, width), builder.load(total)), total)
    with builder.if_then(builder.fcmp_unordered("!=", keep, keep.type(0))):
        for total, place in zip(sums, places, strict=True):
            kept = builder.fmul(_spread(builder, keep, width), load(place, align=item), flags=fast)
            builder.store(builder.fadd(builder.load(total), kept, flags=fast), total)
    for total, place in zip(sums, places, strict=True):
        store(builder.load(total), place, align=item)


def _lanes(builder: Any, vector: Any, columns: Any) -> tuple[Any, Any]:
    """How a vector is loaded and stored of which only the first columns are in the matrix; the others are 0."""
    ir, zero, at = cgutils.ir, cgutils.get_null_value(vector), vector.as_pointer()
    numbers = ir.VectorType(columns.type, vector.count)(list(range(vector.count)))
    mask = builder.icmp_signed("<", numbers, _spread(builder, columns, vector.count))
    end = f"v{vector.count}f{_LINE // vector.count * 8}.p0"

    def load(place: Any, align: int) -> Any:
        kind = ir.FunctionType(vector, [at, cgutils.int32_t, mask.type, vector])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{end}")
        return builder.call(function, [place, cgutils.int32_t(align), mask, zero])

    def store(x: Any, place: Any, align: int) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [vector, at, cgutils.int32_t, mask.type])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{end}")
        return builder.call(function, [x, place, cgutils.int32_t(align), mask])

    return load, store


def _place(context: Any, builder: Any, kind: Any, panels: Any, i: Any, k: Any) -> Any:
    """Where term k of row i lies in panels."""
    data = make_array(kind)(context, builder, panels).data
    n, width = i.type, _LINE // context.get_abi_sizeof(data.type.pointee)
    panel = builder.mul(builder.sdiv(i, n(width)), n(_TERMS * width))
    place = builder.add(builder.add(panel, builder.mul(k, n(width))), builder.srem(i, n(width)))
    return builder.gep(data, [place])


def _fetch(builder: Any, place: Any) -> None:
    """Has the processor load a row of a tile, to be written."""
    start, ir = builder.bitcast(place, cgutils.voidptr_t), cgutils.ir
    kind = ir.FunctionType(ir.VoidType(), [start.type, *[cgutils.int32_t] * 3])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    for line in range(0, _LINE, 64):
        builder.call(function, [cgutils.pointer_add(builder, start, line), *map(cgutils.int32_t, (1, 3, 1))])


def _opaque(builder: Any, x: Any) -> Any:
    """A number that the compiler knows nothing about: or it would move the rows of a tile on one by one, or each from the one before."""
    return builder.asm(cgutils.ir.FunctionType(x.type, [x.type]), "", "=r,0", [x], False)


def _least(builder: Any, x: Any, y: Any) -> Any:
    return builder.select(builder.icmp_signed("<", x, y), x, y)


def _picked(builder: Any, x: Any, y: Any, lanes: list[int]) -> Any:
    """A vector of some lanes of two."""
    return builder.shuffle_vector(x, y, cgutils.ir.VectorType(cgutils.int32_t, len(lanes))(lanes))


def _spread(builder: Any, x: Any, width: int) -> Any:
    """A vector of one number."""
    empty = cgutils.get_null_value(cgutils.ir.VectorType(x.type, width))
    one = builder.insert_element(empty, x, cgutils.int32_t(0))
    return _picked(builder, one, one, [0] * width)
