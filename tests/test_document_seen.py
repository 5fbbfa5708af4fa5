"""Documents as a reader sees them: every displayed formula is read back from LaTeX, Markdown and MathML, and proved.

The formulas of the four source texts are found by what they say: a row of the document says the same of the same value, for all values of
what it reads. Nothing is compared as a string.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import derive
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents import Detail, Format, Gradients, render
from derive.network import Convention
from derive.proof.claim import Claim, decide
from derive.proof.sampling import Setting, setting
from tests.layouts import Line, in_html, in_latex, in_markdown, keys, latex
from tests.readings import Equality, NotRead, Reader, equalities, reader, with_other_signs

NETWORKS = Path(__file__).parent.parent / "networks"
SEEN: dict[Format, Callable[[str], list[Line]]] = {"latex": in_latex, "markdown": in_markdown, "html": in_html}
NOTATIONS: list[Gradients] = ["named", "partial"]


@dataclass(frozen=True)
class Source:
    """A text: its network, its convention, its own signs and letters, and its formulas, as it has them."""

    network: str
    convention: Convention
    examples: Examples
    tensors: dict[str, str]
    letters: dict[str, str]
    formulas: list[str]


def derivatives(*names: str) -> str:
    """A product of derivatives: L, P, Z is dL/dP dP/dZ."""
    return " ".join(rf"\frac{{\partial {above}}}{{\partial {below}}}" for above, below in pairwise(names))


def chained(*names: str) -> str:
    return f"{derivatives(names[0], names[-1])} = {derivatives(*names)}"


def gradient(of: str, *sides: str) -> str:
    return " = ".join((rf"\frac{{\partial L}}{{\partial {of}}}", *sides))


TEXTS = {
    "two-layer softmax": Source(
        "two_layer_softmax", "rows", "batch",
        {"H": "H1", "G_H": "dH1"},
        {"i": "n"},
        [
            r"A_1 = X W_1^\top + \mathbf{1} b_1^\top",
            r"H = \operatorname{ReLU}\left(A_1\right)",
            r"Z = H W_2^\top + \mathbf{1} b_2^\top",
            r"P = \operatorname{softmax}\left(Z\right)",
            r"L = -\frac{1}{N} \sum_{i=1} \log P_{i,y_i}",
            gradient("Z", r"\frac{1}{N} \left(P - Y\right)"),
            gradient("W_2", r"G_Z^\top H"),
            gradient("b_{2,c}", r"\sum_{i=1} G_{Z,ic}"),
            gradient("H", "G_Z W_2"),
            r"\frac{\partial H_{ij}}{\partial A_{1,ij}} = \begin{cases} 1 & A_{1,ij} > 0 \\ 0 & A_{1,ij} \le 0 \end{cases}",
            gradient("A_1", r"G_H \odot \mathbf{1}[A_1 > 0]"),
            gradient("W_1", r"G_{A_1}^\top X"),
            gradient("b_{1,j}", r"\sum_{i=1} G_{A_1,ij}"),
            gradient("X", "G_{A_1} W_1"),
        ],
    ),
    "two-layer softmax, one example": Source(
        "two_layer_softmax", "columns", "single",
        {"h": "h1"},
        {},
        [r"a_1 = W_1 x + b_1", r"h = \operatorname{ReLU}\left(a_1\right)", r"z = W_2 h + b_2"],
    ),
    "lecture": Source(
        "lecture_bce", "xw", "batch",
        {"x": "X", "w_1": "W1", "w_2": "W2", "b": "b2", "h": "H1", "z": "Z", "p": "P", "y": "Y"},
        {"i": "n"},
        [
            r"p = \sigma\left(\max\left(0, x w_1\right) w_2 + \mathbf{1} b^\top\right)",
            r"h = \max\left(0, A_1\right)",
            r"z = h w_2 + \mathbf{1} b^\top",
            r"p_{ic} = \frac{1}{1 + e^{-z_{ic}}}",
            r"p = \sigma\left(z\right)",
            r"L = \frac{1}{N} \sum_{ic} -\left(y_{ic} \log p_{ic} + \left(1 - y_{ic}\right) \log\left(1 - p_{ic}\right)\right)",
            chained("L", "p", "z", "w_2"),
            chained("L", "p", "z", "b"),
            chained("L", "p", "z", "h", "A_1", "w_1"),
            r"\frac{\partial p_{ic}}{\partial z_{ic}} = \sigma\left(z_{ic}\right) \left(1 - \sigma\left(z_{ic}\right)\right)",
            r"\frac{\partial p_{ic}}{\partial z_{ic}} = p_{ic} \left(1 - p_{ic}\right)",
            r"\frac{\partial z_{ic}}{\partial h_{ij}} = w_{2,jc}",
            r"\frac{\partial z_{ic}}{\partial b_c} = 1",
            r"\frac{\partial h_{ij}}{\partial A_{1,ij}} = \begin{cases} 1 & A_{1,ij} > 0 \\ 0 & \text{otherwise} \end{cases}",
        ],
    ),
    "lecture, appendix": Source(
        "lecture_bce", "xw", "batch",
        {"Y": "A1", "W": "W1"},
        {"i": "n", "k": "i", "m": "j"},
        [
            r"Y_{ij} = \sum_{k=1} X_{ik} W_{kj}",
            r"\frac{\partial Y_{ij}}{\partial W_{kj}} = X_{ik}",
            r"\frac{\partial Y_{ij}}{\partial X_{ik}} = W_{kj}",
            r"\frac{\partial \ell}{\partial W_{kj}} = "
            r"\sum_{im} \frac{\partial \ell}{\partial Y_{im}} \frac{\partial Y_{im}}{\partial W_{kj}}",
            r"\frac{\partial \ell}{\partial W_{kj}} = \sum_{i=1} X_{ik} \frac{\partial \ell}{\partial Y_{ij}}",
            r"\frac{\partial \ell}{\partial W} = X^\top \frac{\partial \ell}{\partial Y}",
            r"\frac{\partial \ell}{\partial X_{ik}} = \sum_{j=1} W_{kj} \frac{\partial \ell}{\partial Y_{ij}}",
            r"\frac{\partial \ell}{\partial X} = \frac{\partial \ell}{\partial Y} W^\top",
        ],
    ),
    "notes, two layers": Source(
        "notes_two_layer", "columns", "single",
        {"s": "z", r"\mathrm{ds}": "dz", r"\mathrm{dh}_1": "dh1", r"\mathrm{da}_1": "da1"},
        {"k": "c"},
        [
            r"a_1 = W_1 x + b_1",
            r"h_1 = \max\left(0, a_1\right)",
            r"s = W_2 h_1 + b_2",
            r"p = \operatorname{softmax}\left(s\right)",
            r"\sum_{k=1} p_k = 1",
            r"L = -\log p_y",
            r"L = -\sum_{k=1} y_k^{\mathrm{onehot}} \log p_k",
            gradient("s", r"p - y^{\mathrm{onehot}}"),
            gradient("W_2", r"\mathrm{ds} h_1^\top"),
            gradient("b_2", r"\mathrm{ds}"),
            gradient("h_1", r"W_2^\top \mathrm{ds}"),
            gradient("a_1", r"\mathrm{dh}_1 \odot \mathbf{1}[a_1 > 0]"),
            gradient("W_1", r"\mathrm{da}_1 x^\top"),
            gradient("b_1", r"\mathrm{da}_1"),
        ],
    ),
    "notes, three layers": Source(
        "notes_three_layer", "columns", "single",
        {"s": "z"},
        {},
        [
            r"a_1 = W_1 x + b_1",
            r"h_1 = \operatorname{ReLU}\left(a_1\right)",
            r"a_2 = W_2 h_1 + b_2",
            r"h_2 = \operatorname{ReLU}\left(a_2\right)",
            r"s = W_3 h_2 + b_3",
        ],
    ),
    "tutorial": Source(
        "worked_example", "columns", "single",
        {"z_1": "a1", "a_1": "h1", "z_2": "z", r"\delta_2": "dz", r"\delta_1": "da1"},
        {},
        [
            r"z_1 = W_1 x + b_1",
            r"a_1 = \sigma\left(z_1\right)",
            r"a_{1,j} = \frac{1}{1 + e^{-z_{1,j}}}",
            r"z_2 = W_2 a_1 + b_2",
            r"\hat{y} = \sigma\left(z_2\right)",
            r"L = \frac{1}{2} \sum_{c} \left(\hat{y}_c - y_c\right)^{2}",
            gradient(r"\hat{y}", r"\hat{y} - y"),
            r"\frac{\partial \hat{y}_c}{\partial z_{2,c}} = \sigma\left(z_{2,c}\right) \left(1 - \sigma\left(z_{2,c}\right)\right)",
            r"\frac{\partial \hat{y}_c}{\partial z_{2,c}} = \hat{y}_c \left(1 - \hat{y}_c\right)",
            r"\frac{\partial a_{1,j}}{\partial z_{1,j}} = a_{1,j} \left(1 - a_{1,j}\right)",
            gradient("z_2", r"\frac{\partial L}{\partial \hat{y}} \odot \sigma'\left(z_2\right)"),
            gradient("z_2", r"\left(\hat{y} - y\right) \odot \sigma'\left(z_2\right)"),
            gradient("W_2", r"\delta_2 a_1^\top"),
            gradient("b_2", r"\delta_2"),
            gradient("a_1", r"W_2^\top \delta_2"),
            gradient("z_1", r"\left(W_2^\top \delta_2\right) \odot \sigma'\left(z_1\right)"),
            gradient("z_1", r"\frac{\partial L}{\partial a_1} \odot \sigma'\left(z_1\right)"),
            gradient("W_1", r"\delta_1 x^\top"),
            gradient("b_1", r"\delta_1"),
            r"\frac{\partial z_{2,c}}{\partial b_{2,c}} = 1",
            chained("L", r"\hat{y}", "z_2"),
            chained("L", r"\hat{y}", "z_2", "a_1", "z_1", "W_1"),
            r"W_2 \leftarrow W_2 - \eta \frac{\partial L}{\partial W_2}",
            r"b_1 \leftarrow b_1 - \eta \frac{\partial L}{\partial b_1}",
        ],
    ),
    "tutorial, xor": Source(
        "xor", "columns", "batch",
        {"z_1": "A1", "a_1": "H1", "z_2": "Z", r"\delta_2": "dZ", r"\delta_1": "dA1", r"\hat{y}": "Yhat"},
        {},
        [
            r"z_1 = W_1 X + b_1 \mathbf{1}^\top",
            r"a_1 = \sigma\left(z_1\right)",
            r"z_2 = W_2 a_1 + b_2 \mathbf{1}^\top",
            r"\hat{y} = \sigma\left(z_2\right)",
            r"L = \frac{1}{N} \sum_{cn} \frac{1}{2} \left(\hat{y}_{cn} - Y_{cn}\right)^{2}",
            gradient(r"\hat{y}", r"\frac{1}{N} \left(\hat{y} - Y\right)"),
            gradient("z_2", r"\frac{\partial L}{\partial \hat{y}} \odot \hat{y} \odot \left(1 - \hat{y}\right)"),
            gradient("W_2", r"\delta_2 a_1^\top"),
            gradient("b_2", r"\delta_2 \mathbf{1}"),
            gradient("a_1", r"W_2^\top \delta_2"),
            gradient("z_1", r"\frac{\partial L}{\partial a_1} \odot a_1 \odot \left(1 - a_1\right)"),
            gradient("W_1", r"\delta_1 X^\top"),
            gradient("b_1", r"\delta_1 \mathbf{1}"),
            r"W_2 \leftarrow W_2 - \eta \frac{\partial L}{\partial W_2}",
        ],
    ),
}  # fmt: skip


@cache
def derivation(name: str, convention: Convention, examples: Examples) -> Derivation:
    return derive.differentiate(derive.load(NETWORKS / f"{name}.toml").program(convention, examples))


@cache
def lines(
    name: str, convention: Convention, examples: Examples, notation: Gradients, form: Format, detail: Detail = "steps"
) -> tuple[Line, ...]:
    """The displayed rows of a document."""
    network = derive.load(NETWORKS / f"{name}.toml")
    return tuple(SEEN[form](render(derivation(name, convention, examples), network, form, detail, notation=notation)))


def said(rows: Sequence[Line], how: Reader) -> list[Equality]:
    return [equality for row in rows for equality in equalities(row, how)]


def same(left: Equality, right: Equality, tested: Setting) -> bool:
    """Whether two right-hand sides are equal for all values of what they read."""
    indices = tuple(dict.fromkeys((*left.indices, *right.indices)))
    return decide(Claim(left.right, right.right, indices, (), tested.facts, "found"), tested).holds


def wrong(equalities_: Sequence[Equality], known: Derivation) -> list[str]:
    """The equalities that do not hold where every tensor is computed by its equation; what is assigned (an update) says nothing of that."""
    tested = setting(known)
    uses = tuple(tested.definitions)
    found: list[str] = []
    for e in equalities_:
        if e.relation in ("=", ":="):
            finding = decide(Claim(e.left, e.right, e.indices, uses, tested.facts, "seen"), tested)
            found += [] if finding.holds else [f"{keys(e.line.left)} {keys(e.line.right)}: {finding.detail}"]
    return found


FEW = ["named", pytest.param("partial", marks=pytest.mark.slow)]  # the formulas of the texts are found in both notations

DOCUMENTS: list[tuple[str, Convention, Examples]] = [
    *dict.fromkeys((t.network, t.convention, t.examples) for t in TEXTS.values()),
    ("digits", "rows", "batch"),
    ("lecture_bce", "columns", "batch"),
    ("two_layer_softmax", "xw", "batch"),
]


@pytest.mark.parametrize("notation", FEW)
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: "-".join(d))
class TestEveryFormula:
    def test_is_seen_alike_in_every_format(self, document: tuple[str, Convention, Examples], notation: Gradients) -> None:
        first, *others = (lines(*document, notation, form) for form in SEEN)
        assert len(first) > 50
        for other in others:
            assert other == first

    def test_says_what_is_true(self, document: tuple[str, Convention, Examples], notation: Gradients) -> None:
        known = derivation(*document)
        found = said(lines(*document, notation, "html"), reader(known))
        assert len(found) > 50
        assert wrong(found, known) == []


@pytest.mark.parametrize("notation", FEW)
@pytest.mark.parametrize("convention", ["rows", "columns"])
def test_a_page_of_results_is_true_of_a_deep_network(convention: Convention, notation: Gradients) -> None:
    document: tuple[str, Convention, Examples] = ("residual_mlp", convention, "batch")
    first, *others = (lines(*document, notation, form, "summary") for form in SEEN)
    assert len(first) == len(derivation(*document).equations)
    assert others == [first, first]
    assert wrong(said(first, reader(derivation(*document))), derivation(*document)) == []


@pytest.mark.parametrize("form", SEEN)
def test_three_branches_say_what_is_true(form: Format) -> None:
    """One row for each branch, and in matrix form each times its indicator, with no number -1 in front of a sign 1."""
    layers = [{"kind": "dense", "units": 3, "activation": "hardtanh"}, {"kind": "dense", "units": 2}]
    network = derive.Network(name="hard", inputs=2, loss="mean_squared_error", layers=layers)
    known = derive.differentiate(network.program())
    seen = SEEN[form](derive.document(known, network, format=form))
    assert any(box.kind == "cases" and len(box.parts) == 6 for line in seen for box in line.right)
    assert r"-1 \mathbf{1}[" not in derive.document(known, network, format="latex")
    assert wrong(said(seen, reader(known)), known) == []


@pytest.mark.parametrize("form", SEEN)
@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_notebook_shows_what_is_true(notation: Gradients, form: Format) -> None:
    known = derivation("lecture_bce", "xw", "batch")
    shown = getattr(known.shown(notation), f"_repr_{form}_")()
    found = said(SEEN[form](shown), reader(known))
    assert {e.left for e in found} >= {d.equation.entry for d in known.backward}
    assert wrong(found, known) == []


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_formula_of_a_text_is_found_by_what_it_says(text: str, notation: Gradients) -> None:
    source = TEXTS[text]
    document = (source.network, source.convention, source.examples)
    known = derivation(*document)
    tested, own = setting(known), reader(known)
    found = said(lines(*document, notation, "html"), own)
    theirs = with_other_signs(own, source.tensors, source.letters)
    assert [f for f in source.formulas if not is_found(f, theirs, found, tested)] == []


def is_found(formula: str, theirs: Reader, found: Sequence[Equality], tested: Setting) -> bool:
    """Whether the document says of the same value the same as a formula of a text; for each of its sides."""
    boxes = latex(formula)
    place = next(k for k, box in enumerate(boxes) if box.text in ("=", "←"))
    for wanted in equalities(Line(boxes[:place], boxes[place:]), theirs):
        here = [e for e in found if e.left == wanted.left and e.relation == wanted.relation]
        if not any(same(wanted, e, tested) for e in here):
            return False
    return True


# -- what would be found wrong -----------------------------------------------------------------------------------------

WRONG = {
    "a lost mean": gradient("Z", "P - Y"),
    "a sign": gradient("Z", r"\frac{1}{N} \left(Y - P\right)"),
    "another factor": gradient("A_1", r"G_{H_1} \odot \mathbf{1}[H_1 > A_1]"),
    "the wrong side of the kink": gradient("A_1", r"G_{H_1} \odot \mathbf{1}[A_1 < 0]"),
    "another matrix": gradient("W_1", r"G_{H_1}^\top X"),
    "true, but of later values": gradient("b_2", r"\frac{1}{N} \left(P - Y\right)^\top \mathbf{1}"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_formula_is_not_found(fault: str) -> None:
    known = derivation("two_layer_softmax", "rows", "batch")
    own = reader(known)
    found = said(lines("two_layer_softmax", "rows", "batch", "named", "html"), own)
    assert not is_found(WRONG[fault], own, found, setting(known))


FAULTS = {  # what is changed in a page, from and to; every one of them once
    "a transpose is lost": ("G_Z^\\top H_1", "G_Z H_1"),
    "a transpose is there twice": ("G_Z^\\top \\mathbf{1}", "\\left(G_Z^\\top\\right)^\\top \\mathbf{1}"),
    "a sign": ("P_{nc} - Y_{nc}", "P_{nc} + Y_{nc}"),
    "a shape": (r"G_Z W_2 \quad \in \mathbb{R}^{N \times H}", r"G_Z W_2 \quad \in \mathbb{R}^{H \times N}"),
    "an index": (r"\sum_{n} G_{Z,nc} H_{1,nj}", r"\sum_{n} G_{Z,nj} H_{1,nc}"),
    "a kink": (r"\mathbf{1}[A_1 > 0]", r"\mathbf{1}[A_1 < 0]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_page_is_seen(fault: str) -> None:
    network, known = derive.load(NETWORKS / "two_layer_softmax.toml"), derivation("two_layer_softmax", "rows", "batch")
    page = render(known, network, "latex")
    before, after = FAULTS[fault]
    assert before in page
    broken = in_latex(page.replace(before, after))
    own = reader(known)
    seen: list[str] = []
    for line, right in zip(broken, in_latex(page), strict=True):
        if line != right:
            try:
                seen += wrong(list(equalities(line, own)), known)
            except (NotRead, ValueError) as error:
                seen.append(str(error))
    assert seen
