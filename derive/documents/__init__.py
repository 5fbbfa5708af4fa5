"""The derivation as a document: LaTeX for pdflatex, or Markdown for GitHub and Jupyter."""

from __future__ import annotations

from typing import Literal

from derive.documents.compose import Detail, compose
from derive.documents.latex import render_latex
from derive.documents.markdown import render_markdown
from derive.documents.numbers import Numbers
from derive.network import Network
from derive.program import Derivation

Format = Literal["latex", "markdown"]

RENDERERS = {"latex": render_latex, "markdown": render_markdown}


def render(
    derivation: Derivation,
    network: Network,
    format: Format,  # noqa: A002 - the word that a caller expects
    detail: Detail = "steps",
    numbers: Numbers | None = None,
) -> str:
    """The document of a derivation of a network: set-up, forward pass, backward pass and products with all steps, stable form, summary.

    detail: "summary" for the results alone. numbers: what stands beside the formulas. The same arguments give the same bytes. Raises
    ValueError for an unknown format.
    """
    if format not in RENDERERS:
        raise ValueError(f"no document format is called {format!r}: take {' or '.join(RENDERERS)}")
    return RENDERERS[format](compose(derivation, network, detail, numbers))
