"""Where the lines and words of a plot stand: axes through 0, round numbers beside them, curves in between."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from derive.documents.document import CurveRole, Plot, Point

# Lengths are in pixels of a text of 14 pixels, from the upper left corner to the right and down.
WIDE, HIGH = 270.0, 150.0  # of the curves
LEFT, RIGHT, TOP, BOTTOM = 34.0, 10.0, 34.0, 24.0
MOST = 5  # numbers beside an axis, about
STEPS = (1.0, 2.0, 5.0)  # times powers of ten, between those numbers
ROOM = 0.06  # of the height, above and below the curves
LOWEST = 1.0  # height: what is smaller is not magnified

Role = CurveRole | Literal["axis", "tick", "title"]
WordsRole = Role | Literal["layer", "target"]  # the last two in the picture of a network
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Stroke:
    role: Role
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Words:
    """Text or LaTeX at a point, which is its left end, middle or right end, half-way up."""

    role: WordsRole
    text: str
    x: float
    y: float
    anchor: Anchor
    formula: bool


@dataclass(frozen=True)
class Drawn:
    width: float
    height: float
    strokes: tuple[Stroke, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True)
class _Scale:
    """From the units of a plot to pixels."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        return LEFT + WIDE * (value - self.left) / (self.right - self.left)

    def y(self, value: float) -> float:
        return TOP + HIGH * (self.high - value) / (self.high - self.low)


def draw(plot: Plot) -> Drawn:
    """The drawing of a plot; the same plot has the same one."""
    low, high = min(plot.height[0], 0.0), max(plot.height[1], 0.0)
    if high - low < LOWEST:
        high = low + LOWEST
    room = ROOM * (high - low)
    scale = _Scale(*plot.width, low - room, high + room)
    strokes = [*_axes(scale), *(Stroke(c.role, tuple((scale.x(x), scale.y(y)) for x, y in c.points)) for c in plot.curves)]
    words = [Words("title", plot.title, LEFT + WIDE / 2, 10.0, "middle", formula=False), *_numbers(scale)]
    for curve in plot.curves:
        if curve.words:
            x, y = curve.points[0]
            words.append(Words(curve.role, curve.words, scale.x(x) + 4, scale.y(y) - 9, "start", formula=True))
    return Drawn(LEFT + WIDE + RIGHT, TOP + HIGH + BOTTOM, tuple(strokes), tuple(words))


def _axes(scale: _Scale) -> Iterator[Stroke]:
    yield Stroke("axis", ((scale.x(scale.left), scale.y(0)), (scale.x(scale.right), scale.y(0))))
    yield Stroke("axis", ((scale.x(0), scale.y(scale.low)), (scale.x(0), scale.y(scale.high))))
    for x in ticks(scale.left, scale.right):
        yield Stroke("axis", ((scale.x(x), scale.y(0) - 3), (scale.x(x), scale.y(0) + 3)))
    for y in ticks(scale.low, scale.high):
        yield Stroke("axis", ((scale.x(0) - 3, scale.y(y)), (scale.x(0) + 3, scale.y(y))))


def _numbers(scale: _Scale) -> Iterator[Words]:
    """The numbers stand at the edges, where no curve runs."""
    for x in ticks(scale.left, scale.right):
        yield Words("tick", f"{x:g}", scale.x(x), TOP + HIGH + 12, "middle", formula=True)
    for y in ticks(scale.low, scale.high):
        yield Words("tick", f"{y:g}", LEFT - 6, scale.y(y), "end", formula=True)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two numbers, at most about MOST of them."""
    least = (high - low) / MOST
    power = 10.0 ** math.floor(math.log10(least))
    step = next((s * power for s in STEPS if s * power >= least), 10 * power)
    return [round(k * step, 10) + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
