"""A network as a list of applied operations: each layer, then its activation, with the axes of what they read and define."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic_core import PydanticCustomError

from derive.formulas.operation import Number, Operation, Start
from derive.shapes import Dimension, Letters, Pattern, Shape, Value, join, output, shape_text
from derive.spec_errors import one_of, shown, wrong

if TYPE_CHECKING:
    from derive.network import Network

INPUT = "input"
T = TypeVar("T")


@dataclass(frozen=True)
class Application:
    """An operation at its place in a network.

    layer: the number of its layer, from 1. reads: the numbers of the layers whose values it reads, 0 for the network's input; an
    activation reads its own layer's. learned, draws, statistics: the axes of these tensors by their names in the formula.
    """

    layer: int
    role: Literal["layer", "activation"]
    kind: str
    operation: Operation
    values: Mapping[str, Number]
    reads: tuple[int, ...]
    letters: Letters
    output: Value
    learned: Mapping[str, tuple[Shape, Start]]
    draws: Mapping[str, tuple[Shape, str]]
    statistics: Mapping[str, tuple[Shape, float]]


@dataclass(frozen=True)
class Graph:
    """The applications in the order of computation, the network's input, and the value of each layer."""

    batch: Dimension
    given: Value
    applications: tuple[Application, ...]
    values: tuple[Value, ...]  # of the input and of every layer
    loss: tuple[int, ...]  # the numbers of the layers that the loss reads

    def applied(self, layer: int) -> str:
        """The kind of what a layer applies last: its activation, or what the layer itself is."""
        return [a.kind for a in self.applications if a.layer == layer][-1]

    @property
    def unread(self) -> tuple[int, ...]:
        """The numbers of the layers that the loss does not depend on."""
        reads = {a.layer: a.reads for a in self.applications if a.role == "layer"}
        reached = list(self.loss)
        for layer in sorted(reads, reverse=True):
            reached += reads[layer] if layer in reached else ()
        return tuple(layer for layer in reads if layer not in reached)

    @property
    def learned(self) -> dict[str, int]:
        """The names of the tensors that layers learn, with the numbers of their layers."""
        return {f"{name}{a.layer}": a.layer for a in self.applications for name in a.learned}

    @property
    def size(self) -> int:
        """An upper bound of the number of parameters: formulas may leave some out."""
        shapes = [shape for a in self.applications for shape, _ in a.learned.values()]
        return sum(math.prod(d.root.extent or 1 for d in shape) for shape in shapes)


def graph(network: Network) -> Graph:
    """The applied operations of a network; raises the spec's error, with the layer's place, where they do not fit."""
    batch = Dimension("n", None, 0)
    vocabulary = Dimension("v", network.tokens, 0) if network.tokens else None
    letter = "i" if len(network.shape) == 1 and not vocabulary else ""  # else that of the first formula which reads it
    given = Value((batch, *(Dimension(letter, size, 0) for size in network.shape)), vocabulary)
    values, done = [given], list[Application]()
    names = {INPUT: 0} | {layer.name: k for k, layer in enumerate(network.layers, 1) if layer.name}
    for number, layer in enumerate(network.layers, 1):
        reads = tuple(_numbered(names, name, number, k) for k, name in enumerate(layer.inputs)) if layer.inputs else (number - 1,)
        try:
            done += _folded(layer.kind, layer.operation, layer.parameters, number, reads, values, batch)
            value = done[-1].output
            if layer.activation.kind != "identity":
                chosen = layer.activation
                done.append(_applied("activation", chosen.kind, chosen.operation, chosen.parameters, number, (number,), [value], batch))
                value = done[-1].output
        except PydanticCustomError as error:
            context = error.context or {}
            raise wrong(context["found"], context["right"], "layers", number - 1, *context["below"]) from None
        values.append(value)
    return Graph(batch, given, tuple(done), tuple(values), _read_by_loss(network.loss.inputs, names, values))


def _read_by_loss(inputs: tuple[str, ...], names: Mapping[str, int], values: list[Value]) -> tuple[int, ...]:
    """The layers that the loss reads: the last one, or those that it names, whose axes it makes the same."""
    if not inputs:
        return (len(values) - 1,)
    for place, name in enumerate(inputs):
        if name not in names or name == INPUT:
            layers = [known for known in names if known != INPUT]
            right = one_of(layers, name) if layers else "the name of a layer"
            raise wrong(f"found {shown(name)}", right, "loss", "inputs", place)
    numbers = tuple(names[name] for name in inputs)
    first = values[numbers[0]]
    for place, number in enumerate(numbers[1:], 1):
        if values[number].extents != first.extents:
            shapes = [shape_text(value) for value in (values[number], first)]
            raise wrong(f"found a layer of shape {shapes[0]}", f"one of shape {shapes[1]}, as {inputs[0]} is", "loss", "inputs", place)
        join(first, values[number])
    return numbers


def _numbered(names: Mapping[str, int], name: str, number: int, place: int) -> int:
    before = [known for known, k in names.items() if k < number]
    if name not in before:
        raise wrong(f"found {shown(name)}", one_of(before, name) + ", a layer that stands before", "layers", number - 1, "inputs", place)
    return names[name]


def _folded(
    kind: str,
    operation: Operation,
    values: Mapping[str, Number],
    number: int,
    reads: tuple[int, ...],
    known: list[Value],
    batch: Dimension,
) -> list[Application]:
    """The operation applied to all inputs: one of two inputs takes more of them from left to right."""
    count = len(operation.reads)
    if len(reads) == count:
        return [_applied("layer", kind, operation, values, number, reads, [known[k] for k in reads], batch)]
    if count != 2 or len(reads) < 2:
        raise wrong(
            f"it has {len(reads)} input{'s' if len(reads) > 1 else ''}", f"{count} of them: {kind} reads {', '.join(operation.reads)}"
        )
    first = _applied("layer", kind, operation, values, number, reads[:2], [known[k] for k in reads[:2]], batch)
    done = [first]
    for k in reads[2:]:
        done.append(_applied("layer", kind, operation, values, number, (number, k), [done[-1].output, known[k]], batch))
    return done


def _applied(
    role: Literal["layer", "activation"],
    kind: str,
    operation: Operation,
    values: Mapping[str, Number],
    number: int,
    reads: tuple[int, ...],
    read: list[Value],
    batch: Dimension,
) -> Application:
    letters = Letters(batch, number)
    for text, value in zip(operation.reads, read, strict=True):
        letters.bind(Pattern.of(text), value)
    letters.declare(operation.axes, values)
    return Application(
        number,
        role,
        kind,
        operation,
        values,
        reads,
        letters,
        Value(output(operation, letters, values)),
        _shaped(operation.learned, letters),
        _shaped(operation.draws, letters),
        _shaped(operation.statistics, letters),
    )


def _shaped(tensors: Mapping[str, T], letters: Letters) -> dict[str, tuple[Shape, T]]:
    found = [(Pattern.of(text), about) for text, about in tensors.items()]
    return {pattern.name: (letters.shape(pattern.letters), about) for pattern, about in found}
