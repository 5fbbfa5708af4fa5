"""What a derivation has to start from: the chain rule for every derivative, read off the equations by the proof itself."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation, Derived, Product
from derive.family import GRADIENT, Family
from derive.index import Entry, Index, Partial, Sum, Tensor
from derive.program import Equation, Program
from derive.proof.complete import leading


def product_of(derivation: Derivation, derived: Derived) -> Product | None:
    """The product that a derivative belongs to; None for a gradient and for an equation in stable form."""
    return next((p for p in derivation.products if derived in p.derived), None)


def family_of(derivation: Derivation, derived: Derived) -> Family:
    """What the derivatives are called that this one is among."""
    product = product_of(derivation, derived)
    return GRADIENT if product is None else product.family


def chain_rule(derivation: Derivation, derived: Derived) -> Expr:
    """The chain rule for a gradient, or for a derivative of a product, at the indices of its equation."""
    product, of = product_of(derivation, derived), derived.of
    assert of is not None
    if product is None:
        return backward(derivation.forward, derivation.forward.outputs[-1], GRADIENT, of)
    if product.way == "reverse":
        return backward(derivation.forward, product.ends[0], product.family, of)
    return forward((*derivation.forward.equations, *(d.equation for d in derivation.backward)), product, of)


def backward(program: Program, end: Tensor, family: Family, tensor: Tensor) -> Expr:
    """dE/dX = the sum, over all equations for some T that read X and lead to E, of dE/dT dT/dX.

    E is a number, or the sum over the examples of an entry that further indices name.
    """
    own, along = family.indices(tensor)
    relevant = leading(program, end)
    terms: list[Expr] = []
    for equation in program.reading(tensor):
        if equation.tensor == end:
            at, summed = _along(end, along, family)
            terms.append(Sum(Partial(Entry(end, *at), Entry(tensor, *own)), *summed))
        elif equation.tensor.name in relevant:
            fresh = tuple(i.axis.fresh() for i in equation.indices)
            upstream = family.entry(Entry(equation.tensor, *fresh), along)
            terms.append(Sum(upstream * Partial(Entry(equation.tensor, *fresh), Entry(tensor, *own)), *fresh))
    return sp.Add(*terms)


def forward(equations: tuple[Equation, ...], product: Product, tensor: Tensor) -> Expr:
    """The derivative of T along a direction = the sum, over all X that T's equation reads and that move, of dT/dX times X's own.

    With further indices in place of a direction, an entry of what is given moves by 1, the same one of every example.
    """
    family, moves = product.family, moving(equations, product)
    own, along = family.indices(tensor)
    equation = next(e for e in equations if e.tensor == tensor)
    terms: list[Expr] = []
    for read in equation.reads:
        if read in product.moved and product.kind == "jacobian":
            at, summed = _along(read, along, family)
            terms.append(Sum(Partial(Entry(tensor, *own), Entry(read, *at)), *summed))
        elif read.name in moves:
            fresh = tuple(axis.fresh() for axis in read.axes)
            terms.append(Sum(family.entry(Entry(read, *fresh), along) * Partial(Entry(tensor, *own), Entry(read, *fresh)), *fresh))
    return sp.Add(*terms)


def moving(equations: tuple[Equation, ...], product: Product) -> Mapping[str, Tensor]:
    """What depends on the tensors that move, these included, by name. Labels do not: they are steps."""
    found = {t.name: t for t in product.moved}
    for equation in equations:
        if not equation.tensor.values and any(t.name in found for t in equation.reads):
            found[equation.tensor.name] = equation.tensor
    return found


def _along(tensor: Tensor, along: tuple[Index, ...], family: Family) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
    """The indices of an entry that further indices name, and among them those to sum over: of examples."""
    rest = iter(along)
    at = tuple(axis.fresh() if axis == family.examples else next(rest) for axis in tensor.axes)
    return at, tuple(i for i in at if i.axis == family.examples)
