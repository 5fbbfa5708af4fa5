"""A document as LaTeX source for pdflatex."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from derive.documents.document import Block, Code, Document, Formula, Link, Math, Part, Picture, Plots, Ref, Row, Table, Text, Units
from derive.documents.layout import LINE, fold, width
from derive.documents.symbols import escape
from derive.documents.tikz import tikz, tikz_plots, tikz_units

PAGE, GAP = 41.5, 1.4  # the width of the text and the space between two columns, in em
LEFT = 5.5  # what is left for the left-hand sides
QUAD = 1.0  # by which a line that goes on is indented
NOTES = 1.0  # what notes beside the rows take away
TOGETHER = 10  # rows of a table that stand on one page
TALL = r"\rule[-1.5ex]{0pt}{4.3ex}"  # as high as a fraction within a line


def render_latex(document: Document) -> str:
    """The LaTeX source of a document. It needs AMS-LaTeX, booktabs, graphicx and hyperref, TikZ for pictures, and no shell escape."""
    environment = Environment(
        loader=PackageLoader("derive.documents", "templates"),
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(
        text=text,
        plain=plain,
        cells=cells,
        rows=rows,
        columns=columns,
        formula=formula,
        kind=kind,
        tikz=tikz,
        tikz_units=tikz_units,
        tikz_plots=tikz_plots,
    )
    return environment.get_template("document.tex.j2").render(document=document, pictured=pictured(document))


def kind(block: Block) -> str:
    """Which block it is, for the template."""
    return type(block).__name__


def pictured(document: Document) -> bool:
    """Whether the document needs TikZ."""
    return any(isinstance(block, Picture | Units | Plots) for section in document.sections for block in section.blocks)


def text(parts: Text) -> str:
    """A sentence: words escaped, formulas between dollar signs, names in typewriter type."""
    return "".join(_part(part) for part in parts)


def _part(part: Part) -> str:
    match part:
        case Math(latex):
            return f"${latex}$"
        case Code(name):
            return rf"\texttt{{{breakable(name)}}}"
        case Ref(number):
            return rf"\hyperref[eq:{number}]{{({number})}}"
        case Link(words, url):
            return rf"\href{{{_url(url)}}}{{{breakable(words)}}}"
        case _:
            return breakable(part)


def plain(parts: Text) -> str:
    """A heading without formulas, for the outline of the PDF: letters and digits only."""
    words = [part if isinstance(part, str) else part.latex if isinstance(part, Math) else "" for part in parts]
    return "".join(c for c in "".join(words) if c.isalnum() or c in " ,.-")


def cells(row: Sequence[Text]) -> str:
    """A row of a table; where it holds a fraction, with room above and below, so that it does not touch its neighbours."""
    tall = any(isinstance(part, Math) and r"\frac" in part.latex for cell in row for part in cell)
    return (TALL if tall else "") + " & ".join(text(cell) for cell in row)


def rows(table: Table) -> str:
    """The rows: no page ends within a table of up to TOGETHER rows, nor after the first or before the last row of a longer one."""
    last = len(table.rows) - 1
    together = [k < last and (last < TOGETHER or k in (0, last - 1)) for k in range(len(table.rows))]
    return "\n".join(f"{cells(row)} \\\\{'*' if stays else ''}" for row, stays in zip(table.rows, together, strict=True))


def columns(table: Table) -> str:
    """The column types of a table: one column wraps its text."""
    kinds = ["l"] * len(table.header)
    rows = (table.header, *table.rows)
    others = sum(max(sum(map(_wide, row[k])) for row in rows) for k in range(len(kinds)) if k != table.wide)
    needed = max(sum(map(_wide, row[table.wide])) for row in rows) / PAGE
    left = max(0.12, 1 - (others + GAP * len(kinds)) / PAGE)
    share = min(left, max(0.34, min(needed, 0.9 * left)))
    kinds[table.wide] = rf">{{\raggedright\arraybackslash}}p{{{share:.2g}\linewidth}}"
    return "".join(kinds)


def _wide(part: Part) -> float:
    """About how wide a part of a sentence is set, in em."""
    match part:
        case Math(latex):
            return width(latex)
        case Code(name):
            return 0.53 * len(name)
        case Ref(number):
            return 0.5 * len(number) + 1
        case Link(words):
            return 0.45 * len(words)
        case _:
            return 0.45 * len(part)


def breakable(words: str) -> str:
    """Escaped text in which a very long word, such as the name of a layer, may be broken."""
    parts = re.split(r"(\w{20,})", words)
    for k in range(1, len(parts), 2):
        parts[k] = "\\hspace{0pt}".join(escape(piece) for piece in re.findall(r"[^\W_]{1,12}_?|_", parts[k]))
    return "".join(part if k % 2 else escape(part) for k, part in enumerate(parts))


def formula(block: Formula) -> str:
    """The rows of a displayed formula, aligned, each broken into lines where it is too long."""
    left = max(width(row.left) for row in block.rows)
    notes = NOTES if any(row.note for row in block.rows) else 0.0
    body = " \\\\\n".join(line for row in block.rows for line in _lines(row, max(left - LEFT, 0.0), notes))
    if not block.number:
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"
    inside = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    beside = rf"\beside{{{text(block.code)}}}" if block.code else ""
    return f"\\begin{{equation}}\\tag*{{({block.number}){beside}}}\\label{{eq:{block.number}}}\n{inside}\n\\end{{equation}}"


def _url(url: str) -> str:
    """An address as \\href takes it; it is percent-encoded, so that no other character is special to TeX."""
    return url.replace("%", r"\%").replace("#", r"\#").replace("_", r"\_")


def _lines(row: Row, less: float, notes: float) -> list[str]:
    first, *more = fold(row.right, LINE - less)
    lines = [f"{row.left} &{row.relation} {_fitted(first, less + notes)}"]
    lines += [rf"&\quad {_fitted(line, less + notes + QUAD)}" for line in more]
    if row.note:
        lines[-1] += rf" && \text{{{text(row.note)}}}"
    return lines


def _fitted(line: str, less: float) -> str:
    """A line that may be too long by the estimate is measured by LaTeX itself, and set smaller if it is.

    less: how much more than usual the left-hand sides take, in em.
    """
    if width(line) <= 0.8 * (LINE - less):
        return line
    return rf"{{\linewidth={1 - less / LINE:.2f}\linewidth\fit{{{line}}}}}" if less else rf"\fit{{{line}}}"
