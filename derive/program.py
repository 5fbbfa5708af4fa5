"""Equations and programs: immutable values that everything else maps to one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import sympy as sp
from sympy import Basic, Expr
from sympy.core.relational import Relational

from derive.index import Axis, Entry, Index, InRange, Tensor, free_indices, tensors

ProductKind = Literal["jvp", "jacobian", "hvp"]


class ProgramError(ValueError):
    """A program that cannot mean anything: it names the equation and what is wrong with it."""


@dataclass(frozen=True)
class Equation:
    """tensor[indices] = body. The number is its label in the document, the comment in the code and the proof."""

    tensor: Tensor
    indices: tuple[Index, ...]
    body: Expr
    number: str = ""
    note: str = ""

    @property
    def entry(self) -> Entry:
        return Entry(self.tensor, *self.indices)

    @cached_property
    def reads(self) -> tuple[Tensor, ...]:
        return tensors(self.body)

    def at(self, places: Mapping[Index, Index]) -> Equation:
        """The equation with other indices on both sides."""
        rule: dict[Basic, Basic] = {**places}
        return replace(self, indices=tuple(places.get(i, i) for i in self.indices), body=self.body.xreplace(rule))


@dataclass(frozen=True)
class Fact:
    """A declared property of the data: `left = right` for all values of the indices (one-hot rows sum to 1)."""

    left: Expr
    right: Expr
    indices: tuple[Index, ...]
    meaning: str


@dataclass(frozen=True)
class Floors:
    """Declared conventions of evaluation at the edge of a formula's domain (PyTorch's, for binary cross-entropy)."""

    log: Expr | None = None  # log(u) is evaluated as max(log(u), floor)
    denominator: Expr | None = None  # 1/u is evaluated as 1/max(u, floor)
    reason: str = ""


Start = Expr | Literal["weight", "normal"]  # how a parameter starts: a number, or random numbers


@dataclass(frozen=True)
class Constant:
    """A given tensor of one axis whose entries the spec fixes (class weights)."""

    tensor: Tensor
    values: tuple[Expr, ...]


@dataclass(frozen=True)
class Draw:
    """A given tensor of random data: every entry is 1 with a probability, else 0 (dropout's mask)."""

    tensor: Tensor
    probability: Expr


@dataclass(frozen=True)
class Statistic:
    """A given tensor that training replaces after every step by what an equation computes (a running mean); itself in inference."""

    tensor: Tensor
    start: Expr
    update: Tensor


@dataclass(frozen=True)
class Program:
    """A list of equations in the order of computation.

    Given beside inputs, targets and parameters: constants of the spec, random data, running statistics, and directions to differentiate
    along. No gradient is taken of these. products: what is to be derived beside the gradients.
    """

    name: str
    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Tensor, ...]
    facts: tuple[Fact, ...] = ()
    floors: dict[str, Floors] = field(default_factory=dict[str, Floors])  # by the name of the equation's tensor
    constants: tuple[Constant, ...] = ()
    draws: tuple[Draw, ...] = ()
    statistics: tuple[Statistic, ...] = ()
    starts: dict[Tensor, Start] = field(default_factory=dict[Tensor, "Start"])  # of parameters; "weight" is decided by their readers
    directions: tuple[Tensor, ...] = ()
    products: tuple[ProductKind, ...] = ()

    def __post_init__(self) -> None:
        check(self)

    def defining(self, tensor: Tensor) -> Equation | None:
        """The equation that computes a tensor; None for an input, a target or a parameter."""
        return self._definitions.get(tensor)

    def reading(self, tensor: Tensor) -> tuple[Equation, ...]:
        """The equations that read a tensor."""
        return tuple(self._readers.get(tensor, ()))

    @cached_property
    def _definitions(self) -> dict[Tensor, Equation]:
        return {e.tensor: e for e in self.equations}

    @cached_property
    def _readers(self) -> dict[Tensor, list[Equation]]:
        found: dict[Tensor, list[Equation]] = {}
        for equation in self.equations:
            for tensor in equation.reads:
                found.setdefault(tensor, []).append(equation)
        return found

    @cached_property
    def varying(self) -> frozenset[Tensor]:
        """The tensors that change with an input or a parameter: no gradient is taken of any other."""
        found = {*self.inputs, *self.parameters}
        for equation in self.equations:
            if any(t in found for t in equation.reads):
                found.add(equation.tensor)
        return frozenset(found)

    @property
    def given(self) -> tuple[Tensor, ...]:
        return (*self.inputs, *self.targets, *self.parameters, *self.fixed)

    @property
    def fixed(self) -> tuple[Tensor, ...]:
        """The given tensors that the loss is never differentiated by, targets aside."""
        return (*(given.tensor for given in (*self.constants, *self.draws, *self.statistics)), *self.directions)

    @property
    def results(self) -> tuple[Tensor, ...]:
        """What is computed for its own sake: the outputs, and what running statistics are replaced by."""
        return (*self.outputs, *(s.update for s in self.statistics if s.update in self._definitions and s.update not in self.outputs))

    @property
    def axes(self) -> tuple[Axis, ...]:
        every = (*self.given, *(e.tensor for e in self.equations))
        return tuple(dict.fromkeys(a for t in every for a in t.axes))


def renumber(equations: tuple[Equation, ...], start: int = 1) -> tuple[Equation, ...]:
    """The equations with consecutive numbers."""
    return tuple(replace(e, number=str(k)) for k, e in enumerate(equations, start))


def needed(equations: Sequence[Equation], outputs: Sequence[Tensor]) -> tuple[Equation, ...]:
    """The equations that the outputs depend on, in their order."""
    wanted = set(outputs)
    kept: list[Equation] = []
    for equation in reversed(equations):
        if equation.tensor in wanted:
            kept.append(equation)
            wanted.update(equation.reads)
    return tuple(reversed(kept))


def check(program: Program) -> None:
    """Raise ProgramError unless every equation can be computed from what stands before it."""
    known: dict[str, Tensor] = {}
    for tensor in program.given:
        if known.setdefault(tensor.name, tensor) is not tensor:
            raise ProgramError(f"{program.name}: two given tensors share the name {tensor.name}")
    for equation in program.equations:
        _check_equation(program.name, equation, known)
        known[equation.tensor.name] = equation.tensor
    for tensor in program.outputs:
        if known.get(tensor.name) != tensor:
            raise ProgramError(f"{program.name}: the output {tensor.name} is never computed")


def _check_equation(name: str, equation: Equation, known: dict[str, Tensor]) -> None:
    where = f"{name}, equation ({equation.number}) for {equation.tensor.name}"
    if equation.tensor.name in known:
        raise ProgramError(f"{where}: the tensor is defined twice")
    if tuple(i.axis for i in equation.indices) != equation.tensor.axes:
        raise ProgramError(f"{where}: its indices do not run over its axes")
    if len(set(equation.indices)) != len(equation.indices):
        raise ProgramError(f"{where}: an index stands twice on the left")
    loose = [i.label for i in free_indices(equation.body) if i not in equation.indices]
    if loose:
        raise ProgramError(f"{where}: free on the right but not on the left: {', '.join(loose)}")
    guarded = equation.body.atoms(InRange)
    for node in sp.preorder_traversal(equation.body):
        if isinstance(node, Entry):
            _check_entry(where, node, known, guarded)
        elif isinstance(node, sp.Piecewise) and not all(isinstance(c, Relational) or c == sp.true for _, c in node.args):
            raise ProgramError(f"{where}: a condition is no single comparison; stand one `where` inside another instead")


def _check_entry(where: str, entry: Entry, known: dict[str, Tensor], guarded: Set[Basic]) -> None:
    declared = known.get(entry.tensor.name)
    if declared is None:
        raise ProgramError(f"{where}: reads {entry.tensor.name} before it is computed")
    if declared != entry.tensor:
        raise ProgramError(f"{where}: reads {entry.tensor.name} with other axes than declared")
    for position, axis in zip(entry.indices, entry.tensor.axes, strict=True):
        guard = InRange(position, axis.count)
        if isinstance(position, Index) and guard != 1 and guard not in guarded:
            raise ProgramError(f"{where}: index {position.label} of {entry.tensor.name} runs over {position.axis.name}, not {axis.name}")
