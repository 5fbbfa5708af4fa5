"""Short sums written out, and long ones taken several terms at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

import sympy as sp
from sympy import Basic, Expr

from codegen.loops import Accumulate, Assign, Loop, Statement, accesses, substituted
from codegen.summands import Summand, protection
from derive.index import Axis, Binder, Delta, Entry, Index, Indicator, Sum, Tensor, rewrite

WRITTEN = 8  # terms of a sum that are written out
TOGETHER = 4  # terms of a longer sum that are taken together


def written_out(e: Expr) -> Expr:
    """The expression with its short sums as additions, and labels of few values as choices: neither needs a loop or a jump in memory."""
    return rewrite(chosen(e), lambda part: additions(part) if isinstance(part, Sum) else None)


def chosen(e: Expr) -> Expr:
    """The expression with what labels select as choices, but for conditions: SymPy takes no choice in them."""
    if isinstance(e, Entry | Delta):
        return _choice(e) or e
    if isinstance(e, Binder):
        body, indices = e.open()
        return e.bind(chosen(body), indices)
    if isinstance(e, sp.Piecewise):
        return sp.Piecewise(*((chosen(value), test) for value, test in e.args))
    return e.func(*map(chosen, e.args)) if e.args else e


def _choice(e: Entry | Delta) -> Expr | None:
    """What a label of few values selects: `Z[0] if y == 0 else Z[1]` for Z[y], `1 if y == c else 0` for [y = c]."""
    label = next((a for a in (e.indices if isinstance(e, Entry) else e.args) if _of_few(a)), None)
    if label is None or label.tensor.values is None:
        return None
    if isinstance(e, Entry) and (label.tensor.axes[-1] not in e.tensor.axes or (label.tensor.values.extent or 0) > TOGETHER):
        return None  # a read from a table, or one of many
    if isinstance(e, Delta):
        other = next(a for a in e.args if a != label)
        return None if other.has(Entry) else sp.Piecewise((sp.S.One, sp.Eq(label, other, evaluate=False)), (sp.S.Zero, True))
    count = label.tensor.values.extent or 1
    values = [e.func(e.tensor, *(sp.Integer(k) if i == label else i for i in e.indices)) for k in range(count)]
    tested = [(v, sp.Eq(label, sp.Integer(k), evaluate=False)) for k, v in enumerate(values[:-1])]
    return sp.Piecewise(*tested, (values[-1], True))


def _of_few(e: Basic) -> TypeGuard[Entry]:
    return isinstance(e, Entry) and e.tensor.values is not None and 1 < (e.tensor.values.extent or 0) <= WRITTEN


def additions(e: Sum) -> Expr | None:
    """A short sum as additions; None for any other."""
    body, indices = e.open()
    extents = [i.axis.extent for i in indices]
    if any(extent is None for extent in extents) or body.has(Indicator, Sum) or protection(body):
        return None
    known = [extent for extent in extents if extent is not None]
    if math.prod(known) > WRITTEN:
        return None
    places = itertools.product(*map(range, known))
    return sp.Add(*[body.xreplace(dict(zip(indices, map(sp.Integer, place), strict=True))) for place in places])


def side_by_side(part: Summand) -> list[Summand]:
    """A sum for each position of a short axis of its target, so that all are added to in one loop."""
    short = [i for i in part.loops if i in part.target.indices and (i.axis.extent or WRITTEN) <= TOGETHER]
    if not short or part.guards:
        return [part]
    index = min(short, key=lambda i: (i.axis.extent or 0, part.loops.index(i)))
    return [part.put(index, sp.Integer(place)) for place in range(index.axis.extent or 0)]


def together(statements: Sequence[Statement], inside: Axis) -> tuple[Statement, ...]:
    """The statements with loops that add one term at a time, over and over for all examples of a block, adding several at a time."""
    return tuple(s for statement in statements for s in _together(statement, inside))


def _together(statement: Statement, inside: Axis) -> tuple[Statement, ...]:
    if not isinstance(statement, Loop):
        return (statement,)
    if statement.index.axis == inside:
        return (statement,)
    adds = _adds(statement, inside)
    if adds is None:
        return (replace(statement, body=together(statement.body, inside)),)
    extent, step = statement.index.axis.extent or 0, _step(statement.index.axis.extent or 0)
    whole = extent - extent % step
    done = (_several(statement, adds, step, whole),)
    return done if whole == extent else (*done, replace(statement, low=(sp.Integer(whole),)))


def _step(extent: int) -> int:
    """How many terms are taken together."""
    return next((k for k in range(TOGETHER, 2, -1) if extent % k == 0), TOGETHER)


def _adds(loop: Loop, inside: Axis) -> Loop | None:
    """The loop over examples in a loop that does nothing but add to sums in it, which variables hold or which do not depend on the loop."""
    if loop.low or loop.high or loop.index.axis.extent is None or loop.index.axis.extent < TOGETHER:
        return None
    inner = [s for s in loop.body if isinstance(s, Loop)]
    if len(inner) != 1 or inner[0].index.axis != inside or inner[0].low or inner[0].high:
        return None
    (adds,) = inner
    variables = {s.target.tensor for s in loop.body if isinstance(s, Assign) and not s.target.indices}
    for leaf in loop.body:
        if not isinstance(leaf, Loop) and not (isinstance(leaf, Assign) and not leaf.guards and not leaf.value.has(sp.Piecewise)):
            return None
    for leaf in adds.body:
        if not isinstance(leaf, Accumulate) or leaf.operation != "sum" or leaf.guards or leaf.value.has(Indicator, sp.Piecewise):
            return None
        if leaf.target.tensor not in variables and (leaf.target.has(loop.index) or not leaf.target.indices):
            return None
    read = {a.tensor for a in accesses(adds) if a.kind == "read"}
    written = {leaf.target.tensor for leaf in adds.body if isinstance(leaf, Accumulate)}
    return None if read & (written | variables) else adds


def _several(loop: Loop, adds: Loop, step: int, whole: int) -> Loop:
    """The loop in steps: variables once for each term, sums that do not depend on the loop with all terms in one addition."""
    variables = list(dict.fromkeys(s.target.tensor for s in loop.body if isinstance(s, Assign) and not s.target.indices))
    copies = [_copy(loop.body, loop.index, k, variables) for k in range(step)]
    k = next(k for k, s in enumerate(loop.body) if isinstance(s, Loop))
    inner: list[Statement] = []
    for position, leaf in enumerate(adds.body):
        same: list[Accumulate] = []
        for copy in copies:
            copied = copy[k]
            assert isinstance(copied, Loop)
            made = copied.body[position]
            assert isinstance(made, Accumulate)
            same.append(made)
        assert isinstance(leaf, Accumulate)
        if leaf.target.tensor in variables:
            inner += same
        else:
            inner.append(replace(same[0], value=sp.Add(*[s.value for s in same])))
    before = [s for copy in copies for s in copy[:k]]
    after = [s for copy in copies for s in copy[k + 1 :]]
    high = () if whole == loop.index.axis.extent else (sp.Integer(whole),)
    return replace(loop, body=(*before, replace(adds, body=tuple(inner)), *after), high=high, step=step)


def _copy(body: Sequence[Statement], index: Index, k: int, variables: Sequence[Tensor]) -> list[Statement]:
    """The body at the k-th position after the index, with its own variables."""
    own = {Entry(t): Entry(Tensor(f"{t.name}_{k}")) for t in variables}
    return [substituted(s, lambda e: e.xreplace({**own, index: index + k})) for s in body]
