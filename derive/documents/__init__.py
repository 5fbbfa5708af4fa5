"""The derivation as a document: LaTeX for pdflatex, Markdown for GitHub and Jupyter, or HTML for a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from derive.derivation import Derivation
from derive.documents.code import Module, with_code
from derive.documents.compose import Detail, compose
from derive.documents.conventions import conventions
from derive.documents.html import render_html
from derive.documents.latex import render_latex
from derive.documents.markdown import render_markdown
from derive.documents.numbers import Numbers
from derive.documents.references import with_known_references
from derive.documents.symbols import Gradients
from derive.network import Network
from derive.proof.conventions import Agreement
from derive.proof.verdict import Verdict

Format = Literal["latex", "markdown", "html"]

RENDERERS = {"latex": render_latex, "markdown": render_markdown, "html": render_html}

__all__ = ["RENDERERS", "Detail", "Format", "Gradients", "Module", "render"]


def render(
    derivation: Derivation,
    network: Network,
    format: Format,  # noqa: A002 - the word that a caller expects
    detail: Detail = "steps",
    numbers: Numbers | None = None,
    module: Module | None = None,
    verdicts: Sequence[Verdict] = (),
    notation: Gradients = "named",
    agreement: Agreement | None = None,
) -> str:
    """The document of a derivation of a network: set-up, forward pass, backward pass and products with all steps, stable form, summary,
    code and proof.

    detail: the results alone, every step, or every delta and where each transpose comes from. numbers: what stands beside the formulas.
    module: the generated module whose lines the equations link to. verdicts: those of `prove` on this derivation, to be stated; without
    them the document names the checks. Results alone have either only where it is given, exercises never. notation: "named" introduces a
    gradient as dL/dW and calls it G_W from then on, "partial" writes dL/dW wherever it stands. agreement: the derivation in all
    conventions, for a section that sets them side by side and says what of it was proved; an exercise has none.

    The same arguments give the same bytes. Raises ValueError for an unknown format or notation.
    """
    if format not in RENDERERS:
        raise ValueError(f"no document format is called {format!r}: take {' or '.join(RENDERERS)}")
    document = compose(derivation, network, detail, numbers, notation)
    sheet = numbers is not None and numbers.sheet != "numbers"
    if not sheet and (detail != "summary" or module is not None or verdicts):
        document = with_code(document, derivation, module, verdicts)
    if agreement is not None and not sheet:
        document = replace(document, sections=(*document.sections, conventions(agreement, notation)))
    return RENDERERS[format](with_known_references(document))
