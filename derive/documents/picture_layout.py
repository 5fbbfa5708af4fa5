"""Where the nodes and arrows of a picture stand: the equations one below the other, what is given on the left, long ways on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from derive.documents.document import Edge, Name, Node, Picture
from derive.documents.picture_sizes import FONT, LINE, names_height, names_width, shortened

# Lengths are in pixels of a text of FONT pixels, from the upper left corner to the right and down.
LETTER = 0.54 * FONT  # the width of a letter in a word, about
BOX, SIDE, BETWEEN = 32.0, 28.0, 10.0  # the height of an equation and of what stands on its left, and the space between two of those
GAP, HEADING = 36.0, 20.0  # the space below an equation, and what the name of a layer takes more
ROOM = 11.0  # from the middle of a node to an arrow forward, and on the other side to that back
PORT, CORNER, PAD = 20.0, 10.0, 10.0

Point = tuple[float, float]
Direction = Literal["forward", "backward"]
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Placed:
    """A node and its box: its middle, width and height."""

    node: Node
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Arrow:
    """A line through points; `head`: whether it ends in an arrow's head."""

    direction: Direction
    points: tuple[Point, ...]
    head: bool = True


@dataclass(frozen=True)
class Label:
    """Names at a point, which is their left end, middle or right end, half-way up; `over`: whether an arrow runs below it."""

    direction: Direction
    names: tuple[Name, ...]
    x: float
    y: float
    anchor: Anchor
    over: bool = False


@dataclass(frozen=True)
class Band:
    """The equations of a layer: the corner, width, height and name."""

    words: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    width: float
    height: float
    bands: tuple[Band, ...]
    nodes: tuple[Placed, ...]
    arrows: tuple[Arrow, ...]
    labels: tuple[Label, ...]


def place(picture: Picture) -> Layout:
    """The layout of a picture; the same picture has the same one."""
    return _Column(picture).layout()


class _Column:
    """The nodes that stand one below the other, those beside them, and lanes on the right for edges that pass some of them by."""

    def __init__(self, picture: Picture) -> None:
        self.edges = picture.edges
        nodes = {n.key: n for n in picture.nodes}
        beside = {n.key for n in picture.nodes if n.role in ("parameter", "target", "given", "result")}
        last = picture.nodes[-1].key  # what the last equation computes stands below it
        self.rows = [n for n in picture.nodes if n.key not in beside or n.key == last]
        self.row = {n.key: k for k, n in enumerate(self.rows)}
        self.side: dict[str, list[tuple[Node, Edge]]] = {n.key: [] for n in self.rows}
        for edge in picture.edges:
            for key, other in ((edge.start, edge.end), (edge.end, edge.start)):
                if key not in self.row:
                    self.side[other].append((nodes[key], edge))
        between = [e for e in picture.edges if e.start in self.row and e.end in self.row]
        self.near = [e for e in between if self.row[e.end] == self.row[e.start] + 1]
        self.far: dict[str, list[Edge]] = {}  # by the node that they start from
        for edge in sorted((e for e in between if e not in self.near), key=lambda e: (self.row[e.start], self.row[e.end])):
            self.far.setdefault(edge.start, []).append(edge)
        self.lane = _lanes({s: (self.row[s], self.row[edges[-1].end]) for s, edges in self.far.items()})
        self.ports = self._ports()

    def layout(self) -> Layout:
        beside = max((names_width(n) for e in self.near for n in (e.forward, e.backward) if any(x.shown for x in n)), default=0.0)
        across = max((*map(self._wide, self.rows), 2 * (beside + ROOM + 7)))
        sides = [pair for pairs in self.side.values() for pair in pairs]
        side = max((names_width(n.names) + 20 for n, _ in sides), default=0.0)
        channel = max((names_width((*e.backward, *e.forward)) + 52 for _, e in sides), default=0.0)
        middle = PAD + side + channel + across / 2
        boxes, bands, bottom = self._boxes(middle, across)
        placed, arrows, labels = list(boxes.values()), list[Arrow](), list[Label]()
        for key, pairs in self.side.items():
            box = boxes[key]
            top = box.y - (sum(_side(*pair) for pair in pairs) + BETWEEN * (len(pairs) - 1)) / 2
            for node, edge in pairs:
                height, label = _side(node, edge), names_height(edge.backward)
                y = top + height / 2
                top += height + BETWEEN
                w = names_width(node.names) + 20
                placed.append(Placed(node, PAD + side - w / 2, y, w, max(SIDE, names_height(node.names) + 8)))
                here, there = (PAD + side, box.x - box.width / 2) if node.role != "result" else (box.x - box.width / 2, PAD + side)
                ahead, back = y - label / 2 + 1, y + 6  # the forward arrow runs above the label of the other
                arrows.append(Arrow("forward", ((here, ahead), (there, ahead))))
                if edge.backward:
                    arrows.append(Arrow("backward", ((there, back), (here, back))))
                    labels.append(Label("backward", edge.backward, (here + there) / 2, back + 1, "middle", over=True))
        for edge in self.near:
            self._straight(edge, boxes, arrows, labels)
        right = self._far(boxes, middle + across / 2 + PAD, arrows, labels)
        return Layout(right + PAD, bottom, tuple(bands), tuple(placed), tuple(arrows), tuple(labels))

    def _wide(self, node: Node) -> float:
        if node.names:
            return names_width(node.names) + 28
        words = len(shortened(node.words) if node.role == "equation" else node.words)
        value = names_width((node.value,)) + LETTER if node.value else 0.0
        return max(LETTER * (words + (len(node.number) + 3 if node.number else 0)) + value + 20, 130)

    def _boxes(self, middle: float, across: float) -> tuple[dict[str, Placed], list[Band], float]:
        boxes: dict[str, Placed] = {}
        bands: list[Band] = []
        y, group = 4.0, ""
        for k, node in enumerate(self.rows):
            new = node.group not in ("", group)
            y += (self._gap(self.rows[k - 1]) if k else 0) + (HEADING if new else 0)
            stack = sum(_side(*pair) + BETWEEN for pair in self.side[node.key])
            ports = max((at for (key, _), at in self.ports.items() if key == node.key), default=-1) + 1
            least = BOX if node.role in ("equation", "more") else max(SIDE, names_height(node.names) + 8)
            needed = max(least, stack - BETWEEN + 2, ports * PORT)
            own = across if node.role in ("equation", "more") else self._wide(node)
            boxes[node.key] = Placed(node, middle, y + needed / 2, own, needed)
            if new:
                bands.append(Band(node.group, middle - across / 2 - 8, y - HEADING, across + 16, needed + HEADING + 8))
            elif node.group:
                start = bands.pop()
                bands.append(Band(start.words, start.x, start.y, start.width, y + needed + 8 - start.y))
            y += needed
            group = node.group
        return boxes, bands, y + 6

    def _gap(self, node: Node) -> float:
        """The space below a node: what stands beside the arrows there, one line of which it has room for as it is."""
        near = [names_height(n) for e in self.near if e.start == node.key for n in (e.forward, e.backward)]
        far = [sum(names_height(n) for n in (e.forward, e.backward)) - LINE for e in self.far.get(node.key, ())]
        return GAP + max((*near, *far, LINE)) - LINE

    def _straight(self, edge: Edge, boxes: Mapping[str, Placed], arrows: list[Arrow], labels: list[Label]) -> None:
        start, end = boxes[edge.start], boxes[edge.end]
        top, bottom = start.y + start.height / 2, end.y - end.height / 2
        y = top + 8 + (self._gap(start.node) - 8) / 2
        arrows.append(Arrow("forward", ((start.x - ROOM, top), (start.x - ROOM, bottom))))
        if edge.forward:
            labels.append(Label("forward", edge.forward, start.x - ROOM - 7, y, "end"))
        if edge.backward:
            arrows.append(Arrow("backward", ((start.x + ROOM, bottom), (start.x + ROOM, top))))
            labels.append(Label("backward", edge.backward, start.x + ROOM + 7, y, "start"))

    def _ports(self) -> dict[tuple[str, str], int]:
        """Places at the right sides of boxes, from the top: what comes in, by its lane, then what goes out; (box, start of the edge)."""
        found: dict[tuple[str, str], int] = {}
        for node in self.rows:
            coming = [s for s, edges in self.far.items() if any(e.end == node.key for e in edges)]
            ordered = sorted(coming, key=lambda s: -self.lane[s])
            going = [node.key] if node.key in self.far else []
            for k, start in enumerate(ordered + going):
                found[node.key, start] = k
        return found

    def _at(self, box: Placed, start: str) -> float:
        """The height of a port."""
        count = sum(1 for key, _ in self.ports if key == box.node.key)
        return box.y + (self.ports[box.node.key, start] - (count - 1) / 2) * PORT

    def _far(self, boxes: Mapping[str, Placed], edge_of_bands: float, arrows: list[Arrow], labels: list[Label]) -> float:
        """The edges in lanes, each lane as wide as its labels; returns where the last lane ends."""
        x = edge_of_bands
        for lane in sorted(set(self.lane.values())):
            here = x + CORNER
            starts = [s for s, own in self.lane.items() if own == lane]
            for start in starts:
                self._trunk(start, boxes, here, arrows, labels)
            x = here + PORT / 2 + 7 + max(names_width(n) for s in starts for e in self.far[s] for n in (e.forward, e.backward))
        return x

    def _trunk(self, start: str, boxes: Mapping[str, Placed], x: float, arrows: list[Arrow], labels: list[Label]) -> None:
        """The values of one node on their way to several: down a lane, with branches; the gradients on their way back beside it."""
        edges = self.far[start]
        box, last = boxes[start], boxes[edges[-1].end]
        away = box.x + box.width / 2
        out, into = self._at(box, start), self._at(last, start)
        reached = last.x + last.width / 2
        back = any(e.backward for e in edges)
        arrows.append(Arrow("forward", ((away, out + 4), (x, out + 4), (x, into - 4), (reached, into - 4))))
        if back:
            beside = x + 8
            arrows.append(Arrow("backward", ((reached, into + 4), (beside, into + 4), (beside, out - 4), (away, out - 4))))
        for edge in edges[:-1]:
            target = boxes[edge.end]
            y, side = self._at(target, start), target.x + target.width / 2
            arrows.append(Arrow("forward", ((x, y - 4), (side, y - 4))))
            if edge.backward:
                arrows.append(Arrow("backward", ((side, y + 4), (x + 8, y + 4)), head=False))
        y = box.y + box.height / 2 + self._gap(box.node) / 2
        at = x + 8 * back + 6
        ahead, behind = (names_height(n) for n in (edges[0].forward, edges[0].backward))
        if edges[0].forward:
            labels.append(Label("forward", edges[0].forward, at, y - (behind / 2 + 1 if back else 0), "start"))
        if back:
            labels.append(Label("backward", edges[0].backward, at, y + ahead / 2 + 1, "start"))


def _side(node: Node, edge: Edge) -> float:
    """The height of what stands beside an equation."""
    return max(SIDE, names_height(node.names) + 8, names_height(edge.backward) + 12)


def _lanes(ways: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """A lane for every way from row to row: the innermost that is free, short ways first."""
    taken: list[list[tuple[int, int]]] = []
    found: dict[str, int] = {}
    for start, (first, last) in sorted(ways.items(), key=lambda way: (way[1][1] - way[1][0], way[1])):
        lane = next((k for k, own in enumerate(taken) if all(last < a or b < first for a, b in own)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((first, last))
        found[start] = lane
    return found
