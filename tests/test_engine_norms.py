"""The engine on normalisations: over features, over groups of channels, over examples and space: against autograd, and proved."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sympy import Expr, Rational, sqrt

from derive.index import Axis, Delta, Index, Sum, Tensor
from derive.program import Program
from tests.operations import Arrays, Leaves, Reference, check, define, program

N, C, L = Axis("n", "N", 3), Axis("i", "D", 4), Axis("l", "L_in", 5)
n, i, l = N.index(), C.index(), L.index()  # noqa: E741
X, SCALE, SHIFT, Y = Tensor("X", (N, C, L)), Tensor("gamma", (C,)), Tensor("beta", (C,)), Tensor("Y", (N, C, L))
EPS = Rational(1, 100000)


def mean(body: Expr, *over: Index) -> Expr:
    count = Rational(1)
    for index in over:
        count = count * index.axis.count
    return Sum(body, *over) / count


def normal(x: Expr, centre: Expr, spread: Expr) -> Expr:
    return (x - centre) / sqrt(spread + EPS)


def layer_norm() -> Program:
    x, scale, shift, y = Tensor("X", (N, C)), Tensor("gamma", (C,)), Tensor("beta", (C,)), Tensor("Y", (N, C))
    m, v = Tensor("mean", (N,)), Tensor("variance", (N,), sign="nonnegative")
    equations = [
        define(m, mean(x[n, i], i)),
        define(v, mean((x[n, i] - m[n]) ** 2, i)),
        define(y, normal(x[n, i], m[n], v[n]) * scale[i] + shift[i]),
    ]
    return program("layer_norm", [x, scale, shift], [], equations)


def rms_norm() -> Program:
    x, scale, y, square = Tensor("X", (N, C)), Tensor("gamma", (C,)), Tensor("Y", (N, C)), Tensor("mean_square", (N,), sign="nonnegative")
    equations = [define(square, mean(x[n, i] ** 2, i)), define(y, normal(x[n, i], Rational(0), square[n]) * scale[i])]
    return program("rms_norm", [x, scale], [], equations)


def batch_norm() -> Program:
    m, v = Tensor("mean", (C,)), Tensor("variance", (C,), sign="nonnegative")
    equations = [
        define(m, mean(X[n, i, l], n, l)),
        define(v, mean((X[n, i, l] - m[i]) ** 2, n, l)),
        define(Y, normal(X[n, i, l], m[i], v[i]) * SCALE[i] + SHIFT[i]),
    ]
    return program("batch_norm", [X, SCALE, SHIFT], [], equations)


def group_norm() -> Program:
    """Two groups of two channels."""
    groups, members = Axis("g", "G_", 2), Axis("m", "M", 2)
    g, k = groups.index(), members.index()
    at = g * members.count + k
    m, v, hat = Tensor("mean", (N, groups)), Tensor("variance", (N, groups), sign="nonnegative"), Tensor("Xhat", (N, C, L))
    equations = [
        define(m, mean(X[n, at, l], k, l)),
        define(v, mean((X[n, at, l] - m[n, g]) ** 2, k, l)),
        define(hat, Sum(Delta(i, at) * normal(X[n, i, l], m[n, g], v[n, g]), g, k)),
        define(Y, hat[n, i, l] * SCALE[i] + SHIFT[i]),
    ]
    return program("group_norm", [X, SCALE, SHIFT], [], equations)


def rms_norm_torch(a: Leaves, _: Arrays) -> torch.Tensor:
    return F.rms_norm(a["X"], (4,), a["gamma"], 1e-5)


CASES: dict[str, tuple[Program, Reference]] = {
    "layer_norm": (layer_norm(), lambda a, _: F.layer_norm(a["X"], (4,), a["gamma"], a["beta"])),
    "rms_norm": (rms_norm(), rms_norm_torch),
    "batch_norm": (batch_norm(), lambda a, _: F.batch_norm(a["X"], None, None, a["gamma"], a["beta"], training=True)),
    "group_norm": (group_norm(), lambda a, _: F.group_norm(a["X"], 2, a["gamma"], a["beta"])),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd_and_are_proved(name: str) -> None:
    check(*CASES[name])
