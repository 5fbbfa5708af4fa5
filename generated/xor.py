"""xor: 2 - 4 sigmoid - 1 sigmoid, mean_squared_error (mean, half).

Axes:
    i  inputs (D = 2)
    n  examples (N)
    c  outputs (C = 1)
    j  hidden layer 1 (H = 4)

The comment over a loop or a product is the equation that it computes, with its number in the network's derivation
(docs/derivations/ for the shipped networks, `chainrule derive` for any).

    p = init(seed=0)
    p, losses = train(p, X, y, epochs=10, batch_size=32, learning_rate=0.1)
    Yhat = predict(p, X)

X holds an example a row, [N, 2]; y holds a row of values for each example, [N, 1].
Everything is computed in the type of the parameters, float32 or float64. X and y may be of any type of real numbers and in any
order in memory: what is not a contiguous array of the parameters' type is copied into one.
NaN or infinity in an example reaches its own prediction and no other; loss, gradients and train refuse NaN.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Real = np.floating[Any] | float

FAST = {"contract", "arcp", "nsz"}  # fused multiply-add, division by reciprocals; NaN and infinity keep their meaning
Float32: type[Any] = np.float32
OPTIMIZERS = ("sgd",)


class Parameters(NamedTuple):
    """The weights and biases: arrays of one type, float32 or float64. Gradients have the same names and shapes."""

    W1: Array  # [4, 2]
    b1: Array  # [4]
    W2: Array  # [1, 4]
    b2: Array  # [1]


def init(seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters:
    """Random weights and zero biases; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    p = Parameters(
        W1=rng.uniform(-1, 1, (4, 2)) * math.sqrt(6 / (2 + 4)),  # Glorot
        b1=np.zeros(4),
        W2=rng.uniform(-1, 1, (1, 4)) * math.sqrt(6 / (4 + 1)),  # Glorot
        b2=np.zeros(1),
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
def _sigmoid(x: Real) -> Real:
    """1 / (1 + exp(-x)), within 2 ulp. It is 0 below -709.4 (float32: -88.3), where 1 / (1 + exp(-x)) is subnormal."""
    real = type(x)
    k, e = _reduced(max(-x, real(-40)), real(0))
    s = _power(k)
    small, large = (s * e, s) if s > real(1) else (s, s * e)
    y = real(1) / ((real(1) + small) + large)
    return real(0) if x < (real(-88.3) if isinstance(x, Float32) else real(-709.4)) else y


# -- kernels: they trust their arguments, which the public functions below have checked


@njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _add(total: Real, x: Real) -> Real:
    """total + x in a sum whose terms may be added in any order, several at a time; x itself is computed as it is written."""
    return total + x


@njit(error_model="numpy", fastmath=FAST)
def _predict(theta: Array, X: Array, Yhat: Array, work: Array) -> None:
    """Yhat for a batch of examples."""
    N = X.shape[1]
    W1 = theta[0:8].reshape(4, 2)
    b1 = theta[8:12]
    W2 = theta[12:16].reshape(1, 4)
    b2 = theta[16:17]
    A1 = work[0:N]
    H1 = work[N : 5 * N].reshape(4, N)
    Z = work[5 * N : 6 * N]
    for j in range(4):
        # (1)  A1[j,n] = b1[j] + sum_i W1[j,i] X[i,n]
        for n in range(N):
            A1[n] = b1[j]
        for i in range(2):
            for n in range(N):
                A1[n] += W1[j, i] * X[i, n]
        # (2a)  H1[j,n] = sigmoid(A1[j,n])
        for n in range(N):
            H1[j, n] = _sigmoid(A1[n])
    for c in range(1):
        # (3)  Z[c,n] = b2[c] + sum_j H1[j,n] W2[c,j]
        for n in range(N):
            Z[n] = b2[c]
        for j in range(4):
            for n in range(N):
                Z[n] += H1[j, n] * W2[c, j]
        # (4a)  Yhat[c,n] = sigmoid(Z[c,n])
        for n in range(N):
            Yhat[c, n] = _sigmoid(Z[n])


@njit(error_model="numpy", fastmath=FAST)
def _loss(theta: Array, X: Array, Y: Array, work: Array) -> float:
    """The loss of a batch."""
    real = theta.dtype.type
    N = X.shape[1]
    W1 = theta[0:8].reshape(4, 2)
    b1 = theta[8:12]
    W2 = theta[12:16].reshape(1, 4)
    b2 = theta[16:17]
    A1 = work[0:N]
    H1 = work[N : 5 * N].reshape(4, N)
    Z = work[5 * N : 6 * N]
    for j in range(4):
        # (1)  A1[j,n] = b1[j] + sum_i W1[j,i] X[i,n]
        for n in range(N):
            A1[n] = b1[j]
        for i in range(2):
            for n in range(N):
                A1[n] += W1[j, i] * X[i, n]
        # (2a)  H1[j,n] = sigmoid(A1[j,n])
        for n in range(N):
            H1[j, n] = _sigmoid(A1[n])
    sum_L = 0.0
    for c in range(1):
        # (3)  Z[c,n] = b2[c] + sum_j H1[j,n] W2[c,j]
        for n in range(N):
            Z[n] = b2[c]
        for j in range(4):
            for n in range(N):
                Z[n] += H1[j, n] * W2[c, j]
        for n in range(N):
            # (4a)  Yhat[c,n] = sigmoid(Z[c,n])
            Yhat = _sigmoid(Z[n])
            # (5)  L = (sum_c,n (Yhat[c,n] - Y[c,n])**2)/(2 N)
            sum_L = _add(sum_L, (Yhat - Y[c, n]) ** 2)
    # (5) continued
    L = sum_L / real(2 * N)
    return float(L)


@njit(error_model="numpy", fastmath=FAST)
def _gradients(theta: Array, X: Array, Y: Array, gradient: Array, work: Array) -> float:
    """The loss of a batch; its derivatives go into `gradient`."""
    real = theta.dtype.type
    N = X.shape[1]
    W1 = theta[0:8].reshape(4, 2)
    b1 = theta[8:12]
    W2 = theta[12:16].reshape(1, 4)
    b2 = theta[16:17]
    dW1 = gradient[0:8].reshape(4, 2)
    db1 = gradient[8:12]
    dW2 = gradient[12:16].reshape(1, 4)
    db2 = gradient[16:17]
    A1 = work[0:N]
    H1 = work[N : 5 * N].reshape(4, N)
    Z = work[5 * N : 6 * N]
    dZ = work[6 * N : 7 * N].reshape(1, N)
    dH1 = work[7 * N : 8 * N]
    dA1 = work[8 * N : 9 * N]
    for j in range(4):
        # (1)  A1[j,n] = b1[j] + sum_i W1[j,i] X[i,n]
        for n in range(N):
            A1[n] = b1[j]
        for i in range(2):
            for n in range(N):
                A1[n] += W1[j, i] * X[i, n]
        # (2a)  H1[j,n] = sigmoid(A1[j,n])
        for n in range(N):
            H1[j, n] = _sigmoid(A1[n])
    sum_L = 0.0
    for c in range(1):
        # (3)  Z[c,n] = b2[c] + sum_j H1[j,n] W2[c,j]
        for n in range(N):
            Z[n] = b2[c]
        for j in range(4):
            for n in range(N):
                Z[n] += H1[j, n] * W2[c, j]
        sum_db2 = real(0)
        for n in range(N):
            # (4a)  Yhat[c,n] = sigmoid(Z[c,n])
            Yhat = _sigmoid(Z[n])
            # (5)  L = (sum_c,n (Yhat[c,n] - Y[c,n])**2)/(2 N)
            sum_L = _add(sum_L, (Yhat - Y[c, n]) ** 2)
            # (6)  dYhat[c,n] = (Yhat[c,n] - Y[c,n])/N
            dYhat = (Yhat - Y[c, n]) / real(N)
            # (7)  dZ[c,n] = (1 - Yhat[c,n]) Yhat[c,n] dYhat[c,n]
            dZ[c, n] = (real(1) - Yhat) * Yhat * dYhat
            # (9)  db2[c] = sum_n dZ[c,n]
            sum_db2 = _add(sum_db2, dZ[c, n])
        db2[c] = sum_db2
        # (8)  dW2[c,j] = sum_n H1[j,n] dZ[c,n]
        for j in range(4):
            sum_dW2 = real(0)
            for n in range(N):
                sum_dW2 = _add(sum_dW2, H1[j, n] * dZ[c, n])
            dW2[c, j] = sum_dW2
    # (5) continued
    L = sum_L / real(2 * N)
    for j in range(4):
        # (10)  dH1[j,n] = sum_c W2[c,j] dZ[c,n]
        for n in range(N):
            dH1[n] = real(0)
        for c in range(1):
            for n in range(N):
                dH1[n] += W2[c, j] * dZ[c, n]
        sum_db1 = real(0)
        for n in range(N):
            # (11)  dA1[j,n] = (1 - H1[j,n]) H1[j,n] dH1[j,n]
            dA1[n] = (real(1) - H1[j, n]) * dH1[n] * H1[j, n]
            # (13)  db1[j] = sum_n dA1[j,n]
            sum_db1 = _add(sum_db1, dA1[n])
        db1[j] = sum_db1
        # (12)  dW1[j,i] = sum_n X[i,n] dA1[j,n]
        for i in range(2):
            sum_dW1 = real(0)
            for n in range(N):
                sum_dW1 = _add(sum_dW1, dA1[n] * X[i, n])
            dW1[j, i] = sum_dW1
    return float(L)


@njit(error_model="numpy", fastmath=FAST)
def _sgd(theta: Array, gradient: Array, rate: Real) -> None:
    """One step of sgd (Robbins and Monro 1951) on all parameters."""
    # theta[k] <- theta[k] - rate gradient[k]
    for k in range(17):
        theta[k] -= rate * gradient[k]


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
    rate: Real,
    shuffle: bool,
    rng: np.random.Generator,
    order: npt.NDArray[np.int64],
    X_batch: Array,
    Y_batch: Array,
    gradient: Array,
    work: Array,
    losses: npt.NDArray[np.float64],
) -> None:
    """All epochs of training, in place on theta. The caller allocates everything that this writes to."""
    for epoch in range(epochs):
        if shuffle:
            _shuffle(rng, order)
        total = 0.0
        for start in range(0, order.size, batch_size):
            N = min(batch_size, order.size - start)
            examples = X_batch[0 : 2 * N].reshape(2, N)
            targets = Y_batch[0:N].reshape(1, N)
            for n in range(N):
                for i in range(2):
                    examples[i, n] = X[order[start + n], i]
                for c in range(1):
                    targets[c, n] = Y[order[start + n], c]
            total += N * _gradients(theta, examples, targets, gradient, work)
            _sgd(theta, gradient, rate)
        losses[epoch] = total / order.size


# -- public functions


def predict(p: Parameters, X: npt.ArrayLike) -> Array:
    """Yhat, layer 2: sigmoid: an array [N, 1]. An empty X gives an empty array."""
    theta = _pack(p)
    examples = _examples(X, theta.dtype)
    N = examples.shape[0]
    Yhat = np.empty((1, N), theta.dtype)
    work = np.empty(6 * N, theta.dtype)
    if N > 0:
        _predict(theta, np.ascontiguousarray(examples.T), Yhat, work)
    return np.ascontiguousarray(Yhat.T)


def loss(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The loss of p on the examples X with targets y."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    work = np.empty(6 * N, theta.dtype)
    return _loss(theta, np.ascontiguousarray(examples.T), np.ascontiguousarray(targets.T), work)


def gradients(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, Parameters]:
    """The loss, and its derivative with respect to every parameter."""
    theta, examples, targets = _batch(p, X, y)
    N = examples.shape[0]
    gradient = np.empty_like(theta)
    work = np.empty(9 * N, theta.dtype)
    L = _gradients(theta, np.ascontiguousarray(examples.T), np.ascontiguousarray(targets.T), gradient, work)
    return L, _unpack(gradient)


def train(
    p: Parameters,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    optimizer: str = "sgd",
    seed: int | np.random.Generator = 0,
    shuffle: bool = True,
) -> tuple[Parameters, npt.NDArray[np.float64]]:
    """New parameters after `epochs` passes over the examples in batches, and the loss of each epoch; p stays as it is.

    Every epoch visits the examples in a new random order (in their own order without `shuffle`); a Generator in place of a seed lets
    several calls continue one another. The same seed gives the same bits. The last
    batch of an epoch may be smaller. The loss of an epoch is the mean over its examples,
    each taken before the step that used it.
    """
    theta, examples, targets = _batch(p, X, y)
    epochs, batch_size = _count("epochs", epochs), _count("batch_size", batch_size)
    rate = _rate(learning_rate, theta.dtype)
    _demand_type("shuffle", shuffle, (bool, np.bool), "True or False")
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer {optimizer!r} is not known: choose from {', '.join(OPTIMIZERS)}")
    dtype = theta.dtype
    order = np.arange(examples.shape[0], dtype=np.int64)
    N = min(batch_size, order.size)
    losses = np.empty(epochs, np.float64)
    _train(
        theta,
        examples,
        targets,
        epochs,
        N,
        rate,
        shuffle,
        np.random.default_rng(seed),
        order,
        np.empty(2 * N, dtype),
        np.empty(N, dtype),
        np.empty_like(theta),
        np.empty(9 * N, dtype),
        losses,
    )
    return _unpack(theta), losses


# -- checks: a kernel reads memory without asking, so nothing wrong may reach it


def _pack(p: Parameters) -> Array:
    """The parameters as one new vector; refuses other shapes and types."""
    shapes = {
        "W1": (4, 2),
        "b1": (4,),
        "W2": (1, 4),
        "b2": (1,),
    }
    _demand_type("p", p, (tuple, list), f"Parameters({', '.join(shapes)})")
    if len(p) != len(shapes):
        raise TypeError(f"p holds {len(p)} arrays: Parameters({', '.join(shapes)}) is needed")
    dtype = _real_type(np.asarray(p[0]).dtype)
    for (name, shape), array in zip(shapes.items(), p, strict=True):
        if np.ma.isMaskedArray(array) or np.shape(array) != shape:
            raise ValueError(f"{name} has shape {np.shape(array)}: an array of shape {shape} is needed, without a mask")
        if np.asarray(array).dtype != dtype:
            raise TypeError(f"{name} has dtype {np.asarray(array).dtype}, and the first array has {dtype}: one type is needed")
    return np.concatenate([np.ravel(array) for array in p])


def _unpack(theta: Array) -> Parameters:
    """The parameters as views of one vector."""
    return Parameters(
        W1=theta[0:8].reshape(4, 2),
        b1=theta[8:12],
        W2=theta[12:16].reshape(1, 4),
        b2=theta[16:17],
    )


def _real_type(dtype: npt.DTypeLike) -> np.dtype[np.floating[Any]]:
    """float32 or float64."""
    for known in (np.dtype(np.float64), np.dtype(np.float32)):
        if np.dtype(dtype) == known:
            return known
    raise TypeError(f"the parameters have dtype {np.dtype(dtype)}: float32 or float64 is needed")


def _reals(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """The values as an array of real numbers; refuses masks (a kernel would read through them), text, objects and complex numbers."""
    if _masked(values):
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
    try:
        with np.errstate(over="raise"):
            return np.require(array, dtype, ["C", "A", "W"])
    except FloatingPointError:
        raise ValueError(f"{name} holds a number that {dtype} cannot") from None


def _without_nan(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array; refuses NaN, and says where the first one is."""
    if np.isnan(np.min(array)):
        first = np.argwhere(np.isnan(array))[0]
        raise ValueError(f"{name}[{', '.join(map(str, first))}] is nan: numbers are needed")
    return array


def _batch(p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """The arguments of a kernel that needs targets; refuses an empty batch, whose loss is undefined."""
    theta = _pack(p)
    examples = _examples(X, theta.dtype)
    if examples.shape[0] == 0:
        raise ValueError("X holds no examples: the loss of an empty batch is undefined")
    return theta, _without_nan("X", examples), _targets(y, examples.shape[0], theta.dtype)


def _targets(y: npt.ArrayLike, N: int, dtype: np.dtype[Any]) -> Array:
    """y as an array [N, 1] of the parameters' type; refuses NaN."""
    values = _reals("y", y)
    if values.shape not in ((N,), (N, 1)):
        raise ValueError(f"y has shape {values.shape}: ({N}, 1) or ({N},) is needed, a row for each example")
    values = values.reshape(N, 1)
    return _without_nan("y", _converted("y", values, dtype))


def _demand_type(name: str, value: object, types: tuple[type, ...], needed: str) -> None:
    if not isinstance(value, types):
        raise TypeError(f"{name} has type {type(value).__name__}: {needed} is needed")


def _rate(value: float, dtype: np.dtype[Any]) -> Real:
    """The learning rate in the parameters' type."""
    if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            rate = dtype.type(value)
        if 0 < rate < np.inf:
            return rate
    raise ValueError(f"learning_rate is {value!r}: a finite number above 0 is needed, of type {dtype}")


def _count(name: str, value: int) -> int:
    """A whole number of at least 1."""
    if np.ndim(value) != 0 or np.asarray(value).dtype.kind not in "iu" or value < 1:
        raise ValueError(f"{name} is {value!r}: a whole number of at least 1 is needed")
    return int(value)
