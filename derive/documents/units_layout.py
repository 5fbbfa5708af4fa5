"""Where units, lines and words stand in the picture of a network: a column for each layer, from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from derive.documents.document import Column, Name, Units
from derive.documents.picture_layout import Point
from derive.documents.picture_sizes import names_width, shortened
from derive.documents.plot_layout import Words

# Lengths are in pixels of a text of 14 pixels, from the upper left corner to the right and down.
RADIUS, DIGIT, BETWEEN = 14.0, 3.6, 10.0  # of a unit; half of a digit in it; the space between two units
GAP, PAD, MARGIN = 105.0, 14.0, 12.0  # from a column to the next, the space between words, and around everything
LETTER = 6.4  # the width of a letter below a column
TOP, LINE = 34.0, 17.0  # what names take above the units, and a line of words below
DOT, APART = 1.6, 8.0  # the radius of a dot, and the space from one to the next
LEAST = 3  # units that a picture has room for at least: as many as the loss and the targets take


@dataclass(frozen=True)
class Circle:
    role: Literal["unit", "loss", "target", "dot"]
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Bundle:
    """The lines from units to those of the next column, or to the loss."""

    role: Literal["weight", "read"]
    lines: tuple[tuple[Point, Point], ...]


@dataclass(frozen=True)
class Drawing:
    """Bundles lie below circles, words above them."""

    width: float
    height: float
    bundles: tuple[Bundle, ...]
    circles: tuple[Circle, ...]
    words: tuple[Words, ...]


def arrange(picture: Units) -> Drawing:
    """The drawing of a network; the same one has the same drawing."""
    return _Drawn(picture).drawing()


class _Drawn:
    def __init__(self, picture: Units) -> None:
        self.picture = picture
        digits = max(len(str(unit)) for column in picture.columns for unit in column.units)
        self.radius = max(RADIUS, DIGIT * digits + 4)
        self.pitch = 2 * self.radius + BETWEEN
        self.most = max(LEAST, *(len(column.units) for column in picture.columns))
        self.middle = TOP + self.pitch * (self.most - 1) / 2 + self.radius
        self.below = TOP + self.pitch * (self.most - 1) + 2 * self.radius
        self.places = list(self._places())
        ends = ((picture.loss, self.middle), *((name, self.middle + self.pitch * k) for k, name in enumerate(picture.targets, 1)))
        self.ends = [(name, y, max(self.radius, (names_width((name,)) + 8) / 2)) for name, y in ends]
        self.room = max(*(radius for _, _, radius in self.ends), LETTER * len("targets") / 2)
        self.end = self.places[-1] + max(GAP, self._width(picture.columns[-1]) / 2 + PAD + self.room)

    def drawing(self) -> Drawing:
        lines = max(2, *(len(column.words) for column in self.picture.columns))
        bundles, circles = (*self._bundles(), *self._read()), (*self._units(), *self._ends())
        words = (*self._names(), *self._numbers(), *self._below())
        return Drawing(self.end + self.room + MARGIN, self.below + LINE * lines + MARGIN, bundles, circles, words)

    def _width(self, column: Column) -> float:
        """What a column takes with the words below it."""
        return max(2 * self.radius, names_width(column.names), *(LETTER * len(shortened(words)) for words in column.words))

    def _places(self) -> Iterator[float]:
        """The middle of each column: words of neighbours are apart, and there is room for the names of weights between columns."""
        columns = self.picture.columns
        x = MARGIN + self._width(columns[0]) / 2
        yield x
        for left, right in pairwise(columns):
            above = names_width(left.names) / 2 + names_width(right.names) / 2 + names_width(right.weights) + 2 * PAD
            x += max(GAP, above, (self._width(left) + self._width(right)) / 2 + PAD)
            yield x

    def _heights(self, column: Column) -> list[float]:
        """The middle of each unit, and of the dots between units."""
        start = self.middle - self.pitch * (len(column.units) - 1) / 2
        return [start + self.pitch * k for k in range(len(column.units))]

    def _points(self, k: int) -> list[Point]:
        """The units of a column that are shown."""
        column = self.picture.columns[k]
        return [(self.places[k], y) for unit, y in zip(column.units, self._heights(column), strict=True) if unit is not None]

    def _bundles(self) -> Iterator[Bundle]:
        points = [self._points(k) for k in range(len(self.places))]
        for left, right in pairwise(points):
            if left and right:
                yield Bundle("weight", tuple((a, b) for a in left for b in right))

    def _read(self) -> Iterator[Bundle]:
        """What the loss reads."""
        (_, y, _), *targets = self.ends
        starts = [*self._points(len(self.places) - 1), *((self.end, below) for _, below, _ in targets)]
        yield Bundle("read", tuple((start, (self.end, y)) for start in starts))

    def _units(self) -> Iterator[Circle]:
        for x, column in zip(self.places, self.picture.columns, strict=True):
            for unit, y in zip(column.units, self._heights(column), strict=True):
                if unit is not None:
                    yield Circle("unit", x, y, self.radius)
                else:
                    yield from (Circle("dot", x, y + step, DOT) for step in (-APART, 0.0, APART))
            if not column.units:
                yield from (Circle("dot", x + step, self.middle, DOT) for step in (-APART, 0.0, APART))

    def _ends(self) -> Iterator[Circle]:
        for k, (_, y, radius) in enumerate(self.ends):
            yield Circle("target" if k else "loss", self.end, y, radius)

    def _names(self) -> Iterator[Words]:
        """The value of each layer above its units, and between layers what their lines stand for; the loss and the targets."""
        columns = self.picture.columns
        for x, column in zip(self.places, columns, strict=True):
            if column.names:
                yield Words("forward", symbols(column.names), x, TOP / 2, "middle", formula=True)
        for (x, left), (u, right) in pairwise(zip(self.places, columns, strict=True)):
            if left.units and right.weights:
                middle = (x + names_width(left.names) / 2 + u - names_width(right.names) / 2) / 2
                yield Words("forward", symbols(right.weights), middle, TOP / 2, "middle", formula=True)
        for k, (name, y, _) in enumerate(self.ends):
            yield Words("target" if k else "forward", name.latex, self.end, y, "middle", formula=True)

    def _numbers(self) -> Iterator[Words]:
        for x, column in zip(self.places, self.picture.columns, strict=True):
            for unit, y in zip(column.units, self._heights(column), strict=True):
                if unit is not None:
                    yield Words("tick", str(unit), x, y, "middle", formula=True)

    def _below(self) -> Iterator[Words]:
        """How many units there are and what they apply, in lines."""
        ends = ("loss", "targets") if self.picture.targets else ("loss",)
        for x, lines in (*zip(self.places, (c.words for c in self.picture.columns), strict=True), (self.end, ends)):
            for k, words in enumerate(lines):
                yield Words("layer", shortened(words), x, self.below + LINE * (k + 0.5) + MARGIN / 2, "middle", formula=False)


def symbols(names: Sequence[Name]) -> str:
    """Names with commas between them, as one formula."""
    return r",\ ".join(name.latex for name in names)
