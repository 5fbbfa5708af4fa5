"""A derivation as a document: set-up, forward pass, chain, backward pass, stable form, update, summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sympy import Expr

from derive.document.chain import chain
from derive.document.document import Block, Code, Document, Formula, Math, Paragraph, Ref, Row, Section, Text
from derive.document.notation import Notation, in_shape, notation
from derive.document.setup import setup
from derive.document.words import activation_of, explain, heading, operator
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Binder, Entry, Index, Partial, Tensor
from derive.network import Network
from derive.program import Derivation, Derived, Equation
from derive.reuse import stored
from derive.terms import Term, derivative, eliminate, total


def compose(derivation: Derivation, network: Network) -> Document:
    """The document of a derivation; the same derivation and network give the same document."""
    how = notation(derivation)
    sections = [
        setup(derivation, network, how),
        _forward(derivation, how),
        *chain(derivation, how),
        *_local(derivation, how),
        *_backward(derivation, how),
        *_stable(derivation, how),
        _update(derivation, how),
        _summary(derivation, how),
    ]
    return Document(("The gradients of ", network.name), tuple(sections))


# -- forward -----------------------------------------------------------------------------------------------------------


def _forward(derivation: Derivation, how: Notation) -> Section:
    blocks: list[Block] = [Paragraph(("Each equation is written for one entry and, below, for whole matrices.",))]
    for equation in derivation.forward.equations:
        blocks.append(Paragraph((heading(equation) + ".",)))
        blocks.append(Formula((how.index_row(equation), *_matrix_rows(equation, how, _named(equation, how))), equation.number))
    return Section(("Forward pass",), tuple(blocks))


def _matrix_rows(equation: Equation, how: Notation, named: str | None = None) -> Iterator[Row]:
    """The matrix form with its shape, the activation by name in front."""
    form = how.matrix(equation.body, equation.indices)
    sides = list(dict.fromkeys(side for side in (named, form) if side is not None))
    left = how.name(equation.tensor)
    own = how.index_row(equation)
    if sides and (left, sides[-1]) != (own.left, own.right):
        yield Row(left, in_shape(" = ".join(sides), equation.tensor))


def _named(equation: Equation, how: Notation) -> str | None:
    kind = activation_of(equation)
    return None if kind is None else rf"{operator(kind)}\left({how.name(equation.reads[0])}\right)"


# -- local derivatives -------------------------------------------------------------------------------------------------


def _local(derivation: Derivation, how: Notation) -> Iterator[Section]:
    """The derivative of every activation by what it reads."""
    blocks: list[Block] = []
    for equation in derivation.forward.equations:
        if activation_of(equation) is not None:
            blocks.append(Paragraph((f"{heading(equation)}, ", Ref(equation.number), ":")))
            blocks.append(Formula((_local_row(equation, how),)))
    if not blocks:
        return
    first = Paragraph(("The backward pass multiplies the gradient that arrives at an operation by the operation's own derivative.",))
    yield Section(("Local derivatives",), (first, *blocks))


def _local_row(equation: Equation, how: Notation) -> Row:
    """dH/dA = phi'(A) = ..., in values of the forward pass; where features are summed over, at a second feature index."""
    by = equation.reads[0]
    summed = {i.axis for binder in equation.body.atoms(Binder) for i in binder.bound}
    at = tuple(Index(i.label + "'", i.axis) if i.axis in summed else i for i in equation.indices)
    kept = derivative(equation.body, by, at)
    slope = stored(total(kept), equation) if not summed else _along(equation, kept)
    left = how.index(Partial(equation.entry, Entry(by, *at)), equation.indices)
    kind = activation_of(equation)
    name = "" if summed or kind is None else rf"{operator(kind)}'\left({how.entry(by, at)}\right) = "
    return Row(left, name + how.cases(slope, equation.indices))


def _along(equation: Equation, terms: list[Term]) -> Expr:
    return total([eliminate(replace(t, coefficient=stored(t.coefficient, equation))) for t in terms])


# -- backward ----------------------------------------------------------------------------------------------------------


def _backward(derivation: Derivation, how: Notation) -> Iterator[Section]:
    words = "From the loss back to the inputs. Every gradient starts from the chain rule, over all equations that read the tensor."
    yield Section(("Backward pass",), (Paragraph((words,)),))
    for derived in derivation.backward:
        if derived.of is not None:
            yield Section(("Gradient of ", Math(how.name(derived.of))), tuple(_gradient(derived, derived.of, how)), level=2)


def _gradient(derived: Derived, of: Tensor, how: Notation) -> Iterator[Block]:
    equation = derived.equation
    indices = equation.indices
    start = derived.steps[0].before if derived.steps else equation.body
    left = how.derivative(of, indices)
    if not isinstance(start, Partial) and derived.steps:
        yield Paragraph(("The chain rule:",))
        yield Formula((Row(left, how.index(start, indices)),))
    for step in derived.steps[:-1]:
        yield Paragraph(explain(step, how))
        yield Formula((Row(left, how.index(step.after, indices)),))
    if derived.steps:
        yield Paragraph(explain(derived.steps[-1], how))
    name = how.name(equation.tensor)
    rows = [Row(left, f"{how.entry(equation.tensor, indices)} = {how.index(equation.body, indices)}")]
    form = how.matrix(equation.body, indices)
    if form is not None:
        rows.append(Row(how.derivative(of), in_shape(f"{name} = {form}", of)))
    yield Formula(tuple(rows), equation.number)


# -- stable form -------------------------------------------------------------------------------------------------------


def _stable(derivation: Derivation, how: Notation) -> Iterator[Section]:
    if not derivation.stable:
        return
    blocks: list[Block] = [
        Paragraph(
            (
                "Some of these equations overflow or lose digits in floating point. These are the same values in a form that does not; ",
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
        blocks.append(Formula((how.index_row(equation), *_matrix_rows(equation, how)), equation.number))
    yield Section(("Numerically stable form",), tuple(blocks))


# -- update and summary ------------------------------------------------------------------------------------------------


def _update(derivation: Derivation, how: Notation) -> Section:
    """One step of gradient descent."""
    rule = OPTIMISERS["sgd"].formula
    eta, theta, loss = Tensor("eta"), Tensor("theta"), Tensor("L")
    general = how.index(rule(theta.entry(), Partial(loss.entry(), theta.entry()), eta.entry()), ())
    rows = [Row(how.name(theta), general, r"\leftarrow")]
    for parameter in derivation.forward.parameters:
        gradient = derivation.gradient(parameter).equation
        body = rule(Entry(parameter, *gradient.indices), gradient.entry, eta.entry())
        form = how.matrix(body, gradient.indices)
        rows.append(Row(how.name(parameter), form or how.index(body, gradient.indices), r"\leftarrow"))
    words: Text = ("One step of gradient descent with learning rate ", Math(r"\eta"), ", for every parameter ", Math(r"\theta"), ":")
    return Section(("Update",), (Paragraph(words), Formula(tuple(rows))))


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
