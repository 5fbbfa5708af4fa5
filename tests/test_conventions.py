"""The conventions agree: a proof that compares the equations of one with those of another, and what a document says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp
from hypothesis import given, settings
from sympy import Expr

import derive
from derive import Agreement, Network, Verdict, prove_conventions
from derive.derivation import Derivation
from derive.documents import render
from derive.index import Entry, Sum, Tensor, rewrite
from derive.proof.conventions import orders
from tests.random_networks import CONVENTIONS, networks

NETWORKS = Path(__file__).parent.parent / "networks"
NAMES = sorted(path.stem for path in NETWORKS.glob("*.toml"))


def derived(network: Network) -> dict[str, Derivation]:
    return {c: derive.differentiate(network.program(c)) for c in CONVENTIONS}


def failed(derivations: Mapping[str, Derivation]) -> list[Verdict]:
    return [v for v in prove_conventions(derivations) if not v.holds]


@pytest.fixture(scope="module")
def classifier() -> dict[str, Derivation]:
    return derived(derive.load(NETWORKS / "two_layer_softmax.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_conventions_of_a_shipped_network_agree(name: str) -> None:
    derivations = derived(derive.load(NETWORKS / f"{name}.toml"))
    verdicts = list(prove_conventions(derivations))
    assert [v for v in verdicts if not v.holds] == []
    numbers = [e.number for e in derivations["rows"].equations]
    assert [v.number for v in verdicts] == ["", *numbers] * 2


@settings(max_examples=3, deadline=None)
@given(networks(max_layers=3))
def test_the_conventions_of_random_networks_agree(network: Network) -> None:
    assert failed(derived(network)) == []


def test_products_agree() -> None:
    layers = [{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 2}]
    network = Network(name="small", inputs=4, layers=layers, loss="softmax_cross_entropy", products=["jvp", "jacobian", "hvp"])
    derivations = derived(network)
    assert failed(derivations) == []
    assert any(v.about.startswith("rdW1") for v in prove_conventions(derivations))


def test_what_is_transposed(classifier: dict[str, Derivation]) -> None:
    turned = {
        name: [t for t, order in orders(classifier["rows"], classifier[name]).items() if order == (1, 0)] for name in ("columns", "xw")
    }
    values = ["X", "A1", "H1", "Z", "P"]
    assert sorted(turned["columns"]) == sorted([*values, *(f"d{v}" for v in values)])
    assert sorted(turned["xw"]) == sorted(["W1", "W2", "dW1", "dW2"])


# -- planted faults ----------------------------------------------------------------------------------------------------


def with_body(derivation: Derivation, tensor: str, body: Expr) -> Derivation:
    """The derivation with another body of a gradient."""
    backward = tuple(
        replace(d, equation=replace(d.equation, body=body)) if d.equation.tensor.name == tensor else d for d in derivation.backward
    )
    assert backward != derivation.backward
    return replace(derivation, backward=backward)


def named(derivation: Derivation) -> dict[str, Tensor]:
    return {t.name: t for t in (*derivation.given, *(e.tensor for e in derivation.equations))}


def turned(e: Expr, tensor: str) -> Expr:
    """An expression that reads a tensor with its last two indices the wrong way round."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Entry) and node.tensor.name == tensor:
            return Entry(node.tensor, *node.indices[:-2], *node.indices[:-3:-1])
        return None

    return rewrite(e, change)


@pytest.mark.parametrize(("convention", "gradient", "read"), [("xw", "dH1", "W2"), ("xw", "dX", "W1"), ("columns", "dW2", "dZ")])
def test_a_missing_transpose_is_found(classifier: dict[str, Derivation], convention: str, gradient: str, read: str) -> None:
    derivation = classifier[convention]
    (own,) = [d.equation for d in derivation.backward if d.equation.tensor.name == gradient]
    wrong = with_body(derivation, gradient, turned(own.body, read))
    (found,) = failed({"rows": classifier["rows"], convention: wrong})
    assert found.number == own.number
    assert "not one of its" in found.detail  # it reads past the end of the matrix: no two sizes are equal


def test_a_missing_transpose_is_found_where_the_matrix_is_square() -> None:
    """Sizes do not tell then, numbers do: dS3 of attention has the axis of positions twice."""
    derivations = derived(derive.load(NETWORKS / "tiny_attention.toml"))
    (own,) = [d.equation for d in derivations["rows"].backward if d.equation.tensor.name == "dQ3"]
    wrong = turned(own.body, "dS3")
    assert wrong != own.body
    (found,) = failed({"columns": derivations["columns"], "rows": with_body(derivations["rows"], "dQ3", wrong)})
    assert "before" in found.detail


def test_a_lost_mean_is_found(classifier: dict[str, Derivation]) -> None:
    derivation = classifier["xw"]
    (own,) = [d.equation for d in derivation.backward if d.equation.tensor.name == "db2"]
    size = named(derivation)["X"].axes[0].count
    assert [v.number for v in failed({"rows": classifier["rows"], "xw": with_body(derivation, "db2", own.body / size)})] == [own.number]


def test_a_gradient_whose_axes_stand_the_other_way_round_is_found(classifier: dict[str, Derivation]) -> None:
    derivation = classifier["xw"]
    backward = tuple(
        replace(d, equation=replace(d.equation, tensor=classifier["rows"].gradient(named(classifier["rows"])["W1"]).equation.tensor))
        if d.equation.tensor.name == "dW1"
        else d
        for d in derivation.backward
    )
    assert "dW1" in failed({"rows": classifier["rows"], "xw": replace(derivation, backward=backward)})[0].detail


def test_another_network_is_found(classifier: dict[str, Derivation]) -> None:
    other = derive.load(NETWORKS / "lecture_bce.toml").program("xw")
    assert failed({"rows": classifier["rows"], "xw": derive.differentiate(other)})


def test_an_equation_may_rely_on_earlier_ones_alone(classifier: dict[str, Derivation]) -> None:
    """P in other words, by its own equation: true of the softmax, and no reason to trust an equation of Z that says so."""
    derivation = classifier["xw"]
    (own,) = [d for d in derivation.backward if d.equation.tensor.name == "dZ"]
    t = named(derivation)
    n, c = own.equation.indices
    spread = sp.exp(t["Z"][n, c]) / Sum(sp.exp(t["Z"][n, c.axis.index("b")]), c.axis.index("b"))
    body = own.equation.body.xreplace({t["P"][n, c]: spread})
    assert body != own.equation.body
    assert failed({"rows": classifier["rows"], "xw": with_body(derivation, "dZ", body)}) == []  # P is settled before: (4)
    relies = replace(own, steps=tuple(replace(s, uses=()) for s in own.steps))
    without = replace(derivation, backward=tuple(relies if d is own else d for d in derivation.backward))
    rows = classifier["rows"]
    plain = replace(rows, backward=tuple(replace(d, steps=()) if d.equation.tensor.name == "dZ" else d for d in rows.backward))
    assert [v.number for v in failed({"rows": plain, "xw": with_body(without, "dZ", body)})] == [own.equation.number]


# -- the document ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["latex", "markdown", "html"])
def test_the_document_states_what_was_proved(classifier: dict[str, Derivation], form: str) -> None:
    network = derive.load(NETWORKS / "two_layer_softmax.toml")
    agreement = Agreement(classifier, tuple(prove_conventions(classifier)))
    text = render(classifier["rows"], network, form, agreement=agreement)  # pyright: ignore[reportArgumentType]
    assert "All 30 comparisons hold (28 by finite field, 2 by inspection)" in text
    assert text.startswith(render(classifier["rows"], network, form)[:5000])  # pyright: ignore[reportArgumentType]


def test_the_document_sets_the_conventions_side_by_side(classifier: dict[str, Derivation]) -> None:
    network = derive.load(NETWORKS / "two_layer_softmax.toml")
    text = render(classifier["rows"], network, "latex", agreement=Agreement(classifier, ()))
    section = text.partition("The other conventions")[2]
    for written in (r"G_Z^\top H_1 && \text{rows}", r"G_Z H_1^\top && \text{columns}", r"H_1^\top G_Z && \text{xw}"):
        assert written in section
    assert len(section.partition("These read the same in all of them: ")[2].partition(".")[0].split(", ")) == 3


def test_a_failed_comparison_stands_in_the_document(classifier: dict[str, Derivation]) -> None:
    network = derive.load(NETWORKS / "two_layer_softmax.toml")
    (own,) = [d.equation for d in classifier["xw"].backward if d.equation.tensor.name == "dH1"]
    derivations = {"rows": classifier["rows"], "xw": with_body(classifier["xw"], "dH1", turned(own.body, "W2"))}
    agreement = Agreement(derivations, tuple(prove_conventions(derivations)))
    assert "Of 15 comparisons, 1 FAILED: (10)" in " ".join(
        render(classifier["rows"], network, "markdown", agreement=agreement).replace("\\", "").split()
    )
