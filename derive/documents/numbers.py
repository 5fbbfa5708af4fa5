"""A derivation in numbers: beside every equation its matrices, put in and worked out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sympy import Expr

from derive.documents.document import Row
from derive.documents.figures import FIRST, GAP, SLICES, Rounding, exact_names, is_cut, matrix, positions, rounding
from derive.documents.latex_matrix import ATOM, PRODUCT, SUM, Written
from derive.documents.layout import LINE, fold, width
from derive.documents.notation import Notation
from derive.documents.words import activation_of, argument, operator
from derive.evaluate import Given, value
from derive.index import Delta, Entry, Index, Tensor
from derive.program import Equation
from derive.worked import Worked

LINES, WIDE = 3, 1.5 * LINE  # numbers that take more lines, or a line wider than this in em, are not put in: the result stands alone
BLANK = r"\underline{\phantom{\Big|MMM}}"  # room to write a number by hand

Sheet = Literal["numbers", "exercise", "solution"]
Put = Mapping[Tensor, Written]


@dataclass(frozen=True)
class Numbers:
    """What a document in numbers is made from.

    origin: a sentence that says where they come from. decimals: how many are shown; None for as many as it takes (figures.py).
    sheet: an exercise has a blank in the place of every result, and its solution the results.
    """

    worked: Worked
    origin: str
    decimals: int | None = None
    sheet: Sheet = "numbers"


@dataclass(frozen=True)
class Figures:
    """Writes the numbers of one derivation. exact: the names of the tensors that need no rounding."""

    numbers: Numbers
    how: Notation
    rounding: Rounding
    exact: frozenset[str]

    @property
    def worked(self) -> Worked:
        return self.numbers.worked

    @property
    def blank(self) -> bool:
        return self.numbers.sheet == "exercise"

    def beside(self, equation: Equation) -> Iterator[Row]:
        """An equation with its numbers put in, and what comes out: the rows below its formula."""
        tensor = equation.tensor
        put = None if self.blank else self.put_in(equation, self.of(equation.reads))
        rows = self.result(tensor, self.worked.values[tensor.name], tensor.name in self.exact)
        yield from self.chained(tensor, put, self.relation(t.name for t in equation.reads), rows)

    def chained(self, tensor: Tensor, put: str | None, relation: str, rows: Iterable[Row]) -> Iterator[Row]:
        """A tensor, its formula with the numbers put in where it has one, and its value."""
        first, *more = rows
        if put is None:
            yield first
        else:
            yield Row(self.how.name(tensor), put, relation)
            yield replace(first, left="")
        yield from more

    # -- formulas ------------------------------------------------------------------------------------------------------

    def of(self, tensors: Iterable[Tensor]) -> Put:
        """The matrices of some tensors; labels as the one-hot matrix that formulas have."""
        found: dict[Tensor, Written] = {}
        for tensor in tensors:
            shown = self.how.onehots.get(tensor, tensor)
            array = self.onehot(tensor) if shown != tensor else self.worked.values[tensor.name]
            if not is_cut(array):
                found[shown] = self.written(array, tensor.name in self.exact)
        return found

    def written(self, array: Given, exact: bool) -> Written:
        latex = matrix(array, lambda x: self.rounding.text(x, exact=exact))
        if array.ndim:
            return Written(latex, ATOM)
        return Written(latex, SUM if latex.startswith("-") else PRODUCT if r"\cdot" in latex else ATOM)

    def put_in(self, equation: Equation, numbers: Put) -> str | None:
        """The right-hand side with matrices in place of symbols; None where it has no matrix form, or is too large for a page."""
        if len(numbers) < len(equation.reads) or not numbers:
            return None
        kind = activation_of(equation)
        if kind is not None and len(equation.reads) == 1 and argument(equation) in numbers:
            latex = rf"{operator(kind)}\left({numbers[argument(equation)].latex}\right)"
        else:
            written = self.how.at(self.extents).written(equation, numbers)
            if written is None:
                return None
            latex = re.sub(r"(?<=\d) (?=\d)", r" \\cdot ", written.latex)
        lines = fold(latex)
        return latex if len(lines) <= LINES and max(map(width, lines)) <= WIDE else None

    @property
    def extents(self) -> Mapping[str, int]:
        """The number of positions of every axis, by its size."""
        forward = self.worked.derivation.forward
        tensors = (*forward.given, *(e.tensor for e in forward.equations))
        return {a.size: n for t in tensors for a, n in zip(t.axes, self.worked.values[t.name].shape, strict=True)}

    # -- values --------------------------------------------------------------------------------------------------------

    def result(self, tensor: Tensor, array: Given, exact: bool, relation: str = "") -> Iterator[Row]:
        """The rows of what is computed, or as many blanks."""
        if self.blank:
            return self.rows(tensor, array, lambda _: BLANK, relation or "=")
        return self.rows(tensor, array, lambda x: self.rounding.text(x, exact=exact), relation or ("=" if exact else r"\approx"))

    def given(self, tensor: Tensor) -> Iterator[Row]:
        """The rows of a given tensor; labels are counted as the formulas count positions, and shown as one-hot matrices too."""
        array, exact = self.worked.values[tensor.name], tensor.name in self.exact
        first = self.how.first if tensor.values is not None else 0
        yield from self.rows(tensor, array + first, lambda x: self.rounding.text(x, exact=exact), "=" if exact else r"\approx")
        if tensor in self.how.onehots:
            yield from self.rows(self.how.onehots[tensor], self.onehot(tensor), lambda x: str(int(x)), "=")

    def rows(self, tensor: Tensor, array: Given, text: Callable[[float], str], relation: str) -> Iterator[Row]:
        """One row for a tensor of at most two axes, else one for each matrix along its last two axes."""
        if array.ndim <= 2:
            yield Row(self.how.name(tensor), matrix(array, text), relation)
            return
        places = list(np.ndindex(array.shape[:-2]))
        for k in positions(len(places), SLICES, FIRST):
            if k == GAP:
                yield Row(r"\vdots", "", "")
                continue
            at = ",".join([*(str(p + self.how.first) for p in places[k]), r"\cdot", r"\cdot"])
            yield Row(self.how.symbols.symbol(tensor).latex(at), matrix(array[places[k]], text), relation)

    def onehot(self, labels: Tensor) -> Given:
        """The one-hot array of labels."""
        places = self.how.onehots[labels].indices()
        position = next(i for i in places if i.axis == labels.values)
        return value(Delta(position, Entry(labels, *_at(labels, places))), places, self.worked.values, self.extents)

    def relation(self, names: Iterable[str]) -> str:
        """Equal, or about equal where one of the numbers is rounded."""
        return "=" if all(name in self.exact for name in names) else r"\approx"

    def number(self, x: float) -> str:
        """A single given number."""
        return self.rounding.text(x, exact=self.rounding.is_short(np.asarray(x)))


def _at(labels: Tensor, places: tuple[Index, ...]) -> Iterator[Expr]:
    return (next(i for i in places if i.axis == axis) for axis in labels.axes)


def figures(numbers: Numbers, how: Notation) -> Figures:
    """The numbers of a derivation, ready to be written."""
    worked = numbers.worked
    forward = worked.derivation.forward
    equations = [*forward.equations, *(d.equation for d in worked.derivation.backward)]
    computed = [worked.values[e.tensor.name] for e in equations]
    places = rounding([*computed, *worked.after.values(), worked.loss]) if numbers.decimals is None else Rounding(numbers.decimals)
    given = {t.name: worked.values[t.name] for t in forward.given}
    return Figures(numbers, how, places, exact_names(given, equations, worked.values, places))
