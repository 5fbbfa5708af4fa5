"""Why the statements of a kernel compute an equation as they do: read off the finished statements."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import sympy as sp
from sympy import Expr

from codegen.blocks import CALL_PAYS, SIZES, whole_product
from codegen.by_feature import HELD, LANES
from codegen.elementary import LogOfProduct
from codegen.loops import Accumulate, Assign, Demand, Loop, MatrixProduct, Track, targets
from codegen.order import UNROLLED
from codegen.placed import Key, Placed, computing, labels
from codegen.products import FEWEST, PRODUCT_EXTENTS, THREADED, known_extents, threaded_from, tiled_from
from codegen.short import FEW, sums_a_function
from codegen.unroll import WRITTEN, additions, chosen
from codegen.wide import WIDE, wide
from derive.index import Entry, Index, Sum, free_indices
from derive.program import Equation
from derive.text import letters


def reasons(equation: Equation, own: Sequence[Placed], shared: Mapping[int, list[Key]], blocks: bool) -> tuple[str, ...]:
    """Why an equation is computed as it is, a sentence each."""
    every = [
        *_parts(own),
        *_product(equation, own, CALL_PAYS if blocks else PRODUCT_EXTENTS),
        *(_written(equation) if blocks else ()),
        *_innermost(equation, own, blocks),
        *_shared(own, shared),
        *_sums(own),
        *_side_by_side(equation, own),
        *_divided(equation, own),
        *_smaller(equation, own),
        *_apart(own, shared),
        *_one_exponential(own),
        *_by_feature(own),
        *_guarded(own),
        *_read_off(equation, own),
        *(() if blocks else _wide(own)),
    ]
    return tuple(dict.fromkeys(every))


def _parts(own: Sequence[Placed]) -> Iterator[str]:
    parts = list(dict.fromkeys(p.part for p in own if p.part not in ("wide", "again")))
    match parts:
        case ["before"]:
            yield "once, before the blocks: it needs no example"
        case ["after"]:
            yield "once, after the blocks: it needs sums over all examples"
        case ["before", *_]:
            yield "a sum over all examples: it starts before the blocks, every block adds to it"
        case ["block", "after"]:
            yield "a sum over all examples: every block adds to it, and it is finished after the blocks"
        case _:
            pass


def _product(equation: Equation, own: Sequence[Placed], fewest: int) -> Iterator[str]:
    """Why one call for the whole batch, or why not, and what it calls."""
    calls = [p.leaf for p in own if isinstance(p.leaf, MatrixProduct)]
    for call in calls:
        tiled, threaded = tiled_from(call), threaded_from(call)
        yield f"by one call: {_entries(call)}, at least {fewest}"
        if tiled is None:
            yield f"by BLAS: fewer than {FEWEST} rows or columns"
        elif tiled > 1:
            yield f"in tiles from {tiled} examples on, for fewer by BLAS: {FEWEST} rows and columns or more"
        else:
            yield f"in tiles: {FEWEST} rows and columns or more"
        if threaded is not None:
            yield f"by several threads from {threaded} examples on: {THREADED} multiplications and more"
    small = None if calls else whole_product(equation, 1)
    if small is not None:
        count = math.prod(known_extents(small))
        few = f"fewer than {fewest}" if count < fewest else "but it is a factor or a term of more"
        yield f"not by one call: {_entries(small)}, {few}"


def _entries(product: MatrixProduct) -> str:
    known = known_extents(product)
    return f"{' x '.join(map(str, known))} = {math.prod(known)} known entries" if len(known) > 1 else f"{math.prod(known)} known entries"


def _written(equation: Equation) -> Iterator[str]:
    """What of the body a block has without loops or jumps in memory."""
    body = chosen(equation.body)
    if body != equation.body:
        yield "labels of few values are choices, not places in memory"
    for e in sorted(body.atoms(Sum), key=str):
        written = additions(e)
        if written is not None:
            names = letters(e.bound, {i.label for i in (*equation.indices, *free_indices(e))}, "'")
            terms = math.prod(i.axis.extent or 1 for i in e.bound)
            yield f"sum over {', '.join(names.values())} written out: {terms} term{'s' if terms > 1 else ''}, at most {WRITTEN}"


def _innermost(equation: Equation, own: Sequence[Placed], blocks: bool) -> Iterator[str]:
    for place in computing(own):
        if not place.path:
            continue
        index = place.path[-1].index
        if blocks and index.axis.extent is None:
            yield f"{index.label} innermost: the examples of a block, side by side in memory"
            continue
        held = [e.indices for e in place.leaf.touched if any(index in i.free_symbols for i in e.indices)]
        along = sum(not any(index in i.free_symbols for i in indices[:-1]) for indices in held)
        bound = [loop.index for loop in place.path if loop.index not in equation.indices]
        terms = math.prod(i.axis.extent or UNROLLED + 1 for i in bound)
        if held and along == len(held):
            yield f"{index.label} innermost: it runs along memory wherever it stands"
        elif index in bound and terms <= UNROLLED:
            yield f"{index.label} innermost: {terms} terms, at most {UNROLLED}, which the compiler writes out"
        elif held:
            yield f"{index.label} innermost: it runs along memory in {along} of {len(held)} places"


def _shared(own: Sequence[Placed], shared: Mapping[int, list[Key]]) -> Iterator[str]:
    """The loops that an equation has in common with others; of loops shared with the same ones, the innermost stands for all."""
    for place in computing(own):
        found: dict[tuple[str, ...], list[Loop]] = {}
        for loop in place.path:
            others = tuple(dict.fromkeys(f"({number})" for number, name in shared[id(loop)] if (number, name) != place.key))
            if others:
                found.setdefault(others, []).append(loop)
        for others, loops in found.items():
            yield f"loop{'s' if len(loops) > 1 else ''} over {labels(loops)} shared with {', '.join(others)}"


def _sums(own: Sequence[Placed]) -> Iterator[str]:
    for place in own:
        leaf = place.leaf
        if not isinstance(leaf, Accumulate):
            continue
        held = bool(place.path) and not leaf.target.indices
        over = [loop for loop in place.path[_outside(place, own) :] if loop.index not in leaf.target.free_symbols]
        summed = labels(over)
        what = {"sum": "sum", "product": "product", "max": "maximum"}[leaf.operation]
        if summed:
            yield f"{what} over {summed}: {'kept in a variable' if held else 'kept in an array'}"
        for loop in place.path:
            if loop.step > 1:
                yield f"loop over {loop.index.label}: {loop.step} terms at a time"
        if leaf.reordered:
            taken, parts = ("added", "terms") if leaf.operation == "sum" else ("multiplied", "factors")
            yield f"{what} over {place.path[-1].index.label}: {taken} in any order, so that a processor can take several {parts} at a time"
        if any(not isinstance(i, Index) and not i.is_number for i in leaf.target.indices):
            yield f"added at computed positions {leaf.target}, without a test of every position"


def _outside(place: Placed, own: Sequence[Placed]) -> int:
    """How many of the loops around an accumulation are around the start and the use of what it adds to as well: it sums over the rest."""
    tensor = targets(place.leaf)[0].tensor
    other = [p.path for p in own if not isinstance(p.leaf, Accumulate) and any(a.tensor == tensor for a in p.leaf.touched)]
    common = [sum(one is two for one, two in zip(place.path, path, strict=False)) for path in other]
    return min(common, default=0)


def _side_by_side(equation: Equation, own: Sequence[Placed]) -> Iterator[str]:
    """A sum for each position of a short axis."""
    leaves = [p.leaf for p in own if isinstance(p.leaf, Accumulate)]
    every = [t.indices for leaf in leaves for t in targets(leaf) if t.tensor.name == equation.tensor.name]
    for k, axis in enumerate(equation.tensor.axes):
        places = {indices[k] for indices in every if k < len(indices) and indices[k].is_number}
        if len(places) > 1:
            yield f"{len(places)} sums in one loop, one for each position of {axis.name}"


def _divided(equation: Equation, own: Sequence[Placed]) -> Iterator[str]:
    """An array of a few numbers for each example that became one array, or variable, for each of them."""
    name = equation.tensor.name
    found = {t.tensor.name for p in own for t in targets(p.leaf) if re.fullmatch(rf"({name}|{name.lower()})(_\d+)+_*", t.tensor.name)}
    if found:
        variables = not any(t.indices for p in own for t in targets(p.leaf) if t.tensor.name in found)
        what = "a variable" if variables else "an array"
        yield f"{name}: {what} for each of {len(found)} numbers of an example, at most {FEW}, and no loop over them"


def _apart(own: Sequence[Placed], shared: Mapping[int, list[Key]]) -> Iterator[str]:
    """A sum of elementary functions in a loop of its own."""
    for place in own:
        if place.part == "block" and sums_a_function(place.leaf) and len(shared[id(place.path[-1])]) == 1:
            yield "a sum of elementary functions, which nothing waits for: in a loop of its own"
        if isinstance(place.leaf, Accumulate) and place.leaf.value.has(LogOfProduct):
            yield "logarithms of the examples of a block as one, of their product in float64: each is of a number of at least 1"


def _one_exponential(own: Sequence[Placed]) -> Iterator[str]:
    """Two exponentials of which one is 1."""
    calls = [p.leaf.value for p in own if isinstance(p.leaf, Assign) and isinstance(p.leaf.value, sp.exp)]
    chosen = [v for p in own if isinstance(p.leaf, Assign) and isinstance(v := p.leaf.value, sp.Piecewise) and v.args[0][0] == 1]
    if len(calls) == 1 and len(chosen) == 2 and calls[0].args[0].is_Add:
        yield "one of its two exponents is 0, where it is 1: one exponential, of the sum of both exponents"


def _by_feature(own: Sequence[Placed]) -> Iterator[str]:
    """Sums over the examples with features side by side."""
    for place in own:
        if place.part in ("wide", "again") and len(place.path) == 2:
            loop = place.path[-1]
            shown = f"{loop.index.axis.extent} of {loop.index.label} side by side, a multiple of {LANES}"
            yield f"in blocks of {SIZES[0]} and more, {shown}: all sums of the loop, at most {HELD} numbers, stay in registers"
            if place.part == "again":
                yield "computed again for these sums, which would read it across memory"


def _smaller(equation: Equation, own: Sequence[Placed]) -> Iterator[str]:
    """What became of the array, where one iteration needs less than the whole."""
    for place in [p for p in own if p.part != "again"]:
        for target in targets(place.leaf):
            tensor, whole = target.tensor, equation.tensor
            if tensor.name.rstrip("_") not in (whole.name, whole.name.lower()) or len(tensor.axes) >= len(whole.axes):
                continue
            axes = ", ".join(a.name for a in tensor.axes)
            yield f"{whole.name} is an array of {axes} alone" if axes else f"{whole.name} is a variable, no array"


def _guarded(own: Sequence[Placed]) -> Iterator[str]:
    for place in own:
        bounded = [loop.index.label for loop in place.path if (loop.low or loop.high) and loop.step == 1 and _depends(loop)]
        if bounded:
            yield f"conditions are bounds of the loop over {', '.join(bounded)}"
        if not isinstance(place.leaf, Demand | MatrixProduct) and place.leaf.guards:
            yield "conditions are tested before the read"
        if isinstance(place.leaf, Track):
            yield "the position of the largest value, the first of equal ones"
        if isinstance(place.leaf, Demand):
            yield f"checked: {place.leaf.low} to {place.leaf.high}"


def _read_off(equation: Equation, own: Sequence[Placed]) -> Iterator[str]:
    """Conditions on another value than the equation has them on."""
    stated = list(_bounded([equation.body]))
    names = {entry.tensor.name for entry, _ in stated}
    for after, bound in _bounded([p.leaf.value for p in own if isinstance(p.leaf, Assign | Accumulate)]):
        for before, same in stated:
            if after.indices and (after.indices, bound) == (before.indices, same) and after.tensor.name not in names:
                yield f"its condition is read off {after.tensor.name}, which is at most {bound} where {before.tensor.name} is"


def _bounded(values: Sequence[Expr]) -> Iterator[tuple[Entry, Expr]]:
    """The entries that conditions compare with a bound from above."""
    for value in values:
        for c in sorted(value.atoms(sp.Le), key=str):
            if isinstance(c.lhs, Entry):
                yield c.lhs, c.rhs


def _wide(own: Sequence[Placed]) -> Iterator[str]:
    if any(wide(p.leaf, p.path) for p in own):
        yield f"by vectors of 512 bits, where the processor has them: elementary functions of {WIDE} numbers or more side by side"


def _depends(loop: Loop) -> bool:
    return any(not e.is_number for e in (*loop.low, *loop.high))
