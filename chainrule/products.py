"""Whether a generated module's products are right: against the plain evaluation of their equations, and against finite differences
of what they are derivatives of, along one random direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from chainrule.kinks import Kinks
from chainrule.module import Array, Module, Parameters, arrays
from chainrule.sample import Sample, in_order, ordered
from codegen.derivatives import jacobian_order
from derive.derivation import Derivation, Product

STEP = 6e-6  # the cube root of float64's precision: rounding and truncation of a central difference balance
DIFFERENCE = 1e-7  # allowed between a product and finite differences, beside the rounding of these
NAIVE = 1e-12  # allowed between a product and the plain evaluation of its equations

Values = Mapping[str, Array]


@dataclass(frozen=True)
class ProductRow:
    """What was found for one product: its distance from finite differences and from plain evaluation, relative to its largest entry."""

    product: str
    difference: float
    naive: float
    kinks: tuple[str, ...]
    difference_holds: bool
    naive_holds: bool

    @property
    def holds(self) -> bool:
        return self.difference_holds and self.naive_holds

    def record(self) -> dict[str, object]:
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True)
class Motion:
    """A direction of the parameters and of the inputs; tokens do not move."""

    parameters: Parameters
    X: Array | None

    def given(self, derivation: Derivation) -> dict[str, Array]:
        """The tensors of a derivation that hold the direction."""
        parts = arrays(self.parameters)
        found: dict[str, Array] = {}
        for product in derivation.products:
            for tensor in product.moved if product.directions else ():
                part = parts.get(tensor.name, self.X)
                assert part is not None
                found[product.family.of(tensor).name] = part if tensor.name in parts else ordered(tensor, part)
        return found

    def moved(self, at: Sample, step: float) -> Sample:
        """The point a step along the direction."""
        parts = arrays(self.parameters)
        parameters = at.parameters._replace(**{n: a + step * parts[n] for n, a in arrays(at.parameters).items()})
        return replace(at, parameters=parameters, X=at.X if self.X is None else at.X + step * self.X)


def motion(derivation: Derivation, at: Sample, seed: int) -> Motion:
    """A random direction; running statistics stay where they are."""
    random = np.random.default_rng([seed, 1])
    learned = {t.name for t in derivation.forward.parameters}
    parts = {n: random.standard_normal(a.shape) * (n in learned) for n, a in arrays(at.parameters).items()}
    X = random.standard_normal(at.X.shape) if at.X.dtype.kind == "f" else None
    return Motion(at.parameters._replace(**parts), X)


def product_rows(derivation: Derivation, module: Module, at: Sample, along: Motion, plain: Values, kinks: Kinks) -> Iterator[ProductRow]:
    """A row for each product of a derivation; plain: what its equations give for the direction."""
    for product in derivation.products:
        claimed = _claimed(product, derivation, module, at, along)
        wanted = [_outside(product, plain[t.name]) for t in product.results]
        naive = _distance(claimed, wanted)
        difference, allowed, probes = _difference(product, claimed, derivation, module, at, along)
        near = () if difference <= allowed else kinks.between([p.given(kinks.program) for p in (at, *probes)])
        yield ProductRow(product.kind, difference, naive, near, difference <= allowed or bool(near), naive <= NAIVE)


def _claimed(product: Product, derivation: Derivation, module: Module, at: Sample, along: Motion) -> list[Array]:
    """What the module says: the arrays of a product in the order of its results."""
    match product.kind:
        case "jvp":
            moved = () if along.X is None else (along.X,)
            return [module.jacobian_vector_product(at.parameters, at.X, along.parameters, *moved)[1]]
        case "jacobian":
            return [module.jacobian(at.parameters, at.X)[1]]
        case "hvp":
            parts = module.hessian_vector_product(at.parameters, at.X, at.y, along.parameters, **at.options)[2]
            return [arrays(parts)[t.name].copy() for t in derivation.forward.parameters]


def _outside(product: Product, values: Array) -> Array:
    """The values of a result as the module gives them."""
    if product.kind == "hvp":
        return values
    result = product.results[0]
    if product.kind == "jvp":
        return in_order(result, values)
    return values.transpose([result.indices().index(i) for i in jacobian_order(product)])


def _difference(
    product: Product, claimed: list[Array], derivation: Derivation, module: Module, at: Sample, along: Motion
) -> tuple[float, float, tuple[Sample, Sample]]:
    """The distance from a central difference along the direction, what is allowed, and the points that the difference is taken between."""
    still = {n: np.zeros_like(a) for n, a in arrays(along.parameters).items()}
    match product.kind:
        case "jvp":
            slopes, direction = claimed, along
        case "hvp":
            slopes, direction = claimed, replace(along, X=None)
        case "jacobian":
            assert along.X is not None
            moved = along.X.reshape(len(at.X), *([1] * (claimed[0].ndim - along.X.ndim)), *along.X.shape[1:])
            slopes = [(claimed[0] * moved).sum(axis=tuple(range(-along.X.ndim + 1, 0)))]
            direction = replace(along, parameters=along.parameters._replace(**still))
    low, high = (direction.moved(at, step) for step in (-STEP, STEP))

    def values(point: Sample) -> list[Array]:
        if product.kind != "hvp":
            return [module.predict(point.parameters, point.X)]
        gradient = arrays(module.gradients(point.parameters, point.X, point.y, **point.options)[1])
        return [gradient[t.name].copy() for t in derivation.forward.parameters]

    differences = [(b - a) / (2 * STEP) for a, b in zip(values(low), values(high), strict=True)]
    rounding = 100 * float(np.finfo(np.float64).eps) * _largest(values(at)) / STEP
    return _distance(slopes, differences), DIFFERENCE + rounding / (_largest(differences) or 1.0), (low, high)


def _distance(found: list[Array], wanted: list[Array]) -> float:
    """The largest difference, relative to the largest entry."""
    return _largest([a - b for a, b in zip(found, wanted, strict=True)]) / (_largest(wanted) or 1.0)


def _largest(found: list[Array]) -> float:
    return max((float(np.abs(a).max()) for a in found if a.size), default=0.0)
