"""The document as a page: what a browser makes of it, at the width of a desk and of a telephone."""

from __future__ import annotations

import html
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import codegen
import derive
from codegen.places import places
from derive.documents import Module
from derive.documents import mathml_symbols as known
from derive.documents.code import with_code
from derive.documents.compose import compose
from derive.documents.document import Code, Document, Formula, Link, Math, Paragraph, Row, Section
from derive.documents.html import headings, render_html
from derive.documents.mathml import FormulaError, mathml
from tests.browser import CHROMIUM, measured, screenshot
from tests.test_document import CASES

ROOT = Path(__file__).parent.parent
WIDTHS = (1280, 390)
NAMES = ["digits", "residual_mlp", "every activation", "products", "positions"]
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)")


def document(name: str) -> Document:
    if name in CASES:
        network, convention, examples = CASES[name]()
        return compose(derive.differentiate(network.program(convention, examples)), network)
    network = derive.load(ROOT / "networks" / f"{name}.toml")
    derivation = derive.differentiate(network.program())
    module = Module(f"{name}.py", f"../{name}.py", places(codegen.render(derivation, network)))
    return with_code(compose(derivation, network), derivation, module)


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return {name: document(name) for name in NAMES}


@pytest.fixture(scope="module")
def pages(documents: dict[str, Document]) -> dict[str, str]:
    return {name: render_html(made) for name, made in documents.items()}


@pytest.fixture(scope="module")
def seen(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    """What the browser measured, by page and width."""
    asked = [(name, width) for name in NAMES for width in WIDTHS]
    found = measured([(pages[name], width) for name, width in asked], tmp_path_factory.mktemp("pages"))
    return dict(zip(asked, found, strict=True))


# -- in a browser ------------------------------------------------------------------------------------------------------


@needs_browser
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
class TestInABrowser:
    def test_the_page_does_not_scroll_sideways(self, seen: dict[tuple[str, int], dict[str, Any]], name: str, width: int) -> None:
        page = seen[name, width]
        assert page["client"] == width
        assert page["scroll"] <= width
        assert page["outside"] == 0

    def test_every_equation_is_laid_out(
        self, seen: dict[tuple[str, int], dict[str, Any]], documents: dict[str, Document], name: str, width: int
    ) -> None:
        page = seen[name, width]
        assert [name for name, *_ in page["equations"]] == [f"eq-{number}" for number in numbers(documents[name])]
        assert all(right - left > 20 and bottom - top > 10 for _, left, top, right, bottom in page["equations"])
        tops = [top for _, _, top, _, _ in page["equations"]]
        assert tops == sorted(tops)
        assert page["flat"] == 0
        assert page["unknown"] == []

    def test_no_source_of_a_formula_is_seen(self, seen: dict[tuple[str, int], dict[str, Any]], name: str, width: int) -> None:
        assert not re.search(r"[$\\]|&[a-z]+;|\{\{|\}\}", seen[name, width]["text"])

    def test_links_lead_somewhere(self, seen: dict[tuple[str, int], dict[str, Any]], name: str, width: int) -> None:
        assert seen[name, width]["dead"] == []
        assert seen[name, width]["repeated"] == []

    def test_the_page_needs_nothing_else(self, seen: dict[tuple[str, int], dict[str, Any]], name: str, width: int) -> None:
        assert seen[name, width]["elements"] == 0

    def test_the_words_are_large_enough_to_read(self, seen: dict[tuple[str, int], dict[str, Any]], name: str, width: int) -> None:
        assert min(seen[name, width]["sizes"]) >= 14


@needs_browser
def test_dark_and_light(pages: dict[str, str], tmp_path: Path) -> None:
    light = screenshot(pages["digits"], 800, 600, tmp_path)
    dark = screenshot(pages["digits"], 800, 600, tmp_path, dark=True)
    assert np.median(light) > 240
    assert np.median(dark) < 40
    for picture in (light, dark):
        assert picture.max() - picture.min() > 180  # the words stand out


@needs_browser
def test_a_wide_formula_scrolls_in_its_own_box(tmp_path: Path) -> None:
    wide = Document(("wide",), (Section(("s",), (Formula((Row("y", " ".join(["x_{1}"] * 200)),), "1"),)),))
    (page,) = measured([(render_html(wide), 390)], tmp_path)
    assert page["equations"][0][3] > 1000
    assert page["scroll"] <= 390


# -- the text of the page ----------------------------------------------------------------------------------------------


def numbers(document: Document) -> list[str]:
    return [b.number for s in document.sections for b in s.blocks if isinstance(b, Formula) and b.number]


class Balanced(HTMLParser):
    """Every element that is opened is closed."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_well_formed_and_fetches_nothing(pages: dict[str, str], name: str) -> None:
    parser = Balanced()
    parser.feed(pages[name])
    assert parser.open == []
    assert not re.search(r"<script|<link|@import|url\((?!\"data:)|https?:|[<\s]src=", pages[name])


def test_every_numbered_equation_links_to_its_line(pages: dict[str, str]) -> None:
    derivation = derive.differentiate(derive.load(ROOT / "networks" / "digits.toml").program())
    computed = {e.number for e in derivation.computed.equations}
    for equation in re.findall(r'<div class="equation" id="eq-(\w+)">(.*?)</div>\n</div>', pages["digits"], re.DOTALL):
        number, markup = equation
        assert (re.search(r'href="../digits.py#L\d+"', markup) is not None) == (number in computed)


def test_text_is_escaped() -> None:
    attack = '<script>alert(1)</script> & "quoted" \' $x$ \\(y\\)'
    link = Link(attack, '"><img src=x onerror=alert(1)>')
    sections = (Section((attack, Math(r"x < 1")), (Paragraph((attack, Code(attack), link, Math(r"\mathrm{a<b}"))),)),)
    page = render_html(Document((attack,), sections))
    assert "<script" not in page
    assert "<img" not in page
    assert html.escape(attack, quote=False).split("&gt;")[0] in page
    assert "<mo" in page
    assert "a&lt;b" in page


def test_headings_have_names_of_their_own() -> None:
    sections = tuple(Section((title,), ()) for title in ("Update", "Update", "±", "±", "Update 2"))
    assert [h.anchor for h in headings(Document(("t",), sections))] == ["update", "update-2", "section", "section-2", "update-2-2"]


# -- formulas ----------------------------------------------------------------------------------------------------------


def words(markup: str) -> str:
    """The characters of a formula in their order."""
    return "".join(ElementTree.fromstring(f"<math>{markup}</math>").itertext())


def spaced(latex: str) -> list[tuple[str, str, str]]:
    """Every operator of a formula with the spaces before and behind it."""
    found = ElementTree.fromstring(f"<math>{mathml(latex)}</math>").iter("mo")
    return [(mo.text or "", mo.get("lspace", ""), mo.get("rspace", "")) for mo in found]


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("x", "<mi>x</mi>"),
        ("12.5", "<mn>12.5</mn>"),
        (
            r"W_{1,ji}^\top",
            '<msubsup><mi>W</mi><mrow><mn>1</mn><mo stretchy="false" lspace="0" rspace="0">,</mo><mi>j</mi><mi>i</mi></mrow>',
        ),
        (r"\frac{a}{b}", "<mfrac><mi>a</mi><mi>b</mi></mfrac>"),
        (r"x^22", "<msup><mi>x</mi><mn>2</mn></msup><mn>2</mn>"),
        (r"c''", '<msup><mi>c</mi><mo lspace="0" rspace="0">\N{PRIME}\N{PRIME}</mo></msup>'),
        (r"\mathbf{1}", '<mi mathvariant="normal">\N{MATHEMATICAL BOLD DIGIT ONE}</mi>'),
        (r"\mathbb{R}", '<mi mathvariant="normal">\N{DOUBLE-STRUCK CAPITAL R}</mi>'),
        (r"\hat{Y}", '<mover accent="true"><mi>Y</mi><mo stretchy="false">^</mo></mover>'),
        (r"\sum_{n} x", '<munder><mo movablelimits="true">\N{N-ARY SUMMATION}</mo><mi>n</mi></munder><mi>x</mi>'),
        (r"\mathrm{sum\ exp}", "<mtext>sum\N{NO-BREAK SPACE}exp</mtext>"),
        (r"\operatorname{ReLU}", "<mi>ReLU</mi>"),
        (r"\underline{\phantom{\Big|M}}", '<mrow style="border-bottom: 1px solid"><mphantom><mrow><mo stretchy="true" minsize="1.8em"'),
        (r"\text{a\_b \& <c>}", "<mtext>a_b\N{NO-BREAK SPACE}&amp;\N{NO-BREAK SPACE}&lt;c&gt;</mtext>"),
    ],
)
def test_mathml(latex: str, expected: str) -> None:
    assert mathml(latex).startswith(expected)


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        ("-x", [("0", "0")]),
        ("a - b", [("0.222em", "0.222em")]),
        ("a = -b", [("0.278em", "0.278em"), ("0", "0")]),
        ("a - -b", [("0.222em", "0.222em"), ("0", "0")]),
        ("x_{a - b}", [("0", "0")]),
        (r"\odot", [("0", "0")]),
        (r"\left(-x\right) - y", [("0", "0"), ("0", "0"), ("0", "0"), ("0.222em", "0.222em")]),
    ],
)
def test_a_sign_stands_close_and_an_operator_apart(latex: str, expected: list[tuple[str, str]]) -> None:
    assert [(before, behind) for _, before, behind in spaced(latex)] == expected


def test_the_font_in_the_page_has_every_character() -> None:
    listed = (ROOT / "derive" / "documents" / "fonts" / "stix-two-math.txt").read_text().replace("\n", "")
    ranges = [(int(first, 16), int(last or first, 16)) for first, last in re.findall(r"U\+(\w{4,5})(?:-(\w{4,5}))?", listed)]
    texts = [*known.LETTERS.values(), *known.UPRIGHT.values(), *known.LARGE.values(), *known.ACCENTS.values(), known.PRIME]
    texts += [text for text, _ in (*known.OPERATORS.values(), *known.BRACKETS.values())]
    texts += [known.bold(c) for c in "AZaz09"] + [known.double_struck(c) for c in "RNZQCEP1"]
    assert [c for c in "".join(texts) if not any(first <= ord(c) <= last for first, last in ranges)] == []


def test_brackets_grow_with_what_is_tall() -> None:
    assert "true" not in re.findall(r'stretchy="(\w+)"', mathml(r"\left(A_{1,nj}\right)"))
    assert re.findall(r'stretchy="(\w+)"', mathml(r"\left(\frac{a}{b}\right)")) == ["true", "true"]


@pytest.mark.parametrize(
    "latex",
    [
        r"\unknown",
        r"\begin{tikzpicture} x \end{tikzpicture}",
        r"{x",
        "x}",
        r"\left(x",
        r"x_1_2",
        r"\frac{a}",
        r"\begin{cases} 1",
        "x^",
        "\\",
    ],
)
def test_what_is_not_known_is_refused(latex: str) -> None:
    with pytest.raises(FormulaError):
        mathml(latex)


def test_every_formula_keeps_its_letters(documents: dict[str, Document]) -> None:
    """No letter or digit of a formula gets lost on the way: those of its LaTeX, commands aside, stand in its MathML."""
    rows = [row for made in documents.values() for s in made.sections for b in s.blocks if isinstance(b, Formula) for row in b.rows]
    for latex in dict.fromkeys(side for row in rows for side in (row.left, row.right)):
        functions = "".join(re.findall(r"\\(exp|log|tanh|max|min|lim)(?![A-Za-z])", latex))
        source = re.sub(r"\\math(bf|bb)\{\w\}|\\(begin|end)\{\w+\}|\\[A-Za-z]+\*?|\\.", "", latex)
        assert letters(words(mathml(latex))) == letters(source) + letters(functions), latex


def letters(text: str) -> Counter[str]:
    return Counter(c for c in text if c.isalnum() and c.isascii())
