"""The loss side of a program: targets, the loss of every element or example, its weights, its reduction, penalties.

The builder of the network says where things are stored (`Store`) and hands in the values that the loss reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sympy as sp
from sympy import Expr

from derive.formulas import losses
from derive.index import Axis, Entry, Index, Sign, Sum, Tensor
from derive.language import Operand, Scope, expression
from derive.loss_scope import Meanings, letters, loss_scope, read_loss
from derive.loss_spec import Loss, Penalty
from derive.parameters import exact, symbolic
from derive.program import Constant, Equation, Fact, Floors

EACH = "l"  # the losses one by one
NONNEGATIVE: frozenset[losses.Target] = frozenset({"probabilities", "unit", "counts"})


@dataclass(frozen=True)
class Value:
    """A tensor of the program, and how a formula reads it: axes in their logical order, examples first."""

    tensor: Tensor
    operand: Operand

    def entry(self) -> Entry:
        """The entry at the axes' own letters."""
        entry = self.operand.at(letters(self.operand.axes))
        assert isinstance(entry, Entry)
        return entry

    @property
    def places(self) -> tuple[Index, ...]:
        """The axes' own letters in the order in which the tensor is stored."""
        return tuple(i for i in self.entry().indices if isinstance(i, Index))


class Store(Protocol):
    """What the builder of the network knows."""

    def declare(self, name: str, axes: Sequence[Axis], values: Axis | None = None, sign: Sign = "real") -> Value:
        """A tensor of this name, in the order of axes that the network's convention stores."""
        ...

    def activate(self, kind: str, x: Value, name: str, note: str) -> Value:
        """The value of an activation of x, defined by new equations."""
        ...


@dataclass(frozen=True)
class LossPart:
    """What the loss adds to a program.

    outputs: the prediction, the losses one by one where they are asked for (reduction "none"), and L. targets: those of the loss,
    then the weights of examples or labels, if there are any. learned: the learned numbers of the formula, with their first values.
    """

    outputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    constants: tuple[Constant, ...]
    facts: tuple[Fact, ...]
    floors: dict[str, Floors]
    learned: dict[Tensor, float]


def loss_part(loss: Loss, read: Sequence[Value], store: Store, batch: Axis | None, penalties: Sequence[Equation] = ()) -> LossPart:
    """The loss of a network.

    read: the values that the loss' formula reads, in its order. batch: the axis of examples, None for a single example.
    penalties: equations of numbers that are added to the loss.
    """
    formula = loss.formula
    linked = formula.link is not None
    predictions = [store.activate(formula.link, read[0], "P", f"prediction: {formula.link}")] if formula.link else list(read)
    values = predictions if not linked or formula.of_link else list(read)
    build = _Build(loss, formula, values, store, batch)
    equations = build.equations(penalties)
    each = [e.tensor for e in equations if e.tensor.name == EACH]
    return LossPart(
        (predictions[0].tensor, *each, equations[-1].tensor),
        tuple(v.tensor for v in (build.target, *build.weights)),
        (*penalties, *equations),
        build.constants,
        build.facts(),
        {"L": formula.floors} if formula.floors else {},
        build.learned,
    )


def penalty_equations(penalties: Sequence[Penalty], parameters: Sequence[Tensor]) -> tuple[Equation, ...]:
    """R1 = sum of the first penalty over its parameters, R2 = ...; a name that no parameter has is left out."""
    found: list[Equation] = []
    for number, penalty in enumerate(penalties, 1):
        chosen = [p for p in parameters if (p.name in penalty.parameters if penalty.parameters else len(p.axes) > 1)]
        body = sp.Add(*(_penalised(penalty, tensor) for tensor in chosen))
        found.append(Equation(Tensor(f"R{number}"), (), body, note=f"penalty: {penalty.kind}"))
    return tuple(found)


def _penalised(penalty: Penalty, tensor: Tensor) -> Expr:
    term = expression(penalty.formula.formula, Scope({"w": tensor.entry(), **symbolic(penalty.options)}))
    return Sum(term, *tensor.indices()) if tensor.axes else term


@dataclass
class _Build:
    """The pieces of one loss, and how they are put together."""

    loss: Loss
    formula: losses.Loss
    values: Sequence[Value]
    store: Store
    batch: Axis | None

    def __post_init__(self) -> None:
        self.axes = self.values[0].operand.axes
        self.over = self.axes if self.formula.over == "elements" else self.axes[:-1]  # the axes that the reduction sums over
        self.target = self._target()
        self.weights = self._weights()
        lists = {name: given for name, given in self.loss.options.items() if isinstance(given, tuple)}
        self.constants = tuple(_constant(name, given, self.axes[-1]) for name, given in lists.items())
        self.learned = {Tensor(name): start for name, start in self.loss.learned.items()}

    def equations(self, penalties: Sequence[Equation]) -> list[Equation]:
        """The sum of the weights if there are any, the loss of each if it is asked for, and the loss."""
        name, over, found = self.loss.kind, letters(self.over), list[Equation]()

        def define(part: str, body: Expr) -> Expr:
            value = self.store.declare(part, self.over, sign=_sign(body))
            found.append(Equation(value.tensor, value.places, body, note=f"part of the loss: {name}"))
            return value.entry()

        term, count = read_loss(self.formula, self._scope(), define) * self._weight(), self._count()
        if self.loss.reduction == "none" and over:
            each = self.store.declare(EACH, self.over)
            entry = each.entry()
            found.append(Equation(each.tensor, each.places, term, note=f"loss of each: {name}"))
            term = entry
        if count.has(Entry):
            total = Tensor("S", sign="nonnegative")
            found.append(Equation(total, (), count, note="sum of the weights"))
            count = total[()]
        whole = Sum(term, *over) if over else term
        added = sp.Add(*(e.entry for e in penalties))
        return [*found, Equation(Tensor("L"), (), whole / count + added, note=f"loss: {name}")]

    def facts(self) -> tuple[Fact, ...]:
        """What the targets are known to be."""
        if self.formula.target != "probabilities":
            return ()
        *free, c = letters(self.axes)
        return (Fact(Sum(self.target.entry(), c), sp.S.One, tuple(free), "targets are probabilities: they sum to 1 over the classes"),)

    def _target(self) -> Value:
        kind = self.formula.target
        if kind == "labels":
            return self.store.declare("y", self.axes[:-1], values=self.axes[-1])
        sign: Sign = "nonnegative" if kind in NONNEGATIVE else "real"
        if self.formula.target_over == "elements":
            return self.store.declare("Y", self.axes, sign=sign)
        return self.store.declare("y", self.axes[:-1], sign=sign)

    def _weights(self) -> tuple[Value, ...]:
        """The weights s: one for each example; where labels may be ignored, one for each label, 0 for an ignored one."""
        if self.loss.ignore_index is not None:
            return (self.store.declare("s", self.axes[:-1], sign="nonnegative"),)
        examples = (self.batch,) if self.batch else ()
        return (self.store.declare("s", examples, sign="nonnegative"),) if self.loss.sample_weights else ()

    def _weight(self) -> Expr:
        return sp.Mul(*(weight.entry() for weight in self.weights))

    def _count(self) -> Expr:
        """What the sum of the losses is divided by."""
        match self.loss.reduction:
            case "sum" | "none":
                return sp.S.One
            case "batchmean":
                axes = (self.batch,) if self.batch else ()
                each = self._weight() if all(v.operand.axes == axes for v in self.weights) else sp.S.One
            case "mean":
                axes, each = self.over, self._weight() * expression(self.formula.normaliser or "1", self._scope())
        places = [i for i in letters(axes) if i.axis.extent != 1 or each.has(i)]
        return Sum(each, *places) if places else each

    def _scope(self) -> Scope:
        values = {name: v.operand for name, v in zip(self.formula.values, self.values, strict=True)}
        lists: Meanings = {c.tensor.name: Operand(c.tensor.axes, lambda at, c=c: c.tensor[at]) for c in self.constants}
        learned: Meanings = {tensor.name: tensor[()] for tensor in self.learned}
        return loss_scope(self.formula, values, self.target.operand, self.loss.options, {**lists, **learned})


def _sign(body: Expr) -> Sign:
    return "positive" if body.is_positive else "nonnegative" if body.is_nonnegative else "real"


def _constant(name: str, numbers: tuple[float, ...], axis: Axis) -> Constant:
    sign: Sign = "positive" if min(numbers) > 0 else "nonnegative" if min(numbers) == 0 else "real"
    return Constant(Tensor(name, (axis,), sign=sign), tuple(map(exact, numbers)))
