"""What the functions of a module refuse before a kernel runs: data of any shape and kind, and names that it has another use for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import cli
from chainrule.sample import sample_of
from chainrule.verify import verify_at
from codegen.about import About
from codegen.render import module_text
from derive import differentiate
from derive.formulas.losses import Target
from tests import handmade_modules as hand
from tests.module_cases import at, module
from tests.modules import interpreted_text


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": [[0, 1, 2, 7]]}, IndexError, r"X\[0, 3\] is 7: tokens are 0 .. 6"),
        ({"X": [[0, -1, 2, 3]]}, IndexError, r"X\[0, 1\] is -1: tokens are 0 .. 6"),
        ({"X": [[0, 1, 2, 3.0]]}, TypeError, "X has dtype float64: tokens are integers"),
        ({"X": [[0, 1, 2]]}, ValueError, r"X has shape \(1, 3\): \[N, 4\] is needed"),
        ({"y": [[0, 1, 2, 3]]}, IndexError, r"y\[0, 3\] is 3: labels are 0 .. 2"),
        ({"y": [0]}, ValueError, r"y has shape \(1,\): \(1, 4\) is needed, a row for each example"),
        ({"sample_weight": [-1]}, ValueError, r"sample_weight\[0\] is -1: a finite number of at least 0 is needed"),
        ({"sample_weight": [np.inf]}, ValueError, r"sample_weight\[0\] is inf"),
        ({"sample_weight": [np.nan]}, ValueError, r"sample_weight\[0\] is nan"),
        ({"sample_weight": [[1]]}, ValueError, r"sample_weight has shape \(1, 1\): \(1,\) is needed, a weight for each example"),
        ({"sample_weight": [0]}, ValueError, "no example has a weight above 0: the mean of their losses is undefined"),
        ({"sample_weight": np.ma.masked_array([1.0], mask=True)}, TypeError, "sample_weight is a masked array"),
    ],
)
def test_wrong_tokens_labels_and_weights_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    m = module("tokens")
    with pytest.raises(error, match=message):
        m.gradients(m.init(), **{"X": [[0, 1, 2, 3]], "y": [[0, 1, 2, 0]], **change})


@pytest.mark.parametrize(("shape", "needed"), [((7, 40), r"\[N, 2, 4, 5\]"), ((7, 4, 5, 2), "an example along the first axis")])
def test_wrong_images_are_refused(shape: tuple[int, ...], needed: str) -> None:
    with pytest.raises(ValueError, match=f"X has shape .*{needed}"):
        module("images").predict(module("images").init(), np.zeros(shape))


def test_nan_in_an_image_is_named_by_its_place() -> None:
    point = at("images")
    X = point.X.copy()
    X[3, 1, 0, 4] = np.nan
    with pytest.raises(ValueError, match=r"X\[3, 1, 0, 4\] is nan"):
        module("images").loss(point.parameters, X, point.y)


TARGETS: dict[Target, tuple[float, str]] = {
    "values": (np.nan, "is nan: numbers are needed"),
    "unit": (1.5, r"is 1.5: a number in \[0, 1\] is needed"),
    "probabilities": (-0.5, "is -0.5: a probability is needed"),
    "log_probabilities": (0.5, "is 0.5: a finite number of at most 0 is needed"),
    "signs": (0, r"is 0.0: \+1 or -1 is needed"),
    "counts": (-1, "is -1.0: a number of at least 0 is needed"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_wrong_targets_of_any_shape_are_refused(kind: Target) -> None:
    program, words, (wrong, message) = hand.targets(kind == "probabilities"), About("targets", "targets.", kind), TARGETS[kind]
    m = interpreted_text("targets", module_text(differentiate(program), program, words))
    point = sample_of(program, words, m, 4, 0)
    assert verify_at(differentiate(program), program, m, point).holds
    y = point.y.copy()
    y[3, 1, 2] = wrong
    with pytest.raises(ValueError, match=r"y\[3, 1, 2\] " + message):
        m.loss(point.parameters, point.X, y)
    with pytest.raises(ValueError, match=r"y has shape \(4, 2\): \(4, 2, 3\) is needed"):
        m.loss(point.parameters, point.X, y[:, :, 0])
    if "probabilities" in kind:
        y = point.y.copy()
        y[2, :, 1] -= 0.01
        with pytest.raises(ValueError, match=r"y\[2, 1\] sums to 0.9" if kind == "probabilities" else r"y\[2, 0\] sums to 0.9"):
            m.loss(point.parameters, point.X, y)


@pytest.mark.parametrize(("table", "name"), [("learned", "lambda"), ("learned", "theta"), ("learned", "N"), ("parameters", "order")])
def test_a_name_that_a_module_has_another_use_for_is_wrong_input(
    table: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a traceback, and no module that cannot be imported."""
    formula, value = (
        (f"{name} * (prediction - target)**2", "0.3") if table == "learned" else (f"sum(c, {name}[c] * prediction[c])", "[1, 2]")
    )
    loss = f'{{ formula = "{formula}", {table} = {{ {name} = {value} }} }}'
    (tmp_path / "own.toml").write_text(f'name = "own"\ninputs = 3\nloss = {loss}\nlayers = [{{ kind = "dense", units = 2 }}]\n')
    monkeypatch.setattr(sys, "argv", ["chainrule", "generate", str(tmp_path / "own.toml")])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert f"own: a generated module has another use for the name {name}: choose another one" in capsys.readouterr().err
