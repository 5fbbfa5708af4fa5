"""Every operation of the catalogue in a small network, with its defaults and with other values of all its parameters.

The tables of formulas are the list: an operation that joins them joins the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from derive import Network
from derive.choices import needed
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES, Loss
from derive.formulas.operation import Parameter
from tests import oracles

Arrays = dict[str, np.ndarray]

UNITS = 6  # a number with the divisors that gated and pooled activations need
INPUTS = 3
CLASSES = 4
LINEAR = {"formula": "prediction * target", "reduction": "sum"}  # its gradient by the prediction is the target


def others(parameters: Mapping[str, Parameter], outputs: int) -> dict[str, Any]:
    """A value for every parameter that is not its default."""
    found: dict[str, Any] = {}
    for k, (name, p) in enumerate(parameters.items()):
        match p.kind:
            case "switch":
                found[name] = not p.default
            case "count":
                found[name] = 2
            case "reals":
                found[name] = [round(0.5 + 0.3 * c + 0.2 * k, 2) for c in range(outputs)]
            case _:
                found[name] = round(0.75 * p.default + 0.2, 4) if isinstance(p.default, float) else 0.3 + 0.4 * k
    return found


def activations() -> Iterator[tuple[str, dict[str, Any]]]:
    """The kind and the parameters of each activation: the defaults, where there are any, and others."""
    for kind, operation in ACTIVATIONS.items():
        if not needed(operation.parameters):
            yield kind, {}
        if operation.parameters:
            yield kind, others(operation.parameters, UNITS)


def activation_network(kind: str, parameters: Mapping[str, Any]) -> Network:
    """A dense layer with the activation, and a loss that is linear in what it gives."""
    layer = {"kind": "dense", "units": UNITS, "activation": {"kind": kind, **parameters}}
    return Network(name="tested", inputs=INPUTS, layers=[layer], loss=LINEAR)


def losses() -> Iterator[tuple[str, dict[str, Any]]]:
    """The loss' table: the defaults, and all options with other values, reduced by the sum; then every way to reduce and to weigh."""
    for (kind, targets), formula in LOSSES.items():
        table = {"kind": kind, "targets": targets}
        yield f"{kind}-{targets}", table
        if formula.parameters:
            yield f"{kind}-{targets}-options", {**table, **others(formula.parameters, CLASSES), "reduction": "sum"}
    for name, table in REDUCED.items():
        for key, more in WAYS.items():
            yield f"{name}-{key}", {**table, **more}


WEIGHTED = {"weight": [0.5, 1.0, 2.0, 0.0], "label_smoothing": 0.1}
REDUCED: dict[str, dict[str, Any]] = {
    "labels": {"kind": "softmax_cross_entropy", **WEIGHTED},
    "elements": {"kind": "huber", "delta": 0.5},
    "own": {"formula": "log(cosh(prediction - target))"},
}
WAYS: dict[str, dict[str, Any]] = {
    "none": {"reduction": "none"},
    "batchmean": {"reduction": "batchmean"},
    "weights": {"sample_weights": True},
    "weighted-none": {"sample_weights": True, "reduction": "none"},
}


SEQUENCES: dict[str, dict[str, Any]] = {
    "labels": {"kind": "softmax_cross_entropy", **WEIGHTED},
    "ignored": {"kind": "softmax_cross_entropy", **WEIGHTED, "ignore_index": -100},
    "ignored-class": {"kind": "negative_log_likelihood", "ignore_index": 2, "sample_weights": True},
    "probabilities": {"kind": "softmax_cross_entropy", "targets": "probabilities", "sample_weights": True},
    "elements": {"kind": "l1", "sample_weights": True},
    "own": {
        "formula": "-sum(c, w[c] * target[c] * prediction[c])",
        "parameters": {"w": [0.5, 1.0, 2.0, 1.5]},
        "targets": "probabilities",
    },
}
POSITIONS = 2


def loss_network(table: Mapping[str, Any], inputs: int | list[int] = INPUTS) -> Network:
    """One dense layer for each value that the loss reads, with the activation that it expects."""
    formula = LOSSES.get((table.get("kind", ""), table.get("targets", "")))
    formula = formula or next((found for (kind, _), found in LOSSES.items() if kind == table.get("kind")), None)
    names = formula.values if formula else ("prediction",)
    layer = {"kind": "dense", "units": CLASSES, "inputs": ["input"]}
    layers = [{**layer, "name": f"the_{name}", "activation": _last(table, formula, name)} for name in names]
    read = {"inputs": [layer["name"] for layer in layers]} if len(layers) > 1 else {}
    return Network(name="tested", inputs=inputs, layers=layers, loss={**table, **read})


def _last(table: Mapping[str, Any], formula: Loss | None, value: str) -> str:
    """The activation of what the loss reads: positive where a logarithm is taken of it."""
    if value == "variance" or table.get("log_input") is False:
        return "softplus"
    return formula.expects[0] if formula and formula.expects else "identity"


# -- data and PyTorch's answers --------------------------------------------------------------------------------------------


def drawn(network: Network, examples: int = 5, seed: int = 0) -> Arrays:
    """Arrays for all given tensors of the network's program, in the convention "rows"; labels that are ignored have the weight 0."""
    rng, program = np.random.default_rng(seed), network.program()
    given = {c.tensor.name: np.array([float(v) for v in c.values]) for c in program.constants}
    for tensor in (*program.inputs, *program.parameters):
        given[tensor.name] = rng.normal(size=_shape(tensor, examples))
    target, *weights = program.targets
    given[target.name] = targets(network, _shape(target, examples), rng)
    for tensor in weights:
        given[tensor.name] = rng.uniform(0.2, 2.0, _shape(tensor, examples))
        if network.loss.ignore_index is not None:
            ignored = (rng.uniform(size=_shape(tensor, examples)) < 0.4) | (given[target.name] == network.loss.ignore_index)
            given[tensor.name][ignored], given[target.name][ignored] = 0.0, 0
    return given


def targets(network: Network, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Random targets of the kind that the network's loss takes."""
    match network.loss.targets:
        case "labels":
            return rng.integers(0, network.outputs, shape)
        case "probabilities":
            return rng.dirichlet(np.ones(shape[-1]), shape[:-1])
        case "log_probabilities":
            return np.log(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))
        case "unit":
            return rng.uniform(size=shape)
        case "values":
            return rng.normal(size=shape)
        case "signs":
            return rng.choice([-1.0, 1.0], shape)
        case "counts":
            return rng.poisson(2.0, shape).astype(np.float64)


def _shape(tensor: Any, examples: int) -> tuple[int, ...]:
    return tuple(examples if axis.extent is None else axis.extent for axis in tensor.axes)


@dataclass(frozen=True)
class Answer:
    """The loss, the losses one by one, the gradients by name and the prediction."""

    loss: float
    each: np.ndarray
    gradients: Arrays
    prediction: np.ndarray


def answer(network: Network, given: Arrays) -> Answer | None:
    """What PyTorch makes of the arrays of a network of dense layers; None where it has no function that is good to float64."""
    leaves = {t.name: torch.tensor(given[t.name], requires_grad=True) for t in network.program().parameters}
    values: list[torch.Tensor] = []
    for number, layer in enumerate(network.layers, 1):
        function = oracles.activation(layer.activation.kind)
        if function is None:
            return None
        options = {**layer.activation.parameters, **{name: leaves[f"{name}{number}"] for name in layer.activation.operation.learned}}
        before = torch.tensor(given["X"]) @ leaves[f"W{number}"].T + leaves[f"b{number}"]
        values.append(function(before, **options))
    function, spec = oracles.loss(network.loss), network.loss
    if function is None:
        return None
    target, *weights = (torch.tensor(given[t.name]) for t in network.program().targets)
    if spec.ignore_index is not None:
        target = torch.where(weights[0] == 0, spec.ignore_index, target)
    each = function(*values, target)
    weight = weights[0] if weights else None
    total = oracles.reduced(spec, each, target, weight)
    total.backward()  # pyright: ignore[reportUnknownMemberType] (PyTorch leaves the parameters of backward untyped)
    shown = each if weight is None else each * oracles.like(weight, each)
    gradients = {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}
    return Answer(total.item(), shown.detach().numpy(), gradients, values[0].detach().numpy())
