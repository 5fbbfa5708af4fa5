"""Axes, indices, tensors and their entries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

import sympy as sp
from sympy import Expr

Sign = Literal["real", "nonnegative", "positive", "count"]  # count: a whole number of at least 1

_serials = itertools.count(1)


@dataclass(frozen=True)
class Axis:
    """A set of positions 0 .. extent-1 that indices run over; an extent of None is known only at run time."""

    name: str  # the letter of its indices, "n"
    size: str  # the symbol of its extent, "N"
    extent: int | None = None
    meaning: str = ""

    @property
    def count(self) -> Size:
        """The extent as a symbol that formulas can hold (the N of 1/N)."""
        return Size(self)

    def index(self, label: str | None = None) -> Index:
        """The index of this axis with its own letter, or with another one."""
        return Index(label or self.name, self)

    def fresh(self) -> Index:
        """An index that occurs nowhere else."""
        return Index(self.name, self, next(_serials))

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.name, self.size, str(self.extent), self.meaning)


class Size(sp.Symbol):
    """The number of positions of an axis: a positive integer."""

    axis: Axis

    def __new__(cls, axis: Axis) -> Self:
        made = sp.Symbol.__xnew__(cls, axis.size, integer=True, positive=True)
        made.axis = axis
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.axis.key, *super()._hashable_content())

    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]:
        return ((self.axis,), {})


class Index(sp.Symbol):
    """A position on an axis. Serial 0: named by a person; above: fresh; below: bound, canonical by height."""

    axis: Axis
    label: str
    serial: int

    def __new__(cls, label: str, axis: Axis, serial: int = 0) -> Self:
        name = label if serial == 0 else f"{label}#{serial}"
        made = sp.Symbol.__xnew__(cls, name, integer=True, nonnegative=True)
        made.axis, made.label, made.serial = axis, label, serial
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.serial, self.label, self.axis.key, *super()._hashable_content())

    def __eq__(self, other: object) -> bool:
        """As SymPy's, but without building the hashable contents: indices are compared more often than anything else."""
        if self is other:
            return True
        return isinstance(other, Index) and self.serial == other.serial and self.label == other.label and self.axis == other.axis

    __hash__ = sp.Symbol.__hash__

    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]:
        return ((self.label, self.axis, self.serial), {})


class Tensor(sp.Atom):
    """The declaration of an array: name, axes, and what its entries are.

    `values` is the axis that integer entries (labels) point into, None for real entries.
    """

    name: str
    axes: tuple[Axis, ...]
    values: Axis | None
    sign: Sign

    def __new__(cls, name: str, axes: Sequence[Axis] = (), values: Axis | None = None, sign: Sign = "real") -> Self:
        made = sp.Atom.__new__(cls)
        made.name, made.axes, made.values, made.sign = name, tuple(axes), values, sign
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        values = self.values.key if self.values else ("", "", "", "")
        return (self.name, tuple(a.key for a in self.axes), values, self.sign)

    def __eq__(self, other: object) -> bool:
        """As SymPy's, but without building the hashable contents, as that of indices; names mostly tell."""
        if self is other:
            return True
        if not isinstance(other, Tensor) or self.name != other.name:
            return False
        return self.axes == other.axes and self.values == other.values and self.sign == other.sign

    __hash__ = sp.Atom.__hash__

    def __getnewargs__(self) -> tuple[object, ...]:
        return (self.name, self.axes, self.values, self.sign)

    __iter__ = None  # indexing alone would make a sequence without an end of it, which SymPy would walk

    def __getitem__(self, indices: Expr | int | tuple[Expr | int, ...]) -> Entry:
        return Entry(self, *(indices if isinstance(indices, tuple) else (indices,)))

    def entry(self) -> Entry:
        """The entry at the axes' own letters (a second index on one axis gets a prime)."""
        return Entry(self, *self.indices())

    def indices(self) -> tuple[Index, ...]:
        found: list[Index] = []
        for axis in self.axes:
            repeats = sum(i.axis == axis for i in found)
            found.append(axis.index(axis.name + "'" * repeats))
        return tuple(found)

    def _sympystr(self, _printer: sp.StrPrinter) -> str:
        return self.name


class Entry(Expr):
    """One entry of a tensor at index expressions."""

    is_commutative = True

    def __new__(cls, tensor: Tensor, *indices: Expr | int) -> Self:
        if len(indices) != len(tensor.axes):
            raise ValueError(f"{tensor.name} has {len(tensor.axes)} axes, not {len(indices)}")
        return Expr.__new__(cls, tensor, *(sp.Integer(i) if isinstance(i, int) else i for i in indices))

    @property
    def tensor(self) -> Tensor:
        return cast("Tensor", self.args[0])  # the one argument that is no Expr

    @property
    def indices(self) -> tuple[Expr, ...]:
        return self.args[1:]

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_integer(self) -> bool | None:
        return True if self.tensor.values or self.tensor.sign == "count" else None

    def _eval_is_positive(self) -> bool | None:
        return True if self.tensor.sign in ("positive", "count") else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.tensor.values or self.tensor.sign != "real" else None

    def _eval_derivative(self, _symbol: Expr) -> Expr:
        return sp.S.Zero

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        inside = ",".join(printer.doprint(i) for i in self.indices)
        return f"{self.tensor.name}[{inside}]" if inside else self.tensor.name


class Partial(Expr):
    """An unevaluated local derivative: of one entry with respect to another."""

    is_commutative = True

    def __new__(cls, of: Entry, by: Entry) -> Self:
        return Expr.__new__(cls, of, by)

    @property
    def of(self) -> Entry:
        return cast("Entry", self.args[0])

    @property
    def by(self) -> Entry:
        return cast("Entry", self.args[1])

    def _eval_is_real(self) -> bool:
        return True


class Indicator(Expr):
    """A factor that is 1 where a condition on indices holds and 0 elsewhere (an Iverson bracket)."""

    is_commutative = True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_derivative(self, _symbol: Expr) -> Expr:
        return sp.S.Zero

    def _eval_power(self, exponent: Expr) -> Expr | None:
        return self if exponent.is_positive else None
