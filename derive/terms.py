"""Differentiation of one index expression, and the elimination of Kronecker deltas.

The derivative of `body` with respect to `X[w]` is a list of terms: coefficient * deltas, summed over bound indices. Every entry of X
becomes a dummy, SymPy differentiates the scalar function of these dummies, the chain rule over the entries gives the deltas. So
deltas are always factors of a whole term, never inside a function, and eliminating them is a loop over a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Basic, Expr

from derive.index import ArgMax, AtMost, Binder, Delta, Entry, Index, Indicator, InRange, Max, Sum, Tensor, lies_on, rewrite, tensors


@dataclass(frozen=True)
class Term:
    """sum over `bound` of coefficient * product of delta(a, b) * product of guards."""

    coefficient: Expr
    bound: tuple[Index, ...] = ()
    deltas: tuple[tuple[Expr, Expr], ...] = ()
    guards: tuple[Expr, ...] = ()

    def times(self, factor: Expr) -> Term:
        return replace(self, coefficient=factor * self.coefficient)

    def over(self, indices: tuple[Index, ...]) -> Term:
        return replace(self, bound=indices + self.bound)

    def put(self, rule: dict[Basic, Expr]) -> Term:
        """The term with indices replaced."""
        deltas = tuple((a.xreplace(rule), b.xreplace(rule)) for a, b in self.deltas)
        guards = tuple(g for g in (g.xreplace(rule) for g in self.guards) if g != 1)
        return Term(self.coefficient.xreplace(rule), self.bound, tuple(d for d in deltas if d[0] != d[1]), guards)

    def expr(self) -> Expr:
        deltas = [Delta(a, b) for a, b in self.deltas]
        return Sum(sp.Mul(self.coefficient, *deltas, *self.guards), *self.bound)


def total(terms: list[Term]) -> Expr:
    """The sum of all terms as one expression."""
    return sp.Add(*[t.expr() for t in terms])


def derivative(body: Expr, tensor: Tensor, at: tuple[Index, ...]) -> list[Term]:
    """The terms of d body / d tensor[at]."""
    parts = _varying(body, tensor)
    dummies = {part: sp.Dummy(f"u{k}", real=True) for k, part in enumerate(parts)}
    back = {dummy: part for part, dummy in dummies.items()}
    scalar = body.xreplace(dummies)
    terms: list[Term] = []
    for part, dummy in dummies.items():
        slope = _slope(scalar, dummy).xreplace(back)
        if slope != 0:
            terms += [t.times(slope) for t in _part(part, tensor, at)]
    return terms


class _Abs(sp.Function):
    """|x| with the derivative sign(x), also at 0, where sign is 0."""

    def fdiff(self, argindex: int = 1) -> Expr:  # noqa: ARG002 (the signature is SymPy's)
        return _Sign(self.args[0])


class _Sign(sp.Function):
    """sign(x), a step function: its derivative is 0."""

    def fdiff(self, argindex: int = 1) -> Expr:  # noqa: ARG002 (the signature is SymPy's)
        return sp.S.Zero


def _slope(e: Expr, variable: sp.Symbol) -> Expr:
    if not e.has(sp.Abs, sp.sign):
        return sp.diff(e, variable)
    return _replaced(sp.diff(_replaced(e, {sp.Abs: _Abs, sp.sign: _Sign}), variable), {_Abs: sp.Abs, _Sign: sp.sign})


def _replaced(e: Expr, functions: Mapping[type[Basic], type[sp.Function]]) -> Expr:
    return rewrite(e, lambda node: functions[type(node)](*node.args) if type(node) in functions else None)


def _varying(body: Expr, tensor: Tensor) -> list[Expr]:
    """The outermost entries of the tensor, and binders over them, in the order of occurrence."""
    if isinstance(body, Entry):
        return [body] if body.tensor == tensor else []
    if isinstance(body, Binder):
        return [body] if tensor in tensors(body) else []
    if isinstance(body, Indicator):
        return []
    return list(dict.fromkeys(part for argument in body.args for part in _varying(argument, tensor)))


def _part(part: Expr, tensor: Tensor, at: tuple[Index, ...]) -> list[Term]:
    if isinstance(part, Entry):
        return [Term(sp.S.One, (), tuple(zip(part.indices, at, strict=True)))]
    if isinstance(part, Sum):
        body, indices = part.open()
        return [t.over(indices) for t in derivative(body, tensor, at)]
    if isinstance(part, Max):
        # the derivative of the largest entry is that of the entry at the (first) position of the maximum
        body, indices = part.open()
        place: dict[Basic, Expr] = {i: ArgMax(body, k, *indices) for k, i in enumerate(indices)}
        return [t.put(place) for t in derivative(body, tensor, at)]
    return []  # an ArgMax is a step function: its derivative is 0


def eliminate(term: Term) -> Term:
    """Use every delta that holds a summation index to remove that sum.

    First deltas between indices of one axis, then labels of that axis (both need no condition), then affine expressions with
    coefficient +-1, which leave the guard 0 <= e < size. What stays is the scatter form `out[e] += coefficient`.
    """
    for left in eliminations(term):
        term = left.term
    return term


@dataclass(frozen=True)
class Elimination:
    """A term without one of its sums: the delta that was used, None for the term as it was, and index = value by it."""

    term: Term
    delta: tuple[Expr, Expr] | None = None
    index: Index | None = None
    value: Expr | None = None


def eliminations(term: Term) -> Iterator[Elimination]:
    """The term as it is, then after each delta that removes a sum."""
    own = split(term.coefficient, ())  # the forward formula may hold deltas of its own
    term = Term(own.coefficient, term.bound, (*own.deltas, *term.deltas), (*own.guards, *term.guards)).put({})
    yield Elimination(term)
    while True:
        found = [choice for d in term.deltas for x in term.bound if (choice := _choice(term, d, x)) is not None]
        if not found:
            return
        _, delta, index, value = min(found, key=lambda choice: choice[0])
        bound = tuple(i for i in term.bound if i != index)
        deltas = tuple(d for d in term.deltas if d is not delta)
        guard = InRange(value, index.axis.count)
        term = Term(term.coefficient, bound, deltas, (*term.guards, guard)).put({index: value})
        yield Elimination(term, delta, index, value)


Choice = tuple[tuple[int, int], tuple[Expr, Expr], Index, Expr]


def _choice(term: Term, delta: tuple[Expr, Expr], index: Index) -> Choice | None:
    value = _solve(*delta, index)
    if value is None:
        return None
    if isinstance(value, Index) and value.axis == index.axis:
        return (1, 0 if value in term.bound else -1), delta, index, value
    if lies_on(value, index.axis):
        return (2, 0), delta, index, value
    return (3, len(value.free_symbols & set(term.bound))), delta, index, value


def _solve(left: Expr, right: Expr, index: Index) -> Expr | None:
    """The value of an index for which two affine expressions are equal, if its coefficient is 1 or -1; as it is written where it can be."""
    if index == left and index not in right.free_symbols:
        return right
    if index == right and index not in left.free_symbols:
        return left
    e = sp.expand(left - right)
    if index not in e.free_symbols:
        return None
    slope = e.coeff(index, 1)
    if slope not in (1, -1):
        return None
    rest = sp.expand(e - slope * index)
    return None if index in rest.free_symbols else -rest / slope


def split(product: Expr, bound: tuple[Index, ...]) -> Term:
    """A product, summed over indices, as a term."""
    coefficient: list[Expr] = []
    deltas: list[tuple[Expr, Expr]] = []
    guards: list[Expr] = []
    for factor in sp.Mul.make_args(product):
        if isinstance(factor, Delta):
            deltas.append((factor.args[0], factor.args[1]))
        elif isinstance(factor, InRange | AtMost):
            guards.append(factor)
        else:
            coefficient.append(factor)
    return Term(sp.Mul(*coefficient), bound, tuple(deltas), tuple(guards))
