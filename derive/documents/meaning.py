"""What the formulas say of this network: where gradients vanish, explode or die, what stabilisation changed, what is kept, and costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sympy import Expr

from derive.bounds import LARGEST, Bound, X, bound
from derive.derivation import Derivation
from derive.documents.costs import costs
from derive.documents.dead import dead_where, dead_words
from derive.documents.document import Block, Math, Paragraph, Part, Ref, Section, Table, Text
from derive.documents.local import slope
from derive.documents.notation import Notation
from derive.documents.plots import plots
from derive.documents.signs import rounded_up
from derive.documents.stability import stability
from derive.documents.words import heading
from derive.index import Binder, Entry, Tensor, free_indices
from derive.program import Equation

SHOWN = 3  # factors of a product that are written out; of a longer one, the first and the last


@dataclass(frozen=True)
class Factor:
    """What a gradient is multiplied by where it passes an equation backwards to the tensor `by`.

    function: the equation as a function of one number; found: the bound of its derivative. norms: the parameters of a linear map. Neither:
    not bounded here.
    """

    equation: Equation
    by: Tensor
    function: Expr | None = None
    found: Bound | None = None
    norms: tuple[Tensor, ...] = ()
    linear: bool = False


@dataclass(frozen=True)
class Product:
    """The factors from the loss to a tensor: the product of the numbers, and the norms of weights.

    lost: the numbers of the equations for whose derivative there is no bound. several: whether several ways lead back to the tensor, or to
    one on the way to it.
    """

    most: float = 1.0
    norms: tuple[Tensor, ...] = ()
    lost: tuple[str, ...] = ()
    several: bool = False

    @property
    def known(self) -> bool:
        return not self.lost and not self.several


def meaning(derivation: Derivation, how: Notation) -> Section:
    """The section of a document."""
    blocks = (*_gradients(derivation, how), *stability(derivation, how), *costs(derivation, how))
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
        function = equation.body.xreplace(dict.fromkeys(entries, X))
        if not free_indices(function):
            return Factor(equation, by, function, bound(function))
    value = slope(equation, by).value
    read = [t for t in equation.reads if value.has(t)]
    linear = not any(t in derivation.forward.varying and t not in derivation.forward.parameters for t in read)
    norms = tuple(t for t in read if t in derivation.forward.parameters) if linear else ()
    alone = norms == tuple(read) and len(norms) == 1 and abs(value.as_coeff_Mul()[0]) == 1 and not value.is_Add  # 3 W is not as long as W
    return Factor(equation, by, norms=norms, linear=linear and (alone or value == 1))


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
        yield from _dead(functions, derivation, how)
    yield from plots(derivation)
    passed = list(dict.fromkeys(f.equation.number for f in every if f.found is None and not f.linear))
    if passed:
        yield Paragraph(
            (
                "No bound is given for the derivatives of ",
                *_refs(passed),
                ": they depend on more than one number, or have no bound that is found here.",
            )
        )
    rows = tuple(_parameter_rows(derivation, every, how))
    if rows:
        yield Paragraph(
            (
                "Together, from ",
                *_first(derivation, every, how),
                " to the gradient that reaches each parameter: it is at most this many times as long, where ",
                Math(r"\Vert W \Vert"),
                " is the most by which multiplying with the weights lengthens a vector.",
            )
        )
        yield Table((("Parameters",), ("Gradient",), ("Factor at most",), ("So",)), rows, 3)


def _dead(functions: Sequence[Factor], derivation: Derivation, how: Notation) -> Iterator[Block]:
    """What follows where a derivative is exactly 0."""
    for f in functions:
        if f.function is not None and f.found is not None:
            text = dead_words(f.equation, f.by, f.function, f.found, derivation, how)
            yield from [Paragraph(text)] if text else []


def _row(factor: Factor, found: Bound, how: Notation) -> tuple[Text, ...]:
    dead = [] if factor.function is None else dead_where(factor.function, found, how.name(factor.by))
    sides = [words for fades, words in zip(found.fades, ("far on the left", "far on the right"), strict=True) if fades]
    most: Text = (Math(rounded_up(found.most)),) if found.bounded else ("no bound",)
    return (
        (f"{heading(factor.equation)}, ", Ref(factor.equation.number)),
        most,
        tuple(part for condition in dead for part in (", ", Math(condition)))[1:] or ("nowhere",),
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
            readers = [e for e in derivation.forward.reading(of) if e.tensor in derivation.forward.varying]
            alone = len(links) == len(readers) == 1
            found[of] = Product() if not links else _times(found[links[0].equation.tensor], links[0]) if alone else SEVERAL
    return found


SEVERAL = Product(several=True)


def _times(before: Product, factor: Factor) -> Product:
    if factor.found is not None:
        return replace(before, most=before.most * factor.found.most)
    lost = () if factor.linear else (factor.equation.number,)
    return replace(before, norms=(*before.norms, *factor.norms), lost=(*before.lost, *lost))


def _first(derivation: Derivation, every: tuple[Factor, ...], how: Notation) -> Text:
    """The gradients that no other one leads to."""
    reached = {factor.by for factor in every}
    start = [Math(how.derivative(t)) for t in products(derivation, every) if t not in reached]
    words = "the first gradient that is computed, " if len(start) == 1 else "the first gradients that are computed, "
    return (words, *(part for k, math in enumerate(start) for part in ([", "] if k else []) + [math]), ",")


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
            yield (tuple(parts), (Math(how.derivative(equation.tensor)),), factor, _verdict(product))


def _written(product: Product, how: Notation) -> str:
    norms = [rf"\Vert {how.name(t)} \Vert" for t in product.norms]
    if len(norms) > SHOWN:
        norms = [rf"{norms[0]} \cdots {norms[-1]}"]
    number = [] if norms and abs(product.most - 1) < 1e-9 else [rounded_up(product.most) if math.isfinite(product.most) else r"\infty"]
    return r" \cdot ".join([*number, *norms])


def _verdict(product: Product) -> Text:
    if product.several:
        return ("several ways lead back to it, and their gradients add up",)
    if product.lost:
        return ("no bound is known for ", *_refs(product.lost))
    if math.isinf(product.most):
        return ("can explode: a factor grows without bound",)
    if product.most < 1 - 1e-3:
        return ("vanishes unless the weights make up for it",)
    if product.norms:
        weights = "the weights decide whether it grows or shrinks"
        return (weights if product.most <= 1.01 else "can grow, by the functions and the weights",)
    return ("can grow" if product.most > 1.01 else "arrives no larger",)


def _refs(numbers: Sequence[str]) -> Text:
    parts: list[Part] = []
    for number in numbers:
        parts += [", ", Ref(number)] if parts else [Ref(number)]
    return tuple(parts)
