"""Numbers as they are written: rounded alike everywhere, in matrices that fit on a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import sympy as sp

from derive.evaluate import Given
from derive.functions import AtLeast
from derive.program import Equation

FEWEST, MOST = 4, 8  # decimals, where the reader does not choose
NOISE = 1e-12  # of float64 in short decimal numbers, relative to their size: 0.1 + 0.2 is 0.3
LARGE = 1e6  # from here on a power of ten is written
LONGEST, HEAD = 8, 4  # of more rows or columns than LONGEST, the first HEAD and the last are shown
SLICES, FIRST = 4, 2  # of more matrices in a tensor than SLICES, the first FIRST and the last are shown
GAP = -1  # among positions: those that are left out
RATIONAL = (sp.Abs, sp.sign, sp.Piecewise, AtLeast)  # functions whose values of rational numbers are rational


@dataclass(frozen=True)
class Rounding:
    """So many decimals for every number; an exact number that needs fewer is written with as many as it needs."""

    decimals: int

    def text(self, x: float, *, exact: bool = False) -> str:
        """A number, halves rounded away from zero; 0 itself has no decimals. exact: it needs no rounding."""
        if x == 0:
            return "0"
        if abs(x) >= LARGE:
            power = math.floor(math.log10(abs(x)))
            return rf"{self._rounded(x / 10.0**power)} \cdot 10^{{{power}}}"
        text = self._rounded(x)
        return text.rstrip("0").rstrip(".") if exact and "." in text else text

    def _rounded(self, x: float) -> str:
        """Rounded to twelve digits first: 0.03125 is a half, however float64 stores it."""
        number = Decimal(f"{x:.12g}").quantize(Decimal(1).scaleb(-self.decimals), ROUND_HALF_UP)
        return f"{number if number else abs(number):f}"

    def is_short(self, array: Given) -> bool:
        """Whether no number of an array needs more than these decimals."""
        numbers = np.asarray(array, dtype=np.float64)
        off = np.abs(np.round(numbers, self.decimals) - numbers)
        return bool(np.all((off <= NOISE * np.maximum(np.abs(numbers), 1.0)) & (np.abs(numbers) < LARGE)))


def rounding(arrays: Iterable[Given]) -> Rounding:
    """As many decimals as show two digits of the largest number of every array that is not zero, but for rounding, from 4 to 8."""
    largest = [float(np.abs(array).max()) for array in arrays if array.size and np.abs(array).max() > 0]
    least = NOISE * max(largest, default=0.0)
    needed = max((1 - math.floor(math.log10(size)) for size in largest if size > least), default=FEWEST)
    return Rounding(min(max(needed, FEWEST), MOST))


def exact_names(given: Mapping[str, Given], equations: Sequence[Equation], values: Mapping[str, Given], how: Rounding) -> frozenset[str]:
    """The tensors that need no rounding: short given numbers, and what is computed from such by + - * / alone and is short as well."""
    found = {name for name, array in given.items() if how.is_short(array)}
    for equation in equations:
        name = equation.tensor.name
        if all(t.name in found for t in equation.reads) and _is_rational(equation) and how.is_short(values[name]):
            found.add(name)
    return frozenset(found)


def _is_rational(equation: Equation) -> bool:
    """Whether an equation gives rational numbers for rational numbers."""
    return not any(
        (isinstance(node, sp.Function) and not isinstance(node, RATIONAL))
        or (isinstance(node, sp.Pow) and not node.exp.is_Integer)
        or isinstance(node, sp.NumberSymbol)
        for node in sp.preorder_traversal(equation.body)
    )


# -- matrices ----------------------------------------------------------------------------------------------------------


def positions(extent: int, most: int = LONGEST, head: int = HEAD) -> list[int]:
    """The positions on an axis that are shown, and GAP for those that are not."""
    return list(range(extent)) if extent <= most else [*range(head), GAP, extent - 1]


def is_cut(array: Given) -> bool:
    """Whether some of an array is left out where it is shown."""
    return any(extent > LONGEST for extent in array.shape[-2:]) or math.prod(array.shape[:-2]) > SLICES


def matrix(array: Given, text: Callable[[float], str]) -> str:
    """A matrix, a column vector or a single number, with the text of every entry that is shown."""
    if array.ndim == 0:
        return text(float(array))
    table = array if array.ndim == 2 else array.reshape(-1, 1)
    down, across = (positions(extent) for extent in table.shape)
    rows = [" & ".join(_entry(table, row, column, text) for column in across) for row in down]
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def _entry(table: Given, row: int, column: int, text: Callable[[float], str]) -> str:
    if row == GAP:
        return r"\ddots" if column == GAP else r"\vdots"
    return r"\cdots" if column == GAP else text(float(table[row, column]))
