"""Plots of activations: curves against the plain evaluation, marks against the bounds, drawings that are well formed."""

from __future__ import annotations

import shutil
from functools import cache
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy as sp

import derive
from chainrule.pdf import pdf
from derive.bounds import X, bound
from derive.derivation import Derivation
from derive.documents.document import Block, Document, Plot, Plots, Section
from derive.documents.html import render_html
from derive.documents.latex import render_latex
from derive.documents.markdown import render_markdown
from derive.documents.plot_layout import draw, ticks
from derive.documents.plots import HIGHEST, TOGETHER, plots, thinned
from derive.documents.svg import svg_plots
from derive.documents.tikz import tikz_plots
from derive.evaluate import evaluate
from derive.index import Axis, Tensor
from derive.network import Network
from derive.program import Equation, Program
from tests.test_document_meaning import KINDS, NEEDED, formula


def network(*kinds: str) -> Derivation:
    hidden = [{"kind": "dense", "units": 2, "activation": {"kind": kind, **NEEDED.get(kind, {})}} for kind in kinds]
    layers = [*hidden, {"kind": "dense", "units": 1}]
    return derive.differentiate(Network(name="plotted", inputs=2, loss="mean_squared_error", layers=layers).program())


def drawn(*kinds: str) -> list[Plots]:
    return [block for block in plots(network(*kinds)) if isinstance(block, Plots)]


@cache
def plot(kind: str) -> Plot:
    ((found,),) = (block.plots for block in drawn(kind))
    return found


def values(function: sp.Expr, at: np.ndarray) -> np.ndarray:
    """The plain evaluation."""
    axis = Axis("k", "K")
    tensor, index = Tensor("x", (axis,)), axis.index()
    equation = Equation(Tensor("y", (axis,)), (index,), function.xreplace({X: tensor[index]}))
    return evaluate(Program("f", (tensor,), (), (), (equation,), (equation.tensor,)), {"x": at})["y"]


@pytest.mark.parametrize("kind", KINDS)
def test_curves_are_the_function_and_its_derivative(kind: str) -> None:
    """The curves' corners, and between them no further from the function than a line of the plot is thick."""
    found = plot(kind)
    for role, function in (("forward", formula(kind)), ("backward", sp.diff(formula(kind), X))):
        pieces = [curve.points for curve in found.curves if curve.role == role]
        assert pieces
        for points in pieces:
            x, y = np.array(points).T
            assert np.all(np.diff(x) > 0)
            assert np.allclose(values(function, x), y, atol=1e-7)
            middle = (x[1:] + x[:-1]) / 2
            assert np.allclose(values(function, middle), (y[1:] + y[:-1]) / 2, atol=0.02)
    covered = sum(curve.points[-1][0] - curve.points[0][0] for curve in found.curves if curve.role == "backward")
    assert covered > 0.9 * (found.width[1] - found.width[0])


@pytest.mark.parametrize("kind", KINDS)
def test_marks_are_those_of_the_bound(kind: str) -> None:
    found, known = plot(kind), bound(formula(kind))
    assert known is not None
    (line,) = (curve for curve in found.curves if curve.role == "bound")
    assert {abs(y) for _, y in line.points} == {known.most}
    assert len([c for c in found.curves if c.role == "dead"]) == len(known.dead)
    for curve in found.curves:
        assert all(abs(y) <= max(known.most, HIGHEST) for _, y in curve.points)


def test_each_function_once() -> None:
    (block,) = drawn("tanh", "relu", "tanh")
    assert [p.title for p in block.plots] == ["tanh", "ReLU"]
    assert drawn("softmax") == []
    assert [len(block.plots) for block in drawn("tanh", "relu", "sigmoid", "gelu", "silu", "mish", "softplus")] == [TOGETHER, 1]


def test_a_learned_slope_has_its_first_value() -> None:
    assert min(y for c in plot("prelu").curves if c.role == "backward" for _, y in c.points) == 0.25
    (words, _) = plots(network("prelu"))
    assert "starts from" in str(words)


def test_thinned_keeps_what_bends() -> None:
    assert thinned([(0, 0), (1, 1), (2, 2), (3, 0)]) == [(0, 0), (2, 2), (3, 0)]


def test_round_numbers() -> None:
    assert ticks(-5, 5) == [-4, -2, 0, 2, 4]
    assert ticks(-0.1, 1.05) == [0, 0.5, 1]
    for low, high in ((-0.3, 0.7), (-6, 0.2), (0, 1.5), (-100, 250)):
        found = ticks(low, high)
        assert 2 <= len(found) <= 6
        assert all(low <= x <= high for x in found)
        assert len({round(b - a, 9) for a, b in pairwise(found)}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_everything_stands_inside(kind: str) -> None:
    layout = draw(plot(kind))
    for x, y in (point for stroke in layout.strokes for point in stroke.points):
        assert 0 <= x <= layout.width
        assert 0 <= y <= layout.height


def block() -> Block:
    return drawn("relu", "tanh", "sigmoid")[0]


def document(block: Block) -> Document:
    return Document(("plots",), (Section(("Activations",), (block,)),))


def test_drawings_are_well_formed() -> None:
    (found,) = drawn("relu", "tanh", "sigmoid")
    roots = ElementTree.fromstring(f"<p>{svg_plots(found)}</p>")
    assert len(roots) == len(found.plots)
    for root in roots:
        classes = {e.get("class") for e in root.iter("path")}
        assert {"forward", "backward", "bound", "axis"} <= classes
    assert tikz_plots(found).count(r"\begin{tikzpicture}") == 3
    assert "backward line" in tikz_plots(found)
    page = render_html(document(found))
    assert "stroke-dasharray" in page
    assert "Solid (blue)" in page
    table = render_markdown(document(found))
    assert "| ReLU | $0$ | $0$ | $0$ | $0$ | $0$ | $0.5$ | $1$ | $2$ | $4$ |" in table
    assert "| derivative | $0$ | $0$ | $0$ | $0$ | $0$ | $1$ | $1$ | $1$ | $1$ |" in table
    assert "| derivative | $0.01766$ | $0.105$ | $0.1966$ | $0.235$ | $0.25$ |" in table
    assert svg_plots(found) == svg_plots(drawn("relu", "tanh", "sigmoid")[0])


@pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended texlive-pictures)"
)
def test_latex_draws_it() -> None:
    assert pdf(render_latex(document(block()))).startswith(b"%PDF")
