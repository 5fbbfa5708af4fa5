"""A derivation as a notebook shows it: the equations of the forward pass and all gradients, without the steps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from derive.derivation import Derivation
from derive.documents.document import Document, Formula, Paragraph, Row, Section
from derive.documents.forward import equation_rows
from derive.documents.html import render_fragment
from derive.documents.markdown import render_markdown
from derive.documents.notation import in_shape, notation
from derive.documents.symbols import Gradients
from derive.documents.words import heading


@dataclass(frozen=True)
class Shown:
    """A derivation as a notebook shows it, its gradients written in one of the two ways."""

    derivation: Derivation
    gradients: Gradients = "named"

    def __post_init__(self) -> None:
        notation(self.derivation, self.gradients)  # which refuses any other way

    def _repr_html_(self) -> str:
        return as_html(self.derivation, self.gradients)

    def _repr_markdown_(self) -> str:
        return as_markdown(self.derivation, self.gradients)

    def _repr_latex_(self) -> str:
        return as_latex(self.derivation, self.gradients)


def as_html(derivation: Derivation, gradients: Gradients = "named") -> str:
    """The equations as HTML with MathML."""
    return render_fragment(brief(derivation, gradients))


def as_markdown(derivation: Derivation, gradients: Gradients = "named") -> str:
    """The equations as Markdown."""
    return render_markdown(brief(derivation, gradients))


def as_latex(derivation: Derivation, gradients: Gradients = "named") -> str:
    """The equations as one displayed formula, which a notebook hands to MathJax or to LaTeX."""
    sections = brief(derivation, gradients).sections
    rows = [row for section in sections for block in section.blocks if isinstance(block, Formula) for row in block.rows]
    lines = [rf"{row.left} &{row.relation} {row.right}{_note(row)}" for row in rows]
    return "$$\n\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n$$"


def brief(derivation: Derivation, gradients: Gradients = "named") -> Document:
    """The equations of the forward pass for one entry and for whole matrices, then the gradients."""
    how = notation(derivation, gradients)
    forward: list[Paragraph | Formula] = []
    for equation in derivation.forward.equations:
        rows = _numbered(list(equation_rows(equation, how)), equation.number)
        forward += [Paragraph((heading(equation) + ".",)), Formula(rows)]
    backward: list[Row] = []
    for derived in derivation.backward:
        equation, of = derived.equation, derived.of
        if of is not None:
            form = how.matrix(equation.body, equation.indices)
            rows = [] if form is None else [Row(how.derivative(of), in_shape(form, of))]
            rows.append(Row(how.derivative(of, equation.indices), how.index(equation.body, equation.indices)))
            backward += _numbered(rows, equation.number)
    sections = (Section(("Forward pass",), tuple(forward)), Section(("Gradients",), (Formula(tuple(backward)),)))
    return Document(("The gradients of ", derivation.forward.name), sections if backward else sections[:1])


def _numbered(rows: list[Row], number: str) -> tuple[Row, ...]:
    """The rows of one equation with its number behind the first of them: a notebook has no place for it at the edge."""
    return (replace(rows[0], note=(f"({number})",)), *rows[1:])


def _note(row: Row) -> str:
    return rf" \qquad \text{{{row.note[0]}}}" if row.note else ""
