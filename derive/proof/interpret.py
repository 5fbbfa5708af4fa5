"""The exact meaning of index expressions over a domain of numbers: every binder is a loop over index values.

This is the proof's reading of a formula. It shares the node classes with the engine and nothing else: derivatives are taken by
running forward equations on dual numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

import sympy as sp
from sympy import Basic, Expr

from derive.domains.dual import MOTION, NONE, Dual, DualDomain
from derive.domains.number import Domain, Number
from derive.functions import Stable
from derive.index import ArgMax, Axis, Binder, Entry, Index, Indicator, Partial, free_indices
from derive.program import Equation
from derive.proof.local import LocalDerivatives
from derive.proof.meaning import CONDITIONS, MEANINGS, At, LeftOut, Meaningless, Place
from derive.proof.positions import condition, places
from derive.proof.summation import Order, summation_order

Table = dict[Place, Number]
V = TypeVar("V")


class Interpreter:
    """The values of tensors at one point, and of expressions over them.

    extents: how many positions each axis has. equations: by name those that local derivatives are of. floors: the bounds
    that a program declares as conventions; a point at which one of them binds raises Outside, since nothing is claimed there.
    `reached` records which branches of every formula by cases were taken, by their numbers.
    """

    def __init__(self, domain: Domain, extents: Mapping[Axis, int], equations: Mapping[str, Equation], floors: Sequence[Expr] = ()) -> None:
        self.domain = domain
        self.extents = extents
        self.equations = equations
        self.floors = floors
        self.tables: dict[str, Table] = {}
        self.labels: dict[str, dict[Place, int]] = {}
        self.reached: dict[Expr, set[int]] = {}
        self._known: dict[tuple[Expr, Place], Number] = {}
        self._free: dict[Expr, tuple[Index, ...]] = {}
        self._orders: dict[Binder, Order] = {}
        self._numbers: dict[sp.Rational, Number] = {}
        self._definitions: dict[Expr, Expr] = {}
        self._places: dict[tuple[Expr, ...], Callable[[At], Place]] = {}
        self._reads: dict[Entry, tuple[str, Callable[[At], Place]]] = {}
        self._conditions: dict[Indicator, Callable[[At], bool]] = {}
        self._local = LocalDerivatives(self)

    # -- tensors ---------------------------------------------------------------------------------------------------

    def places(self, indices: Iterable[Index]) -> Iterator[Place]:
        """All positions of some indices, in row-major order."""
        return itertools.product(*[range(self.extents[i.axis]) for i in indices])

    def define(self, equation: Equation) -> None:
        """Compute a tensor by its equation."""
        name, body, indices = equation.tensor.name, equation.body, equation.indices
        if equation.tensor.values:
            self.labels[name] = {p: self.position(body, placed(indices, p)) for p in self.places(indices)}
        else:
            self.tables[name] = self.table(body, indices)

    def table(self, body: Expr, indices: Sequence[Index]) -> Table:
        """The values of an expression at all positions of its indices."""
        return {p: self.value(body, placed(indices, p)) for p in self.places(indices)}

    def set_table(self, name: str, table: Table) -> None:
        """Replace the values of a tensor."""
        self.tables[name] = table
        self._known.clear()
        self._local = LocalDerivatives(self)

    def copy(self) -> Interpreter:
        """The same point, to compute further tensors at."""
        other = Interpreter(self.domain, self.extents, self.equations, self.floors)
        other.tables, other.labels, other.reached = dict(self.tables), dict(self.labels), self.reached
        return other

    def differentiated(self, names: Iterable[str]) -> Interpreter:
        """The same point on dual numbers, with the entries (name, place) of the named tensors as variables."""
        domain = DualDomain(self.domain)
        dual = Interpreter(domain, self.extents, self.equations, self.floors)
        dual.labels, dual.reached = dict(self.labels), self.reached
        variables = tuple(names)
        for name, table in self.tables.items():
            if name in variables:
                dual.tables[name] = {p: domain.variable(v, (name, p)) for p, v in table.items()}
            else:
                dual.tables[name] = {p: Dual(self.domain, v) for p, v in table.items()}
        return dual

    def moved(self, directions: Mapping[str, Table]) -> Interpreter:
        """The same point on dual numbers, with one variable along which the entries of the named tensors move as the tables say."""
        domain = DualDomain(self.domain)
        dual = Interpreter(domain, self.extents, self.equations, self.floors)
        dual.labels, dual.reached = dict(self.labels), self.reached
        for name, table in self.tables.items():
            steps = directions.get(name, {})
            dual.tables[name] = {p: Dual(self.domain, v, {MOTION: steps[p]} if p in steps else NONE) for p, v in table.items()}
        return dual

    # -- expressions -----------------------------------------------------------------------------------------------

    def value(self, e: Expr, at: At) -> Number:
        """The value of an expression where its free indices have the given positions."""
        if isinstance(e, sp.Rational):
            return self.number(e)
        meaning = MEANINGS.get(type(e))
        if meaning is None:
            if isinstance(e, Stable):
                return self.value(self._definition(e), at)
            raise Meaningless(f"a {type(e).__name__} has no meaning here: {e}")
        return meaning(self, e, at)

    def number(self, e: sp.Rational) -> Number:
        """A rational constant."""
        known = self._numbers.get(e)
        if known is None:
            known = self._numbers[e] = self.domain.constant(Fraction(e.p, e.q))
        return known

    def _definition(self, e: Stable) -> Expr:
        known = self._definitions.get(e)
        if known is None:
            known = self._definitions[e] = type(e).definition(e.args[0])
        return known

    def position(self, e: Expr, at: At) -> int:
        """The integer value of an index expression."""
        return self._place((e,))(at)[0]

    def _place(self, positions: tuple[Expr, ...]) -> Callable[[At], Place]:
        """The integer values of index expressions."""
        known = self._places.get(positions)
        if known is None:
            known = self._places[positions] = places(positions, self.extents, self._looked)
        return known

    def _looked(self, e: Expr, at: At) -> int:
        """The value of a label, or of the position of a maximum."""
        if isinstance(e, ArgMax):
            return self.largest(e, at)[1][e.place]
        assert isinstance(e, Entry)
        return self._read(self.labels, e, at)

    def entry(self, e: Entry, at: At) -> Number:
        """One entry of a tensor; Meaningless past its end."""
        return self._read(self.tables, e, at)

    def _read(self, tables: Mapping[str, Mapping[Place, V]], e: Entry, at: At) -> V:
        read = self._reads.get(e)
        if read is None:
            read = self._reads[e] = (e.tensor.name, self._place(e.indices))
        name, where = read
        place = where(at)
        table = tables.get(name)
        if table is None:
            raise Meaningless(f"{name} has no values")
        if place not in table:
            shape = " x ".join(str(self.extents[a]) for a in e.tensor.axes)
            raise Meaningless(f"{name}[{', '.join(map(str, place))}] is read, which is not one of its {shape} entries")
        return table[place]

    def indicates(self, e: Indicator, at: At) -> bool:
        """Whether the condition of an indicator holds."""
        known = self._conditions.get(e)
        if known is None:
            known = self._conditions[e] = condition(e, self.extents, self._looked)
        return known(at)

    def holds(self, test: Basic, at: At) -> bool:
        """Whether a condition on values holds."""
        if test == sp.true:
            return True
        if not isinstance(test, sp.Rel):
            raise Meaningless(f"a {type(test).__name__} is no condition on values: {test}")
        left, right = test.args
        return CONDITIONS[type(test)](self.value(left, at).compare(self.value(right, at)))

    # -- binders and local derivatives -----------------------------------------------------------------------------

    def total(self, e: Binder, at: At) -> Number:
        """The sum of the body, computed once for each position of the free indices."""
        if e not in self._free:
            self._free[e] = free_indices(e)
        key = (e, tuple([at[i] for i in self._free[e] if i in at]))
        if key not in self._known:
            total = self.number(sp.S.Zero)
            for inner in self._terms(e, at):
                total = total + self.value(e.body, inner)
            self._known[key] = total
        return self._known[key]

    def _terms(self, e: Binder, at: At) -> Iterator[At]:
        """The positions of a sum's indices at which its body may differ from 0."""
        for factor in sp.Mul.make_args(e.body):
            indices = [i for i in factor.of.indices if isinstance(i, Index) and i in e.bound] if isinstance(factor, Partial) else []
            if isinstance(factor, Partial) and len(set(indices)) == len(e.bound) == len(factor.of.indices):
                return ({**at, **placed(indices, place)} for place in self._local.dependent(factor, at))
        if e not in self._orders:
            self._orders[e] = summation_order(e)
        return self._nonzero(self._orders[e], at)

    def _nonzero(self, order: Order, at: At) -> Iterator[At]:
        """The positions of bound indices at which no indicator is 0."""
        if not order:
            yield at
            return
        (index, tests), *rest = order
        for k in range(self.extents[index.axis]):
            inner = {**at, index: k}
            if not any(self._vanishes(test, inner) for test in tests):
                yield from self._nonzero(rest, inner)

    def _vanishes(self, e: Indicator, at: At) -> bool:
        try:
            return not self.indicates(e, at)
        except Meaningless:  # it reads past the end of a tensor: another factor has to be 0 there
            return False

    def largest(self, e: Binder, at: At) -> tuple[Number, Place]:
        """The largest value of the body and the first place that holds it."""
        best: tuple[Number, Place] | None = None
        for place in self.places(e.bound):
            try:
                value = self.value(e.body, {**at, **placed(e.bound, place)})
            except LeftOut:
                continue
            if best is None or value.compare(best[0]) > 0:
                best = (value, place)
        if best is None:
            raise Meaningless(f"the maximum of nothing: {e}")
        return best

    def partial(self, of: Entry, by: Entry, at: At) -> Number:
        """The derivative of one entry by another, from the forward equation of the first on dual numbers."""
        return self._local.value(of, by, at)


def placed(indices: Sequence[Index], place: Place) -> At:
    """The positions of some indices."""
    return dict(zip(indices, place, strict=True))
