"""Training takes results below the normal numbers as zero, in every thread, and leaves the processor as it was."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pytest
from numba import njit, prange

from codegen.cache import imported
from tests.modules import interpreted, network, parameters, text_of

LINE = network(1, [(1, "identity")], "mean_squared_error")  # dW = 2 b x for y = 0 and W = 0
ONE_STEP: dict[str, Any] = {"epochs": 1, "batch_size": 2_000_000, "learning_rate": 1.0}
X86 = platform.machine() in ("x86_64", "AMD64")


@pytest.fixture(scope="module")
def line() -> Any:
    """The module of a straight line, compiled."""
    return imported("line", text_of(LINE), "<line>")


@njit
def _half(numbers: Any, halves: Any) -> None:
    for k in range(numbers.size):
        halves[k] = numbers[k] * numbers.dtype.type(0.5)


@njit(parallel=True)
def _half_by_threads(numbers: Any, halves: Any) -> None:
    for k in prange(numbers.size):
        halves[k] = numbers[k] * numbers.dtype.type(0.5)


@pytest.mark.skipif(not X86, reason="the settings are those of processors of the x86 family")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_subnormal_results_are_zero_between_the_two(line: Any, dtype: Any) -> None:
    flush, restore = line._flush_subnormals, line._restore

    @njit
    def both(numbers: Any, within: Any, after: Any) -> None:
        settings = flush()
        _half(numbers, within)
        restore(settings)
        _half(numbers, after)

    normal: Any = np.full(1, np.finfo(dtype).tiny, dtype)
    within, after = np.ones_like(normal), np.ones_like(normal)
    both(normal, within, after)
    assert within[0] == 0
    assert after[0] == normal[0] / 2 > 0


@pytest.mark.parametrize("examples", [1, 4, 33, 1_100_000])  # the last by several threads
def test_only_training_takes_them_as_zero(line: Any, examples: int) -> None:
    p = parameters(line, [[0.0]], [1e-19], dtype=np.float32)
    X, y = np.full((examples, 1), 5e-22 * examples, np.float32), np.zeros((examples, 1), np.float32)
    dW = line.gradients(p, X, y)[1].W1[0, 0]  # every example adds 1e-40
    assert dW > 0
    trained, _ = line.train(p, X, y, **ONE_STEP)
    assert (trained.W1[0, 0] == 0) == X86
    assert line.gradients(p, X, y)[1].W1[0, 0] == dW  # and nothing has changed outside


def test_threads_are_left_as_they_were(line: Any) -> None:
    ones = np.ones((1_100_000, 1), np.float32)
    line.train(parameters(line, [[0.0]], [1.0], dtype=np.float32), ones, ones, **ONE_STEP)
    normal = np.full(10_000, np.finfo(np.float32).tiny, dtype=np.float32)
    found = np.zeros_like(normal)
    _half_by_threads(normal, found)
    assert (found > 0).all()


def test_an_error_leaves_the_processor_as_it_was() -> None:
    module = imported("raises", text_of(network(1, [(1, "identity")], "binary_cross_entropy")), "<raises>")
    ones = np.ones((4, 1))
    with pytest.raises(ValueError, match="lies outside"):
        module.train(parameters(module, [[2.0]], [0.0]), ones, ones, **ONE_STEP)
    half = np.full(1, np.finfo(np.float32).tiny, dtype=np.float32) / 2
    assert half[0] > 0


def test_python_itself_takes_no_notice() -> None:
    module = interpreted(LINE)
    p = parameters(module, [[0.0]], [1e-19], dtype=np.float32)
    trained, _ = module.train(p, np.array([[1e-20]], np.float32), np.zeros((1, 1), np.float32), **ONE_STEP)
    assert trained.W1[0, 0] < 0
