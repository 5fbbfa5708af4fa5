"""The curve of an activation and of its derivative as a drawing: an SVG file that is the same whenever it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from derive.derivation import Derived
from derive.evaluate import value
from derive.family import gradient_of
from derive.index import Entry, Tensor, free_indices
from derive.program import Equation

REACH, STEP = 5.0, 0.05  # x from -5 to 5
STEEPEST = 8.0  # a steeper rise between two points is a jump
WIDTH, HEIGHT, MARGIN = 320, 200, 24

Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """Values of a function and of its derivative at the places x."""

    name: str
    x: Numbers
    function: Numbers
    derivative: Numbers


def elementwise(forward: Equation, read: Tensor) -> bool:
    """Whether every entry depends on the entry of `read` at the same place alone, learned numbers aside."""
    entries = forward.body.atoms(Entry)
    return all(e.tensor != read or e.indices == forward.indices for e in entries) and all(
        e.tensor == read or not free_indices(e) for e in entries
    )


def curve(name: str, forward: Equation, backward: Derived, learned: Mapping[str, float]) -> Curve:
    """The forward formula and the derived derivative, evaluated. `learned`: the values of learned numbers."""
    read = backward.of
    if read is None:
        raise ValueError(f"{name}: the derivative belongs to no tensor")
    x = np.round(np.arange(-REACH, REACH + STEP / 2, STEP), 2)
    row = x.reshape((1,) * (len(forward.indices) - 1) + (-1,))
    extents = {i.axis.size: n for i, n in zip(forward.indices, row.shape, strict=True)}
    arrays: dict[str, npt.NDArray[np.number]] = {read.name: row, **{k: np.array(v) for k, v in learned.items()}}
    arrays[forward.tensor.name] = value(forward.body, forward.indices, arrays, extents)
    arrays[gradient_of(forward.tensor).name] = np.ones_like(row)
    slope = value(backward.equation.body, backward.equation.indices, arrays, extents)
    return Curve(name, x, np.asarray(arrays[forward.tensor.name], dtype=np.float64).ravel(), slope.ravel())


def svg(drawn: Curve) -> str:
    """The function as a solid line, its derivative as a dashed one, readable without colours."""
    every = np.concatenate([drawn.function, drawn.derivative, [0.0, 1.0]])
    low, high = np.floor(every.min() * 2) / 2, np.ceil(every.max() * 2) / 2
    frame = _Frame(low, high)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{drawn.name} (solid) and its derivative (dashed)</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *frame.axes(),
        *_path(frame, drawn.x, drawn.function, 'stroke="#1f4e8c"'),
        *_path(frame, drawn.x, drawn.derivative, 'stroke="#b3441e" stroke-dasharray="5 3"'),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Frame:
    """Where a point stands on the drawing."""

    low: float
    high: float

    def at(self, x: float, y: float) -> str:
        across = MARGIN + (x + REACH) / (2 * REACH) * (WIDTH - 2 * MARGIN)
        down = HEIGHT - MARGIN - (y - self.low) / (self.high - self.low) * (HEIGHT - 2 * MARGIN)
        return f"{across:.2f} {down:.2f}"

    def axes(self) -> Iterable[str]:
        """The lines x = 0 and y = 0, with ticks and numbers."""
        yield f'<path d="M{self.at(-REACH, 0)} L{self.at(REACH, 0)} M{self.at(0, self.low)} L{self.at(0, self.high)}" stroke="#888888"/>'
        yield '<g font-family="sans-serif" font-size="10" fill="#555555">'
        for x in (-4, -2, 2, 4):
            yield self._number(x, 0, -3.5, 12, str(x), f"M{self.at(x, 0)} v3")
        step = 1 if self.high - self.low <= 5 else 2
        for y in range(int(np.ceil(self.low)), int(self.high) + 1):
            if y and y % step == 0:
                yield self._number(0, y, -8, 3.5, str(y), f"M{self.at(0, y)} h-3", anchor="end")
        yield "</g>"

    def _number(self, x: float, y: float, right: float, below: float, text: str, tick: str, anchor: str = "start") -> str:
        across, down = (float(part) for part in self.at(x, y).split())
        place = f'x="{across + right:.2f}" y="{down + below:.2f}" text-anchor="{anchor}"'
        return f'<path d="{tick}" stroke="#888888"/><text {place}>{text}</text>'


def _path(frame: _Frame, x: Sequence[float] | Numbers, y: Numbers, style: str) -> Iterable[str]:
    """A line through the points, interrupted where the function jumps."""
    parts = [f"M{frame.at(x[0], y[0])}"]
    for k in range(1, len(y)):
        jump = abs(y[k] - y[k - 1]) > STEEPEST * STEP
        parts.append(("M" if jump else "L") + frame.at(x[k], y[k]))
    yield f'<path d="{" ".join(parts)}" fill="none" stroke-width="2" {style}/>'
