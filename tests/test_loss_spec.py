"""Losses, penalties and formulas of the user's own in specs: what they mean, what is wrong with them, what is hinted at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import derive
from chainrule.sample import sample
from chainrule.verify import verify_at
from derive import Network, SpecError, differentiate, prove
from derive.evaluate import evaluate
from derive.text import equation_text
from tests.modules import interpreted
from tests.operation_cases import drawn
from tests.random_networks import worst_error

DENSE: dict[str, Any] = {"kind": "dense", "units": 2}


def network(loss: Any, *layers: dict[str, Any], **more: Any) -> Network:
    return Network(name="tested", inputs=3, loss=loss, layers=list(layers) or [DENSE], **more)


# What is given as the loss, and what the one line must hold.
MISTAKES: dict[str, tuple[object, list[str]]] = {
    "unknown function": ({"formula": "log(cash(prediction))"}, ["loss.formula: column 5: found", "`cash`", "did you mean `cosh`?"]),
    "unfinished": ({"formula": "log(prediction - target"}, ["loss.formula: column 24: found the end of the formula", "`)`"]),
    "unknown name": ({"formula": "prediction - b"}, ["loss.formula: column 14: found `b`", "`prediction`"]),
    "second line": ({"formula": "d = prediction - target\nd * b"}, ["loss.formula: line 2, column 5: found `b`"]),
    "name in use": ({"formula": "target = 1; target"}, ['loss.formula: found an equation for "target"']),
    "label as a number": ({"formula": "prediction[0] - target", "targets": "labels"}, ["loss.formula: column"]),
    "parameter in use": ({"formula": "prediction", "parameters": {"target": 1}}, ['loss.parameters: found the name "target"']),
    "parameter of a wrong type": ({"formula": "prediction", "parameters": {"a": "1"}}, ['loss.parameters.a: found "1"']),
    "name of dunders": ({"formula": "prediction", "parameters": {"__a": 1}}, ['loss.parameters: found the name "__a"']),
    "formula of a wrong type": ({"formula": 3}, ["loss.formula: found 3", "a formula of at most"]),
    "formula and kind": ({"formula": "prediction", "kind": "l1"}, ["loss.formula: found an unknown key of l1"]),
    "unknown targets": ({"formula": "prediction", "targets": "label"}, ['loss.targets: found "label"', 'did you mean "labels"?']),
    "too few weights": ({"kind": "softmax_cross_entropy", "weight": [1.0]}, ["loss.weight: found 1 number", "2, one for each output"]),
    "negative weight": ({"kind": "softmax_cross_entropy", "weight": [1.0, -1.0]}, ["loss.weight: found -1.0"]),
    "weights of a wrong type": ({"kind": "softmax_cross_entropy", "weight": 1}, ["loss.weight: found 1", "a list of"]),
    "too much smoothing": ({"kind": "softmax_cross_entropy", "label_smoothing": 2}, ["loss.label_smoothing: found 2"]),
    "power of a margin": ({"kind": "multi_margin", "p": 3}, ["loss.p: found 3", "a whole number from 1 to 2"]),
    "ignored value": ({"kind": "l1", "ignore_index": 1}, ["loss.ignore_index: found 1, where targets are values"]),
    "ignored text": ({"kind": "negative_log_likelihood", "ignore_index": "a"}, ['loss.ignore_index: found "a"', "a whole number"]),
    "one value of two": ({"kind": "gaussian_nll"}, ["loss.inputs: missing", "its prediction and its variance"]),
    "unknown layer": ({"kind": "gaussian_nll", "inputs": ["mean", "varianc"]}, ['loss.inputs[1]: found "varianc"', '"variance"?']),
    "reduction": ({"kind": "l1", "reduction": "means"}, ['loss.reduction: found "means"', 'did you mean "mean"?']),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gets_one_clear_line(case: str) -> None:
    loss, expected = MISTAKES[case]
    layers = [{**DENSE, "name": name} for name in ("mean", "variance")]
    with pytest.raises(SpecError) as caught:
        network(loss, *layers)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 500
    for words in expected:
        assert words in line


PENALTY_MISTAKES: dict[str, tuple[object, list[str]]] = {
    "no strength": ({"kind": "l2"}, ["penalties[0].strength: missing"]),
    "unknown kind": ({"kind": "l3", "strength": 1}, ['penalties[0].kind: found "l3"', '"l2"']),
    "negative": ({"kind": "l1", "strength": -1}, ["penalties[0].strength: found -1", "at least 0"]),
    "unknown parameter": ({"kind": "l1", "strength": 1, "parameters": ["W1", "W2"]}, ['penalties[0].parameters: found "W2"', '"W1"']),
    "no list": ({"kind": "l1", "strength": 1, "parameters": "W1"}, ['penalties[0].parameters: found "W1"', "a list"]),
}


@pytest.mark.parametrize("case", PENALTY_MISTAKES)
def test_a_wrong_penalty_gets_one_clear_line(case: str) -> None:
    penalty, expected = PENALTY_MISTAKES[case]
    with pytest.raises(SpecError) as caught:
        network("l1", penalties=[penalty])
    for words in expected:
        assert words in str(caught.value)


def test_an_activation_of_the_users_own_says_what_is_wrong_with_it() -> None:
    with pytest.raises(SpecError, match=r"layers\[0\].activation.formula: column 13: found `bta`.*did you mean `beta`\?"):
        network("l1", {**DENSE, "activation": {"formula": "x * sigmoid(bta * x)", "parameters": {"beta": 1.7}}})


HINTS: dict[str, tuple[str, str, str]] = {
    "softmax twice": ("softmax_cross_entropy", "softmax", "applies softmax itself"),
    "the sigmoid twice": ("binary_cross_entropy_with_logits", "sigmoid", "applies sigmoid itself"),
    "no probabilities": ("binary_cross_entropy", "tanh", "wants what sigmoid gives"),
    "no logarithms": ("negative_log_likelihood", "softmax", "wants what log_softmax gives"),
    "right": ("binary_cross_entropy", "sigmoid", ""),
    "logits": ("softmax_cross_entropy", "identity", ""),
    "any numbers": ("mean_squared_error", "tanh", ""),
}


@pytest.mark.parametrize("case", HINTS)
def test_hints(case: str) -> None:
    loss, activation, expected = HINTS[case]
    hints = network(loss, {**DENSE, "activation": activation}).hints
    assert (expected in hints[0]) if expected else hints == ()


def test_a_layer_that_the_loss_does_not_depend_on_is_hinted_at() -> None:
    branch = [{**DENSE, "name": "first"}, {**DENSE, "inputs": ["first"]}, {**DENSE, "activation": "relu"}, {**DENSE, "inputs": ["first"]}]
    assert [hint.partition(":")[0] for hint in network("mean_squared_error", *branch).hints] == ["layers[1]", "layers[2]"]
    joined = [*branch, {"kind": "add", "inputs": ["last", "first"]}]
    joined[2] = {**DENSE, "name": "last"}
    assert [hint.partition(":")[0] for hint in network("mean_squared_error", *joined).hints] == ["layers[3]"]


# -- what they mean ----------------------------------------------------------------------------------------------------


def checked(tested: Network, total: Any) -> None:
    """The derivation is proved, the module verified, and the gradients are those of PyTorch's `total(leaves, X, Y)`."""
    derivation = differentiate(tested.program())
    assert [v for v in prove(derivation) if not v.holds] == []
    module = interpreted(tested)
    verified = verify_at(derivation, tested.program(), module, sample(tested, module, 3, 0))
    assert verified.holds, verified
    given = drawn(tested)
    leaves = {p.name: torch.tensor(given[p.name], requires_grad=True) for p in derivation.forward.parameters}
    loss = total(leaves, torch.tensor(given["X"]), torch.tensor(given[derivation.forward.targets[0].name]))
    gradients = dict(zip(leaves, (g.numpy() for g in torch.autograd.grad(loss, list(leaves.values()))), strict=True))
    values = evaluate(derivation.computed, given)
    assert float(values["L"]) == pytest.approx(loss.item(), rel=1e-12)
    assert worst_error({name: values["d" + name] for name in gradients}, gradients) <= 1e-12
    assert derive.loads(tested.to_toml()) == tested


def test_penalties() -> None:
    two = [{"kind": "l2", "strength": 0.01}, {"kind": "l1", "strength": 0.1, "parameters": ["b1", "W2"]}]
    tested = network("mean_squared_error", {**DENSE, "activation": "tanh"}, DENSE, penalties=two)

    def total(p: dict[str, torch.Tensor], X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        fit = ((torch.tanh(X @ p["W1"].T + p["b1"]) @ p["W2"].T + p["b2"] - Y) ** 2).mean()
        return fit + 0.005 * ((p["W1"] ** 2).sum() + (p["W2"] ** 2).sum()) + 0.1 * (p["b1"].abs().sum() + p["W2"].abs().sum())

    checked(tested, total)
    assert equation_text(tested.program().equations[3]) == "R1 = 0.005 sum_i,j W1[j,i]**2 + 0.005 sum_c,j W2[c,j]**2"


def test_a_loss_with_learned_numbers() -> None:
    formula = "error = prediction - target\nwhere(abs(error) < 1, error**2 * exp(-s), abs(error) * exp(-s)) + s"
    tested = network({"formula": formula, "learned": {"s": 0.5}, "source": "here"})

    def total(p: dict[str, torch.Tensor], X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        error = X @ p["W1"].T + p["b1"] - Y
        return (torch.where(error.abs() < 1, error**2, error.abs()) * torch.exp(-p["s"]) + p["s"]).mean()

    checked(tested, total)
    assert float(interpreted(tested).init(0).s) == 0.5


def test_an_activation_with_learned_numbers() -> None:
    own = {"formula": "where(x > 0, x, a * sinh(x) * k)", "parameters": {"k": 2}, "learned": {"a": 0.25}}
    tested = network("mean_squared_error", {**DENSE, "activation": own})

    def total(p: dict[str, torch.Tensor], X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        x = X @ p["W1"].T + p["b1"]
        return ((torch.where(x > 0, x, p["a1"] * torch.sinh(x) * 2) - Y) ** 2).mean()

    checked(tested, total)
    assert float(interpreted(tested).init(0).a1) == 0.25


def test_gradients_are_numbers_as_far_as_values_are() -> None:
    """The derivative of sinh is half of (1 + exp(2u)) exp(-u), computed as it stands infinity or none above u = 355."""
    own = {"formula": "sinh(c * x)", "learned": {"c": 0.5}}
    module = interpreted(network({"formula": "prediction - target"}, {**DENSE, "activation": own}))
    X, Y = np.array([[1400.0, 0, 0], [-1400.0, 0, 0], [2.0, 0, 0]]), np.zeros((3, 2))
    p = module.init(0)._replace(W1=np.eye(2, 3), b1=np.zeros(2))
    value, gradient = module.gradients(p, X, Y)
    slopes = np.cosh(X[:, 0] / 2) / 2 / Y.size
    np.testing.assert_allclose(value, np.sinh(1.0) / 6, rtol=1e-13)
    np.testing.assert_allclose(gradient.b1[0], slopes.sum(), rtol=1e-13)


def test_ignored_labels_count_nothing() -> None:
    """Their examples change neither the loss nor a gradient, whether the label is a class or not."""
    X, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 1, 0])
    for ignored in (-100, 1):
        loss = {"kind": "softmax_cross_entropy", "weight": [1.0, 3.0], "label_smoothing": 0.1, "ignore_index": ignored}
        ignoring = interpreted(network(loss))
        plain = interpreted(network({key: given for key, given in loss.items() if key != "ignore_index"}))
        marked = np.where(y == 1, ignored, y)
        p = ignoring.init(1)
        kept = y != 1
        (value, gradient), (expected, wanted) = ignoring.gradients(p, X, marked), plain.gradients(p, X[kept], y[kept])
        assert value == pytest.approx(expected, rel=1e-14)
        for found, right in zip(gradient, wanted, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-13, atol=1e-15)


def test_a_single_example_has_the_same_loss() -> None:
    tested = network({"kind": "softmax_cross_entropy", "weight": [1.0, 3.0], "sample_weights": True})
    derivation = differentiate(tested.program(examples="single"))
    assert [v for v in prove(derivation) if not v.holds] == []
