"""The two exponentials of a softmax over two classes as one: where this is done, and the same numbers to the last bit."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from codegen.explain import explanation
from derive import Network, differentiate
from tests.modules import interpreted, interpreted_text, network, text_of

NET = network(3, [(5, "tanh"), (2, "identity")], "softmax_cross_entropy")
LABELS = np.random.default_rng(0).integers(0, 2, 41)


def unchanged(statements: Any, *_: Any) -> Any:
    return statements


def calls(net: Network) -> list[str]:
    """What the block of the gradients takes exponentials of."""
    text = text_of(net)
    block = text[text.index("def _gradients_block(") : text.index("def _gradients_batch(")]
    return re.findall(r"_exp\((.*)\)", block)


@pytest.mark.parametrize("convention", ["rows", "columns"])
def test_two_classes_take_one(convention: Any) -> None:
    net = network(3, [(5, "tanh"), (2, "identity")], "softmax_cross_entropy", convention)
    assert calls(net) == ["below_0 + below_1"]
    plans = explanation(differentiate(net.program()), net)
    found = {why for plan in plans for e in plan.equations for why in e.why}
    assert "one of its two exponents is 0, where it is 1: one exponential, of the sum of both exponents" in found


@pytest.mark.parametrize("layers", [[(5, "tanh"), (3, "identity")], [(2, "elu"), (3, "identity")]])
def test_others_do_not(layers: list[tuple[int, str]]) -> None:
    assert not any("below" in call for call in calls(network(3, layers, "softmax_cross_entropy")))


@pytest.fixture(scope="module")
def ways() -> tuple[Any, Any]:
    """The module with one exponential, and with two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.schedule.one_exponential", unchanged)
        text = text_of(NET)
    assert "below_0" not in text
    return interpreted(NET), interpreted_text("two exponentials", text)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e3])
def test_the_same_bits(scale: float, ways: tuple[Any, Any]) -> None:
    """Also for equal scores, and for NaN and infinity, which reach their own prediction alone."""
    one, two = ways
    p = one.Parameters(*(scale * a for a in one.init(1)))
    X = np.random.default_rng(1).standard_normal((41, 3))
    assert one.loss(p, X, LABELS) == two.loss(p, X, LABELS)
    for mine, other in zip(one.gradients(p, X, LABELS)[1], two.gradients(p, X, LABELS)[1], strict=True):
        np.testing.assert_array_equal(mine, other)
    X[3, 1], X[7, 0], X[8, 2] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(one.predict(p, X), two.predict(p, X))


def test_infinite_scores() -> None:
    """inf - inf is no number, with one exponential as with two."""
    module = interpreted(network(1, [(2, "identity")], "softmax_cross_entropy"))
    p = module.Parameters(np.array([[np.inf], [1.0]]), np.zeros(2))
    with np.errstate(invalid="ignore"):
        assert np.isnan(module.predict(p, [[1.0], [-1.0]])[0]).all()
