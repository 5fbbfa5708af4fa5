"""Derivations: a program, its gradients and other derivatives with every step to them, and the program that is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from sympy import Expr

from derive.family import Family, gradient_of
from derive.index import Index, Tensor
from derive.program import Equation, ProductKind, Program

if TYPE_CHECKING:
    from derive.documents.notebook import Shown
    from derive.documents.symbols import Gradients


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
