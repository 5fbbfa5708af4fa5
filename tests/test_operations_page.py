"""docs/operations.md: a section for every line of the tables, with derived gradients, counted costs and drawings."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule.operation_curves import Curve, curve, svg
from chainrule.operation_entries import loss_entry, operation_entry
from chainrule.operation_samples import Shown, shown_layer, shown_loss
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.losses import LOSSES
from derive.formulas.operation import Operation
from derive.operation_cost import cost, words

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


FORMS = Counter(kind for kind, _ in LOSSES)
LOSS_TITLES = [f"{kind}, {targets}" if FORMS[kind] > 1 else kind for kind, targets in LOSSES]
TITLES = [*ACTIVATIONS, *LAYERS, *LOSS_TITLES]  # in the order of the tables, before a test takes a line out and puts it back


def test_every_operation_has_its_section() -> None:
    assert re.findall(r"^### (.*)$", PAGE, re.MULTILINE) == TITLES


def test_every_link_has_its_target() -> None:
    titles = {title.replace(", ", "-") for title in re.findall(r"^### (.*)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) == titles
    drawings = re.findall(r"\((curves/[^)]*)\)", PAGE)
    assert sorted(drawings) == sorted(f"curves/{path.name}" for path in (ROOT / "docs" / "curves").iterdir())


def test_a_new_activation_has_its_section_and_its_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    square = Operation("x**2", "here")
    monkeypatch.setitem(ACTIVATIONS, "square", square)
    section = "\n".join(operation_entry("square", square, shown_layer("square", square)))
    assert "H2[n,j] = H1[n,j]**2" in section
    assert "dH1[n,j] = 2 H1[n,j] dH2[n,j]" in section
    assert "- Cost an element: forward 1 multiplication; backward 2 multiplications" in section


def counted(shown: Shown) -> tuple[Counter[str], Counter[str]]:
    forward, backward = (cost(equations, shown.values, shown.extents) for equations in shown.computed)
    return forward, backward


def test_the_cost_of_a_dense_layer_is_that_of_its_products() -> None:
    """Two examples, four inputs, two units: 2 * 2 dot products of four, and as many additions, that of the bias included."""
    forward, backward = counted(shown_layer("dense", LAYERS["dense"]))
    assert forward == {"multiplications": 16, "additions": 16}
    sums = {"weights": 2 * 4 * 1, "biases": 2 * 1, "inputs": 2 * 4 * 1}
    assert backward == {"multiplications": 32, "additions": sum(sums.values())}


def test_terms_that_an_indicator_rules_out_cost_nothing() -> None:
    forward, backward = counted(shown_layer("flatten", LAYERS["flatten"]))
    assert (words(forward), words(backward)) == ("none", "none")
    _, embedding = counted(shown_layer("embedding", LAYERS["embedding"]))
    assert embedding["multiplications"] == 0


def test_stable_forms_are_named() -> None:
    loss = LOSSES["softmax_cross_entropy", "labels"]
    section = "\n".join(loss_entry("loss", "labels", False, loss, shown_loss("softmax_cross_entropy", "labels", loss)))
    assert "- Stable form: forward shift by the maximum, logarithm of a quotient" in section
    assert "dZ[n,c] = (P[n,c] - [y[n] = c])/N" in section


def test_curves_are_those_of_the_formula_and_of_its_derivative() -> None:
    shown = shown_layer("prelu", ACTIVATIONS["prelu"])
    found = curve("prelu", shown.forward[0], shown.backward[-1], {"a2": 0.25})
    assert np.array_equal(found.function, np.where(found.x <= 0, 0.25 * found.x, found.x))
    assert np.array_equal(found.derivative, np.where(found.x <= 0, 0.25, 1.0))
    shown = shown_layer("silu", ACTIVATIONS["silu"])
    found = curve("silu", shown.forward[0], shown.backward[-1], {})
    sigmoid = 1 / (1 + np.exp(-found.x))
    assert np.allclose(found.derivative, sigmoid * (1 + found.x * (1 - sigmoid)), rtol=1e-14, atol=1e-15)


def test_a_drawing_is_xml_with_gaps_at_jumps() -> None:
    x = np.array([-0.05, 0.0, 0.05, 0.1])
    drawing = svg(Curve("step", x, np.array([0.0, 0.0, 1.0, 1.0]), np.zeros(4)))
    tree = ElementTree.fromstring(drawing)
    *_, function, derivative = tree.findall("{http://www.w3.org/2000/svg}path")
    assert function.attrib["d"].count("M") == 2
    assert derivative.attrib["d"].count("M") == 1
    assert ["stroke-dasharray" in path.attrib for path in (function, derivative)] == [False, True]
    assert all(math.isfinite(float(n)) for n in re.findall(r"-?\d+\.\d+", function.attrib["d"]))
