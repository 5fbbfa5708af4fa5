"""The section on what the formulas say: every number in it is right."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import derive
from derive import Network
from derive.arithmetic import moved, numbers, passes, per_example
from derive.bounds import X, bound
from derive.build import Examples
from derive.documents import render
from derive.documents.document import Document
from derive.documents.markdown import render_markdown
from derive.documents.meaning import factors, meaning, products
from derive.documents.notation import notation
from derive.documents.signs import rounded_up
from derive.evaluate import evaluate
from derive.family import gradient_of
from derive.formulas.activations import ACTIVATIONS
from derive.functions import Sigmoid
from derive.index import Axis, Entry, Tensor
from derive.operation_cost import ADDITIONS, MULTIPLICATIONS
from derive.program import Equation, Program

SHIPPED = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))
KINDS = [
    k for k, o in ACTIVATIONS.items() if "=" not in o.formula.replace("<=", "").replace(">=", "") and not o.learned and k != "identity"
]
NEEDED = {"threshold": {"threshold": 0.1, "value": 20.0}}


def formula(kind: str) -> sp.Expr:
    """The formula of an activation as a function of one number."""
    hidden = {"kind": "dense", "units": 2, "activation": {"kind": kind, **NEEDED.get(kind, {})}}
    network = Network(name="one", inputs=2, loss="mean_squared_error", layers=[hidden, {"kind": "dense", "units": 1}])
    body = network.program().equations[1].body
    (entry,) = body.atoms(Entry)
    return body.xreplace({entry: X})


def slopes(function: sp.Expr, at: np.ndarray) -> np.ndarray:
    """Central differences of the plain evaluation."""
    axis = Axis("k", "K")
    tensor, index = Tensor("x", (axis,)), axis.index()
    equation = Equation(Tensor("y", (axis,)), (index,), function.xreplace({X: tensor[index]}))
    program = Program("f", (tensor,), (), (), (equation,), (equation.tensor,))
    step = 1e-6
    return (evaluate(program, {"x": at + step})["y"] - evaluate(program, {"x": at - step})["y"]) / (2 * step)


@pytest.mark.parametrize("kind", KINDS)
def test_bound_of_every_activation(kind: str) -> None:
    function = formula(kind)
    found = bound(function)
    assert found is not None
    assert found.bounded
    at = np.linspace(-20, 20, 40001) + 1.3e-4  # no central difference over a branch point
    largest = np.abs(slopes(function, at)).max()
    assert largest <= found.most * (1 + 1e-6)
    assert found.most <= largest * 1.01
    for low, high in found.dead:
        inside = at[(at > float(low) + 1e-5) & (at < float(high) - 1e-5)]
        assert inside.size
        assert not slopes(function, inside).any()
    zero = np.abs(slopes(function, np.linspace(-5, 5, 101) + 0.0013)) == 0
    assert zero.any() == bool(found.dead)


def test_unbounded_and_unknown() -> None:
    for function in (X**2, sp.exp(X), X * sp.exp(X)):
        found = bound(function)
        assert found is not None
        assert not found.bounded
    assert bound(Sigmoid(X)) is None  # a function without a derivative
    steep = bound(7 * X / 2)
    assert steep is not None
    assert rounded_up(steep.most) == "3.5"


def test_known_bounds() -> None:
    assert [rounded_up(bound(formula(k)).most) for k in ("sigmoid", "tanh", "relu")] == ["0.25", "1", "1"]  # type: ignore[union-attr]


def test_product_along_the_way() -> None:
    hidden = [{"kind": "dense", "units": 3, "activation": "sigmoid"}] * 4
    network = Network(name="deep", inputs=2, loss="softmax_cross_entropy", layers=[*hidden, {"kind": "dense", "units": 2}])
    derivation = derive.differentiate(network.program())
    found = {t.name: p for t, p in products(derivation, factors(derivation)).items()}
    assert abs(found["A1"].most - 4.0**-4) < 1e-9
    assert [t.name for t in found["A1"].norms] == ["W5", "W4", "W3", "W2"]


@pytest.mark.parametrize("spec", SHIPPED, ids=lambda p: p.stem)
def test_kept_tensors(spec: Path) -> None:
    network = derive.load(spec)
    derivation = derive.differentiate(network.program())
    found = passes(derivation)
    computed = {e.tensor: e for e in derivation.computed.equations}
    gradients = [computed[gradient_of(p)] for p in derivation.forward.parameters]
    reached, waiting = set(found.backward), list(gradients)
    assert reached.issuperset(gradients)
    ahead = {e.tensor for e in found.forward}
    while waiting:  # from the gradients back, as far as the forward pass
        for tensor in waiting.pop().reads:
            equation = computed.get(tensor)
            if equation is not None and tensor in ahead:
                assert tensor in found.kept
            elif equation is not None:
                waiting.append(equation)
    for tensor in found.kept:
        assert any(tensor in e.reads for e in found.backward)
    section = render_markdown(Document(("",), (meaning(derivation, notation(derivation)),)))
    assert f"{sum(map(numbers, found.kept))} numbers an example" in section
    assert "One more example" in section
    assert not re.search(r"\bnan\b|\binf\b", section)


def test_cost_of_a_dense_layer() -> None:
    layers = [{"kind": "dense", "units": 3, "activation": "relu"}, {"kind": "dense", "units": 2}]
    network = Network(name="two", inputs=4, loss="softmax_cross_entropy", layers=layers)
    found = passes(derive.differentiate(network.program()))
    dense = next(e for e in found.forward if e.tensor.name == "A1")
    weights = next(e for e in found.backward if e.tensor.name == "dW1")
    assert per_example((dense,)) == {MULTIPLICATIONS: 3 * 4, ADDITIONS: 3 * 4}  # 4 products, 3 sums and the bias for each of 3 units
    assert per_example((weights,)) == {MULTIPLICATIONS: 3 * 4, ADDITIONS: 3 * 4}


def test_same_text_twice() -> None:
    network = derive.load(SHIPPED[-1])
    one, two = (render(derive.differentiate(network.program()), network, "markdown") for _ in range(2))
    assert one == two
    assert "## What the formulas say" in one


def text_of(network: Network, examples: Examples = "batch") -> str:
    derivation = derive.differentiate(network.program(examples=examples))
    return render_markdown(Document(("",), (meaning(derivation, notation(derivation)),)))


def test_a_dead_unit_is_named_with_the_parameters_that_stand_still() -> None:
    """The claim, tested on numbers: where a unit is off for every example, these gradients are 0 and no others."""
    layers = [{"kind": "dense", "units": 3, "activation": "relu"}, {"kind": "dense", "units": 2}]
    network = Network(name="dead", inputs=4, loss="softmax_cross_entropy", layers=layers)
    text = text_of(network)
    assert r"| $A _1 \le 0$ |" in text  # the branch that holds at 0 has the derivative 0
    sentence = next(line for line in text.splitlines() if line.startswith("Nothing comes back"))
    assert r"where $A _{1,nj} \le 0$" in sentence
    assert r"every $n$, it is dead: $\frac{\partial L}{\partial W _{1,ji}} = 0$ and $\frac{\partial L}{\partial b _{1,j}} = 0$" in sentence
    derivation = derive.differentiate(network.program())
    random = np.random.default_rng(0)
    values = {"X": random.normal(size=(5, 4)), "y": np.array([0, 1, 1, 0, 1])}
    values |= {t.name: random.normal(size=[a.extent or 0 for a in t.axes]) for t in derivation.forward.parameters}
    values["W1"][1], values["b1"][1] = 0.0, 0.0  # the unit stands at the kink for all examples
    found = evaluate(derivation.mathematical, values)
    still = (found["dW1"] == 0).all(axis=1)
    assert still.tolist() == (found["db1"] == 0).tolist() == [False, True, False]


def test_a_parameter_with_a_penalty_does_not_stand_still() -> None:
    layers = [{"kind": "dense", "units": 3, "activation": "hardtanh"}, {"kind": "dense", "units": 2}]
    penalties = [{"kind": "l2", "strength": 0.1}]
    text = text_of(Network(name="bounded", inputs=4, loss="softmax_cross_entropy", layers=layers, penalties=penalties))
    sentence = next(line for line in text.splitlines() if line.startswith("Nothing comes back"))
    assert r"where $A _{1,nj} \le -1$ or $A _{1,nj} \ge 1$" in sentence
    assert r"\frac{\partial L}{\partial b _{1,j}} = 0" in sentence
    assert r"\partial W _{1,ji}" not in sentence


def test_a_single_example_has_costs() -> None:
    """Of one example everything is counted: 2 inputs, 1 unit, 1 output."""
    network = derive.load(SHIPPED[0].parent / "worked_example.toml")
    text = text_of(network, "single")
    row = next(line for line in text.splitlines() if line.startswith("| forward |"))
    assert row.split(" | ")[1:4] == ["4", "5", "2 sigmoid"]  # 2 + 1 sums with biases, a difference; 2 + 1 products, the square, its half
    assert "undefined" not in text
    assert "none" not in row


def test_bytes_moved_by_hand() -> None:
    """Two inputs, one unit, one output: every equation reads each tensor once and writes its own, 8 bytes a number."""
    network = derive.load(SHIPPED[0].parent / "worked_example.toml")
    both = passes(derive.differentiate(network.program()))
    parameters = network.program().parameters
    shared = {*parameters, *map(gradient_of, parameters)}
    # A1: X and A1 (3); H1: 2; Z: 2; Yhat: 2; L: Yhat and Y (2). Parameters W1, b1 (3), W2, b2 (2).
    assert moved(both.forward, shared) == (11, 5)
    # dYhat: 3; dZ: 3; dW2: 2; db2: 1; dH1: 2; dA1: 3; dW1: 3; db1: 1. W2 once, and the gradients 1, 1, 2, 1.
    assert moved(both.backward, shared) == (18, 6)


def test_what_no_bound_is_known_for_is_named() -> None:
    layers = [{"kind": "dense", "units": 4}, {"kind": "layer_norm"}, {"kind": "dense", "units": 2}]
    network = Network(name="norm", inputs=3, loss="mean_squared_error", layers=layers)
    rows = [line for line in text_of(network).splitlines() if line.startswith("| $b _1$")]
    assert rows == [
        r"| $b _1$, $W _1$ | $\frac{\partial L}{\partial H _1}$ | no bound | several ways lead back to it, and their gradients add up |"
    ]
    text = text_of(derive.load(SHIPPED[0].parent / "lenet.toml"))
    assert "| no bound is known for (6) |" in text


def test_errors_where_the_computed_form_loses_digits_too() -> None:
    text = text_of(derive.load(SHIPPED[0].parent / "digits.toml"))
    assert re.search(r"error, not relative to the value, is at most \$1\.\d \\cdot 10\^\{-15\}\$ in float64", text)
    text = text_of(derive.load(SHIPPED[0].parent / "lecture_bce.toml"))
    assert "it has reached the bound that the set-up states" in text
