"""What this machine can do at best: products of matrices, functions, memory. Run in a process with the threads that are to be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numba import njit, prange

import codegen
from benchmarks.kernels import Array, kernel, medians
from benchmarks.problem import problem
from benchmarks.workloads import TYPES, WORKLOADS, Case
from derive import Network

SIDE = 1024  # of the square matrices whose product shows the peak
ELEMENTS = 4096  # of an array that a function is applied to: it stays in the cache
STREAM = 2**25  # float64 numbers in each of three arrays: more than the caches hold
special: Any = import_module("scipy.special")
NUMPY: dict[str, Callable[[Array, Array], Array]] = {"exp": np.exp, "tanh": np.tanh, "erf": special.erf}
Found = tuple[str, float, str]


def limits() -> Iterator[Found]:
    """Name, value and unit of each."""
    for dtype in TYPES:
        yield f"product {dtype}", _peak(dtype), "GFLOP/s"
        for name in NUMPY:
            numpy, module = _function(name, dtype)
            yield f"{name} {dtype}, NumPy", numpy, "ns"
            yield f"{name} {dtype}, module", module, "ns"
        for work in WORKLOADS:
            if not work.tiny:
                for batch in work.batches:
                    yield f"products {work.name} {batch} {dtype}", _products(Case(work, batch, dtype, 1)), "us"
    yield "memory", _bandwidth(), "GB/s"


def _peak(dtype: str) -> float:
    rng = np.random.default_rng(0)
    A, B = (rng.standard_normal((SIDE, SIDE)).astype(dtype) for _ in range(2))
    C = np.empty_like(A)
    (micros,) = medians([lambda: np.matmul(A, B, out=C)])
    return 2 * SIDE**3 / micros / 1e3


def _products(case: Case) -> float:
    """Microseconds of the products of a step alone, on arrays as a step has them."""
    data = problem(case)
    X = data.X[0]
    values: list[Array] = [X, *(np.zeros((case.batch, len(W)), case.dtype) + 0.1 for W in data.weights)]
    outs = [(np.empty_like(values[k + 1]), np.empty_like(W), np.empty_like(values[k])) for k, W in enumerate(data.weights)]

    def step() -> None:
        for k, (W, (Z, dW, dH)) in enumerate(zip(data.weights, outs, strict=True)):
            np.matmul(values[k], W.T, out=Z)
            np.matmul(values[k + 1].T, values[k], out=dW)
            if k:
                np.matmul(values[k + 1], W, out=dH)

    (micros,) = medians([step])
    return micros


def _function(name: str, dtype: str) -> tuple[float, float]:
    """Nanoseconds an element of a function: in NumPy (SciPy for erf), and in the kernel of a module that has nothing else to do."""
    inputs = 64
    activation = {"formula": f"{name}(a * x)", "learned": {"a": 1.0}}  # a module needs something to learn: one multiplication more
    layer = {"kind": "flatten", "activation": activation}
    module: Any = codegen.build(Network(name=f"limit_{name}", inputs=inputs, loss="mean_squared_error", layers=[layer]))
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ELEMENTS // inputs, inputs)).astype(dtype)
    out = np.empty_like(X)
    p = module.init(0, dtype)
    own = kernel(module, "_predict", lambda: module.predict(p, X))
    found = medians([lambda: NUMPY[name](X, out), own])
    return found[0] / ELEMENTS * 1e3, found[1] / ELEMENTS * 1e3


def _bandwidth() -> float:
    """Gigabytes read and written a second, in a = b + 3 c."""
    a, b, c = (np.ones(STREAM) for _ in range(3))
    (micros,) = medians([lambda: _triad(a, b, c)])
    return 3 * a.nbytes / micros / 1e3


@njit(parallel=True, fastmath=True)
def _triad(a: Array, b: Array, c: Array) -> None:
    for k in prange(len(a)):
        a[k] = b[k] + 3 * c[k]
