"""The sections of a document that stand for themselves where it has numbers: what is given, and one step of gradient descent."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from derive.documents.document import Block, Formula, Math, Paragraph, Row, Section, Text
from derive.documents.figures import FIRST, HEAD, LONGEST, SLICES, matrix
from derive.documents.numbers import Figures
from derive.documents.symbols import size_letter
from derive.family import gradient_of
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Entry, Tensor
from derive.program import Equation
from derive.update import updated


def given_numbers(figures: Figures) -> Section:
    """Where the numbers come from, how they are rounded, and all given tensors."""
    forward = figures.worked.derivation.forward
    data = [t for t in forward.given if t not in forward.parameters]
    rate = figures.number(figures.worked.learning_rate)
    words: Text = (f"{figures.numbers.origin} The learning rate is ", Math(rf"\eta = {rate}"), *_examples(figures), ".")
    blocks: list[Block] = [Paragraph(words), Paragraph(_rounding_words(figures))]
    for tensors, title in ((data, "The data:"), (forward.parameters, "The parameters:")):
        if tensors:
            rows = [row for t in tensors for row in figures.given(t)]
            blocks += [Paragraph((title,)), Formula(tuple(rows))]
    return Section(("The numbers",), tuple(blocks))


def _examples(figures: Figures) -> Text:
    """How many examples there are, where the formulas have a letter for it."""
    axes = dict.fromkeys(a for t in figures.worked.derivation.forward.given for a in t.axes if a.extent is None)
    return tuple(part for a in axes for part in (", ", Math(f"{size_letter(a)} = {figures.extents[a.size]}")))


def _rounding_words(figures: Figures) -> Text:
    """How numbers are written, once for the whole document."""
    count = figures.rounding.decimals
    if figures.blank:
        exact = "Calculate with numbers that are not rounded yet: with rounded ones, your last digits may differ."
        return (f"Round every result to {count} decimals. {exact}",)
    words = f"Numbers are rounded to {count} decimals, halves away from zero: "
    relations: Text = (Math("="), " stands before numbers that need no rounding, ", Math(r"\approx"), " before rounded ones; ")
    carried = (
        "0 without decimals is zero in floating point. Every calculation is done with the numbers as they are before rounding, so the "
    )
    carried += "last digit may differ from what the rounded numbers would give."
    shown = list(figures.worked.values.values())
    long = any(extent > LONGEST for a in shown for extent in a.shape[-2:])
    many = any(a.ndim > 2 and math.prod(a.shape[:-2]) > SLICES for a in shown)
    cut = f" Of more than {LONGEST} rows or columns, the first {HEAD} and the last are shown." if long else ""
    cut += f" Of more than {SLICES} matrices in one array, the first {FIRST} and the last are shown." if many else ""
    return (words, *relations, carried + cut)


def update_in_numbers(figures: Figures) -> Iterator[Block]:
    """One step of every parameter, and the loss after it."""
    forward, worked = figures.worked.derivation.forward, figures.worked
    rows: list[Row] = []
    for parameter in forward.parameters:
        after = worked.after[parameter.name]
        exact = {parameter.name, gradient_of(parameter).name} <= figures.exact and figures.rounding.is_short(after)
        put = None if figures.blank else _step_put_in(parameter, figures)
        result = figures.result(parameter, after, exact, r"\leftarrow" if put is None else "")
        rows += figures.chained(parameter, put, r"\leftarrow", result)
    for statistic in forward.statistics:
        exact = statistic.update.name in figures.exact
        rows += figures.result(statistic.tensor, worked.after[statistic.tensor.name], exact, r"\leftarrow")
    if rows:
        yield Paragraph(("In numbers:",))
        yield Formula(tuple(rows))
    loss = forward.outputs[-1]
    yield Paragraph(("The loss by the same equations, with the new parameters", *_before(loss, figures), ":"))
    yield Formula(tuple(figures.result(loss, worked.loss, exact=False)))


def _before(loss: Tensor, figures: Figures) -> Text:
    """The loss before the step, where it is a number and no question."""
    if figures.blank or loss.axes:
        return ()
    exact = loss.name in figures.exact
    return (", after ", Math(matrix(figures.worked.values[loss.name], lambda x: figures.rounding.text(x, exact=exact))), " before")


def _step_put_in(parameter: Tensor, figures: Figures) -> str | None:
    """theta - eta * gradient with the numbers put in."""
    gradient = figures.worked.derivation.gradient(parameter).equation
    rate = Tensor("eta")
    body = updated(OPTIMISERS["SGD"], Entry(parameter, *gradient.indices), gradient.entry, rate.entry())
    step = Equation(parameter, gradient.indices, body)
    put = dict(figures.of((parameter, gradient.tensor)))
    put[rate] = figures.written(
        np.asarray(figures.worked.learning_rate), figures.rounding.is_short(np.asarray(figures.worked.learning_rate))
    )
    return figures.put_in(step, put)
