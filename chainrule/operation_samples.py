"""The smallest networks that show what an operation computes: one for every line of the tables of formulas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

import derive
from derive import Network
from derive.choices import needed
from derive.derivation import Derivation, Derived
from derive.evaluate import evaluate
from derive.formulas.losses import Loss
from derive.formulas.operation import Operation, Parameter
from derive.index import Tensor
from derive.program import Equation

EXTENT, SHORT, STEPS = 4, 2, 2  # of an axis; of one that the formula does not name; of the steps of a recurrence
STAND_IN = 2  # for a number that a spec must give
EXAMPLES = 2
UNITS = 4  # of the layers around the operation


@dataclass(frozen=True)
class Shown:
    """An operation in its network: its equations, those of the gradients that belong to it, and the derivation of all.

    forward: the equations of the operation; backward: the gradients of what it reads, of what it learns and of its own values.
    """

    derivation: Derivation
    forward: tuple[Equation, ...]
    backward: tuple[Derived, ...]

    @cached_property
    def computed(self) -> tuple[tuple[Equation, ...], tuple[Equation, ...]]:
        """What code computes for the equations, forward and backward: a part of equation (4) has the number 4 and a letter."""
        numbers = {e.number for e in self.forward}, {d.equation.number for d in self.backward}
        every = self.derivation.computed.equations
        forward, backward = (tuple(e for e in every if re.sub(r"\D", "", e.number) in found) for found in numbers)
        return forward, backward

    @cached_property
    def extents(self) -> Mapping[str, int]:
        """The extent of every axis by its size symbol."""
        return {axis.size: axis.extent or EXAMPLES for axis in self.derivation.computed.axes}

    @cached_property
    def values(self) -> Mapping[str, npt.NDArray[np.number]]:
        """All tensors of the computed program for a few examples: positions in them decide how often a term is computed."""
        program, random = self.derivation.computed, np.random.default_rng(0)
        given = {c.tensor.name: np.array([float(v) for v in c.values]) for c in program.constants}
        given |= {t.name: _drawn(t, random) for t in program.given if t.name not in given}
        return evaluate(program, given)


def shown_layer(kind: str, operation: Operation) -> Shown:
    """An activation or a layer: it reads dense layers, and a dense layer reads it."""
    labels = ":" in operation.reads[0]
    before = [] if labels else [{"kind": "dense", "units": UNITS, "name": f"value{k}", "inputs": ["input"]} for k in _numbers(operation)]
    reads = {"inputs": [layer["name"] for layer in before]} if len(before) > 1 else {}
    layer = {"kind": kind, **stand_ins(operation.parameters), **reads}
    shape = _shape(operation)
    inputs = {"shape": shape, "tokens": EXTENT} if labels else shape
    layers = [*before, layer, {"kind": "dense", "units": UNITS}]
    found = derive.differentiate(Network(name="operations", inputs=inputs, layers=layers, loss="mean_squared_error").program())
    place = f"layer {len(before) + 1}:"
    forward = tuple(e for e in found.forward.equations if e.note.startswith(place))
    return _shown(found, forward, forward[-1].tensor)


def shown_loss(kind: str, targets: str, loss: Loss) -> Shown:
    """A loss over a dense layer for each of the values that it reads, with the activation that it expects."""
    last = {"activation": loss.expects[0]} if loss.expects else {}
    layers = [{"kind": "dense", "units": UNITS, "name": name, "inputs": ["input"], **last} for name in loss.values]
    reads = {"inputs": list(loss.values)} if len(layers) > 1 else {}
    table = {"kind": kind, "targets": targets, **reads, **stand_ins(loss.parameters)}
    found = derive.differentiate(Network(name="operations", inputs=UNITS, layers=layers, loss=table).program())
    forward = tuple(e for e in found.forward.equations if not e.note.startswith("layer"))
    return _shown(found, forward, forward[-1].tensor)


def stand_ins(parameters: Mapping[str, Parameter]) -> dict[str, object]:
    """Values for the parameters that a spec must give."""
    lists = {name for name, p in parameters.items() if p.kind == "counts"}
    return {name: [SHORT, SHORT] if name in lists else STAND_IN for name in needed(parameters)}


def _numbers(operation: Operation) -> range:
    return range(1, len(operation.reads) + 1)


def _shape(operation: Operation) -> list[int]:
    """The axes of an example: those that the formula names, and two more where it says `...` after the examples."""
    letters = re.findall(r"[a-z]+|\.\.\.", operation.reads[0].split("]")[0].split("[")[1])
    named = [STEPS if letter == operation.steps else EXTENT for letter in letters if letter not in ("n", "...")]
    return [*named, SHORT, SHORT] if letters[0] == "n" else named or [EXTENT]


def _shown(found: Derivation, forward: tuple[Equation, ...], result: Tensor) -> Shown:
    """The gradients are those of all that the operation reads and defines, its result aside. Where code goes past one of them, since a
    shorter formula leads to the next, that one is shown too."""
    given = {*found.forward.inputs, *found.forward.targets, result}
    computed = {e.tensor for e in found.computed.equations}
    of = {t for e in forward for t in (e.tensor, *e.reads)} - given
    for derived in found.backward:
        if derived.of is not None and derived.of in of and derived.equation.tensor not in computed:
            before = found.forward.defining(derived.of)
            of |= set(before.reads) - given if before else set()
    return Shown(found, forward, tuple(d for d in found.backward if d.of in of))


def _drawn(tensor: Tensor, random: np.random.Generator) -> npt.NDArray[np.number]:
    shape = tuple(axis.extent or EXAMPLES for axis in tensor.axes)
    if tensor.values is not None:
        return random.integers(0, tensor.values.extent or 1, shape)
    return random.permutation(np.linspace(0.1, 0.9, prod(shape))).reshape(shape)
