"""A picture as SVG that stands in a page: words as text, symbols as text with raised and lowered parts, colours from the page's style."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from xml.etree import ElementTree

from markupsafe import Markup, escape

from derive.documents.document import Name, Picture, Plots, Shown, Units
from derive.documents.mathml import mathml
from derive.documents.picture_layout import Arrow, Label, Layout, Placed, Point, place
from derive.documents.picture_sizes import BRACKET, COLUMN, ROW, SIGN, column_widths, names_height, names_width, shortened, shown_width
from derive.documents.plot_layout import Drawn, Words, draw
from derive.documents.units_layout import arrange

SHIFT, SMALLER = 4.0, 0.76  # how far scripts stand below or above, in pixels, and how much smaller they are
HEAD = 7.0  # the length of an arrow's head
COMBINING = {"^": "\N{COMBINING CIRCUMFLEX ACCENT}", "˙": "\N{COMBINING DOT ABOVE}", "˚": "\N{COMBINING RING ABOVE}"}
FONT = 14.0
READABLE = 0.8  # how much smaller the picture of a network may get


def svg(picture: Picture) -> Markup:
    """The picture at its size, or as wide as the page where that is narrower."""
    layout = place(picture)
    size = f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" width="{layout.width:.0f}" height="{layout.height:.0f}"'
    numbered = any(name.shown for node in picture.nodes for name in node.names)
    lines = [f'<svg class="picture{" numbered" if numbered else ""}" {size} role="img" aria-label="{escape(picture.title)}">']
    return Markup("\n".join([*lines, *_parts(layout), "</svg>"]))


def svg_plots(plots: Plots) -> Markup:
    """Plots beside one another, as many in a line as there is room for."""
    return Markup("\n").join(_plot(plot.title, draw(plot)) for plot in plots.plots)


def _plot(title: str, drawn: Drawn) -> Markup:
    size = f'viewBox="0 0 {drawn.width:.0f} {drawn.height:.0f}" width="{drawn.width:.0f}" height="{drawn.height:.0f}"'
    lines = [f'<svg class="picture plot" {size} role="img" aria-label="{escape(title)} and its derivative">']
    lines += [f'<path class="{s.role}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in s.points)}"/>' for s in drawn.strokes]
    return Markup("\n".join([*lines, *map(_words, drawn.words), "</svg>"]))


def _words(words: Words) -> str:
    text = symbol(words.text) if words.formula else escape(words.text)
    return f'<text class="{words.role}" x="{words.x:.1f}" y="{words.y + 5:.1f}" text-anchor="{words.anchor}">{text}</text>'


def svg_units(units: Units) -> Markup:
    """The picture of a network: as wide as the page where that is narrower, but no less than its words can be read at."""
    drawn = arrange(units)
    width, height = f"{drawn.width:.0f}", f"{drawn.height:.0f}"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="min-width:{READABLE * drawn.width:.0f}px"'
    lines = [f'<svg class="picture units" {size} role="img" aria-label="{escape(units.title)}">']
    for bundle in drawn.bundles:
        path = " ".join(f"M{ax:.1f} {ay:.1f} L{bx:.1f} {by:.1f}" for (ax, ay), (bx, by) in bundle.lines)
        lines.append(f'<path class="{bundle.role}" d="{path}"/>')
    for circle in drawn.circles:
        place_ = f'cx="{circle.x:.1f}" cy="{circle.y:.1f}"'
        insets = (0, 3) if circle.role == "target" else (0,)
        lines += [f'<circle class="{circle.role}" {place_} r="{circle.radius - inset:.1f}"/>' for inset in insets]
    return Markup("\n".join([*lines, *map(_words, drawn.words), "</svg>"]))


def _parts(layout: Layout) -> Iterator[str]:
    for band in layout.bands:
        yield f'<rect class="band" x="{band.x:.1f}" y="{band.y:.1f}" width="{band.width:.1f}" height="{band.height:.1f}" rx="6"/>'
        yield f'<text class="layer" x="{band.x + 7:.1f}" y="{band.y + 14:.1f}">{escape(shortened(band.words))}</text>'
    for arrow in layout.arrows:
        yield from _arrow(arrow)
    for placed in layout.nodes:
        yield from _node(placed)
    for label in layout.labels:
        yield from _label(label)


def _arrow(arrow: Arrow) -> Iterator[str]:
    """A line that ends where its head begins."""
    *points, tip = arrow.points
    (x, y), (ax, ay) = tip, points[-1]
    length = math.hypot(x - ax, y - ay)
    ux, uy = (x - ax) / length, (y - ay) / length
    end = (x - HEAD * ux, y - HEAD * uy) if arrow.head else tip
    path = " L".join(f"{px:.1f} {py:.1f}" for px, py in (*points, end))
    yield f'<path class="{arrow.direction}" d="M{path}"/>'
    if arrow.head:
        sides: Sequence[Point] = [(end[0] - 3.5 * uy, end[1] + 3.5 * ux), tip, (end[0] + 3.5 * uy, end[1] - 3.5 * ux)]
        yield f'<path class="{arrow.direction} head" d="M{" L".join(f"{px:.1f} {py:.1f}" for px, py in sides)} Z"/>'


def _node(placed: Placed) -> Iterator[str]:
    node = placed.node
    yield _box(placed, 0)
    if node.role == "target":
        yield _box(placed, 3)
    words = escape(shortened(node.words) if node.role == "equation" else node.words)
    number = f'<tspan class="number">({escape(node.number)})</tspan> ' if node.number else ""
    value = f", {symbol(node.value.latex)}" if node.value else ""
    if any(name.shown for name in node.names):
        yield from _numbered(node.names, node.role, placed.x - names_width(node.names) / 2, placed.y)
        return
    inside = _names(node.names) if node.names else f"{number}{words}{value}"
    yield f'<text class="{node.role}" x="{placed.x:.1f}" y="{placed.y + 5:.1f}" text-anchor="middle">{inside}</text>'


def _box(placed: Placed, inset: float) -> str:
    w, h = placed.width - 2 * inset, placed.height - 2 * inset
    round_ = 4 if placed.node.role in ("equation", "more") else min(h, 28) / 2
    place_ = f'x="{placed.x - w / 2:.1f}" y="{placed.y - h / 2:.1f}" width="{w:.1f}" height="{h:.1f}"'
    return f'<rect class="{placed.node.role}" {place_} rx="{round_:.1f}"/>'


def _label(label: Label) -> Iterator[str]:
    wide, high = names_width(label.names) + 2, names_height(label.names)  # the line below is covered
    place_ = f'x="{label.x - wide / 2:.1f}" y="{label.y - high / 2 + 1:.1f}" width="{wide:.1f}" height="{high:g}"'
    under = f'<rect class="over" {place_}/>' if label.over else ""
    if any(name.shown for name in label.names):
        left = label.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor] * (wide - 2)
        yield under
        yield from _numbered(label.names, label.direction, left, label.y)
        return
    where = f'x="{label.x:.1f}" y="{label.y + 5:.1f}" text-anchor="{label.anchor}"'
    yield f'{under}<text class="{label.direction}" {where}>{_names(label.names)}</text>'


def _numbered(names: Sequence[Name], role: str, left: float, y: float) -> Iterator[str]:
    """Names with their numbers, from the left end on, half-way up."""
    for k, name in enumerate(names):
        comma = "," if k < len(names) - 1 else ""
        shown, end = name.shown, left + names_width((name,))
        start = end - shown_width(name)
        sign = {"": ":", "=": " =", r"\approx": " \N{ALMOST EQUAL TO}"}[shown.relation] if shown else ""
        yield f'<text class="{role}" x="{left:.1f}" y="{y + 5:.1f}">{symbol(name.latex)}{sign}</text>'
        if shown:
            yield from _matrix(shown, role, start + SIGN, end, y)
        if comma:
            yield f'<text class="{role}" x="{end:.1f}" y="{y + 5:.1f}">{comma}</text>'
        left = end + 0.8 * FONT


def _matrix(shown: Shown, role: str, left: float, right: float, y: float) -> Iterator[str]:
    """Rows of numbers, each column flush right, between brackets."""
    if not shown.rows:
        yield f'<text class="{role} small" x="{left:.1f}" y="{y + 4:.1f}">{symbol(shown.words)}</text>'
        return
    top, bottom = y - ROW * len(shown.rows) / 2, y + ROW * len(shown.rows) / 2
    if shown.is_matrix:
        for x, end in ((left, left + 3), (right, right - 3)):
            corners = " L".join(f"{px:.1f} {py:.1f}" for px, py in ((end, top), (x, top), (x, bottom), (end, bottom)))
            yield f'<path class="bracket {role}" d="M{corners}"/>'
    ends = list(accumulate(column_widths(shown), initial=left + (BRACKET if shown.is_matrix else 0)))[1:]
    for k, row in enumerate(shown.rows):
        for end, entry in zip(ends, row, strict=True):
            place_ = f'x="{end - COLUMN / 2:.1f}" y="{top + ROW * (k + 0.5) + 4:.1f}" text-anchor="end"'
            yield f'<text class="{role} small" {place_}>{symbol(entry)}</text>'


# -- symbols -----------------------------------------------------------------------------------------------------------


def _names(names: Sequence[Name]) -> str:
    return ", ".join(symbol(name.latex) for name in names)


def symbol(latex: str) -> str:
    """A symbol as pieces of text, read off its MathML: letters slanted, scripts smaller and shifted.

    Raises FormulaError for a command that formulas do not have.
    """
    pieces = list(_pieces(ElementTree.fromstring(f"<math>{mathml(latex)}</math>"), 0.0, FONT, slanted=True))
    out, level = "", 0.0
    for text, at, size, slanted in pieces:
        shift = f' dy="{at - level:.1f}"' if at != level else ""
        small = f' font-size="{size:.1f}"' if size != FONT else ""
        style = ' font-style="italic"' if slanted else ""
        out += f"<tspan{shift}{small}{style}>{escape(text)}</tspan>" if shift or small or style else str(escape(text))
        level = at
    back = f'<tspan dy="{-level:.1f}">\N{ZERO WIDTH SPACE}</tspan>' if level else ""
    return out + back


Piece = tuple[str, float, float, bool]  # text, how far below the line, size, slanted or not


def _pieces(e: ElementTree.Element, at: float, size: float, *, slanted: bool) -> Iterator[Piece]:
    """The text of an element of MathML, in its order."""
    parts = list(e)
    match e.tag:
        case "msub" | "msup" | "msubsup":
            yield from _pieces(parts[0], at, size, slanted=slanted)
            shifts = {"msub": (SHIFT,), "msup": (-SHIFT - 1,), "msubsup": (SHIFT, -SHIFT - 1)}[e.tag]
            for part, shift in zip(parts[1:], shifts, strict=True):
                yield from _pieces(part, at + shift * size / FONT, size * SMALLER, slanted=slanted)
        case "mover":
            accent = "".join(parts[1].itertext())
            for text, below, own, slants in _pieces(parts[0], at, size, slanted=slanted):
                yield text + COMBINING.get(accent, accent), below, own, slants
        case "mi":
            text = "".join(e.itertext())
            yield text, at, size, slanted and len(text) == 1 and e.get("mathvariant") != "normal"
        case "mspace":
            yield " ", at, size, False
        case _ if parts:
            for part in parts:
                yield from _pieces(part, at, size, slanted=slanted)
        case _:
            yield "".join(e.itertext()), at, size, False
