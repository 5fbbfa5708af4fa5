"""From a network's description to its forward program: which formula stands where, with which axes and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sympy import Expr

from derive.build_loss import Value, loss_part, penalty_equations
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.operation import Operation
from derive.index import Axis, Index, Sign, Sum, Tensor
from derive.language import Operand, Scope, definitions, extent
from derive.loss_scope import letters
from derive.parameters import symbolic
from derive.program import Equation, Program, renumber

if TYPE_CHECKING:
    from derive.network import Convention, Network

Examples = Literal["batch", "single"]


def program(network: Network, convention: Convention | None = None, examples: Examples = "batch") -> Program:
    """The forward program of a network.

    convention: "rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T); the network's own by default.
    examples: "batch" has the axis n of examples; "single" is one example, with vectors in lower case.
    """
    return _Builder(network, convention or network.convention, examples).program()


@dataclass
class _Builder:
    """Collects the equations of one network from the first layer to the loss."""

    network: Network
    convention: Convention
    examples: Examples

    def __post_init__(self) -> None:
        self.batch = Axis("n", "N", None, "examples")
        self.equations: list[Equation] = []
        self.parameters: list[Tensor] = []
        self.loss = self.network.loss.formula

    def program(self) -> Program:
        axes = self._feature_axes()
        value = self._value(self._tensor("X", axes[0]))
        given = value.tensor
        for number, axis in enumerate(axes[1:], 1):
            value = self._layer(value, number, axis)
        batch = self.batch if self.examples == "batch" else None
        penalties = penalty_equations(self.network.penalties, self.parameters)
        part = loss_part(self.network.loss, [value], self, batch, penalties)
        self.parameters += part.learned
        equations = renumber((*self.equations, *part.equations))
        return Program(
            self.network.name,
            (given,),
            part.targets,
            tuple(self.parameters),
            equations,
            part.outputs,
            part.facts,
            part.floors,
            part.constants,
        )

    def _feature_axes(self) -> list[Axis]:
        hidden = [(k, layer) for k, layer in enumerate(self.network.layers[:-1], 1)]
        axes = [Axis("i", "D", self.network.inputs, "inputs")]
        for k, layer in hidden:
            letter = {1: "j", 2: "k"}[k] if len(hidden) <= 2 else f"j{k}"
            size = "H" if len(hidden) == 1 else f"H{k}"
            axes.append(Axis(letter, size, layer.units, f"hidden layer {layer.name or k}"))
        meaning = "classes" if self.loss.over == "examples" else "outputs"
        return [*axes, Axis("c", "C", self.network.layers[-1].units, meaning)]

    def _layer(self, x: Value, number: int, axis: Axis) -> Value:
        layer = self.network.layers[number - 1]
        last = number == len(self.network.layers)
        plain = layer.activation.kind == "identity"
        before, after = f"A{number}", f"H{number}"
        if last:
            before, after = ("Z" if self.loss.reads != "Z" else before), self.loss.reads
        j, i = axis.index(), x.operand.axes[-1].index()
        flipped = self.convention == "xw"
        weight = Tensor(f"W{number}", (i.axis, axis) if flipped else (axis, i.axis))
        bias = Tensor(f"b{number}", (axis,)) if layer.bias else None
        self.parameters += [weight, bias] if bias else [weight]
        product = Sum(x.operand.at((*letters(x.operand.axes[:-1]), i)) * (weight[i, j] if flipped else weight[j, i]), i)
        a = self._define(after if plain and last else before, axis, product + (bias[j] if bias else 0), f"layer {number}: pre-activation")
        if plain:
            return a
        operation = layer.activation.operation
        learned = {name: Tensor(f"{name}{number}") for name in operation.learned}
        self.parameters += learned.values()
        values = {**symbolic(layer.activation.parameters), **{name: tensor[()] for name, tensor in learned.items()}}
        return self._apply(operation, a, values, after, f"layer {number}: {layer.activation.kind}")

    def activate(self, kind: str, x: Value, name: str, note: str) -> Value:
        return self._apply(ACTIVATIONS[kind], x, {}, name, note)

    def _apply(self, operation: Operation, x: Value, values: Mapping[str, Expr | bool | int], name: str, note: str) -> Value:
        found: list[Value] = []

        def define(_name: str, indices: tuple[Index, ...], body: Expr) -> Operand:
            found.append(self._define(name, indices[-1].axis, body, note))
            return found[-1].operand

        whole = {name: value for name, value in values.items() if isinstance(value, int)}
        sizes = {"k": x.operand.axes[-1].extent or 0}
        axes = {
            letter: Axis(f"{letter}{name[1:]}", f"{name}_{letter}", extent(text, whole, sizes)) for letter, text in operation.axes.items()
        }
        definitions(operation.formula, Scope({"X": x.operand, **values}, axes), define)
        return found[-1]

    # -- names and places ------------------------------------------------------------------------------------------

    def _cased(self, name: str) -> str:
        return name if self.examples == "batch" else name.lower()

    def declare(self, name: str, axes: Sequence[Axis], values: Axis | None = None, sign: Sign = "real") -> Value:
        stored = axes[::-1] if self.convention == "columns" else axes
        return self._value(Tensor(self._cased(name), stored, values, sign))

    def _tensor(self, name: str, feature: Axis, sign: Sign = "real") -> Tensor:
        axes = {"single": (feature,), "batch": (self.batch, feature)}[self.examples]
        return Tensor(self._cased(name), axes[::-1] if self.convention == "columns" else axes, sign=sign)

    def _define(self, name: str, feature: Axis, body: Expr, note: str) -> Value:
        sign: Sign = "positive" if body.is_positive else "nonnegative" if body.is_nonnegative else "real"
        tensor = self._tensor(name, feature, sign)
        self.equations.append(Equation(tensor, tensor.indices(), body, note=note))
        return self._value(tensor)

    def _value(self, tensor: Tensor) -> Value:
        """The tensor with its axes in their logical order: the examples first."""
        if self.convention != "columns":
            return Value(tensor, Operand(tensor.axes, lambda at: tensor[at]))
        return Value(tensor, Operand(tensor.axes[::-1], lambda at: tensor[at[::-1]]))
