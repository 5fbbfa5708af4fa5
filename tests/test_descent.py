"""Plain descent that stores no gradients of large matrices: the same step as with them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen import descent
from codegen.cache import imported
from codegen.explain import explanation
from codegen.nests import statements
from codegen.optimisers import shown
from derive import Network, differentiate
from derive.loss_spec import Penalty
from tests.modules import interpreted, network, text_of
from tests.random_networks import networks, point

SWEPT = (("rows", np.float32), ("columns", np.float64), ("xw", np.float64), ("xw", np.float32))
LARGE = network(70, [(64, "tanh"), (66, "relu"), (3, "identity")], "softmax_cross_entropy")


def forced(net: Network, looped: int = 2) -> Any:
    """The module with the step for all matrices, by loops for batches of up to `looped` examples, computed in whole batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", 0)
        patch.setattr("codegen.schedule.statements", functools.partial(statements, extents=1))
        patch.setattr("codegen.descent.LARGE", 1)
        patch.setattr("codegen.products.LOOPED", looped)
        return interpreted(net)


def stepped(module: Any, p: Any, X: Any, y: Any, size: int, rate: float, decay: float, **weights: Any) -> Any:
    """The parameters after one pass, by the gradients that the module gives."""
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        _, gradient = module.gradients(p, X[part], y[part], **{name: w[part] for name, w in weights.items()})
        p = module.Parameters(*(a - rate * (decay * a + g) for a, g in zip(p, gradient, strict=True)))
    return p


def agree(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=0, atol=tolerance * max(1, np.abs(other).max()))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(networks(max_layers=4), st.integers(1, 5), st.integers(0, 10**6), st.sampled_from([0.0, 0.3]), st.sampled_from([2, 5]))
def test_the_step_where_it_would_not_have_been_chosen(net: Network, size: int, seed: int, decay: float, looped: int) -> None:
    module = forced(net, looped)
    at = point(net, 6, seed)  # of which the last batch holds fewer than the others, for most sizes
    p = module.Parameters(*(at.parameters[name] for name in module.Parameters._fields))
    weights = {} if at.weights is None else {"sample_weight": at.weights}
    options = {"epochs": 1, "batch_size": size, "learning_rate": 0.1, "shuffle": False, **weights}
    found, _ = module.train(p, at.X, at.y, optimizer=module.SGD(weight_decay=decay), **options)
    agree(found, stepped(module, p, at.X, at.y, size, 0.1, decay, **weights), 1e-10)


@pytest.mark.parametrize(
    ("convention", "types"),
    [
        ("rows", np.float64),
        ("columns", np.float32),
        *(pytest.param(*more, marks=pytest.mark.slow) for more in SWEPT),
    ],
)
def test_compiled(convention: str, types: type) -> None:
    net = LARGE.model_copy(update={"convention": convention})
    module = imported("descent", text_of(net), "<descent>")
    assert module._sgd_at_once
    p, rng = module.init(1, types), np.random.default_rng(0)
    X, y = rng.standard_normal((7, 70)).astype(p[0].dtype), rng.integers(0, 3, 7)
    tolerance = 1e-12 if types is np.float64 else 1e-5
    for size in (1, 2, 3):
        found, losses = module.train(p, X, y, epochs=1, batch_size=size, learning_rate=0.1, optimizer=module.SGD(0.01), shuffle=False)
        agree(found, stepped(module, p, X, y, size, 0.1, 0.01), tolerance)
        assert found[0].dtype == types
        assert np.isfinite(losses[0])


@pytest.mark.parametrize("size", [2, 3])
def test_the_gradient_of_a_large_matrix_is_not_stored(size: int) -> None:
    text = text_of(LARGE)
    body = text[text.index("def _sgd_at_once(") : text.index("# -- optimizers")]
    assert body.count("if N <= 2:\n        _descend(keep, add, ") == 2
    assert body.count("else:\n        _add_product(keep, add, ") == 2
    assert "dW1 =" not in body
    assert "dW2 =" not in body
    assert "def _sgd(" not in text
    module = interpreted(LARGE)
    X, y = np.ones((size, 70)), np.zeros(size, np.int64)
    module._gradients_products = None  # not called
    module.train(module.init(), X, y, epochs=1, batch_size=size, learning_rate=0.1)
    with pytest.raises(TypeError):
        module.train(module.init(), X, y, epochs=1, batch_size=size, learning_rate=0.1, optimizer=module.Momentum())


@pytest.mark.parametrize(
    "net",
    [
        network(70, [(50, "tanh"), (3, "identity")], "softmax_cross_entropy"),  # 3500 entries
        LARGE.model_copy(update={"penalties": [Penalty.model_validate({"kind": "l2", "strength": 0.1})]}),  # the gradient has another term
    ],
)
def test_where_it_does_not_pay(net: Network) -> None:
    text = text_of(net)
    assert "_descend(" not in text
    assert "_add_product(" not in text
    assert "def _sgd(" in text


def test_examples_along_memory_are_for_blas_alone() -> None:
    text = text_of(network(70, [(64, "tanh"), (3, "identity")], "softmax_cross_entropy", "columns"))
    assert "_add_product(keep, add, dA1, X.T, W1)" in text
    assert "_descend(" not in text


def test_only_steps_without_memory_that_are_linear() -> None:
    found = {o.name: descent.coefficients(o) for o in shown(10)}
    assert [name for name, c in found.items() if c is not None] == ["SGD"]
    sgd = found["SGD"]
    assert sgd is not None
    assert str(sgd.add) == "-rate"


def test_it_is_explained() -> None:
    gradients = explanation(differentiate(LARGE.program()), LARGE)[0]
    why = {e.tensor: e.why for e in gradients.equations}
    said = "with SGD, added to the matrix itself and never stored: 4096 entries or more"
    assert [name for name, reasons in why.items() if said in reasons] == ["dW2", "dW1"]
