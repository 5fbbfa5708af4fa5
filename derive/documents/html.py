"""A document as one HTML file: MathML for the formulas, the style inside, no scripts, nothing fetched from anywhere."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from derive.documents.document import Code, Document, Link, Math, Part, Ref, Row, Section, Text
from derive.documents.layout import fold
from derive.documents.mathml import inline, mathml
from derive.documents.svg import svg, svg_plots, svg_units


@dataclass(frozen=True)
class Heading:
    """A section and the name by which links lead to it."""

    section: Section
    anchor: str


def render_html(document: Document) -> str:
    """The page of a document. Text is escaped; a formula with a command that MathML has not been taught raises FormulaError."""
    return _environment().get_template("document.html.j2").render(document=document, headings=list(headings(document)), font=_font())


def render_fragment(document: Document) -> str:
    """The sections of a document as HTML to stand in another page (a notebook)."""
    return _environment().get_template("fragment.html.j2").render(document=document)


def _font() -> str:
    """The font of the formulas (derive/documents/fonts), which stands in the page."""
    return b64encode((files("derive.documents") / "fonts" / "stix-two-math.woff2").read_bytes()).decode()


def headings(document: Document) -> Iterator[Heading]:
    """The sections with their anchors: the words of the title, with a number where two are alike."""
    taken: set[str] = set()
    for section in document.sections:
        words = re.sub(r"[^a-z0-9]+", "-", plain(section.title).lower()).strip("-") or "section"
        anchor = next(a for a in (words, *(f"{words}-{k}" for k in range(2, len(taken) + 3))) if a not in taken)
        taken.add(anchor)
        yield Heading(section, anchor)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("derive.documents", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )
    environment.filters.update(
        text=text,
        plain=plain,
        formula=formula,
        svg=svg,
        svg_units=svg_units,
        svg_plots=svg_plots,
        kind=lambda block: type(block).__name__,
    )
    return environment


def text(parts: Text) -> Markup:
    """A sentence: words escaped, formulas as MathML, names as code, references as links."""
    return Markup("").join(_part(part) for part in parts)


def plain(parts: Text) -> str:
    """A title as words alone."""
    words = [part if isinstance(part, str) else part.latex if isinstance(part, Math) else "" for part in parts]
    return re.sub(r"\\[A-Za-z]+|[\\{}$^]", "", "".join(words))


def _part(part: Part) -> Markup:
    match part:
        case Math(latex):
            return Markup(inline(latex))
        case Code(name):
            return Markup("<code>{}</code>").format(name)
        case Ref(number):
            return Markup('<a href="#eq-{0}">({0})</a>').format(number)
        case Link(words, url):
            return Markup('<a href="{}">{}</a>').format(url, words)
        case _:
            return escape(part)


def formula(rows: tuple[Row, ...]) -> Markup:
    """The rows of a displayed formula as one table, aligned at their relations."""
    noted = any(row.note for row in rows)
    lines = "".join(_row(row, noted=noted) for row in rows)
    return Markup(f'<math display="block"><mtable displaystyle="true" class="rows" columnalign="right left left">{lines}</mtable></math>')


def _row(row: Row, *, noted: bool) -> str:
    """The lines of a row, left of the relation and right of it."""
    first, *more = fold(row.right)
    lines = [(mathml(row.left), mathml(f"{{}} {row.relation} {first}")), *(("", mathml(rf"\quad {{}} {line}")) for line in more)]
    notes = ["" for _ in lines]
    if row.note:
        notes[-1] = f'<mtext class="note">{text(row.note)}</mtext>'
    last = [f"<mtd>{note}</mtd>" if noted else "" for note in notes]
    return "".join(f"<mtr><mtd>{left}</mtd><mtd>{right}</mtd>{end}</mtr>" for (left, right), end in zip(lines, last, strict=True))
