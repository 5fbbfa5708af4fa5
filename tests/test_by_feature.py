"""Sums over the examples of a block with features side by side: where this is done, and the same gradients wherever it is forced."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.cache import imported
from codegen.explain import explanation
from derive import Network, differentiate
from tests.modules import interpreted, interpreted_text, network, text_of
from tests.random_networks import networks

NET = network(2, [(16, "relu"), (2, "identity")], "softmax_cross_entropy")
TURNED = "if wide is not None and _has_many_registers():"


def turned(layers: list[tuple[int, str]], inputs: int = 2, loss: str = "mean_squared_error") -> bool:
    return TURNED in text_of(network(inputs, layers, loss))


def test_sums_that_registers_hold() -> None:
    """Of sixteen features, five sums are 80 numbers and six too many; what they read is computed again by additions and multiplications."""
    assert turned([(16, "relu"), (2, "identity")])
    assert turned([(16, "leaky_relu"), (1, "identity")], 3)
    assert not turned([(16, "relu"), (2, "identity")], 3)
    assert not turned([(15, "relu"), (2, "identity")])
    assert not turned([(16, "tanh"), (2, "identity")])


def test_the_reasons() -> None:
    gradients = explanation(differentiate(NET.program()), NET)[0]
    why = {e.number: e.why for e in gradients.equations}
    held = "in blocks of 32 and more, 16 of j side by side, a multiple of 16: all sums of the loop, at most 80 numbers, stay in registers"
    again = "computed again for these sums, which would read it across memory"
    assert {number for number in why if held in why[number]} == {"1", "2", "8", "10", "11", "12", "13"}
    assert {number for number in why if again in why[number]} == {"1", "2"}


def test_the_same_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of every size, and to the last bit in those that are too short for it."""
    module = interpreted(NET)
    monkeypatch.setattr("codegen.by_feature.HELD", 0)
    text = text_of(NET)
    assert TURNED not in text
    other = interpreted_text("examples side by side", text)
    for examples in (1, 7, 31, 32, 33, 71, 105):
        at = sample(NET, module, examples, 1)
        (loss, mine), (same, theirs) = module.gradients(at.parameters, at.X, at.y), other.gradients(at.parameters, at.X, at.y)
        assert loss == same
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12 if examples > 31 else 0, atol=1e-15 if examples > 31 else 0)


@pytest.mark.parametrize("dtype", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_compiled(dtype: Any) -> None:
    compiled, plain = imported("by_feature", text_of(NET), "<by_feature>"), interpreted(NET)
    at = sample(NET, plain, 167, 1)
    p = compiled.Parameters(*(a.astype(dtype) for a in at.parameters))
    tolerance = 1e-13 if dtype is np.float64 else 1e-5
    expected = plain.gradients(plain.Parameters(*(a.astype(dtype).astype(np.float64) for a in at.parameters)), at.X, at.y)[1]
    for mine, other in zip(compiled.gradients(p, at.X, at.y)[1], expected, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(mine, other, rtol=10 * tolerance, atol=tolerance * np.abs(other).max())


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=3), st.integers(30, 40), st.integers(0, 10**6))
def test_where_it_would_not_have_been_chosen(net: Network, examples: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.by_feature.LANES", 1)
        patch.setattr("codegen.by_feature.HELD", 10**6)
        module = interpreted(net)
    assert verify_at(differentiate(net.program()), net.program(), module, sample(net, module, examples, seed), seed).holds


FORCED = {
    "columns": network(3, [(6, "leaky_relu"), (2, "identity")], "mean_squared_error", "columns"),
    "xw": network(2, [(7, "relu"), (1, "sigmoid")], "binary_cross_entropy", "xw"),
}


@pytest.mark.parametrize("name", FORCED)
def test_forced(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = FORCED[name]
    monkeypatch.setattr("codegen.by_feature.LANES", 1)
    monkeypatch.setattr("codegen.by_feature.HELD", 10**6)
    text = text_of(net)
    assert TURNED in text
    module = interpreted_text(name, text)
    assert verify_at(differentiate(net.program()), net.program(), module, sample(net, module, 35, 2), 2).holds
