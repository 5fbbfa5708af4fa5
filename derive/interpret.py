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

from derive.domains.dual import Dual, DualDomain
from derive.domains.number import Domain, Number, Outside
from derive.functions import AtLeast, Stable
from derive.index import ArgMax, AtMost, Axis, Binder, Delta, Entry, Index, Indicator, InRange, Max, Partial, Size, Sum, Tensor, free_indices
from derive.program import Equation

Place = tuple[int, ...]
At = Mapping[Index, int]
Table = dict[Place, Number]
V = TypeVar("V")


class Meaningless(Exception):
    """An expression that has no value: it reads past the end of a tensor, or holds a node of no known meaning."""


class Interpreter:
    """The values of tensors at one point, and of expressions over them.

    extents: how many positions each axis has. equations: the forward equations by name, for local derivatives. floors: the bounds
    that a program declares as conventions; a point at which one of them binds raises Outside, since nothing is claimed there.
    `reached` records which branches of every Piecewise were taken.
    """

    def __init__(
        self, domain: Domain, extents: Mapping[Axis, int], equations: Mapping[str, Equation], floors: Sequence[Expr] = ()
    ) -> None:
        self.domain = domain
        self.extents = extents
        self.equations = equations
        self.floors = floors
        self.tables: dict[str, Table] = {}
        self.labels: dict[str, dict[Place, int]] = {}
        self.reached: dict[Expr, set[int]] = {}
        self._known: dict[tuple[Expr, Place], Number] = {}
        self._free: dict[Expr, tuple[Index, ...]] = {}
        self._numbers: dict[Expr, Number] = {}
        self._local: dict[tuple[Tensor, Tensor], Interpreter] = {}

    # -- tensors ---------------------------------------------------------------------------------------------------

    def places(self, indices: Iterable[Index]) -> Iterator[Place]:
        """All positions of some indices, in row-major order."""
        return itertools.product(*[range(self.extents[i.axis]) for i in indices])

    def define(self, equation: Equation) -> None:
        """Compute a tensor by its equation."""
        if equation.tensor.values:
            self.labels[equation.tensor.name] = {p: self.position(equation.body, _at(equation.indices, p)) for p in self.places(equation.indices)}
        else:
            self.tables[equation.tensor.name] = self.table(equation.body, equation.indices)

    def table(self, body: Expr, indices: Sequence[Index]) -> Table:
        """The values of an expression at all positions of its indices."""
        return {p: self.value(body, _at(indices, p)) for p in self.places(indices)}

    def set_table(self, name: str, table: Table) -> None:
        """Replace the values of a tensor."""
        self.tables[name] = table
        self._known.clear()
        self._local.clear()

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
        seeded = tuple(names)
        for name, table in self.tables.items():
            if name in seeded:
                dual.tables[name] = {p: domain.variable(v, (name, p)) for p, v in table.items()}
            else:
                dual.tables[name] = {p: Dual(self.domain, v) for p, v in table.items()}
        return dual

    # -- values ----------------------------------------------------------------------------------------------------

    def value(self, e: Expr, at: At) -> Number:
        """The value of an expression where its free indices have the given positions."""
        if e.is_Rational:
            return self._number(e)
        meaning = MEANINGS.get(type(e))
        if meaning is not None:
            return meaning(self, e, at)
        if isinstance(e, Indicator):
            return self._number(sp.S.One if self.indicates(e, at) else sp.S.Zero)
        if isinstance(e, Stable):
            return self.value(e.definition(e.args[0]), at)
        raise Meaningless(f"a {type(e).__name__} has no meaning here: {e}")

    def position(self, e: Expr, at: At) -> int:
        """The integer value of an index expression."""
        if isinstance(e, Index):
            if e not in at:
                raise Meaningless(f"the index {e.label} has no value")
            return at[e]
        if e.is_Integer:
            return int(e)
        if isinstance(e, Size):
            return self.extents[e.axis]
        if isinstance(e, Entry):
            return self._read(self.labels, e, at)
        if isinstance(e, ArgMax):
            return self._largest(e, at)[1][e.place]
        if e.is_Add:
            return sum(self.position(a, at) for a in e.args)
        if e.is_Mul:
            product = 1
            for a in e.args:
                product *= self.position(a, at)
            return product
        raise Meaningless(f"{e} is no index expression")

    def indicates(self, e: Indicator, at: At) -> bool:
        """Whether the condition of an indicator holds."""
        first, second = (self.position(a, at) for a in e.args)
        if isinstance(e, Delta):
            return first == second
        if isinstance(e, InRange):
            return 0 <= first < second
        if isinstance(e, AtMost):
            return first <= second
        raise Meaningless(f"a {type(e).__name__} has no meaning here: {e}")

    def holds(self, condition: Basic, at: At) -> bool:
        """Whether a condition on values holds."""
        if condition == sp.true:
            return True
        test = CONDITIONS.get(type(condition))
        if test is None:
            raise Meaningless(f"a {type(condition).__name__} is no condition: {condition}")
        left, right = condition.args
        return test(self.value(left, at).compare(self.value(right, at)))

    # -- one node each ---------------------------------------------------------------------------------------------

    def _number(self, e: Expr) -> Number:
        known = self._numbers.get(e)
        if known is None:
            known = self._numbers[e] = self.domain.constant(Fraction(int(e.p), int(e.q)))
        return known

    def _size(self, e: Size, at: At) -> Number:
        return self._number(sp.Integer(self.extents[e.axis]))

    def _index(self, e: Index, at: At) -> Number:
        return self.domain.constant(Fraction(self.position(e, at)))

    def _entry(self, e: Entry, at: At) -> Number:
        if e.tensor.values:
            return self.domain.constant(Fraction(self.position(e, at)))
        return self._read(self.tables, e, at)

    def _read(self, tables: Mapping[str, Mapping[Place, V]], e: Entry, at: At) -> V:
        place = tuple([self.position(i, at) for i in e.indices])
        table = tables.get(e.tensor.name)
        if table is None:
            raise Meaningless(f"{e.tensor.name} has no values")
        if place not in table:
            shape = " x ".join(str(self.extents[a]) for a in e.tensor.axes)
            raise Meaningless(f"{e.tensor.name}[{', '.join(map(str, place))}] is read, past the end of {shape} entries")
        return table[place]

    def _add(self, e: Expr, at: At) -> Number:
        first, *others = e.args
        total = self.value(first, at)
        for term in others:
            total = total + self.value(term, at)
        return total

    def _mul(self, e: Expr, at: At) -> Number:
        """A product. Indicators come first: where one is 0 the other factors may read past the end of a tensor."""
        factors: list[Expr] = []
        for factor in e.args:
            if not isinstance(factor, Indicator):
                factors.append(factor)
            elif not self.indicates(factor, at):
                return self._number(sp.S.Zero)
        product = self.value(factors[0], at) if factors else self._number(sp.S.One)
        for factor in factors[1:]:
            product = product * self.value(factor, at)
        return product

    def _pow(self, e: Expr, at: At) -> Number:
        base, exponent = e.args
        if not exponent.is_Rational:
            raise Meaningless(f"the power {exponent} is no number")
        return self.value(base, at).power(Fraction(int(exponent.p), int(exponent.q)))

    def _tanh(self, e: Expr, at: At) -> Number:
        """tanh(x) = 1 - 2 / (exp(2x) + 1)."""
        one, two = self._number(sp.S.One), self._number(sp.Integer(2))
        return one + -(two * ((two * self.value(e.args[0], at)).exp() + one).reciprocal())

    def _sign(self, e: Expr, at: At) -> Number:
        return self.domain.constant(Fraction(self.value(e.args[0], at).compare(self._number(sp.S.Zero))))

    def _abs(self, e: Expr, at: At) -> Number:
        return self.value(e.args[0], at) * self._sign(e, at)

    def _piecewise(self, e: Expr, at: At) -> Number:
        for branch, (value, condition) in enumerate(e.args):
            if self.holds(condition, at):
                self.reached.setdefault(e, set()).add(branch)
                return self.value(value, at)
        raise Meaningless(f"no branch of {e} holds")

    def _at_least(self, e: Expr, at: At) -> Number:
        value, bound = (self.value(a, at) for a in e.args)
        if value.compare(bound) >= 0:
            return value
        if e.args[1] in self.floors:
            raise Outside("a declared floor binds")
        return bound

    def _sum(self, e: Sum, at: At) -> Number:
        return self._once(e, at, self._summed)

    def _max(self, e: Max, at: At) -> Number:
        return self._once(e, at, lambda node, place: self._largest(node, place)[0])

    def _once(self, e: Binder, at: At, compute: Callable[[Binder, At], Number]) -> Number:
        """The value of a binder, computed once for each position of its free indices."""
        if e not in self._free:
            self._free[e] = free_indices(e)
        key = (e, tuple([at[i] for i in self._free[e]]))
        if key not in self._known:
            self._known[key] = compute(e, at)
        return self._known[key]

    def _summed(self, e: Binder, at: At) -> Number:
        total: Number | None = None
        for place in self.places(e.bound):
            term = self.value(e.body, {**at, **_at(e.bound, place)})
            total = term if total is None else total + term
        return self._number(sp.S.Zero) if total is None else total

    def _largest(self, e: Binder, at: At) -> tuple[Number, Place]:
        """The largest value of the body and the first place that holds it."""
        best: tuple[Number, Place] | None = None
        for place in self.places(e.bound):
            value = self.value(e.body, {**at, **_at(e.bound, place)})
            if best is None or value.compare(best[0]) > 0:
                best = (value, place)
        if best is None:
            raise Meaningless(f"the maximum of nothing: {e}")
        return best

    def _partial(self, e: Partial, at: At) -> Number:
        """The derivative of one entry by another, from the forward equation of the first on dual numbers."""
        of, by = e.of, e.by
        equation = self.equations.get(of.tensor.name)
        if equation is None:
            raise Meaningless(f"{of.tensor.name} has no forward equation")
        if (of.tensor, by.tensor) not in self._local:
            dual = self._local[of.tensor, by.tensor] = self.differentiated([by.tensor.name])
            dual.define(equation)
        local = self._local[of.tensor, by.tensor]
        result = local.value(of, at)
        assert isinstance(result, Dual)
        self.value(by, at)  # that there is such an entry
        place = tuple([self.position(i, at) for i in by.indices])
        return result.tangents.get((by.tensor.name, place), self._number(sp.S.Zero))


def _at(indices: Sequence[Index], place: Place) -> At:
    return dict(zip(indices, place, strict=True))


MEANINGS: dict[type[Basic], Callable[..., Number]] = {
    sp.Add: Interpreter._add,
    sp.Mul: Interpreter._mul,
    sp.Pow: Interpreter._pow,
    sp.Piecewise: Interpreter._piecewise,
    sp.exp: lambda self, e, at: self.value(e.args[0], at).exp(),
    sp.log: lambda self, e, at: self.value(e.args[0], at).log(),
    sp.erf: lambda self, e, at: self.value(e.args[0], at).erf(),
    sp.tanh: Interpreter._tanh,
    sp.Abs: Interpreter._abs,
    sp.sign: Interpreter._sign,
    type(sp.pi): lambda self, e, at: self.domain.pi(),
    type(sp.E): lambda self, e, at: self._number(sp.S.One).exp(),
    AtLeast: Interpreter._at_least,
    Entry: Interpreter._entry,
    Index: Interpreter._index,
    Size: Interpreter._size,
    Sum: Interpreter._sum,
    Max: Interpreter._max,
    Partial: Interpreter._partial,
}

CONDITIONS: dict[type[Basic], Callable[[int], bool]] = {
    sp.Lt: lambda order: order < 0,
    sp.Le: lambda order: order <= 0,
    sp.Gt: lambda order: order > 0,
    sp.Ge: lambda order: order >= 0,
    sp.Eq: lambda order: order == 0,
    sp.Ne: lambda order: order != 0,
}
