"""The parsed formula: immutable nodes, each with the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from derive.language.errors import Place

Comparison = Literal["<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written, exactly: 0.1 is 1/10."""

    at: Place
    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    at: Place
    name: str


@dataclass(frozen=True, slots=True)
class Rest:
    """`...`, the axes that are not written."""

    at: Place


@dataclass(frozen=True, slots=True)
class Read:
    """T[positions]"""

    at: Place
    name: str
    positions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """function(arguments)"""

    at: Place
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    at: Place
    of: Node


@dataclass(frozen=True, slots=True)
class Not:
    at: Place
    of: Node


@dataclass(frozen=True, slots=True)
class Series:
    """Operators of one precedence from left to right: a + b - c, or a * b / c. Each of `more` has its operator."""

    at: Place
    first: Node
    more: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Power:
    at: Place
    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Compare:
    at: Place
    operator: Comparison
    left: Node
    right: Node


Node = Number | Name | Rest | Read | Call | Negative | Not | Series | Power | Compare


@dataclass(frozen=True, slots=True)
class Statement:
    """`name[positions] = body`, or a body alone: then the name is None."""

    at: Place
    name: str | None
    positions: tuple[Node, ...]
    body: Node
