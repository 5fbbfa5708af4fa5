"""The first section of a document: the network, its tensors and axes, and the conventions that the formulas follow."""

from __future__ import annotations

import math
from collections.abc import Iterator

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from derive.derivation import Derivation
from derive.documents.document import Block, Code, Formula, Items, Math, Paragraph, Part, Row, Section, Table, Text
from derive.documents.notation import Notation
from derive.documents.setup_tables import axes, axis_row, tensor_rows
from derive.documents.symbols import index_letter, shape_latex
from derive.documents.units import units
from derive.documents.words import activation_of, operator, spoken
from derive.formulas.losses import TARGETS
from derive.functions import AtLeast, Log1p
from derive.index import Entry
from derive.layer_spec import Layer
from derive.network import Network
from derive.program import Equation, Program
from derive.terms import derivative


def setup(derivation: Derivation, network: Network, notation: Notation) -> Section:
    """Every symbol with its meaning and shape, and what is agreed on."""
    forward = derivation.forward
    blocks: list[Block] = [
        Paragraph(network_words(network)),
        *units(forward, notation),
        Table((("Symbol",), ("In code",), ("Meaning",), ("Shape",), ("In numbers",)), tuple(tensor_rows(forward, network, notation)), 2),
        Paragraph(_onehot_words(notation)) if notation.onehots else Paragraph(_target_words(forward, network, notation)),
        *onehot_definitions(notation),
        Table(
            (("Index",), ("Runs over",), ("Positions",), ("Extent",)), tuple(axis_row(axis, notation.first) for axis in axes(forward)), 1
        ),
        Paragraph(("Conventions:",)),
        Items(tuple(_conventions(derivation, notation))),
    ]
    return Section(("Set-up",), tuple(blocks))


def _layer(layer: Layer) -> str:
    """What a layer is called in the list of them: 64 units (ReLU)."""
    units = layer.parameters.get("units")
    name = spoken(layer.kind) if layer.kind != "dense" else ""
    size = f"{units} unit{'s' if units != 1 else ''}" if units is not None else ""
    activation = f" ({spoken(layer.activation.kind)})" if layer.kind == "dense" or layer.activation.kind != "identity" else ""
    return " of ".join(part for part in (name, size) if part) + activation


def network_words(network: Network) -> Text:
    """The layers and the loss in one sentence."""
    layers = [_layer(layer) for layer in network.layers]
    options = network.loss.described
    loss = f"{spoken(network.loss.kind)}{f', {options}' if options else ''}, reduction: {network.loss.reduction}"
    count = math.prod(network.shape)
    inputs = f"{' x '.join(map(str, network.shape)) or 1} input{'s' if count > 1 else ''}"
    inputs += f" that are labels of {network.tokens} kinds" if network.tokens else ""
    return ("Network ", Code(network.name), f": {inputs}, then {', '.join(layers)}. Loss: {loss}.")


def _onehot_words(notation: Notation) -> Text:
    names = [Math(notation.name(onehot)) for onehot in notation.onehots.values()]
    counts = "the code counts classes from 0 and never forms it" if notation.first else "the code never forms it"
    return ("The labels as a one-hot tensor ", *names, f" ({counts}):")


def _target_words(program: Program, network: Network, notation: Notation) -> Text:
    facts = [Math(f"{notation.index(f.left, f.indices)} = {notation.index(f.right, f.indices)}") for f in program.facts]
    kind = network.loss.targets
    meaning = "may have any values" if kind == "values" else f"are {TARGETS[kind]}"
    known: Text = (" (declared: ", *facts, ")") if facts else ()
    return ("The targets ", *(Math(notation.name(target)) for target in program.targets), f" {meaning}", *known, ".")


def onehot_definitions(notation: Notation) -> Iterator[Formula]:
    """Y_nc := 1 where c is the label of n, for every tensor of labels."""
    for labels, onehot in notation.onehots.items():
        if labels.values is None:
            continue
        places = onehot.indices()
        position = next(i for i in places if i.axis == labels.values)
        label = notation.entry(labels, [i for i in places if i != position])
        delta = rf"\delta_{{{index_letter(position.label)},{label}}}"
        cases = rf"\begin{{cases}} 1 & {index_letter(position.label)} = {label} \\ 0 & \text{{otherwise}} \end{{cases}}"
        yield Formula((Row(notation.entry(onehot, places), f"{delta} = {cases}", ":="),))


# -- conventions -------------------------------------------------------------------------------------------------------


def _conventions(derivation: Derivation, notation: Notation) -> Iterator[Text]:
    program = derivation.forward
    yield layout_words(program, notation)
    yield gradient_words(notation)
    yield (
        Math(r"\odot"),
        " and ",
        Math(r"\oslash"),
        " are the product and the quotient entry by entry; functions apply to a matrix entry by entry, and a number added to a matrix is "
        "added to every entry. ",
        Math(r"\mathbf{1}"),
        " is a column vector of ones, ",
        Math(r"\mathbf{1}[\cdot]"),
        " is 1 where the condition holds and 0 elsewhere, and ",
        Math(r"\delta_{ab}"),
        " is 1 for ",
        Math("a = b"),
        " and 0 otherwise.",
    )
    yield from dict.fromkeys(text for equation in program.equations for text in _kinks(equation, notation))
    yield from _floors(derivation, notation)


def gradient_words(notation: Notation) -> Text:
    """The shape of a gradient and its two symbols: which of them is used, and which other texts use."""
    if notation.symbols.style == "partial":
        return (
            "A gradient has the shape of what it belongs to: ",
            Math(r"\frac{\partial L}{\partial T}"),
            " has the entries ",
            Math(r"\frac{\partial L}{\partial T_{ab}}"),
            ". Where the gradient of a matrix has a name, as in other texts, that is ",
            Math(r"G_T"),
            ", and ",
            Math(r"g_t"),
            " where it is the gradient by a vector or a number; in the code it is ",
            Code("dT"),
            ".",
        )
    return (
        "A gradient has the shape of what it belongs to. ",
        Math(r"G_T := \frac{\partial L}{\partial T}"),
        " for a matrix ",
        Math("T"),
        ", ",
        Math(r"g_t := \frac{\partial L}{\partial t}"),
        " for a vector or a number ",
        Math("t"),
        ".",
    )


def _floors(derivation: Derivation, notation: Notation) -> Iterator[Text]:
    """The declared bounds, and what they differ in from PyTorch's where nothing that is rounded is left to bound."""
    computed = [e.body for e in derivation.computed.equations]
    bounded = [a for e in computed for a in e.atoms(AtLeast)]
    for name, floors in derivation.forward.floors.items():
        parts: list[str] = []
        if floors.log is not None:
            parts.append(rf"\log u \to \max\left({notation.index(floors.log, ())}, \log u\right)")
        if floors.denominator is not None:
            parts.append(rf"\frac{{1}}{{u}} \to \frac{{1}}{{\max\left({notation.index(floors.denominator, ())}, u\right)}}")
        bounds = [x for part in parts for x in (Math(part), " and ")][:-1]
        yield ("When ", Math(name), " and its gradient are computed, bounds hold: ", *bounds, f", {floors.reason}.")
        if floors.denominator is not None and not any(floors.denominator in a.args for a in bounded):
            yield (
                "In what is computed here no denominator is left to bound: it has cancelled, and the gradient is right even where a "
                "probability is rounded to 0 or 1. PyTorch multiplies the factors one by one, and gives 0 there.",
            )
        if floors.log is not None and not any(floors.log in a.args and isinstance(a.args[0], sp.log | Log1p) for a in bounded):
            yield (
                "No logarithm of a probability is computed here: its definition is put in, and up to the bound the loss is right even "
                "where a probability is rounded to 0 or 1. PyTorch takes the logarithm of the rounded one, and gives the bound there.",
            )


def layout_words(program: Program, notation: Notation) -> Text:
    """Where the examples and the weights' axes stand, as the tensors' axes tell."""
    inputs = program.inputs[0]
    first = inputs.axes[0]
    if all(a.extent is not None for a in inputs.axes):
        examples: Text = ("The derivation is of one example; vectors are columns. ",)
    elif len(inputs.axes) == 2:
        examples = ("The examples are the ", "rows" if first.extent is None else "columns", " of ", Math(notation.name(inputs)), ". ")
    else:
        place = "first" if first.extent is None else "last"
        examples = (f"The examples stand along the {place} axis of ", Math(notation.name(inputs)), ". ")
    weight = next((t for t in program.parameters if program.starts.get(t) == "weight" and len(t.axes) == 2), None)
    if weight is None:
        return examples
    reader = program.reading(weight)[0]
    order = "outputs by inputs" if weight.axes[0] in reader.tensor.axes else "inputs by outputs"
    return (*examples, f"Weights are {order}: ", Math(rf"{notation.name(weight)} \in {shape_latex(weight)}"), ".")


def _kinks(equation: Equation, notation: Notation) -> Iterator[Text]:
    """The derivative at a kink of an activation: that of the branch which holds there."""
    kind = activation_of(equation)
    if kind is None or not isinstance(equation.body, sp.Piecewise):
        return
    conditions = [c for node in sp.preorder_traversal(equation.body) if isinstance(node, sp.Piecewise) for _, c in node.args]
    asked = (node for c in conditions for node in sp.preorder_traversal(c) if isinstance(node, Entry))
    entry = next((node for node in asked if node.indices == equation.indices), None)
    if entry is None:
        return
    met: set[Expr] = {place for c in conditions if (place := _meeting(c, entry)) is not None}
    slope = sp.Add(*(t.coefficient for t in derivative(equation.body, entry.tensor, equation.indices)))
    values: list[Part] = []
    for place in sorted(met, key=lambda place: sp.default_sort_key(place)):
        there = notation.index(slope.xreplace({entry: place}), ())
        values += [*([", "] if values else []), Math(rf"{operator(kind)}'({notation.index(place, ())}) = {there}")]
    if values:
        yield (f"Where branches of {spoken(kind)} meet, its derivative is that of the branch which holds there: ", *values, ".")


def _meeting(condition: Boolean, entry: Entry) -> Expr | None:
    """Where the two sides of a comparison are equal, if their difference is linear in the entry."""
    if not isinstance(condition, Relational):
        return None
    x = sp.Dummy("x", real=True)
    difference = (condition.lhs - condition.rhs).xreplace({entry: x})
    slope = sp.diff(difference, x)
    return -difference.xreplace({x: sp.S.Zero}) / slope if slope.is_number and slope != 0 else None
