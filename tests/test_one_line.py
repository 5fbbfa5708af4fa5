"""A new activation is one line in the table of formulas: spec, schema, derivation, proof, document and module follow from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sympy import Abs, Expr, exp, log, tanh

import derive
from chainrule.kinks import kinks
from chainrule.sample import sample
from chainrule.verify import verify_at
from derive import Network, loads
from derive.documents import Format
from derive.formulas.activations import ACTIVATIONS, Activation, AlongFeatures, Elementwise, Parameter
from derive.functions import where
from derive.index import Index, Sum
from tests.modules import interpreted

Torch = Callable[[torch.Tensor], torch.Tensor]


def mish(x: Expr) -> Expr:
    return x * tanh(log(1 + exp(x)))


def hardtanh(x: Expr, low: Expr, high: Expr) -> Expr:
    return where(x <= low, low, where(x >= high, high, x))


def softsign(x: Expr) -> Expr:
    return x / (1 + Abs(x))


def log_sigmoid(x: Expr) -> Expr:
    return log(1 / (1 + exp(-x)))


def log_softmax(x: Callable[[Index], Expr], c: Index, k: Index) -> Expr:
    return log(exp(x(c)) / Sum(exp(x(k)), k))


LINES: dict[str, tuple[Activation, Torch]] = {
    "mish": (Elementwise(mish, "Misra 2019"), F.mish),
    "hardtanh": (Elementwise(hardtanh, "torch.nn.Hardtanh", {"low": Parameter(-1.0), "high": Parameter(1.0)}), F.hardtanh),
    "softsign": (Elementwise(softsign, "torch.nn.Softsign"), F.softsign),
    "log_sigmoid": (Elementwise(log_sigmoid, "torch.nn.LogSigmoid"), F.logsigmoid),
    "log_softmax": (AlongFeatures(log_softmax, "torch.nn.LogSoftmax"), partial(F.log_softmax, dim=1)),
}

SPEC = """
name = "one_line"
inputs = 3
loss = "softmax_cross_entropy"
layers = [
  {{ kind = "dense", units = 4, activation = "{kind}" }},
  {{ kind = "dense", units = 2 }},
]
"""


@pytest.fixture(params=LINES)
def network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A network with an activation that is in the table only now."""
    kind: str = request.param
    with pytest.raises(derive.SpecError, match=kind):
        loads(SPEC.format(kind=kind))
    monkeypatch.setitem(ACTIVATIONS, kind, LINES[kind][0])
    return loads(SPEC.format(kind=kind))


def test_one_line_suffices(network: Network) -> None:
    kind = network.layers[0].activation.kind
    schema: Any = derive.json_schema()
    assert kind in schema["$defs"]["Activation"]["anyOf"][0]["enum"]
    assert loads(network.to_toml()) == network
    derivation = derive.differentiate(network.program())
    assert [v for v in derive.prove(derivation) if not v.holds or "never reached" in v.detail] == []
    assert all("A_1" in derive.document(derivation, network, format=form).replace(" ", "") for form in get_args(Format))
    module = interpreted(network)
    verified = verify_at(derivation, network.program(), module, sample(network, module, 3, 0))
    assert verified.holds, [row.parameter for row in verified.rows if not row.holds]
    for scale in (1.0, 1e4):
        assert error(module, LINES[kind][1], scale) < 1e-12


def error(module: Any, activation: Torch, scale: float) -> float:
    """The worst difference of loss and gradients from PyTorch's, relative to their size, for examples of a size."""
    rng = np.random.default_rng(1)
    p = module.Parameters(*(a + 0.1 * rng.standard_normal(a.shape) for a in module.init(0)))
    X, y = scale * rng.standard_normal((9, 3)), rng.integers(0, 2, 9)
    with np.errstate(over="ignore"):  # in a denominator
        loss, gradient = module.gradients(p, X, y)
    W1, b1, W2, b2 = leaves = [torch.tensor(a, requires_grad=True) for a in p]
    expected = F.cross_entropy(activation(torch.tensor(X) @ W1.T + b1) @ W2.T + b2, torch.tensor(y))
    wanted = [g.numpy() for g in torch.autograd.grad(expected, leaves)]
    size = max(np.abs(g).max() for g in wanted)
    return max(
        abs(loss - expected.item()) / max(1.0, abs(loss)), *(np.abs(g - w).max() / size for g, w in zip(gradient, wanted, strict=True))
    )


def test_kinks_of_nested_branches_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "hardtanh", LINES["hardtanh"][0])
    found = kinks(loads(SPEC.format(kind="hardtanh")).program()).boundaries
    assert [str(boundary.body) for boundary in found] == ["A1[n,j] + 1", "A1[n,j] - 1"]
