"""The document as a PDF: its pages as they are printed, and what is said where TeX is missing, slow or unwilling."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import codegen
import derive
from chainrule.pdf import errors, pdf
from chainrule.specs import InputError
from codegen.places import places
from derive.documents import Module
from derive.documents.code import with_code
from derive.documents.compose import compose
from derive.documents.document import Document, Formula, Math, Table
from derive.documents.latex import TALL, render_latex, rows
from derive.documents.meaning import meaning
from derive.documents.notation import notation
from tests.test_document import complaints

ROOT = Path(__file__).parent.parent
DPI = 60
needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-recommended)")
needs_poppler = pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="pdftoppm is not installed (Debian: poppler-utils)")


@pytest.fixture(scope="module", params=["digits", "lenet"])
def document(request: pytest.FixtureRequest) -> Document:
    network = derive.load(ROOT / "networks" / f"{request.param}.toml")
    derivation = derive.differentiate(network.program())
    text = codegen.render(derivation, network)
    module = Module(f"{network.name}.py", f"../../generated/{network.name}.py", places(text))
    return with_code(compose(derivation, network), derivation, module)


@pytest.fixture(scope="module")
def printed(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("printed") / "document.pdf"
    path.write_bytes(pdf(render_latex(document)))
    return path


def pages(path: Path) -> list[npt.NDArray[np.uint8]]:
    """The pages as pictures in grey, [height, width]."""
    subprocess.run(["pdftoppm", "-gray", "-r", str(DPI), str(path), str(path.with_suffix(""))], check=True, timeout=120)
    return [pgm(p) for p in sorted(path.parent.glob("document-*.pgm"))]


def pgm(path: Path) -> npt.NDArray[np.uint8]:
    header = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", path.read_bytes())
    assert header is not None
    width, height = int(header[1]), int(header[2])
    return np.frombuffer(path.read_bytes()[header.end() :], np.uint8).reshape(height, width)


@needs_tex
@needs_poppler
def test_every_page_is_printed_inside_its_margins(printed: Path) -> None:
    found = pages(printed)
    margin = round(1.0 / 2.54 * DPI)  # a centimetre, which every printer can do without
    assert len(found) > 3
    for page in found:
        assert (page < 128).any()
        assert (page[:margin] == 255).all()
        assert (page[-margin:] == 255).all()
        assert (page[:, :margin] == 255).all()
        assert (page[:, -margin:] == 255).all()


@needs_tex
@needs_poppler
def test_every_equation_and_reference_is_printed(printed: Path, document: Document) -> None:
    text = subprocess.run(["pdftotext", "-layout", str(printed), "-"], capture_output=True, text=True, check=True, timeout=60).stdout
    for block in (b for s in document.sections for b in s.blocks if isinstance(b, Formula) and b.number):
        assert f"({block.number})" in text
    assert "??" not in text
    assert not re.search(r"\$|\\[A-Za-z]", text)
    assert re.search(r"\(\d+\) +line \d+\n", text)  # the line of the module, in the margin


@needs_tex
@pytest.mark.parametrize("name", ["residual_mlp", "tiny_attention"])
def test_committed_latex_compiles_without_a_complaint(name: str, tmp_path: Path) -> None:
    """With links to lines in the margin, and the list of checks."""
    shutil.copy(ROOT / "docs" / "derivations" / f"{name}.tex", tmp_path / "document.tex")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    for _ in range(3):
        unbroken = {**os.environ, "max_print_line": "10000"}
        subprocess.run(command, cwd=tmp_path, env=unbroken, capture_output=True, timeout=120, check=True)
    assert complaints((tmp_path / "document.log").read_text(errors="replace")) == []


@needs_tex
def test_the_same_document_gives_the_same_bytes() -> None:
    assert pdf(MINIMAL) == pdf(MINIMAL)


@needs_tex
def test_pdflatex_alone_resolves_references(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("pdflatex", "kpsewhich", "mktexpk", "perl", "sh"):
        if found := shutil.which(name):
            (tmp_path / name).symlink_to(Path(found).absolute())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("latexmk") is None
    made = tmp_path / "x.pdf"
    made.write_bytes(pdf(MINIMAL.replace("x\n", "see \\ref{a}\\section{A}\\label{a}\n")))
    assert made.read_bytes().startswith(b"%PDF")


MINIMAL = "\\documentclass{article}\n\\begin{document}\nx\n\\end{document}\n"


@needs_tex
def test_an_error_of_tex_is_named_with_its_line() -> None:
    with pytest.raises(InputError, match=r"document\.tex:3: Undefined control sequence") as raised:
        pdf(MINIMAL.replace("x\n", "x \\nonsense\n"))
    assert "nonsense" in str(raised.value)
    assert len(str(raised.value).splitlines()) < 15


@needs_tex
def test_what_takes_too_long_is_stopped() -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match="longer than 2 s"):
        pdf(MINIMAL.replace("x\n", "\\def\\again{\\again}\\again\n"), seconds=2)
    assert time.monotonic() - start < 10


@needs_tex
def test_no_command_is_run(tmp_path: Path) -> None:
    there = tmp_path / "there"
    pdf(MINIMAL.replace("x\n", f"x\\immediate\\write18{{touch {there}}}\n"))
    assert not there.exists()


@needs_tex
def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    there = tmp_path / "there.txt"
    with pytest.raises(InputError):
        pdf(MINIMAL.replace("x\n", f"x\\newwrite\\out\\immediate\\openout\\out={there}\n"))
    assert not there.exists()


def test_without_tex_the_message_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="apt-get install texlive-latex-recommended"):
        pdf(MINIMAL)


def test_a_missing_style_is_named_with_its_package() -> None:
    found = errors("! LaTeX Error: File `booktabs.sty' not found.\n\nType X to quit\nl.4 \\usepackage\n")
    assert "booktabs.sty" in found
    assert "apt-get install" in found


def test_tex_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    pdf(MINIMAL)
    assert os.listdir(tmp_path) == []


@needs_tex
def test_a_deep_network_fits_the_page(tmp_path: Path) -> None:
    """Its table of factors has a product with a norm for every layer."""
    hidden = [{"kind": "dense", "units": 3, "activation": "sigmoid"}] * 11
    network = derive.Network(name="deep", inputs=3, loss="binary_cross_entropy", layers=hidden)
    section = meaning(derivation := derive.differentiate(network.program()), notation(derivation))
    (tmp_path / "document.tex").write_text(render_latex(Document(("deep",), (section,))))
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "document.tex"]
    for _ in range(3):
        subprocess.run(command, cwd=tmp_path, env={**os.environ, "max_print_line": "10000"}, capture_output=True, timeout=120, check=False)
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert [line for line in complaints(log) if "Overfull" in line] == []


def test_rows_of_a_table_stay_together() -> None:
    """A page may end in a long table, but not next to its first or last row; a fraction does not touch the row above."""
    few = Table((("a",), ("b",)), ((("1",), ("2",)), (("3",), (Math(r"\frac{1}{2}"),))), 1)
    assert rows(few).splitlines() == [r"1 & 2 \\*", rf"{TALL}3 & $\frac{{1}}{{2}}$ \\"]
    many = Table((("a",),), tuple(((str(k),),) for k in range(20)), 0)
    ends = [line.split()[1] for line in rows(many).splitlines()]
    assert [k for k, end in enumerate(ends) if end == r"\\*"] == [0, 18]
