"""Which axis a letter runs over, and which axes `...` stands for: inferred from where they stand, the same in a whole formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derive.index import Axis
from derive.language.parse import statements
from derive.language.scope import Operand, Scope
from derive.language.static import decided
from derive.language.tree import Call, Compare, Name, Negative, Node, Not, Power, Read, Rest, Series, Statement

BINDERS = ("sum", "mean", "max")


@dataclass(frozen=True)
class IndexAxes:
    """letters: their axes. rest: the axes of `...`, None where nothing tells. bound: the letters of sums, means and maxima."""

    letters: Mapping[str, Axis]
    rest: tuple[Axis, ...] | None
    bound: frozenset[str] = frozenset()


def index_axes(text: str, scope: Scope) -> IndexAxes:
    """The axes that the known tensors of a formula give to its letters; tensors that are not in scope are passed over.

    Raises FormulaError where the text is no formula.
    """
    return collected(statements(text), scope)


def collected(found: Sequence[Statement], scope: Scope) -> IndexAxes:
    """The same for parsed statements. What contradicts an earlier place is left for the elaboration to report."""
    collector = _Collector(scope)
    for _ in found:
        collector.round(found)
        if not collector.missing:
            break
    return IndexAxes(collector.letters, collector.rest, frozenset(collector.bound))


class _Collector:
    """Takes down letters and `...` where they are met first."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.tensors = {name: value.axes for name, value in scope.values.items() if isinstance(value, Operand)}
        self.letters: dict[str, Axis] = dict(scope.axes)
        self.rest: tuple[Axis, ...] | None = None
        self.bound: set[str] = set()
        self.missing = False  # something was read that is not known yet

    def round(self, found: Sequence[Statement]) -> None:
        self.missing = False
        for statement in found:
            self.walk(statement.body)
            axes = self._left(statement.positions)
            if statement.name is not None and axes is not None:
                self.tensors.setdefault(statement.name, axes)
            self.missing |= axes is None

    def _left(self, positions: tuple[Node, ...]) -> tuple[Axis, ...] | None:
        axes: list[Axis] = []
        for position in positions:
            if isinstance(position, Rest) and self.rest is not None:
                axes += self.rest
            elif isinstance(position, Name) and position.name in self.letters:
                axes.append(self.letters[position.name])
            else:
                return None
        return tuple(axes)

    def walk(self, node: Node) -> None:
        match node:
            case Read():
                self._read(node)
            case Call():
                self._call(node)
            case Series():
                self.walk(node.first)
                for _, term in node.more:
                    self.walk(term)
            case Power():
                self.walk(node.base)
            case Compare():
                self.walk(node.left)
                self.walk(node.right)
            case Negative() | Not():
                self.walk(node.of)
            case _:
                pass

    def _call(self, node: Call) -> None:
        if node.function == "where" and len(node.arguments) == 3:
            holds = decided(node.arguments[0], self.scope, self.letters, self.rest)
            if holds is not None:
                return self.walk(node.arguments[1 if holds else 2])
        if node.function in BINDERS:
            self.bound |= {a.name for a in node.arguments[:-1] if isinstance(a, Name)}
        for argument in node.arguments:
            self.walk(argument)
        return None

    def _read(self, node: Read) -> None:
        axes = self.tensors.get(node.name)
        self.missing |= axes is None
        for position in node.positions:
            self.walk(position)
        for position, axis in zip(node.positions, self._places(node, axes or ()), strict=False):
            if isinstance(position, Rest):
                self.rest = axis if self.rest is None else self.rest
            elif isinstance(position, Name) and position.name not in self.scope.values and len(axis) == 1:
                self.letters.setdefault(position.name, axis[0])

    def _places(self, node: Read, axes: tuple[Axis, ...]) -> Sequence[tuple[Axis, ...]]:
        return placed(node.positions, axes) or ()


def placed(positions: tuple[Node, ...], axes: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], ...] | None:
    """For every position the axes that it stands for: one, or those of `...`. None where the numbers do not fit."""
    spare = len(axes) - sum(not isinstance(p, Rest) for p in positions)
    if spare < 0 or (spare and not any(isinstance(p, Rest) for p in positions)):
        return None
    found: list[tuple[Axis, ...]] = []
    place = 0
    for position in positions:
        width = spare if isinstance(position, Rest) else 1
        found.append(axes[place : place + width])
        place += width
    return tuple(found)
