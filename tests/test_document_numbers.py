"""Documents in numbers, exercises and summaries: every number that a reader sees is what the module returns, rounded."""

from __future__ import annotations

import functools
import itertools
import math
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import derive
from chainrule import exercise, numbers, worksheet
from chainrule.exercise import BIASES, INPUTS, WEIGHTS, sized
from chainrule.given import Given, given
from chainrule.module import arrays
from chainrule.numbers import Mismatch, point, worked_at
from chainrule.specs import InputError
from chainrule.worksheet import Sheeted, Wanted
from derive import Network
from derive.build import Examples
from derive.documents.figures import Rounding, is_cut, matrix, positions
from derive.documents.indices import one_term
from derive.documents.markdown import safe
from derive.documents.notation import notation
from derive.documents.numbers import figures
from derive.evaluate import Given as Array
from derive.family import gradient_of
from derive.terms import eliminations
from tests import modules
from tests.tutorial import EXAMPLE, RATE

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "networks" / "data" / "worked_example.toml"
SHEETS = {"worked_example": str(TUTORIAL), "xor": "seed=0,examples=4", "notes_two_layer": "seed=1"}


def shipped(name: str) -> Network:
    return derive.load(ROOT / "networks" / f"{name}.toml")


interpreted = functools.cache(modules.interpreted)


@pytest.fixture(autouse=True)
def _run_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules are run by Python: nothing is compiled."""
    monkeypatch.setattr(worksheet, "built", interpreted)


@functools.cache
def sheet(name: str, wanted: Wanted, examples: Examples = "batch") -> Sheeted:
    return worksheet.worksheet(shipped(name), examples, wanted)


def markdown(made: Sheeted, detail: Any = "summary") -> str:
    return derive.document(made.derivation, made.network, "markdown", detail, made.numbers)


# -- reading a document back -------------------------------------------------------------------------------------------

MATRIX = re.compile(r"\\begin\{bmatrix\} (.*?) \\end\{bmatrix\}", re.DOTALL)
NUMBER = r"-?\d+(?:\.\d+)?(?: \\cdot 10\^\{\d+\})?"


@dataclass(frozen=True)
class Line:
    """left relation right, where right is one matrix or number."""

    left: str
    relation: str
    cells: tuple[tuple[str, ...], ...]


def formulas(text: str) -> Iterator[list[str]]:
    """The rows of every displayed formula; rows within a matrix are no rows."""
    for body in re.findall(r"\$\$\n(.*?)\n\$\$", text, re.DOTALL):
        whole = MATRIX.sub(lambda found: found[0].replace(r"\cr", ";").replace("&", "¦"), body)
        whole = re.sub(r"\\(begin|end)\{aligned\}|\\tag\{[^}]*\}", "", whole)
        yield [row.strip() for row in re.sub(r"\\cr\s*&\\quad", "", whole).split(r"\cr")]  # what was broken into lines is one row


def lines(text: str) -> Iterator[Line]:
    """What is said of a value: the rows whose right side is one matrix or number."""
    for rows in formulas(text):
        left = ""
        for row in rows:
            found = re.fullmatch(r"(.*?)\s*&?\s*(=|\\approx|\\leftarrow)\s*(.*)", row)
            if found is None:
                continue
            left = found[1].strip() or left
            cells = table(found[3].strip())
            if cells is not None:
                yield Line(left, found[2], cells)


def table(text: str) -> tuple[tuple[str, ...], ...] | None:
    inside = re.fullmatch(r"\\begin\{bmatrix\} ([^\\]*(?:\\(?!end|begin)[^\\]*)*) \\end\{bmatrix\}", text)
    if inside is not None:
        return tuple(tuple(cell.strip() for cell in row.split("¦")) for row in inside[1].split(";"))
    return ((text,),) if re.fullmatch(rf"{NUMBER}|\\underline.*", text) else None


def numbers_of(text: str) -> Iterator[str]:
    """Every number in a matrix."""
    for body in MATRIX.findall(text):
        yield from re.findall(NUMBER, body)


def agrees(cells: tuple[tuple[str, ...], ...], array: Array, decimals: int) -> bool:
    """Whether a matrix as it is shown is an array, rounded."""
    wanted = array.reshape(1, 1) if array.ndim == 0 else array.reshape(-1, 1) if array.ndim == 1 else array
    shown = np.array([[float(cell) for cell in row] for row in cells])
    return shown.shape == wanted.shape and bool(np.all(np.abs(shown - wanted) <= 0.5 * 10.0**-decimals * (1 + 1e-6)))


def named(made: Sheeted) -> Mapping[str, tuple[str, Array]]:
    """The name and value of every tensor by its symbol in Markdown."""
    how = notation(made.derivation)
    worked = made.numbers.worked
    tensors = (*made.derivation.forward.given, *(e.tensor for e in made.derivation.equations))
    found = {safe(how.name(t)): (t.name, worked.values[t.name] + (t.values is not None and how.first)) for t in tensors}
    onehots = {safe(how.name(Y)): (Y.name, figures(made.numbers, how).onehot(y)) for y, Y in how.onehots.items()}
    return found | onehots


# -- what a document in numbers shows ----------------------------------------------------------------------------------


def test_a_gradient_that_is_zero_but_for_rounding_is_no_mismatch() -> None:
    """A bias of the keys moves all scores of a row alike, so softmax takes no notice of it."""
    layers = [{"kind": "embedding", "embedding_dim": 2}, {"kind": "attention"}, {"kind": "dense", "units": 2}]
    network = Network(name="keys", inputs={"shape": [3], "tokens": 3}, loss="softmax_cross_entropy", layers=layers)
    made = worksheet.worksheet(network, "batch", Wanted(source="seed=0,examples=2"))
    values = made.numbers.worked.values
    assert 0 < np.abs(values["dbk2"]).max() < 1e-12
    largest = min(np.abs(values[name]).max() for name in values if values[name].any() and name != "dbk2")
    assert figures(made.numbers, notation(made.derivation)).rounding.decimals <= max(4, 1 - math.floor(math.log10(largest)))


@pytest.mark.parametrize("name", SHEETS)
@pytest.mark.parametrize("detail", ["summary", "steps"])
def test_every_number_is_what_the_module_returns(name: str, detail: str) -> None:
    made = sheet(name, Wanted(source=SHEETS[name]))
    text = markdown(made, detail)
    before, after = text.split("## Update")
    worked, decimals = made.numbers.worked, _decimals(text)
    module = interpreted(shipped(name))
    at = point(shipped(name), module, given(SHEETS[name]))
    loss, gradient = module.gradients(at.parameters, at.X, at.y)
    trained, _ = module.train(at.parameters, at.X, at.y, epochs=1, batch_size=len(at.X), learning_rate=worked.learning_rate, shuffle=False)
    returned = {gradient_of(t).name: arrays(gradient)[t.name] for t in worked.derivation.forward.parameters} | {"L": np.asarray(loss)}
    symbols = named(made)
    seen = set[str]()
    for line in lines(before):
        if re.search(r"\\partial|\\sum", line.left):  # a formula that is a number: dA/db = 1
            continue
        tensor, array = symbols[line.left]
        assert agrees(line.cells, returned.get(tensor, array), decimals), line
        seen.add(tensor)
    assert seen == {tensor for tensor, _ in symbols.values()}  # nothing is left out
    stepped = set[str]()
    for line in lines(after.split("## Summary")[0]):
        tensor, _ = symbols[line.left]
        wanted = np.asarray(module.loss(trained, at.X, at.y)) if tensor == "L" else arrays(trained)[tensor]
        assert agrees(line.cells, wanted, decimals), line
        stepped.add(tensor)
    assert stepped == {*arrays(trained), "L"}


@pytest.mark.parametrize("name", SHEETS)
def test_no_number_is_put_in_that_is_not_shown_before(name: str) -> None:
    """Every matrix in a formula is the value of a tensor, as it stands in the document."""
    text = markdown(sheet(name, Wanted(source=SHEETS[name])))
    shown = set[tuple[tuple[str, ...], ...]]()
    put_in = 0
    for rows in formulas(text):
        for row in rows:
            found = re.search(r"(?:=|\\approx|\\leftarrow)\s*(.*)", row)
            cells = table(found[1].strip()) if found else None
            if cells is not None:
                shown.add(cells)
                continue
            for body in MATRIX.findall(row):
                assert tuple(tuple(cell.strip() for cell in line.split("¦")) for line in body.split(";")) in shown, row
                put_in += 1
    assert put_in > 20


def test_the_tutorials_example() -> None:
    """Its formulas with its numbers, by the program of the tests; where the text itself miscalculates, docs/errata.md says so."""
    from tests.tutorial import gradients

    made = sheet("worked_example", Wanted(source=str(TUTORIAL)))
    for name, array in gradients(EXAMPLE).items():
        np.testing.assert_allclose(made.numbers.worked.values[name], array, rtol=0, atol=1e-15)
    assert made.numbers.worked.learning_rate == RATE
    text = markdown(made)
    assert r"A _1 &= \begin{bmatrix} 0.4 & 0.6 \end{bmatrix} \begin{bmatrix} 0.5 \cr 0.8 \end{bmatrix}" in text
    assert r"\begin{bmatrix} 0.78 \end{bmatrix}" in text  # exact, where the results of a sigmoid are rounded
    assert r"H _1 &= \sigma\left(\begin{bmatrix} 0.78 \end{bmatrix}\right) \cr  &\approx \begin{bmatrix} 0.6857 \end{bmatrix}" in text


@pytest.mark.parametrize("name", SHEETS)
def test_all_numbers_are_rounded_alike(name: str) -> None:
    text = markdown(sheet(name, Wanted(source=SHEETS[name])))
    decimals = _decimals(text)
    assert text.count("Numbers are rounded to") == 1
    for line in lines(text):
        lengths = {len(cell.partition(".")[2]) for row in line.cells for cell in row if cell != "0"}
        if line.relation == r"\approx":
            assert lengths <= {decimals}, line
        else:
            assert all(length <= decimals for length in lengths), line
    assert not re.search(r"-0(\.0+)?(?![\d.])", text)


def _decimals(text: str) -> int:
    found = re.search(r"rounded? (?:every result )?to (\d+) decimals", text)
    assert found is not None
    return int(found[1])


def test_one_example_and_another_convention() -> None:
    made = worksheet.worksheet(
        shipped("notes_two_layer").model_copy(update={"convention": "xw"}), "single", Wanted(source="seed=3,examples=1")
    )
    symbols = named(made)
    before = markdown(made).split("## Update")[0]
    assert {symbols[line.left][0] for line in lines(before)} == {name for name, _ in symbols.values()}
    with pytest.raises(InputError, match="of a single example, and the numbers hold 2; right would be one"):
        sheet("xor", Wanted(source="seed=3"), "single")


# -- a module that computes something else -----------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["gradients", "loss", "predict", "train"])
def test_a_difference_is_an_error(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = shipped("xor")
    module = modules.interpreted(network)  # one of its own, which is changed
    right = getattr(module, function)

    def wrong(p: Any, *arguments: Any, **options: Any) -> Any:
        return right(p._replace(b1=p.b1 + 1e-9), *arguments, **options)

    at = point(network, module, given("seed=0"))
    derivation = derive.differentiate(network.program())
    worked_at(network, derivation, module, at, 0.1)
    monkeypatch.setattr(module, function, wrong)
    with pytest.raises(Mismatch, match=f"`{function}` of the generated module gives a value that differs by .*; nothing is written"):
        worked_at(network, derivation, module, at, 0.1)
    monkeypatch.setattr(numbers, "ALLOWED", 1e-6)
    worked_at(network, derivation, module, at, 0.1)


def test_numbers_at_which_the_formulas_overflow(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text("X = [[1e6, 0.0, 0.0, 0.0]]\ny = [0]\nseed = 0\n")
    with pytest.raises(InputError, match=r"notes_two_layer: P\[.*\] is nan as the formulas stand: right would be smaller numbers"):
        sheet("notes_two_layer", Wanted(source=str(path)))


# -- exercises ---------------------------------------------------------------------------------------------------------

EXERCISES = ["worked_example", "xor", "notes_two_layer", "lecture_bce", "two_layer_softmax", "digits"]


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_and_its_solution(name: str) -> None:
    """They agree in all that is given; each blank of one is a number, or a formula, of the other."""
    asked, solved = (sheet(name, Wanted(kind, seed=2)) for kind in ("exercise", "solution"))
    question, solution = markdown(asked), markdown(solved)
    data, rest = question.split("## Forward pass")
    assert list(lines(data)) == list(lines(solution.split("## Forward pass")[0]))
    assert question == markdown(sheet(name, Wanted("exercise", seed=2)))
    assert question != markdown(sheet(name, Wanted("exercise", seed=3)))
    blanks, results = list(lines(rest)), list(lines(solution.split("## Forward pass")[1]))
    shapes = [[len(row) for row in line.cells] for line in blanks]
    assert shapes == [[len(row) for row in line.cells] for line in results]
    assert [line.left for line in blanks if "partial" not in line.left] == [line.left for line in results]
    assert all(set(cell) & set("0123456789") == set() for line in blanks for row in line.cells for cell in row)
    formulas_asked = re.findall(r"\\frac\{\\partial L\}\{\\partial [^=]*=[^=]*= \\underline", question)
    assert len(formulas_asked) == sum(d.of is not None for d in asked.derivation.backward)


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("seed", range(3))
def test_the_numbers_of_an_exercise_are_friendly(name: str, seed: int) -> None:
    worked = sheet(name, Wanted("exercise", seed=seed)).numbers.worked
    forward, values = worked.derivation.forward, worked.values
    for tensor in forward.parameters:
        assert set(values[tensor.name].flat) <= {*WEIGHTS, *BIASES}
    assert set(values[forward.inputs[0].name].flat) <= set(INPUTS)
    assert all(np.abs(values[e.tensor.name]).max() <= exercise.TAME for e in forward.equations)
    for tensor in forward.parameters:
        gradient = values[gradient_of(tensor).name]
        assert 2 * np.count_nonzero(gradient) >= gradient.size
        assert np.abs(gradient).max() >= exercise.FAINT
    count = sum(values[e.tensor.name].size for e in worked.derivation.equations) + sum(a.size for a in worked.after.values())
    assert count <= exercise.MOST_VALUES


def test_a_large_network_becomes_a_small_one_of_the_same_layers() -> None:
    made = sheet("digits", Wanted("exercise"))
    assert [layer.kind for layer in made.network.layers] == ["dense", "dense"]
    assert [layer.parameters["units"] for layer in made.network.layers] == [3, 2]
    assert made.network.inputs == 3
    assert "made smaller: where it had 10 have become 2 and 64 have become 3" in markdown(made)


def test_an_exercise_with_a_penalty() -> None:
    layers = [{"kind": "dense", "units": 2, "activation": "tanh"}, {"kind": "dense", "units": 1}]
    penalties = [{"kind": "l2", "strength": 0.01}]
    network = Network(name="penalised", inputs=2, layers=layers, loss="mean_squared_error", penalties=penalties)
    made = worksheet.worksheet(network, "batch", Wanted("exercise"))
    assert r"\underline" in markdown(made)


@pytest.mark.parametrize("name", ["lenet", "tiny_attention"])
def test_a_network_that_cannot_be_made_small_enough(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is too large for an exercise: found \\d+ numbers .*; right would be a spec"):
        sized(shipped(name), 2)


# -- data of all kinds -------------------------------------------------------------------------------------------------

GOOD = "X = [[0.5, 0.8]]\ny = [[1.0]]\nW1 = [[0.4, 0.6]]\nb1 = [0.1]\nW2 = [[0.9]]\nb2 = [0.1]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("b2 = [0.1]\n", ""), "found nothing for b2; right would be an array for each, or seed = 0"),
        (GOOD.replace("[[0.4, 0.6]]", "[[0.4], [0.6]]"), r"W1 has shape \(2, 1\): an array of shape \(1, 2\) is needed"),
        (GOOD.replace("[[0.5, 0.8]]", "[[0.5, 0.8, 1]]"), r"X has shape \(1, 3\)"),
        (GOOD.replace("[[1.0]]", "[[1.0], [2.0]]"), r"y has shape \(2, 1\)"),
        (GOOD.replace("0.8", "nan"), r"X\[0, 1\]: found nan; right would be a finite number"),
        (GOOD.replace("0.9", "inf"), r"W2\[0, 0\]: found inf"),
        (GOOD.replace("[[0.4, 0.6]]", "[[0.4, 0.6], [1]]"), "W1: found rows of different lengths"),
        (GOOD.replace("0.9", '"0.9"'), "W2: found text; right would be real numbers"),
        (GOOD.replace("0.9", "true"), "W2: found true or false"),
        (GOOD + "w3 = [1]\n", r"found 'w3' \(did you mean W2\?\)|found 'w3'"),
        (GOOD + "learning_rate = 0\n", "learning_rate: found 0; right would be a finite number above 0"),
        (GOOD + "seed = -1\n", "seed: found -1"),
        ("X = [[", "found what is not TOML"),
        ("X = " + "[" * 5000, "found (brackets that nest too deeply|what is not TOML)"),
        ("# " + "x" * 70000, "or an NPZ file"),
        ("X = []\n" + GOOD.partition("\n")[2], "found 0 examples"),
        ("X = { a = 1 }\n", "X: found what is no array of numbers"),
    ],
)
def test_a_data_file_that_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "data.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        sheet("worked_example", Wanted(source=str(path)))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_from_an_npz_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=[[0.5, 0.8]], y=[[1]], W1=[[0.4, 0.6]], b1=[0.1], W2=np.array([[0.5]], np.float32), b2=[0.1], learning_rate=0.25)
    made = sheet("worked_example", Wanted(source=str(path)))
    assert made.numbers.worked.learning_rate == 0.25
    assert made.numbers.worked.values["W2"] == 0.5
    assert "are those of data.npz" in markdown(made)


class Pickled:
    """What must not come to life."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (pytest.fail, ("the file was unpickled",))


def test_hostile_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, X=np.array([Pickled()], dtype=object))
    with pytest.raises(InputError, match="X: found pickled objects, which are never read"):
        given(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "X.npy", b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
        )
    with pytest.raises(InputError, match=r"X: found a shape .* that the file has no numbers for"):
        given(str(path))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", bytes(40 * 2**20))
    with pytest.raises(InputError, match="bytes of arrays; right would be at most"):
        given(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"no array")
    with pytest.raises(InputError, match=r"cannot be read .*; right would be an NPZ file of numbers"):
        given(str(path))
    path.write_bytes(b"no zip file")
    with pytest.raises(InputError, match="right would be an NPZ file of numbers"):
        given(str(path))


@pytest.mark.parametrize(
    "source", ["seed", "seed=", "seed=-1", "seed=1,examples=x", "numbers.csv", "", "seed=0,examples=0", "seed=0,examples=101"]
)
def test_sources_that_mean_nothing(source: str) -> None:
    with pytest.raises(InputError, match=r"right (would be a file|for a document)"):
        given(source)


# -- how numbers are written -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "exact", "text"),
    [
        (0.03125, False, "0.0313"),
        (-0.03125, False, "-0.0313"),
        (2.00005, False, "2.0001"),
        (-0.00001, False, "0.0000"),
        (0.0, False, "0"),
        (-0.0, True, "0"),
        (0.1 + 0.2, True, "0.3"),
        (2.0, True, "2"),
        (2.0, False, "2.0000"),
        (-12.5, True, "-12.5"),
        (100.0, True, "100"),
        (1234567.0, False, r"1.2346 \cdot 10^{6}"),
    ],
)
def test_rounding(x: float, exact: bool, text: str) -> None:
    assert Rounding(4).text(x, exact=exact) == text


def test_large_matrices_are_cut() -> None:
    array = np.arange(81.0).reshape(9, 9)
    assert positions(9) == [0, 1, 2, 3, -1, 8]
    assert is_cut(array)
    assert not is_cut(array[:8, :8])
    rows = matrix(array, lambda x: str(int(x))).split(r" \\ ")
    assert rows[0] == r"\begin{bmatrix} 0 & 1 & 2 & 3 & \cdots & 8"
    assert rows[4] == r"\vdots & \vdots & \vdots & \vdots & \ddots & \vdots"
    assert rows[5] == r"72 & 73 & 74 & 75 & \cdots & 80 \end{bmatrix}"


def test_more_decimals_where_a_gradient_would_vanish() -> None:
    network = shipped("xor")
    at = Given("it", {"X": np.array([[20.0, 20.0]]), "y": np.array([[1.0]])}, seed=0)
    module = modules.interpreted(network)
    derivation = derive.differentiate(network.program())
    worked = worked_at(network, derivation, module, point(network, module, at), 0.1)
    how = figures(worksheet.Numbers(worked, "Here."), notation(derivation))
    assert 4 < how.rounding.decimals <= 8


# -- less and more detail ----------------------------------------------------------------------------------------------


def test_a_summary_has_the_results_alone() -> None:
    network = shipped("two_layer_softmax")
    derivation = derive.differentiate(network.program())
    text = derive.document(derivation, network, "markdown", "summary")
    how = notation(derivation)
    for equation in (*derivation.forward.equations, *(d.equation for d in derivation.backward)):
        form = how.matrix(equation.body, equation.indices)
        assert form is not None
        assert safe(form) in text
        assert text.count(rf"\quad ({equation.number})") == 1
    assert "chain rule" not in text
    assert len(text.splitlines()) < 40


@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
def test_where_the_transposes_come_from(convention: Any) -> None:
    """The factors' shapes fit, in the order of the product; what is transposed is read the other way round."""
    network = shipped("two_layer_softmax").model_copy(update={"convention": convention})
    derivation = derive.differentiate(network.program())
    text = derive.document(derivation, network, "markdown", "indices")
    tables = re.findall(r"\| In indices .*\n.*\n((?:\|.*\n)+)", text)
    assert len(tables) == 6  # W2, b2, H1, W1, b1, X
    for rows in tables:
        *factors, whole = [[cell.strip(" $") for cell in row.split("|")[1:-1]] for row in rows.splitlines()]
        shapes = [factor[2].split(r" \times ") for factor in factors]
        assert all(left[1] == right[0] for left, right in itertools.pairwise(shapes))
        assert whole[2] == rf"{shapes[0][0]} \times {shapes[-1][1]}"
        assert whole[1] == " ".join(factor[1] for factor in factors)
        for factor in factors:
            assert factor[1].endswith(r"^\top") == ("so it is transposed" in factor[3])


@pytest.mark.parametrize("name", ["two_layer_softmax", "lecture_bce", "residual_mlp"])
def test_the_deltas_in_turn_lead_from_one_formula_to_the_other(name: str) -> None:
    derivation = derive.differentiate(shipped(name).program())
    shown = 0
    for derived in derivation.backward:
        for step in derived.steps:
            term = one_term(step.before) if step.rule == "delta elimination" else None
            if term is not None:
                *_, last = eliminations(term)
                assert last.term.expr() == step.after
                shown += 1
    assert shown >= 6


# -- LaTeX -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended)")
@pytest.mark.parametrize(
    ("name", "wanted", "detail"),
    [
        ("worked_example", Wanted(source=str(TUTORIAL)), "steps"),
        ("digits", Wanted(source="seed=0,examples=9"), "summary"),
        ("lenet", Wanted(source="seed=0"), "summary"),
        ("xor", Wanted("exercise"), "summary"),
        ("two_layer_softmax", Wanted("solution"), "indices"),
    ],
)
def test_the_latex_compiles(name: str, wanted: Wanted, detail: Any, tmp_path: Path) -> None:
    made = sheet(name, wanted)
    (tmp_path / "document.tex").write_text(derive.document(made.derivation, made.network, "latex", detail, made.numbers))
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert not re.findall(r"Overfull.*|.*undefined.*|Missing character.*|.*Warning.*", log)
