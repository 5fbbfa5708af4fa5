"""The network as a picture: its layers as columns of units, read from the equations of a chain of dense layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import sympy as sp

from derive.documents.document import Column, Name, Units
from derive.documents.notation import Notation
from derive.documents.words import activation_of, spoken
from derive.index import Entry, Index, Sum, Tensor
from derive.program import Equation, Program

MOST, ABOVE = 6, 4  # units that a column shows; of more, so many at its upper end and the last
LAYERS, BEFORE, BEHIND = 6, 3, 2  # columns; of more, so many at either end


@dataclass(frozen=True)
class Dense:
    """A dense layer: what its units read, and the value that they give after its activations."""

    weight: Tensor
    bias: Tensor | None
    value: Tensor
    activations: tuple[str, ...] = ()


def units(program: Program, how: Notation) -> Iterator[Units]:
    """The picture of the network; none where it is no chain of dense layers. At most 6 columns of 6 units are shown.

    Of the targets it shows the first: any others are weights of the examples in the loss.
    """
    layers = chain(program)
    if not layers:
        return
    columns = [_inputs(program.inputs[0], how), *(_layer(layer, how, last=layer == layers[-1]) for layer in layers)]
    if len(columns) > LAYERS:
        middle = Column((), (), (f"{len(columns) - BEFORE - BEHIND} more", "layers"))
        columns[BEFORE:-BEHIND] = [middle]
    loss = program.outputs[-1]
    yield Units(tuple(columns), _name(loss, how), tuple(_name(t, how) for t in program.targets[:1]), _caption(layers, columns))


# -- what is read from the equations -------------------------------------------------------------------------------------


def chain(program: Program) -> tuple[Dense, ...]:
    """The layers where every equation up to the prediction is a dense layer of the value before it, or an activation of that value.

    None at all for any other network: one in which a layer reads or computes anything else, or a later one reads an earlier value.
    """
    value, learned = program.inputs[0], frozenset(program.parameters)
    if len(program.inputs) != 1 or value.values is not None or len(_sizes(value)) != 1:
        return ()
    layers: list[Dense] = []
    start = 0  # the equation that begins the last layer
    for place, equation in enumerate(program.equations):
        if value == program.outputs[0]:
            break
        if (dense := _dense(equation, value, learned)) is not None:
            layers.append(dense)
            start = place
        elif layers and (kind := _activation(equation, value, learned)) is not None:
            layers[-1] = replace(layers[-1], value=equation.tensor, activations=(*layers[-1].activations, kind))
        else:
            return ()
        value = equation.tensor
    earlier = {program.inputs[0], *(e.tensor for e in program.equations[:start])}
    return () if any(t in earlier for e in program.equations[start + 1 :] for t in e.reads) else tuple(layers)


def _dense(equation: Equation, value: Tensor, learned: Set[Tensor]) -> Dense | None:
    """The layer of `sum_i W[j, i] value[i] + b[j]`, the axes in any order, with or without a bias."""
    unit = [i for i in equation.indices if i.axis.extent is not None]
    terms = sp.Add.make_args(equation.body)
    sums = [t for t in terms if isinstance(t, Sum)]
    biases = [t.tensor for t in terms if isinstance(t, Entry) and t.tensor in learned and t.indices == tuple(unit)]
    if len(unit) != 1 or len(sums) != 1 or len(biases) > 1 or len(terms) != 1 + len(biases):
        return None
    product, bound = sums[0].open()
    factors = sp.Mul.make_args(product)
    read = {f.tensor: f.indices for f in factors if isinstance(f, Entry)}
    weights = [t for t in read if t in learned]
    if len(factors) != 2 or len(bound) != 1 or list(map(len, (read, weights))) != [2, 1] or value not in read:
        return None
    others = [i for i in equation.indices if i not in unit]
    if not _over(read[weights[0]], (*unit, *bound)) or not _over(read[value], (*others, *bound)):
        return None
    return Dense(weights[0], biases[0] if biases else None, equation.tensor)


def _over(places: Sequence[sp.Expr], indices: Sequence[Index]) -> bool:
    """Whether an entry is read at these indices, in any order."""
    return len(places) == len(indices) and all(i in places for i in indices)


def _activation(equation: Equation, value: Tensor, learned: Set[Tensor]) -> str | None:
    """The kind of activation that an equation applies to a value, with nothing but learned numbers beside it."""
    alone = value in equation.reads and all(t == value or t in learned for t in equation.reads)
    return activation_of(equation) if alone and equation.tensor.axes == value.axes else None


def _sizes(tensor: Tensor) -> list[int]:
    """The extents of the axes that are known: one, where the tensor is a vector for each example."""
    return [axis.extent for axis in tensor.axes if axis.extent is not None]


# -- what is shown -------------------------------------------------------------------------------------------------------


def _inputs(tensor: Tensor, how: Notation) -> Column:
    (count,) = _sizes(tensor)
    return Column((_name(tensor, how),), shown(count, how.first), (counted(count, "input"),))


def _layer(layer: Dense, how: Notation, *, last: bool) -> Column:
    (count,) = _sizes(layer.value)
    words = map(spoken, layer.activations or ("identity",))
    lines = tuple(_name(t, how) for t in (layer.weight, layer.bias) if t is not None)
    return Column((_name(layer.value, how),), shown(count, how.first), (counted(count, "output" if last else "unit"), *words), lines)


def shown(count: int, first: int) -> tuple[int | None, ...]:
    """The positions of the units that a column shows, and None where it leaves some out."""
    last = first + count - 1
    return tuple(range(first, last + 1)) if count <= MOST else (*range(first, first + ABOVE), None, last)


def counted(count: int, word: str) -> str:
    """1 unit, 2 units."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _name(tensor: Tensor, how: Notation) -> Name:
    return Name(how.inline(tensor), tensor.name)


def _caption(layers: Sequence[Dense], columns: Sequence[Column]) -> str:
    bias = " and its bias" if all(layer.bias for layer in layers) else " and its bias, if it has one" if any(x.bias for x in layers) else ""
    dots = " Dots stand for what is not shown." if any(not column.units or None in column.units for column in columns) else ""
    return (
        "The network. A circle is a unit, with its position in the layer. A line (blue) carries a value to the right, times a weight; "
        f"a unit adds up what comes to it{bias}, and applies the function that is named below. At the right the loss compares the "
        f"outputs with the targets (green, with a double line).{dots}"
    )
