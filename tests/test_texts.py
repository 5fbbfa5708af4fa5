"""The numeric tutorial's networks through the real pipeline: spec, derivation, evaluator, generated module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import derive
from chainrule.module import Module, arrays, built
from derive.evaluate import evaluate, value
from tests.tutorial import EXAMPLE, RATE, gradients, xor_data, xor_run, xor_start

NETWORKS = Path(__file__).parent.parent / "networks"
PARAMETERS = ("W1", "b1", "W2", "b2")


@pytest.mark.parametrize("computed", [False, True], ids=["as written", "in stable form"])
def test_the_evaluator_reproduces_the_example(computed: bool) -> None:
    derivation = derive.differentiate(derive.load(NETWORKS / "worked_example.toml").program())
    program = derivation.computed if computed else derivation.forward
    found = evaluate(program, EXAMPLE)
    if not computed:
        for step in derivation.backward:
            found[step.equation.tensor.name] = value(step.equation.body, step.equation.indices, found, {"N": 1})
    for name, expected in gradients(EXAMPLE).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-14, err_msg=name)


@pytest.fixture(scope="session")
def worked_example() -> Module:
    return built(derive.load(NETWORKS / "worked_example.toml"))


def test_the_kernel_reproduces_the_example(worked_example: Module) -> None:
    p = worked_example.init()._replace(**{name: EXAMPLE[name] for name in PARAMETERS})
    x, y = EXAMPLE["X"].T, EXAMPLE["Y"].T
    expected = gradients(EXAMPLE)
    loss, found = worked_example.gradients(p, x, y)
    np.testing.assert_allclose(worked_example.predict(p, x), expected["Yhat"].T, rtol=1e-14)
    np.testing.assert_allclose([float(loss), float(worked_example.loss(p, x, y))], expected["L"], rtol=1e-14)
    for name in PARAMETERS:
        np.testing.assert_allclose(arrays(found)[name], expected["d" + name], rtol=1e-14, err_msg=name)


# What the tutorial prints for its example, to its four decimals.
PRINTED = {
    "A1": [0.68], "H1": [0.6637], "Z": [0.6973], "Yhat": [0.6682], "L": [0.0550],
    "dYhat": [-0.3318], "dZ": [-0.0736], "dW2": [-0.0488], "db2": [-0.0736], "dH1": [-0.0662], "dA1": [-0.0148],
    "dW1": [-0.0074, -0.0118], "db1": [-0.0148],
}  # fmt: skip
PRINTED_UPDATES = {"W2": [0.9244], "b2": [0.1368], "W1": [0.4037, 0.6059], "b1": [0.1074]}
SLIPS = {"A1": [0.78], "Yhat": [0.6676]}  # 0.20 + 0.48 + 0.10 is not 0.68; sigma(0.6973) is not 0.6682


def test_every_printed_number_follows_from_those_before_it_but_for_two_slips() -> None:
    """Each derived equation, fed with the values that the tutorial prints, gives the next number that it prints."""
    derivation = derive.differentiate(derive.load(NETWORKS / "worked_example.toml").program())
    shapes = {t.name: tuple(a.extent or 1 for a in t.axes) for e in derivation.forward.equations for t in (e.tensor, *e.reads)}
    shapes |= {"d" + name: shape for name, shape in shapes.items()}
    known = dict(EXAMPLE)
    for equation in (*derivation.forward.equations, *(d.equation for d in derivation.backward if d.of is not None)):
        name = equation.tensor.name
        if name in PRINTED:
            found = value(equation.body, equation.indices, known, {"N": 1})
            assert np.abs(found.ravel() - SLIPS.get(name, PRINTED[name])).max() < 0.00015, name  # of rounded numbers, rounded
            known[name] = np.reshape(PRINTED[name], shapes[name])
    for name, updated in PRINTED_UPDATES.items():
        assert np.abs((EXAMPLE[name] - RATE * known["d" + name]).ravel() - updated).max() < 0.00006, name


def test_one_epoch_of_training_is_the_tutorials_update(worked_example: Module) -> None:
    p = worked_example.init()._replace(**{name: EXAMPLE[name] for name in PARAMETERS})
    after, losses = worked_example.train(p, EXAMPLE["X"].T, EXAMPLE["Y"].T, epochs=1, batch_size=1, learning_rate=RATE)
    shown = {name: [f"{entry:.4f}" for entry in array.ravel()] for name, array in arrays(after).items()}
    assert shown == {"W1": ["0.4035", "0.6056"], "b1": ["0.1070"], "W2": ["0.9248"], "b2": ["0.1362"]}
    assert f"{losses[0]:.4f}" == "0.0538"


def test_xor_trains_from_the_texts_own_weights() -> None:
    module = built(derive.load(NETWORKS / "xor.toml"))
    p = module.init()._replace(**xor_start())
    x, y = xor_data()
    after, losses = module.train(p, x, y, epochs=5000, batch_size=4, learning_rate=2.0)
    expected = xor_run()
    np.testing.assert_allclose(losses, expected.losses, rtol=1e-9)
    assert [f"{loss:.5f}" for loss in losses[::1000]] == ["0.12639", "0.01188", "0.00149", "0.00071", "0.00045"]
    assert (np.round(module.predict(after, x)).ravel() == y.ravel()).all()
