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
from numba import njit, prange

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Real = np.floating[Any] | float

FAST = {"contract", "arcp", "nsz"}  # fused multiply-add, division by reciprocals; NaN and infinity keep their meaning
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
def _power(k: Real) -> Real:
    """2^k for a whole number k from -1022 to 1023 (float32: -126 to 127): the bits of its exponent."""
    if isinstance(k, Float32):
        return np.int32(np.float32(k + np.float32(1.5 * 2**23 + 127)).view(np.int32) << 23).view(np.float32)
    return np.int64(np.float64(k + np.float64(1.5 * 2**52 + 1023)).view(np.int64) << 52).view(np.float64)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _reduced(x: Real, rest: Real) -> tuple[Real, Real]:
    """k and exp(r) - 1, where x - rest = k ln(2) + r with a whole number k and |r| <= ln(2) / 2 (Cody and Waite 1980)."""
    real = type(x)
    if isinstance(x, Float32):
        whole, high, low = real(1.5 * 2**23), real(0.693359375), real(-0.00021219444)
    else:
        whole, high, low = real(1.5 * 2**52), real(0.6931471803691238), real(1.9082149292705877e-10)
    k = ((x - rest) * real(1 / math.log(2)) + whole) - whole
    most = x - k * high  # exact: high has few digits
    less = k * low + rest
    r = most - less
    if isinstance(x, Float32):
        q = real(0.0013926176)
        q = (q * r + real(0.008363173)) * r + real(0.041666556)
        q = (q * r + real(0.16666578)) * r + real(0.5)
    else:
        q = real(2.5100375832561234e-08) * r + real(2.7620075879983367e-07)
        q = (q * r + real(2.7557268480310024e-06)) * r + real(2.4801521322368692e-05)
        q = (q * r + real(0.00019841269863040545)) * r + real(0.0013888888917196719)
        q = (q * r + real(0.008333333333330065)) * r + real(0.041666666666624164)
        q = (q * r + real(0.16666666666666669)) * r + real(0.5000000000000001)
    return k, r + (r * r * q + ((most - r) - less))


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _scaled(y: Real, k: Real) -> Real:
    """y 2^k for a whole number k, also where 2^k is out of range."""
    real = type(k)
    whole = real(1.5 * 2**23) if isinstance(k, Float32) else real(1.5 * 2**52)
    half = (real(0.5) * k + whole) - whole
    return y * _power(half) * _power(k - half)


@njit(error_model="numpy", fastmath={"contract", "nsz"}, forceinline=True)
def _exp(x: Real) -> Real:
    """exp(x), within 1 ulp: 2^k exp(r)."""
    real = type(x)
    low, high = (real(-104), real(89)) if isinstance(x, Float32) else (real(-746), real(710))
    k, e = _reduced(min(max(x, low), high), real(0))
    return _scaled(real(1) + e, k)


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
    s = f / (real(2) + f)  # log(1 + f) = log(1 + s) - log(1 - s) = 2s + s^3 q
    z = s * s
    if isinstance(x, Float32):
        high, low = real(0.693359375), real(-0.00021219444)
        q = real(0.23330468) * z + real(0.28550822)
        q = (q * z + real(0.40000123)) * z + real(0.6666667)
    else:
        high, low = real(0.6931471803691238), real(1.9082149292705877e-10)
        q = real(0.14616449685043406)
        q = (q * z + real(0.15331721600556042)) * z + real(0.18182889125261723)
        q = (q * z + real(0.2222221113479508)) * z + real(0.28571428625975487)
        q = (q * z + real(0.39999999999899505)) * z + real(0.666666666666667)
    square = real(0.5) * f * f
    y = k * high - ((square - (s * (square + z * q) + k * low)) - f)
    if real(0) < x < real(np.inf):
        return y
    if x == real(0):
        return real(-np.inf)
    return real(np.nan) if x < real(0) else x


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


@njit(error_model="numpy")
def _views(theta: Array) -> Parameters:
    """The parameters, or their derivatives, as views of one vector."""
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


@njit(error_model="numpy", fastmath=FAST)
def _predict_arrays(work: Array) -> tuple[Array, ...]:
    """The arrays of _predict_block: parts of a workspace, with room for 32 examples."""
    return (
        work[0:256].reshape(8, 32),  # X
        work[256:4352].reshape(8, 16, 32),  # H2
        work[4352:8448].reshape(8, 16, 32),  # Q3
        work[8448:12544].reshape(8, 16, 32),  # K3
        work[12544:16640].reshape(8, 16, 32),  # V3
        work[16640:18688].reshape(8, 8, 32),  # sum_K3_Q3
        work[18688:18944].reshape(8, 32),  # S3
        work[18944:18976],  # max_S3
        work[18976:19232].reshape(8, 32),  # exp_S3
        work[19232:19264],  # sum_exp_S3
        work[19264:21312].reshape(1, 8, 8, 32),  # P3
        work[21312:21824].reshape(1, 16, 32),  # O3
        work[21824:21856],  # H3
        work[21856:22368].reshape(16, 32),  # H4
        work[22368:22400],  # max_Z
        work[22400:22720].reshape(10, 32),  # Z
        work[22720:22752],  # sum_exp_Z
        work[22752:23072].reshape(10, 32),  # exp_Z
        work[23072:25632].reshape(8, 10, 32),  # P
    )


@njit(error_model="numpy", fastmath=FAST, forceinline=True)
def _predict_block(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    out: Array,
    arrays: tuple[Array, ...],
    block: int,
) -> None:
    """_predict_batch for the examples of a block, from order[start] on; their number is known to the compiler."""
    real = theta.dtype.type
    E1 = parameters.E1
    E2 = parameters.E2
    Wq3 = parameters.Wq3
    bq3 = parameters.bq3
    Wk3 = parameters.Wk3
    bk3 = parameters.bk3
    Wv3 = parameters.Wv3
    bv3 = parameters.bv3
    Wo3 = parameters.Wo3
    bo3 = parameters.bo3
    W5 = parameters.W5
    b5 = parameters.b5
    X, H2, Q3, K3, V3, sum_K3_Q3, S3, max_S3, exp_S3, sum_exp_S3, P3, O3, H3, H4, max_Z, Z, sum_exp_Z, exp_Z, P = arrays
    for n in range(block):
        example = order[start + n]
        for t in range(8):
            X[t, n] = examples[example, t]
    for t in range(8):
        for d in range(16):
            for n in range(block):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[int(X[t, n]), d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[t, d, n] = h1 + E2[t, d]
        for f in range(16):
            # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
            for n in range(block):
                Q3[t, f, n] = bq3[f]
            # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
            for n in range(block):
                K3[t, f, n] = bk3[f]
            # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
            for n in range(block):
                V3[t, f, n] = bv3[f]
            for d in range(0, 16, 4):
                for n in range(block):
                    # (3) continued
                    Q3[t, f, n] += Wq3[f, d + 1] * H2[t, d + 1, n] + Wq3[f, d + 2] * H2[t, d + 2, n]
                    Q3[t, f, n] += Wq3[f, d + 3] * H2[t, d + 3, n] + Wq3[f, d] * H2[t, d, n]
                    # (4) continued
                    K3[t, f, n] += Wk3[f, d + 1] * H2[t, d + 1, n] + Wk3[f, d + 2] * H2[t, d + 2, n]
                    K3[t, f, n] += Wk3[f, d + 3] * H2[t, d + 3, n] + Wk3[f, d] * H2[t, d, n]
                    # (5) continued
                    V3[t, f, n] += Wv3[f, d + 1] * H2[t, d + 1, n] + Wv3[f, d + 2] * H2[t, d + 2, n]
                    V3[t, f, n] += Wv3[f, d + 3] * H2[t, d + 3, n] + Wv3[f, d] * H2[t, d, n]
    # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
    for t_ in range(8):
        for t in range(8):
            for n in range(block):
                sum_K3_Q3[t_, t, n] = real(0)
            for e in range(0, 16, 4):
                for n in range(block):
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 1, n] * Q3[t, e + 1, n] + K3[t_, e + 2, n] * Q3[t, e + 2, n]
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 3, n] * Q3[t, e + 3, n] + K3[t_, e, n] * Q3[t, e, n]
    for h in range(1):
        for t in range(8):
            # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
            for t_ in range(8):
                for n in range(block):
                    S3[t_, n] = sum_K3_Q3[t_, t, n] / real(math.sqrt(16))
            # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
            for n in range(block):
                max_S3[n] = real(-np.inf)
            for t_ in range(t + 1):
                for n in range(block):
                    max_S3[n] = np.maximum(max_S3[n], S3[t_, n])
            # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
            for t_ in range(8):
                for n in range(block):
                    exp_S3[t_, n] = _exp(S3[t_, n] - max_S3[n])
            # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
            for n in range(block):
                sum_exp_S3[n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    sum_exp_S3[n] += exp_S3[t_, n]
            # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
            for t_ in range(8):
                for n in range(block):
                    P3[h, t, t_, n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    P3[h, t, t_, n] = exp_S3[t_, n] / sum_exp_S3[n]
    for t in range(8):
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for h in range(1):
            for e in range(16):
                for n in range(block):
                    term = V3[0, e, n] * P3[h, t, 0, n]
                    O3[h, e, n] = V3[1, e, n] * P3[h, t, 1, n] + V3[2, e, n] * P3[h, t, 2, n] + V3[3, e, n] * P3[h, t, 3, n] + term
                    O3[h, e, n] += V3[4, e, n] * P3[h, t, 4, n] + V3[5, e, n] * P3[h, t, 5, n]
                    O3[h, e, n] += V3[6, e, n] * P3[h, t, 6, n] + V3[7, e, n] * P3[h, t, 7, n]
        for d in range(16):
            # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
            for n in range(block):
                H3[n] = bo3[d]
            for h in range(1):
                for e in range(0, 16, 4):
                    for n in range(block):
                        H3[n] += Wo3[d, e + 1] * O3[h, e + 1, n] + Wo3[d, e + 2] * O3[h, e + 2, n]
                        H3[n] += Wo3[d, e + 3] * O3[h, e + 3, n] + Wo3[d, e] * O3[h, e, n]
            # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
            for n in range(block):
                H4[d, n] = H3[n] + H2[t, d, n]
        # start of (12a)
        for n in range(block):
            max_Z[n] = real(-np.inf)
        for c in range(10):
            # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
            for n in range(block):
                Z[c, n] = b5[c]
            for d in range(0, 16, 4):
                for n in range(block):
                    Z[c, n] += H4[d + 1, n] * W5[c, d + 1] + H4[d + 2, n] * W5[c, d + 2] + H4[d + 3, n] * W5[c, d + 3] + H4[d, n] * W5[c, d]
            # (12a)  max_Z[n,t] = max_c Z[n,t,c]
            for n in range(block):
                max_Z[n] = np.maximum(max_Z[n], Z[c, n])
        # start of (12c)
        for n in range(block):
            sum_exp_Z[n] = real(0)
        for c in range(10):
            for n in range(block):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z[c, n] = _exp(Z[c, n] - max_Z[n])
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z[n] += exp_Z[c, n]
        # (12d)  P[n,t,c] = exp_Z[n,t,c]/sum_exp_Z[n,t]
        for c in range(10):
            for n in range(block):
                P[t, c, n] = exp_Z[c, n] / sum_exp_Z[n]
    for n in range(block):
        for t in range(8):
            for c in range(10):
                out[order[start + n], t, c] = P[t, c, n]


@njit(error_model="numpy", fastmath=FAST)
def _predict_batch(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    stop: int,
    out: Array,
    arrays: tuple[Array, ...],
) -> None:
    """P for a batch of examples: of order[start] to order[stop - 1], in blocks of 32, 4 and 1."""
    for at in range(start, stop - (stop - start) % 32, 32):
        _predict_block(theta, parameters, examples, order, at, out, arrays, 32)
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        _predict_block(theta, parameters, examples, order, at, out, arrays, 4)
    for at in range(stop - (stop - start) % 4, stop):
        _predict_block(theta, parameters, examples, order, at, out, arrays, 1)


@njit(error_model="numpy", fastmath=FAST)
def _predict(theta: Array, examples: Labels, order: npt.NDArray[np.int64], out: Array, work: Array) -> None:
    """P for a batch of examples."""
    _predict_batch(theta, _views(theta), examples, order, 0, order.size, out, _predict_arrays(work))


@njit(error_model="numpy", fastmath=FAST)
def _loss_arrays(work: Array) -> tuple[Array, ...]:
    """The arrays of _loss_block: parts of a workspace, with room for 32 examples."""
    return (
        work[0:256].reshape(8, 32),  # X
        work[256:512].reshape(8, 32),  # y
        work[512:4608].reshape(8, 16, 32),  # H2
        work[4608:8704].reshape(8, 16, 32),  # Q3
        work[8704:12800].reshape(8, 16, 32),  # K3
        work[12800:16896].reshape(8, 16, 32),  # V3
        work[16896:18944].reshape(8, 8, 32),  # sum_K3_Q3
        work[18944:19200].reshape(8, 32),  # S3
        work[19200:19232],  # max_S3
        work[19232:19488].reshape(8, 32),  # exp_S3
        work[19488:19520],  # sum_exp_S3
        work[19520:21568].reshape(1, 8, 8, 32),  # P3
        work[21568:22080].reshape(1, 16, 32),  # O3
        work[22080:22112],  # H3
        work[22112:22624].reshape(16, 32),  # H4
        work[22624:22656],  # max_Z
        work[22656:22976].reshape(10, 32),  # Z
        work[22976:23008],  # sum_exp_Z
    )


@njit(error_model="numpy", fastmath=FAST, forceinline=True)
def _loss_block(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    targets: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    arrays: tuple[Array, ...],
    block: int,
) -> Real:
    """_loss_batch for the examples of a block, from order[start] on; their number is known to the compiler."""
    real = theta.dtype.type
    E1 = parameters.E1
    E2 = parameters.E2
    Wq3 = parameters.Wq3
    bq3 = parameters.bq3
    Wk3 = parameters.Wk3
    bk3 = parameters.bk3
    Wv3 = parameters.Wv3
    bv3 = parameters.bv3
    Wo3 = parameters.Wo3
    bo3 = parameters.bo3
    W5 = parameters.W5
    b5 = parameters.b5
    X, y, H2, Q3, K3, V3, sum_K3_Q3, S3, max_S3, exp_S3, sum_exp_S3, P3, O3, H3, H4, max_Z, Z, sum_exp_Z = arrays
    for n in range(block):
        example = order[start + n]
        for t in range(8):
            X[t, n] = examples[example, t]
        for t in range(8):
            y[t, n] = targets[example, t]
    sum_L = real(0)
    for t in range(8):
        for d in range(16):
            for n in range(block):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[int(X[t, n]), d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[t, d, n] = h1 + E2[t, d]
        for f in range(16):
            # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
            for n in range(block):
                Q3[t, f, n] = bq3[f]
            # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
            for n in range(block):
                K3[t, f, n] = bk3[f]
            # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
            for n in range(block):
                V3[t, f, n] = bv3[f]
            for d in range(0, 16, 4):
                for n in range(block):
                    # (3) continued
                    Q3[t, f, n] += Wq3[f, d + 1] * H2[t, d + 1, n] + Wq3[f, d + 2] * H2[t, d + 2, n]
                    Q3[t, f, n] += Wq3[f, d + 3] * H2[t, d + 3, n] + Wq3[f, d] * H2[t, d, n]
                    # (4) continued
                    K3[t, f, n] += Wk3[f, d + 1] * H2[t, d + 1, n] + Wk3[f, d + 2] * H2[t, d + 2, n]
                    K3[t, f, n] += Wk3[f, d + 3] * H2[t, d + 3, n] + Wk3[f, d] * H2[t, d, n]
                    # (5) continued
                    V3[t, f, n] += Wv3[f, d + 1] * H2[t, d + 1, n] + Wv3[f, d + 2] * H2[t, d + 2, n]
                    V3[t, f, n] += Wv3[f, d + 3] * H2[t, d + 3, n] + Wv3[f, d] * H2[t, d, n]
    # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
    for t_ in range(8):
        for t in range(8):
            for n in range(block):
                sum_K3_Q3[t_, t, n] = real(0)
            for e in range(0, 16, 4):
                for n in range(block):
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 1, n] * Q3[t, e + 1, n] + K3[t_, e + 2, n] * Q3[t, e + 2, n]
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 3, n] * Q3[t, e + 3, n] + K3[t_, e, n] * Q3[t, e, n]
    for h in range(1):
        for t in range(8):
            # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
            for t_ in range(8):
                for n in range(block):
                    S3[t_, n] = sum_K3_Q3[t_, t, n] / real(math.sqrt(16))
            # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
            for n in range(block):
                max_S3[n] = real(-np.inf)
            for t_ in range(t + 1):
                for n in range(block):
                    max_S3[n] = np.maximum(max_S3[n], S3[t_, n])
            # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
            for t_ in range(8):
                for n in range(block):
                    exp_S3[t_, n] = _exp(S3[t_, n] - max_S3[n])
            # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
            for n in range(block):
                sum_exp_S3[n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    sum_exp_S3[n] += exp_S3[t_, n]
            # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
            for t_ in range(8):
                for n in range(block):
                    P3[h, t, t_, n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    P3[h, t, t_, n] = exp_S3[t_, n] / sum_exp_S3[n]
    for t in range(8):
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for h in range(1):
            for e in range(16):
                for n in range(block):
                    term = V3[0, e, n] * P3[h, t, 0, n]
                    O3[h, e, n] = V3[1, e, n] * P3[h, t, 1, n] + V3[2, e, n] * P3[h, t, 2, n] + V3[3, e, n] * P3[h, t, 3, n] + term
                    O3[h, e, n] += V3[4, e, n] * P3[h, t, 4, n] + V3[5, e, n] * P3[h, t, 5, n]
                    O3[h, e, n] += V3[6, e, n] * P3[h, t, 6, n] + V3[7, e, n] * P3[h, t, 7, n]
        for d in range(16):
            # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
            for n in range(block):
                H3[n] = bo3[d]
            for h in range(1):
                for e in range(0, 16, 4):
                    for n in range(block):
                        H3[n] += Wo3[d, e + 1] * O3[h, e + 1, n] + Wo3[d, e + 2] * O3[h, e + 2, n]
                        H3[n] += Wo3[d, e + 3] * O3[h, e + 3, n] + Wo3[d, e] * O3[h, e, n]
            # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
            for n in range(block):
                H4[d, n] = H3[n] + H2[t, d, n]
        # start of (12a)
        for n in range(block):
            max_Z[n] = real(-np.inf)
        for c in range(10):
            # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
            for n in range(block):
                Z[c, n] = b5[c]
            for d in range(0, 16, 4):
                for n in range(block):
                    Z[c, n] += H4[d + 1, n] * W5[c, d + 1] + H4[d + 2, n] * W5[c, d + 2] + H4[d + 3, n] * W5[c, d + 3] + H4[d, n] * W5[c, d]
            # (12a)  max_Z[n,t] = max_c Z[n,t,c]
            for n in range(block):
                max_Z[n] = np.maximum(max_Z[n], Z[c, n])
        # start of (12c)
        for n in range(block):
            sum_exp_Z[n] = real(0)
        for c in range(10):
            for n in range(block):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z = _exp(Z[c, n] - max_Z[n])
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z[n] += exp_Z
        # (13a)  L = -(sum_n,t (Z[n,t,y[n,t]] - max_Z[n,t] - log(sum_exp_Z[n,t])))/(N N_t)
        for n in range(block):
            sum_L = _add(sum_L, Z[int(y[t, n]), n] - max_Z[n] - _log(sum_exp_Z[n]))
    return sum_L


@njit(error_model="numpy", fastmath=FAST)
def _loss_batch(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    targets: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    stop: int,
    N: int,
    arrays: tuple[Array, ...],
) -> float:
    """The loss of a batch: of order[start] to order[stop - 1], in blocks of 32, 4 and 1."""
    real = theta.dtype.type
    sum_L = 0.0
    for at in range(start, stop - (stop - start) % 32, 32):
        sum_L += _loss_block(theta, parameters, examples, targets, order, at, arrays, 32)
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        sum_L += _loss_block(theta, parameters, examples, targets, order, at, arrays, 4)
    for at in range(stop - (stop - start) % 4, stop):
        sum_L += _loss_block(theta, parameters, examples, targets, order, at, arrays, 1)
    # (13a) continued
    L = -sum_L / real(N * 8)
    return float(L)


@njit(error_model="numpy", fastmath=FAST)
def _loss(theta: Array, examples: Labels, targets: Labels, order: npt.NDArray[np.int64], work: Array) -> float:
    """The loss of a batch."""
    return _loss_batch(theta, _views(theta), examples, targets, order, 0, order.size, order.size, _loss_arrays(work))


@njit(error_model="numpy", fastmath=FAST)
def _gradients_arrays(work: Array) -> tuple[Array, ...]:
    """The arrays of _gradients_block: parts of a workspace, with room for 32 examples."""
    return (
        work[0:256].reshape(8, 32),  # X
        work[256:512].reshape(8, 32),  # y
        work[512:4608].reshape(8, 16, 32),  # H2
        work[4608:8704].reshape(8, 16, 32),  # Q3
        work[8704:12800].reshape(8, 16, 32),  # K3
        work[12800:16896].reshape(8, 16, 32),  # V3
        work[16896:18944].reshape(8, 8, 32),  # sum_K3_Q3
        work[18944:19200].reshape(8, 32),  # S3
        work[19200:19232],  # max_S3
        work[19232:19488].reshape(8, 32),  # exp_S3
        work[19488:19520],  # sum_exp_S3
        work[19520:21568].reshape(1, 8, 8, 32),  # P3
        work[21568:25664].reshape(8, 1, 16, 32),  # O3
        work[25664:25696],  # H3
        work[25696:29792].reshape(8, 16, 32),  # H4
        work[29792:29824],  # max_Z
        work[29824:30144].reshape(10, 32),  # Z
        work[30144:30176],  # sum_exp_Z
        work[30176:30496].reshape(10, 32),  # exp_Z
        work[30496:33056].reshape(8, 10, 32),  # dZ
        work[33056:37152].reshape(8, 16, 32),  # dH4
        work[37152:41248].reshape(8, 16, 32),  # dH3
        work[41248:41760].reshape(16, 32),  # sum_Wo3_dH3
        work[41760:45856].reshape(8, 1, 16, 32),  # dO3
        work[45856:49952].reshape(8, 16, 32),  # dV3
        work[49952:50208].reshape(8, 32),  # dP3
        work[50208:50240],  # sum_P3_dP3
        work[50240:52288].reshape(1, 8, 8, 32),  # dS3
        work[52288:56384].reshape(8, 16, 32),  # dK3
        work[56384:60480].reshape(8, 16, 32),  # dQ3
        work[60480:60512],  # dH2
        work[60512:64608].reshape(8, 16, 32),  # dH1
    )


@njit(error_model="numpy", fastmath=FAST, forceinline=True)
def _gradients_block(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    targets: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    N: int,
    derivatives: Parameters,
    arrays: tuple[Array, ...],
    block: int,
) -> Real:
    """_gradients_batch for the examples of a block, from order[start] on; their number is known to the compiler."""
    real = theta.dtype.type
    E1 = parameters.E1
    E2 = parameters.E2
    Wq3 = parameters.Wq3
    bq3 = parameters.bq3
    Wk3 = parameters.Wk3
    bk3 = parameters.bk3
    Wv3 = parameters.Wv3
    bv3 = parameters.bv3
    Wo3 = parameters.Wo3
    bo3 = parameters.bo3
    W5 = parameters.W5
    b5 = parameters.b5
    dE1 = derivatives.E1
    dE2 = derivatives.E2
    dWq3 = derivatives.Wq3
    dbq3 = derivatives.bq3
    dWk3 = derivatives.Wk3
    dbk3 = derivatives.bk3
    dWv3 = derivatives.Wv3
    dbv3 = derivatives.bv3
    dWo3 = derivatives.Wo3
    dbo3 = derivatives.bo3
    dW5 = derivatives.W5
    db5 = derivatives.b5
    (
        X,
        y,
        H2,
        Q3,
        K3,
        V3,
        sum_K3_Q3,
        S3,
        max_S3,
        exp_S3,
        sum_exp_S3,
        P3,
        O3,
        H3,
        H4,
        max_Z,
        Z,
        sum_exp_Z,
        exp_Z,
        dZ,
        dH4,
        dH3,
        sum_Wo3_dH3,
        dO3,
        dV3,
        dP3,
        sum_P3_dP3,
        dS3,
        dK3,
        dQ3,
        dH2,
        dH1,
    ) = arrays
    for n in range(block):
        example = order[start + n]
        for t in range(8):
            X[t, n] = examples[example, t]
        for t in range(8):
            y[t, n] = targets[example, t]
    sum_L = real(0)
    for t in range(8):
        for d in range(16):
            for n in range(block):
                # (1)  H1[n,t,d] = E1[X[n,t],d]
                h1 = E1[int(X[t, n]), d]
                # (2)  H2[n,t,d] = E2[t,d] + H1[n,t,d]
                H2[t, d, n] = h1 + E2[t, d]
        for f in range(16):
            # (3)  Q3[n,t,f] = bq3[f] + sum_d Wq3[f,d] H2[n,t,d]
            for n in range(block):
                Q3[t, f, n] = bq3[f]
            # (4)  K3[n,t,f] = bk3[f] + sum_d Wk3[f,d] H2[n,t,d]
            for n in range(block):
                K3[t, f, n] = bk3[f]
            # (5)  V3[n,t,f] = bv3[f] + sum_d Wv3[f,d] H2[n,t,d]
            for n in range(block):
                V3[t, f, n] = bv3[f]
            for d in range(0, 16, 4):
                for n in range(block):
                    # (3) continued
                    Q3[t, f, n] += Wq3[f, d + 1] * H2[t, d + 1, n] + Wq3[f, d + 2] * H2[t, d + 2, n]
                    Q3[t, f, n] += Wq3[f, d + 3] * H2[t, d + 3, n] + Wq3[f, d] * H2[t, d, n]
                    # (4) continued
                    K3[t, f, n] += Wk3[f, d + 1] * H2[t, d + 1, n] + Wk3[f, d + 2] * H2[t, d + 2, n]
                    K3[t, f, n] += Wk3[f, d + 3] * H2[t, d + 3, n] + Wk3[f, d] * H2[t, d, n]
                    # (5) continued
                    V3[t, f, n] += Wv3[f, d + 1] * H2[t, d + 1, n] + Wv3[f, d + 2] * H2[t, d + 2, n]
                    V3[t, f, n] += Wv3[f, d + 3] * H2[t, d + 3, n] + Wv3[f, d] * H2[t, d, n]
    # (6a)  sum_K3_Q3[n,t',t] = sum_e K3[n,t',e] Q3[n,t,e]
    for t_ in range(8):
        for t in range(8):
            for n in range(block):
                sum_K3_Q3[t_, t, n] = real(0)
            for e in range(0, 16, 4):
                for n in range(block):
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 1, n] * Q3[t, e + 1, n] + K3[t_, e + 2, n] * Q3[t, e + 2, n]
                    sum_K3_Q3[t_, t, n] += K3[t_, e + 3, n] * Q3[t, e + 3, n] + K3[t_, e, n] * Q3[t, e, n]
    for h in range(1):
        for t in range(8):
            # (6b)  S3[n,h,t,t'] = sum_K3_Q3[n,t',t]/sqrt(N_e)
            for t_ in range(8):
                for n in range(block):
                    S3[t_, n] = sum_K3_Q3[t_, t, n] / real(math.sqrt(16))
            # (7a)  max_S3[n,h,t] = max_t' where(t >= t', S3[n,h,t,t'], -inf)
            for n in range(block):
                max_S3[n] = real(-np.inf)
            for t_ in range(t + 1):
                for n in range(block):
                    max_S3[n] = np.maximum(max_S3[n], S3[t_, n])
            # (7b)  exp_S3[n,h,t,t'] = exp(S3[n,h,t,t'] - max_S3[n,h,t])
            for t_ in range(8):
                for n in range(block):
                    exp_S3[t_, n] = _exp(S3[t_, n] - max_S3[n])
            # (7c)  sum_exp_S3[n,h,t] = sum_t' [t' <= t] exp_S3[n,h,t,t']
            for n in range(block):
                sum_exp_S3[n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    sum_exp_S3[n] += exp_S3[t_, n]
            # (7d)  P3[n,h,t,t'] = [t' <= t] exp_S3[n,h,t,t']/sum_exp_S3[n,h,t]
            for t_ in range(8):
                for n in range(block):
                    P3[h, t, t_, n] = real(0)
            for t_ in range(t + 1):
                for n in range(block):
                    P3[h, t, t_, n] = exp_S3[t_, n] / sum_exp_S3[n]
    for t in range(8):
        # (8)  O3[n,t,h,e] = sum_t' V3[n,t',e] P3[n,h,t,t']
        for h in range(1):
            for e in range(16):
                for n in range(block):
                    term = V3[0, e, n] * P3[h, t, 0, n]
                    O3[t, h, e, n] = V3[1, e, n] * P3[h, t, 1, n] + V3[2, e, n] * P3[h, t, 2, n] + V3[3, e, n] * P3[h, t, 3, n] + term
                    O3[t, h, e, n] += V3[4, e, n] * P3[h, t, 4, n] + V3[5, e, n] * P3[h, t, 5, n]
                    O3[t, h, e, n] += V3[6, e, n] * P3[h, t, 6, n] + V3[7, e, n] * P3[h, t, 7, n]
        for d in range(16):
            # (9)  H3[n,t,d] = bo3[d] + sum_e,h Wo3[d,e] O3[n,t,h,e]
            for n in range(block):
                H3[n] = bo3[d]
            for h in range(1):
                for e in range(0, 16, 4):
                    for n in range(block):
                        H3[n] += Wo3[d, e + 1] * O3[t, h, e + 1, n] + Wo3[d, e + 2] * O3[t, h, e + 2, n]
                        H3[n] += Wo3[d, e + 3] * O3[t, h, e + 3, n] + Wo3[d, e] * O3[t, h, e, n]
            # (10)  H4[n,t,d] = H2[n,t,d] + H3[n,t,d]
            for n in range(block):
                H4[t, d, n] = H3[n] + H2[t, d, n]
        # start of (12a)
        for n in range(block):
            max_Z[n] = real(-np.inf)
        for c in range(10):
            # (11)  Z[n,t,c] = b5[c] + sum_d W5[c,d] H4[n,t,d]
            for n in range(block):
                Z[c, n] = b5[c]
            for d in range(0, 16, 4):
                for n in range(block):
                    Z[c, n] += W5[c, d + 1] * H4[t, d + 1, n] + W5[c, d + 2] * H4[t, d + 2, n]
                    Z[c, n] += W5[c, d + 3] * H4[t, d + 3, n] + W5[c, d] * H4[t, d, n]
            # (12a)  max_Z[n,t] = max_c Z[n,t,c]
            for n in range(block):
                max_Z[n] = np.maximum(max_Z[n], Z[c, n])
        # start of (12c)
        for n in range(block):
            sum_exp_Z[n] = real(0)
        for c in range(10):
            for n in range(block):
                # (12b)  exp_Z[n,t,c] = exp(Z[n,t,c] - max_Z[n,t])
                exp_Z[c, n] = _exp(Z[c, n] - max_Z[n])
                # (12c)  sum_exp_Z[n,t] = sum_c exp_Z[n,t,c]
                sum_exp_Z[n] += exp_Z[c, n]
        for c in range(10):
            for n in range(block):
                # (12d)  P[n,t,c] = exp_Z[n,t,c]/sum_exp_Z[n,t]
                p = exp_Z[c, n] / sum_exp_Z[n]
                # (15)  dZ[n,t,c] = (P[n,t,c] - [y[n,t] = c])/(N N_t)
                dZ[t, c, n] = p / real(N * 8)
        for n in range(block):
            # (13a)  L = -(sum_n,t (Z[n,t,y[n,t]] - max_Z[n,t] - log(sum_exp_Z[n,t])))/(N N_t)
            sum_L = _add(sum_L, Z[int(y[t, n]), n] - max_Z[n] - _log(sum_exp_Z[n]))
            # (15) continued
            dZ[t, int(y[t, n]), n] -= real(1 / (N * 8))
        for d in range(16):
            # (18)  dH4[n,t,d] = sum_c W5[c,d] dZ[n,t,c]
            for n in range(block):
                dH4[t, d, n] = real(0)
            for c in range(0, 8, 4):
                for n in range(block):
                    dH4[t, d, n] += W5[c + 1, d] * dZ[t, c + 1, n] + W5[c + 2, d] * dZ[t, c + 2, n]
                    dH4[t, d, n] += W5[c + 3, d] * dZ[t, c + 3, n] + W5[c, d] * dZ[t, c, n]
            for c in range(8, 10):
                for n in range(block):
                    dH4[t, d, n] += W5[c, d] * dZ[t, c, n]
            # (19)  dH3[n,t,d] = dH4[n,t,d]
            for n in range(block):
                dH3[t, d, n] = dH4[t, d, n]
        # (22a)  sum_Wo3_dH3[n,t,e] = sum_d Wo3[d,e] dH3[n,t,d]
        for e in range(16):
            for n in range(block):
                sum_Wo3_dH3[e, n] = real(0)
            for d in range(0, 16, 4):
                for n in range(block):
                    sum_Wo3_dH3[e, n] += Wo3[d + 1, e] * dH3[t, d + 1, n] + Wo3[d + 2, e] * dH3[t, d + 2, n]
                    sum_Wo3_dH3[e, n] += Wo3[d + 3, e] * dH3[t, d + 3, n] + Wo3[d, e] * dH3[t, d, n]
        # (22b)  dO3[n,t,h,e] = sum_Wo3_dH3[n,t,e]
        for h in range(1):
            for e in range(16):
                for n in range(block):
                    dO3[t, h, e, n] = sum_Wo3_dH3[e, n]
    for c in range(10):
        # (16)  dW5[c,d] = sum_n,t H4[n,t,d] dZ[n,t,c]
        for d in range(16):
            sum_dW5 = dW5[c, d]
            for t in range(8):
                for n in range(block):
                    sum_dW5 = _add(sum_dW5, H4[t, d, n] * dZ[t, c, n])
            dW5[c, d] = sum_dW5
        # (17)  db5[c] = sum_n,t dZ[n,t,c]
        sum_db5 = db5[c]
        for t in range(8):
            for n in range(block):
                sum_db5 = _add(sum_db5, dZ[t, c, n])
        db5[c] = sum_db5
    for d in range(16):
        # (20)  dWo3[d,f] = sum_h,n,t dH3[n,t,d] O3[n,t,h,f]
        for f in range(16):
            sum_dWo3 = dWo3[d, f]
            for t in range(8):
                for h in range(1):
                    for n in range(block):
                        sum_dWo3 = _add(sum_dWo3, dH3[t, d, n] * O3[t, h, f, n])
            dWo3[d, f] = sum_dWo3
        # (21)  dbo3[d] = sum_n,t dH3[n,t,d]
        sum_dbo3 = dbo3[d]
        for t in range(8):
            for n in range(block):
                sum_dbo3 = _add(sum_dbo3, dH3[t, d, n])
        dbo3[d] = sum_dbo3
    # (23)  dV3[n,t,f] = sum_h,t' P3[n,h,t',t] dO3[n,t',h,f]
    for t in range(8):
        for f in range(16):
            for n in range(block):
                term = P3[0, 0, t, n] * dO3[0, 0, f, n]
                dV3[t, f, n] = P3[0, 1, t, n] * dO3[1, 0, f, n] + P3[0, 2, t, n] * dO3[2, 0, f, n] + P3[0, 3, t, n] * dO3[3, 0, f, n] + term
                dV3[t, f, n] += P3[0, 4, t, n] * dO3[4, 0, f, n] + P3[0, 5, t, n] * dO3[5, 0, f, n]
                dV3[t, f, n] += P3[0, 6, t, n] * dO3[6, 0, f, n] + P3[0, 7, t, n] * dO3[7, 0, f, n]
    for h in range(1):
        for t in range(8):
            # (24)  dP3[n,h,t,t'] = sum_e V3[n,t',e] dO3[n,t,h,e]
            for t_ in range(8):
                for n in range(block):
                    dP3[t_, n] = real(0)
                for e in range(0, 16, 4):
                    for n in range(block):
                        dP3[t_, n] += V3[t_, e + 1, n] * dO3[t, h, e + 1, n] + V3[t_, e + 2, n] * dO3[t, h, e + 2, n]
                        dP3[t_, n] += V3[t_, e + 3, n] * dO3[t, h, e + 3, n] + V3[t_, e, n] * dO3[t, h, e, n]
            # (25a)  sum_P3_dP3[n,h,t] = sum_t' P3[n,h,t,t'] dP3[n,h,t,t']
            for n in range(block):
                term = dP3[0, n] * P3[h, t, 0, n]
                sum_P3_dP3[n] = dP3[1, n] * P3[h, t, 1, n] + dP3[2, n] * P3[h, t, 2, n] + dP3[3, n] * P3[h, t, 3, n] + term
                sum_P3_dP3[n] += dP3[4, n] * P3[h, t, 4, n] + dP3[5, n] * P3[h, t, 5, n]
                sum_P3_dP3[n] += dP3[6, n] * P3[h, t, 6, n] + dP3[7, n] * P3[h, t, 7, n]
            # (25b)  dS3[n,h,t,t'] = (dP3[n,h,t,t'] - sum_P3_dP3[n,h,t]) P3[n,h,t,t']
            for t_ in range(8):
                for n in range(block):
                    dS3[h, t, t_, n] = (dP3[t_, n] - sum_P3_dP3[n]) * P3[h, t, t_, n]
    for t in range(8):
        for f in range(16):
            for n in range(block):
                # (26)  dK3[n,t,f] = (sum_h,t' Q3[n,t',f] dS3[n,h,t',t])/sqrt(N_e)
                term = Q3[0, f, n] * dS3[0, 0, t, n]
                term_ = Q3[1, f, n] * dS3[0, 1, t, n]
                term__ = Q3[2, f, n] * dS3[0, 2, t, n]
                term___ = Q3[3, f, n] * dS3[0, 3, t, n]
                term____ = Q3[4, f, n] * dS3[0, 4, t, n]
                term_____ = Q3[5, f, n] * dS3[0, 5, t, n]
                term______ = Q3[6, f, n] * dS3[0, 6, t, n]
                factor = Q3[7, f, n] * dS3[0, 7, t, n] + term + term_ + term__ + term___ + term____ + term_____ + term______
                dK3[t, f, n] = factor / real(math.sqrt(16))
                # (27)  dQ3[n,t,f] = (sum_h,t' K3[n,t',f] dS3[n,h,t,t'])/sqrt(N_e)
                term = K3[0, f, n] * dS3[0, t, 0, n]
                term_ = K3[1, f, n] * dS3[0, t, 1, n]
                term__ = K3[2, f, n] * dS3[0, t, 2, n]
                term___ = K3[3, f, n] * dS3[0, t, 3, n]
                term____ = K3[4, f, n] * dS3[0, t, 4, n]
                term_____ = K3[5, f, n] * dS3[0, t, 5, n]
                term______ = K3[6, f, n] * dS3[0, t, 6, n]
                factor = K3[7, f, n] * dS3[0, t, 7, n] + term + term_ + term__ + term___ + term____ + term_____ + term______
                dQ3[t, f, n] = factor / real(math.sqrt(16))
        for d in range(16):
            # (34)  dH2[n,t,d] = dH4[n,t,d] + sum_f Wk3[f,d] dK3[n,t,f] + sum_f Wq3[f,d] dQ3[n,t,f] + sum_f Wv3[f,d] dV3[n,t,f]
            for n in range(block):
                dH2[n] = dH4[t, d, n]
            for f in range(0, 16, 4):
                for n in range(block):
                    dH2[n] += Wk3[f + 1, d] * dK3[t, f + 1, n] + Wk3[f + 2, d] * dK3[t, f + 2, n] + Wk3[f + 3, d] * dK3[t, f + 3, n]
                    dH2[n] += Wk3[f, d] * dK3[t, f, n] + Wq3[f + 1, d] * dQ3[t, f + 1, n] + Wq3[f + 2, d] * dQ3[t, f + 2, n]
                    dH2[n] += Wq3[f + 3, d] * dQ3[t, f + 3, n] + Wq3[f, d] * dQ3[t, f, n] + Wv3[f + 1, d] * dV3[t, f + 1, n]
                    dH2[n] += Wv3[f + 2, d] * dV3[t, f + 2, n] + Wv3[f + 3, d] * dV3[t, f + 3, n] + Wv3[f, d] * dV3[t, f, n]
            # (35)  dE2[t,d] = sum_n dH2[n,t,d]
            sum_dE2 = dE2[t, d]
            for n in range(block):
                sum_dE2 = _add(sum_dE2, dH2[n])
                # (36)  dH1[n,t,d] = dH2[n,t,d]
                dH1[t, d, n] = dH2[n]
            # (35) continued
            dE2[t, d] = sum_dE2
    for f in range(16):
        for d in range(16):
            # (28)  dWv3[f,d] = sum_n,t H2[n,t,d] dV3[n,t,f]
            sum_dWv3 = dWv3[f, d]
            # (30)  dWk3[f,d] = sum_n,t H2[n,t,d] dK3[n,t,f]
            sum_dWk3 = dWk3[f, d]
            # (32)  dWq3[f,d] = sum_n,t H2[n,t,d] dQ3[n,t,f]
            sum_dWq3 = dWq3[f, d]
            for t in range(8):
                for n in range(block):
                    # (28) continued
                    sum_dWv3 = _add(sum_dWv3, H2[t, d, n] * dV3[t, f, n])
                    # (30) continued
                    sum_dWk3 = _add(sum_dWk3, H2[t, d, n] * dK3[t, f, n])
                    # (32) continued
                    sum_dWq3 = _add(sum_dWq3, H2[t, d, n] * dQ3[t, f, n])
            # (28) continued
            dWv3[f, d] = sum_dWv3
            # (30) continued
            dWk3[f, d] = sum_dWk3
            # (32) continued
            dWq3[f, d] = sum_dWq3
        # (29)  dbv3[f] = sum_n,t dV3[n,t,f]
        sum_dbv3 = dbv3[f]
        # (31)  dbk3[f] = sum_n,t dK3[n,t,f]
        sum_dbk3 = dbk3[f]
        # (33)  dbq3[f] = sum_n,t dQ3[n,t,f]
        sum_dbq3 = dbq3[f]
        for t in range(8):
            for n in range(block):
                # (29) continued
                sum_dbv3 = _add(sum_dbv3, dV3[t, f, n])
                # (31) continued
                sum_dbk3 = _add(sum_dbk3, dK3[t, f, n])
                # (33) continued
                sum_dbq3 = _add(sum_dbq3, dQ3[t, f, n])
        # (29) continued
        dbv3[f] = sum_dbv3
        # (31) continued
        dbk3[f] = sum_dbk3
        # (33) continued
        dbq3[f] = sum_dbq3
    # (37)  dE1[v,d] = sum_n,t [X[n,t] = v] dH1[n,t,d]
    for d in range(16):
        for t in range(8):
            for n in range(block):
                dE1[int(X[t, n]), d] += dH1[t, d, n]
    return sum_L


@njit(error_model="numpy", fastmath=FAST)
def _gradients_batch(
    theta: Array,
    parameters: Parameters,
    examples: Labels,
    targets: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    stop: int,
    N: int,
    derivatives: Parameters,
    arrays: tuple[Array, ...],
) -> float:
    """The loss of a batch; its derivatives go into `gradient`: of order[start] to order[stop - 1], in blocks of 32, 4 and 1."""
    real = theta.dtype.type
    dE1 = derivatives.E1
    dE2 = derivatives.E2
    dWq3 = derivatives.Wq3
    dbq3 = derivatives.bq3
    dWk3 = derivatives.Wk3
    dbk3 = derivatives.bk3
    dWv3 = derivatives.Wv3
    dbv3 = derivatives.bv3
    dWo3 = derivatives.Wo3
    dbo3 = derivatives.bo3
    dW5 = derivatives.W5
    db5 = derivatives.b5
    # start of (16), (17), (20), (21), (28), (29), (30), (31), (32), (33), (35), (37)
    for c in range(10):
        for d in range(16):
            dW5[c, d] = real(0)
    for c in range(10):
        db5[c] = real(0)
    for d in range(16):
        for f in range(16):
            dWo3[d, f] = real(0)
    for d in range(16):
        dbo3[d] = real(0)
    for f in range(16):
        for d in range(16):
            dWv3[f, d] = real(0)
    for f in range(16):
        dbv3[f] = real(0)
    for f in range(16):
        for d in range(16):
            dWk3[f, d] = real(0)
    for f in range(16):
        dbk3[f] = real(0)
    for f in range(16):
        for d in range(16):
            dWq3[f, d] = real(0)
    for f in range(16):
        dbq3[f] = real(0)
    for t in range(8):
        for d in range(16):
            dE2[t, d] = real(0)
    for v in range(10):
        for d in range(16):
            dE1[v, d] = real(0)
    sum_L = 0.0
    for at in range(start, stop - (stop - start) % 32, 32):
        sum_L += _gradients_block(theta, parameters, examples, targets, order, at, N, derivatives, arrays, 32)
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        sum_L += _gradients_block(theta, parameters, examples, targets, order, at, N, derivatives, arrays, 4)
    for at in range(stop - (stop - start) % 4, stop):
        sum_L += _gradients_block(theta, parameters, examples, targets, order, at, N, derivatives, arrays, 1)
    # (13a) continued
    L = -sum_L / real(N * 8)
    return float(L)


@njit(error_model="numpy", fastmath=FAST, parallel=True)
def _gradients_chunks(
    theta: Array,
    examples: Labels,
    targets: Labels,
    order: npt.NDArray[np.int64],
    start: int,
    N: int,
    gradient: Array,
    chunks: Array,
    parts: Array,
    works: Array,
) -> float:
    """_gradients_batch by several threads, 1024 of the N examples from order[start] on at a time.

    chunks take the derivatives, parts the losses, works are workspaces. All are added in one order, whatever the
    number of threads.
    """
    count = (N + 1023) // 1024
    for k in prange(count):
        first = 1024 * k
        parts[k] = _gradients_batch(
            theta,
            _views(theta),
            examples,
            targets,
            order,
            start + first,
            start + min(first + 1024, N),
            N,
            _views(chunks[k]),
            _gradients_arrays(works[k]),
        )
    total = 0.0
    for p in range(1546):
        gradient[p] = 0
    for k in range(count):
        total += parts[k]
        for p in range(1546):
            gradient[p] += chunks[k, p]
    return total


@njit(error_model="numpy", fastmath=FAST)
def _gradients(theta: Array, examples: Labels, targets: Labels, order: npt.NDArray[np.int64], gradient: Array, work: Array) -> float:
    """The loss of a batch; its derivatives go into `gradient`."""
    return _gradients_batch(
        theta, _views(theta), examples, targets, order, 0, order.size, order.size, _views(gradient), _gradients_arrays(work)
    )


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
        velocity[k] = real(momentum) * velocity[k] + real(weight_decay) * theta[k] + gradient[k]
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
    examples: Labels,
    targets: Labels,
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
    gradient: Array,
    work: Array,
    threads: tuple[Array, Array, Array] | None,
    losses: npt.NDArray[np.float64],
) -> int:
    """All epochs of training, in place on theta; gives the number of the last step. The caller allocates everything that this writes to.

    All optimizers but one are None, and Numba compiles that one alone.
    """
    parameters, derivatives, arrays = _views(theta), _views(gradient), _gradients_arrays(work)
    for epoch in range(epochs):
        if shuffle:
            _shuffle(rng, order)
        total = 0.0
        for start in range(0, order.size, batch_size):
            N = min(batch_size, order.size - start)
            if threads is not None:
                chunks, parts, works = threads
                total += N * _gradients_chunks(theta, examples, targets, order, start, N, gradient, chunks, parts, works)
            else:
                total += N * _gradients_batch(theta, parameters, examples, targets, order, start, start + N, N, derivatives, arrays)
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
        losses[epoch] = total / order.size
    return steps


# -- public functions


def predict(p: Parameters, X: npt.ArrayLike) -> Array:
    """P, softmax: an array [N, 8, 10]. An empty X gives an empty array."""
    theta = _pack(p)
    examples = _examples(X)
    N = examples.shape[0]
    P = np.empty((N, 8, 10), theta.dtype)
    work = np.empty(25632, theta.dtype)
    if N > 0:
        _predict(theta, examples, np.arange(N, dtype=np.int64), P, work)
    return P


def loss(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The loss of p on the examples X with targets y."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    work = np.empty(23008, theta.dtype)
    return _loss(theta, examples, targets, np.arange(N, dtype=np.int64), work)


def gradients(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, Parameters]:
    """The loss, and its derivative with respect to every parameter."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    gradient = np.empty_like(theta)
    work = np.empty(64608, theta.dtype)
    L = _gradients(theta, examples, targets, np.arange(N, dtype=np.int64), gradient, work)
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
    several calls continue one another. The same seed gives the same bits. The last
    batch of an epoch may be smaller. The loss of an epoch is the mean over its examples,
    each taken before the step that used it.

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
    epochs, batch_size = _count("epochs", epochs), _count("batch_size", batch_size)
    rate = _number("learning_rate", learning_rate, theta.dtype, above=0)
    _demand_type("shuffle", shuffle, (bool, np.bool), "True or False")
    dtype = theta.dtype
    chosen = _optimizer(SGD() if optimizer is None else optimizer, dtype)
    steps, memory = _remembered(state, chosen, dtype)
    order = np.arange(examples.shape[0], dtype=np.int64)
    N = min(batch_size, order.size)
    losses = np.empty(epochs, np.float64)
    threads = None
    if N >= 4096:  # fewer are faster in one thread
        count = (N + 1023) // 1024
        threads = np.empty((count, 1546), dtype), np.empty(count), np.empty((count, 64608), dtype)
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
        np.empty_like(theta),
        np.empty(64608, dtype),
        threads,
        losses,
    )
    if state is not None:
        state.optimizer, state.steps, state.vectors = type(chosen).__name__, steps, memory
    return _unpack(theta), losses


# -- checks: a kernel reads memory without asking, so nothing wrong may reach it


def _pack(p: Parameters) -> Array:
    """The parameters as one new vector; refuses other shapes and types."""
    shapes = {
        "E1": (10, 16),
        "E2": (8, 16),
        "Wq3": (16, 16),
        "bq3": (16,),
        "Wk3": (16, 16),
        "bk3": (16,),
        "Wv3": (16, 16),
        "bv3": (16,),
        "Wo3": (16, 16),
        "bo3": (16,),
        "W5": (10, 16),
        "b5": (10,),
    }
    _demand_type("p", p, (tuple, list), "Parameters(E1, E2, Wq3, bq3, Wk3, bk3, Wv3, bv3, Wo3, bo3, W5, b5)")
    if len(p) != len(shapes):
        raise TypeError(f"p holds {len(p)} arrays: Parameters({', '.join(shapes)}) is needed")
    dtype = _real_type(np.asarray(p[0]).dtype)
    for (name, shape), array in zip(shapes.items(), p, strict=True):
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
        E1=theta[0:160].reshape(10, 16),
        E2=theta[160:288].reshape(8, 16),
        Wq3=theta[288:544].reshape(16, 16),
        bq3=theta[544:560],
        Wk3=theta[560:816].reshape(16, 16),
        bk3=theta[816:832],
        Wv3=theta[832:1088].reshape(16, 16),
        bv3=theta[1088:1104],
        Wo3=theta[1104:1360].reshape(16, 16),
        bo3=theta[1360:1376],
        W5=theta[1376:1536].reshape(10, 16),
        b5=theta[1536:1546],
    )


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


def _batch(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Labels, Labels]:
    """The arguments of a kernel that needs targets; refuses an empty batch, whose loss is undefined."""
    theta = _pack(p)
    examples = _examples(X)
    if examples.shape[0] == 0:
        raise ValueError("X holds no examples: the loss of an empty batch is undefined")
    return theta, examples, _targets(y, examples.shape[0])


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
        return 0, np.zeros(size, dtype)
    if state.optimizer != name:
        raise ValueError(f"the state is that of {state.optimizer}, and the optimizer is {name}: a State() of its own is needed")
    kept = np.asarray(state.vectors)
    if kept.shape != (size,) or kept.dtype != dtype:
        raise ValueError(f"state.vectors has shape {kept.shape} and dtype {kept.dtype}: ({size},) and {dtype} are needed")
    return _count("state.steps", state.steps), kept.copy()


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
