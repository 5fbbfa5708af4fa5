"""What can be decided before any value is known: switches, and comparisons between numbers, parameters and extents."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from derive.index import Axis
from derive.language.scope import Scope
from derive.language.tree import Call, Compare, Name, Negative, Node, Not, Number, Rest, Series


def decided(node: Node, scope: Scope, letters: Mapping[str, Axis], rest: tuple[Axis, ...] | None) -> bool | None:
    """Whether a condition holds; None where that depends on values."""
    match node:
        case Name():
            value = scope.values.get(node.name)
            return value if isinstance(value, bool) else None
        case Not():
            inner = decided(node.of, scope, letters, rest)
            return None if inner is None else not inner
        case Compare():
            left, right = _number(node.left, scope, letters, rest), _number(node.right, scope, letters, rest)
            if left is None or right is None:
                return None
            return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[node.operator]
        case _:
            return None


def _number(node: Node, scope: Scope, letters: Mapping[str, Axis], rest: tuple[Axis, ...] | None) -> Fraction | None:
    match node:
        case Number():
            return node.value
        case Name():
            value = scope.values.get(node.name)
            if isinstance(value, sp.Rational):
                return Fraction(int(value.p), int(value.q))
            return Fraction(value) if isinstance(value, int) and not isinstance(value, bool) else None
        case Negative():
            of = _number(node.of, scope, letters, rest)
            return None if of is None else -of
        case Call(function="size"):
            return _extent(node.arguments, letters, rest)
        case Series():
            total = _number(node.first, scope, letters, rest)
            for operator, term in node.more:
                value = _number(term, scope, letters, rest)
                if total is None or value is None or operator == "//" or (operator == "/" and value == 0):
                    return None
                total = {"+": total + value, "-": total - value, "*": total * value, "/": total / (value or 1)}[operator]
            return total
        case _:
            return None


def _extent(arguments: tuple[Node, ...], letters: Mapping[str, Axis], rest: tuple[Axis, ...] | None) -> Fraction | None:
    total = Fraction(1)
    for argument in arguments:
        if isinstance(argument, Rest) and rest is not None:
            axes = rest
        elif isinstance(argument, Name) and argument.name in letters:
            axes = (letters[argument.name],)
        else:
            return None
        for axis in axes:
            if axis.extent is None:
                return None
            total *= axis.extent
    return total
