"""The extents of declared axes: integer arithmetic in parameters and sizes."""

from __future__ import annotations

from collections.abc import Mapping

from derive.language.errors import Place, guess, quoted, several, wrong
from derive.language.limits import MAX_EXTENT, MAX_WHOLE
from derive.language.parse import single
from derive.language.tree import Call, Name, Negative, Node, Number, Rest, Series

RIGHT = "whole numbers, parameters and sizes such as `size(i)`, with + - * / // and parentheses"


def extent(text: str, values: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    """The extent that an integer expression gives: `(size(i) + 2*padding - kernel) // stride + 1`.

    `/` is a division without a rest.

    values: whole-number parameters by name; sizes: extents by letter, and of `...` in all. Raises FormulaError, also where the
    result is not from 1 to 10**6.
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
        total = 1
        for letter in node.arguments:
            name = "..." if isinstance(letter, Rest) else letter.name if isinstance(letter, Name) else None
            if name is None:
                raise wrong(letter.at, "`size` of something else than axes", "`size(i)`")
            if name not in self.sizes:
                right = f"one of {several(self.sizes)}" + guess(name, self.sizes)
                raise wrong(letter.at, f"{quoted(name)}, an axis whose size is not known here", right)
            total *= self.sizes[name]
        return _bounded(total, node.at)

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
                    if value == 0 or total % value:
                        right = "numbers that divide without a rest, or `//`, which rounds down"
                        raise wrong(term.at, f"{total} / {value}, which is no whole number", right)
                    total //= value
            _bounded(total, term.at)
        return total


def _bounded(value: int, at: Place) -> int:
    if abs(value) > MAX_WHOLE:
        raise wrong(at, "a whole number that is too large", f"at most {MAX_WHOLE}")
    return value
