"""The structure of a document: sections of paragraphs, lists, tables and displayed formulas, independent of the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Math:
    """A formula within a sentence or a cell, as LaTeX."""

    latex: str


@dataclass(frozen=True)
class Code:
    """A name as it stands in the generated code."""

    text: str


@dataclass(frozen=True)
class Ref:
    """A reference to a numbered equation."""

    number: str


@dataclass(frozen=True)
class Link:
    """Words that lead to a place outside of the document."""

    words: str
    url: str


Part = str | Math | Code | Ref | Link
Text = tuple[Part, ...]


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Items:
    """A list of points."""

    items: tuple[Text, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; `wide` is the number of the column whose cells may take several lines."""

    header: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]
    wide: int


@dataclass(frozen=True)
class Row:
    """left = right; `relation` is LaTeX, `note` stands at the end of the line."""

    left: str
    right: str
    relation: str = "="
    note: Text = ()


@dataclass(frozen=True)
class Formula:
    """Displayed rows, aligned at their relation; numbered where a number is given. `code` says where the code computes it."""

    rows: tuple[Row, ...]
    number: str = ""
    code: Text = ()


@dataclass(frozen=True)
class Shown:
    """The numbers of a tensor in a picture, as LaTeX: the rows of a matrix, or words in the place of an array that is too large."""

    relation: str
    rows: tuple[tuple[str, ...], ...] = ()
    words: str = ""

    @property
    def is_matrix(self) -> bool:
        """Whether there is more than one number."""
        return sum(map(len, self.rows)) > 1


@dataclass(frozen=True)
class Name:
    """A tensor in a picture: its symbol as LaTeX, its name in the code, and its numbers where it has some."""

    latex: str
    code: str
    shown: Shown | None = None


Role = Literal["equation", "input", "parameter", "target", "given", "result", "more"]


@dataclass(frozen=True)
class Node:
    """An equation, what is given to some equation, or what is left when all are computed.

    key: its own among the nodes; number: the equation's; words: what it computes; group: the layer that it belongs to; names: the tensors
    that a node stands for which is no equation; value: what an equation computes, where its words alone do not tell it from another one.
    """

    key: str
    role: Role
    words: str = ""
    number: str = ""
    group: str = ""
    names: tuple[Name, ...] = ()
    value: Name | None = None


@dataclass(frozen=True)
class Edge:
    """Values that go from one node to another, and the gradients that come back."""

    start: str
    end: str
    forward: tuple[Name, ...]
    backward: tuple[Name, ...]


@dataclass(frozen=True)
class Picture:
    """A graph. Inputs, equations and what stands for several stand one below the other, everything else beside its neighbour.

    title: what it shows, for below it and for those who cannot see it.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    title: str = "The computation graph, forward and backward"


@dataclass(frozen=True)
class Column:
    """A layer of units, or several layers that are left out, which have no units.

    names: the values of its units; units: the positions of those that are shown, None for those that are not; words: the lines below;
    weights: what the lines stand for that come to it, and what is added.
    """

    names: tuple[Name, ...]
    units: tuple[int | None, ...]
    words: tuple[str, ...]
    weights: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Units:
    """The layers of a network, from left to right, and the loss that compares the last one with the targets."""

    columns: tuple[Column, ...]
    loss: Name
    targets: tuple[Name, ...]
    title: str


CurveRole = Literal["forward", "backward", "bound", "dead"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A line through points, in the units of its plot; `words`: LaTeX that stands above its right end."""

    role: CurveRole
    points: tuple[Point, ...]
    words: str = ""


@dataclass(frozen=True)
class Plot:
    """A function and its derivative between two numbers; height: the lowest and the highest point.

    samples: some numbers, each with the value of the function and of its derivative, where no curve can be drawn.
    """

    title: str
    curves: tuple[Curve, ...]
    width: Point
    height: Point
    samples: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Plots:
    """Plots beside one another, and what their lines mean."""

    plots: tuple[Plot, ...]
    title: str


Block = Paragraph | Items | Table | Formula | Picture | Units | Plots


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it. Level 1 is a section, level 2 a subsection."""

    title: Text
    blocks: tuple[Block, ...]
    level: int = 1


@dataclass(frozen=True)
class Document:
    title: Text
    sections: tuple[Section, ...]
