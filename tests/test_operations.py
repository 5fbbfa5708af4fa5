"""Every operation of the catalogue, each by its own name in the table of formulas: gradients, kinks, extremes, kernels, proofs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch

from chainrule.kinks import kinks
from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.render import render
from derive import Network, differentiate, prove
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES
from derive.index import Entry
from tests import oracles
from tests.modules import interpreted_text
from tests.operation_cases import (
    CLASSES,
    INPUTS,
    POSITIONS,
    SEQUENCES,
    UNITS,
    activation_network,
    activations,
    answer,
    drawn,
    loss_network,
    losses,
    targets,
)
from tests.random_networks import worst_error

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of overflow in modules that Python runs

Real = type[np.float64] | type[np.float32]

TOLERANCE = 1e-12  # of max |difference| / max |gradient|, in float64

ACTIVATION_CASES = {f"{kind}{'-options' if parameters else ''}": (kind, parameters) for kind, parameters in activations()}
LOSS_CASES = dict(losses())
SEQUENCE_CASES = {f"sequence-{name}": table for name, table in SEQUENCES.items()}
CASES = [*ACTIVATION_CASES, *LOSS_CASES, *SEQUENCE_CASES]
EVERY = [*ACTIVATION_CASES, *(case for case in LOSS_CASES if case.partition("-")[0] in {kind for kind, _ in LOSSES})]  # each operation


@cache
def derivation(case: str) -> tuple[Network, Derivation]:
    """A case's network, and what the engine makes of it: once for all tests."""
    if case in ACTIVATION_CASES:
        network = activation_network(*ACTIVATION_CASES[case])
    elif case in LOSS_CASES:
        network = loss_network(LOSS_CASES[case])
    else:
        network = loss_network(SEQUENCE_CASES[case], [POSITIONS, INPUTS])
    return network, differentiate(network.program())


@cache
def module_of(case: str) -> Any:
    """The module of a case, run by Python."""
    network, derived = derivation(case)
    return interpreted_text(network.name, render(derived, network))


def test_every_operation_is_tested() -> None:
    assert {kind for kind, _ in ACTIVATION_CASES.values()} == set(ACTIVATIONS)
    assert {(table.get("kind"), table.get("targets")) for table in LOSS_CASES.values()} >= set(LOSSES)


@pytest.mark.parametrize("case", CASES)
def test_gradients(case: str) -> None:
    """The mathematical and the computed program, by the plain evaluator, against autograd or many digits."""
    network, derived = derivation(case)
    given = drawn(network)
    expected = answer(network, given)
    names = [p.name for p in derived.forward.parameters]
    loss, gradients = (expected.loss, expected.gradients) if expected else oracles.judged(derived.forward, given, names)
    for program in (derived.mathematical, derived.computed):
        values = evaluate(program, given)
        assert float(values["L"]) == pytest.approx(loss, rel=TOLERANCE, abs=TOLERANCE)
        assert worst_error({name: values["d" + name] for name in names}, gradients) <= TOLERANCE
        if expected and network.loss.reduction == "none":
            np.testing.assert_allclose(values["l"], expected.each, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("case", EVERY)
def test_proof(case: str) -> None:
    """Every step is proved, on every branch of the formulas."""
    assert [v for v in prove(derivation(case)[1]) if not v.holds or "never reached" in v.detail] == []


@pytest.mark.parametrize("case", CASES)
def test_kernel(case: str) -> None:
    """The module against finite differences, by the order of the Taylor remainder, and against the plain evaluation."""
    network, derived = derivation(case)
    module = module_of(case)
    found = verify_at(derived, network.program(mode="inference"), module, sample(network, module, 3, 0))
    assert found.holds, found


# -- points that are chosen --------------------------------------------------------------------------------------------

SIZES = (0.0, 1e-20, 1e-8, 1e-3, 0.5, 3.0, 15.0, 30.0, 100.0, 700.0, 1e4)
EXTREMES = sorted({sign * size for size in SIZES for sign in (1.0, -1.0)})
SLOPES = np.array([[1.0, -2.0, 3.0, 0.5, -1.0, 2.0]])  # of the loss by what the activation gives


def at_points(case: str, points: np.ndarray, dtype: Real = np.float64) -> tuple[Any, np.ndarray, np.ndarray]:
    """A module's parameters that give the activation these points, one example, and the targets."""
    module = module_of(case)
    start = module.init(0, dtype=dtype)
    outputs = module.predict(start, np.zeros((1, INPUTS), dtype)).shape[1]
    p = start._replace(W1=np.zeros_like(start.W1), b1=points.astype(dtype))
    return p, np.zeros((1, INPUTS), dtype), SLOPES[:, :outputs].astype(dtype)


def kinks_of(case: str) -> list[float]:
    """Where the branches of an elementwise formula meet."""
    found: list[float] = []
    for boundary in kinks(derivation(case)[0].program()).boundaries:
        for entry in boundary.body.atoms(Entry):
            at_0, at_1 = (boundary.body.xreplace({entry: sp.Integer(x)}) for x in (0, 1))
            if at_0.is_number and at_1.is_number:
                found.append(float(at_0 / (at_0 - at_1)))  # the difference of the two sides is linear
    return found


def slopes_by_autograd(case: str, points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """What PyTorch's activation gives at the points, and the gradient of its product with SLOPES."""
    kind, parameters = ACTIVATION_CASES[case]
    function = oracles.rough_activation(kind)
    if function is None:
        return None
    x = torch.tensor(points[None], requires_grad=True)
    learned = {name: torch.tensor(start, dtype=torch.float64) for name, start in ACTIVATIONS[kind].learned.items()}
    after = function(x, **parameters, **learned)
    (slopes,) = torch.autograd.grad((after * torch.tensor(SLOPES[:, : after.shape[1]])).sum(), x)
    return after.detach().numpy()[0], slopes.numpy()[0]


@pytest.mark.parametrize("case", [case for case, (kind, _) in ACTIVATION_CASES.items() if oracles.rough_activation(kind)])
def test_kinks_are_pytorchs(case: str) -> None:
    """Value and derivative exactly where the branches meet."""
    module = module_of(case)
    allowed = 1e-7 if ACTIVATION_CASES[case][0] in oracles.ROUGH else TOLERANCE
    for kink in kinks_of(case):
        points = np.array([kink, *np.linspace(-2.3, 2.9, UNITS - 1)])
        expected = slopes_by_autograd(case, points)
        assert expected is not None
        p, X, y = at_points(case, points)
        np.testing.assert_allclose(module.predict(p, X)[0], expected[0], rtol=allowed, atol=allowed)
        np.testing.assert_allclose(module.gradients(p, X, y)[1].b1, expected[1], rtol=allowed, atol=allowed)


# Predictions and targets at which the branches of a loss meet.
MEETING: dict[str, tuple[list[float], list[float] | int]] = {
    "l1-values": ([0.5, -1.0, 0.0, 2.0], [0.5, -1.0, 0.0, 1.0]),
    "smooth_l1-values": ([1.5, -0.5, 0.5, 0.0], [0.5, 0.5, 0.5, 1.0]),
    "smooth_l1-values-options": ([0.95, -0.95, 0.0, 0.5], [0.0, 0.0, 0.0, 1.45]),
    "huber-values": ([1.5, -0.5, 0.5, 0.0], [0.5, 0.5, 0.5, 1.0]),
    "huber-values-options": ([0.95, -0.95, 0.0, 0.5], [0.0, 0.0, 0.0, 1.45]),
    "hinge_embedding-signs": ([1.0, 1.0, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0]),
    "hinge_embedding-signs-options": ([0.95, 0.95, 0.0, 0.0], [-1.0, 1.0, -1.0, 1.0]),
    "multi_margin-labels": ([1.5, 0.5, 2.0, -1.0], 0),
    "multi_margin-labels-options": ([1.5, 0.55, 2.0, -1.0], 0),
}


@pytest.mark.parametrize("case", MEETING)
def test_kinks_of_losses_are_pytorchs(case: str) -> None:
    network, module = derivation(case)[0], module_of(case)
    predictions, y = MEETING[case]
    start = module.init(0)
    p = start._replace(W1=np.zeros_like(start.W1), b1=np.array(predictions))
    X, target = np.zeros((1, INPUTS)), np.array([y])
    given = {"X": X, network.program().targets[0].name: target, **p._asdict()}
    expected = answer(network, given)
    assert expected is not None
    loss, found = module.gradients(p, X, target)
    assert loss == pytest.approx(expected.loss, rel=TOLERANCE)
    np.testing.assert_allclose(found.b1, expected.gradients["b1"], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("case", [case for case, (kind, _) in ACTIVATION_CASES.items() if oracles.activation(kind)])
def test_nan_and_infinity_pass_on_as_in_pytorch(case: str) -> None:
    for special in (np.nan, np.inf, -np.inf):
        points = np.array([0.5, special, -0.3, 1.2, -2.0, 0.1])
        expected = slopes_by_autograd(case, points)
        assert expected is not None
        p, X, _ = at_points(case, points)
        found = module_of(case).predict(p, X)[0]
        if np.isnan(special):
            np.testing.assert_array_equal(np.isnan(found), np.isnan(expected[0]))
        else:
            known = ~np.isnan(expected[0])
            np.testing.assert_allclose(found[known], expected[0][known], rtol=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ACTIVATION_CASES)
def test_extremes(case: str, dtype: Real) -> None:
    """Loss and derivative at points from 1e-20 to 1e4 in size, against many digits: to the precision of the type."""
    network, _ = derivation(case)
    allowed = {np.float64: TOLERANCE, np.float32: 1e-5}[dtype]
    for first in range(0, len(EXTREMES), UNITS):
        points = np.resize(np.array(EXTREMES[first : first + UNITS]), UNITS).astype(dtype)
        p, X, y = at_points(case, points, dtype)
        loss, found = module_of(case).gradients(p, X, y)
        given = {"X": X, network.program().targets[0].name: y, **{name: np.asarray(a) for name, a in p._asdict().items()}}
        expected, gradients = oracles.judged(network.program(), given, ["b1"])
        assert abs(loss - expected) <= allowed * max(1.0, float(np.abs(points).max()))
        assert np.all(np.abs(found.b1 - gradients["b1"]) <= allowed * np.maximum(1.0, np.abs(gradients["b1"]))), points


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", [case for case in EVERY if case in LOSS_CASES])
def test_extremes_of_losses(case: str, dtype: Real) -> None:
    """The loss and its gradient by what the last layer gives, at values from 1e-20 to 1e4 in size."""
    network, derived = derivation(case)
    module, program = module_of(case), derived.forward
    allowed = {np.float64: TOLERANCE, np.float32: 1e-5}[dtype]
    start = module.init(0, dtype=dtype)
    biases = [name for name in start._fields if name.startswith("b")]
    for first in range(0, len(EXTREMES), CLASSES):
        points = np.resize(np.array(EXTREMES[first:] + EXTREMES), CLASSES).astype(dtype)
        zero = {name: np.zeros_like(array) for name, array in start._asdict().items()}
        p = start._replace(**{**zero, **{name: np.roll(points, k) for k, name in enumerate(biases)}})
        X = np.zeros((1, INPUTS), dtype)
        y = targets(
            network, (1,) if program.targets[0].values or len(program.targets[0].axes) == 1 else (1, CLASSES), np.random.default_rng(first)
        )
        y = y if program.targets[0].values else y.astype(dtype)
        loss, found = module.gradients(p, X, y)
        constants = {c.tensor.name: np.array([float(v) for v in c.values]) for c in program.constants}
        given = {"X": X, program.targets[0].name: y, **constants, **{name: np.asarray(a) for name, a in p._asdict().items()}}
        expected, gradients = oracles.judged(program, given, biases, 5000 if program.floors else oracles.DIGITS)
        if not program.floors:
            assert_near(np.array(loss, dtype), np.array(expected), allowed)
        for name in biases:
            assert_near(getattr(found, name), gradients[name], allowed)


def assert_near(found: np.ndarray, expected: np.ndarray, allowed: float) -> None:
    """Within the allowed part of the expected numbers, or of 1; infinite where they are beyond the type."""
    expected = expected.astype(found.dtype)
    size = np.maximum(1.0, np.abs(expected))
    assert np.all((found == expected) | (np.abs(found - expected) <= allowed * size)), (found, expected)
