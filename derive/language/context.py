"""What the elaboration of one equation knows: the values, the axes of the letters, and the indices that may stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from derive.index import Axis, Index
from derive.language.axes import IndexAxes
from derive.language.errors import FormulaError, Place, guess, quoted, several, wrong
from derive.language.scope import Scope
from derive.language.tree import Name, Node, Rest


@dataclass(frozen=True)
class Context:
    """indices: by letter, those of the left side and of the binders around. rest: the indices of `...`."""

    scope: Scope
    axes: IndexAxes
    indices: Mapping[str, Index]
    rest: tuple[Index, ...] | None
    later: frozenset[str] = frozenset()  # names of the equations further down

    def axis(self, node: Name) -> Axis:
        """The axis of a letter. Raises FormulaError where nothing tells it."""
        axis = self.axes.letters.get(node.name)
        if axis is None:
            raise self.no_letter(node)
        return axis

    def axes_of(self, arguments: Sequence[Node]) -> list[Axis]:
        """The axes of letters and `...`. Raises FormulaError for anything else."""
        found: list[Axis] = []
        for argument in arguments:
            if isinstance(argument, Rest):
                found += self.rest_axes(argument.at)
            elif isinstance(argument, Name):
                found.append(self.axis(argument))
            else:
                raise wrong(argument.at, "an expression in the place of an index", "an index letter or `...`")
        return found

    def rest_axes(self, at: Place) -> tuple[Axis, ...]:
        if self.axes.rest is None:
            raise wrong(at, "`...`, although nothing read tells which axes it stands for", "index letters, or a tensor read with `...`")
        return self.axes.rest

    def bind(self, arguments: Sequence[Node]) -> tuple[Context, tuple[Index, ...]]:
        """The context of a binder's body, with a fresh index for every letter. Raises FormulaError for a letter in use."""
        indices, rest = dict(self.indices), self.rest
        fresh: list[Index] = []
        for argument in arguments:
            axes = self.axes_of([argument])
            own = [axis.fresh() for axis in axes]
            if isinstance(argument, Rest):
                rest = tuple(own)
            elif isinstance(argument, Name):
                self.check_letter(argument)
                indices[argument.name] = own[0]
            fresh += own
        return replace(self, indices=indices, rest=rest), tuple(fresh)

    def check_letter(self, node: Name) -> None:
        if node.name in self.indices:
            raise wrong(node.at, f"{quoted(node.name)}, an index that stands for something else here already", "another letter")
        if node.name in self.scope.values:
            raise wrong(node.at, f"{quoted(node.name)} as an index, the name of a value", "another letter")

    def unknown(self, at: Place, name: str) -> FormulaError:
        """The error for a name that means nothing."""
        if name in self.later:
            return wrong(at, f"{quoted(name)} before the equation that defines it", "that equation further up")
        known = [*self.scope.values]
        right = f"one of {several(known)}" + guess(name, known) if known else "numbers and functions: there are no values here"
        return wrong(at, f"{quoted(name)}, a name that means nothing here", right)

    def no_letter(self, node: Name) -> FormulaError:
        if node.name in self.scope.values:
            return wrong(node.at, f"{quoted(node.name)}, the name of a value", "an index letter")
        known = [*self.axes.letters]
        right = "a letter that stands alone in the brackets of a tensor, or one of declared axes" + guess(node.name, known)
        return wrong(node.at, f"{quoted(node.name)}, an index whose axis nothing tells", right)


def own_indices(positions: Sequence[Node], axes: Sequence[tuple[Axis, ...]]) -> tuple[dict[str, Index], tuple[Index, ...] | None]:
    """The indices of a left side by letter, and those of `...`: the axes' own letters, the second one on an axis with a prime."""
    taken: list[Axis] = []
    indices: dict[str, Index] = {}
    rest: tuple[Index, ...] | None = None
    for position, group in zip(positions, axes, strict=True):
        made: list[Index] = []
        for axis in group:
            made.append(axis.index(axis.name + "'" * taken.count(axis)))
            taken.append(axis)
        if isinstance(position, Name):
            indices[position.name] = made[0]
        else:
            rest = tuple(made)
    return indices, rest
