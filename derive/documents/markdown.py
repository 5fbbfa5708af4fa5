"""A document as Markdown with formulas between dollar signs, as GitHub and Jupyter render it."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from derive.documents.document import Code, Document, Formula, Link, Math, Part, Plots, Ref, Text
from derive.documents.layout import fold
from derive.documents.mermaid import mermaid
from derive.documents.signs import decimal_latex


def render_markdown(document: Document) -> str:
    """The Markdown source of a document."""
    environment = Environment(
        loader=PackageLoader("derive.documents", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(
        text=text, cell=cell, formula=formula, mermaid=mermaid, samples=samples, kind=lambda block: type(block).__name__
    )
    return environment.get_template("document.md.j2").render(document=document)


def text(parts: Text) -> str:
    """A sentence: words escaped, formulas between dollar signs, names as code."""
    return "".join(_part(part) for part in parts)


def cell(parts: Text) -> str:
    """A sentence in a table's cell, where a bar would end the cell."""
    return text(parts).replace("|", r"\vert ")


def _part(part: Part) -> str:
    match part:
        case Math(latex):
            return f"${safe(latex)}$"
        case Code(name):
            return f"`{name}`"
        case Ref(number):
            return f"({number})"
        case Link(words, url):
            return f"[{text((words,))}]({url})"
        case _:
            return re.sub(r"([\\`*_\[\]<>#|$~^&])", r"\\\1", part)


def samples(block: Plots) -> str:
    """Values of the functions and of their derivatives: Markdown has no drawings that GitHub shows, so curves become a table."""
    at = [x for x, _, _ in block.plots[0].samples]
    lines = [["$x$", *(f"${x:g}$" for x in at)], ["---"] * (len(at) + 1)]
    for plot in block.plots:
        for words, place in ((cell((plot.title,)), 1), ("derivative", 2)):
            lines.append([words, *(f"${decimal_latex(format(sample[place], '.4g'))}$" for sample in plot.samples)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def formula(block: Formula) -> str:
    """The rows of a displayed formula: one environment, every row on its own line."""
    lines: list[str] = []
    for row in block.rows:
        note = rf" \quad {_note(row.note)}" if row.note else ""
        first, *more = fold(row.right)
        lines.append(f"{row.left} &{row.relation} {first}")
        lines += [rf"&\quad {line}" for line in more]
        lines[-1] += note
    body = lines[0].replace(" &", " ", 1) if len(lines) == 1 else r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"
    number = rf" \tag{{{block.number}}}" if block.number else ""
    code = f"\n\n<sub>({block.number}) in the code: {text(block.code)}</sub>" if block.code else ""
    return f"$$\n{safe(body)}{number}\n$${code}"


def _note(parts: Text) -> str:
    """A note within a formula: numbers of equations as they are, words upright."""
    number = len(parts) == 1 and re.fullmatch(r"\(\w+\)", text(parts))
    return text(parts) if number else rf"\text{{{text(parts)}}}"


def safe(latex: str) -> str:
    r"""A formula that GitHub and Jupyter show as it is meant.

    GitHub's Markdown comes before its formulas: it would read \\ as an escaped backslash and _ as emphasis. Its formulas know no
    \operatorname (github/markup, issue 1688).
    """
    plain = latex.replace(r"\\", r"\cr").replace(r"\operatorname", r"\mathrm")
    return re.sub(r"(?<! )_", " _", plain)
