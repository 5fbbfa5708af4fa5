"""Equations that apply a function entry by entry, each as a function of one real number.

An equation is one of a tensor T where no sum or maximum holds T, or a forward value that is computed from T entry by entry; a sum that
is the whole of a term (a loss, over all elements) stands for one of its terms. One entry of T is left free. All else that the equation
reads (other tensors, extents, indicators) gets a fixed ordinary value, the same in the mathematical and in the computed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import sympy as sp
from sympy import Basic, Expr

from derive.derivation import Derivation
from derive.index import ArgMax, Axis, Binder, Entry, Index, Indicator, Max, Sign, Size, Sum, Tensor, tensors
from derive.program import Equation, Program

GRID = Axis("g", "G", meaning="the inputs that are tried")
FREE = Tensor("free", (GRID,))
EXTENT = Fraction(7)  # of every axis
Values = tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True)
class Form:
    """Equations over the free number, in the order of computation; the last one is the value."""

    free: Tensor
    ordinary: tuple[Tensor, ...]  # no axes
    equations: tuple[Equation, ...]

    @property
    def program(self) -> Program:
        return Program("form", (self.free,), (), self.ordinary, self.equations, (self.equations[-1].tensor,))


@dataclass(frozen=True)
class Pointwise:
    """One equation of a network as a function of one entry of the tensor `swept`, in both forms.

    number, tensor: of the equation as it is computed. ordinary: the value of everything that both forms read but do not vary.
    """

    number: str
    tensor: str
    swept: str
    mathematical: Form
    computed: Form
    ordinary: Values
    floors: tuple[Expr, ...]  # declared lower bounds: nothing is claimed where one binds


def pointwise(derivation: Derivation) -> Iterator[Pointwise]:
    """The equations of a derivation that apply a function entry by entry, in their order, for every tensor that they are such of."""
    computed = {e.tensor: e for e in derivation.computed.equations}
    parts = {t: e for t, e in computed.items() if t not in {e.tensor for e in derivation.equations}}
    resting = {d.equation.tensor: {t for step in d.steps for t in step.uses} - {t.name for t in parts} for d in derivation.stable}
    bounds = [bound for floors in derivation.forward.floors.values() for bound in (floors.log, floors.denominator) if bound is not None]
    for equation, candidates in _equations(derivation, computed):
        for source in candidates:
            inner = _from(source, derivation.forward.equations)
            if any(_held(term, {source, *inner}) for term in _terms(equation.body)):
                continue
            if resting.get(equation.tensor, set[str]()) <= {t.name for t in inner}:  # else the forms agree only where others keep theirs
                stated = {**parts, **{t: computed[t] for t in inner if t in computed}}
                for one, other, values in _functions(equation, computed[equation.tensor], source, inner, stated):
                    last = computed[equation.tensor]
                    yield Pointwise(last.number, last.tensor.name, source.name, one, other, values, tuple(dict.fromkeys(bounds)))


def _equations(derivation: Derivation, computed: Mapping[Tensor, Equation]) -> Iterator[tuple[Equation, tuple[Tensor, ...]]]:
    """The equations that are computed, each with the tensors that it may be a function of.

    For a forward equation these are what its two forms read. A gradient holds the slopes of the equations that read its tensor, and a
    derivative that runs forward those of its tensor's own: it is a function of what these read.
    """
    forward = derivation.forward
    for equation in forward.equations:
        if equation.tensor in computed:
            reads = dict.fromkeys((*equation.reads, *computed[equation.tensor].reads))
            yield equation, tuple(t for t in reads if t in forward.varying)
    ahead = {d.equation.tensor for p in derivation.products if p.way == "forward" for d in p.derived}
    for derived in derivation.derived:
        if derived.equation.tensor in computed and derived.of is not None:
            yield derived.equation, _sloped(derived.of, forward, derived.equation.tensor in ahead)


def _sloped(of: Tensor, forward: Program, ahead: bool) -> tuple[Tensor, ...]:
    own = forward.defining(of)
    equations = ([own] if own else []) if ahead else forward.reading(of)
    return tuple(dict.fromkeys(t for e in equations for t in e.reads if t in forward.varying))


def _functions(
    mathematical: Equation, computed: Equation, source: Tensor, inner: Mapping[Tensor, Equation], stated: Mapping[Tensor, Equation]
) -> Iterator[tuple[Form, Form, Values]]:
    """Both forms as functions of each entry of the source that is read, where a function is applied to that entry."""
    read = _Scalars(inner, None)
    read.last(mathematical)
    for free in dict.fromkeys(e for e in read.met if e.tensor == source):
        one = _Scalars(inner, free)
        one.last(mathematical)
        other = _Scalars(stated, free, one.ordinary)
        other.last(computed)
        if _applies(one.done):
            values = {t.name: EXTENT if isinstance(key, Size) else _value(k) for k, (key, t) in enumerate(one.ordinary.items())}
            yield one.form, other.form, tuple(values.items())


def _from(source: Tensor, equations: Sequence[Equation]) -> dict[Tensor, Equation]:
    """The forward values that are computed from the source entry by entry."""
    found: dict[Tensor, Equation] = {}
    for equation in equations:
        if any(t == source or t in found for t in equation.reads) and not _held(equation.body, {source, *found}):
            found[equation.tensor] = equation
    return found


def _terms(e: Expr) -> Iterator[Expr]:
    """The terms of an expression, without the sums that are factors of them."""
    for term in sp.Add.make_args(e):
        sums = [f for f in sp.Mul.make_args(term) if isinstance(f, Sum)]
        if sums:
            yield from _terms(sp.Mul(*[f for f in sp.Mul.make_args(term) if f is not sums[0]], sums[0].body))
        else:
            yield term


def _held(e: Expr, of: set[Tensor]) -> bool:
    """Whether a sum or a maximum in an expression holds an entry of one of the tensors."""
    return any(isinstance(node, Binder) and any(t in of for t in tensors(node)) for node in sp.preorder_traversal(e))


def _value(k: int) -> Fraction:
    """The k-th ordinary value: between 1/2 and 1, inside the domain of every formula, and exact in floating point."""
    return Fraction(17 + 5 * k % 14, 32)


def _applies(equations: Sequence[Equation]) -> bool:
    """Whether anything but sums and products is done with the free number."""
    nodes = (node for e in equations for node in sp.preorder_traversal(e.body))
    return any(
        not isinstance(node, Entry | sp.Add | sp.Mul) and node.has(GRID.index()) for node in nodes if isinstance(node, Expr) and node.args
    )


@dataclass
class _Scalars:
    """Turns equations over tensors into equations over numbers.

    inner: the equations to put in for what is read. free: the entry that varies. ordinary: what has an ordinary value, by what it is.
    """

    inner: Mapping[Tensor, Equation]
    free: Entry | None
    ordinary: dict[Basic | type[Basic], Tensor] = field(default_factory=dict[Basic | type[Basic], Tensor])
    done: list[Equation] = field(default_factory=list[Equation])
    met: list[Entry] = field(default_factory=list[Entry])  # the entries that no equation is put in for
    numbers: dict[Entry, Entry] = field(default_factory=dict[Entry, Entry])

    @property
    def form(self) -> Form:
        sign = self.free.tensor.sign if self.free is not None else FREE.sign
        return Form(Tensor(FREE.name, FREE.axes, None, sign), tuple(self.ordinary.values()), tuple(self.done))

    def last(self, equation: Equation) -> None:
        """Append the equation, after those of what it reads."""
        self._define(self._number(equation.body), equation.tensor)

    def _define(self, body: Expr, tensor: Tensor) -> Entry:
        index = GRID.index()
        defined = Tensor(f"value{len(self.done)}", (GRID,), None, tensor.sign)
        self.done.append(Equation(defined, (index,), body))
        return Entry(defined, index)

    def _number(self, e: Expr) -> Expr:
        """The expression over numbers. A sum and a maximum are those of one term."""
        if isinstance(e, Entry):
            return self._entry(e)
        if isinstance(e, Size | ArgMax):
            return self._ordinary(e, "positive")
        if isinstance(e, Index):
            return self._ordinary(e.axis.count, "positive")
        if isinstance(e, Indicator):
            return self._ordinary(type(e), "nonnegative")
        if isinstance(e, Sum | Max):
            return self._number(e.body.xreplace({i: Index("bound", i.axis) for i in e.bound}))
        return e.func(*[self._number(a) for a in e.args]) if e.args else e

    def _entry(self, e: Entry) -> Expr:
        if e == self.free:
            self.met.append(e)
            return Entry(Tensor(FREE.name, FREE.axes, None, e.tensor.sign), GRID.index())
        equation = self.inner.get(e.tensor)
        if equation is None or (self.free is not None and e.tensor == self.free.tensor):
            self.met.append(e)
            return self._ordinary(e.tensor, e.tensor.sign)
        if e not in self.numbers:
            body = equation.body.xreplace(dict(zip(equation.indices, e.indices, strict=True)))
            self.numbers[e] = self._define(self._number(body), e.tensor)
        return self.numbers[e]

    def _ordinary(self, key: Basic | type[Basic], sign: Sign) -> Entry:
        if key not in self.ordinary:
            self.ordinary[key] = Tensor(f"ordinary{len(self.ordinary)}", (), None, sign)
        return self.ordinary[key].entry()
