"""Vectors of 512 bits in kernels of whole batches: where they are asked for, and that the compiler hears of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from codegen.cache import imported
from codegen.explain import explanation
from derive import Network, differentiate
from tests.modules import interpreted, network, text_of

TANH = network(40, [(30, "tanh"), (3, "identity")], "softmax_cross_entropy")


def kernel(net: Network, name: str) -> str:
    text = text_of(net)
    start = text.index(f"def _{name}(")
    return text[start : text.index("@njit", start)]


@pytest.mark.parametrize(
    ("net", "asked"),
    [
        (TANH, True),
        (network(40, [(30, "tanh"), (3, "identity")], "softmax_cross_entropy", "columns"), True),
        (network(40, [(30, "relu"), (3, "identity")], "softmax_cross_entropy"), False),  # exp of 3 numbers, log of one
        (network(100, [(12, "tanh"), (3, "identity")], "softmax_cross_entropy"), False),
    ],
)
def test_where_they_are_asked_for(net: Network, asked: bool) -> None:
    assert "_product(" in kernel(net, "gradients")  # whole batches
    assert ("_wide_vectors()" in kernel(net, "gradients")) == asked
    assert ("_wide_vectors()" in kernel(net, "predict")) == asked
    assert ("def _wide_vectors(" in text_of(net)) == asked


def test_it_is_explained() -> None:
    gradients = explanation(differentiate(TANH.program()), TANH)[0]
    said = "by vectors of 512 bits, where the processor has them: elementary functions of 16 numbers or more side by side"
    assert [e.tensor for e in gradients.equations if said in e.why] == ["H1"]


def test_compiled() -> None:
    module: Any = imported("wide", text_of(TANH), "<wide>")
    p, X, y = module.init(1), np.random.default_rng(0).standard_normal((5, 40)), np.array([0, 1, 2, 0, 1])
    loss, gradient = module.gradients(p, X, y)
    expected_loss, expected = interpreted(TANH).gradients(p, X, y)
    assert abs(loss - expected_loss) < 1e-13
    for mine, other in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-13)
    (code,) = module._gradients.inspect_llvm().values()
    assert '"prefer-vector-width"="512"' in code
