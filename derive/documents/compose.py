"""A derivation as a document: set-up, forward pass, chain, backward pass, products, stable form, update, summary."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from derive.derivation import Derivation, Derived
from derive.documents.chain import chain
from derive.documents.document import Block, Code, Document, Formula, Math, Paragraph, Ref, Row, Section, Text
from derive.documents.forward import forward_pass, matrix_rows
from derive.documents.indices import eliminated, local_rows, transposes
from derive.documents.local import local, slope
from derive.documents.meaning import meaning
from derive.documents.notation import Notation, in_shape, notation
from derive.documents.numbers import Figures, Numbers, Sheet, figures
from derive.documents.numbers_sections import given_numbers, update_in_numbers
from derive.documents.picture import network_picture
from derive.documents.products import products
from derive.documents.setup import setup
from derive.documents.signs import parenthesised
from derive.documents.summary import summary
from derive.documents.symbols import Gradients
from derive.documents.words import activation_of, explain, heading, operator
from derive.documents.worksheet import worksheet
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Entry, Partial, Tensor
from derive.network import Network
from derive.update import updated

Detail = Literal["summary", "steps", "indices"]
TITLES: dict[Sheet, str] = {
    "numbers": "The gradients in numbers: ",
    "exercise": "Exercise: the gradients of ",
    "solution": "Solution: the gradients of ",
}


def compose(
    derivation: Derivation, network: Network, detail: Detail = "steps", numbers: Numbers | None = None, gradients: Gradients = "named"
) -> Document:
    """The document of a derivation; the same arguments give the same document.

    detail: the results alone, every step, or every delta and where each transpose comes from. numbers: what stands beside the formulas;
    an exercise leaves out the steps, which are its answers. gradients: whether they are named G_W where they are used, or written as dL/dW.
    """
    how = notation(derivation, gradients)
    beside = None if numbers is None else figures(numbers, how)
    title = "The gradients of " if numbers is None else TITLES[numbers.sheet]
    if beside is not None and (detail == "summary" or beside.blank):
        return Document((title, network.name), tuple(worksheet(derivation, network, how, beside)))
    if detail == "summary":
        return Document((title, network.name), tuple(summary(derivation, network, how)))
    sections = [
        setup(derivation, network, how),
        network_picture(derivation, how, beside),
        *([given_numbers(beside)] if beside else []),
        forward_pass(derivation, how, beside),
        *chain(derivation, how),
        *local(derivation, how),
        *_backward(derivation, how, beside, detail),
        *products(derivation, how),
        *_stable(derivation, how),
        _update(derivation, how, beside),
        meaning(derivation, how),
        _summary(derivation, how),
    ]
    return Document((title, network.name), tuple(sections))


# -- backward ----------------------------------------------------------------------------------------------------------


def _backward(derivation: Derivation, how: Notation, beside: Figures | None, detail: Detail) -> Iterator[Section]:
    words = "From the loss back to the inputs. Every gradient starts from the chain rule, over all equations that read the tensor."
    yield Section(("Backward pass",), (Paragraph((words,)),))
    for derived in derivation.backward:
        if derived.of is not None:
            blocks = _gradient(derived, derived.of, derivation, how, beside, detail)
            yield Section(("Gradient of ", Math(how.name(derived.of))), tuple(blocks), level=2)


def _gradient(
    derived: Derived, of: Tensor, derivation: Derivation, how: Notation, beside: Figures | None, detail: Detail
) -> Iterator[Block]:
    equation = derived.equation
    indices = equation.indices
    start = derived.steps[0].before if derived.steps else equation.body
    left = how.derivative(of, indices)
    if not isinstance(start, Partial) and derived.steps:
        yield Paragraph(("The chain rule:",))
        yield Formula((Row(left, how.index(start, indices)), *_through_activation(of, derivation, how)))
    if detail == "indices":
        yield from local_rows(of, derivation, how)
    for step in derived.steps:
        if detail == "indices" and step.rule == "delta elimination":
            yield from eliminated(step, left, indices, how)
        yield Paragraph(explain(step, how))
        if step is not derived.steps[-1]:
            yield Formula((Row(left, how.index(step.after, indices)),))
    name = how.name(equation.tensor)
    rows = [how.equal(left, how.entry(equation.tensor, indices), how.index(equation.body, indices))]
    form = how.matrix(equation.body, indices)
    if form is not None:
        rows.append(how.equal(how.derivative(of), name, in_shape(form, of)))
    rows += beside.beside(equation) if beside else []
    yield Formula(tuple(rows), equation.number)
    if detail == "indices":
        yield from transposes(equation, how)


def _through_activation(of: Tensor, derivation: Derivation, how: Notation) -> Iterator[Row]:
    """What an activation reads, entry by entry: G_A = G_H * phi'(A), and with the gradient of H put in."""
    upstream = {d.of: d.equation for d in derivation.backward}
    readers = [e for e in derivation.forward.reading(of) if e.tensor in upstream]
    kind = activation_of(readers[0]) if len(readers) == 1 else None
    if kind is None or not slope(readers[0], of).elementwise:
        return
    local_slope = rf"\odot {operator(kind)}'\left({how.name(of)}\right)"
    gradient = upstream[readers[0].tensor]
    form = how.matrix(gradient.body, gradient.indices)
    sides = [how.name(gradient.tensor), *([parenthesised(form)] if form else [])]
    yield Row(how.derivative(of), " = ".join(f"{side} {local_slope}" for side in sides))


# -- stable form -------------------------------------------------------------------------------------------------------


def _stable(derivation: Derivation, how: Notation) -> Iterator[Section]:
    if not derivation.stable:
        return
    blocks: list[Block] = [
        Paragraph(
            (
                "In floating point some of these equations overflow on the way, or lose digits. These are the same values in a form that ",
                "does not, or does so less; ",
                "an equation keeps its number and gets a letter. All other equations are computed as they stand.",
            )
        )
    ]
    for derived in derivation.stable:
        equation = derived.equation
        left = how.entry(equation.tensor, equation.indices)
        blocks.append(Paragraph((heading(equation), ", ", Code(equation.tensor.name), " in the code.")))
        for step in derived.steps[:-1]:
            blocks.append(Paragraph(explain(step, how)))
            blocks.append(Formula((Row(left, how.index(step.after, equation.indices)),)))
        if derived.steps:
            blocks.append(Paragraph(explain(derived.steps[-1], how)))
        blocks.append(Formula((how.index_row(equation), *matrix_rows(equation, how)), equation.number))
    yield Section(("Numerically stable form",), tuple(blocks))


# -- update and summary ------------------------------------------------------------------------------------------------


def _update(derivation: Derivation, how: Notation, beside: Figures | None) -> Section:
    """One step of gradient descent."""
    rule = partial(updated, OPTIMISERS["SGD"])
    eta, theta, loss = Tensor("eta"), Tensor("theta"), Tensor("L")
    general = how.index(rule(theta.entry(), Partial(loss.entry(), theta.entry()), eta.entry()), ())
    rows = [Row(how.name(theta), general, r"\leftarrow")]
    for parameter in derivation.forward.parameters:
        gradient = derivation.gradient(parameter).equation
        body = rule(Entry(parameter, *gradient.indices), gradient.entry, eta.entry())
        form = how.matrix(body, gradient.indices)
        if form is None:  # more than two axes: the rule holds entry by entry, so it holds for any axes
            along = gradient.indices[0]
            whole = [Tensor(t.name, (along.axis,))[along] for t in (parameter, gradient.tensor)]
            form = how.matrix(rule(whole[0], whole[1], eta.entry()), (along,))
        rows.append(Row(how.name(parameter), form or how.index(body, gradient.indices), r"\leftarrow"))
    words: Text = ("One step of gradient descent with learning rate ", Math(r"\eta"), ", for every parameter ", Math(r"\theta"), ":")
    return Section(("Update",), (Paragraph(words), Formula(tuple(rows)), *(update_in_numbers(beside) if beside else ())))


def _summary(derivation: Derivation, how: Notation) -> Section:
    rows: list[Row] = []
    for derived in derivation.backward:
        equation, of = derived.equation, derived.of
        if of is None:
            continue
        note: Text = (Ref(equation.number),)
        form = how.matrix(equation.body, equation.indices)
        if form is not None:
            rows.append(Row(how.derivative(of), form, note=note))
        rows.append(Row(how.derivative(of, equation.indices), how.index(equation.body, equation.indices), note=() if form else note))
    words = "All gradients, in the order in which they are computed, for whole matrices and for one entry:"
    return Section(("Summary",), (Paragraph((words,)), Formula(tuple(rows))))
