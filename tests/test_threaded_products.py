"""Products in tiles by several threads: the same bits for any number of threads, subnormal numbers as the caller takes them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
from numba import njit

from codegen.cache import imported
from codegen.explain import explanation
from codegen.products import BATCH, THREADED
from derive import differentiate
from tests.modules import network, text_of

NET = network(256, [(128, "relu"), (3, "identity")], "softmax_cross_entropy")
FIRST = THREADED // (256 * 128)  # examples from which on several threads compute X W1.T
TYPES = (np.float64, pytest.param(np.float32, marks=pytest.mark.slow))


@functools.cache
def module() -> Any:
    return imported("threaded", text_of(NET), "<threaded>")


@functools.cache
def ways() -> tuple[Callable[..., None], Callable[..., int]]:
    """The product by several threads, as it is and where results below the normal numbers are zero; the latter gives the settings after."""
    compute, flush, restore = module()._by_threads, module()._flush_subnormals, module()._restore

    @njit
    def plain(keep: Any, add: Any, a: Any, b: Any, out: Any) -> None:
        compute(keep, add, a, b, out)

    @njit
    def flushed(keep: Any, add: Any, a: Any, b: Any, out: Any) -> int:
        settings = flush()
        compute(keep, add, a, b, out)
        after = flush()
        restore(settings)
        return after

    return plain, flushed


def threads() -> Iterator[int]:
    """One thread, then two and so on."""
    most = numba.get_num_threads()
    try:
        for count in range(1, most + 1):
            numba.set_num_threads(count)
            yield count
    finally:
        numba.set_num_threads(most)


def inside(x: Any) -> Any:
    """The array as a part of a larger one: of one type for the compiler, however it lies in memory."""
    around = np.full((x.shape[0] + 2, x.shape[1] + 2), np.nan, x.dtype)
    if x.flags.f_contiguous:
        around = around.T.copy().T
    part = around[1:-1, 1:-1]
    part[:] = x
    return part


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_number_of_threads_gives_the_same_bits(types: Any, order: Any) -> None:
    rng = np.random.default_rng(0)
    for rows, terms, columns in ((128, 130, 300), (131, 257, 125), (600, 300, 33)):
        a = inside(rng.standard_normal((rows, terms)).astype(types))
        b = inside(np.asarray(rng.standard_normal((terms, columns)), types, order=order))
        start = rng.standard_normal((rows, columns)).astype(types)
        found: list[Any] = []
        for _ in threads():
            out = inside(start)
            ways()[0](types(0.5), types(2), a, b, out)
            found.append(out)
            assert np.isnan(out.base[0]).all()  # what is around the result stays
        exact = 0.5 * start.astype(np.float64) + 2 * (a.astype(np.float64) @ b.astype(np.float64))
        np.testing.assert_allclose(found[0], exact, rtol=0, atol=1e3 * np.finfo(types).eps)
        for other in found[1:]:
            assert np.array_equal(other, found[0])


def test_threads_take_subnormal_numbers_as_their_caller_does() -> None:
    plain, flushed = ways()
    a, b = inside(np.full((128, 128), 1e-160)), inside(np.full((128, 300), 1e-161))
    for _ in threads():
        for _ in range(2):
            out = inside(np.ones((128, 300)))
            plain(0.0, 1.0, a, b, out)
            assert (out > 0).all()
            assert flushed(0.0, 1.0, a, b, out) & 0x8000  # the caller's own settings are what they were
            assert (out == 0).all()


def test_training_does_not_depend_on_threads() -> None:
    m, rng = module(), np.random.default_rng(0)
    p, X, y = m.init(1), rng.standard_normal((FIRST + 40, 256)), rng.integers(0, 3, FIRST + 40)
    found: list[Any] = []
    for _ in threads():
        trained, losses = m.train(p, X, y, epochs=2, batch_size=FIRST + 1, learning_rate=0.1)
        found.append([losses, *trained, *m.gradients(p, X, y)[1], m.predict(p, X)])
    assert not any(made.library.has_dynamic_globals for made in m._predict.overloads.values())  # or no cache would keep it
    for other in found[1:]:
        for mine, expected in zip(other, found[0], strict=True):
            assert np.array_equal(mine, expected)


def test_where_they_are_chosen() -> None:
    assert BATCH >= FIRST
    assert f"if rows * columns * a.shape[1] >= {THREADED} and" in text_of(NET).replace("2**22", str(2**22))
    assert "prange" not in text_of(network(256, [(THREADED // 256 // (BATCH + 1), "relu"), (3, "identity")], "softmax_cross_entropy"))
    gradients: Any = explanation(differentiate(NET.program()), NET)[0]
    said = [e.number for e in gradients.equations if any(why.startswith(f"by several threads from {FIRST} examples on") for why in e.why)]
    assert said == ["1", "12"]
