"""Formulas mean what they say, and an error names the place."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr

from derive.functions import where
from derive.index import Axis, Delta, Index, InRange, Max, Sum, Tensor
from derive.language import Operand, Scope, definitions, expression

N, D, H, C = Axis("n", "N"), Axis("i", "D", 3), Axis("j", "H", 4), Axis("c", "C", 1)
A = Tensor("A", (N, H))
x = A.entry()


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


PLAIN = {
    "x": x,
    "x * tanh(log(1 + exp(x)))": x * sp.tanh(sp.log(1 + sp.exp(x))),
    "x / (1 + exp(-x))": x / (1 + sp.exp(-x)),
    "x * sigmoid(beta * x)": x / (1 + sp.exp(-sp.Rational(3, 2) * x)),
    "-x**2": -(x**2),
    "2**-1 * x": x / 2,
    "x - 1 - 2": x - 3,
    "x / 2 / 3": x / 6,
    "1.5e-1 * x": sp.Rational(3, 20) * x,
    "sqrt(2 / pi) * (x + 0.044715 * x**3)": sp.sqrt(2 / sp.pi) * (x + sp.Rational(44715, 1000000) * x**3),
    "x ** 0.5": sp.sqrt(x),
    "maximum(x, 0)": where(x <= 0, 0, x),
    "maximum(0, x)": where(x < 0, 0, x),
    "minimum(x, 6)": where(x >= 6, 6, x),
    "minimum(maximum(x, -1), 1)": where(x <= -1, -1, where(x >= 1, 1, x)),
    "where(x > 0, x, alpha * (exp(x) - 1))": where(x > 0, x, 2 * (sp.exp(x) - 1)),
    "where(causal, x, nothing)": x,
    "where(not causal, nothing, x)": x,
    "where(alpha > 1, x, nothing)": x,
    "where(size(j) >= 5, nothing, x)": x,
    "abs(x)": sp.Abs(x),
    "log(cosh(x))": sp.log((sp.exp(x) + sp.exp(-x)) / 2),
    "softplus(x)": sp.log(1 + sp.exp(x)),
    "sum(j, P[n, j])": Sum(Tensor("P", (N, H))[N.index(), H.index()], H.index()),
    "mean(..., P[...])": Sum(Tensor("P", (N, H)).entry(), N.index(), H.index()) / (N.count * H.count),
    "max(k, P[n, k])": Max(Tensor("P", (N, H)).entry(), H.index()),
    "-log(P[n, target])": -sp.log(Tensor("P", (N, H))[N.index(), Tensor("y", (N,), H).entry()]),
    "-log(P[..., target])": -sp.log(Tensor("P", (N, H))[N.index(), Tensor("y", (N,), H).entry()]),
    "P[n, j + 1]": Tensor("P", (N, H))[N.index(), H.index() + 1] * InRange(H.index() + 1, H.count),
    "sum(k, delta(k, target) * P[n, k])": Sum(
        Delta(H.index(), Tensor("y", (N,), H).entry()) * Tensor("P", (N, H)).entry(), H.index()
    ),
    "P[n, j] * size(n) * size(j)": Tensor("P", (N, H)).entry() * N.count * H.count,
    "size(c)": sp.Integer(1),
}  # fmt: skip

SCOPE = Scope(
    {
        "x": x, "beta": sp.Rational(3, 2), "alpha": 2, "causal": True,
        "P": operand("P", N, H), "target": Tensor("y", (N,), H).entry(),
    },
    {"j": H, "c": C},
)  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_an_expression_means_what_it_says(text: str) -> None:
    assert expression(text, SCOPE) == PLAIN[text]
