"""Letters and size symbols for the axes of a network.

An axis has the letter of the formula that made it; where several want one letter, two of them take it and the next one in the alphabet,
more are numbered. Inputs have i, classes and outputs c, the examples n.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from derive.graph import Graph
from derive.index import Axis
from derive.shapes import Dimension

SIZES = {"i": "D", "j": "H", "c": "C"}  # of the letters whose size has a symbol of its own
TAKEN = "NXYPZLWGEO"  # symbols of the examples' number and of tensors


def named_axes(graph: Graph, last: Dimension, meaning: str, layer_names: Sequence[str]) -> dict[Dimension, Axis]:
    """An Axis for every dimension of a network. last: the last axis of the prediction; meaning: what it counts."""
    groups: dict[str, list[Dimension]] = {}
    for dimension in _dimensions(graph):
        letter = "c" if dimension is last.root and dimension.layer > 0 else dimension.letter or "i"
        groups.setdefault(letter, []).append(dimension)
    axes = {graph.batch: Axis("n", "N", None, "examples")}
    letters, symbols = set(groups), set[str]()
    for letter, group in groups.items():
        names = _numbered(letter, len(group), letters)
        symbol = SIZES.get(letter) or _symbol(letter, symbols)
        symbols.add(symbol)
        sizes = [symbol if len(group) == 1 else f"{symbol}{k}" for k in range(1, len(group) + 1)]
        for name, size, dimension in zip(names, sizes, group, strict=True):
            words = meaning if dimension is last.root else _meaning(dimension, graph, layer_names)
            axes[dimension] = Axis(name, size, dimension.extent, words)
    return axes


def _dimensions(graph: Graph) -> list[Dimension]:
    """Every dimension but that of the examples, each once, in the order in which the network makes them."""
    found: dict[Dimension, None] = dict.fromkeys(d.root for d in graph.given.shape)
    if graph.given.labels:
        found[graph.given.labels.root] = None
    for application in graph.applications:
        found.update(dict.fromkeys(d.root for d in application.letters.known.values()))
    found.pop(graph.batch)
    return list(found)


def _numbered(letter: str, count: int, letters: set[str]) -> list[str]:
    """Names for so many axes that want one letter."""
    if count == 1:
        return [letter]
    following = string.ascii_lowercase[(string.ascii_lowercase.index(letter) + 1) % 26]
    if count == 2 and following not in letters and following != "n":
        return [letter, following]
    return [f"{letter}{k}" for k in range(1, count + 1)]


def _symbol(letter: str, symbols: set[str]) -> str:
    upper = letter.upper()
    return f"N_{letter}" if upper in TAKEN or upper in symbols else upper


def _meaning(dimension: Dimension, graph: Graph, layer_names: Sequence[str]) -> str:
    if dimension.layer == 0:
        return "vocabulary" if graph.given.labels is not None and dimension is graph.given.labels.root else "inputs"
    kind = next(a.kind for a in graph.applications if a.layer == dimension.layer)
    return f"hidden layer {layer_names[dimension.layer - 1]}" if kind == "dense" else f"{kind} {layer_names[dimension.layer - 1]}"
