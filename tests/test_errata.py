"""Every row of docs/errata.md recomputed, so that the page cannot drift from what is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tutorial import EXAMPLE, RATE, Array, Run, gradients, sigma, xor_run

ERRATA = Path(__file__).parent.parent / "docs" / "errata.md"


@dataclass(frozen=True)
class Row:
    place: str
    printed: str
    right: str


def rows() -> dict[str, Row]:
    """The rows of docs/errata.md by number."""
    found: dict[str, Row] = {}
    for line in ERRATA.read_text().splitlines():
        if re.match(r"\| [A-Z]\d+ \|", line):
            number, place, printed, value, _ = (cell.strip() for cell in line.strip("|").split("|"))
            assert number not in found, number
            found[number] = Row(place, printed, value)
    return found


@pytest.fixture(scope="session")
def xor() -> Run:
    return xor_run()


@pytest.fixture(scope="session")
def right(xor: Run) -> dict[str, float]:
    """The right value of every numbered row of numbers, computed from the statement of the network alone."""
    g = {name: float(a.ravel()[0]) for name, a in gradients(EXAMPLE).items()}
    z1, a1, z2, yhat, dw12 = g["A1"], g["H1"], g["Z"], g["Yhat"], float(gradients(EXAMPLE)["dW1"][0, 1])
    steps = [0.20 + 0.48 + 0.10, np.exp(-0.8), np.exp(-0.973), np.exp(-0.6973), 1 / (1 + 0.4977), 0.6973, 0.3318**2 / 2]
    steps += [-0.3318 * 0.2217, -0.0662 * 0.2232, -0.0148 * 0.5, -0.0148 * 0.8]
    values = [z1, np.exp(-z1), 1 + np.exp(-z1), a1, a1, 0.9 * a1, z2, z2, np.exp(-z2), yhat, yhat]  # V1 to V11
    values += [yhat - 1, (yhat - 1) ** 2, g["L"], g["L"], 1 - yhat, yhat * (1 - yhat)]  # V12 to V17
    values += [g["dZ"], g["dZ"], g["dW2"], g["dH1"], 1 - a1, a1 * (1 - a1)]  # V18 to V23
    values += [g["dA1"], g["dA1"], g["dW1"], g["dW1"], dw12, dw12]  # V24 to V29
    for old, gradient in ((0.9, g["dW2"]), (0.1, g["db2"]), (0.4, g["dW1"]), (0.6, dw12), (0.1, g["db1"])):
        values += [-RATE * gradient, old - RATE * gradient]  # V30 to V39
    run = [*(xor.losses[epoch] for epoch in range(0, 5000, 1000)), *xor.predictions[1:], len(xor.losses)]
    return {f"{letter}{k}": float(v) for letter, column in zip("SVX", (steps, values, run), strict=True) for k, v in enumerate(column, 1)}


def shown(value: float, like: str) -> str:
    """A number with as many decimals as another one shows."""
    return f"{value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize("number", [n for n in rows() if n[0] in "SVX"])
def test_row_of_numbers(number: str, right: dict[str, float]) -> None:
    row = rows()[number]
    assert row.right == shown(right[number], row.right)
    assert row.printed != shown(right[number], row.printed)


def test_what_holds_in_the_tutorial_is_not_called_wrong(xor: Run) -> None:
    """Steps that follow from the numbers printed before them."""
    steps = {"1.5066": 1 + 0.5066, "0.6637": 1 / 1.5066, "0.5973": 0.9 * 0.6637, "0.6973": 0.5973 + 0.1, "-0.3318": 0.6682 - 1}
    steps |= {"0.1101": 0.3318**2, "0.0550": 0.3318**2 / 2, "0.2217": 0.6682 * 0.3318, "-0.0736": -0.3318 * 0.2217}
    steps |= {"-0.0488": -0.0736 * 0.6637, "-0.0662": -0.0736 * 0.9, "0.3363": 1 - 0.6637, "0.2232": 0.6637 * 0.3363}
    steps |= {"-0.0148": -0.0662 * 0.2232, "-0.0074": -0.0148 * 0.5, "-0.0118": -0.0148 * 0.8}
    steps |= {"0.9244": 0.9 + 0.5 * 0.0488, "0.1368": 0.1 + 0.5 * 0.0736, "0.4037": 0.4 + 0.5 * 0.0074}
    steps |= {"0.6059": 0.6 + 0.5 * 0.0118, "0.1074": 0.1 + 0.5 * 0.0148}
    steps |= {"0.668": 1 / (1 + np.exp(-0.698)), "0.664": 1 / (1 + np.exp(-0.68))}
    steps |= {"0.000001": 0.25**10, "0.03": float(xor.predictions[0])}
    assert {text: shown(value, text) for text, value in steps.items()} == {text: text for text in steps}


def test_no_other_bias_repairs_the_tutorial() -> None:
    found = gradients({**EXAMPLE, "b1": np.zeros(1)})
    assert [f"{found[name].item():.4f}" for name in ("A1", "H1", "Z", "Yhat", "L")] == ["0.6800", "0.6637", "0.6974", "0.6676", "0.0552"]


def jacobian(function: Callable[[Array], Array | np.float64], at: Array) -> Array:
    """The derivative of every entry by every entry, by central differences: shape of the value, then shape of `at`."""
    columns: list[Array] = []
    for k in range(at.size):
        shift = np.zeros(at.size)
        shift[k] = 1e-6
        columns.append(np.asarray(function(at + shift.reshape(at.shape)) - function(at - shift.reshape(at.shape))) / 2e-6)
    return np.stack(columns, axis=-1).reshape(*np.shape(function(at)), *at.shape)


def delta_is_the_gradient_by_z() -> None:
    z = np.array([0.3])
    by_z, a = jacobian(lambda v: 0.5 * (sigma(v) - 1) ** 2, z).item(), sigma(z).item()
    assert by_z == pytest.approx((a - 1) * a * (1 - a))
    assert by_z * a * (1 - a) != pytest.approx(by_z)


def the_tutorials_programs_print_other_numbers() -> None:
    w1 = torch.tensor([[0.4, 0.6]], requires_grad=True)
    b1, w2, b2 = (torch.tensor([[value]], requires_grad=True) for value in (0.1, 0.9, 0.1))
    yhat = torch.sigmoid(w2 @ torch.sigmoid(w1 @ torch.tensor([[0.5], [0.8]]) + b1) + b2)
    dw1, *found = torch.autograd.grad(0.5 * (yhat - 1.0) ** 2, [w1, w2, b2, b1])
    assert [f"{gradient.item():.4f}" for gradient in found] == ["-0.0496", "-0.0723", "-0.0140"]
    assert str((w1 - 0.5 * dw1).detach().numpy()) == "[[0.40350634 0.60561013]]"


def nine_factors_lie_between_ten_layers() -> None:
    x = np.array([0.0])  # where sigma' is largest: shift every layer so that its input is 0
    by_first = jacobian(lambda v: chain(v, 9), x).item()
    assert by_first == pytest.approx(0.25**9, rel=1e-3)
    assert f"{0.25**9:.7f}" == "0.0000038"


def chain(x: Array, layers: int) -> Array:
    for _ in range(layers):
        x = sigma(x) - 0.5
    return x


def requires_grad_is_the_arguments_name() -> None:
    assert torch.tensor([1.0], requires_grad=True).requires_grad
    assert not hasattr(torch.tensor([1.0]), "require_grad")


# The lecture's network with N = 4 examples: h = max(0, x w1), z = h w2 + b.
N = 4
x, w1, w2, b = (np.random.default_rng(7).normal(size=shape) for shape in ((N, 2), (2, 3), (3, 1), (1,)))
h = np.maximum(0, x @ w1)
z = h @ w2 + b


def z_is_all_that_sigma_sees() -> None:
    assert z.shape == (N, 1)
    assert h.shape == (N, 3)
    assert (w2 + b).shape == (3, 1)


def z_has_the_bias() -> None:
    assert not np.allclose(h @ w2, z)
    assert np.allclose(h @ w2 + np.ones((N, 1)) * b, z)


def each_entry_of_z_depends_on_one_row_of_h() -> None:
    found = jacobian(lambda v: (v @ w2 + b).ravel(), h)
    assert found.shape == (N, N, 3)
    assert np.allclose(found, np.eye(N)[:, :, None] * w2.ravel())


def ones_stand_as_a_column() -> None:
    assert (np.ones((1, N)) * b).shape == (1, N) != (h @ w2).shape
    assert np.allclose(jacobian(lambda v: (h @ w2 + v).ravel(), b), np.ones((N, 1)))


def relu_is_elementwise() -> None:
    found = jacobian(lambda v: np.maximum(0, v), x @ w1)
    assert found.shape == (N, 3, N, 3)
    assert np.allclose(found, np.einsum("ik,jl,ij->ijkl", np.eye(N), np.eye(3), x @ w1 > 0))


def h_is_the_positive_part() -> None:
    assert (x @ w1 < 0).any()
    assert not np.allclose(h, x @ w1)


def a_free_index_is_not_summed_over() -> None:
    upstream = np.random.default_rng(8).normal(size=(N, 3))
    by_w = jacobian(lambda v: np.sum(upstream * (x @ v)), w1)
    assert np.allclose(by_w, np.einsum("ik,im,mj->kj", x, upstream, np.eye(3)))
    assert not np.allclose(by_w, np.einsum("ik,ij->k", x, upstream)[:, None])
    by_x = jacobian(lambda v: np.sum(upstream * (v @ w1)), x)
    assert np.allclose(by_x, np.einsum("mj,mi,kj->ik", upstream, np.eye(N), w1))
    assert not np.allclose(by_x, np.einsum("ij,kj->k", upstream, w1))


def softmax(s: Array) -> Array:
    return np.exp(s) / np.exp(s).sum()


def labels_count_from_zero() -> None:
    p = softmax(np.array([0.1, 0.2, 0.3]))
    with pytest.raises(IndexError):
        p[3]
    assert p[2] == p.max()  # the third class is label 2


def the_printed_loss_has_another_gradient() -> None:
    s = np.array([0.0, 25.0])
    p, onehot = softmax(s), np.array([1.0, 0.0])
    by_s = jacobian(lambda v: -np.log(softmax(v)[0] + 1e-12), s)
    assert np.allclose(by_s, p[0] / (p[0] + 1e-12) * (p - onehot), rtol=1e-5)
    assert not np.allclose(by_s, p - onehot, rtol=1e-2)
    assert f"{-np.log(0 + 1e-12):.2f}" == "27.63"
    assert -np.log(1 + 1e-12) < 0


STATEMENTS: dict[str, Callable[[], None]] = {
    "T1": delta_is_the_gradient_by_z,
    "T2": the_tutorials_programs_print_other_numbers,
    "T3": nine_factors_lie_between_ten_layers,
    "T4": requires_grad_is_the_arguments_name,
    "T5": the_tutorials_programs_print_other_numbers,
    **dict.fromkeys(("L1", "L2", "L6", "L9"), z_is_all_that_sigma_sees),
    **dict.fromkeys(("L3", "L4"), z_has_the_bias),
    "L5": each_entry_of_z_depends_on_one_row_of_h,
    **dict.fromkeys(("L7", "L8"), ones_stand_as_a_column),
    "L10": relu_is_elementwise,
    "L11": h_is_the_positive_part,
    **dict.fromkeys(("L12", "L13"), a_free_index_is_not_summed_over),
    "N1": labels_count_from_zero,
    "N2": the_printed_loss_has_another_gradient,
}


@pytest.mark.parametrize("number", STATEMENTS)
def test_row_of_a_statement(number: str) -> None:
    STATEMENTS[number]()


def test_every_row_is_checked(right: dict[str, float]) -> None:
    assert sorted(rows()) == sorted([*right, *STATEMENTS])
