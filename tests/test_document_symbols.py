"""How tensors of layers and calculated positions are written in a document."""

from __future__ import annotations

import pytest

import derive
from derive import Network
from derive.documents import render
from derive.documents.layout import fold
from derive.documents.symbols import named


@pytest.mark.parametrize(
    ("name", "latex"),
    [("W1", "W_1"), ("gamma2", r"\gamma_2"), ("Wq3", r"W_{\mathrm{q}3}"), ("Xhat2", r"\hat{X}_2"), ("mean2", r"\mathrm{mean}_2")],
)
def test_a_name_is_written_as_its_letter(name: str, latex: str) -> None:
    assert named(name).latex() == latex


def written(inputs: object, *layers: dict[str, object]) -> str:
    network = Network(name="written", inputs=inputs, layers=layers, loss="mean_squared_error")  # pyright: ignore[reportArgumentType]
    return render(derive.differentiate(network.program()), network, "latex")


def test_a_learned_slope_is_not_what_the_activation_is_applied_to() -> None:
    text = written(2, {"kind": "dense", "units": 2, "activation": "prelu"}, {"kind": "dense", "units": 1})
    assert r"\operatorname{PReLU}\left(A_1\right) = " in text
    assert r"\operatorname{PReLU}\left(a_1\right)" not in text


def test_positions_count_from_0_where_formulas_calculate_with_them() -> None:
    text = written([1, 4, 4], {"kind": "max_pool2d", "kernel_size": 2})
    assert r"$t = 0, \dots, N_{t} - 1$" in text
    assert r"$r = 0, \dots, N_{r} - 1$" in text  # r runs over the pixels of a window: no tensor has that axis
    assert r"\right)_{r}" in text  # one of the two positions of the maximum
    assert r"$n = 1, \dots, N$" in written(2, {"kind": "dense", "units": 2})


def test_steps_and_running_values_have_their_marks() -> None:
    text = written([2, 3], {"kind": "batch_norm"}, {"kind": "rnn", "units": 2}, {"kind": "dense", "units": 1})
    assert r"H_{2,nj}^{(2)} = " in text.replace("&= ", "= ")
    assert r"\mathrm{mean}_1^{\mathrm{new\ running}}" in text
    assert r"running\_mean1" in text


def test_a_line_is_never_broken_inside_an_indicator() -> None:
    factor = r"\mathbf{1}[0 \le r_{1} + t_{1} - 1 < N_{h}]"
    lines = fold(" ".join([r"\sum_{n}", *[factor] * 4, "G"]))
    assert len(lines) > 1
    assert all(line.count("[") == line.count("]") for line in lines)


def test_every_parameter_has_its_update() -> None:
    text = written([1, 3, 3], {"kind": "conv2d", "out_channels": 1, "kernel_size": 2})
    assert r"W_1 &\leftarrow W_1 - \eta G_{W_1}" in text
