"""Where the examples of a block lie: along the last axis of every array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sympy import Expr

from codegen.loops import Loop, Statement, with_entries
from codegen.unroll import written_out
from derive.index import Axis, Binder, Entry, Index, Size, Tensor
from derive.program import Equation


class NotInBlocksError(ValueError):
    """Why the examples of a program are not computed in blocks."""


@dataclass
class Layout:
    """The same mathematics with the examples of a block along the last axis; the comments show the equations as they are."""

    examples: Axis
    shows: dict[tuple[str, str], Equation] = field(default_factory=dict[tuple[str, str], Equation])

    @property
    def inside(self) -> Axis:
        """The examples of a block."""
        return Axis(self.examples.name, "block", None, self.examples.meaning)

    def equation(self, equation: Equation) -> Equation:
        """An equation on arrays of a block; short sums are written out."""
        moved = [i for i in equation.indices if i.axis == self.examples]
        if len(moved) > 1:
            raise NotInBlocksError(f"({equation.number}) has two indices of examples")
        entry = self._expression(equation.entry)
        assert isinstance(entry, Entry)
        indices = tuple(i for i in entry.indices if isinstance(i, Index))
        made = Equation(entry.tensor, indices, written_out(self._expression(equation.body)), equation.number, equation.note)
        self.shows[made.number, made.tensor.name] = equation
        return made

    def tensor(self, tensor: Tensor) -> Tensor:
        if self.examples not in tensor.axes:
            return tensor
        axes = [*(a for a in tensor.axes if a != self.examples), *(self.inside for a in tensor.axes if a == self.examples)]
        return Tensor(tensor.name, axes, tensor.values, tensor.sign)

    def real(self, tensor: Tensor) -> Tensor:
        """The array in the workspace, where positions are kept among real numbers."""
        return Tensor(tensor.name, tensor.axes) if tensor.values and self.inside in tensor.axes else tensor

    def shown(self, done: Sequence[Statement]) -> tuple[Statement, ...]:
        """The statements below the equations of the derivation."""
        return tuple(self._shown(with_entries(s, lambda e: Entry(self.real(e.tensor), *e.indices))) for s in done)

    def _shown(self, statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return replace(statement, body=tuple(map(self._shown, statement.body)))
        equation = statement.equation
        return replace(statement, equation=self.shows.get((equation.number, equation.tensor.name), equation))

    def _expression(self, e: Expr) -> Expr:
        if isinstance(e, Index):
            return Index(e.label, self.inside, e.serial) if e.axis == self.examples else e
        if isinstance(e, Size):
            return e
        if isinstance(e, Entry):
            places = [(self._expression(i), axis) for i, axis in zip(e.indices, e.tensor.axes, strict=True)]
            own = [i for i, axis in places if axis == self.examples]
            if any(not isinstance(i, Index) for i in own):
                raise NotInBlocksError(f"{e} is not the example's own")
            return Entry(self.tensor(e.tensor), *(i for i, axis in places if axis != self.examples), *own)
        if isinstance(e, Binder):
            body, indices = e.open()
            moved = [self._expression(i) for i in indices]
            return e.bind(self._expression(body), [i for i in moved if isinstance(i, Index)])
        return e.func(*map(self._expression, e.args)) if e.args else e
