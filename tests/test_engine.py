"""The engine on operations that no layer of the catalogue has yet: each is given by its forward formula alone.

The derived gradients, mathematical and computed, are compared with PyTorch's autograd in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
import torch
import torch.nn.functional as F
from torch import Tensor as Torch

from derive.adjoint import differentiate
from derive.evaluate import evaluate
from derive.index import AtMost, Axis, Entry, Index, InRange, Max, Sum, Tensor
from derive.program import Equation, Program, renumber

N, D, J, K = Axis("n", "N", 3), Axis("i", "D", 4), Axis("j", "H", 5), Axis("k", "M", 2)
n, i, j, k = N.index(), D.index(), J.index(), K.index()

Arrays = dict[str, np.ndarray]


def program(name: str, given: list[Tensor], labels: list[Tensor], equations: list[Equation]) -> Program:
    """A program whose loss is the product of its last value with given weights G, summed: its gradient is the whole VJP."""
    last = equations[-1].tensor
    weights = Tensor("G", last.axes)
    loss = Equation(Tensor("L"), (), Sum(weights.entry() * last.entry(), *last.indices()))
    return Program(name, (), (weights, *labels), tuple(given), renumber((*equations, loss)), (last, loss.tensor))


def define(tensor: Tensor, body: sp.Expr) -> Equation:
    return Equation(tensor, tensor.indices(), body)


def conv1d() -> Program:
    """Stride 2, padding 1: the read position 2t + p - 1 may lie outside."""
    t, p, o = Axis("t", "T", 4), Axis("p", "P", 3), Axis("o", "O", 2)
    x, w, y = Tensor("X", (N, D, Axis("l", "L_in", 7))), Tensor("W", (o, D, p)), Tensor("Y", (N, o, t))
    at = 2 * t.index() + p.index() - 1
    body = Sum(x[n, i, at] * w[o.index(), i, p.index()] * InRange(at, x.axes[2].count), i, p.index())
    return program("conv1d", [x, w], [], [define(y, body)])


def embedding() -> Program:
    table, ids, y = Tensor("E", (J, K)), Tensor("ids", (N,), values=J), Tensor("Y", (N, K))
    return program("embedding", [table], [ids], [define(y, table[ids[n], k])])


def causal_attention() -> Program:
    q, s, d = Axis("q", "Q", 4), Axis("s", "S", 4), Axis("d", "E", 3)
    queries, keys, values = Tensor("Qm", (q, d)), Tensor("Km", (s, d)), Tensor("Vm", (s, d))
    scores, weights, out = Tensor("S", (q, s)), Tensor("P", (q, s)), Tensor("Y", (q, d))
    a, b, c = q.index(), s.index(), d.index()
    masked = AtMost(b, a) * sp.exp(scores[a, b])
    other = s.index("r")
    return program(
        "attention",
        [queries, keys, values],
        [],
        [
            define(scores, Sum(queries[a, c] * keys[b, c], c) / sp.sqrt(3)),
            define(weights, masked / Sum(AtMost(other, a) * sp.exp(scores[a, other]), other)),
            define(out, Sum(weights[a, b] * values[b, c], b)),
        ],
    )


def max_pool() -> Program:
    t, p = Axis("t", "T", 3), Axis("p", "P", 2)
    x, y = Tensor("X", (N, Axis("l", "L_in", 6))), Tensor("Y", (N, t))
    return program("max_pool", [x], [], [define(y, Max(x[n, 2 * t.index() + p.index()], p.index()))])


def layer_norm() -> Program:
    x, mean, variance = Tensor("X", (N, J)), Tensor("mean", (N,)), Tensor("variance", (N,), sign="nonnegative")
    scale, shift, y = Tensor("g", (J,)), Tensor("b", (J,)), Tensor("Y", (N, J))
    return program(
        "layer_norm",
        [x, scale, shift],
        [],
        [
            define(mean, Sum(x[n, j], j) / J.count),
            define(variance, Sum((x[n, j] - mean[n]) ** 2, j) / J.count),
            define(y, (x[n, j] - mean[n]) / sp.sqrt(variance[n] + sp.Rational(1, 100000)) * scale[j] + shift[j]),
        ],
    )


def residual() -> Program:
    """One value read by two equations, and a parameter that is read by none."""
    x, unused, h, y = Tensor("X", (N, J)), Tensor("W", (J,)), Tensor("A", (N, J)), Tensor("Y", (N, J))
    return program("residual", [x, unused], [], [define(h, sp.tanh(x[n, j])), define(y, h[n, j] * x[n, j] + h[n, j])])


def gram() -> Program:
    """A tensor that meets itself in a sum."""
    x, y = Tensor("X", (N, D)), Tensor("Y", (N, Axis("m", "N2", 3)))
    other: Index = y.axes[1].index()
    shifted = Tensor("Xm", (y.axes[1], D))
    return program("gram", [x, shifted], [], [define(y, Sum(x[n, i] * shifted[other, i] * x[n, i], i))])


def conv1d_torch(a: dict[str, Torch], _: Arrays) -> Torch:
    return F.conv1d(a["X"], a["W"], stride=2, padding=1)


def attention_torch(a: dict[str, Torch], _: Arrays) -> Torch:
    scores = a["Qm"] @ a["Km"].T / 3**0.5
    return torch.softmax(scores.masked_fill(torch.triu(torch.ones(4, 4), 1) > 0, float("-inf")), 1) @ a["Vm"]


CASES: dict[str, tuple[Callable[[], Program], Callable[[dict[str, Torch], Arrays], Torch]]] = {
    "conv1d": (conv1d, conv1d_torch),
    "embedding": (embedding, lambda a, given: a["E"][torch.tensor(given["ids"])]),
    "attention": (causal_attention, attention_torch),
    "max_pool": (max_pool, lambda a, _: F.max_pool1d(a["X"][:, None], 2, 2)[:, 0]),
    "layer_norm": (layer_norm, lambda a, _: F.layer_norm(a["X"], (5,), a["g"], a["b"])),
    "residual": (residual, lambda a, _: torch.tanh(a["X"]) * a["X"] + torch.tanh(a["X"])),
    "gram": (gram, lambda a, _: (a["X"] ** 2) @ a["Xm"].T),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd(name: str) -> None:
    build, reference = CASES[name]
    forward = build()
    derivation = differentiate(forward)
    rng = np.random.default_rng(0)
    given: Arrays = {}
    for tensor in forward.given:
        shape = tuple(a.extent or 0 for a in tensor.axes)
        given[tensor.name] = rng.integers(0, tensor.values.extent or 0, shape) if tensor.values else rng.normal(size=shape)
    leaves = {t.name: torch.tensor(given[t.name], requires_grad=True) for t in forward.parameters}
    loss = (torch.tensor(given["G"]) * reference(leaves, given)).sum()
    wanted = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    for computed in (derivation.mathematical, derivation.computed):
        values = evaluate(computed, given)
        assert values["L"] == pytest.approx(loss.item(), rel=1e-12)
        largest = max(float(g.abs().max()) for g in wanted)
        for tensor, gradient in zip(forward.parameters, wanted, strict=True):
            assert np.abs(values["d" + tensor.name] - gradient.numpy()).max() <= 1e-12 * largest


def test_strided_sums_keep_their_guard() -> None:
    gradient = differentiate(conv1d()).gradient(conv1d().parameters[0])
    assert gradient.equation.body.has(InRange)


def test_entries_at_labels_scatter() -> None:
    gradient = differentiate(embedding()).gradient(embedding().parameters[0])
    assert any(isinstance(e, Entry) and e.tensor.name == "ids" for e in sp.preorder_traversal(gradient.equation.body))
