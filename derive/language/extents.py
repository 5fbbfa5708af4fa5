"""The extents of declared axes: integer arithmetic in parameters and sizes."""

from __future__ import annotations

from collections.abc import Mapping

from derive.language.errors import Place, guess, quoted, several, wrong
from derive.language.limits import MAX_EXTENT, MAX_WHOLE
from derive.language.parse import single
from derive.language.tree import Call, Name, Negative, Node, Number, Series

RIGHT = "whole numbers, parameters and sizes such as `size(i)`, with + - * // and parentheses"


def extent(text: str, values: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    """The extent that an integer expression gives: `(size(i) + 2*padding - kernel) // stride + 1`.

    values: whole-number parameters by name; sizes: extents by letter. Raises FormulaError, also where the result is not from 1 to 10**6.
    """
    body = single(text)
    found = _Reader(values, sizes).value(body)
    if not 1 <= found <= MAX_EXTENT:
        raise wrong(body.at, f"the extent {found}", f"one from 1 to {MAX_EXTENT}")
    return found


class _Reader:
    def __init__(self, values: Mapping[str, int], sizes: Mapping[str, int]) -> None:
        self.values, self.sizes = values, sizes

    def value(self, node: Node) -> int:
        match node:
            case Number():
                if node.value.denominator != 1:
                    raise wrong(node.at, f"{float(node.value)!r} in an extent", "a whole number")
                return _bounded(node.value.numerator, node.at)
            case Name():
                if node.name not in self.values:
                    known = f"one of {several(self.values)}" if self.values else RIGHT
                    raise wrong(node.at, f"{quoted(node.name)}, a name that means nothing here", known + guess(node.name, self.values))
                return self.values[node.name]
            case Call(function="size"):
                return self._size(node)
            case Negative():
                return -self.value(node.of)
            case Series():
                return self._series(node)
            case _:
                raise wrong(node.at, "something else than whole-number arithmetic", RIGHT)

    def _size(self, node: Call) -> int:
        letter = node.arguments[0]
        if len(node.arguments) > 1 or not isinstance(letter, Name):
            raise wrong(node.at, "`size` of something else than one axis", "`size(i)`")
        if letter.name not in self.sizes:
            right = f"one of {several(self.sizes)}" + guess(letter.name, self.sizes)
            raise wrong(letter.at, f"{quoted(letter.name)}, an axis whose size is not known here", right)
        return self.sizes[letter.name]

    def _series(self, node: Series) -> int:
        total = self.value(node.first)
        for operator, term in node.more:
            value = self.value(term)
            match operator:
                case "+":
                    total += value
                case "-":
                    total -= value
                case "*":
                    total *= value
                case "//":
                    if value == 0:
                        raise wrong(term.at, "a division by zero", "a divisor that is not 0")
                    total //= value
                case _:
                    raise wrong(term.at, "`/` in an extent", "`//`, the division of whole numbers that rounds down")
            _bounded(total, term.at)
        return total


def _bounded(value: int, at: Place) -> int:
    if abs(value) > MAX_WHOLE:
        raise wrong(at, "a whole number that is too large", f"at most {MAX_WHOLE}")
    return value
