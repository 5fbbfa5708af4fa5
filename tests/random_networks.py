"""Random networks for Hypothesis, random points to evaluate them at, and what PyTorch's autograd says about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from derive import Network
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES
from derive.network import Convention
from derive.program import Program

Arrays = dict[str, np.ndarray]

# Options of the activations that are not PyTorch's defaults, so that a parameter that is lost shows.
OPTIONS: dict[str, dict[str, float]] = {"leaky_relu": {"slope": 0.2}, "elu": {"alpha": 0.7}, "softplus": {"beta": 1.5, "threshold": 12.0}}


def leaky_relu(x: torch.Tensor, slope: float = 0.01) -> torch.Tensor:
    return F.leaky_relu(x, slope)


# What PyTorch calls each activation. One that is missing here is refused by name in the tests that need it; no other test does.
TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "identity": torch.clone,
    "relu": torch.relu,
    "leaky_relu": leaky_relu,
    "elu": F.elu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "softmax": partial(torch.softmax, dim=-1),
}
CONVENTIONS: list[Convention] = ["rows", "columns", "xw"]


@dataclass(frozen=True)
class Point:
    """Parameters, examples as rows of X, and targets."""

    parameters: Arrays
    X: np.ndarray
    y: np.ndarray

    def given(self, program: Program) -> Arrays:
        """The given tensors in the order of the program's own axes."""
        data = {program.inputs[0].name: self.X, program.targets[0].name: self.y}
        columns = program.inputs[0].axes[0].extent is not None
        return {**{name: a.T if columns else a for name, a in data.items()}, **self.parameters}


@st.composite
def networks(draw: st.DrawFn, max_layers: int = 6) -> Network:
    """Depth 1 to 6, widths 1 to 9 pairwise different, every activation, loss, reduction and convention of the catalogue."""
    depth = draw(st.integers(1, max_layers))
    widths = draw(st.lists(st.integers(1, 9), min_size=depth + 1, max_size=depth + 1, unique=True))
    loss, targets = draw(st.sampled_from(sorted(LOSSES)))
    formula = LOSSES[loss, targets]
    activations = st.sampled_from(sorted(ACTIVATIONS))
    layers: list[dict[str, object]] = []
    for units in widths[1:]:
        last = len(layers) == depth - 1
        # a softmax of one unit is exactly 1, where binary cross-entropy is infinite
        inside = ["sigmoid", "softmax"] if units > 1 else ["sigmoid"]
        kind = draw(st.sampled_from(inside) if last and formula.unit_prediction else activations)
        options = OPTIONS.get(kind, {}) if draw(st.booleans()) else {}
        layers.append({"kind": "dense", "units": units, "activation": {"kind": kind, **options}, "bias": draw(st.booleans())})
    table: dict[str, object] = {"kind": loss, "reduction": draw(st.sampled_from(["mean", "sum"]))}
    if sum(kind == loss for kind, _ in LOSSES) > 1:
        table["targets"] = targets
    table |= {option: draw(st.booleans()) for option in formula.options}
    convention = draw(st.sampled_from(CONVENTIONS))
    return Network(name="random_network", inputs=widths[0], layers=layers, loss=table, convention=convention)


def point(network: Network, examples: int, seed: int) -> Point:
    """Parameters of the size that keeps activations near 1, so that no gradient vanishes."""
    rng = np.random.default_rng(seed)
    parameters: Arrays = {}
    for tensor in network.program().parameters:
        shape = tuple(a.extent or 0 for a in tensor.axes)
        parameters[tensor.name] = rng.normal(size=shape) / np.sqrt(max(shape[-1] if len(shape) == 2 else 4, 1))
    X = rng.normal(size=(examples, network.inputs))
    shape = (examples, network.outputs)
    match LOSSES[network.loss.kind, network.loss.targets].target:
        case "labels":
            y = rng.integers(0, network.outputs, examples)
        case "probabilities":
            y = rng.dirichlet(np.ones(network.outputs), examples)
        case "unit":
            y = rng.uniform(size=shape)
        case "values":
            y = rng.normal(size=shape)
    return Point(parameters, X, y)


def autograd(network: Network, at: Point) -> tuple[float, Arrays, np.ndarray]:
    """Loss, gradients by name and the last layer's output, by PyTorch in float64."""
    leaves = {name: torch.tensor(a, requires_grad=True) for name, a in at.parameters.items()}
    h = torch.tensor(at.X)
    for number, layer in enumerate(network.layers, 1):
        weight = leaves[f"W{number}"]
        h = h @ (weight if network.convention == "xw" else weight.T)
        h = h + leaves[f"b{number}"] if layer.bias else h
        kind = layer.activation.kind
        assert kind in TORCH, f"what does PyTorch call {kind}? It needs a line in the table TORCH of tests/random_networks.py"
        h = TORCH[kind](h, **layer.activation.parameters)
    target, reduction = torch.tensor(at.y), network.loss.reduction
    match network.loss.kind:
        case "softmax_cross_entropy":
            loss = F.cross_entropy(h, target, reduction=reduction)
        case "negative_log_likelihood":
            loss = F.nll_loss(h, target, reduction=reduction)
        case "binary_cross_entropy":
            loss = F.binary_cross_entropy(h, target, reduction=reduction)
        case "binary_cross_entropy_with_logits":
            loss = F.binary_cross_entropy_with_logits(h, target, reduction=reduction)
        case kind:
            assert kind == "mean_squared_error", f"what does PyTorch call {kind}? It needs a case in tests/random_networks.py"
            loss = F.mse_loss(h, target, reduction=reduction) * (0.5 if network.loss.options["half"] else 1.0)
    loss.backward()  # pyright: ignore[reportUnknownMemberType] (PyTorch leaves the parameters of backward untyped)
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}
    return loss.item(), gradients, h.detach().numpy()


def worst_error(found: Arrays, expected: Arrays) -> float:
    """max |difference| / max |gradient| over all parameters; 0 where every gradient is 0."""
    largest = max(float(np.abs(g).max()) for g in expected.values())
    difference = max(float(np.abs(found[name] - g).max()) for name, g in expected.items())
    return difference / largest if largest else difference
