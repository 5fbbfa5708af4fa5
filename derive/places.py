"""How tensors are stored: the order of their axes in each convention, with the examples or for a single one.

Formulas write every value with the examples' axis first and every weight as [outputs, inputs]; here is what becomes of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sympy import Expr

from derive.build_loss import Value
from derive.formulas.activations import ACTIVATIONS
from derive.index import Axis, Entry, Index, Sign, Size, Tensor
from derive.language import Operand, Scope, definitions
from derive.loss_scope import letters
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
    reserved: frozenset[str] = frozenset()  # names of parameters: a vector that would take one stays in upper case
    equations: list[Equation] = field(default_factory=list[Equation])

    def value(self, name: str, axes: Axes, values: Axis | None = None, sign: Sign = "real") -> Tensor:
        """The tensor of a value whose axes a formula has in this order."""
        stored = [axes[k] for k in self._order(axes)]
        lower = self.single and len(stored) < 2 and name.lower() not in self.reserved
        return Tensor(name.lower() if lower else name, stored, values, sign)

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
        if self.single and body.has(self.batch.index(), Size(self.batch)):
            raise ValueError(f"{note}: {name} mixes examples, so that it has no form for a single one; ask for a batch")
        sign: Sign = "positive" if body.is_positive else "nonnegative" if body.is_nonnegative else "real"
        tensor = self.value(name, axes, sign=sign)
        self.equations.append(Equation(tensor, tuple(indices[k] for k in self._order(axes)), body, note=note))
        return self.reading(tensor, axes)

    # -- what the loss needs (see derive/build_loss.py) --------------------------------------------------------------

    def known(self, operand: Operand) -> Value:
        """A value of the program with its tensor; a single example's without the axis of examples."""
        entry = operand.at(letters(operand.axes))
        assert isinstance(entry, Entry)
        if not self.single:
            return Value(entry.tensor, operand)
        n = self.batch.index()
        return Value(entry.tensor, Operand(operand.axes[1:], lambda positions: operand.at((n, *positions))))

    def declare(self, name: str, axes: Sequence[Axis], values: Axis | None = None, sign: Sign = "real") -> Value:
        tensor = self.value(name, tuple(axes), values, sign)
        return Value(tensor, self.reading(tensor, tuple(axes)))

    def activate(self, kind: str, x: Value, name: str, note: str) -> Value:
        defined = definitions(ACTIVATIONS[kind].formula, Scope({"X": x.operand}), lambda _, at, body: self.define(name, at, body, note))
        entry = defined.at(letters(defined.axes))
        assert isinstance(entry, Entry)
        return Value(entry.tensor, defined)

    def _order(self, axes: Axes) -> list[int]:
        """The places in a formula of the axes that are stored, in their order."""
        others = [k for k, axis in enumerate(axes) if axis != self.batch]
        examples = [] if self.single else [k for k, axis in enumerate(axes) if axis == self.batch]
        return [*others, *examples] if self.convention == "columns" else sorted([*others, *examples])

    def _flipped(self, axes: Axes, weight: bool) -> bool:
        return weight and self.convention == "xw" and len(axes) == 2
