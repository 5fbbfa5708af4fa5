"""Verification: what is right passes, every planted fault is found, and a kink is named instead of failed."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

import chainrule.lost
import derive
from chainrule import cli, verify
from chainrule.kinks import kinks, listed
from chainrule.module import Array, Module, Parameters, arrays, replaced
from chainrule.sample import Sample, in_order, sample
from chainrule.taylor import remainder
from chainrule.verify import Verification, verify_at
from derive import Network
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.family import gradient_of
from tests.modules import interpreted

NETWORKS = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))

Fault = Callable[[dict[str, Array]], dict[str, Array]]


def no_fault(gradient: dict[str, Array]) -> dict[str, Array]:
    return gradient


@dataclass(frozen=True)
class Named:
    """The part of a NamedTuple that verification uses, for any names."""

    arrays: dict[str, Array]

    def _asdict(self) -> dict[str, Array]:
        return dict(self.arrays)

    def _replace(self, **arrays: Array) -> Named:
        return Named({**self.arrays, **arrays})


@dataclass(frozen=True)
class Plain:
    """A module that evaluates the equations of a derivation one by one, with a fault planted in its gradient."""

    derivation: Derivation
    fault: Fault = no_fault
    loss_fault: float = 0.0

    def init(self, seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters:
        random = np.random.default_rng(seed)
        tensors = self.derivation.forward.parameters
        shapes = {t.name: [a.extent or 0 for a in t.axes] for t in tensors}
        fans = {name: math.prod(shape[1:]) for name, shape in shapes.items()}  # the plain formulas overflow at large logits
        initial = {name: (random.standard_normal(shape) / math.sqrt(fans[name])).astype(dtype) for name, shape in shapes.items()}
        return cast(Parameters, Named(initial))

    def values(self, p: Parameters, x: Array, y: Array) -> dict[str, npt.NDArray[Any]]:
        return evaluate(self.derivation.mathematical, Sample(p, x, y).given(self.derivation.forward))

    def predict(self, p: Parameters, x: Array) -> Array:
        program = self.derivation.forward
        y = np.zeros([a.extent or len(x) for a in program.targets[0].axes], np.int64)
        found = evaluate(program, {**Sample(p, x, y).given(program), program.targets[0].name: y})
        return in_order(program.outputs[0], found[program.outputs[0].name])

    def loss(self, p: Parameters, x: Array, y: Array) -> float:
        return float(evaluate(self.derivation.forward, Sample(p, x, y).given(self.derivation.forward))["L"])

    def gradients(self, p: Parameters, x: Array, y: Array) -> tuple[float, Parameters]:
        found = self.values(p, x, y)
        gradient = self.fault({t.name: found[gradient_of(t).name] for t in self.derivation.forward.parameters})
        for name, array in gradient.items():
            p = replaced(p, name, array)
        return float(found["L"]) + self.loss_fault, p


def network(activation: object = "tanh", loss: object = "softmax_cross_entropy", convention: str = "rows") -> Network:
    layers = [{"kind": "dense", "units": 4, "activation": activation}, {"kind": "dense", "units": 3}]
    fields: dict[str, Any] = {"name": "probe", "inputs": 2, "layers": layers, "loss": loss, "convention": convention}
    return Network(**fields)


@functools.cache
def derivation(of: Network) -> Derivation:
    return derive.differentiate(of.program())


def plain(of: Network, fault: Fault = no_fault, loss_fault: float = 0.0) -> Module:
    return cast(Module, Plain(derivation(of), fault, loss_fault))


def verified(of: Network, fault: Fault = no_fault, at: Sample | None = None) -> Verification:
    module = plain(of, fault)
    return verify_at(derivation(of), of.program(), module, at or sample(of, module, 7, 0))


LARGE = ("digits", "residual_mlp", "lenet", "tiny_attention")  # the plain evaluator takes from ten seconds to minutes for them


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in LARGE)) for p in NETWORKS])
def test_right_gradients_of_the_shipped_networks_pass(path: Path) -> None:
    """The plain evaluator as the module: that verify accepts what is right. The modules themselves: tests/test_generated.py."""
    result = verified(derive.load(path))
    assert result.holds
    assert all(row.difference < 1e-8 and row.naive == 0 for row in result.rows)


SOFT = {"kind": "softmax_cross_entropy", "targets": "probabilities"}


@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", SOFT, "mean_squared_error"])
def test_every_convention_and_kind_of_target_passes(convention: str, loss: object) -> None:
    result = verified(network(loss=loss, convention=convention))
    assert [row.parameter for row in result.rows] == ["W1", "b1", "W2", "b2"]
    assert result.holds
    assert all(row.order is not None and abs(row.order - 2) < 0.05 for row in result.rows)


FAULTS: dict[str, Fault] = {
    "a lost factor": lambda g: {**g, "W2": 7 * g["W2"]},
    "a flipped sign": lambda g: {**g, "b2": -g["b2"]},
    "one entry that is off by little": lambda g: {**g, "W1": g["W1"] + 1e-4 * np.eye(4, 2)},
    "a value that is no number": lambda g: {**g, "b1": g["b1"] * np.nan},
    "a gradient of zeros": lambda g: {**g, "W1": 0 * g["W1"]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_by_every_column(fault: str) -> None:
    faulty = verified(network("relu"), FAULTS[fault])
    assert not faulty.holds
    (row,) = (row for row in faulty.rows if not row.holds)
    assert not row.difference_holds
    assert not row.order_holds
    assert not row.naive_holds


def test_a_wrong_loss_is_found() -> None:
    of = network()
    result = verify_at(derivation(of), of.program(), plain(of, loss_fault=1e-9), sample(of, plain(of), 7, 0))
    assert all(row.holds for row in result.rows)
    assert not result.loss_holds
    assert not result.holds


def test_a_wrong_module_is_a_failure_of_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def faulty(of: Network) -> Module:
        return plain(of, lambda g: {**g, "W2": 2 * g["W2"]})

    monkeypatch.setattr(verify, "built", faulty)
    monkeypatch.setattr(sys, "argv", ["chainrule", "verify", "worked_example"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    out = capsys.readouterr().out
    assert caught.value.code == 1
    assert out.endswith("FAILS: W2\n")
    assert [line.split()[-1] for line in out.splitlines() if line.startswith((" W", " b"))] == [
        "holds",
        "holds",
        "FAILS",
        "holds",
    ]


def test_units_at_a_kink_are_named_and_not_failed() -> None:
    of = network("relu")
    module = plain(of)
    at = sample(of, module, 5, 0)
    weights = arrays(at.parameters)["W1"]
    biases = arrays(at.parameters)["b1"].copy()
    biases[2] = -(weights[2] @ at.X[3])  # so that the unit 2 of example 3 lies on its kink, up to rounding
    result = verified(of, at=at.moved("b1", biases))
    assert result.holds
    rows = {row.parameter: row.kinks for row in result.rows}
    assert rows["b1"] == ("A1[3,2]",)
    assert rows["W1"] == ("A1[3,2]",)
    assert rows["W2"] == rows["b2"] == ()


def test_a_fault_at_a_kink_is_still_found_elsewhere() -> None:
    of = network("relu")
    at = sample(of, plain(of), 5, 0)
    biases = arrays(at.parameters)["b1"].copy()
    biases[2] = -(arrays(at.parameters)["W1"][2] @ at.X[3])
    result = verified(of, lambda g: {**g, "b1": g["b1"] + np.array([0, 1e-3, 0, 0])}, at.moved("b1", biases))
    assert [row.parameter for row in result.rows if not row.holds] == ["b1"]


def test_kinks_are_those_of_the_formulas() -> None:
    def boundaries(activation: object) -> list[str]:
        return [str(boundary.body) for boundary in kinks(network(activation).program()).boundaries]

    assert boundaries("tanh") == []
    assert boundaries("relu") == boundaries({"kind": "leaky_relu", "negative_slope": 0.3}) == ["A1[n,j]"]
    assert boundaries({"kind": "softplus", "beta": 2, "threshold": 5}) == ["A1[n,j] - 5/2"]


def test_a_loss_that_is_linear_along_a_parameter_says_so() -> None:
    fields: dict[str, Any] = {"name": "probe", "inputs": 2, "loss": "negative_log_likelihood", "layers": [{"kind": "dense", "units": 3}]}
    result = verified(Network(**fields))
    assert result.holds
    assert [row.linear for row in result.rows] == [True, True]
    faulty = verified(Network(**fields), lambda g: {**g, "b1": 1.01 * g["b1"]})
    assert not faulty.holds


@pytest.mark.parametrize(("slope", "order"), [(1.0, 2.0), (1.001, 1.0), (1.0001, 1.0)])
def test_the_order_of_the_remainder(slope: float, order: float) -> None:
    found = remainder(lambda h: float(np.expm1(h)) + 1, slope)
    assert found.order == pytest.approx(order, abs=0.1 if order == 1 else 0.01)


def test_the_order_of_a_straight_line() -> None:
    assert remainder(lambda h: 3 + 2 * h, 2.0).order is None
    assert remainder(lambda h: 3 + 2 * h, 2.1).order == pytest.approx(1)


@pytest.mark.parametrize(("fault", "right"), [(2e-16, True), (1e-6, False)])
def test_the_rounding_of_a_gradient_that_is_zero_is_no_fault(fault: float, right: bool) -> None:
    """With a single class no margin is ever missed, and the module's gradient is the rounding of what cancels."""
    of = Network(name="single", inputs=2, layers=[{"kind": "dense", "units": 1}], loss={"kind": "multi_margin", "margin": 0.95})
    module = plain(of, lambda gradient: {name: array + fault for name, array in gradient.items()})
    done = verify_at(derivation(of), of.program(), module, sample(of, module, 2, 0))
    assert done.loss == 0
    assert done.holds == right


LONGER = pytest.mark.skipif(np.finfo(np.longdouble).eps == np.finfo(np.float64).eps, reason="no longer numbers than float64 here")


@LONGER
@pytest.mark.parametrize(("fault", "right"), [(0.0, True), (1e-11, False), (1e-6, False)])
def test_nor_is_the_rounding_of_the_equations(fault: float, right: bool) -> None:
    """The logarithm of the probability of a single class is 0, and by the equations as they stand the rounding of a difference."""
    layers = [{"kind": "dense", "units": 1, "activation": "log_softmax"}, {"kind": "dense", "units": 2, "bias": False}]
    of = Network(name="single", inputs=2, layers=layers, loss="softmax_cross_entropy")
    module = interpreted(of)
    gradients = module.gradients

    def faulty(p: Parameters, x: Array, y: Array) -> tuple[float, Parameters]:
        loss, gradient = gradients(p, x, y)
        return loss, replaced(gradient, "W2", arrays(gradient)["W2"] + fault)

    module.gradients = faulty
    done = verify_at(derivation(of), of.program(), module, sample(of, module, 7, 3))
    assert done.rows[-1].naive > 0
    assert done.holds == right


@LONGER
def test_digits_that_the_equations_lose_are_no_fault_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of x - tanh(x) of small numbers, three times over."""
    shrunk = [{"kind": "dense", "units": n, "activation": "tanhshrink", "bias": n == 7} for n in (7, 5, 4)]
    layers = [*shrunk, {"kind": "dense", "units": 6, "activation": "sigmoid", "bias": False}]
    of = Network(name="shrunk", inputs=1, layers=layers, loss={"kind": "binary_cross_entropy", "targets": "unit"})
    module = interpreted(of)
    points = [sample(of, module, 4, seed) for seed in (0, 2, 9)]
    assert all(verify_at(derivation(of), of.program(), module, at).holds for at in points)
    right = module.gradients

    def wrong(p: Parameters, x: Array, y: Array) -> tuple[float, Parameters]:
        loss, gradient = right(p, x, y)
        return loss, replaced(gradient, "W1", arrays(gradient)["W1"] * (1 + 1e-6))

    module.gradients = wrong  # of gradients as small as these finite differences show nothing
    assert not any(verify_at(derivation(of), of.program(), module, at).holds for at in points)
    module.gradients = right
    monkeypatch.setattr(chainrule.lost, "longer", dict[str, Any])
    assert not any(verify_at(derivation(of), of.program(), module, at).holds for at in points)


def test_samples_repeat_and_targets_fit() -> None:
    of = network(loss=SOFT)
    first, again, other = (sample(of, plain(of), 4, seed) for seed in (1, 1, 2))
    assert first.X.tobytes() == again.X.tobytes() != other.X.tobytes()
    assert first.y.shape == (4, 3)
    np.testing.assert_allclose(first.y.sum(axis=1), 1)


def test_sampled_logarithms_of_the_probability_of_one_class_are_at_most_zero() -> None:
    loss = {"kind": "kl_divergence", "targets": "log_probabilities"}
    of = Network(name="single", inputs=2, layers=[{"kind": "dense", "units": 1}], loss=loss)
    for seed in range(20):
        y = sample(of, plain(of), 3, seed).y
        np.testing.assert_allclose(y, 0, atol=1e-15)
        assert (y <= 0).all()


def test_lists_of_units_are_short() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_a_nearly_vanishing_second_derivative_needs_longer_numbers() -> None:
    """L(h) = 1 + h + 1e-3 h^2 + h^3: at the steps that float64 can tell from rounding, the third order is as large as the second."""

    def loss(h: float) -> np.longdouble:
        step = np.longdouble(h)
        return 1 + step + np.longdouble(1e-3) * step**2 + step**3

    short = remainder(lambda h: float(loss(h)), 1.0)
    assert short.order is None or short.order > 2.05
    if np.finfo(np.longdouble).eps < 1e-18:
        assert remainder(loss, 1.0, np.longdouble).order == pytest.approx(2, abs=0.05)
    assert remainder(loss, 1.001, np.longdouble).order == pytest.approx(1, abs=0.05)
