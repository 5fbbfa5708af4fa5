"""A picture as TikZ, at its size or small enough for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from derive.documents.document import Name, Picture, Plots, Shown, Units
from derive.documents.picture_layout import Arrow, Label, Layout, Placed, place
from derive.documents.picture_sizes import shortened
from derive.documents.plot_layout import Drawn, Words, draw
from derive.documents.symbols import escape
from derive.documents.units_layout import Drawing, arrange

UNIT = 0.7  # points for a pixel of the layout: letters of 10 points
TEXT_WIDTH, TEXT_HEIGHT = 440.0, 640.0  # what there is on a page, in points
STYLES = {"end": "before", "start": "behind", "middle": "over"}  # of labels, by where their point is

ANCHORS = {"start": "west", "middle": "center", "end": "east"}


def tikz(picture: Picture) -> str:
    """The picture in a box of its own."""
    layout = place(picture)
    return _fitted(_parts(layout), layout.width, layout.height)


def tikz_plots(plots: Plots) -> str:
    """Plots beside one another, as many in a line as there is room for."""
    return "\\hspace{1em}%\n".join("\n".join(_plot(draw(plot))) for plot in plots.plots)


def _plot(drawn: Drawn) -> Iterator[str]:
    yield rf"\begin{{tikzpicture}}[graph, x={UNIT}pt, y=-{UNIT}pt]"
    yield rf"\useasboundingbox (0,0) rectangle ({drawn.width:.1f},{drawn.height:.1f});"
    for stroke in drawn.strokes:
        yield rf"\draw[{stroke.role} line] {' -- '.join(f'({x:.1f},{y:.1f})' for x, y in stroke.points)};"
    yield from map(_words, drawn.words)
    yield r"\end{tikzpicture}"


def _words(words: Words) -> str:
    text = f"${words.text}$" if words.formula else escape(words.text)
    return rf"\node[{words.role} words, anchor={ANCHORS[words.anchor]}] at ({words.x:.1f},{words.y:.1f}) {{{text}}};"


def tikz_units(units: Units) -> str:
    """The picture of a network, at its size or small enough for a page."""
    drawn = arrange(units)
    return _fitted(_units(drawn), drawn.width, drawn.height)


def _units(drawn: Drawing) -> Iterator[str]:
    for bundle in drawn.bundles:
        path = " ".join(f"({ax:.1f},{ay:.1f}) -- ({bx:.1f},{by:.1f})" for (ax, ay), (bx, by) in bundle.lines)
        yield rf"\draw[{bundle.role} lines] {path};"
    for circle in drawn.circles:
        size = f"minimum size={2 * UNIT * circle.radius:.1f}pt"
        yield rf"\node[{circle.role} circle, {size}] at ({circle.x:.1f},{circle.y:.1f}) {{}};"
    yield from map(_words, drawn.words)


def _fitted(parts: Iterable[str], width: float, height: float) -> str:
    """A picture in a box of its own that fits on a page."""
    scale = min(1.0, TEXT_WIDTH / (UNIT * width), TEXT_HEIGHT / (UNIT * height))
    drawn = "\n".join([rf"\begin{{tikzpicture}}[graph, x={UNIT}pt, y=-{UNIT}pt]", *parts, r"\end{tikzpicture}"])
    return drawn if scale == 1.0 else f"\\scalebox{{{scale:.3f}}}{{%\n{drawn}}}"


def _parts(layout: Layout) -> Iterator[str]:
    for band in layout.bands:
        yield rf"\draw[band] ({band.x:.1f},{band.y:.1f}) rectangle +({band.width:.1f},{band.height:.1f});"
        yield rf"\node[layer] at ({band.x + 5:.1f},{band.y + 3:.1f}) {{{escape(shortened(band.words))}}};"
    for arrow in layout.arrows:
        yield _arrow(arrow)
    for placed in layout.nodes:
        yield _node(placed)
    for label in layout.labels:
        yield _label(label)


def _arrow(arrow: Arrow) -> str:
    path = " -- ".join(f"({x:.1f},{y:.1f})" for x, y in arrow.points)
    return rf"\draw[{arrow.direction}{'' if arrow.head else ', -'}] {path};"


def _node(placed: Placed) -> str:
    node = placed.node
    number = rf"\textcolor{{black!60}}{{({escape(node.number)})}} " if node.number else ""
    value = f", ${node.value.latex}$" if node.value else ""
    words = number + escape(shortened(node.words) if node.role == "equation" else node.words) + value
    size = f"minimum width={UNIT * placed.width:.1f}pt, minimum height={UNIT * placed.height:.1f}pt"
    return rf"\node[{node.role} node, {size}] at ({placed.x:.1f},{placed.y:.1f}) {{{_names(node.names) or words}}};"


def _label(label: Label) -> str:
    return rf"\node[{label.direction} label, {STYLES[label.anchor]}] at ({label.x:.1f},{label.y:.1f}) {{{_names(label.names)}}};"


def _names(names: Sequence[Name]) -> str:
    return ", ".join(f"${name.latex}{_numbers(name.shown) if name.shown else ''}$" for name in names)


def _numbers(shown: Shown) -> str:
    if not shown.rows:
        return rf":\text{{\scriptsize\,${shown.words}$}}"
    rows = r" \\ ".join(" & ".join(row) for row in shown.rows)
    inside = rf"\begin{{bmatrix}} {rows} \end{{bmatrix}}" if shown.is_matrix else rows
    return rf" {shown.relation} \text{{\scriptsize\arraycolsep=2.5pt${inside}$}}"
