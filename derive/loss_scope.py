"""What the names in a loss' formula mean: values, targets, numbers and lists of numbers, of one element or of one example."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp
from sympy import Expr

from derive.formulas.losses import Loss
from derive.formulas.operation import Number
from derive.index import Axis, Index, Tensor
from derive.language import Operand, Scope, expression
from derive.parameters import symbolic

Meanings = dict[str, Expr | bool | int | Operand]


def letters(axes: tuple[Axis, ...]) -> tuple[Index, ...]:
    """The index letters of the axes, one for each; a second index on one axis gets a prime."""
    return Tensor("", axes).indices()


def loss_scope(formula: Loss, values: Mapping[str, Operand], target: Operand, options: Mapping[str, Number], more: Meanings) -> Scope:
    """The scope of a loss' formula, at the letters of the first value's axes.

    values: by name, all of the same axes, examples first. target: as many axes, or those of the examples alone. options: the numbers
    that the spec gives. more: the lists of numbers among them as tensors of the last axis, and learned numbers.
    """
    axes = next(iter(values.values())).axes
    places = letters(axes)
    lists = {name: more.get(name, _ones(axes[-1:])) for name, p in formula.parameters.items() if p.kind == "reals"}
    tensors: Meanings = {**values, **lists}
    if formula.target_over == "elements":
        tensors["target"] = target
    if formula.over == "elements":
        read: Meanings = {name: _entry(operand, places) for name, operand in tensors.items()}
    else:
        read = {name: _row(operand, places[:-1]) for name, operand in tensors.items()}
    if formula.target_over == "examples":
        read["target"] = _entry(target, places[:-1])
    return Scope({**symbolic(options), **more, **read})


def read_loss(formula: Loss, scope: Scope, define: Callable[[str, Expr], Expr]) -> Expr:
    """The loss of one element or example; `define` is called for every named part, and answers with what to read. Raises FormulaError."""
    *parts, (_, whole) = formula.lines
    for name, text in parts:
        scope = Scope({**scope.values, name: define(name, expression(text, scope))})
    return expression(whole, scope)


def read_trial(formula: Loss, options: Mapping[str, Number], learned: Mapping[str, float]) -> None:
    """Read the formula of a loss, for a network of which nothing is known. Raises FormulaError."""
    examples, outputs = Axis("n", "N"), Axis("c", "C")
    prediction = Tensor("P", (examples, outputs))
    labels = outputs if formula.target == "labels" else None
    target = Tensor("y", prediction.axes if formula.target_over == "elements" else (examples,), labels)
    lists: Meanings = {name: _operand(Tensor(name, (outputs,))) for name, given in options.items() if isinstance(given, tuple)}
    scalars: Meanings = {name: Tensor(name)[()] for name in learned}
    values = {name: _operand(prediction) for name in formula.values}
    scope = loss_scope(formula, values, _operand(target), options, {**lists, **scalars})
    over = prediction.axes if formula.over == "elements" else (examples,)
    read_loss(formula, scope, lambda name, _: Tensor(name, over).entry())


def _operand(tensor: Tensor) -> Operand:
    return Operand(tensor.axes, lambda at: tensor[at])


def _ones(axes: tuple[Axis, ...]) -> Operand:
    return Operand(axes, lambda _: sp.S.One)


def _entry(operand: object, places: tuple[Index, ...]) -> Expr:
    """The entry at the last of these places: as many as there are axes."""
    assert isinstance(operand, Operand)
    return operand.at(places[len(places) - len(operand.axes) :])


def _row(operand: object, places: tuple[Index, ...]) -> Operand:
    """The entries along the last axis, the positions on the others given."""
    assert isinstance(operand, Operand)
    outer = places[len(places) - len(operand.axes) + 1 :]
    return Operand(operand.axes[-1:], lambda at: operand.at((*outer, *at)))
