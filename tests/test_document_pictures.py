"""The computation graph: everything of the program is in it, nothing stands on anything else, names cannot break out of it."""

from __future__ import annotations

import re
import shutil
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

import derive
from chainrule.pdf import pdf
from derive.derivation import Derivation
from derive.documents.document import Document, Edge, Name, Node, Picture, Section
from derive.documents.latex import render_latex
from derive.documents.mermaid import mermaid
from derive.documents.notation import notation
from derive.documents.picture import EQUATIONS, picture, split
from derive.documents.picture_layout import Layout, place
from derive.documents.svg import svg, symbol
from derive.documents.tikz import tikz
from derive.network import Network
from tests.test_document import CASES

ROOT = Path(__file__).parent.parent
SHIPPED = sorted(p.stem for p in (ROOT / "networks").glob("*.toml"))
SMALL = [name for name in CASES if name not in ("every activation", "every activation, one example")]


def derivation(name: str) -> Derivation:
    if name in SHIPPED:
        return derive.differentiate(derive.load(ROOT / "networks" / f"{name}.toml").program())
    network, convention, examples = CASES[name]()
    return derive.differentiate(network.program(convention, examples))


def deep(layers: int) -> Derivation:
    hidden = [{"kind": "dense", "units": 3, "activation": "tanh"}] * layers
    network = Network(name="deep", inputs=2, layers=[*hidden, {"kind": "dense", "units": 2}], loss="softmax_cross_entropy")
    return derive.differentiate(network.program())


def drawn(made: Derivation) -> Picture:
    return picture(made, notation(made))


@pytest.fixture(scope="module", params=sorted({*SHIPPED, *SMALL}))
def made(request: pytest.FixtureRequest) -> Derivation:
    return derivation(request.param)


# -- what is in it -----------------------------------------------------------------------------------------------------


def test_every_equation_and_everything_given_is_a_node(made: Derivation) -> None:
    nodes = drawn(made).nodes
    forward = made.forward
    if len(forward.equations) <= EQUATIONS:
        assert [n.number for n in nodes if n.role == "equation"] == [e.number for e in forward.equations]
        used = {t.name for e in forward.equations for t in e.reads if forward.defining(t) is None}
        shown = {name.code for n in nodes if n.role in ("input", "parameter", "target", "given") for name in n.names}
        assert used <= shown


def test_what_an_equation_reads_comes_to_it(made: Derivation) -> None:
    found = drawn(made)
    names = {n.key: {name.code for name in n.names} for n in found.nodes}
    for equation in made.forward.equations:
        coming = [e for e in found.edges if e.end == f"equation-{equation.number}"]
        if any(n.number == equation.number for n in found.nodes):
            assert {c for e in coming for c in ({x.code for x in e.forward} | names[e.start])} >= {t.name for t in equation.reads}


def test_every_gradient_is_on_an_edge(made: Derivation) -> None:
    found = drawn(made)
    shown = {name.code for e in found.edges for name in e.backward}
    if not any(n.role == "more" for n in found.nodes):
        read = {t for e in made.forward.equations for t in e.reads}
        assert {d.equation.tensor.name for d in made.backward if d.of in read} == shown - {"1"}


def test_a_target_has_no_gradient() -> None:
    found = drawn(derivation("digits"))
    keys = {n.key for n in found.nodes if n.role == "target"}
    assert keys
    assert all(not e.backward for e in found.edges if e.start in keys)


# -- deep networks -----------------------------------------------------------------------------------------------------


def test_a_deep_network_says_how_much_is_left_out() -> None:
    made = deep(40)
    found = drawn(made)
    (more,) = [n for n in found.nodes if n.role == "more"]
    shown = [n.number for n in found.nodes if n.role == "equation"]
    assert len(shown) <= EQUATIONS
    words = re.search(r"(\d+) more layers, (\d+) equations, \((\d+)\) to \((\d+)\)", more.words)
    assert words is not None
    layers, count, first, last = map(int, words.groups())
    assert sorted([*map(int, shown), *range(first, last + 1)]) == [int(e.number) for e in made.forward.equations]
    assert (count, layers) == (last - first + 1, (last - first + 1) // 2)
    ends = {(e.start, e.end) for e in found.edges}
    assert {(f"equation-{first - 1}", "more"), ("more", f"equation-{last + 1}")} <= ends
    assert place(found).height < 1500


def test_layers_are_left_out_whole() -> None:
    assert split(["a"] * EQUATIONS) == (EQUATIONS, EQUATIONS)
    groups = [f"layer {k // 3}" for k in range(60)]
    first, last = split(groups)
    assert first < last
    assert groups[first - 1] != groups[first]
    assert groups[last - 1] != groups[last]


# -- the layout --------------------------------------------------------------------------------------------------------


def overlaps(layout: Layout) -> list[tuple[str, str]]:
    def apart(a: float, b: float, half: float) -> bool:
        return abs(a - b) >= half

    return [
        (p.node.key, q.node.key)
        for p, q in combinations(layout.nodes, 2)
        if not apart(p.x, q.x, (p.width + q.width) / 2) and not apart(p.y, q.y, (p.height + q.height) / 2)
    ]


def test_nothing_stands_on_anything_else(made: Derivation) -> None:
    layout = place(drawn(made))
    assert overlaps(layout) == []
    for box in layout.nodes:
        assert box.x - box.width / 2 >= 0
        assert box.x + box.width / 2 <= layout.width
        assert box.y - box.height / 2 >= 0
        assert box.y + box.height / 2 <= layout.height
    for x, y in (point for arrow in layout.arrows for point in arrow.points):
        assert 0 <= x <= layout.width
        assert 0 <= y <= layout.height


def test_no_arrow_runs_through_a_box(made: Derivation) -> None:
    layout = place(drawn(made))
    for arrow in layout.arrows:
        for (ax, ay), (bx, by) in zip(arrow.points, arrow.points[1:], strict=False):
            for box in layout.nodes:
                w, h = box.width / 2 - 0.5, box.height / 2 - 0.5
                across = min(ax, bx) < box.x + w and max(ax, bx) > box.x - w
                down = min(ay, by) < box.y + h and max(ay, by) > box.y - h
                assert not (across and down), (arrow, box.node.key)


def test_arrows_do_not_lie_on_one_another(made: Derivation) -> None:
    """Upright parts of arrows at one place are apart, so that each can be followed."""
    layout = place(drawn(made))
    parts = [
        (k, a[0], min(a[1], b[1]), max(a[1], b[1]))
        for k, arrow in enumerate(layout.arrows)
        for a, b in zip(arrow.points, arrow.points[1:], strict=False)
        if a[0] == b[0]
    ]
    for (k, x, top, bottom), (m, u, start, end) in combinations(parts, 2):
        assert k == m or abs(x - u) > 2 or bottom <= start or end <= top


# -- drawn -------------------------------------------------------------------------------------------------------------


def test_the_same_derivation_gives_the_same_text(made: Derivation) -> None:
    again = derive.differentiate(made.forward)
    for draw in (svg, tikz, mermaid):
        assert draw(drawn(made)) == draw(drawn(again))


def test_the_drawing_is_well_formed(made: Derivation) -> None:
    root = ElementTree.fromstring(svg(drawn(made)))
    assert len(root.findall("rect")) >= len(made.forward.equations[:8])
    assert not [e for e in root.iter() if e.get("id")]


def test_solid_forward_and_dashed_backward() -> None:
    found = drawn(derivation("two_layer_softmax"))
    assert r"\draw[forward]" in tikz(found)
    assert r"\draw[backward]" in tikz(found)
    assert "-->" in mermaid(found)
    assert "-.->" in mermaid(found)


ATTACK = '</text><script>alert(1)</script>"]; click n0 "javascript:x" \\end{tikzpicture}\\input{/etc/passwd} $x_1$ % & #'


def hostile(words: str = ATTACK) -> Picture:
    nodes = (Node("a", "input", names=(Name("X", words),)), Node("b", "equation", words, "1", words), Node("c", "more", words))
    return Picture(nodes, (Edge("a", "b", (), (Name("G_X", words),)), Edge("b", "c", (Name("A", words),), ())))


def test_words_cannot_break_out() -> None:
    assert "<script" not in svg(hostile())
    ElementTree.fromstring(svg(hostile()))
    source = mermaid(hostile())
    assert not re.search(r'script>|"\]; |javascript:x"|click n0 "', source)
    assert all(line.count('"') in (0, 2) for line in source.splitlines())


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended texlive-pictures)"
)
def test_words_cannot_break_out_of_latex() -> None:
    words = ATTACK.replace('"', "")  # TeX's first fonts have no straight quotation mark, and no name has one
    found = hostile(words)
    assert r"\end{tikzpicture}\input" not in tikz(found)
    assert pdf(render_latex(Document(("t",), (Section(("s",), (found,)),)))).startswith(b"%PDF")


def test_symbols_keep_their_letters() -> None:
    text = symbol(r"G_{\hat{Y}_{2}^{(1)}}")
    assert "".join(ElementTree.fromstring(f"<t>{text}</t>").itertext()).rstrip("\u200b") == "GY\u03022(1)"
