"""One equation to statements: a loop nest with the innermost loop along memory, or a matrix product.

Loop order: innermost goes the index that is the last one of every entry that it stands in (neighbouring entries lie side by side
in memory), outermost the axis whose extent is known only at run time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy as sp
from sympy import Expr

from codegen.flat import outermost_binders, unused
from codegen.loops import Accumulate, Assign, MatrixProduct, Statement, Track, entries, nested
from derive.index import ArgMax, Binder, Delta, Entry, Index, Sum, Tensor, free_indices
from derive.program import Equation

PRODUCT_EXTENTS = 256


def statements(equation: Equation, taken: set[str]) -> tuple[Statement, ...]:
    """The statements that compute an equation whose binders are top-level (see codegen/flat.py).

    taken: names that a new tensor must not have; those of new ones join them.
    """
    binders = outermost_binders(equation.body)
    if not binders:
        return _elementwise(equation)
    if len(binders) == 1:
        return _one_binder(equation, binders[0], taken)
    return _several_sums(equation, taken)


def matrix_product_pays(left: Entry, right: Entry) -> bool:
    """Whether a call to the matrix product beats a loop nest: the extents known now must be large enough."""
    known = {a: a.extent for e in (left, right) for a in e.tensor.axes if a.extent is not None}
    return math.prod(sorted(known.values())[:2]) >= PRODUCT_EXTENTS


# -- the three kinds of equation -----------------------------------------------------------------------------------------


def _elementwise(equation: Equation) -> tuple[Statement, ...]:
    body, spike = _spike(equation)
    order = loop_order(equation.indices, (), (equation.entry, *entries(body)))
    main = nested(order, Assign(equation, equation.entry, body))
    if spike is None:
        return main
    # a term that is zero in all positions c but c = y[n]: one assignment, no test of every position
    position, value, index = spike
    target = _entry_at(equation.entry, index, position)
    rest = [i for i in order if i != index]
    return (*main, *nested(rest, Assign(equation, target, target + value.xreplace({index: position}))))


def _spike(equation: Equation) -> tuple[Expr, tuple[Expr, Expr, Index] | None]:
    """Split a body that is linear in delta(c, e), c an index of the target: the rest, and the coefficient with its place."""
    for delta in sorted(equation.body.atoms(Delta), key=str):
        for index, position in (delta.args, delta.args[::-1]):
            if not isinstance(index, Index) or index not in equation.indices or index in position.free_symbols:
                continue
            here = sp.Dummy("here")
            body = equation.body.xreplace({delta: here})
            slope = sp.diff(body, here)
            if here not in slope.free_symbols and not slope.has(Delta):
                return body.xreplace({here: sp.S.Zero}), (position, slope, index)
    return equation.body, None


def _one_binder(equation: Equation, binder: Binder, taken: set[str]) -> tuple[Statement, ...]:
    """Accumulate in the target itself where the body is the binder, or the binder plus a rest to start from; else beside it."""
    target = equation.entry
    body, bound = _opened(binder, equation.indices)
    rest = sp.Add(*[t for t in sp.Add.make_args(equation.body) if t != binder])
    plain = bool(equation.indices) and rest + binder == equation.body and not outermost_binders(rest)
    product = _matrix_product(equation, body, bound) if isinstance(binder, Sum) else None
    if product is not None:
        return (product, *(_finish(equation, equation.body.xreplace({binder: target})) if equation.body != binder else ()))
    if plain and (isinstance(binder, Sum) or rest == 0):
        return _accumulated(equation, target, binder, rest, body, bound)
    beside = _beside(equation, binder, taken)
    return (*_accumulated(equation, beside, binder, sp.S.Zero, body, bound), *_finish(equation, equation.body.xreplace({binder: beside})))


def _several_sums(equation: Equation, taken: set[str]) -> tuple[Statement, ...]:
    """Sums added one after the other to what is not a sum."""
    terms = sp.Add.make_args(equation.body)
    beside = _beside(equation, outermost_binders(equation.body)[0], taken)
    start = sp.Add(*[t for t in terms if not outermost_binders(t)])
    order = loop_order(equation.indices, (), (equation.entry, *entries(start)))
    done = nested(order, Assign(equation, beside, start, starts=True))
    for term in terms:
        for binder in outermost_binders(term):
            body, bound = _opened(binder, equation.indices)
            value = term.xreplace({binder: body})
            order = loop_order(equation.indices, bound, (equation.entry, *entries(value)))
            done += nested(order, Accumulate(equation, beside, "sum", value))
    return (*done, *_finish(equation, beside))


def _beside(equation: Equation, binder: Binder, taken: set[str]) -> Entry:
    """An entry to accumulate in, of the target's shape."""
    values = equation.tensor.values if isinstance(binder, ArgMax) else None
    name = unused(f"{type(binder).__name__.lower()}_{equation.tensor.name}", taken)
    return Entry(Tensor(name, equation.tensor.axes, values), *equation.indices)


def _accumulated(
    equation: Equation, target: Entry, binder: Binder, start: Expr, body: Expr, bound: Sequence[Index]
) -> tuple[Statement, ...]:
    """The nest of one accumulation, its start placed inside the loops that come before every loop summed over."""
    if isinstance(binder, ArgMax):
        return _argmax(equation, target, body, binder.place, bound)
    order = loop_order(equation.indices, bound, (target, *entries(body)))
    first = min(order.index(i) for i in bound)
    outer, inner = order[:first], order[first:]
    operation, value = ("sum", start) if isinstance(binder, Sum) else ("max", -sp.oo)
    filled = nested([i for i in inner if i not in bound], Assign(equation, target, value, starts=True))
    return nested(outer, *filled, *nested(inner, Accumulate(equation, target, operation, body)))


def _argmax(equation: Equation, target: Entry, body: Expr, place: int, bound: Sequence[Index]) -> tuple[Statement, ...]:
    """The bound indices run in their own order, so that the first of equal values wins."""
    best = Entry(Tensor(f"best_{target.tensor.name}", target.tensor.axes), *target.indices)
    starts = (Assign(equation, best, -sp.oo), Assign(equation, target, sp.S.Zero))
    return nested(equation.indices, *starts, *nested(bound, Track(equation, target, best, body, bound[place])))


def _finish(equation: Equation, value: Expr) -> tuple[Statement, ...]:
    order = loop_order(equation.indices, (), (equation.entry, *entries(value)))
    return nested(order, Assign(equation, equation.entry, value))


# -- matrix products -----------------------------------------------------------------------------------------------------


def _matrix_product(equation: Equation, body: Expr, bound: Sequence[Index]) -> MatrixProduct | None:
    """The product out[a,b] = sum_k left[a,k] right[k,b], either factor possibly transposed, where that is what the sum is."""
    factors = sp.Mul.make_args(body)
    if len(bound) != 1 or len(equation.indices) != 2 or len(factors) != 2:
        return None
    for left, right in (factors, factors[::-1]):
        if not isinstance(left, Entry) or not isinstance(right, Entry):
            return None
        a, b = equation.indices
        if set(left.indices) == {a, bound[0]} and set(right.indices) == {bound[0], b} and len(left.indices) == len(right.indices) == 2:
            return MatrixProduct(equation, equation.entry, left, right) if matrix_product_pays(left, right) else None
    return None


# -- indices -------------------------------------------------------------------------------------------------------------


def loop_order(free: Sequence[Index], bound: Sequence[Index], touched: Sequence[Entry]) -> tuple[Index, ...]:
    """The loops of a nest, outermost first."""
    every = (*free, *bound)
    if not every:
        return ()

    def strides(index: Index) -> int:
        return sum(any(index in e.free_symbols for e in entry.indices[:-1]) for entry in set(touched))

    last = min(reversed(every), key=strides)
    outer = [i for i in every if i != last]
    outer.sort(key=lambda i: (i.axis.extent is not None, i in bound))
    return (*outer, last)


def _opened(binder: Binder, free: Sequence[Index]) -> tuple[Expr, tuple[Index, ...]]:
    """The body of a binder with readable indices that differ from those in use."""
    body, fresh = binder.open()
    taken = {i.label for i in (*free, *free_indices(binder))}
    named: list[Index] = []
    for index in fresh:
        label = unused(index.axis.name, taken, "'")
        named.append(index.axis.index(label))
    return body.xreplace(dict(zip(fresh, named, strict=True))), tuple(named)


def _entry_at(entry: Entry, index: Index, position: Expr) -> Entry:
    return Entry(entry.tensor, *(position if i == index else i for i in entry.indices))
