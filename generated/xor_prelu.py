"""xor_prelu: 2 - 3 prelu - 1 identity, binary_cross_entropy_with_logits (mean).

Axes:
    n  examples (N)
    i  inputs (D = 2)
    c  outputs (C = 1)
    j  hidden layer 1 (H = 3)

The comment over a loop or a product is the equation that it computes, with its number in the network's derivation
(docs/derivations/ for the shipped networks, `chainrule derive` for any).

    p = init(seed=0)
    p, losses = train(p, X, y, epochs=10, batch_size=32, learning_rate=0.1)
    P = predict(p, X)

X holds an example a row, [N, 2]; y holds a row of numbers in [0, 1] for each example, [N, 1].
Everything is computed in the type of the parameters, float32 or float64. X and y may be of any type of real numbers and in any
order in memory: what is not a contiguous array of the parameters' type is copied into one.
NaN or infinity in an example reaches its own prediction and no other; loss, gradients and train refuse NaN.
Large batches are computed by several threads of Numba: NUMBA_NUM_THREADS, or numba.set_num_threads in the thread that calls.
Where that is 1, forked processes and several threads of Python may call at the same time. Where it is more, Numba with OpenMP
ends a process that was forked after such a call, and Numba with its own scheduler one that calls from two threads.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable
from numba.np.arrayobj import make_array, populate_array

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Real = np.floating[Any] | float

FAST = {"contract", "arcp", "nsz"}  # fused multiply-add, division by reciprocals; NaN and infinity keep their meaning
REAL_TYPES = np.dtype(np.float64), np.dtype(np.float32)
Float32: type[Any] = np.float32


class Parameters(NamedTuple):
    """What is learned: arrays of one type, float32 or float64. Gradients have the same names and shapes."""

    W1: Array  # [3, 2]
    b1: Array  # [3]
    a1: Array  # []
    W2: Array  # [1, 3]
    b2: Array  # [1]


def init(seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters:
    """Random weights, and numbers for the rest; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    p = Parameters(
        W1=rng.standard_normal((3, 2)) * math.sqrt(2 / (1 + 0.25**2) / 2),  # He: about half of the activations are near zero
        b1=np.zeros(3),
        a1=np.full((), 0.25),
        W2=rng.uniform(-1, 1, (1, 3)) * math.sqrt(6 / (3 + 1)),  # Glorot
        b2=np.zeros(1),
    )
    return _unpack(_pack(p).astype(_real_type(dtype)))


# -- elementary functions, which a compiler computes for several numbers at once; ulp: unit in the last place


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


# -- kernels: they trust their arguments, which the public functions below have checked


@njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _add(total: Real, x: Real) -> Real:
    """total + x in a sum whose terms may be added in any order, several at a time; x itself is computed as it is written."""
    return total + x


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _predict_block(theta: Array, examples: Array, start: int | np.int64, out: Array, block: np.int64, wide: bool | None) -> None:
    """_predict_batch for the examples of a block, from `start` on; their number is known where this is called.

    wide: None for blocks that are shorter than the processor's widest vectors.
    """
    if wide is not None:
        _wide_vectors()
    else:
        _vectors_of_four(theta)
    real = theta.dtype.type
    W1 = _part(theta, 0, (3, 2))
    b1 = _part(theta, 6, (3,))
    a1 = theta[9]
    W2 = _part(theta, 10, (1, 3))
    b2 = _part(theta, 13, (1,))
    X = _per_example(theta, (2,), 64)
    P = _per_example(theta, (1,), 64)
    for i in range(2):
        for n in range(block):
            X[i, n] = examples[i, np.uint64(start + n)]
    for n in range(block):
        # (1)  A1[n,j] = b1[j] + sum_i W1[j,i] X[n,i]
        a1_0 = b1[0] + W1[0, 0] * X[0, n] + W1[0, 1] * X[1, n]
        a1_1 = b1[1] + W1[1, 0] * X[0, n] + W1[1, 1] * X[1, n]
        a1_2 = b1[2] + W1[2, 0] * X[0, n] + W1[2, 1] * X[1, n]
        # (2)  H1[n,j] = where(A1[n,j] <= 0, a1 A1[n,j], A1[n,j])
        h1_0 = a1 * a1_0 if a1_0 <= real(0) else a1_0
        h1_1 = a1 * a1_1 if a1_1 <= real(0) else a1_1
        h1_2 = a1 * a1_2 if a1_2 <= real(0) else a1_2
        # (3)  Z[n,c] = b2[c] + sum_j H1[n,j] W2[c,j]
        z_0 = b2[0] + h1_0 * W2[0, 0] + h1_1 * W2[0, 1] + h1_2 * W2[0, 2]
        # (4a)  P[n,c] = sigmoid(Z[n,c])
        P[0, n] = _sigmoid(z_0)
    for n in range(block):
        for c in range(1):
            out[np.uint64(start + n), c] = P[c, n]


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _predict_batch(theta: Array, examples: Array, start: int | np.int64, stop: int, out: Array) -> None:
    """P for a batch of examples: of examples `start` to `stop - 1`, in blocks of 32, 4 and 1.

    The examples lie along the last axis of their arrays, and the other axes in reverse order.
    Blocks of 64 come first, in float32 of 128.
    """
    long = _doubled(theta, 64)
    for at in range(start, stop - (stop - start) % long, long):
        _predict_block(theta, examples, at, out, long, True)
    start = stop - (stop - start) % long
    for at in range(start, stop - (stop - start) % 32, 32):
        _predict_block(theta, examples, at, out, np.int64(32), True)
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        _predict_block(theta, examples, at, out, np.int64(4), None)
    for at in range(stop - (stop - start) % 4, stop):
        _predict_block(theta, examples, at, out, np.int64(1), None)


@njit(error_model="numpy", fastmath=FAST)
def _predict(theta: Array, examples: Array, out: Array) -> None:
    """P for a batch of examples."""
    _predict_batch(theta, np.ascontiguousarray(examples.T), np.int64(0), examples.shape[0], out)


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _loss_block(theta: Array, examples: Array, targets: Array, start: int | np.int64, block: np.int64, wide: bool | None) -> Real:
    """_loss_batch for the examples of a block, from `start` on; their number is known where this is called.

    wide: None for blocks that are shorter than the processor's widest vectors.
    """
    if wide is not None:
        _wide_vectors()
    else:
        _vectors_of_four(theta)
    real = theta.dtype.type
    W1 = _part(theta, 0, (3, 2))
    b1 = _part(theta, 6, (3,))
    a1 = theta[9]
    W2 = _part(theta, 10, (1, 3))
    b2 = _part(theta, 13, (1,))
    X = _per_example(theta, (2,), 64)
    Y = _per_example(theta, (1,), 64)
    Z_0 = _per_example(theta, (), 64)
    for i in range(2):
        for n in range(block):
            X[i, n] = examples[i, np.uint64(start + n)]
    for c in range(1):
        for n in range(block):
            Y[c, n] = targets[c, np.uint64(start + n)]
    sum_L = real(0)
    for n in range(block):
        # (1)  A1[n,j] = b1[j] + sum_i W1[j,i] X[n,i]
        a1_0 = b1[0] + W1[0, 0] * X[0, n] + W1[0, 1] * X[1, n]
        a1_1 = b1[1] + W1[1, 0] * X[0, n] + W1[1, 1] * X[1, n]
        a1_2 = b1[2] + W1[2, 0] * X[0, n] + W1[2, 1] * X[1, n]
        # (2)  H1[n,j] = where(A1[n,j] <= 0, a1 A1[n,j], A1[n,j])
        h1_0 = a1 * a1_0 if a1_0 <= real(0) else a1_0
        h1_1 = a1 * a1_1 if a1_1 <= real(0) else a1_1
        h1_2 = a1 * a1_2 if a1_2 <= real(0) else a1_2
        # (3)  Z[n,c] = b2[c] + sum_j H1[n,j] W2[c,j]
        Z_0[n] = b2[0] + h1_0 * W2[0, 0] + h1_1 * W2[0, 1] + h1_2 * W2[0, 2]
    # (5a)  L = (sum_c,n (atleast(Z[n,c], 0) + log1p(exp(-abs(Z[n,c]))) - Y[n,c] Z[n,c]))/N
    for n in range(block):
        sum_L = _add(sum_L, max(Z_0[n], real(0)) - Z_0[n] * Y[0, n] + _softplus(-abs(Z_0[n])))
    return sum_L


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _loss_batch(theta: Array, examples: Array, targets: Array, start: int | np.int64, stop: int, N: int) -> float:
    """The loss of a batch: of examples `start` to `stop - 1`, in blocks of 32, 4 and 1.

    The examples lie along the last axis of their arrays, and the other axes in reverse order.
    Blocks of 64 come first, in float32 of 128.
    """
    real = theta.dtype.type
    sum_L = 0.0
    long = _doubled(theta, 64)
    for at in range(start, stop - (stop - start) % long, long):
        sum_L += _loss_block(theta, examples, targets, at, long, True)
    start = stop - (stop - start) % long
    for at in range(start, stop - (stop - start) % 32, 32):
        sum_L += _loss_block(theta, examples, targets, at, np.int64(32), True)
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        sum_L += _loss_block(theta, examples, targets, at, np.int64(4), None)
    for at in range(stop - (stop - start) % 4, stop):
        sum_L += _loss_block(theta, examples, targets, at, np.int64(1), None)
    # (5a) continued
    L = sum_L / real(N)
    return float(L)


@njit(error_model="numpy", fastmath=FAST)
def _loss(theta: Array, examples: Array, targets: Array) -> float:
    """The loss of a batch."""
    return _loss_batch(
        theta, np.ascontiguousarray(examples.T), np.ascontiguousarray(targets.T), np.int64(0), examples.shape[0], examples.shape[0]
    )


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _gradients_block(
    theta: Array, examples: Array, targets: Array, start: int | np.int64, N: int, gradient: Array, block: np.int64, wide: bool | None
) -> tuple[Real, Real]:
    """_gradients_batch for the examples of a block, from `start` on; their number is known where this is called.

    wide: None for blocks that are shorter than the processor's widest vectors.
    """
    if wide is not None:
        _wide_vectors()
    else:
        _vectors_of_four(theta)
    real = theta.dtype.type
    W1 = _part(theta, 0, (3, 2))
    b1 = _part(theta, 6, (3,))
    a1 = theta[9]
    W2 = _part(theta, 10, (1, 3))
    b2 = _part(theta, 13, (1,))
    dW1 = _part(gradient, 0, (3, 2))
    db1 = _part(gradient, 6, (3,))
    dW2 = _part(gradient, 10, (1, 3))
    db2 = _part(gradient, 13, (1,))
    X = _per_example(theta, (2,), 64)
    Y = _per_example(theta, (1,), 64)
    Z_0 = _per_example(theta, (), 64)
    for i in range(2):
        for n in range(block):
            X[i, n] = examples[i, np.uint64(start + n)]
    for c in range(1):
        for n in range(block):
            Y[c, n] = targets[c, np.uint64(start + n)]
    sum_L = real(0)
    da1 = real(0)
    # (7)  dW2[c,j] = sum_n H1[n,j] dZ[n,c]
    sum_dW2_0_0 = dW2[0, 0]
    sum_dW2_0_1 = dW2[0, 1]
    sum_dW2_0_2 = dW2[0, 2]
    # (8)  db2[c] = sum_n dZ[n,c]
    sum_db2_0 = db2[0]
    # (12)  dW1[j,i] = sum_n X[n,i] dA1[n,j]
    sum_dW1_0_0 = dW1[0, 0]
    sum_dW1_1_0 = dW1[1, 0]
    sum_dW1_2_0 = dW1[2, 0]
    sum_dW1_0_1 = dW1[0, 1]
    sum_dW1_1_1 = dW1[1, 1]
    sum_dW1_2_1 = dW1[2, 1]
    # (13)  db1[j] = sum_n dA1[n,j]
    sum_db1_0 = db1[0]
    sum_db1_1 = db1[1]
    sum_db1_2 = db1[2]
    for n in range(block):
        # (1)  A1[n,j] = b1[j] + sum_i W1[j,i] X[n,i]
        a1_0 = b1[0] + W1[0, 0] * X[0, n] + W1[0, 1] * X[1, n]
        a1_1 = b1[1] + W1[1, 0] * X[0, n] + W1[1, 1] * X[1, n]
        a1_2 = b1[2] + W1[2, 0] * X[0, n] + W1[2, 1] * X[1, n]
        # (2)  H1[n,j] = where(A1[n,j] <= 0, a1 A1[n,j], A1[n,j])
        h1_0 = a1 * a1_0 if a1_0 <= real(0) else a1_0
        h1_1 = a1 * a1_1 if a1_1 <= real(0) else a1_1
        h1_2 = a1 * a1_2 if a1_2 <= real(0) else a1_2
        # (3)  Z[n,c] = b2[c] + sum_j H1[n,j] W2[c,j]
        Z_0[n] = b2[0] + h1_0 * W2[0, 0] + h1_1 * W2[0, 1] + h1_2 * W2[0, 2]
        # (4a)  P[n,c] = sigmoid(Z[n,c])
        p_0 = _sigmoid(Z_0[n])
        # (6)  dZ[n,c] = (P[n,c] - Y[n,c])/N
        dZ_0 = (p_0 - Y[0, n]) / real(N)
        # (7) continued
        sum_dW2_0_0 = _add(sum_dW2_0_0, dZ_0 * h1_0)
        sum_dW2_0_1 = _add(sum_dW2_0_1, dZ_0 * h1_1)
        sum_dW2_0_2 = _add(sum_dW2_0_2, dZ_0 * h1_2)
        # (8) continued
        sum_db2_0 = _add(sum_db2_0, dZ_0)
        # (9)  dH1[n,j] = sum_c W2[c,j] dZ[n,c]
        dH1_0 = dZ_0 * W2[0, 0]
        dH1_1 = dZ_0 * W2[0, 1]
        dH1_2 = dZ_0 * W2[0, 2]
        # (10)  da1 = sum_j,n dH1[n,j] where(A1[n,j] <= 0, A1[n,j], 0)
        da1 = _add(da1, a1_0 * dH1_0 if a1_0 <= real(0) else real(0))
        da1 = _add(da1, a1_1 * dH1_1 if a1_1 <= real(0) else real(0))
        da1 = _add(da1, a1_2 * dH1_2 if a1_2 <= real(0) else real(0))
        # (11)  dA1[n,j] = dH1[n,j] where(A1[n,j] <= 0, a1, 1)
        dA1_0 = a1 * dH1_0 if a1_0 <= real(0) else dH1_0
        dA1_1 = a1 * dH1_1 if a1_1 <= real(0) else dH1_1
        dA1_2 = a1 * dH1_2 if a1_2 <= real(0) else dH1_2
        # (12) continued
        sum_dW1_0_0 = _add(sum_dW1_0_0, dA1_0 * X[0, n])
        sum_dW1_1_0 = _add(sum_dW1_1_0, dA1_1 * X[0, n])
        sum_dW1_2_0 = _add(sum_dW1_2_0, dA1_2 * X[0, n])
        sum_dW1_0_1 = _add(sum_dW1_0_1, dA1_0 * X[1, n])
        sum_dW1_1_1 = _add(sum_dW1_1_1, dA1_1 * X[1, n])
        sum_dW1_2_1 = _add(sum_dW1_2_1, dA1_2 * X[1, n])
        # (13) continued
        sum_db1_0 = _add(sum_db1_0, dA1_0)
        sum_db1_1 = _add(sum_db1_1, dA1_1)
        sum_db1_2 = _add(sum_db1_2, dA1_2)
    # (7) continued
    dW2[0, 0] = sum_dW2_0_0
    dW2[0, 1] = sum_dW2_0_1
    dW2[0, 2] = sum_dW2_0_2
    # (8) continued
    db2[0] = sum_db2_0
    # (12) continued
    dW1[0, 0] = sum_dW1_0_0
    dW1[1, 0] = sum_dW1_1_0
    dW1[2, 0] = sum_dW1_2_0
    dW1[0, 1] = sum_dW1_0_1
    dW1[1, 1] = sum_dW1_1_1
    dW1[2, 1] = sum_dW1_2_1
    # (13) continued
    db1[0] = sum_db1_0
    db1[1] = sum_db1_1
    db1[2] = sum_db1_2
    # (5a)  L = (sum_c,n (atleast(Z[n,c], 0) + log1p(exp(-abs(Z[n,c]))) - Y[n,c] Z[n,c]))/N
    for n in range(block):
        sum_L = _add(sum_L, max(Z_0[n], real(0)) - Z_0[n] * Y[0, n] + _softplus(-abs(Z_0[n])))
    return sum_L, da1


@njit(error_model="numpy", fastmath=FAST, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _gradients_batch(theta: Array, examples: Array, targets: Array, start: int | np.int64, stop: int, N: int, gradient: Array) -> float:
    """The loss of a batch; its derivatives go into `gradient`: of examples `start` to `stop - 1`, in blocks of 32, 4 and 1.

    The examples lie along the last axis of their arrays, and the other axes in reverse order.
    Blocks of 64 come first, in float32 of 128.
    """
    real = theta.dtype.type
    dW1 = _part(gradient, 0, (3, 2))
    db1 = _part(gradient, 6, (3,))
    dW2 = _part(gradient, 10, (1, 3))
    db2 = _part(gradient, 13, (1,))
    # start of (7), (8), (12), (13)
    for c in range(1):
        for j in range(3):
            dW2[c, j] = real(0)
    for c in range(1):
        db2[c] = real(0)
    for j in range(3):
        for i in range(2):
            dW1[j, i] = real(0)
    for j in range(3):
        db1[j] = real(0)
    sum_L = 0.0
    da1 = 0.0
    long = _doubled(theta, 64)
    for at in range(start, stop - (stop - start) % long, long):
        part_sum_L, part_da1 = _gradients_block(theta, examples, targets, at, N, gradient, long, True)
        sum_L += part_sum_L
        da1 += part_da1
    start = stop - (stop - start) % long
    for at in range(start, stop - (stop - start) % 32, 32):
        part_sum_L, part_da1 = _gradients_block(theta, examples, targets, at, N, gradient, np.int64(32), True)
        sum_L += part_sum_L
        da1 += part_da1
    for at in range(stop - (stop - start) % 32, stop - (stop - start) % 4, 4):
        part_sum_L, part_da1 = _gradients_block(theta, examples, targets, at, N, gradient, np.int64(4), None)
        sum_L += part_sum_L
        da1 += part_da1
    for at in range(stop - (stop - start) % 4, stop):
        part_sum_L, part_da1 = _gradients_block(theta, examples, targets, at, N, gradient, np.int64(1), None)
        sum_L += part_sum_L
        da1 += part_da1
    # (5a) continued
    L = sum_L / real(N)
    gradient[9] = da1
    return float(L)


@njit(error_model="numpy", fastmath=FAST, no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _gradients_chunk(theta: Array, examples: Array, targets: Array, start: int, N: int, chunks: Array, parts: Array, k: int) -> None:
    """_gradients_batch for the k-th 1024 of the N examples from `start` on; results below the normal numbers are zero."""
    first = 1024 * k
    settings = _flush_subnormals()
    parts[k] = _gradients_batch(theta, examples, targets, start + first, start + min(first + 1024, N), N, chunks[k])
    _restore(settings)


@njit(error_model="numpy", fastmath=FAST, parallel=True)
def _gradients_by_threads(theta: Array, examples: Array, targets: Array, start: int, N: int, chunks: Array, parts: Array) -> None:
    """All chunks, by several threads."""
    for k in prange((N + 1023) // 1024):
        _gradients_chunk(theta, examples, targets, start, N, chunks, parts, k)


@njit(error_model="numpy", fastmath=FAST)
def _gradients_chunks(
    theta: Array, examples: Array, targets: Array, start: int, N: int, gradient: Array, chunks: Array, parts: Array
) -> float:
    """_gradients_batch, 1024 of the N examples from `start` on at a time.

    chunks take the derivatives, parts the losses. All are added in one order, whatever the number of threads.
    One thread needs none of Numba's, which fail in a forked process and for two threads of Python at once.
    """
    count = (N + 1023) // 1024
    if _threads() > 1:
        _gradients_by_threads(theta, examples, targets, start, N, chunks, parts)
    else:
        for k in range(count):
            _gradients_chunk(theta, examples, targets, start, N, chunks, parts, k)
    total = 0.0
    for p in range(14):
        gradient[p] = 0
    for k in range(count):
        total += parts[k]
        for p in range(14):
            gradient[p] += chunks[k, p]
    return total


@njit(error_model="numpy", fastmath=FAST)
def _gradients(theta: Array, examples: Array, targets: Array, gradient: Array) -> float:
    """The loss of a batch; its derivatives go into `gradient`."""
    return _gradients_batch(
        theta,
        np.ascontiguousarray(examples.T),
        np.ascontiguousarray(targets.T),
        np.int64(0),
        examples.shape[0],
        examples.shape[0],
        gradient,
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
    for k in range(14):
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
    velocity = memory[0:14]
    for k in range(14):
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
    velocity = memory[0:14]
    for k in range(14):
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
    mean = memory[0:14]
    square = memory[14:28]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - beta1)
    c2 = real(1 - beta2)
    c3 = real(rate / (1 - beta1**t))
    c4 = real(1 / (1 - beta2**t))
    for k in range(14):
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
    mean = memory[0:14]
    square = memory[14:28]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - beta1)
    c2 = real(1 - beta2)
    c3 = real(1 - rate * weight_decay)
    c4 = real(rate / (1 - beta1**t))
    c5 = real(1 / (1 - beta2**t))
    for k in range(14):
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
    square = memory[0:14]
    # what is the same for all k, in float64 before it is rounded
    c1 = real(1 - alpha)
    for k in range(14):
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
    X: Array,
    Y: Array,
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
    examples: Array,
    targets: Array,
    gradient: Array,
    threads: tuple[Array, Array] | None,
    settings: int,
    losses: npt.NDArray[np.float64],
) -> int:
    """All epochs of training, in place on theta; gives the number of the last step. The caller allocates everything that this writes to.

    All optimizers but one are None, and Numba compiles that one alone.
    """
    since = 0  # examples computed since Python last looked at signals
    for epoch in range(epochs):
        if shuffle:
            _shuffle(rng, order)
        if shuffle or epoch == 0:
            for n in range(order.size):
                for i in range(2):
                    examples[i, n] = X[order[n], i]
                for c in range(1):
                    targets[c, n] = Y[order[n], c]
        total = 0.0
        for start in range(0, order.size, batch_size):
            N = min(batch_size, order.size - start)
            if threads is not None:
                chunks, parts = threads
                _restore(settings)  # for threads that begin here: they take over what holds
                total += N * _gradients_chunks(theta, examples, targets, start, N, gradient, chunks, parts)
                _flush_subnormals()
            else:
                total += N * _gradients_batch(theta, examples, targets, start, start + N, N, gradient)
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
            if since >= 4793490:
                since = 0
                _heed_signals()
        losses[epoch] = total / order.size
    return steps


# -- public functions


def predict(p: Parameters, X: npt.ArrayLike) -> Array:
    """P, sigmoid: an array [N, 1]. An empty X gives an empty array."""
    theta = _pack(p)
    examples = _examples(X, theta.dtype)
    N = examples.shape[0]
    P = np.empty((N, 1), theta.dtype)
    if N > 0:
        _predict(theta, examples, P)
    return P


def loss(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The loss of p on the examples X with targets y."""
    theta, examples, targets = _batch(p, X, y)
    return _loss(theta, examples, targets)


def gradients(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, Parameters]:
    """The loss, and its derivative with respect to every parameter."""
    theta, examples, targets = _batch(p, X, y)
    gradient = np.empty(14, theta.dtype)
    L = _gradients(theta, examples, targets, gradient)
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
    if N >= 149797:  # fewer are faster in one thread
        count = (N + 1023) // 1024
        threads = np.empty((count, 14), dtype), np.empty(count)
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
            np.empty((2, order.size + 8), dtype),
            np.empty((1, order.size + 8), dtype),
            np.empty_like(theta),
            threads,
            settings,
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
        (3, 2),  # W1
        (3,),  # b1
        (),  # a1
        (1, 3),  # W2
        (1,),  # b2
    )
    _demand_type("p", p, (tuple, list), "Parameters(W1, b1, a1, W2, b2)")
    if len(p) != len(shapes):
        raise TypeError(f"p holds {len(p)} arrays: Parameters({', '.join(Parameters._fields)}) is needed")
    every: Any = p
    a0, a1, a2, a3, a4 = every
    if (
        type(a0) is np.ndarray
        and a0.dtype in REAL_TYPES
        and a0.shape == (3, 2)
        and a0.flags.c_contiguous
        and type(a1) is np.ndarray
        and a1.dtype is a0.dtype
        and a1.shape == (3,)
        and a1.flags.c_contiguous
        and type(a2) is np.ndarray
        and a2.dtype is a0.dtype
        and a2.shape == ()
        and a2.flags.c_contiguous
        and type(a3) is np.ndarray
        and a3.dtype is a0.dtype
        and a3.shape == (1, 3)
        and a3.flags.c_contiguous
        and type(a4) is np.ndarray
        and a4.dtype is a0.dtype
        and a4.shape == (1,)
        and a4.flags.c_contiguous
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
        theta[0:6].reshape(3, 2),
        theta[6:9],
        theta[9:10].reshape(()),
        theta[10:13].reshape(1, 3),
        theta[13:14],
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


def _examples(X: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
    """X as a contiguous array [N, 2] of the parameters' type, copied where it is not one already."""
    array = _reals("X", X)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"X has shape {array.shape}: [N, 2] is needed, an example a row")
    return _converted("X", array, dtype)


def _converted(name: str, array: npt.NDArray[Any], dtype: np.dtype[Any]) -> Array:
    """The array itself where a kernel can read it, else a contiguous copy of the given type; refuses numbers too large for it."""
    if array.dtype == dtype and array.flags.carray:
        return array
    try:
        with np.errstate(over="raise"):
            return np.require(array, dtype, ["C", "A", "W"])
    except FloatingPointError:
        raise ValueError(f"{name} holds a number that {dtype} cannot") from None


def _without_nan(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array; refuses NaN, and says where the first one is."""
    if math.isnan(np.vdot(array, array)):  # faster than a look at each
        first = np.argwhere(np.isnan(array))[0]
        raise ValueError(f"{name}[{', '.join(map(str, first))}] is nan: numbers are needed")
    return array


@njit(error_model="numpy")
def _right(examples: Array, targets: Array) -> bool:
    """Whether no entry has to be refused."""
    wrong = False
    for x in examples.flat:
        wrong |= math.isnan(x)
    for x in targets.flat:
        wrong |= not 0 <= x <= 1
    return not wrong


def _ready(X: npt.ArrayLike, y: npt.ArrayLike, dtype: np.dtype[Any]) -> tuple[Array, Array] | None:
    """X and y, where kernels can take them as they are: nothing has to be converted or refused."""
    if (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.dtype is dtype
        and y.dtype is dtype
        and X.shape[1:] == (2,)
        and y.shape == (len(X), 1)
        and len(X) >= 1
        and X.flags.carray
        and y.flags.carray
        and _right(X, y)
    ):
        return X, y
    return None


def _batch(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """The arguments of a kernel that needs targets; refuses an empty batch, whose loss is undefined."""
    theta = _pack(p)
    ready = _ready(X, y, theta.dtype)
    examples, targets = _examined(X, y, theta.dtype) if ready is None else ready
    return theta, examples, targets


def _examined(X: npt.ArrayLike, y: npt.ArrayLike, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """X and y as kernels take them, or an error that says what is wrong with them and where."""
    examples = _examples(X, dtype)
    if examples.shape[0] == 0:
        raise ValueError("X holds no examples: the loss of an empty batch is undefined")
    return _without_nan("X", examples), _targets(y, examples.shape[0], dtype)


def _targets(y: npt.ArrayLike, N: int, dtype: np.dtype[Any]) -> Array:
    """y as an array [N, 1] of the parameters' type; refuses what is not in [0, 1]."""
    values = _reals("y", y)
    if values.shape not in ((N,), (N, 1)):
        raise ValueError(f"y has shape {values.shape}: ({N}, 1) or ({N},) is needed, a row for each example")
    values = values.reshape(N, 1)
    wrong = ~((values >= 0) & (values <= 1))
    if np.count_nonzero(wrong) > 0:
        n, c = np.argwhere(wrong)[0]
        raise ValueError(f"y[{n}, {c}] is {values[n, c]}: a number in [0, 1] is needed")
    return _converted("y", values, dtype)


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
    size = vectors[name] * 14
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


# -- threads: as many as numba.set_num_threads has said in the calling thread, at first NUMBA_NUM_THREADS


def _threads() -> int:
    """How many threads a loop over `prange` takes."""
    return 1


@type_callable(_threads)
def _threads_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found() -> Any:
        return types.intp

    return found


@lower_builtin(_threads)
def _compiled_threads(context: Any, builder: Any, *_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    """By the name that such loops call: numba.get_num_threads is a pointer, and what holds one cannot be kept in a cache."""
    kind = cgutils.ir.FunctionType(context.get_value_type(types.intp), [])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "get_num_threads"), [])


# -- the width of vectors


def _wide_vectors() -> None:
    """Lets the compiler use vectors of 512 bits in the function that calls this, on a processor that has them."""


@type_callable(_wide_vectors)
def _wide_vectors_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found() -> Any:
        return types.none

    return found


@lower_builtin(_wide_vectors)
def _compiled_wide_vectors(context: Any, builder: Any, *_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    return _prefer_vectors(context, builder, 512)


def _vectors_of_four(like: Array) -> None:
    """Asks the compiler for vectors of four numbers of an array's type in the function that calls this: a loop of 4 is one step."""


@type_callable(_vectors_of_four)
def _vectors_of_four_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(like: Any) -> Any:
        return types.none if isinstance(like, types.Array) else None

    return found


@lower_builtin(_vectors_of_four, types.Array)
def _compiled_vectors_of_four(context: Any, builder: Any, signature: Any, _: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    return _prefer_vectors(context, builder, 32 * context.get_abi_sizeof(context.get_data_type(signature.args[0].dtype)))


def _prefer_vectors(context: Any, builder: Any, bits: int) -> Any:
    set[Any].add(builder.function.attributes, f'"prefer-vector-width"="{bits}"')  # its own `add` takes no attribute with a value
    return context.get_dummy_value()


# -- arrays of kernels whose shapes are known when they are compiled


def _local(like: Array, shape: tuple[int, ...]) -> Array:
    """An array of the same type in memory of the kernel's own, which nothing else reaches; what is in it is arbitrary."""
    return np.empty(shape, like.dtype)


def _per_example(like: Array, shape: tuple[int, ...], examples: int) -> Array:
    """A local array with a place for each example of a block along its last axis: as many as are given, in float32 twice as many."""
    return _local(like, (*shape, int(_doubled(like, examples))))


def _doubled(like: Array, examples: int) -> np.int64:
    """So many examples, in float32 twice as many: they fill as many vectors."""
    return np.int64(2 * examples if like.dtype == np.float32 else examples)


def _part(vector: Array, start: int, shape: tuple[int, ...]) -> Array:
    """The entries of a vector from `start` on, as an array."""
    return vector[start : start + math.prod(shape)].reshape(shape)


@type_callable(_local)
def _local_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(like: Any, shape: Any) -> Any:
        return _array_type(like, shape)

    return found


@type_callable(_per_example)
def _per_example_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(like: Any, shape: Any, examples: Any) -> Any:
        return _array_type(like, shape, 1) if isinstance(examples, types.IntegerLiteral) else None

    return found


@type_callable(_doubled)
def _doubled_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(like: Any, examples: Any) -> Any:
        return types.int64 if isinstance(like, types.Array) and isinstance(examples, types.IntegerLiteral) else None

    return found


@type_callable(_part)
def _part_type(_: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    def found(vector: Any, start: Any, shape: Any) -> Any:
        return _array_type(vector, shape) if isinstance(start, types.IntegerLiteral) else None

    return found


def _array_type(like: Any, shape: Any, more: int = 0) -> Any:
    """The type of an array with an axis for each constant of a tuple, and so many more; None where they are no constants."""
    if isinstance(like, types.Array) and isinstance(shape, types.BaseTuple) and all(isinstance(n, types.IntegerLiteral) for n in shape):
        return types.Array(like.dtype, len(shape) + more, "C")
    return None


@lower_builtin(_local, types.Array, types.BaseTuple)
def _compiled_local(context: Any, builder: Any, signature: Any, _: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    return _on_stack(context, builder, signature.return_type, _extents(signature.args[1]))


@lower_builtin(_per_example, types.Array, types.BaseTuple, types.IntegerLiteral)
def _compiled_per_example(context: Any, builder: Any, signature: Any, _: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    like, shape, examples = signature.args
    return _on_stack(context, builder, signature.return_type, [*_extents(shape), _examples_in(like, examples)])


@lower_builtin(_doubled, types.Array, types.IntegerLiteral)
def _compiled_doubled(context: Any, _: Any, signature: Any, __: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    return context.get_constant(types.int64, _examples_in(*signature.args))


def _examples_in(like: Any, examples: Any) -> int:
    """`_doubled`, of types."""
    return (2 if like.dtype == types.float32 else 1) * examples.literal_value


@lower_builtin(_part, types.Array, types.IntegerLiteral, types.BaseTuple)
def _compiled_part(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
    vector, start, shape = signature.args
    memory = make_array(vector)(context, builder, arguments[0]).data
    return _array(context, builder, signature.return_type, _extents(shape), cgutils.gep(builder, memory, start.literal_value))


def _on_stack(context: Any, builder: Any, kind: Any, extents: list[int]) -> Any:
    memory = cgutils.alloca_once(builder, context.get_data_type(kind.dtype), math.prod(extents))
    memory.align = 64  # a line of the cache: no vector lies in two
    return _array(context, builder, kind, extents, memory)


def _extents(shape: Any) -> list[int]:
    """The numbers in the type of a tuple of constants."""
    return [extent.literal_value for extent in shape]


def _array(context: Any, builder: Any, kind: Any, extents: list[int], memory: Any) -> Any:
    """An array in memory that lives longer than it does."""
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    strides = [item * math.prod(extents[axis + 1 :]) for axis in range(len(extents))]
    constant = [[context.get_constant(types.intp, n) for n in numbers] for numbers in (extents, strides, [item])]
    array = make_array(kind)(context, builder)
    populate_array(array, data=memory, shape=constant[0], strides=constant[1], itemsize=constant[2][0], meminfo=None)
    return array._getvalue()
