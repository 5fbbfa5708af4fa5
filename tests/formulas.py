"""Tensors, scopes and equations that the tests of the language share."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.index import Axis, Index, Tensor
from derive.language import Operand, Scope, definitions

N, D, H, C = Axis("n", "N"), Axis("i", "D", 3), Axis("j", "H", 4), Axis("c", "C", 1)
x = Tensor("A", (N, H)).entry()


def operand(name: str, *axes: Axis, values: Axis | None = None) -> Operand:
    tensor = Tensor(name, axes, values)
    return Operand(axes, lambda positions: tensor[positions])


def defined(text: str, scope: Scope) -> list[tuple[str, tuple[Index, ...], Expr]]:
    """What a formula defines, equation by equation."""
    found: list[tuple[str, tuple[Index, ...], Expr]] = []

    def define(name: str, indices: tuple[Index, ...], body: Expr) -> Operand:
        found.append((name, indices, body))
        return operand(name, *(i.axis for i in indices))

    definitions(text, scope, define)
    return found


SCOPE = Scope(
    {
        "x": x, "beta": sp.Rational(3, 2), "alpha": 2, "causal": True,
        "P": operand("P", N, H), "target": Tensor("y", (N,), H).entry(),
    },
    {"j": H, "c": C},
)  # fmt: skip
ROWS = Scope({"X": operand("X", N, D), "W": operand("W", H, D), "b": operand("b", H), "eps": sp.Rational(1, 100)})
