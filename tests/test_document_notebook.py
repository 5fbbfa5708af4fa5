"""What a notebook shows of a derivation."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import derive
from derive.derivation import Derivation
from derive.documents import notebook
from derive.documents.html import render_html
from tests.browser import CHROMIUM, measured

ROOT = Path(__file__).parent.parent
SHOWN = ("html", "markdown", "latex")


@pytest.fixture(scope="module", params=["digits", "lecture_bce", "lenet"])
def derivation(request: pytest.FixtureRequest) -> Derivation:
    return derive.differentiate(derive.load(ROOT / "networks" / f"{request.param}.toml").program())


def representation(derivation: Derivation, form: str) -> str:
    """What IPython asks an object for."""
    return getattr(derivation, f"_repr_{form}_")()


@pytest.mark.parametrize("form", SHOWN)
def test_every_equation_is_shown_by_its_number(derivation: Derivation, form: str) -> None:
    shown = re.sub(r"\\([()])", r"\1", representation(derivation, form))
    wanted = [e.number for e in derivation.forward.equations] + [d.equation.number for d in derivation.backward if d.of is not None]
    assert all(f"({number})" in shown for number in wanted)


def test_the_html_is_whole_and_harmless(derivation: Derivation) -> None:
    tags: list[str] = []

    class Balanced(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert not [name for name, _ in attrs if name.startswith("on")]
            tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert tags.pop() == tag

    markup = representation(derivation, "html")
    Balanced().feed(markup)
    assert tags == []
    assert " id=" not in markup  # a page holds many outputs
    assert "<script" not in markup


def test_formulas_are_displayed(derivation: Derivation) -> None:
    latex = representation(derivation, "latex")
    assert latex.startswith("$$\n\\begin{aligned}")
    assert latex.endswith("\\end{aligned}\n$$")
    assert r"\frac{\partial L}{\partial W" in latex
    assert "$$" in representation(derivation, "markdown")


def test_no_notebook_is_needed() -> None:
    assert "IPython" not in sys.modules


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")
def test_a_browser_shows_it(derivation: Derivation, tmp_path: Path) -> None:
    page = render_html(notebook.brief(derivation))
    fragment = re.sub(r"<main>.*</main>", lambda _: f"<main>{representation(derivation, 'html')}</main>", page, flags=re.DOTALL)
    (found,) = measured([(fragment, 800)], tmp_path)
    assert found["flat"] == 0
    assert found["unknown"] == []
    assert not re.search(r"[$\\]", found["text"])
    assert found["scroll"] <= 800
