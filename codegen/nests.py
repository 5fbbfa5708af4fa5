"""One equation to statements: loop nests that accumulate or assign its parts, or a matrix product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from codegen.cover import partition, reached_once
from codegen.flat import outermost_binders, unused
from codegen.loops import Accumulate, Assign, Statement, Track, entries, nested
from codegen.order import bounded, loop_order, order_of
from codegen.products import PRODUCT_EXTENTS, matrix_product
from codegen.summands import Summand, admitted, merged, summands
from derive.index import ArgMax, Binder, Entry, Index, Sum, Tensor, free_indices
from derive.program import Equation


def statements(equation: Equation, taken: set[str], extents: int = PRODUCT_EXTENTS) -> tuple[Statement, ...]:
    """The statements that compute an equation whose binders are top-level (see codegen/flat.py).

    taken: names that a new tensor must not have; those of new ones join them. extents: see matrix_product.
    """
    binders = outermost_binders(equation.body)
    if not binders:
        return _elementwise(equation, equation.body)
    if len(binders) == 1:
        return _one_binder(equation, binders[0], taken, extents)
    return _several_sums(equation, taken, extents)


# -- the kinds of equation -----------------------------------------------------------------------------------------------


def _elementwise(equation: Equation, body: Expr) -> tuple[Statement, ...]:
    return _added(equation, equation.entry, summands(equation.entry, body, equation.indices))


def _one_binder(equation: Equation, binder: Binder, taken: set[str], extents: int) -> tuple[Statement, ...]:
    """Accumulate in the target itself where the body is the binder, or the binder plus a rest to start from; else beside it."""
    target = equation.entry
    body, bound = opened(binder, equation.indices)
    parts = summands(target, body, (*equation.indices, *bound)) if isinstance(binder, Sum) else ()
    last = equation.body.xreplace({binder: target})
    product = matrix_product(equation, parts[0], extents) if len(parts) == 1 and _finishes(equation, last) else None
    if product is not None:
        return (product, *(_elementwise(equation, last) if last != target else ()))
    rest = sp.Add(*[t for t in sp.Add.make_args(equation.body) if t != binder])
    plain = bool(equation.indices) and rest + binder == equation.body and not outermost_binders(rest)
    if plain and (isinstance(binder, Sum) or rest == 0):
        return _accumulated(equation, target, binder, rest, body, bound)
    if parts and all(_is_everywhere(p, equation) for p in parts):  # deltas have used up the sum
        return _elementwise(equation, equation.body.xreplace({binder: sp.Add(*[p.value for p in parts])}))
    in_place = bool(parts) and not _in_variables(equation, parts) and _finishes(equation, last)
    beside = target if in_place else _beside(equation, binder, taken)
    done = _accumulated(equation, beside, binder, sp.S.Zero, body, bound)
    return (*done, *_elementwise(equation, equation.body.xreplace({binder: beside})))


def _several_sums(equation: Equation, taken: set[str], extents: int) -> tuple[Statement, ...]:
    """Sums added one after the other to what is not a sum; those that are matrix products are computed beside it first."""
    target, parts, products = equation.entry, list[Summand](), list[Statement]()
    for term in sp.Add.make_args(equation.body):
        inside = {b: opened(b, equation.indices) for b in outermost_binders(term)}
        for binder, (body, bound) in inside.items():
            beside = _beside(equation, binder, set(taken))
            whole = summands(beside, body, (*equation.indices, *bound))
            product = matrix_product(equation, whole[0], extents) if len(whole) == 1 else None
            if product is not None:
                taken.add(beside.tensor.name)
                products.append(product)
                inside[binder] = beside, ()
        value = term.xreplace({b: body for b, (body, _) in inside.items()})
        parts += summands(target, value, (*equation.indices, *(i for _, bound in inside.values() for i in bound)))
    if not _in_variables(equation, parts):
        return (*products, *_added(equation, target, parts))
    beside = _beside(equation, outermost_binders(equation.body)[0], taken)
    moved = [replace(p, target=beside) for p in parts]
    return (*products, *_added(equation, beside, moved), *_elementwise(equation, beside))


def _added(equation: Equation, target: Entry, parts: Sequence[Summand]) -> tuple[Statement, ...]:
    """The parts added up in a target: those that reach every entry once are what it starts from."""
    everywhere = [p for p in parts if _is_everywhere(p, equation)]
    others = merged([p for p in parts if p not in everywhere])
    start = sp.Add(*[p.value for p in everywhere])
    if not others:
        order = loop_order(equation.indices, (), (target, *entries(start)))
        return nested(order, Assign(equation, target, start))
    if start == 0 and partition(others):
        return tuple(s for p in others for s in bounded(order_of(p), Assign(equation, p.target, p.value), p.guards))
    if start == 0 and len(others) == 1 and reached_once(others[0]):
        return _from_start(equation, start, others[0], Assign(equation, others[0].target, others[0].value))
    leaves = [(p, Accumulate(equation, p.target, "sum", p.value)) for p in others]
    if start.is_number or _is_gathered(others[0], equation):
        done = _from_start(equation, start, *leaves.pop(0))
    else:
        order = loop_order(equation.indices, (), (target, *entries(start)))
        done = nested(order, Assign(equation, target, start))
    return (*done, *(s for p, leaf in leaves for s in bounded(order_of(p), leaf, p.guards)))


def _beside(equation: Equation, binder: Binder, taken: set[str]) -> Entry:
    """An entry to accumulate in, of the target's shape."""
    values = binder.bound[binder.place].axis if isinstance(binder, ArgMax) else None
    name = unused(f"{type(binder).__name__.lower()}_{equation.tensor.name}", taken)
    return Entry(Tensor(name, equation.tensor.axes, values), *equation.indices)


def _accumulated(
    equation: Equation, target: Entry, binder: Binder, start: Expr, body: Expr, bound: Sequence[Index]
) -> tuple[Statement, ...]:
    """The nest of one accumulation."""
    loops = (*equation.indices, *bound)
    if isinstance(binder, ArgMax):
        return _argmax(equation, target, body, binder.place, bound)
    if isinstance(binder, Sum):
        return _added(equation, target, (*summands(target, start, equation.indices), *summands(target, body, loops)))
    value, guards = admitted(body)
    return _from_start(equation, -sp.oo, Summand(target, value, loops, guards), Accumulate(equation, target, "max", value))


def _from_start(equation: Equation, start: Expr, part: Summand, leaf: Assign | Accumulate) -> tuple[Statement, ...]:
    """A nest with its start placed inside the loops that come before every loop summed over, bounded or gone from the target."""
    order = order_of(part)
    confined = {inner[-1] for g in part.guards if (inner := [i for i in order if i in g.free_symbols])}
    places = dict(zip(equation.indices, part.target.indices, strict=True))
    first = next((k for k, i in enumerate(order) if places.get(i) != i or i in confined), len(order))
    outer, inner = order[:first], order[first:]
    target = Entry(part.target.tensor, *equation.indices)
    filled = nested([i for i in equation.indices if i not in outer], Assign(equation, target, start, starts=True))
    return nested(outer, *filled, *bounded(inner, leaf, part.guards))


def _argmax(equation: Equation, target: Entry, body: Expr, place: int, bound: Sequence[Index]) -> tuple[Statement, ...]:
    """The bound indices run in their own order, so that the first of equal values wins."""
    best = Entry(Tensor(f"best_{target.tensor.name}", target.tensor.axes), *target.indices)
    starts = (Assign(equation, best, -sp.oo, starts=True), Assign(equation, target, sp.S.Zero, starts=True))
    value, guards = admitted(body)
    tracked = bounded(bound, Track(equation, (target,), best, value, (bound[place],)), guards)
    return nested(equation.indices, *starts, *tracked)


# -- nests ---------------------------------------------------------------------------------------------------------------


def _is_everywhere(part: Summand, equation: Equation) -> bool:
    """Whether a part gives one value to every entry of the target."""
    return _is_gathered(part, equation) and part.loops == equation.indices


def _in_variables(equation: Equation, parts: Sequence[Summand]) -> bool:
    """Whether every part is a sum for one entry of the target at a time, which a variable can hold."""
    for part in parts:
        order, count = order_of(part), len(equation.indices)
        if not _is_gathered(part, equation) or set(order[:count]) != set(equation.indices):
            return False
    return True


def _finishes(equation: Equation, value: Expr) -> bool:
    """Whether a value that reads the target's own entry is one assignment, so that the entry can be read before it is written."""
    return all(_is_everywhere(p, equation) for p in summands(equation.entry, value, equation.indices))


def _is_gathered(part: Summand, equation: Equation) -> bool:
    """Whether a part reaches every entry of the target, in the loops over the target's own indices."""
    return part.target.indices == equation.indices and not part.guards


def opened(binder: Binder, free: Sequence[Index]) -> tuple[Expr, tuple[Index, ...]]:
    """The body of a binder with readable indices that differ from those in use."""
    body, fresh = binder.open()
    taken = {i.label for i in (*free, *free_indices(binder))}
    named: list[Index] = []
    for index in fresh:
        label = unused(index.axis.name, taken, "'")
        named.append(index.axis.index(label))
    return body.xreplace(dict(zip(fresh, named, strict=True))), tuple(named)
