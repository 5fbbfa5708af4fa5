"""How much arithmetic equations ask for: additions, multiplications, comparisons and functions, counted as the equations stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational

from derive.evaluate import value
from derive.functions import AtLeast
from derive.index import Axis, Binder, Entry, Index, Indicator, Sum, free_indices
from derive.program import Equation

ADDITIONS, MULTIPLICATIONS, COMPARISONS = "additions", "multiplications", "comparisons"
FIRST = (ADDITIONS, MULTIPLICATIONS, COMPARISONS)

Cost = Counter[str]


def cost(equations: Sequence[Equation], values: Mapping[str, npt.NDArray[np.number]], extents: Mapping[str, int]) -> Cost:
    """The operations of some equations on these values.

    Subtractions are additions, divisions multiplications. A term whose indicators (Kronecker deltas, ranges) are 0 is not computed,
    what does not depend on an index is computed once for all its positions, and numbers cost nothing. Of the branches of a case
    distinction the dearest counts.
    """
    total: Cost = Counter()
    for equation in equations:
        total += _Counting(values, extents).cost(equation.body, equation.indices, ())
    return total


def words(found: Cost, per: int = 1) -> str:
    """6 additions, 4 multiplications, 1 exp; "none"."""
    names = [*FIRST, *sorted(set(found) - set(FIRST))]
    return ", ".join(_counted(found[name], per, name) for name in names if found[name]) or "none"


def _counted(count: int, per: int, name: str) -> str:
    number = f"{count / per:.2f}".rstrip("0").rstrip(".")
    return f"{number} {name.removesuffix('s') if number == '1' and name in FIRST else name}"


class _Counting:
    """Counts with the values at hand: `over` are the indices that an expression may be computed for, `guards` what must hold."""

    def __init__(self, values: Mapping[str, npt.NDArray[np.number]], extents: Mapping[str, int]) -> None:
        self.values, self.extents = values, extents

    def times(self, e: Expr, over: Sequence[Index], guards: Sequence[Expr]) -> int:
        """How often an expression is computed: at how many positions of the indices that it depends on the guards hold."""
        free = set(free_indices(e))
        mine = [i for i in over if i in free]
        known = [g for g in guards if set(free_indices(g)) <= free]
        if not known:
            return int(np.prod([self._extent(i.axis) for i in mine], dtype=int))
        return int(value(sp.Mul(*known), mine, self.values, self.extents).sum())

    def cost(self, e: Expr, over: tuple[Index, ...], guards: tuple[Expr, ...]) -> Cost:
        """What an expression costs at all these positions."""
        if isinstance(e, Entry) or not e.has(Entry, Binder):
            return Counter()
        if isinstance(e, Binder):
            return self._binder(e, over, guards)
        if isinstance(e, sp.Mul):
            return self._product(e, over, guards)
        if isinstance(e, sp.Piecewise):
            return self._branches(e, over, guards)
        here = self.times(e, over, guards)
        inside = sum((self.cost(a, over, guards) for a in e.args), Counter[str]())
        if isinstance(e, sp.Add):
            return inside + Counter({ADDITIONS: here * (len(e.args) - 1)})
        if isinstance(e, sp.Pow):
            return inside + _power(e.exp, here)
        if isinstance(e, AtLeast):
            return inside + Counter({COMPARISONS: here})
        return inside + Counter({type(e).__name__.lower(): here})

    def _binder(self, e: Binder, over: tuple[Index, ...], guards: tuple[Expr, ...]) -> Cost:
        """One operation fewer than there are terms."""
        body, bound = e.open()
        inner = (*guards, *(f for f in sp.Mul.make_args(body) if isinstance(f, Indicator)))
        terms, sums = self.times(body, (*over, *bound), inner), self.times(e, over, guards)
        kind = ADDITIONS if isinstance(e, Sum) else COMPARISONS
        return self.cost(body, (*over, *bound), guards) + Counter({kind: max(terms - sums, 0)})

    def _product(self, e: Expr, over: tuple[Index, ...], guards: tuple[Expr, ...]) -> Cost:
        """A sign costs nothing, an indicator decides whether there is a product at all."""
        inner = (*guards, *(f for f in e.args if isinstance(f, Indicator)))
        factors = [f for f in e.args if f != -1 and not isinstance(f, Indicator)]
        below = [f.base for f in factors if isinstance(f, sp.Pow) and f.exp == -1]
        above = [f for f in factors if not (isinstance(f, sp.Pow) and f.exp == -1)]
        found = sum((self.cost(f, over, inner) for f in (*above, *below)), Counter[str]())
        operations = max(len(factors) - 1, 0) + (1 if below and not above else 0)
        return found + Counter({MULTIPLICATIONS: operations * self.times(e, over, inner)})

    def _branches(self, e: sp.Piecewise, over: tuple[Index, ...], guards: tuple[Expr, ...]) -> Cost:
        found = max((self.cost(value, over, guards) for value, _ in e.args), key=lambda c: (c.total(), words(c)))
        for _, condition in e.args:
            if isinstance(condition, Relational):
                sides = (self.cost(side, over, guards) for side in (condition.lhs, condition.rhs))
                found = found + sum(sides, Counter({COMPARISONS: self.times(e, over, guards)}))
        return found

    def _extent(self, axis: Axis) -> int:
        return self.extents.get(axis.size) or axis.extent or 1


def _power(exponent: Expr, times: int) -> Cost:
    """x**3 is two products, x**(-1/2) a root and a division."""
    size, root = abs(float(exponent)), not exponent.is_Integer
    products = max(int(size) - (0 if root else 1), 0) + (1 if exponent.is_negative else 0)
    return Counter({MULTIPLICATIONS: products * times, **({"sqrt": times} if root else {})})
