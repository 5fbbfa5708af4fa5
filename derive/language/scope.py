"""What the names of a formula mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sympy import Expr

from derive.index import Axis


@dataclass(frozen=True)
class Operand:
    """A tensor that a formula may read: its axes in the order of the formula, and its entry at given positions."""

    axes: tuple[Axis, ...]
    at: Callable[[tuple[Expr, ...]], Expr]


@dataclass(frozen=True)
class Scope:
    """The names that a formula may use.

    values: numbers, switches (true or false), entries (also labels) and tensors. axes: letters whose axes are declared.
    state: the values that an equation may define anew; a read that stands before that equation, or in it, means the old one.
    """

    values: Mapping[str, Expr | bool | int | Operand] = field(default_factory=dict[str, Expr | bool | int | Operand])
    axes: Mapping[str, Axis] = field(default_factory=dict[str, Axis])
    state: tuple[str, ...] = ()
