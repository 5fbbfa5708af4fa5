"""The tables of a document: every tensor with its meaning and shape, every index with what it runs over."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from derive.documents.document import Code, Math, Text
from derive.documents.notation import Notation
from derive.documents.symbols import index_letter, shape_latex, size_letter
from derive.documents.words import heading
from derive.index import Axis, Binder, Tensor
from derive.network import Network
from derive.program import Constant, Draw, Program, Statistic

GIVEN: dict[type, str] = {
    Constant: "numbers that the spec gives",
    Draw: "random data of training: 1 or 0",
    Statistic: "running value: it is replaced after every step of training",
}


def tensor_rows(program: Program, network: Network, notation: Notation) -> Iterator[tuple[Text, ...]]:
    """Symbol, name in the code, meaning, shape and shape in numbers of every tensor."""
    yield from given_rows(program, network, notation)
    for equation in program.equations:
        yield _tensor_row(equation.tensor, (heading(equation),), notation)


def given_rows(program: Program, network: Network, notation: Notation) -> Iterator[tuple[Text, ...]]:
    """The same of what is given."""
    for tensor in program.inputs:
        yield _tensor_row(tensor, ("inputs" if tensor.values is None else "inputs: labels",), notation)
    for tensor in program.targets[:1]:
        yield _tensor_row(tensor, (_target_role(tensor),), notation)
    for tensor in program.targets[1:]:
        yield _tensor_row(tensor, ("weights of the examples in the loss",), notation)
    for given in (*program.constants, *program.draws, *program.statistics):
        yield _tensor_row(given.tensor, (GIVEN[type(given)],), notation)
    for tensor in program.parameters:
        yield _tensor_row(tensor, _parameter_words(tensor, program, network), notation)


def _target_role(tensor: Tensor) -> str:
    if tensor.values is None:
        return "targets"
    if len(tensor.axes) > 1:
        return "labels: the class of each position"
    return "labels: the class of each example" if tensor.axes else "label: the class of the example"


def _tensor_row(tensor: Tensor, meaning: Text, notation: Notation) -> tuple[Text, ...]:
    symbolic, numeric = (_space(tensor, notation.first, numbers=numbers) for numbers in (False, True))
    return ((Math(notation.name(tensor)),), (Code(tensor.name),), meaning, (Math(symbolic),), (Math(numeric),))


def _parameter_words(tensor: Tensor, program: Program, network: Network) -> Text:
    """The role of a parameter by how it starts, and the layer that learns it."""
    role = "weights" if program.starts.get(tensor) == "weight" else "biases" if tensor.name.startswith("b") else "learned numbers"
    number = network.learned.get(tensor.name)
    if number is None:
        return (f"{role} of the loss",)
    name = network.layers[number - 1].name
    return (f"{role} of layer {number}{f', {name}' if name else ''}",)


def _space(tensor: Tensor, first: int, *, numbers: bool) -> str:
    if tensor.values is None:
        return shape_latex(tensor, numbers=numbers)
    count = tensor.values.extent
    last = _last(size_letter(tensor.values), first)
    if numbers and count:
        last = str(count - 1 + first)
    above = shape_latex(tensor, numbers=numbers).removeprefix(r"\mathbb{R}")
    listed = f"{first}, " + (r"\dots, " if last != str(first + 1) else "") if last != str(first) else ""
    return rf"\lbrace {listed}{last} \rbrace{above}"


def _last(size: str, first: int) -> str:
    """The last position on an axis of this size."""
    return size if first == 1 else f"{size} - 1"


def axes(program: Program) -> tuple[Axis, ...]:
    """All axes, from the inputs to the loss."""
    tensors = (*program.inputs, *(e.tensor for e in program.equations), *program.parameters)
    binders = (n for e in program.equations for n in sp.preorder_traversal(e.body) if isinstance(n, Binder))
    bound = (i.axis for binder in binders for i in binder.bound)
    return tuple(dict.fromkeys((*(axis for tensor in tensors for axis in tensor.axes), *bound)))


def axis_row(axis: Axis, first: int) -> tuple[Text, ...]:
    letter = index_letter(axis.name)
    size = size_letter(axis)
    extent: Text = (Math(size), ", known when it runs") if axis.extent is None else (Math(f"{size} = {axis.extent}"),)
    return ((Math(letter),), (axis.meaning,), (Math(rf"{letter} = {first}, \dots, {_last(size, first)}"),), extent)
