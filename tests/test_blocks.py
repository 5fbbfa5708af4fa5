"""Kernels that compute their examples in blocks: the same gradients as in whole batches, for every number of examples and of threads."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.cache import imported
from derive import Network, differentiate
from tests.allocations import allocates_in_its_loop
from tests.modules import interpreted, interpreted_text, network, text_of
from tests.random_networks import networks

COUNTS = (1, 3, 4, 7, 31, 32, 33, 41, 64, 71, 105)  # blocks of 64, of 32, of 4 and single examples, in every mixture
IMAGES: dict[str, Any] = {
    "name": "tested",
    "inputs": [2, 3],
    "layers": [{"kind": "flatten"}, {"kind": "dense", "units": 4, "activation": "tanh"}, {"kind": "dense", "units": 2}],
    "loss": "mean_squared_error",
}
NETS = {
    "rows": network(3, [(5, "tanh"), (3, "identity")], "softmax_cross_entropy"),
    "columns": network(3, [(9, "relu"), (6, "gelu"), (2, "sigmoid")], "mean_squared_error", "columns"),
    "xw": network(2, [(13, "silu"), (1, "sigmoid")], "binary_cross_entropy", "xw"),
    "images": Network(**IMAGES),
    "many classes": network(4, [(11, "elu"), (12, "identity")], "softmax_cross_entropy"),
}

THREADED = network(4, [(32, "tanh"), (16, "tanh"), (4, "identity")], "mean_squared_error")
MANY = 4 * 1024 + 37  # examples, enough for chunks


def data(net: Network, module: Any, examples: int, dtype: type = np.float64) -> tuple[Any, Any, Any]:
    at = sample(net, module, examples, 1)
    return module.Parameters(*(a.astype(dtype) for a in at.parameters)), at.X, at.y


def in_whole_batches(net: Network, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The network's module without blocks, run by Python."""
    monkeypatch.setattr("codegen.blocks.CALL_PAYS", 0)
    text = text_of(net)
    monkeypatch.undo()
    assert "_block(" not in text
    return interpreted_text("whole", text)


@pytest.mark.parametrize("name", NETS)
def test_blocks_compute_what_whole_batches_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, whole = interpreted(NETS[name]), in_whole_batches(NETS[name], monkeypatch)
    assert hasattr(blocks, "_gradients_block")
    for examples in COUNTS:
        p, X, y = data(NETS[name], blocks, examples)
        (own, gradient), (loss, expected) = blocks.gradients(p, X, y), whole.gradients(p, X, y)
        assert own == pytest.approx(loss, rel=1e-13, abs=1e-15)
        assert blocks.loss(p, X, y) == pytest.approx(loss, rel=1e-13, abs=1e-15)
        np.testing.assert_allclose(blocks.predict(p, X), whole.predict(p, X), rtol=1e-12, atol=1e-15)
        for mine, other in zip(gradient, expected, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-13 * max(1, np.abs(other).max()))
    last = data(NETS[name], blocks, COUNTS[-1])
    for shuffle in (True, False):  # the same examples in the same order
        ways = [m.train(*last, epochs=2, batch_size=33, learning_rate=0.1, shuffle=shuffle) for m in (blocks, whole)]
        np.testing.assert_allclose(ways[0][1], ways[1][1], rtol=1e-12)
        for mine, other in zip(ways[0][0], ways[1][0], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)


def test_longer_blocks_come_first_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 examples, in float32 of 128, before those of 32, 4 and 1; the arrays of a wide network would not fit."""
    net = NETS["rows"]
    assert "Blocks of 64 come first, in float32 of 128." in text_of(net)
    assert "come first" not in text_of(network(3, [*[(31, "tanh")] * 4, (3, "identity")], "softmax_cross_entropy"))
    blocks, whole = interpreted(net), in_whole_batches(net, monkeypatch)
    sizes: list[int] = []
    block = blocks._gradients_block

    def counted(*arguments: Any) -> Any:
        sizes.append(arguments[-2])
        return block(*arguments)

    monkeypatch.setattr(blocks, "_gradients_block", counted)
    for dtype, expected, tolerance in ((np.float32, [4, 5, 9, 5], 1e-5), (np.float64, [9, 3, 9, 5], 1e-13)):
        for examples in (127, 128, 165, 293):
            p, X, y = data(net, blocks, examples, dtype)
            right = whole.gradients(*data(net, whole, examples))[1]
            for mine, other in zip(blocks.gradients(p, X, y)[1], right, strict=True):
                assert mine.dtype == dtype
                np.testing.assert_allclose(mine, other, rtol=10 * tolerance, atol=tolerance * np.abs(other).max())
        assert [sizes.count(size) for size in (128 if dtype is np.float32 else 64, 32, 4, 1)] == expected
        sizes.clear()


@pytest.mark.parametrize("types", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_compiled_blocks(types: type, monkeypatch: pytest.MonkeyPatch) -> None:
    net = NETS["columns"]
    blocks, whole = imported("blocks", text_of(net), "<blocks>"), in_whole_batches(net, monkeypatch)
    p, X, y = data(net, blocks, 71, types)
    tolerance = 1e-11 if types is np.float64 else 1e-4
    for mine, other in zip(blocks.gradients(p, X, y)[1], whole.gradients(p, X, y)[1], strict=True):
        assert mine.dtype == types
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=3), st.integers(1, 9), st.integers(0, 10**6), st.sampled_from([0, 10**9]))
def test_either_way_where_it_would_not_have_been_chosen(net: Network, examples: int, seed: int, pays: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", pays)
        module = interpreted(net)
    assert verify_at(differentiate(net.program()), net.program(), module, sample(net, module, examples, seed), seed).holds


@pytest.fixture(scope="module")
def chunked() -> Any:
    """A module that computes large batches in chunks."""
    text = text_of(THREADED)
    assert "parallel=True" in text
    return imported("threads", text, "<threads>")


def test_chunks_take_no_memory_in_the_loop(chunked: Any) -> None:
    p, X, y = data(THREADED, chunked, MANY)
    assert not allocates_in_its_loop(chunked, p, X, y, MANY)
    assert chunked._gradients_chunks.signatures


def test_threads_give_the_same_bits(chunked: Any) -> None:
    """So many examples that `train` computes them in chunks."""
    module, examples = chunked, MANY
    p, X, y = data(THREADED, module, examples)
    most = numba.get_num_threads()
    found: list[Any] = []
    try:
        for count in (1, min(2, most)):
            numba.set_num_threads(count)
            found.append(module.train(p, X, y, epochs=2, batch_size=examples, learning_rate=0.1, shuffle=False))
    finally:
        numba.set_num_threads(most)
    for one, other in zip(found[0][0], found[1][0], strict=True):
        assert one.tobytes() == other.tobytes()
    _, gradient = module.gradients(p, X, y)
    moved, _ = module.train(p, X, y, epochs=1, batch_size=examples, learning_rate=0.1, shuffle=False)
    for before, after, slope in zip(p, moved, gradient, strict=True):
        np.testing.assert_allclose(before - after, 0.1 * slope, rtol=1e-9, atol=1e-14)
