"""Formulas mean what they say."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr

from derive.functions import where
from derive.index import AtMost, Axis, Delta, InRange, Max, Sum, Tensor
from derive.language import Operand, Scope, declaration, expression, extent, index_axes
from tests.formulas import ROWS, SCOPE, C, D, H, N, defined, operand, x

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


@pytest.mark.parametrize("text", PLAIN)
def test_an_expression_means_what_it_says(text: str) -> None:
    assert expression(text, SCOPE) == PLAIN[text]


def test_decimals_are_exact() -> None:
    assert expression("0.1 + 0.2", Scope()) == sp.Rational(3, 10)
    assert expression("1e-20 * 1e20", Scope()) == 1


def test_a_switch_reads_the_chosen_branch_only() -> None:
    read: list[str] = []

    def noting(name: str) -> Operand:
        return Operand((), lambda _: read.append(name) or Tensor(name).entry())

    scope = Scope({"bias": False, "x": 1, "b": noting("b"), "c": noting("c")})
    expression("where(bias, x + b, where(not bias, x + c, b))", scope)
    assert read == ["c"]


# -- equations ---------------------------------------------------------------------------------------------------------

h, w = Axis("h", "H", 8), Axis("w", "W", 9)
p, q, a, b = Axis("p", "P", 4), Axis("q", "Q", 5), Axis("a", "K", 3), Axis("b", "L", 2)
IMAGE = operand("X", N, C, h, w)
n, i, j, c = (axis.index() for axis in (N, D, H, C))


def at(name: str, *places: Expr) -> Expr:
    """An entry of a tensor whose axes are those of the indices in its places."""
    axes = {"X": (N, D), "W": (H, D), "b": (H,), "mean": (N,), "var": (N,)}[name]
    return Tensor(name, axes)[places]


def test_a_dense_layer() -> None:
    k = D.fresh()
    assert defined("Y[n, j] = sum(k, X[n, k] * W[j, k]) + b[j]", ROWS) == [
        ("Y", (n, j), Sum(at("X", n, k) * at("W", j, k), k) + at("b", j)),
    ]


def test_dots_stand_for_the_axes_that_are_not_written() -> None:
    for text in ("Y[..., j] = sum(k, X[..., k] * W[j, k])", "Y[..., j] = sum(k, W[j, k]\n * X[..., k])"):
        k = D.fresh()
        assert defined(text, ROWS) == [("Y", (n, j), Sum(at("X", n, k) * at("W", j, k), k))]


def test_equations_read_one_another() -> None:
    text = """
        mean[...] = mean(j, X[..., j])
        var[...] = mean(j, (X[..., j] - mean[...]) ** 2)
        Y[..., j] = (X[..., j] - mean[...]) / sqrt(var[...] + eps)
    """
    k = D.fresh()
    assert defined(text, ROWS) == [
        ("mean", (n,), Sum(at("X", n, k), k) / D.count),
        ("var", (n,), Sum((at("X", n, k) - at("mean", n)) ** 2, k) / D.count),
        ("Y", (n, i), (at("X", n, i) - at("mean", n)) / sp.sqrt(at("var", n) + sp.Rational(1, 100))),
    ]


def test_dots_in_the_middle_and_in_sums() -> None:
    text = "m[c] = sum(n, ..., X[n, c, ...]) / size(n, ...); Y[n, c, ...] = X[n, c, ...] - m[c]"
    x4 = Tensor("X", (N, C, h, w))
    f, g, r = N.fresh(), h.fresh(), w.fresh()
    (_, _, mean), (_, indices, body) = defined(text, Scope({"X": IMAGE}))
    assert mean == Sum(x4[f, c, g, r], f, g, r) / (N.count * h.count * w.count)
    assert indices == x4.indices()
    assert body == x4.entry() - Tensor("m", (C,))[c]


def test_entries_outside_of_a_tensor_are_behind_a_guard() -> None:
    text = "Y[n, p, q] = sum(c, a, b, X[n, c, stride*p + a - 1, q + b] * K[c, a, b])"
    scope = Scope({"X": IMAGE, "K": operand("K", C, a, b), "stride": 2}, {"p": p, "q": q})
    e, f, g = C.fresh(), a.fresh(), b.fresh()
    row, column = 2 * p.index() + f - 1, q.index() + g
    entry = Tensor("X", (N, C, h, w))[n, e, row, column] * InRange(row, h.count) * InRange(column, w.count)
    assert defined(text, scope) == [("Y", (n, p.index(), q.index()), Sum(entry * Tensor("K", (C, a, b))[e, f, g], e, f, g))]


def test_a_second_index_on_an_axis_has_a_prime() -> None:
    text = "S[n, q, k] = sum(d, X[n, q, d] * X[n, k, d]) * at_most(k, q)\nP[n, q, k] = exp(S[n, q, k]) / sum(l, exp(S[n, q, l]))"
    first, second = defined(text, Scope({"X": operand("X", N, h, D)}))
    row, column, k = h.index(), h.index("h'"), D.fresh()
    x3, s = Tensor("X", (N, h, D)), Tensor("S", (N, h, h))
    assert first == ("S", (n, row, column), Sum(x3[n, row, k] * x3[n, column, k], k) * AtMost(column, row))
    e = h.fresh()
    assert second == ("P", (n, row, column), sp.exp(s[n, row, column]) / Sum(sp.exp(s[n, row, e]), e))


def test_a_bare_expression_applies_to_every_element() -> None:
    assert defined("x * tanh(x)", ROWS) == [("Y", (n, i), at("X", n, i) * sp.tanh(at("X", n, i)))]


def test_a_state_is_defined_anew() -> None:
    scope = Scope({"X": operand("X", N), "s": operand("old", N)}, state=("s",))
    found = defined("s[n] = s[n] + X[n]; Y[n] = 2 * s[n]", scope)
    old, new = Tensor("old", (N,))[n], Tensor("s", (N,))[n]
    assert [body for _, _, body in found] == [old + Tensor("X", (N,))[n], 2 * new]


def test_positions_of_labels_and_of_indicators() -> None:
    scope = Scope({"P": operand("P", N, H), "y": operand("y", N, values=H), "X": operand("X", N, D)})
    label = Tensor("y", (N,), H)[n]
    text = "L[n] = P[n, y[n]] + sum(j, delta(j, y[n]) * P[n, j]); M[n, i] = X[n, i] * inside(i - 2, j)"
    (_, _, loss), (_, _, masked) = defined(text, scope)
    k, probability = H.fresh(), Tensor("P", (N, H))
    assert loss == probability[n, label] + Sum(Delta(k, label) * probability[n, k], k)
    assert masked == at("X", n, i) * InRange(i - 2, H.count)


def test_the_axes_of_letters_without_the_learned_tensors() -> None:
    text = "Z[..., j] = sum(k, X[..., k] * W[j, k]); Y[..., j] = Z[..., j] + b[j]"
    found = index_axes(text, Scope({"X": operand("X", N, D)}, {"j": H}))
    assert found.letters == {"j": H, "k": D}
    assert found.rest == (N,)


@pytest.mark.parametrize(
    ("text", "name", "letters"), [("W[j, k]", "W", ("j", "k")), ("M[...]", "M", ("...",)), ("a", "a", ())]
)  # fmt: skip
def test_declarations(text: str, name: str, letters: tuple[str, ...]) -> None:
    assert (declaration(text).name, declaration(text).letters) == (name, letters)


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("units", 5), ("(size(i) + 2*padding - 3) // stride + 1", 4), ("-2 + units", 3), ("2 * (units - 1)", 8)],
)
def test_extents(text: str, value: int) -> None:
    assert extent(text, {"units": 5, "padding": 1, "stride": 2}, {"i": 8}) == value
