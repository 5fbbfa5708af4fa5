"""Letters and size symbols for the axes of a network.

An axis has the letter of the formula that made it; where several want one letter, two of them take it and the next one in the alphabet,
more are numbered. Inputs have i, classes and outputs c, the examples n. The size of w is N_w, but for the letters of SIZES.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

from derive.graph import Graph
from derive.index import Axis
from derive.shapes import Dimension

SIZES = {"i": "D", "j": "H", "c": "C"}  # the letters whose size has a symbol of its own, numbered where there are several


def named_axes(graph: Graph, last: Dimension, meaning: str, layer_names: Sequence[str]) -> dict[Dimension, Axis]:
    """An Axis for every dimension of a network. last: the last axis of the prediction; meaning: what it counts."""
    groups: dict[str, list[Dimension]] = {}
    for dimension in _dimensions(graph):
        letter = "c" if dimension is last.root and dimension.layer > 0 else dimension.letter or "i"
        groups.setdefault(letter, []).append(dimension)
    axes = {graph.batch: Axis("n", "N", None, "examples")}
    for letter, group in groups.items():
        names = _numbered(letter, len(group), set(groups))
        for number, (name, dimension) in enumerate(zip(names, group, strict=True), 1):
            size = f"{SIZES[letter]}{number if len(group) > 1 else ''}" if letter in SIZES else f"N_{name}"
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


def _meaning(dimension: Dimension, graph: Graph, layer_names: Sequence[str]) -> str:
    if dimension.layer == 0:
        return "vocabulary" if graph.given.labels is not None and dimension is graph.given.labels.root else "inputs"
    kind = next(a.kind for a in graph.applications if a.layer == dimension.layer)
    return f"{'hidden layer' if kind == 'dense' else kind.replace('_', ' ')} {layer_names[dimension.layer - 1]}"
