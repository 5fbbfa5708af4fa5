"""Random networks for Hypothesis, random points to evaluate them at, and what PyTorch's autograd says about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st

from derive import Network
from derive.choices import needed
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES
from derive.network import Convention
from derive.program import Program
from tests import oracles, torch_layers
from tests.operation_cases import Arrays, others, targets

CONVENTIONS: list[Convention] = ["rows", "columns", "xw"]

# What PyTorch has no function for, or none that is good to float64, is left to tests/test_operations.py.
KINDS = sorted(kind for kind in ACTIVATIONS if oracles.activation(kind))
HALVED = ("glu", "maxout")  # these want an even number of units and give half of them


@dataclass(frozen=True)
class Point:
    """Parameters, examples as rows of X, targets, and weights of the examples if the loss has them."""

    parameters: Arrays
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None = None

    def given(self, program: Program) -> Arrays:
        """The given tensors in the order of the program's own axes."""
        constants = {c.tensor.name: np.array([float(v) for v in c.values]) for c in program.constants}
        rows = (self.X, self.y, *([] if self.weights is None else [self.weights]))
        data = {t.name: a for t, a in zip((*program.inputs, *program.targets), rows, strict=True)}
        columns = program.inputs[0].axes[0].extent is not None
        return {**constants, **{name: a.T if columns else a for name, a in data.items()}, **self.parameters}


@st.composite
def networks(draw: st.DrawFn, max_layers: int = 6) -> Network:
    """Depth 1 to 6, widths 1 to 9 pairwise different, every activation, loss, reduction and convention of the catalogue."""
    depth = draw(st.integers(1, max_layers))
    widths = draw(st.lists(st.integers(1, 9), min_size=depth + 1, max_size=depth + 1, unique=True))
    loss, target = draw(st.sampled_from(sorted(key for key, loss in LOSSES.items() if len(loss.values) == 1)))
    formula = LOSSES[loss, target]
    options = others(formula.parameters, widths[-1]) if draw(st.booleans()) else {}
    positive = options.get("log_input") is False  # a logarithm is taken of the prediction
    layers: list[dict[str, object]] = []
    for units in widths[1:]:
        allowed = [kind for kind in KINDS if kind not in HALVED or units % 2 == 0]
        if len(layers) == depth - 1:
            # a softmax of one unit is exactly 1, where binary cross-entropy is infinite
            inside = ["sigmoid", "softmax"] if units > 1 else ["sigmoid"]
            plain = [kind for kind in allowed if kind not in HALVED]
            allowed = inside if formula.unit_prediction or positive else plain
        layers.append({"kind": "dense", "units": units, "activation": _activation(draw, allowed), "bias": draw(st.booleans())})
    table: dict[str, object] = {"kind": loss, "targets": target, **options, "sample_weights": draw(st.booleans())}
    table["reduction"] = draw(st.sampled_from(["mean", "sum", "none"]))
    convention = draw(st.sampled_from(CONVENTIONS))
    return Network(name="random_network", inputs=widths[0], layers=layers, loss=table, convention=convention)


def _activation(draw: st.DrawFn, kinds: list[str]) -> dict[str, object]:
    kind = draw(st.sampled_from(kinds))
    parameters = ACTIVATIONS[kind].parameters
    return {"kind": kind, **(others(parameters, 1) if draw(st.booleans()) or needed(parameters) else {})}


def point(network: Network, examples: int, seed: int) -> Point:
    """Parameters of the size that keeps activations near 1, so that no gradient vanishes."""
    rng, program = np.random.default_rng(seed), network.program()
    parameters: Arrays = {}
    for tensor in program.parameters:
        shape = tuple(a.extent or 0 for a in tensor.axes)
        parameters[tensor.name] = np.asarray(rng.normal(size=shape)) / np.sqrt(max(shape[-1] if len(shape) == 2 else 4, 1))
    shape = (examples, *network.shape)
    X = rng.normal(size=shape) if network.tokens is None else rng.integers(0, network.tokens, shape)
    target, *weights = program.targets
    y = targets(network, (examples, *(a.extent for a in target.axes if a.extent is not None)), rng)
    return Point(parameters, X, y, rng.uniform(0.2, 2.0, examples) if weights else None)


def autograd(network: Network, at: Point) -> tuple[float, Arrays, np.ndarray]:
    """Loss, gradients by name and the last layer's output, by PyTorch in float64."""
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in at.parameters.items()}
    h = torch_layers.output(network, torch.tensor(at.X), leaves)
    each = oracles.loss(network.loss)
    assert each is not None, f"PyTorch has no {network.loss.kind}"
    target = torch.tensor(at.y)
    loss = oracles.reduced(network.loss, each(h, target), target, None if at.weights is None else torch.tensor(at.weights))
    loss.backward()  # pyright: ignore[reportUnknownMemberType] (PyTorch leaves the parameters of backward untyped)
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}
    return loss.item(), gradients, h.detach().numpy()


def worst_error(found: Arrays, expected: Arrays) -> float:
    """max |difference| / max |gradient| over all parameters; 0 where every gradient is 0."""
    largest = max(float(np.abs(g).max()) for g in expected.values())
    difference = max(float(np.abs(found[name] - g).max()) for name, g in expected.items())
    return difference / largest if largest else difference
