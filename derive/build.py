"""From a network's description to its forward program: which formula stands where, with which axes and names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sympy as sp
from sympy import Expr

from derive.formulas import layers
from derive.formulas.activations import ACTIVATIONS, exact
from derive.formulas.losses import LOSSES, Loss
from derive.index import Axis, Entry, Index, Sign, Sum, Tensor
from derive.program import Equation, Fact, Program, renumber

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
        self.loss: Loss = LOSSES[self.network.loss.kind, self.network.loss.targets]

    def program(self) -> Program:
        axes = self._feature_axes()
        given = value = self._tensor("X", axes[0])
        for number, axis in enumerate(axes[1:], 1):
            value = self._layer(value, number, axis)
        prediction, target = self._loss(value, axes[-1])
        floors = {"L": self.loss.floors} if self.loss.floors else {}
        outputs = (prediction, self.equations[-1].tensor)
        return Program(
            self.network.name,
            (given,),
            (target,),
            tuple(self.parameters),
            renumber(tuple(self.equations)),
            outputs,
            self._facts(target),
            floors,
            starts={t: sp.S.Zero for t in self.parameters if t.name.startswith("b")},
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

    def _layer(self, x: Tensor, number: int, axis: Axis) -> Tensor:
        layer = self.network.layers[number - 1]
        last = number == len(self.network.layers)
        plain = layer.activation.kind == "identity"
        before, after = f"A{number}", f"H{number}"
        if last:
            before, after = ("Z" if self.loss.reads != "Z" else before), self.loss.reads
        j, i = axis.index(), self._feature(x).index()
        flipped = self.convention == "xw"
        weight = Tensor(f"W{number}", (i.axis, axis) if flipped else (axis, i.axis))
        bias = Tensor(f"b{number}", (axis,)) if layer.bias else None
        self.parameters += [weight, bias] if bias else [weight]
        body = layers.dense(lambda f: self._at(x, f), lambda out, into: weight[into, out] if flipped else weight[out, into], bias, j, i)
        note = f"layer {number}: pre-activation"
        a = self._define(after if plain and last else before, axis, body, note)
        if plain:
            return a
        return self._define(after, axis, self._activation(number, a, axis), f"layer {number}: {layer.activation.kind}")

    def _activation(self, number: int, a: Tensor, axis: Axis) -> Expr:
        chosen = self.network.layers[number - 1].activation
        values = {name: exact(value) for name, value in chosen.parameters.items()}
        return ACTIVATIONS[chosen.kind].body(self._at(a, axis.index()), axis.index(), **values)

    def _loss(self, z: Tensor, axis: Axis) -> tuple[Tensor, Tensor]:
        c = axis.index()
        prediction = z
        if self.loss.link:
            link = ACTIVATIONS[self.loss.link].body(self._at(z, c), c)
            prediction = self._define("P", axis, link, f"prediction: {self.loss.link}")
        target, at_target = self._target(prediction, axis)
        read = prediction if self.loss.of_link else z
        elements = self.loss.over == "elements"
        options = self.network.loss.options
        own = c if elements else axis.fresh()

        def at_read(feature: Expr) -> Entry:
            return self._at(read, feature)

        loss = self.loss.formula(at_read, at_target, own, **options)
        over = [i for i in prediction.indices() if elements or i != c]
        count = sp.Mul(*[i.axis.count for i in over if i.axis.extent != 1]) if self.network.loss.reduction == "mean" else sp.S.One
        total = Sum(loss, *over) if over else loss
        self.equations.append(Equation(Tensor("L"), (), total / count, note=f"loss: {self.network.loss.kind}"))
        return prediction, target

    def _target(self, prediction: Tensor, axis: Axis) -> tuple[Tensor, Callable[[Index], Expr] | Expr]:
        """The targets, and how the formula reads them: a label's entry, or entries at a feature index."""
        batch = (self.batch,) if self.examples == "batch" else ()
        if self.loss.target == "labels":
            labels = Tensor("y", batch, values=axis)
            return labels, labels.entry()
        sign: Sign = "real" if self.loss.target == "values" else "nonnegative"
        target = Tensor(self._cased("Y"), prediction.axes, sign=sign)
        return target, lambda f: self._at(target, f)

    def _facts(self, target: Tensor) -> tuple[Fact, ...]:
        if self.loss.target != "probabilities":
            return ()
        c = self._feature(target).index()
        free = tuple(i for i in target.indices() if i != c)
        return (Fact(Sum(self._at(target, c), c), sp.S.One, free, "targets are probabilities: they sum to 1 over the classes"),)

    # -- names and places ------------------------------------------------------------------------------------------

    def _cased(self, name: str) -> str:
        return name if self.examples == "batch" else name.lower()

    def _tensor(self, name: str, feature: Axis, sign: Sign = "real") -> Tensor:
        axes = {"single": (feature,), "batch": (self.batch, feature)}[self.examples]
        return Tensor(self._cased(name), axes[::-1] if self.convention == "columns" else axes, sign=sign)

    def _define(self, name: str, feature: Axis, body: Expr, note: str) -> Tensor:
        sign: Sign = "positive" if body.is_positive else "nonnegative" if body.is_nonnegative else "real"
        tensor = self._tensor(name, feature, sign)
        self.equations.append(Equation(tensor, tensor.indices(), body, note=note))
        return tensor

    def _feature(self, tensor: Tensor) -> Axis:
        return next(a for a in tensor.axes if a != self.batch)

    def _at(self, tensor: Tensor, feature: Expr) -> Entry:
        """The tensor's entry at a feature position, for the example n."""
        return Entry(tensor, *(self.batch.index() if a == self.batch else feature for a in tensor.axes))
