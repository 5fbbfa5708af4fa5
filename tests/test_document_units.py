"""The picture of a network: its units and lines are counted, names and numbers are read off it, other networks have none."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import derive
from chainrule.pdf import pdf
from derive.build import Examples
from derive.documents.compose import compose
from derive.documents.document import Column, Document, Name, Section, Units
from derive.documents.html import render_html
from derive.documents.latex import render_latex
from derive.documents.markdown import render_markdown
from derive.documents.notation import Notation, notation
from derive.documents.numbers import Numbers, figures
from derive.documents.picture_sizes import names_width
from derive.documents.svg import svg_units
from derive.documents.symbols import Symbols
from derive.documents.tikz import tikz_units
from derive.documents.units import chain, shown, units
from derive.documents.units_layout import LETTER, arrange
from derive.documents.worksheet import worksheet
from derive.index import Sum
from derive.network import Convention, Network
from derive.program import Program
from derive.worked import work
from tests.browser import CHROMIUM, measured

ROOT = Path(__file__).parent.parent
CHAINS = {
    "digits": (64, 64, 10),
    "lecture_bce": (2, 3, 1),
    "notes_three_layer": (4, 5, 6, 3),
    "two_layer_softmax": (2, 16, 2),
    "worked_example": (2, 1, 1),
    "xor_prelu": (2, 3, 1),
}
OTHERS = ["lenet", "residual_mlp", "tiny_attention"]
LAYOUTS: list[tuple[Convention, Examples]] = [("rows", "batch"), ("columns", "batch"), ("xw", "batch"), ("columns", "single")]


def shipped(name: str) -> Network:
    return derive.load(ROOT / "networks" / f"{name}.toml")


def dense(*sizes: int, activation: str = "tanh", loss: str = "mean_squared_error", **more: Any) -> Network:
    layers = [{"kind": "dense", "units": n, "activation": activation, **more} for n in sizes[1:]]
    return Network(name="dense", inputs=sizes[0], layers=layers, loss=loss)


def plain(program: Program) -> Notation:
    """The notation of the forward equations alone."""
    return Notation(Symbols({t.name: t for t in (*program.given, *(e.tensor for e in program.equations))}, {}), {}, {})


def drawn(network: Network, convention: Convention | None = None, examples: Examples = "batch") -> Units:
    program = network.program(convention, examples)
    (found,) = units(program, plain(program))
    return found


def xml(picture: Units) -> ElementTree.Element:
    return ElementTree.fromstring(svg_units(picture))


def texts(picture: Units, role: str) -> list[str]:
    return ["".join(e.itertext()).replace("\u200b", "") for e in xml(picture).iter("text") if e.get("class") == role]


def circles(picture: Units, role: str) -> int:
    return sum(e.get("class") == role for e in xml(picture).iter("circle"))


def lines(picture: Units, role: str = "weight") -> list[int]:
    """How many lines there are between each two columns."""
    return [e.get("d", "").count("M") for e in xml(picture).iter("path") if e.get("class") == role]


# -- what is seen ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAINS)
def test_every_unit_is_connected_to_every_one_of_the_next_layer(name: str) -> None:
    picture, sizes = drawn(shipped(name)), CHAINS[name]
    seen = [n if n <= 6 else 5 for n in sizes]
    assert circles(picture, "unit") == sum(seen)
    assert lines(picture) == [a * b for a, b in pairwise(seen)]
    assert lines(picture, "read") == [seen[-1] + 1]
    assert circles(picture, "loss") == 1
    assert circles(picture, "target") == 2  # a double line
    source = tikz_units(picture)
    assert source.count(r"\node[unit circle") == sum(seen)
    assert [row.count(" -- ") for row in source.splitlines() if "weight lines" in row] == lines(picture)


@pytest.mark.parametrize(("convention", "examples"), LAYOUTS)
def test_names_counts_and_activations(convention: Convention, examples: Examples) -> None:
    picture = drawn(dense(3, 4, 2, activation="sigmoid"), convention, examples)
    single = examples == "single"
    values = ["x", "h1", "y\u0302"] if single else ["X", "H1", "Y\u0302"]
    assert texts(picture, "forward") == [*values, "W1, b1", "W2, b2", "L"]
    assert texts(picture, "target") == ["y" if single else "Y"]
    assert texts(picture, "layer") == ["3 inputs", "4 units", "sigmoid", "2 outputs", "sigmoid", "loss", "targets"]
    assert texts(picture, "tick") == list("123123412")
    for words in ("3 inputs", "4 units", "2 outputs", "sigmoid", "$W_1,\\ b_1$"):
        assert f"{{{words}}}" in tikz_units(picture)


def test_the_prediction_of_logits_is_the_last_layer() -> None:
    assert texts(drawn(shipped("digits")), "layer") == ["64 inputs", "64 units", "ReLU", "10 outputs", "softmax", "loss", "targets"]
    both = drawn(dense(2, 3, activation="relu", loss="softmax_cross_entropy"))
    assert texts(both, "layer") == ["2 inputs", "3 outputs", "ReLU", "softmax", "loss", "targets"]
    assert texts(drawn(dense(2, 1, activation="identity")), "layer")[1:3] == ["1 output", "identity"]


def test_a_layer_without_a_bias() -> None:
    picture = drawn(dense(2, 3, 1, bias=False))
    assert texts(picture, "forward")[3:5] == ["W1", "W2"]
    assert "bias" not in picture.title
    assert "and its bias, if it has one" in drawn(shipped("lecture_bce")).title
    assert "and its bias, and" in drawn(shipped("xor")).title


# -- what is too much --------------------------------------------------------------------------------------------------


def test_of_many_units_the_first_and_the_last_are_drawn() -> None:
    assert shown(6, 1) == (1, 2, 3, 4, 5, 6)
    assert shown(7, 1) == (1, 2, 3, 4, None, 7)
    assert shown(7, 0) == (0, 1, 2, 3, None, 6)
    picture = drawn(dense(784, 6, 1))
    assert texts(picture, "tick") == ["1", "2", "3", "4", "784", *"123456", "1"]
    assert texts(picture, "layer")[0] == "784 inputs"
    assert circles(picture, "dot") == 3
    assert lines(picture) == [30, 6]
    assert "Dots stand" in picture.title
    assert "Dots stand" not in drawn(dense(6, 6, 1)).title


def test_of_many_layers_the_first_and_the_last_are_drawn() -> None:
    picture = drawn(dense(2, *[3] * 100))
    assert texts(picture, "forward") == ["X", "H1", "H2", "H99", "Y\u0302", "W1, b1", "W2, b2", "W100, b100", "L"]
    assert [w for w in texts(picture, "layer") if w in ("96 more", "layers")] == ["96 more", "layers"]
    assert lines(picture) == [6, 9, 9]
    assert circles(picture, "dot") == 3
    assert len(drawn(dense(2, 3, 3, 3, 3, 3)).columns) == 6
    assert [c.words for c in drawn(dense(2, 3, 3, 3, 3, 3, 3)).columns if not c.units] == [("2 more", "layers")]


@pytest.mark.parametrize("sizes", [(1, 1), (784, *[1000] * 30), (1_000_000, 7, 1), (3, 3, 3, 3, 3, 3)])
def test_a_picture_is_small_and_nothing_stands_on_anything_else(sizes: tuple[int, ...]) -> None:
    picture = drawn(dense(*sizes, activation="gelu_tanh"))
    drawing = arrange(picture)
    assert drawing.width < 1000
    assert drawing.height < 500
    for c in drawing.circles:
        assert c.radius <= c.x <= drawing.width - c.radius
        assert c.radius <= c.y <= drawing.height - c.radius
    for a, b in combinations(drawing.circles, 2):
        assert np.hypot(a.x - b.x, a.y - b.y) > a.radius + b.radius
    rows = [(w.x, w.y, LETTER * len(w.text) / 2) for w in drawing.words if w.role == "layer"]
    rows += [(w.x, w.y, names_width((Name(w.text, ""),)) / 2) for w in drawing.words if w.role == "forward"]
    for (x, y, half), (u, v, other) in combinations(rows, 2):
        assert y != v or abs(x - u) > half + other


# -- networks that have none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
def test_another_network_has_no_picture(name: str) -> None:
    program = shipped(name).program()
    assert list(units(program, plain(program))) == []


@pytest.mark.parametrize(
    ("inputs", "layers"),
    [
        (4, [{"kind": "dense", "units": 4}, {"kind": "dropout", "p": 0.5}]),
        (4, [{"kind": "layer_norm"}]),
        ([3, 4], []),
        (4, [{"kind": "dense", "units": 6, "activation": "glu"}]),
        (
            4,
            [{"kind": "dense", "units": 4, "name": "a"}, {"kind": "dense", "units": 4, "name": "b"}, {"kind": "add", "inputs": ["a", "b"]}],
        ),
    ],
    ids=["dropout", "layer norm", "sequence", "halves", "path around a layer"],
)
def test_a_layer_of_another_kind(inputs: int | list[int], layers: list[dict[str, Any]]) -> None:
    network = Network(name="other", inputs=inputs, layers=[*layers, {"kind": "dense", "units": 1}], loss="mean_squared_error")
    assert chain(network.program()) == ()


def test_a_loss_that_reads_a_hidden_value() -> None:
    program = dense(2, 3, 1).program()
    *others, loss = program.equations
    hidden = others[1].tensor
    assert chain(program) != ()
    other = replace(loss, body=loss.body + Sum(hidden[hidden.indices()], *hidden.indices()))
    assert chain(replace(program, equations=(*others, other))) == ()


# -- where it stands ---------------------------------------------------------------------------------------------------


@cache
def document(name: str) -> Document:
    return compose(derive.differentiate(shipped(name).program()), shipped(name))


def test_it_stands_in_the_setup_and_not_in_markdown() -> None:
    made = document("two_layer_softmax")
    (picture,) = [b for b in made.sections[0].blocks if isinstance(b, Units)]
    without = replace(made, sections=(replace(made.sections[0], blocks=made.sections[0].blocks[:1]),))
    with_it = replace(made, sections=(replace(made.sections[0], blocks=made.sections[0].blocks[:2]),))
    assert render_markdown(with_it) == render_markdown(without)
    assert svg_units(picture) in render_html(made)
    assert tikz_units(picture) in render_latex(made)
    assert r"\usepackage{tikz}" in render_latex(with_it)


def test_an_exercise_has_it_too() -> None:
    network = shipped("xor")
    derivation = derive.differentiate(network.program())
    random = np.random.default_rng(1)
    given = {t.name: random.uniform(-1, 1, [a.extent or 2 for a in t.axes]) for t in derivation.forward.given}
    made = figures(Numbers(work(derivation, given, 0.1), "random numbers.", None, "exercise"), notation(derivation))
    blocks = [b for s in worksheet(derivation, network, made.how, made) for b in s.blocks if isinstance(b, Units)]
    assert blocks == [drawn(network)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")
def test_no_page_scrolls_sideways_for_it(tmp_path: Path) -> None:
    pictures = (drawn(dense(784, *[1000] * 30)), drawn(shipped("digits")))
    page = render_html(Document(("p",), (Section(("s",), pictures),)))
    for found in measured([(page, 390), (page, 1280)], tmp_path):
        assert found["scroll"] <= found["client"]
        assert found["outside"] == 0


# -- text --------------------------------------------------------------------------------------------------------------


def test_the_same_network_gives_the_same_text() -> None:
    for draw in (svg_units, tikz_units):
        assert draw(drawn(shipped("digits"))) == draw(drawn(shipped("digits")))


ATTACK = "</text><script>alert(1)</script>\\end{tikzpicture}\\input{/etc/passwd} $x_1$ % & #"


def hostile(words: str = ATTACK) -> Units:
    name = Name("X", words)
    columns = (Column((name,), (1,), (words,)), Column((name,), (1, None, 9), (words,), (name,)))
    return Units(columns, name, (name,), words)


def test_words_cannot_break_out() -> None:
    text = svg_units(hostile(ATTACK + '" onload="'))
    assert "<script" not in text
    assert set(ElementTree.fromstring(text).attrib) == {"class", "viewBox", "width", "height", "style", "role", "aria-label"}
    assert r"\input{" not in tikz_units(hostile())
    assert not re.search(r"(?<!\\)[%&#]", tikz_units(hostile()))


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended texlive-pictures)"
)
def test_latex_draws_it() -> None:
    blocks = (hostile(), drawn(dense(784, *[1000] * 30)))
    assert pdf(render_latex(Document(("t",), (Section(("s",), blocks),)))).startswith(b"%PDF")
