"""The engine on operations that split, merge and join axes, and on values at constant positions: against autograd, and proved."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sympy import Expr, exp, tanh

from derive.functions import where
from derive.index import Axis, Delta, InRange, Max, Sum, Tensor
from derive.program import Equation, Program
from tests.operations import Arrays, Leaves, Reference, check, define, program

N, C, H, W = Axis("n", "N", 3), Axis("c", "C", 2), Axis("h", "H", 3), Axis("w", "W", 4)
n, c, h, w = N.index(), C.index(), H.index(), W.index()


def flatten() -> Program:
    f = Axis("f", "F", 24).index()
    x, y = Tensor("X", (N, C, H, W)), Tensor("Y", (N, f.axis))
    return program("flatten", [x], [], [define(y, Sum(x[n, c, h, w] * Delta(f, (c * H.count + h) * W.count + w), c, h, w))])


def reshape() -> Program:
    """The opposite of flatten: it reads at a computed position."""
    x, y = Tensor("X", (N, Axis("f", "F", 24))), Tensor("Y", (N, C, H, W))
    return program("reshape", [x], [], [define(y, tanh(x[n, (c * H.count + h) * W.count + w]))])


def concatenate() -> Program:
    a, b, joined = Axis("j", "A", 3), Axis("k", "B", 4), Axis("m", "M", 7)
    left, right, y, m = Tensor("X", (N, a)), Tensor("R", (N, b)), Tensor("Y", (N, joined)), joined.index()
    beyond = m - a.count
    body = left[n, m] * InRange(m, a.count) + tanh(right[n, beyond]) * InRange(beyond, b.count)
    return program("concatenate", [left, right], [], [define(y, body)])


def glu() -> Program:
    """The first half of the features times the logistic function of the second."""
    x, half = Tensor("X", (N, Axis("i", "D", 6))), Axis("j", "H", 3)
    j = half.index()
    return program("glu", [x], [], [define(Tensor("Y", (N, half)), x[n, j] / (1 + exp(-x[n, j + half.count])))])


def maxout() -> Program:
    pieces, units = Axis("p", "P", 2), Axis("j", "H", 3)
    x, p, j = Tensor("X", (N, Axis("i", "D", 6))), pieces.index(), units.index()
    return program("maxout", [x], [], [define(Tensor("Y", (N, units)), Max(x[n, j * pieces.count + p], p))])


def embedding() -> Program:
    words, times, features = Axis("v", "V", 5), Axis("t", "T", 4), Axis("d", "D", 2)
    table, ids, y = Tensor("E", (words, features)), Tensor("ids", (N, times), values=words), Tensor("Y", (N, times, features))
    t, d = times.index(), features.index()
    return program("embedding", [table], [ids], [define(y, table[ids[n, t], d])])


def positional_embedding() -> Program:
    times, features = Axis("t", "T", 4), Axis("d", "D", 2)
    x, table, t, d = Tensor("X", (N, times, features)), Tensor("E", (times, features)), times.index(), features.index()
    return program("positional", [x, table], [], [define(Tensor("Y", x.axes), x[n, t, d] + table[t, d])])


def prelu() -> Program:
    x, slope, y = Tensor("X", (N, C)), Tensor("a"), Tensor("Y", (N, C))
    return program("prelu", [x, slope], [], [define(y, where(x[n, c] <= 0, slope.entry() * x[n, c], x[n, c]))])


def prelu_of_channels() -> Program:
    x, slope = Tensor("X", (N, C, W)), Tensor("a", (C,))
    y = Tensor("Y", x.axes)
    return program("prelu", [x, slope], [], [define(y, where(x[n, c, w] <= 0, slope[c] * x[n, c, w], x[n, c, w]))])


def lstm() -> Program:
    """Three steps: the inputs stand at constant positions of one tensor."""
    steps, inputs, units = Axis("t", "T", 3), Axis("k", "K", 2), Axis("j", "J", 4)
    k, j, m = inputs.index(), units.index(), units.index("m")
    x = Tensor("X", (N, steps, inputs))
    weights = {g: (Tensor(f"W{g}", (units, inputs)), Tensor(f"U{g}", (units, units)), Tensor(f"b{g}", (units,))) for g in "ifgo"}
    equations: list[Equation] = []

    def equation(name: str, body: Expr) -> Tensor:
        tensor = Tensor(name, (N, units))
        equations.append(define(tensor, body))
        return tensor

    hidden = cell = None
    for step in range(3):
        gates: dict[str, Tensor] = {}
        for g, (W_, U, b) in weights.items():
            z = Sum(x[n, step, k] * W_[j, k], k) + b[j] + (Sum(hidden[n, m] * U[j, m], m) if hidden else 0)
            a = equation(f"A{g}{step}", z)[n, j]
            gates[g] = equation(f"{g}{step}", tanh(a) if g == "g" else 1 / (1 + exp(-a)))
        i, f, g, o = (gates[name][n, j] for name in "ifgo")
        cell = equation(f"c{step}", i * g + (f * cell[n, j] if cell else 0))
        hidden = equation(f"h{step}", o * tanh(cell[n, j]))
    return program("lstm", [x, *(t for ts in weights.values() for t in ts)], [], equations)


def lstm_torch(a: Leaves, _: Arrays) -> torch.Tensor:
    cell = torch.nn.LSTM(2, 4, batch_first=True, dtype=torch.float64)
    parameters = {
        "weight_ih_l0": torch.cat([a[f"W{g}"] for g in "ifgo"]),
        "weight_hh_l0": torch.cat([a[f"U{g}"] for g in "ifgo"]),
        "bias_ih_l0": torch.cat([a[f"b{g}"] for g in "ifgo"]),
        "bias_hh_l0": torch.zeros(16, dtype=torch.float64),
    }
    return torch.func.functional_call(cell, parameters, (a["X"],))[0][:, -1]


CASES: dict[str, tuple[Program, Reference]] = {
    "flatten": (flatten(), lambda a, _: a["X"].flatten(1)),
    "reshape": (reshape(), lambda a, _: torch.tanh(a["X"].reshape(3, 2, 3, 4))),
    "concatenate": (concatenate(), lambda a, _: torch.cat([a["X"], torch.tanh(a["R"])], 1)),
    "glu": (glu(), lambda a, _: F.glu(a["X"], 1)),
    "maxout": (maxout(), lambda a, _: a["X"].reshape(3, 3, 2).amax(2)),
    "embedding": (embedding(), lambda a, given: a["E"][torch.tensor(given["ids"])]),
    "positional_embedding": (positional_embedding(), lambda a, _: a["X"] + a["E"]),
    "prelu": (prelu(), lambda a, _: F.prelu(a["X"], a["a"].reshape(1))),
    "prelu_of_channels": (prelu_of_channels(), lambda a, _: F.prelu(a["X"], a["a"])),
    "lstm": (lstm(), lstm_torch),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd_and_are_proved(name: str) -> None:
    check(*CASES[name])
