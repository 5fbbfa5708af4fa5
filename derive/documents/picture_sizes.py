"""How much room words, symbols and matrices take in a picture, by an estimate: in pixels of a text of FONT pixels."""

from __future__ import annotations

from collections.abc import Sequence

from derive.documents.document import Name, Shown
from derive.documents.layout import width

FONT = 14.0
LONGEST = 30  # letters of a word
LINE, ROW = 16.0, 13.5  # the height of a name, and of a row of numbers
EM, COLUMN, BRACKET, SIGN = 12.0, 9.0, 4.0, 25.0  # of numbers; the widths of a space, a bracket and a relation
DIGIT, SIGNS = 6.8, {"-": 8.0, ".": 3.5}  # the widths of a digit, and of what else a number has


def shortened(words: str) -> str:
    """Words that are not too long for a box."""
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."


def names_width(names: Sequence[Name]) -> float:
    """About how wide names with commas between them are, with their numbers."""
    return sum(_name_width(name) + shown_width(name) for name in names) + 0.8 * FONT * max(len(names) - 1, 0)


def _name_width(name: Name) -> float:
    """About how wide a name is; a derivative, written on one line, is mostly of full letters, other names half of small ones."""
    return (1.1 if r"\partial" in name.latex else 0.8) * FONT * width(name.latex)


def names_height(names: Sequence[Name]) -> float:
    """How high names are with their numbers; without, they have the height of a line."""
    return max((LINE, *(ROW * len(name.shown.rows) + 4 for name in names if name.shown and len(name.shown.rows) > 1)))


def shown_width(name: Name) -> float:
    """About how wide the numbers of a name are, with the sign before them."""
    if name.shown is None:
        return 0.0
    brackets = 2 * BRACKET if name.shown.is_matrix else 0.0
    return SIGN + (sum(column_widths(name.shown)) + brackets if name.shown.rows else EM * width(name.shown.words))


def _number_width(latex: str) -> float:
    if all(c.isdigit() or c in SIGNS for c in latex):
        return sum(SIGNS.get(c, DIGIT) for c in latex)
    return EM * width(latex)


def column_widths(shown: Shown) -> list[float]:
    """About how wide the columns of a matrix are, with the space between them."""
    return [max(map(_number_width, column)) + COLUMN for column in zip(*shown.rows, strict=True)]
