"""From a network's description to its forward program: which formula stands where, with which axes and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import sympy as sp
from sympy import Expr

from derive.axes import named_axes
from derive.build_loss import LossPart, loss_part, penalty_equations
from derive.formulas.operation import Start as Starting
from derive.graph import Application, graph
from derive.index import Delta, Index, Tensor
from derive.language import FormulaError, Operand, Scope, definitions, expression
from derive.layer_formula import formula_error
from derive.loss_scope import letters
from derive.parameters import exact, symbolic
from derive.places import Axes, Places
from derive.program import Draw, Equation, Program, Start, Statistic, renumber
from derive.shapes import Pattern, Shape, left_sides, result

if TYPE_CHECKING:
    from derive.network import Convention, Network

Examples = Literal["batch", "single"]
Mode = Literal["training", "inference"]


def program(network: Network, convention: Convention | None = None, examples: Examples = "batch", mode: Mode = "training") -> Program:
    """The forward program of a network.

    convention: "rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T); the network's own by default.
    examples: "batch" has the axis n of examples; "single" is one example, with vectors in lower case.
    mode: "training", or "inference" for what `predict` computes: running statistics, no random data. They differ where a layer's do.

    Raises ValueError where a layer that mixes examples is asked for a single one.
    """
    return _Builder(network, convention or network.convention, examples, mode).program()


@dataclass
class _Builder:
    """Collects the equations of one network from the first layer to the loss."""

    network: Network
    convention: Convention
    examples: Examples
    mode: Mode
    starts: dict[Tensor, Start] = field(default_factory=dict[Tensor, "Start"])
    draws: list[Draw] = field(default_factory=list[Draw])
    statistics: list[tuple[Tensor, Expr, str]] = field(default_factory=list[tuple[Tensor, Expr, str]])

    def __post_init__(self) -> None:
        self.graph = graph(self.network)
        names = [layer.name or str(k) for k, layer in enumerate(self.network.layers, 1)]
        meaning = "classes" if self.network.loss.formula.over == "examples" else "outputs"
        self.axes = named_axes(self.graph, self.graph.values[self.graph.loss[0]].shape[-1], meaning, names)
        self.places = Places(self.axes[self.graph.batch], self.convention, self.examples == "single", frozenset(self.graph.learned))

    def program(self) -> Program:
        shape, labels = self.at(self.graph.given.shape), self.graph.given.labels
        given = self.places.value("X", shape, values=self.axes[labels.root] if labels else None)
        values = [self.places.reading(given, shape)]
        for number in range(1, len(self.network.layers) + 1):
            applications = [a for a in self.graph.applications if a.layer == number]
            value = values[applications[0].reads[0]] if applications else values[-1]
            values.append(value)
            for k, application in enumerate(applications):
                name = self._name(application, len(applications) - k - 1)
                values[number] = _Applied(self, application, [values[r] for r in application.reads], name).value()
        equations, loss = self._loss(values)
        defined = {e.tensor.name: e.tensor for e in equations}
        return Program(
            self.network.name,
            (given,),
            loss.targets,
            tuple(self.starts),
            equations,
            loss.outputs,
            loss.facts,
            loss.floors,
            loss.constants,
            tuple(self.draws),
            tuple(Statistic(t, start, defined.get(update, t)) for t, start, update in self.statistics),
            self.starts,
        )

    def _loss(self, values: list[Operand]) -> tuple[tuple[Equation, ...], LossPart]:
        """The equations of the program with those of the loss, and what else the loss adds."""
        known = [self.places.known(values[number]) for number in self.graph.loss]
        batch = None if self.places.single else self.places.batch
        penalties = penalty_equations(self.network.penalties, tuple(self.starts))
        loss = loss_part(self.network.loss, known, self.places, batch, penalties)
        self.starts.update({tensor: exact(start) for tensor, start in loss.learned.items()})
        return renumber((*self.places.equations, *loss.equations)), loss

    def at(self, shape: Shape) -> Axes:
        return tuple(self.axes[d.root] for d in shape)

    def _name(self, application: Application, left: int) -> str:
        """What the result is called: A before the activation, H after it, and as the loss has it for the last layer."""
        number = application.layer
        last = number == self.graph.loss[0]
        reads = self.network.loss.formula.reads
        if left > 1 or (left and application.role == "layer" and application.reads[0] == number):
            return f"H{number}_{left}"
        if left:
            return "Z" if last and reads != "Z" else f"A{number}"
        return reads if last else f"H{number}"


@dataclass
class _Applied:
    """One operation at its place: its equations join the program."""

    builder: _Builder
    application: Application
    read: list[Operand]
    name: str
    own: dict[str, Operand] = field(default_factory=dict[str, Operand])

    def value(self) -> Operand:
        """The value that the operation defines; raises the spec's error where its formula does not fit what it reads."""
        try:
            return self._value()
        except FormulaError as error:
            place = ("activation",) if self.application.role == "activation" else ()
            raise formula_error(error, "layers", self.application.layer - 1, *place, "formula") from None

    def _value(self) -> Operand:
        operation = self.application.operation
        formula = operation.formula
        if self.builder.mode == "inference" and operation.inference is not None:
            formula = operation.inference
        scope = self._scope()
        if operation.steps:
            return self._recurrence(formula, scope, operation.steps)
        last = result(formula).name
        return definitions(formula, scope, lambda local, at, body: self._define(self._named(local, last), at, body))

    def _recurrence(self, formula: str, scope: Scope, steps: str) -> Operand:
        """The equations of every step; states of the step before are 0 at first."""
        application, builder = self.application, self.builder
        axis = builder.axes[application.letters.known[steps].root]
        shapes = {p.name: builder.at(application.letters.shape(p.letters)) for p in left_sides(formula)}
        before = {name: Operand(shapes[name], lambda _: sp.S.Zero) for name in application.operation.state}
        every: list[Operand] = []
        for step in range(axis.extent or 0):
            last: dict[str, Operand] = {}

            def define(local: str, at: tuple[Index, ...], body: Expr, step: int = step, last: dict[str, Operand] = last) -> Operand:
                last[local] = self._define(f"{local}{application.layer}_{step + 1}", at, body)
                return last[local]

            known = {f"{name}_before": value for name, value in before.items()}
            definitions(formula, self._with(scope, {**known, steps: sp.Integer(step)}), define)
            before = {name: last[name] for name in before}
            every.append(before[application.operation.state[-1]])
        at = letters(builder.at(application.output.shape))
        if not application.values.get("sequence"):
            return self._define(self.name, at, every[-1].at(at))
        own = next(i for i in at if i.axis == axis)
        rest = tuple(i for i in at if i != own)
        return self._define(self.name, at, sp.Add(*[Delta(own, sp.Integer(k)) * h.at(rest) for k, h in enumerate(every)]))

    def _scope(self) -> Scope:
        """What the names of a formula stand for: parameters, what it reads, tensors of its own, and the letters of axes."""
        application = self.application
        values: dict[str, Expr | bool | int | Operand] = dict(symbolic(application.values))
        values |= {Pattern.of(text).name: read for text, read in zip(application.operation.reads, self.read, strict=True)}
        values |= self._learned() | self._statistics() | self._draws(values)
        axes = {letter: self.builder.axes[d.root] for letter, d in application.letters.known.items()}
        return Scope(values, {**axes, "n": self.builder.places.batch})

    def _with(self, scope: Scope, values: Mapping[str, Expr | bool | int | Operand]) -> Scope:
        axes = {letter: axis for letter, axis in scope.axes.items() if letter not in values}
        return Scope({**scope.values, **values}, axes)

    def _learned(self) -> dict[str, Operand]:
        return {name: self._parameter(name, self.builder.at(shape), start) for name, (shape, start) in self.application.learned.items()}

    def _parameter(self, name: str, axes: Axes, start: Starting) -> Operand:
        """A parameter, which joins the program when the formula reads it."""
        places, weight = self.builder.places, start == "weight"
        tensor = places.parameter(f"{name}{self.application.layer}", axes, weight)
        read = places.reading_parameter(tensor, axes, weight)

        def at(positions: tuple[Expr, ...]) -> Expr:
            self.builder.starts.setdefault(tensor, exact(start) if isinstance(start, float | int) else start)
            return read.at(positions)

        return Operand(axes, at)

    def _statistics(self) -> dict[str, Operand]:
        found: dict[str, Operand] = {}
        for name, (shape, start) in self.application.statistics.items():
            axes = self.builder.at(shape)
            tensor = self.builder.places.parameter(f"{name}{self.application.layer}", axes, weight=False)
            self.builder.statistics.append((tensor, exact(start), f"new_{tensor.name}"))
            found[name] = self.builder.places.reading_parameter(tensor, axes, weight=False)
        return found

    def _draws(self, values: Mapping[str, Expr | bool | int | Operand]) -> dict[str, Operand]:
        found: dict[str, Operand] = {}
        for name, (shape, probability) in self.application.draws.items():
            axes = self.builder.at(shape)
            tensor = self.builder.places.value(f"{name}{self.application.layer}", axes)
            if self.builder.mode == "training":
                self.builder.draws.append(Draw(tensor, expression(probability, Scope(values, {}))))
            found[name] = self.builder.places.reading(tensor, axes)
        return found

    def _named(self, local: str, last: str) -> str:
        return self.name if local == last else f"{local}{self.application.layer}"

    def _define(self, name: str, at: tuple[Index, ...], body: Expr) -> Operand:
        application = self.application
        operation = application.operation
        weights = application.role == "layer" and "weight" in operation.learned.values() and not operation.steps
        words = "pre-activation" if weights and len(left_sides(operation.formula)) == 1 else application.kind
        return self.builder.places.define(name, at, body, f"layer {application.layer}: {words}")
