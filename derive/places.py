"""How tensors are stored: the order of their axes in each convention, with the examples or for a single one.

Formulas write every value with the examples' axis first and every weight as [outputs, inputs]; here is what becomes of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Basic, Expr

from derive.index import Axis, Entry, Index, Sign, Size, Tensor, free_indices
from derive.language import Operand
from derive.program import Equation

if TYPE_CHECKING:
    from derive.network import Convention

Axes = tuple[Axis, ...]


@dataclass
class Places:
    """The tensors and equations of one program, stored as its convention has it.

    "rows" and "xw" store the axes of values in the order of the formulas, "columns" the examples last; "xw" stores weights with two
    axes as [inputs, outputs]. A program for a single example has no axis of examples, and vectors in lower case.
    """

    batch: Axis
    convention: Convention
    single: bool
    equations: list[Equation] = field(default_factory=list[Equation])

    def value(self, name: str, axes: Axes, values: Axis | None = None, sign: Sign = "real") -> Tensor:
        """The tensor of a value whose axes a formula has in this order."""
        stored = [axes[k] for k in self._order(axes)]
        return Tensor(name.lower() if self.single and len(stored) < 2 else name, stored, values, sign)

    def parameter(self, name: str, axes: Axes, weight: bool) -> Tensor:
        """The tensor of a parameter."""
        return Tensor(name, axes[::-1] if self._flipped(axes, weight) else axes)

    def reading(self, tensor: Tensor, axes: Axes) -> Operand:
        """A value as formulas read it."""
        order = self._order(axes)
        return Operand(axes, lambda positions: Entry(tensor, *(positions[k] for k in order)))

    def reading_parameter(self, tensor: Tensor, axes: Axes, weight: bool) -> Operand:
        """A parameter as formulas read it."""
        flipped = self._flipped(axes, weight)
        return Operand(axes, lambda positions: Entry(tensor, *(positions[::-1] if flipped else positions)))

    def define(self, name: str, indices: Sequence[Index], body: Expr, note: str) -> Operand:
        """Append the equation name[indices] = body; raises ValueError where a single example would meet the others."""
        axes = tuple(i.axis for i in indices)
        named: dict[Basic, Expr] = dict(zip(indices, letters(axes), strict=True))
        body = body.xreplace(named)
        if self.single and body.has(self.batch.index(), Size(self.batch)):
            raise ValueError(f"{note}: {name} mixes examples, so that it has no form for a single one; ask for a batch")
        sign: Sign = "positive" if body.is_positive else "nonnegative" if body.is_nonnegative else "real"
        tensor = self.value(name, axes, sign=sign)
        written = letters(axes)
        self.equations.append(Equation(tensor, tuple(written[k] for k in self._order(axes)), body, note=note))
        return self.reading(tensor, axes)

    def _order(self, axes: Axes) -> list[int]:
        """The places in a formula of the axes that are stored, in their order."""
        others = [k for k, axis in enumerate(axes) if axis != self.batch]
        examples = [] if self.single else [k for k, axis in enumerate(axes) if axis == self.batch]
        return [*others, *examples] if self.convention == "columns" else sorted([*others, *examples])

    def _flipped(self, axes: Axes, weight: bool) -> bool:
        return weight and self.convention == "xw" and len(axes) == 2


def letters(axes: Axes) -> tuple[Index, ...]:
    """The axes' own letters, with a prime for a second index on one axis."""
    return Tensor("", axes).indices()
