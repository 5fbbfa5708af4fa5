"""What is wrong with a formula: where, what was found, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

MAX_SHOWN = 40  # characters of what was found
MAX_LISTED = 12  # words of a list of what would be right


class Place(NamedTuple):
    """Where something stands in the text of a formula; both count from 1."""

    line: int
    column: int


class FormulaError(ValueError):
    """A formula that means nothing. `found` and `right` are phrases: "found {found}; right would be {right}"."""

    def __init__(self, line: int, column: int, found: str, right: str) -> None:
        super().__init__(f"line {line}, column {column}: found {found}; right would be {right}")
        self.line, self.column, self.found, self.right = line, column, found, right

    def __reduce__(self) -> tuple[type[FormulaError], tuple[int, int, str, str]]:
        return (FormulaError, (self.line, self.column, self.found, self.right))


def wrong(at: Place, found: str, right: str) -> FormulaError:
    """The error to raise for what stands at a place."""
    return FormulaError(at.line, at.column, found, right)


def quoted(text: str) -> str:
    """A piece of a formula between backticks, shortened to fit a line."""
    return f"`{text}`" if len(text) <= MAX_SHOWN else f"`{text[: MAX_SHOWN - 3]}...`"


def guess(word: str, known: Iterable[str]) -> str:
    """' (did you mean `a`?)' where a known word resembles the given one, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {quoted(near[0])}?)" if near else ""


def several(words: Iterable[str]) -> str:
    """`a`, `b`, `c`, the first few; "none" for no words."""
    every = [quoted(word) for word in words]
    return ", ".join(every[:MAX_LISTED]) + (", ..." if len(every) > MAX_LISTED else "") or "none"


def counted(number: int, word: str) -> str:
    """1 argument, 2 arguments"""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
