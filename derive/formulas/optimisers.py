"""Optimisers: the update of one parameter entry, as a formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sympy import Expr


@dataclass(frozen=True)
class Optimiser:
    """theta <- formula(theta, gradient, learning_rate)."""

    formula: Callable[[Expr, Expr, Expr], Expr]
    source: str


OPTIMISERS: dict[str, Optimiser] = {
    "sgd": Optimiser(lambda theta, gradient, rate: theta - rate * gradient, "Robbins and Monro 1951"),
}
