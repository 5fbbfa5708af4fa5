"""Equations and code: every link of a document leads to the line that computes the equation, and the checks are those of the proof."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

import codegen
import derive
from chainrule.check import render
from codegen.places import places
from derive.derivation import Derivation
from derive.documents.code import Module, with_code
from derive.documents.compose import compose
from derive.documents.document import Document, Formula, Link, Ref, Table
from derive.proof.planned import Check, planned
from derive.proof.verdict import Verdict

ROOT = Path(__file__).parent.parent
NETWORKS = sorted(p.stem for p in (ROOT / "networks").glob("*.toml"))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("end", [".md", ".tex"])
def test_committed_links_lead_to_the_comment_of_the_equation(name: str, end: str) -> None:
    """Read from the files as they are: the number beside the link is the number in the comment at that line."""
    text = (ROOT / "docs" / "derivations" / (name + end)).read_text()
    markdown = re.compile(r"<sub>\((\w+)\) in the code: \[line \d+\]\(([^)]+)#L(\d+)\)</sub>")
    latex = re.compile(r"\\tag\*\{\((\w+)\)\\beside\{\\href\{([^}]+)\\#L(\d+)\}")
    found = (markdown if end == ".md" else latex).findall(text)
    module = derive.differentiate(derive.load(ROOT / "networks" / f"{name}.toml").program()).computed
    assert {number for number, _, _ in found} == {e.number for e in module.equations}
    for number, url, line in found:
        file = (ROOT / "docs" / "derivations" / unquote(url.replace(r"\_", "_"))).resolve()
        assert file == ROOT / "generated" / f"{name}.py"
        comment = file.read_text().splitlines()[int(line) - 1].lstrip()
        assert comment.startswith(f"# ({number})  ") or (comment.startswith("# start of ") and f"({number})" in comment)


def test_a_check_renders_links_from_its_own_module() -> None:
    files = {path.name: text for path, text in render(derive.load(ROOT / "networks" / "xor.toml")).items()}
    lines = files["xor.py"].splitlines()
    for number, line in re.findall(r"<sub>\((\w+)\) in the code: \[line (\d+)\]", files["xor.md"]):
        assert lines[int(line) - 1].lstrip().startswith(f"# ({number})  ")


def test_places_prefer_the_kernel_of_the_gradients() -> None:
    predict = "def _predict(x):\n    # (1)  A = X\n    # (2)  P = A\n"
    gradients = "def _gradients(x):\n    # (1)  A = X\n    # (1) continued\n    # start of (3), (4)\n    # (3)  dA = P\n"
    assert places(predict + gradients) == {"1": 5, "2": 3, "3": 8, "4": 7}


@pytest.mark.parametrize("name", ["xor", "two_layer_softmax"])
def test_the_checks_that_are_named_are_those_of_the_proof(name: str) -> None:
    derivation = derive.differentiate(derive.load(ROOT / "networks" / f"{name}.toml").program())
    run = Counter(Check(v.number, v.rule, v.step) for v in derive.prove(derivation) if v.number)
    assert Counter(planned(derivation)) == run


def test_one_equation_proved_alone_has_the_same_verdicts() -> None:
    derivation = derive.differentiate(derive.load(ROOT / "networks" / "xor.toml").program())
    every = list(derive.prove(derivation))
    for number in ("1", "6", "8"):
        assert list(derive.prove(derivation, equation=number)) == [v for v in every if v.number == number]


@pytest.fixture(scope="module")
def xor() -> tuple[Derivation, Document]:
    network = derive.load(ROOT / "networks" / "xor.toml")
    derivation = derive.differentiate(network.program())
    module = Module("xor.py", "xor.py", places(codegen.render(derivation, network)))
    return derivation, with_code(compose(derivation, network), derivation, module)


def test_each_equation_is_linked_listed_and_has_its_checks(xor: tuple[Derivation, Document]) -> None:
    derivation, document = xor
    computed = {e.number for e in derivation.computed.equations}
    for block in (b for s in document.sections for b in s.blocks if isinstance(b, Formula) and b.number):
        assert any(isinstance(part, Link) for part in block.code) == (block.number in computed)
    table = listing(document)
    assert len(table.rows) == len(derivation.equations) + len(derivation.stable)
    derived = {d.equation.number for d in (*derivation.derived, *derivation.stable)}
    assert all(row[-1] != ("",) for row, number in zip(table.rows, numbers(table), strict=True) if number in derived)


def test_a_failed_check_is_stated(xor: tuple[Derivation, Document]) -> None:
    derivation, document = xor
    verdicts = [Verdict("6", "cancel", "finite field", False, "", "", 1), Verdict("6", "chain", "inspection", True, "")]
    sections = Document(document.title, ())
    found = with_code(sections, derivation, None, verdicts)
    (row,) = [row for row, number in zip(listing(found).rows, numbers(listing(found)), strict=True) if number == "6"]
    assert row[-1] == ("FAILED, finite field: 1 step; inspection: chain",)
    assert any("1 failed" in str(part) for s in found.sections for b in s.blocks for part in getattr(b, "text", ()))


def listing(document: Document) -> Table:
    (table,) = [b for b in document.sections[-1].blocks if isinstance(b, Table)]
    return table


def numbers(table: Table) -> list[str]:
    return [getattr(row[0][0], "number", "") for row in table.rows]


def test_a_definition_names_the_form_that_is_checked() -> None:
    """No row of the list is left without a check or where to find it."""
    network = derive.load(ROOT / "networks" / "two_layer_softmax.toml")
    derivation = derive.differentiate(network.program())
    table = with_code(compose(derivation, network), derivation, None).sections[-1].blocks[-1]
    assert isinstance(table, Table)
    checks = {row[0][0].number: row[-1] for row in table.rows if isinstance(row[0][0], Ref)}
    assert checks["4"] == ("a definition; checked as ", Ref("4d"))
    assert checks["5"] == ("a definition; checked as ", Ref("5a"))
    assert all(found != ("",) for found in checks.values())
