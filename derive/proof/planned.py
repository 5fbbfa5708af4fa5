"""The checks that the proof of a derivation consists of, without running them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from derive.derivation import Derivation
from derive.family import gradient_of


@dataclass(frozen=True)
class Check:
    """One check of an equation: the number, the rule and the step are those of its verdict."""

    number: str
    rule: str
    step: int = 0


def planned(derivation: Derivation) -> Iterator[Check]:
    """The checks that `prove` runs on the equations, in its order; those of the derivation as a whole have no number and are left out."""
    derived = (*derivation.derived, *derivation.stable)
    for one in derived:
        yield from (Check(one.equation.number, step.rule, k) for k, step in enumerate(one.steps, 1))
    yield from (Check(one.equation.number, "chain") for one in derived)
    yield from (Check(one.equation.number, "chain rule") for one in derivation.derived)
    mathematical = {e.tensor.name for e in derivation.equations}
    numbers = {e.tensor: e.number for e in derivation.computed.equations}
    for tensor, number in numbers.items():
        if tensor.name in mathematical and not tensor.values:
            yield Check(number, "computed value")
    results = (t for product in derivation.products for t in product.results)
    for result in (*map(gradient_of, derivation.forward.parameters), *results):
        yield Check(numbers[result], "whole network")
