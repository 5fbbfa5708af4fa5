"""The computation graph of a network: the equations, what each reads, and the gradients that come back the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from derive.derivation import Derivation
from derive.documents.document import Edge, Name, Node, Paragraph, Picture, Role, Section, Shown
from derive.documents.notation import Notation
from derive.documents.numbers import Figures
from derive.documents.words import heading
from derive.index import Tensor
from derive.program import Equation, Program

LAYERS, EQUATIONS = 12, 24  # of more, those in the middle are left out,
ENDS = 8  # and about so many equations are shown at the beginning and at the end
TOGETHER = 3  # parameters in one node
ROWS, COLUMNS = 4, 4  # of a larger array its shape and length are shown

LEGEND = (
    "An arrow with a solid line (blue) carries a value to an equation that reads it, one with a dashed line (orange) the gradient of the "
    "loss back to where the value comes from; where several come back to one value, it has their sum. Boxes are equations, with their "
    "numbers; round ones are given; targets (green) have a double line, and no gradient."
)

NUMBERS = "Beside every symbol stand its numbers, rounded as everywhere in this document."
LARGE = (
    f"Of an array with more than {ROWS} rows or {COLUMNS} columns, or with more than two axes, the shape is shown and the length, which is "
    "the root of the sum of the squares of its numbers; of labels, the shape alone."
)


def network_picture(derivation: Derivation, how: Notation, figures: Figures | None = None) -> Section:
    """The section with the computation graph, forward and backward; with numbers, unless these are what an exercise asks for."""
    figures = None if figures is None or figures.blank else figures
    made = picture(derivation, how, figures)
    legend = f"{LEGEND} {NUMBERS}" if figures else LEGEND
    if figures and any(name.shown and name.shown.words for part in (*made.nodes, *made.edges) for name in names_of(part)):
        legend += f" {LARGE}"
    return Section(("Computation graph",), (Paragraph((legend,)), made))


def names_of(part: Node | Edge) -> tuple[Name, ...]:
    """The tensors that a node or an edge names."""
    return part.names if isinstance(part, Node) else (*part.forward, *part.backward)


def picture(derivation: Derivation, how: Notation, figures: Figures | None = None) -> Picture:
    """The graph of the forward equations with a gradient on every edge that has one, and with the numbers of both where there are any.

    Of a deep network the equations in the middle are one node that says how many they are.
    """
    graph = _Graph(derivation, how, figures)
    return Picture(tuple(graph.nodes()), tuple(graph.edges()))


def split(groups: Sequence[str]) -> tuple[int, int]:
    """Where to leave equations out, from and to, by the layers of all equations; two equal places where none are left out.

    The places are between layers, where there are such places nearby.
    """
    count = len(groups)
    if (count <= EQUATIONS and len(dict.fromkeys(groups)) <= LAYERS) or count <= 2 * ENDS + 1:
        return count, count
    bounds = [k for k, (before, behind) in enumerate(pairwise(groups), 1) if before != behind]
    first = max((k for k in bounds if ENDS // 2 <= k <= ENDS), default=ENDS)
    last = min((k for k in bounds if count - ENDS <= k <= count - ENDS // 2), default=count - ENDS)
    return first, last


def group_of(equation: Equation) -> str:
    """The layer that an equation belongs to, as its note has it."""
    words, mark, _ = heading(equation).partition(": ")
    return words if mark else ""


def _words(equation: Equation) -> tuple[str, str]:
    """The layer of an equation and what it does there."""
    words, group = heading(equation), group_of(equation)
    return group, words.removeprefix(f"{group}: ") if group else words


@dataclass(frozen=True)
class _Graph:
    derivation: Derivation
    how: Notation
    figures: Figures | None

    @property
    def forward(self) -> Program:
        return self.derivation.forward

    def nodes(self) -> Iterator[Node]:
        equations = self.forward.equations
        start, end = self._split()
        for tensor in self.forward.inputs:
            yield Node(f"given-{tensor.name}", "input", names=(self._name(tensor),))
        for equation in equations[:start]:
            yield from self._equation(equation)
        if end > start:
            yield self._more(start, end)
        for equation in equations[end:]:
            yield from self._equation(equation)

    def edges(self) -> Iterator[Edge]:
        """What is given beside the inputs, then what equations read from one another, once for every pair of nodes."""
        keys = self._keys()
        between: dict[tuple[str, str], list[Tensor]] = {}
        for equation in self.forward.equations:
            end = keys[equation.tensor]
            if end != "more":
                for node, tensors in self._given(equation):
                    yield self._edge(node.key, end, tensors)
            for tensor in self._ordered(equation):
                start = f"given-{tensor.name}" if tensor in self.forward.inputs else keys.get(tensor)
                if start is not None and start != end:
                    read = between.setdefault((start, end), [])
                    read += [tensor] if tensor not in read else []
            if not self.forward.reading(equation.tensor) and end != "more":
                yield self._result(equation)
        for (start, end), tensors in between.items():
            yield self._edge(start, end, tensors)

    def _equation(self, equation: Equation) -> Iterator[Node]:
        """What is given to an equation, the equation, and what it computes if nothing reads that."""
        yield from (node for node, _ in self._given(equation))
        group, words = _words(equation)
        key = f"equation-{equation.number}"
        value = self._symbol(equation.tensor) if self._alike[group, words] > 1 else None
        yield Node(key, "equation", words, equation.number, group, value=value)
        if not self.forward.reading(equation.tensor):
            yield Node(f"result-{equation.number}", "result", names=(self._name(equation.tensor),))

    def _given(self, equation: Equation) -> Iterator[tuple[Node, Sequence[Tensor]]]:
        """The nodes of what an equation reads that no equation computes, inputs aside, each with its tensors."""
        roles: dict[Role, list[Tensor]] = {"parameter": [], "target": [], "given": []}
        for tensor in sorted((t for t in equation.reads if t in self._roles), key=lambda t: self._places[t]):
            roles[self._roles[tensor]].append(tensor)
        for role, read in roles.items():
            together = TOGETHER if self.figures is None else 1
            for k in range(0, len(read), together):
                some = read[k : k + together]
                yield Node(f"{role}-{equation.number}-{k}", role, names=tuple(map(self._name, some))), some

    def _more(self, start: int, end: int) -> Node:
        equations = self.forward.equations
        kept = set(map(group_of, (*equations[:start], *equations[end:])))
        layers = [group for group in dict.fromkeys(map(group_of, equations[start:end])) if group not in kept]
        words = f"... {len(layers)} more layers, " if len(layers) > 1 else "... "
        words += (
            f"{end - start} {'' if len(layers) > 1 else 'more '}equations, ({equations[start].number}) to ({equations[end - 1].number})"
        )
        return Node("more", "more", words)

    def _result(self, equation: Equation) -> Edge:
        """The edge to what nothing reads; the loss' own gradient is 1."""
        one = (Name("1", "1"),) if equation.tensor == self.forward.outputs[-1] else ()
        return Edge(f"equation-{equation.number}", f"result-{equation.number}", (), one)

    def _edge(self, start: str, end: str, tensors: Sequence[Tensor]) -> Edge:
        """Values beside their arrow, unless the node at its start has their names."""
        named = not start.startswith(("equation-", "more"))
        back = tuple(self._name(self._gradients[t]) for t in tensors if t in self._gradients)
        return Edge(start, end, () if named else tuple(map(self._name, tensors)), back)

    def _ordered(self, equation: Equation) -> list[Tensor]:
        """The inputs and values that an equation reads, in the order of computation."""
        return sorted((t for t in equation.reads if t not in self._roles), key=lambda t: self._places[t])

    @cached_property
    def _alike(self) -> Counter[tuple[str, str]]:
        """How many equations have the same words in the same layer."""
        return Counter(map(_words, self.forward.equations))

    @cached_property
    def _roles(self) -> dict[Tensor, Role]:
        """What is given beside the inputs, and as what."""
        forward = self.forward
        kinds: tuple[tuple[Role, Sequence[Tensor]], ...] = (
            ("parameter", forward.parameters),
            ("target", forward.targets),
            ("given", forward.fixed),
        )
        return {tensor: role for role, tensors in kinds for tensor in tensors}

    @cached_property
    def _places(self) -> dict[Tensor, int]:
        """The order of what is given and of what is computed."""
        return {t: k for k, t in enumerate((*self.forward.given, *(e.tensor for e in self.forward.equations)))}

    @cached_property
    def _gradients(self) -> dict[Tensor, Tensor]:
        return {d.of: d.equation.tensor for d in self.derivation.backward if d.of is not None}

    def _split(self) -> tuple[int, int]:
        return split([group_of(e) for e in self.forward.equations])

    def _keys(self) -> dict[Tensor, str]:
        """The node of every equation, by the tensor that it computes."""
        start, end = self._split()
        return {e.tensor: "more" if start <= k < end else f"equation-{e.number}" for k, e in enumerate(self.forward.equations)}

    def _symbol(self, tensor: Tensor) -> Name:
        return Name(self.how.inline(tensor), tensor.name)

    def _name(self, tensor: Tensor) -> Name:
        return replace(self._symbol(tensor), shown=None if self.figures is None else shown(tensor, self.figures))


def shown(tensor: Tensor, figures: Figures) -> Shown:
    """The numbers of a tensor: all of them, or its shape and length where these are too many for a picture."""
    array, exact = figures.worked.values[tensor.name], tensor.name in figures.exact
    array = array + figures.how.first if tensor.values is not None else array
    relation = "=" if exact else r"\approx"
    table = array.reshape(-1, 1) if array.ndim < 2 else array
    if table.ndim == 2 and table.shape[0] <= ROWS and table.shape[1] <= COLUMNS:
        return Shown(relation, tuple(tuple(figures.rounding.text(float(x), exact=exact) for x in row) for row in table))
    size = r" \times ".join(map(str, array.shape))
    if tensor.values is not None:
        return Shown("", words=size)
    length = float(np.sqrt(np.sum(np.square(array.astype(np.float64)))))
    return Shown("", words=rf"{size}, \Vert \cdot \Vert \approx {figures.rounding.text(length)}")
