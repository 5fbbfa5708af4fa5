"""The engine on convolutions and pooling in one and two dimensions: against autograd, and proved."""

from __future__ import annotations

import pytest
import torch.nn.functional as F
from sympy import Expr

from derive.index import Axis, Delta, Entry, InRange, Max, Sum, Tensor
from derive.program import Program
from tests.operations import Reference, check, define, program

N, D, OUT = Axis("n", "N", 2), Axis("i", "D", 2), Axis("o", "O", 3)
HEIGHT, WIDTH = 6, 5
H, W = Axis("h", "H", HEIGHT), Axis("w", "W", WIDTH)
R, S = Axis("r", "R", 3), Axis("s", "S", 3)
n, i, o, r, s = (axis.index() for axis in (N, D, OUT, R, S))


def convolution(stride: int, padding: int, dilation: int) -> Program:
    reach = dilation * 2 + 1
    t = Axis("t", "T", (HEIGHT + 2 * padding - reach) // stride + 1).index()
    u = Axis("u", "U", (WIDTH + 2 * padding - reach) // stride + 1).index()
    x, kernel, bias = Tensor("X", (N, D, H, W)), Tensor("K", (OUT, D, R, S)), Tensor("b", (OUT,))
    down, right = stride * t + dilation * r - padding, stride * u + dilation * s - padding
    body = x[n, i, down, right] * kernel[o, i, r, s] * InRange(down, H.count) * InRange(right, W.count)
    out = Tensor("Y", (N, OUT, t.axis, u.axis))
    return program("conv2d", [x, kernel, bias], [], [define(out, Sum(body, i, r, s) + bias[o])])


def grouped_convolution() -> Program:
    """Two groups of two inputs and of three outputs; padding 1."""
    inputs, outputs, length = Axis("i", "D", 4), Axis("o", "O", 6), Axis("l", "L_in", 5)
    g, q, m = Axis("g", "G_", 2).index(), Axis("q", "Q", 3).index(), Axis("m", "M", 2).index()
    x, kernel, out = Tensor("X", (N, inputs, length)), Tensor("K", (outputs, m.axis, R)), Tensor("Y", (N, outputs, length))
    k, t = outputs.index(), length.index()
    at = t + r - 1
    inner = Sum(x[n, g * m.axis.count + m, at] * kernel[k, m, r] * InRange(at, length.count), m, r)
    return program("grouped", [x, kernel], [], [define(out, Sum(Delta(k, g * q.axis.count + q) * inner, g, q))])


def pooling(kind: str, size: int, stride: int) -> Program:
    t, u = Axis("t", "T", (HEIGHT - size) // stride + 1).index(), Axis("u", "U", (WIDTH - size) // stride + 1).index()
    p, q = Axis("p", "P", size).index(), Axis("q", "Q", size).index()
    x, out = Tensor("X", (N, H, W)), Tensor("Y", (N, t.axis, u.axis))
    read: Entry = x[n, stride * t + p, stride * u + q]
    body: Expr = Max(read, p, q) if kind == "max" else Sum(read, p, q) / (p.axis.count * q.axis.count)
    return program(kind, [x], [], [define(out, body)])


def window(stride: int, padding: int, dilation: int) -> Reference:
    return lambda a, _: F.conv2d(a["X"], a["K"], a["b"], stride, padding, dilation)


CASES: dict[str, tuple[Program, Reference]] = {
    "conv2d": (convolution(1, 0, 1), window(1, 0, 1)),
    "conv2d, stride 2, padding 1": (convolution(2, 1, 1), window(2, 1, 1)),
    "conv2d, dilation 2, padding 2": (convolution(1, 2, 2), window(1, 2, 2)),
    "grouped convolution": (grouped_convolution(), lambda a, _: F.conv1d(a["X"], a["K"], padding=1, groups=2)),
    "max pooling": (pooling("max", 2, 2), lambda a, _: F.max_pool2d(a["X"], 2)),
    "max pooling that overlaps": (pooling("max", 3, 2), lambda a, _: F.max_pool2d(a["X"], 3, 2)),
    "average pooling": (pooling("mean", 2, 2), lambda a, _: F.avg_pool2d(a["X"], 2)),
    "average pooling that overlaps": (pooling("mean", 2, 1), lambda a, _: F.avg_pool2d(a["X"], 2, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd_and_are_proved(name: str) -> None:
    check(*CASES[name])
