"""A picture as TikZ, at its size or small enough for a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derive.documents.document import Name, Picture, Plots, Shown
from derive.documents.picture_layout import Arrow, Label, Layout, Placed, place
from derive.documents.picture_sizes import shortened
from derive.documents.plot_layout import Drawn, draw
from derive.documents.symbols import escape

UNIT = 0.7  # points for a pixel of the layout: letters of 10 points
TEXT_WIDTH, TEXT_HEIGHT = 440.0, 640.0  # what there is on a page, in points
STYLES = {"end": "before", "start": "behind", "middle": "over"}  # of labels, by where their point is

ANCHORS = {"start": "west", "middle": "center", "end": "east"}


def tikz(picture: Picture) -> str:
    """The picture in a box of its own."""
    layout = place(picture)
    scale = min(1.0, TEXT_WIDTH / (UNIT * layout.width), TEXT_HEIGHT / (UNIT * layout.height))
    drawn = "\n".join([rf"\begin{{tikzpicture}}[graph, x={UNIT}pt, y=-{UNIT}pt]", *_parts(layout), r"\end{tikzpicture}"])
    return drawn if scale == 1.0 else f"\\scalebox{{{scale:.3f}}}{{%\n{drawn}}}"


def tikz_plots(plots: Plots) -> str:
    """Plots beside one another, as many in a line as there is room for."""
    return "\\hspace{1em}%\n".join("\n".join(_plot(draw(plot))) for plot in plots.plots)


def _plot(drawn: Drawn) -> Iterator[str]:
    yield rf"\begin{{tikzpicture}}[graph, x={UNIT}pt, y=-{UNIT}pt]"
    yield rf"\useasboundingbox (0,0) rectangle ({drawn.width:.1f},{drawn.height:.1f});"
    for stroke in drawn.strokes:
        yield rf"\draw[{stroke.role} line] {' -- '.join(f'({x:.1f},{y:.1f})' for x, y in stroke.points)};"
    for words in drawn.words:
        text = f"${words.text}$" if words.formula else escape(words.text)
        yield rf"\node[{words.role} words, anchor={ANCHORS[words.anchor]}] at ({words.x:.1f},{words.y:.1f}) {{{text}}};"
    yield r"\end{tikzpicture}"


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
