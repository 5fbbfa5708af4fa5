"""Products of matrices without BLAS: every remainder of their tiles, and networks that would not have used them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen import product_functions
from codegen.explain import explanation
from codegen.nests import statements
from derive import Network, differentiate
from tests.modules import interpreted, network, text_of
from tests.random_networks import autograd, networks, point, worst_error

dots: Any = product_functions._dots  # pyright: ignore[reportPrivateUsage]
WIDE = network(256, [(5, "tanh"), (3, "identity")], "softmax_cross_entropy")


@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_dots(types: Any) -> None:
    rng = np.random.default_rng(0)
    for rows in (1, 3, 4, 5, 7, 8, 31, 32, 33, 34, 36, 39, 71):
        for columns in (1, 3, 4, 6, 8, 11):
            for terms in (1, 2, 19):
                a, b = (np.asarray(rng.integers(-4, 5, (n, terms)), types) for n in (rows, columns))
                out = np.full((rows, columns), np.nan, types)
                dots(a, b, out)
                assert np.array_equal(out, a @ b.T), (rows, columns, terms)  # exact: whole numbers


@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_nan_and_infinity_stay_in_their_row(types: Any) -> None:
    a: Any = np.ones((9, 40), types)
    b, out = np.ones((6, 40), types), np.zeros_like(a[:, :6])
    a[1, 3], a[6, 39] = np.nan, np.inf
    dots(a, b, out)
    assert np.isnan(out[1]).all()
    assert np.array_equal(out[6], np.full(6, np.inf))
    assert (out[[0, 2, 3, 4, 5, 7, 8]] == 40).all()


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=3), st.integers(1, 9), st.integers(0, 10**6))
def test_networks_that_would_not_have_used_them(net: Network, examples: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", 0)
        patch.setattr("codegen.schedule.statements", functools.partial(statements, extents=1))
        patch.setattr("codegen.products.TERMS", 1)
        patch.setattr("codegen.products.FEWEST", 1)
        module = interpreted(net)
    at = point(net, examples, seed)
    p = module.Parameters(*(at.parameters[name] for name in module.Parameters._fields))
    _, gradient = module.gradients(p, at.X, at.y, **({} if at.weights is None else {"sample_weight": at.weights}))
    _, expected, _ = autograd(net, at)
    assert worst_error(dict(zip(module.Parameters._fields, gradient, strict=True)), expected) < 1e-10


@pytest.mark.parametrize(("convention", "chosen"), [("rows", True), ("columns", False), ("xw", False)])
def test_where_they_are_chosen(convention: str, chosen: bool) -> None:
    net = WIDE.model_copy(update={"convention": convention})
    assert ("_dots(" in text_of(net)) == chosen
    gradients: Any = explanation(differentiate(net.program()), net)[0]
    said = [e.number for e in gradients.equations if any("without BLAS, for 4 to 32 examples: 256 terms" in why for why in e.why)]
    assert said == (["1"] if chosen else [])


def test_which_examples_take_which_way(monkeypatch: pytest.MonkeyPatch) -> None:
    module, calls = interpreted(WIDE), list[int]()

    def dots(a: Any, _: object, out: Any) -> None:
        calls.append(len(a))
        out[:] = 0

    monkeypatch.setattr(module, "_dots", dots)
    for examples in (3, 4, 32, 33):
        module.predict(module.init(), np.zeros((examples, 256)))
    assert calls == [4, 32]
