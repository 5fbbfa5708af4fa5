"""Equations, programs and derivations: immutable values that everything else maps to one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import sympy as sp
from sympy import Basic, Expr
from sympy.core.relational import Relational

from derive.family import Family, gradient_of
from derive.index import Axis, Entry, Index, InRange, Tensor, free_indices, tensors

if TYPE_CHECKING:
    from derive.documents.notebook import Shown
    from derive.documents.symbols import Gradients

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


@dataclass(frozen=True)
class Step:
    """One rewrite: `before = after` for all values of the free indices, by `rule`, given the equations that it uses.

    `uses` names the tensors whose definitions the step relies on: nothing else may be assumed of them.
    """

    rule: str
    before: Expr
    after: Expr
    indices: tuple[Index, ...]
    uses: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class Derived:
    """An equation and the steps that led to it: the first step starts from `start`, the last one ends in the body."""

    equation: Equation
    steps: tuple[Step, ...]
    of: Tensor | None = None  # the tensor whose gradient this is (in a product: whose derivative); None for an equation in stable form


@dataclass(frozen=True)
class Product:
    """Derivatives beside the gradients of the loss.

    jvp: of the prediction along a direction of parameters and inputs. hvp: of the gradients along a direction of the parameters, the
    Hessian times that direction. jacobian: of every output of an example by every input of it.

    family: what the derivatives are called. moved: the given tensors that derivatives are taken by; ends: the tensors that they
    are taken of. way: from the moved tensors forward, or from the ends in reverse. derived: the equations with their steps,
    each with the tensor (`of`) that its derivative belongs to.
    """

    kind: ProductKind
    way: Literal["forward", "reverse"]
    family: Family
    moved: tuple[Tensor, ...]
    ends: tuple[Tensor, ...]
    derived: tuple[Derived, ...] = ()

    @property
    def directions(self) -> tuple[Tensor, ...]:
        """The tensors that hold the direction; none for Jacobians, which are of all unit directions at once."""
        return () if self.kind == "jacobian" else tuple(map(self.family.of, self.moved))

    @property
    def results(self) -> tuple[Tensor, ...]:
        """What the product is computed for."""
        return tuple(map(self.family.of, self.ends if self.way == "forward" else self.moved))


@dataclass(frozen=True)
class Derivation:
    """The forward program, its gradients with all steps, and the program that is computed.

    `backward` holds every gradient that the derivation shows, in the order of computation. `stable` holds the equations of
    `computed` that differ from the mathematical ones, with the steps that led to them. `computed` is forward, backward and products
    in numerically stable form, shared parts named, nothing that the outputs do not need.
    """

    forward: Program
    backward: tuple[Derived, ...]
    stable: tuple[Derived, ...]
    computed: Program
    products: tuple[Product, ...] = ()

    @cached_property
    def mathematical(self) -> Program:
        """The forward equations, all gradients and all products as they are derived: without stable forms and without shared parts."""
        return with_products(with_gradients(self.forward, self.backward), self.products)

    @property
    def derived(self) -> tuple[Derived, ...]:
        """The gradients, then the derivatives of the products."""
        return (*self.backward, *(d for product in self.products for d in product.derived))

    @property
    def equations(self) -> tuple[Equation, ...]:
        """The equations of `mathematical`, whether they make a program or not."""
        return (*self.forward.equations, *(d.equation for d in self.derived))

    @property
    def given(self) -> tuple[Tensor, ...]:
        """The given tensors, those that hold directions included."""
        return (*self.forward.given, *(t for product in self.products for t in product.directions))

    # A notebook asks for these; imported where they are used, because documents are written from programs.

    def shown(self, notation: Gradients = "named") -> Shown:
        """The derivation as a notebook shows it, with gradients that are named G_W, or with dL/dW wherever one stands ("partial").

        Raises ValueError for any other notation.
        """
        from derive.documents.notebook import Shown

        return Shown(self, notation)

    def _repr_html_(self) -> str:
        from derive.documents.notebook import as_html

        return as_html(self)

    def _repr_markdown_(self) -> str:
        from derive.documents.notebook import as_markdown

        return as_markdown(self)

    def _repr_latex_(self) -> str:
        from derive.documents.notebook import as_latex

        return as_latex(self)

    def gradient(self, tensor: Tensor) -> Derived:
        """The derived equation of dL/d(tensor)."""
        return next(d for d in self.backward if d.of == tensor)


def with_gradients(program: Program, backward: Sequence[Derived]) -> Program:
    """The program followed by its gradients; those of the parameters become outputs. Raises ProgramError where names collide."""
    equations = (*program.equations, *(d.equation for d in backward))
    return replace(program, equations=equations, outputs=(*program.outputs, *map(gradient_of, program.parameters)))


def with_products(program: Program, products: Sequence[Product]) -> Program:
    """The program followed by its products: their results become outputs. Raises ProgramError where names collide."""
    equations = (*program.equations, *(d.equation for p in products for d in p.derived))
    directions = (*program.directions, *(t for p in products for t in p.directions))
    outputs = (*program.outputs, *(t for p in products for t in p.results))
    return replace(program, equations=equations, outputs=outputs, directions=directions)


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
    known = {t.name: t for t in program.given}
    if len(known) != len(program.given):
        raise ProgramError(f"{program.name}: two given tensors share a name")
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
