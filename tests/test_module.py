"""Modules of programs by hand: images, tokens, weights, masks and running statistics, against autograd; how parameters start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chainrule.kinks import kinks
from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.render import render
from derive import Network, differentiate, prove
from tests import handmade_modules as hand
from tests.module_cases import CASES, Arrays, at, derivation, module, text
from tests.modules import interpreted

# -- numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd(name: str) -> None:
    case, point = CASES[name], at(name)
    forward = case.forward
    leaves: Arrays = {t.name: torch.tensor(getattr(point.parameters, t.name), requires_grad=True) for t in forward.parameters}
    rows = [point.X, point.y, *([] if point.weights is None else [point.weights])]
    data = {t.name: torch.tensor(a) for t, a in zip((*forward.inputs, *forward.targets), rows, strict=False)}
    expected = case.reference(leaves, {**data, **{k: torch.tensor(m) for k, m in point.masks.items()}})
    wanted = torch.autograd.grad(expected, list(leaves.values()))
    value, found = module(name).gradients(point.parameters, point.X, point.y, **point.options)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    size = max(float(g.abs().max()) for g in wanted)
    for tensor, gradient in zip(leaves, wanted, strict=True):
        np.testing.assert_allclose(getattr(found, tensor), gradient.numpy(), rtol=0, atol=1e-12 * size, err_msg=tensor)


@pytest.mark.parametrize("name", CASES)
def test_modules_are_verified_and_their_steps_proved(name: str) -> None:
    done = verify_at(derivation(name), CASES[name].inference, module(name), at(name))
    assert done.holds, done
    assert [v for v in prove(derivation(name)) if not v.holds] == []


def test_a_wrong_prediction_is_found() -> None:
    done = verify_at(derivation("normalised"), hand.normalised(), module("normalised"), at("normalised"))
    assert not done.prediction_holds
    assert not done.holds


def test_the_place_of_a_maximum_is_a_kink() -> None:
    found = kinks(hand.pooled())
    point = at("pooled").given(hand.pooled())
    X, point["W1"] = point["X"].copy(), np.ones(2)
    X[2, 3], X[2, 4], X[2, 5] = 0, 1, 1 + 1e-9
    other = X.copy()
    other[2, 4] += 1e-6
    assert found.between([{**point, "X": X}, {**point, "X": X}]) == ()
    assert len(found.between([{**point, "X": X}, {**point, "X": other}])) == 1


def test_columns_take_and_give_the_same_as_rows() -> None:
    point, rows, columns = at("images"), module("images"), module("images in columns")
    np.testing.assert_allclose(columns.predict(point.parameters, point.X), rows.predict(point.parameters, point.X), rtol=1e-14)
    settings = {"epochs": 2, "batch_size": 3, "learning_rate": 0.1}
    (p, _), (q, _) = (m.train(point.parameters, point.X, point.y, **settings) for m in (rows, columns))
    np.testing.assert_allclose(p.W1, q.W1, rtol=1e-13)


# -- starts --------------------------------------------------------------------------------------------------------------


def test_starts_are_as_declared() -> None:
    p = module("normalised").init(3)
    assert (p.a, p.a.shape) == (0.25, ())
    assert (p.gamma == 1).all()
    assert (p.running_variance == 1).all()
    assert not p.running_mean.any()
    assert module("normalised").init(3, np.float32).a.dtype == np.float32


def test_the_fans_of_a_convolution_are_those_of_its_equation() -> None:
    """18 terms in a sum; a PReLU that starts at a slope of 0.25 is taken for a leaky ReLU."""
    assert "rng.standard_normal((3, 2, 3, 3)) * math.sqrt(2 / 18),  # He" in text("images")
    assert "rng.uniform(-1, 1, (3, 3, 4, 3)) * math.sqrt(6 / (36 + 3)),  # Glorot" in text("images")
    assert "E1=rng.standard_normal((7, 2))," in text("tokens")


@pytest.mark.parametrize("name", CASES)
def test_the_text_keeps_to_the_width(name: str) -> None:
    assert [line for line in text(name).splitlines() if len(line) > 140] == []


def test_everything_at_once() -> None:
    """Images in columns, statistics, masks, weights of examples and of outputs, losses one by one; an index has the letter of a tensor."""
    layers = [
        {"kind": "conv2d", "out_channels": 2, "kernel_size": 2},
        {"kind": "batch_norm", "activation": "relu"},
        {"kind": "dropout"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 3},
    ]
    loss = {"kind": "binary_cross_entropy_with_logits", "weight": [1, 2, 0.5], "pos_weight": [3, 1, 1.25], "sample_weights": True}
    fields: dict[str, Any] = {"name": "everything", "inputs": [1, 3, 3], "layers": layers, "loss": {**loss, "reduction": "none"}}
    network = Network(**fields, convention="columns")
    found, m = differentiate(network.program()), interpreted(network)
    point = sample(network, m, 5, 0)
    assert verify_at(found, network.program(mode="inference"), m, point).holds
    assert m.loss(point.parameters, point.X, point.y, point.weights).shape == (5, 3)
    _, losses = m.train(point.parameters, point.X, point.y, epochs=2, batch_size=3, learning_rate=0.01, sample_weight=point.weights)
    assert losses[1] < losses[0]
    assert [line for line in render(found, network).splitlines() if len(line) > 140] == []
