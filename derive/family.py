"""Families of derivatives: for each of many tensors a tensor that holds its gradient, its tangent, or its Jacobian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sympy import Expr

from derive.index import Axis, Entry, Index, Tensor
from derive.program import Program, ProgramError


@dataclass(frozen=True)
class Family:
    """Derivatives of one kind. A derivative is called as its tensor, with the prefix in front, and has its axes.

    along: axes that it has beside these, after the axis of examples where that comes first, else in front.
    """

    prefix: str
    along: tuple[Axis, ...] = ()
    examples: Axis | None = None

    def of(self, tensor: Tensor) -> Tensor:
        """The derivative that belongs to a tensor."""
        place = self._place(tensor)
        return Tensor(self.prefix + tensor.name, (*tensor.axes[:place], *self.along, *tensor.axes[place:]))

    def entry(self, entry: Entry, along: Sequence[Expr]) -> Entry:
        """The derivative that belongs to an entry, at these positions on the further axes."""
        place = self._place(entry.tensor)
        return Entry(self.of(entry.tensor), *entry.indices[:place], *along, *entry.indices[place:])

    def indices(self, tensor: Tensor) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
        """The indices of a derivative by their letters: those on the axes of its tensor, and those on the further axes."""
        every, place = self.of(tensor).indices(), self._place(tensor)
        stop = place + len(self.along)
        return (*every[:place], *every[stop:]), every[place:stop]

    def renamed(self, axes: Mapping[Axis, Axis]) -> Family:
        """The family over other axes."""
        examples = axes.get(self.examples, self.examples) if self.examples else None
        return Family(self.prefix, tuple(axes.get(a, a) for a in self.along), examples)

    def _place(self, tensor: Tensor) -> int:
        return 1 if self.examples is not None and tensor.axes[:1] == (self.examples,) else 0


GRADIENT = Family("d")


def gradient_of(tensor: Tensor) -> Tensor:
    """The tensor that holds dL/d(tensor): same axes, name with a d in front."""
    return GRADIENT.of(tensor)


def check_names(program: Program) -> None:
    """Raise ProgramError where a tensor has the name of another one's gradient."""
    every = [*program.given, *(equation.tensor for equation in program.equations)]
    names = {tensor.name: tensor for tensor in every}
    for tensor in every:
        name = gradient_of(tensor).name
        if name in names:
            raise ProgramError(f"{program.name}: {name} is the gradient of {tensor.name}, and the name of another tensor")
