"""The document as a file: it compiles, Markdown leaves its formulas alone, references resolve, the same input gives the same bytes."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sympy as sp
from markdown_it import MarkdownIt

import derive
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents import render
from derive.documents.compose import compose
from derive.documents.document import Block, Code, Document, Formula, Items, Math, Paragraph, Picture, Plots, Ref, Table, Units
from derive.documents.latex import render_latex
from derive.documents.latex_index import IndexPrinter
from derive.documents.latex_matrix import MatrixPrinter
from derive.documents.layout import LINE, fold, terms, width
from derive.documents.markdown import render_markdown, safe
from derive.documents.markdown import text as markdown_text
from derive.documents.notation import notation
from derive.documents.setup_tables import given_rows
from derive.documents.signs import number_latex
from derive.documents.symbols import Symbols, escape
from derive.functions import where
from derive.index import Axis, Delta, Index, Max, Sum, Tensor
from derive.matrix_form import matrix_of
from derive.network import Convention, Network

ROOT = Path(__file__).parent.parent
ACTIVATIONS = ["leaky_relu", "elu", "softplus", "silu", "gelu", "gelu_tanh", "softmax", "tanh", "sigmoid", "relu"]


def everything() -> Network:
    """A network with every activation, a long name and a named layer: the widest formulas there are."""
    layers = [{"kind": "dense", "units": 3 + k, "activation": kind} for k, kind in enumerate(ACTIVATIONS)]
    layers[0]["name"] = "first_layer_" + "z" * 50
    loss = {"kind": "softmax_cross_entropy", "targets": "probabilities", "reduction": "sum"}
    return Network(name="every_activation_" + "x" * 45, inputs=3, layers=[*layers, {"kind": "dense", "units": 4}], loss=loss)


def shipped(name: str) -> Network:
    return derive.load(ROOT / "networks" / f"{name}.toml")


CASES: dict[str, Callable[[], tuple[Network, Convention, Examples]]] = {
    "two_layer_softmax": lambda: (shipped("two_layer_softmax"), "rows", "batch"),
    "lecture_bce": lambda: (shipped("lecture_bce"), "xw", "batch"),
    "notes, one example": lambda: (shipped("notes_three_layer"), "columns", "single"),
    "every activation": lambda: (everything(), "columns", "batch"),
    "every activation, one example": lambda: (everything(), "columns", "single"),
    "negative log-likelihood": lambda: (
        Network(name="nll", inputs=2, layers=[{"kind": "dense", "units": 3, "bias": False}], loss="negative_log_likelihood"),
        "xw",
        "batch",
    ),
    "products": lambda: (
        Network(
            name="products",
            inputs=3,
            layers=[{"kind": "dense", "units": 4, "activation": "gelu"}, {"kind": "dense", "units": 2}],
            loss="softmax_cross_entropy",
            products=["jvp", "jacobian", "hvp"],
        ),
        "rows",
        "batch",
    ),
    "products, one example": lambda: (
        Network(
            name="products",
            inputs=1,
            layers=[{"kind": "dense", "units": 2, "activation": "silu"}],
            loss="mean_squared_error",
            products=["jacobian", "hvp"],
        ),
        "columns",
        "single",
    ),
    "statistics, steps, a learned slope, weights": lambda: (
        Network(
            name="layers",
            inputs=[2, 4],
            layers=[
                {"kind": "batch_norm"},
                {"kind": "dropout", "p": 0.25},
                {"kind": "rnn", "units": 3},
                {"kind": "dense", "units": 3, "activation": "prelu"},
            ],
            loss={"kind": "softmax_cross_entropy", "weight": [1.0, 2.0, 0.5], "sample_weights": True},
        ),
        "rows",
        "batch",
    ),
    "positions": lambda: (
        Network(
            name="positions",
            inputs=[1, 4, 4],
            layers=[
                {"kind": "conv2d", "out_channels": 2, "kernel_size": 3, "padding": 1, "activation": "relu"},
                {"kind": "max_pool2d", "kernel_size": 2},
                {"kind": "flatten"},
                {"kind": "dense", "units": 2},
            ],
            loss="softmax_cross_entropy",
        ),
        "rows",
        "batch",
    ),
    "logits": lambda: (
        Network(name="logits", inputs=2, layers=[{"kind": "dense", "units": 3}], loss="binary_cross_entropy_with_logits"),
        "rows",
        "batch",
    ),
}


@dataclass(frozen=True)
class Case:
    derivation: Derivation
    document: Document
    latex: str
    markdown: str


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    network, convention, examples = CASES[request.param]()
    derivation = derive.differentiate(network.program(convention, examples))
    document = compose(derivation, network)
    return Case(derivation, document, render_latex(document), render_markdown(document))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended)")
def test_the_latex_compiles_without_a_complaint(case: Case, tmp_path: Path) -> None:
    (tmp_path / "document.tex").write_text(case.latex)
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    unbroken = {**os.environ, "max_print_line": "10000"}  # lines of the log as they are, not cut at 79 characters
    for _ in range(2):  # the second run resolves the references
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False, env=unbroken
        )
        assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert complaints(log) == []


def complaints(log: str) -> list[str]:
    """The lines of a log in which LaTeX, a package or pdfTeX itself warns of something."""
    return [line for line in log.splitlines() if re.search(r"Overfull|undefined|Missing character|Warning|pdfTeX warning", line)]


@pytest.mark.parametrize(
    "line",
    [
        "LaTeX Warning: Reference `eq:3' on page 2 undefined on input line 40.",
        "Package longtable Warning: Table widths have changed. Rerun LaTeX.",
        "pdfTeX warning (ext4): destination with the same identifier (name{equation.0.1}) has been already used, duplicate ignored",
        r"Overfull \hbox (12.3pt too wide) detected at line 91",
        r"Overfull \vbox (5.0pt too high) has occurred while \output is active",
    ],
)
def test_a_complaint_is_seen(line: str) -> None:
    assert complaints(f"Package: infwarerr 2019/12/03 v1.5 Providing info/warning/error messages (HO)\n{line}\n") == [line]


def test_markdown_leaves_every_formula_alone(case: Case) -> None:
    """GitHub's Markdown reads a page before the formulas are taken out: what it hands on must be what was written."""
    source = case.markdown
    page = html.unescape(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source))
    displayed = re.findall(r"^\$\$\n(.*)\n\$\$$", source, re.MULTILINE)
    assert len(displayed) > 10
    assert not re.search(r"\\(operatorname|mbox|phantom)", source)  # GitHub refuses these
    for formula in displayed:
        assert f"$$\n{formula}\n$$" in page
    for formula in re.findall(r"(?<![$\\])\$([^$\n]+)\$(?!\$)", source):
        assert f"${formula}$" in page


def test_every_reference_has_an_equation_and_every_number_is_used_once(case: Case) -> None:
    document, derivation = case.document, case.derivation
    numbers = [b.number for b in blocks(document) if isinstance(b, Formula) and b.number]
    assert len(numbers) == len(set(numbers))
    equations = [*derivation.equations, *(d.equation for d in derivation.stable)]
    assert sorted(numbers) == sorted(e.number for e in equations)
    assert {part.number for part in parts(document) if isinstance(part, Ref)} <= set(numbers)


def test_every_step_of_the_derivation_is_shown(case: Case) -> None:
    how = notation(case.derivation)
    shown = {row.right for b in blocks(case.document) if isinstance(b, Formula) for row in b.rows}
    for derived in (*case.derivation.derived, *case.derivation.stable):
        equation = derived.equation
        final = how.index(equation.body, equation.indices)
        assert {final, f"{how.entry(equation.tensor, equation.indices)} = {final}"} & shown
        for step in derived.steps[:-1]:
            assert how.index(step.after, equation.indices) in shown, f"({equation.number}) {step.rule}"


def blocks(document: Document) -> list[Block]:
    return [block for section in document.sections for block in section.blocks]


def parts(document: Document) -> list[object]:
    """Everything that stands in sentences and notes."""
    found: list[object] = []
    for block in blocks(document):
        match block:
            case Paragraph(text):
                found += text
            case Items(items):
                found += [part for item in items for part in item]
            case Table(_, rows):
                found += [part for row in rows for cell in row for part in cell]
            case Formula(rows):
                found += [part for row in rows for part in row.note]
            case Picture() | Units() | Plots():
                pass  # they hold symbols and the headings of equations
    return found


def test_the_same_bytes_under_every_hash_seed() -> None:
    script = (
        "import sys, hashlib, derive\nfrom derive.documents import render\n"
        f"network = derive.load({str(ROOT / 'networks' / 'lecture_bce.toml')!r})\n"
        "d = derive.differentiate(network.program())\n"
        "print(*(hashlib.sha256(render(d, network, f).encode()).hexdigest() for f in ('latex', 'markdown')))"
    )
    outputs: set[str] = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60)
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_an_unknown_format_is_refused() -> None:
    network = shipped("two_layer_softmax")
    with pytest.raises(ValueError, match="docx"):
        render(derive.differentiate(network.program()), network, "docx")  # pyright: ignore[reportArgumentType]


def test_no_public_name_hides_a_module() -> None:
    modules = {path.stem for path in (ROOT / "derive").glob("*.py")} | {
        path.parent.name for path in (ROOT / "derive").glob("*/__init__.py")
    }
    assert modules & set(derive.__all__) == set()


def test_templates_hold_layout_only() -> None:
    for template in (ROOT / "derive" / "documents" / "templates").iterdir():
        assert not re.search(r"\\(frac|partial|sum|odot|top)\b|\^\{|_\{", template.read_text())


# -- printers ----------------------------------------------------------------------------------------------------------

N, H, C = Axis("n", "N"), Axis("j", "H", 4), Axis("c", "C", 5)
n, j, c = N.index(), H.index(), C.index()
A, Z, y = Tensor("A1", (N, H)), Tensor("Z", (N, C)), Tensor("y", (N,), values=C)
G, W, L = Tensor("dZ", (N, C)), Tensor("W2", (C, H)), Tensor("L")
SYMBOLS = Symbols({t.name: t for t in (A, Z, y, G, W, L)}, {"dZ": Z})
k = C.fresh()


@pytest.mark.parametrize(
    ("e", "indices", "expected"),
    [
        (Sum(G[n, k] * W[k, j], k), (n, j), r"\sum_{c} G_{Z,nc} W_{2,cj}"),
        (Sum(G[n, k] * W[c, j], k), (n, c, j), r"W_{2,cj} \sum_{c'} G_{Z,nc'}"),
        (Z[n, y[n]], (n,), r"Z_{n,y_n}"),
        (Delta(c, k), (c, k), r"\delta_{cc'}"),
        (-Z[n, c] - A[n, j], (n,), r"-\left(A_{1,nj} + Z_{nc}\right)"),
        (Sum(-Z[n, c] - A[n, j], c), (n, j), r"-\sum_{c} \left(A_{1,nj} + Z_{nc}\right)"),
        (1 - Z[n, c] ** 2, (n, c), r"1 - Z_{nc}^{2}"),
        (Z[n, c] / N.count / (2 * A[n, j]), (n, c), r"\frac{Z_{nc}}{2 N A_{1,nj}}"),
        ((Z[n, c] - G[n, c]) / N.count / C.count, (n, c), r"\frac{1}{N C} \left(Z_{nc} - G_{Z,nc}\right)"),
        (sp.exp(-Z[n, c]), (n, c), r"e^{-Z_{nc}}"),
        (sp.exp(Z[n, c] - Max(Z[n, k], k)), (n, c), r"\exp\left(Z_{nc} - \max_{c'} Z_{nc'}\right)"),
        (where(A[n, j] <= 0, 0, 1) * A[n, j], (n, j), r"A_{1,nj} \mathbf{1}[A_{1,nj} > 0]"),
        (where(A[n, j] <= 0, 0, A[n, j]), (n, j), r"\max\left(0, A_{1,nj}\right)"),
        (Sum(Z[n, c] + 1, c) * A[n, j], (n, j), r"A_{1,nj} \sum_{c} \left(1 + Z_{nc}\right)"),
        (-Sum(sp.log(Z[n, y[n]]), n) / N.count, (), r"-\frac{1}{N} \sum_{n} \log Z_{n,y_n}"),
        (Tensor("sum_Z", (N,))[n], (n,), r"Z_n^{\mathrm{sum}}"),
        (Tensor("sum_dZ_Z", (N,))[n], (n,), r"\left(G_Z Z\right)_n^{\mathrm{sum}}"),
    ],
)
def test_index_form(e: sp.Expr, indices: tuple[Index, ...], expected: str) -> None:
    assert IndexPrinter(SYMBOLS, indices).latex(e) == expected


@pytest.mark.parametrize(
    ("e", "indices", "expected"),
    [
        (Sum(G[n, c] * A[n, j], n), (c, j), r"G_Z^\top A_1"),
        (Sum((Z[n, c] - G[n, c]) * A[n, j], n), (c, j), r"\left(Z - G_Z\right)^\top A_1"),
        (Z[n, c] / G[n, c], (n, c), r"Z \oslash G_Z"),
        ((1 - Z[n, c]) * Z[n, c] * G[n, c], (n, c), r"G_Z \odot Z \odot \left(1 - Z\right)"),
        (where(A[n, j] <= 0, sp.Rational(1, 100), 1), (n, j), r"\mathbf{1}[A_1 > 0] + 0.01 \mathbf{1}[A_1 \le 0]"),
        (Z[n, c] / Sum(Z[n, k], k), (n, c), r"\operatorname{diag}\left(Z \mathbf{1}\right)^{-1} Z"),
        (sp.Rational(1, 2) * Sum(Z[n, c] ** 2, n, c), (), r"\frac{1}{2} \mathbf{1}^\top Z^{\odot 2} \mathbf{1}"),
        (1 / N.count, (n, c), r"\frac{1}{N} \mathbf{1} \mathbf{1}^\top"),
    ],
)
def test_matrix_form(e: sp.Expr, indices: tuple[Index, ...], expected: str) -> None:
    tree = matrix_of(e, indices)
    assert tree is not None
    assert MatrixPrinter(SYMBOLS).latex(tree).replace("  ", " ") == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1/2", r"\frac{1}{2}"),
        ("-1/3", r"-\frac{1}{3}"),
        ("1/100", "0.01"),
        ("44715/1000000", "0.044715"),
        ("1e-12", "10^{-12}"),
        ("-100", "-100"),
    ],
)
def test_numbers(number: str, expected: str) -> None:
    assert number_latex(sp.Rational(number)) == expected


def test_learned_numbers_are_of_the_layer_that_learns_them() -> None:
    """The name of one may end in a digit: a1 of layer 1 is a11 in the program, and s2 of the loss is of no layer."""
    own = {"formula": "a0 + a1 * x", "learned": {"a0": 0, "a1": 1}}
    layers = [{"kind": "dense", "units": 2, "activation": own, "name": "first"}, {"kind": "dense", "units": 1}]
    loss = {"formula": "(prediction - target)**2 * exp(-s9) + s9", "learned": {"s9": 0.5}}
    network = Network(name="learned", inputs=3, layers=layers, loss=loss)
    derivation = derive.differentiate(network.program())
    found = given_rows(derivation.forward, network, notation(derivation))
    rows = {name.text: words for _, (name,), (words,), *_ in found if isinstance(name, Code)}
    assert {name: rows[name] for name in ("W1", "b1", "a01", "a11", "W2", "s9")} == {
        "W1": "weights of layer 1, first",
        "b1": "biases of layer 1, first",
        "a01": "learned numbers of layer 1, first",
        "a11": "learned numbers of layer 1, first",
        "W2": "weights of layer 2",
        "s9": "learned numbers of the loss",
    }


def test_text_is_escaped() -> None:
    assert escape(r"a_b & 50% {x} \ ~ ^ # $") == r"a\_b \& 50\% \{x\} \textbackslash{} \textasciitilde{} \textasciicircum{} \# \$"
    assert markdown_text(("a_b * [c] <d> | $ `", Math("x_1"))) == r"a\_b \* \[c\] \<d\> \| \$ \`$x _1$"
    assert safe(r"\begin{cases} 1 \\ 0 \end{cases} x_{1}") == r"\begin{cases} 1 \cr 0 \end{cases} x _{1}"


# -- layout ------------------------------------------------------------------------------------------------------------


def test_a_long_formula_is_broken_at_its_signs() -> None:
    long = " + ".join(rf"\frac{{a_{{{k}}}}}{{b + c}} \left(x - y\right)" for k in range(12))
    assert len(terms(long)) == 12
    lines = fold(long)
    assert len(lines) > 1
    assert all(width(line) <= LINE for line in lines)
    assert " ".join(lines) == long


def test_a_long_bracket_is_opened() -> None:
    inner = " - ".join(["A_{1,nj}"] * 30)
    lines = fold(rf"G_{{Z}} \left({inner}\right) x")
    assert len(lines) > 1
    assert all(width(line) <= LINE for line in lines)
    assert r"\bigl(" in lines[0]
    assert r"\bigr) x" in lines[-1]


def test_a_long_product_is_broken_before_its_fractions() -> None:
    product = " ".join([r"\frac{\partial H_{10}}{\partial A_{10}}"] * 30)
    long = f"{product} + {product} - c"
    lines = fold(long)
    assert all(width(line) <= LINE for line in lines)
    assert not any(line.endswith(("+", "-")) for line in lines)
    assert " ".join(lines) == long


@pytest.mark.parametrize(("last", "cancels"), [("sigmoid", True), ("softmax", False)])
def test_a_document_says_where_the_bounds_of_pytorch_give_another_gradient(last: str, cancels: bool) -> None:
    layers = [{"kind": "dense", "units": 2, "activation": last}]
    net = Network(name="bounded", inputs=2, loss="binary_cross_entropy", layers=layers)
    text = render(derive.differentiate(net.program()), net, "markdown")
    assert "bounds hold" in text
    assert ("no denominator is left to bound" in text) is cancels
    assert ("No logarithm of a probability is computed" in text) is cancels
