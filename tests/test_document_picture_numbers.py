"""Numbers in the computation graph: those of the derivation, rounded; in a place of their own; not where an exercise asks for them."""

from __future__ import annotations

import re
import shutil
from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import derive
from chainrule.pdf import pdf
from derive.derivation import Derivation
from derive.documents.document import Document, Name, Picture, Section
from derive.documents.latex import render_latex
from derive.documents.mermaid import mermaid
from derive.documents.notation import notation
from derive.documents.numbers import Figures, Numbers, Sheet, figures
from derive.documents.picture import COLUMNS, ROWS, names_of, network_picture, picture, shown
from derive.documents.picture_layout import Label, Layout, place
from derive.documents.picture_sizes import names_height, names_width
from derive.documents.svg import svg
from derive.documents.tikz import tikz
from derive.documents.worksheet import worksheet
from derive.network import Network
from derive.worked import work

ROOT = Path(__file__).parent.parent
SHIPPED = ("worked_example", "xor", "two_layer_softmax", "xor_prelu", "residual_mlp", "tiny_attention")


@cache
def network(name: str) -> Network:
    return derive.load(ROOT / "networks" / f"{name}.toml")


@cache
def derivation(name: str) -> Derivation:
    return derive.differentiate(network(name).program())


@cache
def numbered(name: str, sheet: Sheet = "numbers") -> Figures:
    """Random numbers for two examples."""
    random = np.random.default_rng(1)
    given: dict[str, np.ndarray] = {}
    forward = derivation(name).forward
    for tensor in forward.given:
        shape = [a.extent or 2 for a in tensor.axes]
        low = tensor.values.extent or 2 if tensor.values else 0
        given[tensor.name] = random.integers(0, low, shape) if tensor.values else random.uniform(-0.4, 0.4, shape)
    made = Numbers(work(derivation(name), given, 0.1), "random numbers.", None, sheet)
    return figures(made, notation(derivation(name)))


@cache
def drawn(name: str) -> Picture:
    return picture(derivation(name), notation(derivation(name)), numbered(name))


def names(found: Picture) -> list[Name]:
    return [name for part in (*found.nodes, *found.edges) for name in names_of(part)]


@pytest.mark.parametrize("name", SHIPPED)
def test_every_symbol_has_its_numbers(name: str) -> None:
    values, decimals = numbered(name).worked.values, numbered(name).rounding.decimals
    tensors = {t.name: t for t in (*derivation(name).given, *(e.tensor for e in derivation(name).equations))}
    for found in names(drawn(name)):
        if found.code == "1":  # the loss' own gradient
            continue
        assert found.shown is not None
        array = values[found.code]
        if found.shown.rows:
            first = numbered(name).how.first if tensors[found.code].values else 0
            read = np.array([[float(x) for x in row] for row in found.shown.rows])
            assert read.shape == (array.reshape(-1, 1) if array.ndim < 2 else array).shape
            assert np.allclose(read.reshape(array.shape), array + first, atol=0.5001 * 10.0**-decimals)
            assert read.shape[0] <= ROWS
            assert read.shape[1] <= COLUMNS
        else:
            size, _, length = found.shown.words.partition(", ")
            assert [int(n) for n in size.split(r" \times ")] == list(array.shape)
            if tensors[found.code].values is None:
                assert abs(float(length.split()[-1]) - np.linalg.norm(array.ravel())) <= 0.5001 * 10.0**-decimals


def test_an_exact_number_has_an_equals_sign() -> None:
    loss = derivation("worked_example").forward.outputs[-1]
    assert shown(loss, numbered("worked_example")).relation == r"\approx"
    assert shown(derivation("xor").forward.targets[0], numbered("xor")).relation in ("=", r"\approx")


def test_an_exercise_does_not_show_its_answers() -> None:
    for sheet, there in (("exercise", False), ("solution", True)):
        made = numbered("worked_example", sheet)
        sections = list(worksheet(derivation("worked_example"), network("worked_example"), made.how, made))
        (graph,) = [b for s in sections for b in s.blocks if isinstance(b, Picture)]
        assert any(name.shown for name in names(graph)) == there


def test_the_legend_says_what_is_left_out() -> None:
    for name, large in (("worked_example", False), ("residual_mlp", True)):
        section = network_picture(derivation(name), notation(derivation(name)), numbered(name))
        words = str(section.blocks[0])
        assert "Beside every symbol stand its numbers" in words
        assert ("the shape is shown" in words) == large
    assert "numbers, rounded" not in str(network_picture(derivation("xor"), notation(derivation("xor"))).blocks[0])


# -- the layout --------------------------------------------------------------------------------------------------------

Box = tuple[float, float, float, float]


def label_box(label: Label) -> Box:
    w, h = names_width(label.names), names_height(label.names)
    left = label.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * w
    return left, label.y - h / 2, left + w, label.y + h / 2


def boxes(layout: Layout) -> list[Box]:
    nodes = [(p.x - p.width / 2, p.y - p.height / 2, p.x + p.width / 2, p.y + p.height / 2) for p in layout.nodes]
    return [*nodes, *map(label_box, layout.labels)]


@pytest.mark.parametrize("name", SHIPPED)
def test_numbers_stand_on_nothing_else(name: str) -> None:
    layout = place(drawn(name))
    every = boxes(layout)
    for left, top, right, bottom in every:
        assert left >= 0
        assert top >= 0
        assert right <= layout.width
        assert bottom <= layout.height
    for a, b in combinations(every, 2):
        apart = a[2] <= b[0] + 1 or b[2] <= a[0] + 1 or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
        assert apart, (a, b)


@pytest.mark.parametrize("name", SHIPPED)
def test_names_fit_into_their_nodes(name: str) -> None:
    for placed in place(drawn(name)).nodes:
        assert names_width(placed.node.names) <= placed.width
        assert names_height(placed.node.names) <= placed.height


# -- drawn -------------------------------------------------------------------------------------------------------------


def test_numbers_are_drawn() -> None:
    found = drawn("worked_example")
    root = ElementTree.fromstring(svg(found))
    text = " ".join("".join(e.itertext()) for e in root.iter("text")).replace("\N{MINUS SIGN}", "-")
    source, chart = tikz(found), mermaid(found)
    for name in names(found):
        for row in name.shown.rows if name.shown else ():
            for number in row:
                assert number in text
                assert number in source
                assert number in chart
    assert root.get("class") == "picture numbered"
    assert all(line.count('"') in (0, 2) for line in chart.splitlines())


def test_the_flowchart_has_words_only() -> None:
    assert not re.search(r"[{}\\$|]", re.sub(r'\|"|"\||fill.*|\{', "", mermaid(drawn("tiny_attention"))))


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended texlive-pictures)"
)
@pytest.mark.parametrize("name", ["xor", "tiny_attention"])
def test_latex_draws_it(name: str) -> None:
    assert pdf(render_latex(Document(("t",), (Section(("s",), (drawn(name),)),)))).startswith(b"%PDF")
