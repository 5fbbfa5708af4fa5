"""What the formulas say of this network: where gradients vanish, explode or die, what stabilisation changed, what is kept, and costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from derive.arithmetic import flops, numbers, passes, per_example
from derive.bounds import LARGEST, Bound, X, bound
from derive.documents.document import Block, Items, Math, Paragraph, Ref, Section, Table, Text
from derive.documents.local import slope
from derive.documents.notation import Notation
from derive.documents.plots import plots
from derive.documents.signs import rounded_up
from derive.documents.stability import stability
from derive.documents.words import heading
from derive.index import Binder, Entry, Tensor, free_indices
from derive.operation_cost import words
from derive.program import Derivation, Equation

BYTES = 8  # of a number in float64
SHOWN = 6  # factors of a product that are written out; of a longer one, the first and the last


@dataclass(frozen=True)
class Factor:
    """What a gradient is multiplied by where it passes an equation backwards to the tensor `by`.

    found: the bound of the derivative of a function of one number. norms: the parameters of a linear map. Neither: not bounded here.
    """

    equation: Equation
    by: Tensor
    found: Bound | None = None
    norms: tuple[Tensor, ...] = ()
    linear: bool = False


@dataclass(frozen=True)
class Product:
    """The factors from the loss to a tensor: the product of the numbers, and the norms of weights; known: all of them are bounded."""

    most: float = 1.0
    norms: tuple[Tensor, ...] = ()
    known: bool = True


def meaning(derivation: Derivation, how: Notation) -> Section:
    """The section of a document."""
    blocks = (*_gradients(derivation, how), *stability(derivation, how), *_kept(derivation, how), *_cost(derivation))
    return Section(("What the formulas say",), blocks)


# -- gradients ---------------------------------------------------------------------------------------------------------------------------


def factors(derivation: Derivation) -> tuple[Factor, ...]:
    """The factors of the backward pass as it is computed, in its order."""
    computed = {e.tensor for e in derivation.computed.equations}
    through = {d.of: d.equation for d in derivation.backward if d.of is not None and d.equation.tensor in computed}
    parameters = derivation.forward.parameters
    return tuple(
        _factor(e, of, derivation) for of in through if of not in parameters for e in derivation.forward.reading(of) if e.tensor in through
    )


def _factor(equation: Equation, by: Tensor, derivation: Derivation) -> Factor:
    entries = {e for e in equation.body.atoms(Entry) if e.tensor == by}
    others = {e for e in equation.body.atoms(Entry) if e.tensor != by}
    if len(entries) == 1 and not others and not equation.body.has(Binder):
        found = bound(equation.body.xreplace(dict.fromkeys(entries, X)))
        if not free_indices(equation.body.xreplace(dict.fromkeys(entries, X))):
            return Factor(equation, by, found)
    value = slope(equation, by).value
    read = [t for t in equation.reads if value.has(t)]
    linear = not any(t in derivation.forward.varying and t not in derivation.forward.parameters for t in read)
    norms = tuple(t for t in read if t in derivation.forward.parameters) if linear else ()
    alone = norms == tuple(read) and len(norms) == 1 and abs(value.as_coeff_Mul()[0]) == 1 and not value.is_Add  # 3 W is not as long as W
    return Factor(equation, by, None, norms, linear and (alone or value == 1))


def _gradients(derivation: Derivation, how: Notation) -> Iterator[Block]:
    every = factors(derivation)
    functions = [f for f in every if f.found is not None]
    if functions:
        yield Paragraph(
            (
                "On its way back a gradient is multiplied by the derivative of every function that it passes. These are the bounds of "
                "their absolute values, by interval arithmetic on the derivative of each formula, rounded up, for all numbers up to ",
                Math(rf"10^{{{round(math.log10(LARGEST))}}}"),
                ":",
            )
        )
        header: tuple[Text, ...] = (("Equation",), ("At most",), ("Exactly 0",), ("Falls to 0",))
        yield Table(header, tuple(_row(f, f.found, how) for f in functions if f.found is not None), 0)
    yield from plots(derivation)
    passed = list(dict.fromkeys(f.equation.number for f in every if f.found is None and not f.linear))
    if passed:
        refs = [part for k, number in enumerate(passed) for part in ([", "] if k else []) + [Ref(number)]]
        yield Paragraph(
            (
                "No bound is given for the derivatives of ",
                *refs,
                ": they depend on more than one number, or have no bound that is found here.",
            )
        )
    rows = tuple(_parameter_rows(derivation, every, how))
    if rows:
        yield Paragraph(
            (
                "Together, from the first gradient that is computed to the gradient that reaches each parameter: it is at most this many "
                "times as long, where ",
                Math(r"\Vert W \Vert"),
                " is the most by which multiplying with the weights lengthens a vector.",
            )
        )
        yield Table((("Parameters",), ("Gradient that reaches them",), ("Factor at most",), ("So",)), rows, 3)


def _row(factor: Factor, found: Bound, how: Notation) -> tuple[Text, ...]:
    name = how.name(factor.by)
    dead: list[str | Math] = []
    for low, high in found.dead:
        left = "" if low == -sp.oo else rf"{sp.latex(low)} < "
        right = "" if high == sp.oo else rf" < {sp.latex(high)}"
        dead += [", ", Math(f"{left}{name}{right}")] if dead else [Math(f"{left}{name}{right}")]
    sides = [words for fades, words in zip(found.fades, ("far on the left", "far on the right"), strict=True) if fades]
    most: Text = (Math(rounded_up(found.most)),) if found.bounded else ("no bound",)
    return (
        (f"{heading(factor.equation)}, ", Ref(factor.equation.number)),
        most,
        tuple(dead) or ("nowhere",),
        (" and ".join(sides) or "no",),
    )


def products(derivation: Derivation, every: tuple[Factor, ...]) -> dict[Tensor, Product]:
    """The product of the factors from the first gradient that is computed to the gradient of each value."""
    found: dict[Tensor, Product] = {}
    by: dict[Tensor, list[Factor]] = {}
    for factor in every:
        by.setdefault(factor.by, []).append(factor)
    computed = {e.tensor for e in derivation.computed.equations}
    for derived in derivation.backward:
        of = derived.of
        if of is not None and derived.equation.tensor in computed and of not in derivation.forward.parameters:
            links = by.get(of, [])
            whole = len(links) == len([e for e in derivation.forward.reading(of) if e.tensor in derivation.forward.varying])
            found[of] = Product() if not links else _times(found[links[0].equation.tensor], links[0]) if len(links) == 1 and whole else LOST
    return found


LOST = Product(known=False)


def _times(before: Product, factor: Factor) -> Product:
    if factor.found is not None:
        return Product(before.most * factor.found.most, before.norms, before.known)
    return Product(before.most, (*before.norms, *factor.norms), before.known and factor.linear)


def _parameter_rows(derivation: Derivation, every: tuple[Factor, ...], how: Notation) -> Iterator[tuple[Text, ...]]:
    known = products(derivation, every)
    for equation in reversed(derivation.forward.equations):
        mine = [t for t in equation.reads if t in derivation.forward.parameters]
        product = known.get(equation.tensor)
        if mine and product is not None:
            parts: list[str | Math] = []
            for tensor in mine:
                parts += [", ", Math(how.name(tensor))] if parts else [Math(how.name(tensor))]
            factor: Text = (Math(_written(product, how)),) if product.known else ("no bound",)
            yield (tuple(parts), (Math(how.derivative(equation.tensor)),), factor, (_verdict(product),))


def _written(product: Product, how: Notation) -> str:
    norms = [rf"\Vert {how.name(t)} \Vert" for t in product.norms]
    if len(norms) > SHOWN:
        norms = [*norms[:2], r"\cdots", *norms[-2:]]
    number = [] if norms and abs(product.most - 1) < 1e-9 else [rounded_up(product.most) if math.isfinite(product.most) else r"\infty"]
    return r" \cdot ".join([*number, *norms])


def _verdict(product: Product) -> str:
    if not product.known:
        return "several ways, or a factor without a bound"
    if math.isinf(product.most):
        return "can explode: a factor grows without bound"
    if product.most < 1 - 1e-3:
        return "vanishes unless the weights make up for it"
    if product.norms:
        return "the weights decide whether it grows or shrinks" if product.most <= 1.01 else "can grow, by the functions and the weights"
    return "can grow" if product.most > 1.01 else "arrives no larger"


# -- what is kept, and what it costs -----------------------------------------------------------------------------------------------------


def _kept(derivation: Derivation, how: Notation) -> Iterator[Block]:
    kept = passes(derivation).kept
    count = sum(numbers(t) for t in kept)
    if not kept:
        yield Paragraph(("The backward pass reads none of the values that the forward pass computes.",))
        return
    read = f"The backward pass reads {len(kept)} of the values that the forward pass computes"
    yield Paragraph((f"{read}, {count} numbers an example, so these are kept:",))
    yield Items(tuple((Math(how.name(t)), f": {numbers(t)} number{'s' if numbers(t) != 1 else ''}") for t in kept))


def _cost(derivation: Derivation) -> Iterator[Block]:
    both = passes(derivation)
    forward, backward = per_example(both.forward), per_example(both.backward)
    yield Paragraph(("One more example in a batch costs, counted from the equations as they are computed:",))
    ratio = f"{flops(backward) / flops(forward):.2f}" if flops(forward) else "undefined"
    parameters = sum(numbers(t) for t in derivation.forward.parameters)
    kept = sum(numbers(t) for t in both.kept)
    yield Items(
        (
            (f"forward: {words(forward)}",),
            (f"backward: {words(backward)}, which is {ratio} times as many additions and multiplications",),
            (f"memory in float64: {BYTES * parameters} bytes of parameters, and {BYTES * kept} bytes of kept values for each example",),
        )
    )
