"""What torch.func says of a network's products: derivatives along directions, Jacobians, Hessians times directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from derive import Network
from tests import oracles
from tests.random_networks import Arrays, Point

Leaves = tuple[torch.Tensor, ...]
func: Any = torch.func  # whose functions PyTorch leaves untyped


@dataclass(frozen=True)
class Directions:
    """A direction of the parameters, by their names, and one of the inputs, an example a row."""

    parameters: Arrays
    X: np.ndarray


@dataclass(frozen=True)
class Reference:
    """A network in PyTorch, as a function of its parameters and inputs."""

    network: Network
    at: Point

    def predict(self, leaves: Leaves, X: torch.Tensor) -> torch.Tensor:
        """What the generated module's `predict` gives."""
        z = self._last(leaves, X)
        match self.network.loss.kind:
            case "softmax_cross_entropy":
                return torch.softmax(z, dim=-1)
            case "binary_cross_entropy_with_logits":
                return torch.sigmoid(z)
            case _:
                return z

    def loss(self, leaves: Leaves) -> torch.Tensor:
        """The loss, written out where torch.func cannot differentiate PyTorch's own function twice."""
        z, y, reduction = self._last(leaves, torch.tensor(self.at.X)), torch.tensor(self.at.y), self.network.loss.reduction
        match self.network.loss.kind:
            case "softmax_cross_entropy":
                return F.cross_entropy(z, y, reduction=reduction)
            case "binary_cross_entropy":
                return -_reduced(y * torch.log(z) + (1 - y) * torch.log(1 - z), reduction)
            case "binary_cross_entropy_with_logits":
                return F.binary_cross_entropy_with_logits(z, y, reduction=reduction)
            case kind:
                assert kind == "mean_squared_error"
                return _reduced((z - y) ** 2, reduction) * (0.5 if self.network.loss.options["half"] else 1.0)

    def jvp(self, along: Directions) -> np.ndarray:
        """The derivative of the prediction along directions of parameters and inputs."""
        leaves, X = self._leaves(self.at.parameters), torch.tensor(self.at.X)
        _, tangent = func.jvp(self.predict, (leaves, X), (self._leaves(along.parameters), torch.tensor(along.X)))
        return tangent.numpy()

    def hvp(self, v: Arrays) -> Arrays:
        """The Hessian of the loss by the parameters, times a direction."""
        _, product = func.jvp(func.grad(self.loss), (self._leaves(self.at.parameters),), (self._leaves(v),))
        return dict(zip(self.at.parameters, (p.numpy() for p in product), strict=True))

    def jacobian(self) -> np.ndarray:
        """The derivatives of each example's outputs by its own inputs: [N, outputs, inputs]."""
        leaves = self._leaves(self.at.parameters)
        one: Callable[[torch.Tensor], torch.Tensor] = lambda x: self.predict(leaves, x[None])[0]  # noqa: E731
        return func.vmap(func.jacrev(one))(torch.tensor(self.at.X)).numpy()

    def _last(self, leaves: Leaves, X: torch.Tensor) -> torch.Tensor:
        named, h = dict(zip(self.at.parameters, leaves, strict=True)), X
        for number, layer in enumerate(self.network.layers, 1):
            weight = named[f"W{number}"]
            h = h @ (weight if self.network.convention == "xw" else weight.T)
            h = h + named[f"b{number}"] if f"b{number}" in named else h
            function = oracles.rough_activation(layer.activation.kind)
            assert function is not None
            h = function(h, **layer.activation.parameters)
        return h

    def _leaves(self, arrays: Arrays) -> Leaves:
        return tuple(torch.tensor(arrays[name]) for name in self.at.parameters)


def directions(at: Point, seed: int) -> Directions:
    """Normal directions."""
    rng = np.random.default_rng(seed)
    return Directions({name: rng.normal(size=a.shape) for name, a in at.parameters.items()}, rng.normal(size=at.X.shape))


def _reduced(values: torch.Tensor, reduction: str) -> torch.Tensor:
    return values.mean() if reduction == "mean" else values.sum()
