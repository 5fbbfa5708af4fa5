"""A new activation is one line in the table of formulas: spec, schema, derivation, proof, document and module follow from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import derive
from chainrule.kinks import kinks
from chainrule.sample import sample
from chainrule.verify import verify_at
from derive import Network, loads
from derive.documents import Format
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.operation import Operation, Parameter
from tests.modules import interpreted

Torch = Callable[[torch.Tensor], torch.Tensor]


def hat(x: torch.Tensor, width: float = 1.5) -> torch.Tensor:
    return torch.where(x.abs() >= width, 0.0, width - x.abs())


LINES: dict[str, tuple[Operation, Torch]] = {
    "mish": (Operation("x * tanh(log(1 + exp(x)))", "Misra 2019"), F.mish),
    "hat": (
        Operation("where(x <= -width, 0, where(x >= width, 0, width - abs(x)))", "a tent", parameters={"width": Parameter(1.5)}),
        hat,
    ),
    "softer_sign": (Operation("x / sqrt(1 + x**2)", "an inverse square root"), lambda x: x / torch.sqrt(1 + x**2)),
    "temperate": (
        Operation("Y[..., c] = exp(X[..., c] / 2) / sum(k, exp(X[..., k] / 2))", "softmax at a temperature", ("X[..., c]",)),
        lambda x: torch.softmax(x / 2, -1),
    ),
    "again": (ACTIVATIONS["log_softmax"], partial(F.log_softmax, dim=1)),
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
    """A network with an activation that is in the table only now: Mish was deleted, the others have never been there."""
    kind: str = request.param
    monkeypatch.delitem(ACTIVATIONS, kind, raising=False)
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
    shown: dict[Format, str] = {"latex": "A_1", "markdown": "A_1", "html": "<msub><mi>A</mi><mn>1</mn></msub>"}
    assert all(text in derive.document(derivation, network, format=form).replace(" ", "") for form, text in shown.items())
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


def test_kinks_of_nested_branches_are_found() -> None:
    found = kinks(loads(SPEC.format(kind="hardtanh")).program()).boundaries
    assert [str(boundary.body) for boundary in found] == ["A1[n,j] + 1", "A1[n,j] - 1"]
