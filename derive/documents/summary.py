"""The results on a page: every equation once, as a matrix equation where it has that form, and no steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from derive.derivation import Derivation
from derive.documents.document import Block, Formula, Math, Paragraph, Row, Section, Table, Text
from derive.documents.notation import Notation, in_shape
from derive.documents.setup import gradient_words, layout_words, network_words, onehot_definitions
from derive.documents.setup_tables import given_rows
from derive.documents.words import activation_of, argument, operator
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Partial, Tensor
from derive.network import Network
from derive.program import Equation
from derive.update import updated


def summary(derivation: Derivation, network: Network, how: Notation) -> Iterator[Section]:
    """Symbols, forward pass, backward pass, products."""
    yield short_setup(derivation, network, how)
    parts = {
        "Forward pass": list(derivation.forward.equations),
        "Backward pass": [d.equation for d in derivation.backward if d.of is not None],
        "Products": [d.equation for product in derivation.products for d in product.derived],
    }
    for title, equations in parts.items():
        if equations:
            rows = (replace(result_row(equation, how), note=(f"({equation.number})",)) for equation in equations)
            yield Section((title,), (Formula(tuple(rows)),))


def short_setup(derivation: Derivation, network: Network, how: Notation, pictures: Iterable[Block] = ()) -> Section:
    """What is given, with its shape, and the conventions without which the equations cannot be read; pictures behind the first words."""
    forward = derivation.forward
    rows = [(symbol, meaning, shape) for symbol, _, meaning, _, shape in given_rows(forward, network, how)]
    blocks: list[Block] = [
        Paragraph(network_words(network)),
        *pictures,
        Table((("Symbol",), ("Meaning",), ("Shape",)), tuple(rows), 1),
        Paragraph((*layout_words(forward, how), " ", *_onehots(how), *gradient_words(how))),
    ]
    return Section(("Set-up",), tuple(blocks))


def _onehots(how: Notation) -> Iterator[str | Math]:
    for formula in onehot_definitions(how):
        row = formula.rows[0]
        delta, _, _ = row.right.partition(" = ")
        yield from (
            "The labels are used as a one-hot tensor: ",
            Math(f"{row.left} {row.relation} {delta}"),
            ", 1 at the label and 0 elsewhere. ",
        )


def result_row(equation: Equation, how: Notation) -> Row:
    """An activation by its name and its formula; any other equation as a matrix equation, or for one entry."""
    form = how.matrix(equation.body, equation.indices)
    kind = activation_of(equation)
    named = rf"{operator(kind)}\left({how.name(argument(equation))}\right)" if kind else None
    sides = list(dict.fromkeys(side for side in (named, form) if side is not None))
    if not sides:
        return how.index_row(equation)
    return Row(how.name(equation.tensor), in_shape(" = ".join(sides), equation.tensor))


def update_rule(how: Notation) -> Iterator[Block]:
    """One step of gradient descent, for any parameter."""
    rule = partial(updated, OPTIMISERS["SGD"])
    eta, theta, loss = Tensor("eta"), Tensor("theta"), Tensor("L")
    general = how.index(rule(theta.entry(), Partial(loss.entry(), theta.entry()), eta.entry()), ())
    words: Text = ("One step of gradient descent with learning rate ", Math(r"\eta"), ", for every parameter ", Math(r"\theta"), ":")
    yield Paragraph(words)
    yield Formula((Row(how.name(theta), general, r"\leftarrow"),))
