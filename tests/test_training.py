"""Data sets and training: the split is fixed, data that does not fit is refused, and the digits are learnt."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np
import pytest

import derive
from chainrule import cli
from chainrule.data import digits, fitted
from chainrule.specs import InputError, network_of
from chainrule.training import Settings, train


def test_the_split_is_fixed_and_a_third_is_held_out() -> None:
    data = digits()
    assert (len(data.X), len(data.held_out_X), data.features) == (1198, 599, 64)
    assert (data.X.min(), data.X.max()) == (0, 1)
    assert data.X.tobytes() == digits().X.tobytes()
    seen = {row.tobytes() for row in data.X}
    assert sum(row.tobytes() in seen for row in data.held_out_X) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_data_has_the_type_that_is_asked_for(dtype: Any) -> None:
    assert digits(dtype).X.dtype == digits(dtype).held_out_X.dtype == np.dtype(dtype)


def test_a_missing_scikit_learn_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(InputError, match='python -m pip install "scikit-learn'):
        digits()


MISFITS = {
    "inputs": ({"inputs": 63}, r"^probe: inputs: found 63; right for digits would be 64$"),
    "outputs": ({"layers": [{"kind": "dense", "units": 9}]}, r"outputs: found 9; right for the classes of digits would be 10"),
    "loss": (
        {"loss": "mean_squared_error"},
        r"loss: found mean_squared_error, which takes values; right for digits would be one of labels",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_data_that_does_not_fit_is_refused_before_anything_is_built(case: str) -> None:
    changed, message = MISFITS[case]
    fields: dict[str, Any] = {"name": "probe", "inputs": 64, "loss": "softmax_cross_entropy", "layers": [{"kind": "dense", "units": 10}]}
    fitted(derive.Network(**fields), digits())
    fields |= changed
    with pytest.raises(InputError, match=message):
        train(derive.Network(**fields), digits(), Settings())


def test_the_digits_are_learnt() -> None:
    result = train(network_of("digits"), digits(), Settings())
    assert result.accuracy >= 0.96
    assert result.losses[-1] < 0.1 < result.losses[0]
    assert result.seconds < 20
    again = train(network_of("digits"), digits(), Settings(epochs=2))
    assert again.losses == result.losses[:2]


def test_a_loss_that_overflows_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["chainrule", "train", "digits", "--data", "digits", "--learning-rate", "1e308", "--json"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    record = json.loads(capsys.readouterr().out)
    assert (caught.value.code, record["loss"]) == (1, None)
    assert len(record["losses"]) < Settings.epochs
