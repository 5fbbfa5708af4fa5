"""The engine on operations that are given by their forward formula alone: against PyTorch's autograd in float64, and proved.

More of them: test_engine_axes.py, test_engine_windows.py, test_engine_norms.py, test_engine_attention.py.
"""

from __future__ import annotations

import pytest
import sympy as sp
import torch
import torch.nn.functional as F

from derive.adjoint import differentiate
from derive.index import Axis, Entry, Index, InRange, Max, Sum, Tensor
from derive.program import Program
from tests.operations import Reference, check, define, program

N, D, J, K = Axis("n", "N", 3), Axis("i", "D", 4), Axis("j", "H", 5), Axis("k", "M", 2)
n, i, j, k = N.index(), D.index(), J.index(), K.index()


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


def max_pool() -> Program:
    t, p = Axis("t", "T", 3), Axis("p", "P", 2)
    x, y = Tensor("X", (N, Axis("l", "L_in", 6))), Tensor("Y", (N, t))
    return program("max_pool", [x], [], [define(y, Max(x[n, 2 * t.index() + p.index()], p.index()))])


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


CASES: dict[str, tuple[Program, Reference]] = {
    "conv1d": (conv1d(), lambda a, _: F.conv1d(a["X"], a["W"], stride=2, padding=1)),
    "embedding": (embedding(), lambda a, given: a["E"][torch.tensor(given["ids"])]),
    "max_pool": (max_pool(), lambda a, _: F.max_pool1d(a["X"][:, None], 2, 2)[:, 0]),
    "residual": (residual(), lambda a, _: torch.tanh(a["X"]) * a["X"] + torch.tanh(a["X"])),
    "gram": (gram(), lambda a, _: (a["X"] ** 2) @ a["Xm"].T),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd_and_are_proved(name: str) -> None:
    check(*CASES[name])


def test_strided_sums_keep_their_guard() -> None:
    gradient = differentiate(conv1d()).gradient(conv1d().parameters[0])
    assert gradient.equation.body.has(InRange)


def test_entries_at_labels_scatter() -> None:
    gradient = differentiate(embedding()).gradient(embedding().parameters[0])
    assert any(isinstance(e, Entry) and e.tensor.name == "ids" for e in sp.preorder_traversal(gradient.equation.body))
