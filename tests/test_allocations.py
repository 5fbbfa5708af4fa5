"""The training loop takes no memory, whichever way a step is computed. (In chunks by several threads: test_blocks.py.)"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
import pytest

from chainrule.sample import sample
from codegen.cache import imported
from derive import Network
from tests.allocations import allocates_in_its_loop, allocations
from tests.modules import network, text_of

BLOCKS = network(3, [(5, "tanh"), (3, "identity")], "softmax_cross_entropy")
PRODUCTS = {  # layers so large that their sums are matrix products; see also tests/test_codegen.py
    "columns": network(40, [(30, "tanh"), (2, "identity")], "mean_squared_error", "columns"),
    "added to a matrix": network(70, [(64, "relu"), (3, "identity")], "softmax_cross_entropy"),
}


@functools.cache
def built(net: Network) -> tuple[Any, Any]:
    module: Any = imported("allocations", text_of(net), "<allocations>")
    return module, sample(net, module, 71, 0)


@numba.njit
def taking(count: int) -> float:
    total = 0.0
    for k in range(count):
        total += np.full(3, float(k)).sum()
    return total


def test_memory_that_is_taken_in_a_loop_is_counted() -> None:
    taking(1)
    assert allocations(lambda: taking(50)) - allocations(lambda: taking(1)) == 49


class Growing:
    """A module whose training takes memory in every epoch."""

    @staticmethod
    def train(_p: Any, _X: Any, _y: Any, *, epochs: int, batch_size: int, learning_rate: float) -> None:
        taking(epochs + 0 * int(batch_size * learning_rate))


def test_training_that_takes_memory_in_its_loop_is_found() -> None:
    assert allocates_in_its_loop(Growing, None, None, None, 4)


@pytest.mark.parametrize("batch", [41, 3])
def test_blocks_take_no_memory(batch: int) -> None:
    """Batches of 41 and 30 examples are blocks of 32, of 4 and of 1."""
    module, at = built(BLOCKS)
    assert hasattr(module, "_gradients_block")
    assert not allocates_in_its_loop(module, at.parameters, at.X, at.y, batch)


@pytest.mark.parametrize("name", PRODUCTS)
def test_matrix_products_take_no_memory(name: str) -> None:
    """They write into arrays that are there, and read others in the order in which these lie."""
    text = text_of(PRODUCTS[name])
    assert "_product(" in text
    assert "def _gradients_block(" not in text
    assert ("_add_product(" in text) == (name == "added to a matrix")
    module, at = built(PRODUCTS[name])
    assert not allocates_in_its_loop(module, at.parameters, at.X, at.y, 32)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_arrays_of_whole_batches_begin_with_a_line_of_the_cache(monkeypatch: pytest.MonkeyPatch, real: type) -> None:
    """A training step of 784-128-10 with one example takes a third longer where they do not."""
    module, at = built(PRODUCTS["added to a matrix"])
    given: list[Any] = []

    def record(*arguments: Any) -> int:
        given.extend(arguments)
        return 1

    monkeypatch.setattr(module, "_train", record)
    p = module.Parameters(*(a.astype(real) for a in at.parameters))
    state = module.State()
    X = at.X.astype(real)
    for _ in range(2):
        p, _ = module.train(p, X, at.y, epochs=1, batch_size=7, learning_rate=0.1, optimizer=module.Adam(), state=state)
    reals: list[Any] = [a for a in given if getattr(a, "dtype", None) == real and a.size > 1]
    written = [a for a in reals if not np.may_share_memory(a, X)]
    assert len(written) >= 10
    assert [a.ctypes.data % 64 for a in written] == [0] * len(written)
