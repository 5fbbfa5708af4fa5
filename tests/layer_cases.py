"""Every layer of the catalogue at a place in a small network, and what PyTorch computes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

Leaves = Mapping[str, torch.Tensor]
Reference = Callable[[torch.Tensor, Leaves], torch.Tensor]
State = tuple[torch.Tensor, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """The layers of a network up to the one that is tested, which is the last; X of the given axes.

    reference: PyTorch's value of it, of X and the parameters by their names in the program.
    """

    kind: str
    inputs: int | Sequence[int] | Mapping[str, object]
    layers: tuple[Mapping[str, object], ...]
    reference: Reference
    examples: tuple[str, ...] = ("batch", "single")


def case(
    kind: str,
    inputs: int | Sequence[int] | Mapping[str, object],
    reference: Reference,
    examples: tuple[str, ...] = ("batch", "single"),
    **keys: object,
) -> Case:
    return Case(kind, inputs, ({"kind": kind, **keys},), reference, examples)


def shifted(kind: str, inputs: list[int], function: Callable[[torch.Tensor], torch.Tensor], **keys: object) -> Case:
    """A layer without parameters behind one that adds learned numbers to its inputs: their gradient is the layer's."""
    return Case(kind, inputs, ({"kind": "positional_embedding"}, {"kind": kind, **keys}), lambda x, p: function(x + p["E1"]))


def joined(kind: str, reference: Reference, *inputs: str, of: tuple[int, ...] = (4,)) -> Case:
    """A layer that reads others: two of three units each, a and b."""
    before = tuple({"kind": "dense", "units": 3, "name": name, "inputs": ["input"]} for name in "ab")
    return Case(kind, list(of), (*before, {"kind": kind, "inputs": list(inputs)}), reference)


def _dense(x: torch.Tensor, p: Leaves, number: int) -> torch.Tensor:
    return x @ p[f"W{number}"].T + p[f"b{number}"]


def _recurrent(
    step: Callable[[torch.Tensor, tuple[torch.Tensor, ...], Leaves], tuple[torch.Tensor, ...]], units: int, states: int
) -> Reference:
    def run(x: torch.Tensor, p: Leaves) -> torch.Tensor:
        state = tuple(torch.zeros(len(x), units, dtype=x.dtype) for _ in range(states))
        for t in range(x.shape[1]):
            state = step(x[:, t], state, p)
        return state[-1]

    return run


def _affine(x: torch.Tensor, h: torch.Tensor, p: Leaves, gate: str = "") -> torch.Tensor:
    return x @ p[f"W{gate}1"].T + h @ p[f"U{gate}1"].T + p[f"b{gate}1"]


def _rnn(x: torch.Tensor, state: State, p: Leaves) -> State:
    return (torch.tanh(_affine(x, state[0], p)),)


def _lstm(x: torch.Tensor, state: State, p: Leaves) -> State:
    c, h = state
    i, f, o = (torch.sigmoid(_affine(x, h, p, gate)) for gate in "ifo")
    c = f * c + i * torch.tanh(_affine(x, h, p, "g"))
    return c, o * torch.tanh(c)


def _gru(x: torch.Tensor, state: State, p: Leaves) -> State:
    (h,) = state
    r, z = (torch.sigmoid(_affine(x, h, p, gate)) for gate in "rz")
    n = torch.tanh(x @ p["Wg1"].T + p["bg1"] + r * (h @ p["Ug1"].T + p["bh1"]))
    return ((1 - z) * n + z * h,)


def _attention(heads: int, causal: bool) -> Reference:
    def run(x: torch.Tensor, p: Leaves) -> torch.Tensor:
        q, k, v = (x @ p[f"W{name}1"].T + p[f"b{name}1"] for name in "qkv")
        q, k, v = (a.reshape(*a.shape[:2], heads, -1).transpose(1, 2) for a in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
        return out @ p["Wo1"].T + p["bo1"]

    return run


def _batch_norm(x: torch.Tensor, p: Leaves) -> torch.Tensor:
    return F.batch_norm(x, None, None, p["gamma1"], p["beta1"], training=True)


def _self_attention(x: torch.Tensor, p: Leaves) -> torch.Tensor:
    a, b = _dense(x, p, 1), _dense(x, p, 2)
    return F.scaled_dot_product_attention(a, b, a)


BATCH = ("batch",)
CHANNELS = {"out_channels": 3}
CASES: tuple[Case, ...] = (
    case("dense", 4, lambda x, p: x @ p["W1"].T + p["b1"], units=3),
    case("dense", [5, 4], lambda x, p: x @ p["W1"].T, units=3, bias=False),
    shifted("flatten", [2, 3, 2], lambda x: x.flatten(1)),
    shifted("reshape", [2, 6], lambda x: x.reshape(-1, 3, 2, 2), shape=[3, 2, 2]),
    case("embedding", {"shape": [4], "tokens": 7}, lambda x, p: F.embedding(x, p["E1"]), embedding_dim=3),
    case("positional_embedding", [4, 3], lambda x, p: x + p["E1"]),
    case("layer_norm", [3, 5], lambda x, p: F.layer_norm(x, (5,), p["gamma1"], p["beta1"])),
    shifted("layer_norm", [3, 5], lambda x: F.layer_norm(x, (5,), eps=0.01), affine=False, eps=0.01),
    case("rms_norm", 5, lambda x, p: F.rms_norm(x, (5,), p["gamma1"], 1e-6)),
    case("group_norm", [4, 3, 2], lambda x, p: F.group_norm(x, 2, p["gamma1"], p["beta1"]), groups=2),
    case("batch_norm", 4, _batch_norm, BATCH),
    case("batch_norm", [3, 2, 2], _batch_norm, BATCH),
    case(
        "conv1d",
        [2, 7],
        lambda x, p: F.conv1d(x, p["W1"], p["b1"], 2, 1, 2),
        out_channels=3,
        kernel_size=3,
        stride=2,
        padding=1,
        dilation=2,
    ),
    case("conv1d", [4, 6], lambda x, p: F.conv1d(x, p["V1"], p["b1"], groups=2), out_channels=6, kernel_size=2, groups=2),
    case("conv2d", [2, 5, 4], lambda x, p: F.conv2d(x, p["W1"], p["b1"], 1, 1), out_channels=3, kernel_size=3, padding=1),
    case(
        "conv2d",
        [2, 7, 6],
        lambda x, p: F.conv2d(x, p["W1"], None, 2, 0, 2),
        out_channels=2,
        kernel_size=2,
        stride=2,
        dilation=2,
        bias=False,
    ),
    case("conv2d", [4, 4, 3], lambda x, p: F.conv2d(x, p["V1"], p["b1"], groups=4), out_channels=4, kernel_size=2, groups=4),
    shifted("max_pool1d", [2, 6], lambda x: F.max_pool1d(x, 2), kernel_size=2),
    shifted("max_pool1d", [2, 7], lambda x: F.max_pool1d(x, 3, 2), kernel_size=3, stride=2),
    shifted("max_pool2d", [2, 4, 6], lambda x: F.max_pool2d(x, 2), kernel_size=2),
    shifted("max_pool2d", [1, 5, 5], lambda x: F.max_pool2d(x, 3, 1), kernel_size=3, stride=1),
    shifted("avg_pool1d", [2, 6], lambda x: F.avg_pool1d(x, 3), kernel_size=3),
    shifted("avg_pool2d", [2, 4, 6], lambda x: F.avg_pool2d(x, 2), kernel_size=2),
    joined("add", lambda x, p: _dense(x, p, 1) + _dense(x, p, 2), "a", "b"),
    joined("add", lambda x, p: 2 * _dense(x, p, 1) + _dense(x, p, 2), "a", "b", "a"),
    joined("multiply", lambda x, p: _dense(x, p, 1) * _dense(x, p, 2), "a", "b"),
    joined("concatenate", lambda x, p: torch.cat([_dense(x, p, 1), _dense(x, p, 2)], 1), "a", "b"),
    joined("concatenate", lambda x, p: torch.cat([_dense(x, p, 1), x, _dense(x, p, 2)], 1), "a", "input", "b"),
    joined("scaled_dot_product_attention", _self_attention, "a", "b", "a", of=(5, 4)),
    Case("dropout", 5, ({"kind": "dense", "units": 3}, {"kind": "dropout"}), lambda x, p: _dense(x, p, 1) * p["M2"] * 2),
    shifted("mean_over_positions", [4, 3], lambda x: x.mean(1)),
    case("attention", [4, 6], _attention(1, False)),
    case("attention", [4, 6], _attention(2, True), heads=2, causal=True),
    case("rnn", [3, 2], _recurrent(_rnn, 4, 1), units=4),
    case("lstm", [3, 2], _recurrent(_lstm, 4, 2), units=4),
    case("gru", [3, 2], _recurrent(_gru, 4, 1), units=4),
)
