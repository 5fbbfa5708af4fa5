"""Accuracy: stable formulas pass, one that overflows fails with the input named, and lost digits of small numbers are said but allowed."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import derive
from chainrule import tables
from chainrule.accuracy import Accuracy, accuracy
from chainrule.pointwise import pointwise
from chainrule.verify import Verification
from derive import Network
from derive.choices import needed
from derive.derivation import Derivation
from derive.formulas.activations import ACTIVATIONS

NETWORKS = Path(__file__).parent.parent / "networks"
OVERFLOWS = "(exp(x) + x**2) / (exp(x) + 1 + x**2)"  # no rewrite knows the sum of an exponential and a square


def derived(activation: object = "identity", loss: object = "mean_squared_error") -> Derivation:
    layers = [{"kind": "dense", "units": 2, "activation": activation}, {"kind": "dense", "units": 2}]
    fields: dict[str, Any] = {"name": "probe", "inputs": 3, "layers": layers, "loss": loss}
    return derive.differentiate(Network(**fields).program())


def swept(derivation: Derivation) -> list[tuple[str, str]]:
    return [(found.tensor, found.swept) for found in pointwise(derivation)]


def shown(found: Accuracy) -> str:
    out = io.StringIO()
    tables.verification(Console(file=out, width=200), Verification("probe", 7, 0, (), 0.0, 0.0, found))
    return out.getvalue()


@pytest.mark.parametrize("name", ["residual_mlp", "lecture_bce"])
def test_shipped_networks_do_not_fail(name: str) -> None:
    found = accuracy(derive.differentiate(derive.load(NETWORKS / f"{name}.toml").program()))
    assert found.holds
    assert found.equations >= 4


@pytest.mark.parametrize("kind", [kind for kind, operation in ACTIVATIONS.items() if not needed(operation.parameters)])
def test_no_activation_fails(kind: str) -> None:
    assert accuracy(derived(kind)).holds


@pytest.mark.parametrize("formula", ["log(cosh(prediction - target))", "log(1 + exp(exp(prediction - target)))"])
def test_a_formula_of_the_users_that_is_stabilised_passes(formula: str) -> None:
    found = accuracy(derived(loss={"formula": formula}))
    assert found.holds
    assert found.equations == 2  # the loss and its gradient


def test_without_its_stable_form_the_same_formula_fails() -> None:
    right = derived(loss={"formula": "log(cosh(prediction - target))"})
    wanted = {e.tensor for e in right.computed.equations}
    plain = replace(right.computed, equations=tuple(e for e in right.mathematical.equations if e.tensor in wanted))
    found = accuracy(replace(right, computed=plain, stable=()))
    loss = next(loss for loss in found.losses if loss.tensor == "L")
    assert (loss.fails, loss.swept, loss.input, loss.value, loss.error) == (True, "Yhat", -1000.0, math.inf, math.inf)
    assert math.isfinite(loss.true)


def test_a_formula_that_cannot_be_saved_fails_with_the_input_named() -> None:
    found = accuracy(derived({"formula": OVERFLOWS}))
    assert not found.holds
    loss = next(loss for loss in found.losses if loss.tensor == "H1")
    assert (loss.fails, loss.swept, loss.input, loss.true) == (True, "A1", 1000.0, 1.0)
    assert math.isnan(loss.value)
    text = shown(found)
    assert f"({loss.number}) H1 where A1 is 1000: nan, truly 1: no digit is right; FAILS" in text
    assert text.rstrip().endswith(", ".join(f"({x.number}) {x.tensor}" for x in found.losses if x.fails))


def test_lost_digits_of_a_small_number_are_reported_and_allowed() -> None:
    found = accuracy(derived("tanhshrink"))
    loss = next(loss for loss in found.losses if loss.tensor == "H1")
    assert not loss.fails
    assert loss.error > 1e-8
    assert abs(loss.value - loss.true) < 1e-15
    assert found.holds
    assert "a small number that loses digits" in shown(found)
    assert shown(found).rstrip().endswith("all hold")


def test_a_value_that_is_wrong_by_more_than_the_bound_fails() -> None:
    """The difference of two logarithms that are nearly equal is right to 1e-16; times 1e9 it is not."""
    found = accuracy(derived({"formula": "1000000000 * (log(1 + exp(x)) - log(1 + exp(x - x**2 / 1000000000)))"}))
    loss = next(loss for loss in found.losses if loss.tensor == "H1")
    assert loss.fails
    assert math.isfinite(loss.value)


def test_which_equations_are_functions_is_read_off_them() -> None:
    """Dense layers, softmax and contractions are none; a gradient is a function of what the slope is taken at."""
    assert swept(derived("sigmoid", "softmax_cross_entropy")) == [("H1", "A1"), ("dA1", "A1")]
    assert swept(derived("softmax", "softmax_cross_entropy")) == []
    prelu = swept(derived("prelu"))
    assert ("H1", "A1") in prelu
    assert ("da1", "A1") in prelu


def test_entries_at_other_positions_do_not_move() -> None:
    glu = [found for found in pointwise(derived("glu")) if found.tensor == "H1"]
    assert [found.swept for found in glu] == ["A1"]
    assert len(glu[0].mathematical.ordinary) > 0


def test_layers_of_one_kind_are_one_function() -> None:
    layers = [{"kind": "dense", "units": 2, "activation": "mish"}] * 2
    fields: dict[str, Any] = {"name": "probe", "inputs": 3, "layers": layers, "loss": "mean_squared_error"}
    found = {f.tensor: (f.mathematical, f.computed) for f in pointwise(derive.differentiate(Network(**fields).program()))}
    assert found["H1"] == found["Yhat"]


def test_the_neighbourhood_of_a_pole_is_no_loss() -> None:
    """1 / (x + 1e-8) at -1e-8: no form knows 24 digits of the input."""
    assert accuracy(derived(loss={"kind": "poisson_nll", "log_input": False})).holds


def test_a_declared_floor_is_no_loss() -> None:
    """1 / (p (1 - p)) is bounded by 1e12, as in PyTorch; p = 1e-20 is one of the inputs."""
    found = accuracy(derived(loss="binary_cross_entropy"))
    assert found.holds
    assert found.equations == 2


def test_numbers_too_large_for_any_arithmetic_end_the_sweep_quietly() -> None:
    assert accuracy(derived({"formula": "tanh(exp(exp(exp(x))))"})).equations == 3


def test_the_record_is_json() -> None:
    record = accuracy(derived({"formula": OVERFLOWS})).record()
    assert record["holds"] is False
    assert set(record) == {"holds", "equations", "losses"}
    assert "Infinity" in json.dumps(record)  # the command writes null
