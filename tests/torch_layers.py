"""PyTorch's layers under the catalogue's names, for whole networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F

from derive import Network
from derive.layer_spec import Layer
from tests import oracles

Tensor = torch.Tensor
Leaves = Mapping[str, Tensor]


def output(network: Network, x: Tensor, p: Leaves) -> Tensor:
    """What the last layer gives, of the network's input and its parameters by name."""
    values: dict[str, Tensor] = {"input": x}
    h = x
    for number, layer in enumerate(network.layers, 1):
        reads = [values[name] for name in layer.inputs] or [h]
        own = {name.removesuffix(str(number)): leaf for name, leaf in p.items() if name.endswith(str(number)) and not name[-2:].isdigit()}
        after = LAYERS[layer.kind](layer, own, reads, network.convention == "xw")
        function = oracles.activation(layer.activation.kind)
        assert function is not None, f"PyTorch has no {layer.activation.kind}, or none that is good to float64"
        learned = {name: own[name] for name in layer.activation.operation.learned}
        h = function(after, **layer.activation.parameters, **learned)
        values[layer.name or f"layer {number}"] = h
    return h


def _dense(_: Layer, p: Leaves, x: Sequence[Tensor], flipped: bool) -> Tensor:
    return x[0] @ (p["W"] if flipped else p["W"].T) + p.get("b", torch.zeros(()))


def _conv2d(layer: Layer, p: Leaves, x: Sequence[Tensor], _: bool) -> Tensor:
    sizes = {name: int(str(layer.parameters[name])) for name in ("stride", "padding", "dilation")}
    return F.conv2d(x[0], p["W"], p["b"], **sizes)


def _max_pool2d(layer: Layer, _p: Leaves, x: Sequence[Tensor], _: bool) -> Tensor:
    return F.max_pool2d(x[0], int(str(layer.parameters["kernel_size"])))


def _layer_norm(_: Layer, p: Leaves, x: Sequence[Tensor], _flipped: bool) -> Tensor:
    return F.layer_norm(x[0], x[0].shape[-1:], p["gamma"], p["beta"])


def _attention(layer: Layer, p: Leaves, x: Sequence[Tensor], flipped: bool) -> Tensor:
    def projected(name: str, h: Tensor) -> Tensor:
        return h @ (p[f"W{name}"] if flipped else p[f"W{name}"].T) + p[f"b{name}"]

    heads = int(str(layer.parameters["heads"]))
    q, k, v = (projected(name, x[0]).reshape(*x[0].shape[:2], heads, -1).transpose(1, 2) for name in "qkv")
    out = F.scaled_dot_product_attention(q, k, v, is_causal=layer.parameters["causal"] is True)
    return projected("o", out.transpose(1, 2).flatten(2))


LAYERS: dict[str, Callable[[Layer, Leaves, Sequence[Tensor], bool], Tensor]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "max_pool2d": _max_pool2d,
    "flatten": lambda _layer, _p, x, _flipped: x[0].flatten(1),
    "layer_norm": _layer_norm,
    "add": lambda _layer, _p, x, _flipped: x[0] + x[1],
    "embedding": lambda _layer, p, x, _flipped: p["E"][x[0]],
    "positional_embedding": lambda _layer, p, x, _flipped: x[0] + p["E"],
    "attention": _attention,
}
