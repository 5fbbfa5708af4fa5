"""The equations of a network and its numbers, without steps: a worked example, or an exercise with blanks for all results."""

from __future__ import annotations

from collections.abc import Iterator

from derive.derivation import Derivation
from derive.documents.document import Block, Formula, Paragraph, Row, Section
from derive.documents.notation import Notation, in_shape
from derive.documents.numbers import Figures
from derive.documents.numbers_sections import given_numbers, update_in_numbers
from derive.documents.picture import network_picture
from derive.documents.summary import result_row, short_setup, update_rule
from derive.documents.units import units
from derive.documents.words import heading
from derive.index import Tensor
from derive.network import Network
from derive.program import Equation

FORMULA = r"\underline{\phantom{\Big|MMMMMMMMMMMMMMMM}}"  # room to write one by hand
TASK = (
    "Compute the forward pass with the numbers below. Then work from the loss back: write every gradient as a formula in the symbols "
    "that are known by then, and compute it. At last take one step of gradient descent, and compute the loss again."
)


def worksheet(derivation: Derivation, network: Network, how: Notation, figures: Figures) -> Iterator[Section]:
    """Symbols, task, numbers, forward pass, backward pass, update."""
    yield short_setup(derivation, network, how, units(derivation.forward, how))
    yield network_picture(derivation, how, figures)
    if figures.numbers.sheet != "numbers":
        yield Section(("Task",), (Paragraph((TASK,)),))
    yield given_numbers(figures)
    yield Section(("Forward pass",), tuple(_forward(derivation, how, figures)))
    yield Section(("Backward pass",), tuple(_backward(derivation, how, figures)))
    yield Section(("Update",), (*update_rule(how), *update_in_numbers(figures)))


def _forward(derivation: Derivation, how: Notation, figures: Figures) -> Iterator[Block]:
    for equation in derivation.forward.equations:
        yield Paragraph((heading(equation) + ":",))
        yield Formula((result_row(equation, how), *figures.beside(equation)), equation.number)


def _backward(derivation: Derivation, how: Notation, figures: Figures) -> Iterator[Block]:
    for derived in derivation.backward:
        if derived.of is not None:
            row = _gradient_row(derived.equation, derived.of, how, figures)
            yield Formula((row, *figures.beside(derived.equation)), derived.equation.number)


def _gradient_row(equation: Equation, of: Tensor, how: Notation, figures: Figures) -> Row:
    """dL/dW = G_W = its formula, or a blank to write that into."""
    if figures.blank:
        return how.equal(how.derivative(of), how.name(equation.tensor), in_shape(FORMULA, of))
    form = how.matrix(equation.body, equation.indices)
    if form is not None:
        return how.equal(how.derivative(of), how.name(equation.tensor), in_shape(form, of))
    entry = how.entry(equation.tensor, equation.indices)
    return how.equal(how.derivative(of, equation.indices), entry, how.index(equation.body, equation.indices))
