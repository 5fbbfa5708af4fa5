"""The results on a page: every equation forward and backward once, as a matrix equation where it has that form, without steps.

An exercise has the same page: the gradients and all numbers that are computed are boxes to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator

from derive.documents.document import Block, Formula, Math, Paragraph, Row, Section, Table, Text
from derive.documents.notation import Notation, in_shape
from derive.documents.numbers import Figures
from derive.documents.numbers_sections import given_numbers, update_in_numbers
from derive.documents.setup import layout_words, network_words, onehot_definitions
from derive.documents.setup_tables import tensor_rows
from derive.documents.words import activation_of, argument, heading, operator
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Partial, Tensor
from derive.network import Network
from derive.program import Derivation, Derived, Equation

BOX = r"\boxed{\phantom{MMMMMMMMMMMMMMMM}}"


def summary(derivation: Derivation, network: Network, how: Notation, figures: Figures | None) -> Iterator[Section]:
    """Set-up, numbers, forward pass, backward pass, stable form, update."""
    yield _setup(derivation, network, how)
    if figures is not None:
        yield from _task(figures)
        yield given_numbers(figures)
    yield Section(("Forward pass",), tuple(_forward(derivation, how, figures)))
    yield Section(("Backward pass",), tuple(_backward(derivation, how, figures)))
    if derivation.products and (figures is None):
        yield Section(("Products",), tuple(_results([d for p in derivation.products for d in p.derived], how)))
    if derivation.stable and figures is None:
        yield Section(("Numerically stable form",), tuple(_results(derivation.stable, how)))
    yield _update(how, figures)


def _setup(derivation: Derivation, network: Network, how: Notation) -> Section:
    forward = derivation.forward
    rows = [(symbol, meaning, shape) for symbol, _, meaning, _, shape in tensor_rows(forward, network, how)]
    blocks: list[Block] = [
        Paragraph(network_words(network)),
        Table((("Symbol",), ("Meaning",), ("Shape",)), tuple(rows), 1),
        *onehot_definitions(how),
        Paragraph(layout_words(forward, how)),
    ]
    return Section(("Set-up",), tuple(blocks))


def _task(figures: Figures) -> Iterator[Section]:
    if figures.numbers.sheet == "numbers":
        return
    words = (
        "Compute the forward pass with the numbers below. Then work from the loss back: write every gradient as a formula in the symbols "
    )
    words += "of the table, and compute it. At last take one step of gradient descent, and compute the loss again."
    yield Section(("Task",), (Paragraph((words,)),))


def _forward(derivation: Derivation, how: Notation, figures: Figures | None) -> Iterator[Block]:
    for equation in derivation.forward.equations:
        yield Paragraph((heading(equation) + ":",))
        yield Formula((_forward_row(equation, how), *(figures.beside(equation) if figures else ())), equation.number)


def _forward_row(equation: Equation, how: Notation) -> Row:
    """The activation by its name and its formula, any other equation as a matrix equation or for one entry."""
    form = how.matrix(equation.body, equation.indices)
    kind = activation_of(equation)
    named = rf"{operator(kind)}\left({how.name(argument(equation))}\right)" if kind else None
    sides = list(dict.fromkeys(side for side in (named, form) if side is not None))
    if not sides:
        return how.index_row(equation)
    return Row(how.name(equation.tensor), in_shape(" = ".join(sides), equation.tensor))


def _backward(derivation: Derivation, how: Notation, figures: Figures | None) -> Iterator[Block]:
    for derived in derivation.backward:
        if derived.of is None:
            continue
        row = _blank_row(derived.of, derived.equation, how) if figures and figures.blank else _gradient_row(derived, derived.of, how)
        yield Formula((row, *(figures.beside(derived.equation) if figures else ())), derived.equation.number)


def _gradient_row(derived: Derived, of: Tensor, how: Notation) -> Row:
    equation = derived.equation
    form = how.matrix(equation.body, equation.indices)
    if form is None:
        left = how.derivative(of, equation.indices)
        return Row(left, f"{how.entry(equation.tensor, equation.indices)} = {how.index(equation.body, equation.indices)}")
    return Row(how.derivative(of), in_shape(f"{how.name(equation.tensor)} = {form}", of))


def _blank_row(of: Tensor, equation: Equation, how: Notation) -> Row:
    return Row(how.derivative(of), in_shape(f"{how.name(equation.tensor)} = {BOX}", of))


def _results(derived: list[Derived] | tuple[Derived, ...], how: Notation) -> Iterator[Block]:
    for each in derived:
        equation = each.equation
        form = how.matrix(equation.body, equation.indices)
        row = how.index_row(equation) if form is None else Row(how.name(equation.tensor), in_shape(form, equation.tensor))
        yield Formula((row,), equation.number)


def _update(how: Notation, figures: Figures | None) -> Section:
    rule = OPTIMISERS["sgd"].formula
    eta, theta, loss = Tensor("eta"), Tensor("theta"), Tensor("L")
    general = how.index(rule(theta.entry(), Partial(loss.entry(), theta.entry()), eta.entry()), ())
    words: Text = ("One step of gradient descent with learning rate ", Math(r"\eta"), ", for every parameter ", Math(r"\theta"), ":")
    row = Row(how.name(theta), general, r"\leftarrow")
    return Section(("Update",), (Paragraph(words), Formula((row,)), *(update_in_numbers(figures) if figures else ())))
