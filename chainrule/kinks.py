"""Where a program's formulas change branch: found in the conditions of the program itself, for whatever formulas it holds.

Finite differences that straddle such a place measure a mean of two slopes. The difference of the two sides of each condition, and the
place of every maximum, is computed as one more tensor of the program; where its sign, or the place, is not the same at all points of a
probe, a kink lies in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational

from derive.evaluate import evaluate
from derive.functions import AtLeast
from derive.index import ArgMax, Binder, Entry, Max, Tensor, free_indices
from derive.program import Equation, Program
from derive.text import text

Arrays = Mapping[str, npt.NDArray[np.generic]]
MOST_NAMED = 3  # units in one line


@dataclass(frozen=True)
class Kinks:
    """A program together with its branch conditions, each a tensor that is zero where the branch changes, or the place of a maximum."""

    program: Program
    boundaries: tuple[Equation, ...]

    def between(self, probes: Sequence[Arrays]) -> tuple[str, ...]:
        """The units that change branch between the given points, in the formula's own words: "A1[3,5]"."""
        if not self.boundaries:
            return ()
        computed = [evaluate(self.program, probe) for probe in probes]
        named: list[str] = []
        for boundary in self.boundaries:
            sides = np.stack([_sides(boundary, values) for values in computed])
            for place in np.argwhere((sides != sides[0]).any(axis=0)):
                position = dict(zip(boundary.indices, map(sp.Integer, place.tolist()), strict=True))
                named.append(text(boundary.body.xreplace(position)))
        return tuple(named)


def kinks(program: Program) -> Kinks:
    """The program with one more equation for each condition that a formula branches on."""
    found = dict.fromkeys(b for equation in program.equations for b in _boundaries(equation.body))
    boundaries: list[Equation] = []
    for k, body in enumerate(found, 1):
        indices = free_indices(body)
        boundaries.append(Equation(Tensor(f"boundary_{k}", [i.axis for i in indices]), indices, body))
    return Kinks(replace(program, equations=(*program.equations, *boundaries)), tuple(boundaries))


def _sides(boundary: Equation, values: Arrays) -> npt.NDArray[np.float64]:
    """Where a branch condition stands: numbers that change where the branch does. NaN, read outside of a tensor, never does."""
    found = values[boundary.tensor.name].astype(np.float64)
    return np.nan_to_num(found if isinstance(boundary.body, ArgMax) else np.sign(found))


def listed(units: Sequence[str]) -> str:
    """The first units, and how many more there are."""
    more = len(units) - MOST_NAMED
    return ", ".join(units[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _boundaries(e: Expr) -> Iterator[Expr]:
    """The expressions whose sign decides which branch of a formula holds."""
    if isinstance(e, Binder):
        body, bound = e.open()
        if isinstance(e, Max):
            yield from (ArgMax(body, k, *bound) for k in range(len(bound)))
        yield from _boundaries(body)
        return
    if isinstance(e, sp.Piecewise):
        for branch, condition in e.args:
            if isinstance(condition, Relational):
                yield condition.lhs - condition.rhs
            yield from _boundaries(branch)
        return
    if isinstance(e, sp.Abs | sp.sign):
        yield e.args[0]
    if isinstance(e, AtLeast):
        yield e.args[0] - e.args[1]
    if not isinstance(e, Entry):
        for part in e.args:
            yield from _boundaries(part)
