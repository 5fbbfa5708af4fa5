"""Sums over the examples of a block with features side by side instead of examples.

With examples side by side, a sum over them ends in adding up the numbers of a vector, for every sum alone: with 82 sums and 32 examples, a
third of a step. With features side by side, dW1[j] for all j is a vector or two, which stays in registers while one example after the other
is added. What the sums read for every feature and example must be had without a read across memory: it is computed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr

from codegen.flat import unused
from codegen.loops import Accumulate, Assign, Loop, Statement, accesses, entries, substituted
from derive.index import Axis, Entry, Index, Tensor

LANES = 16  # features in a vector of 512 bits of float32, in float64 in two: their number is a multiple; LLVM unrolls a loop over fewer
HELD = 80  # numbers of all sums, which 32 registers of that length hold beside what they are computed from


def by_feature(statements: Sequence[Statement], given: Sequence[Tensor], inside: Axis, taken: set[str]) -> dict[int, tuple[Statement, ...]]:
    """What stands in place of some statements of a block, by their number, where its examples fill the processor's widest vectors.

    given: parameters and data, which no statement changes. inside: the axis of the examples of a block. taken: names that new variables
    must not have; those of new ones join them.
    """
    found: dict[int, tuple[Statement, ...]] = {}
    for k, statement in enumerate(statements):
        sums = _sums(statement, inside)
        again = _again(sums, statements[:k], given, inside) if sums is not None else None
        if sums is not None and again is not None:
            found[k] = tuple(_turned(sums, again, taken))
    return found


# -- what can be turned ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """Sums over the examples n for each of the features j: a loop over j, in it one over n, with each sum in a variable."""

    feature: Index
    example: Index
    targets: Mapping[Entry, Assign]  # by the variables, the assignments that store them in the end
    body: tuple[Assign | Accumulate, ...]


def _sums(statement: Statement, inside: Axis) -> _Sums | None:
    """The sums that a statement is, if it is nothing else."""
    outer, inner = _nest(statement, inside)
    if outer is None or inner is None or (outer.index.axis.extent or 1) % LANES:
        return None
    k = outer.body.index(inner)
    starts = {s.target: s.value for s in outer.body[:k] if isinstance(s, Assign)}
    ends = {s.value: s for s in outer.body[k + 1 :] if isinstance(s, Assign) and isinstance(s.value, Entry)}
    targets = {variable: end for variable, end in ends.items() if starts.get(variable) == end.target}
    if not targets or len(targets) != k or len(outer.body) != 2 * k + 1 or len(targets) * (outer.index.axis.extent or 0) > HELD:
        return None
    body: list[Assign | Accumulate] = []
    for leaf in inner.body:
        if isinstance(leaf, Accumulate) and leaf.operation == "sum" and leaf.target in targets and not leaf.guards:
            body.append(replace(leaf, reordered=False))
        elif isinstance(leaf, Assign) and not leaf.target.indices and not leaf.guards:
            body.append(leaf)
        else:
            return None
    return _Sums(outer.index, inner.index, targets, tuple(body))


def _nest(statement: Statement, inside: Axis) -> tuple[Loop | None, Loop | None]:
    """A loop over an axis of known extent and the one loop in it, which runs over the examples."""
    if not isinstance(statement, Loop) or statement.index.axis.extent is None or statement.low or statement.high or statement.step > 1:
        return None, None
    loops = [s for s in statement.body if isinstance(s, Loop)]
    if len(loops) != 1 or loops[0].index.axis != inside or loops[0].low or loops[0].high:
        return None, None
    return statement, loops[0]


def _again(sums: _Sums, before: Sequence[Statement], given: Sequence[Tensor], inside: Axis) -> tuple[Assign, ...] | None:
    """The assignments that compute what the sums read for every feature and example; None where this cannot be or takes too long."""
    read = [e for leaf in sums.body for e in entries(leaf.value)]
    across = dict.fromkeys(e for e in read if sums.feature in e.indices and sums.example in e.indices)
    done: list[Assign] = []
    for entry in across:
        steps = _steps(entry, sums, before, given, inside)
        if steps is None:
            return None
        done += [s for s in steps if s not in done]
    return tuple(done)


def _steps(entry: Entry, sums: _Sums, before: Sequence[Statement], given: Sequence[Tensor], inside: Axis) -> tuple[Assign, ...] | None:
    """The assignments that compute an array's entry from what is given, by additions, multiplications and choices alone."""
    places = [s for s in before if any(a.tensor == entry.tensor and a.kind != "read" for a in accesses(s))]
    outer, inner = _nest(places[0], inside) if len(places) == 1 else (None, None)
    if outer is None or inner is None or outer.index.axis != sums.feature.axis:
        return None
    indices = {outer.index: sums.feature, inner.index: sums.example}
    steps: list[Assign] = []
    for leaf in inner.body:
        if isinstance(leaf, Assign) and not leaf.guards and (not leaf.target.indices or leaf.target.tensor == entry.tensor):
            moved = substituted(leaf, lambda e: e.xreplace(indices))
            assert isinstance(moved, Assign)
            steps.append(moved)
    computed: set[Entry] = set()
    for step in steps:
        if not _cheap(step.value) or not all(e in computed or e.tensor in given for e in entries(step.value)):
            return None
        computed.add(step.target)
        if step.target == entry:
            return tuple(steps[: steps.index(step) + 1])
    return None


def _cheap(e: Expr) -> bool:
    """Whether an expression takes additions, multiplications and choices alone."""
    if isinstance(e, Entry) or e.is_number:
        return True
    if isinstance(e, sp.Piecewise):
        sides = [side for _, test in e.args for side in test.args if isinstance(side, Expr)]
        return all(map(_cheap, (*sides, *(value for value, _ in e.args))))
    return bool(e.is_Add or e.is_Mul) and all(map(_cheap, e.args))


# -- turned ----------------------------------------------------------------------------------------------------------------


def _turned(sums: _Sums, again: Sequence[Assign], taken: set[str]) -> Iterator[Statement]:
    """The sums in arrays of a number for each feature, which start at 0 and are added to the targets in the end."""
    j = sums.feature
    new: dict[Entry, Entry] = {}
    for variable in sums.targets:
        new[variable] = Entry(Tensor(unused(variable.tensor.name.replace("sum_", "sums_", 1), taken), [j.axis]), j)
    for step in again:
        name = step.target.tensor.name
        new[step.target] = Entry(Tensor(unused(name.lower() if name.isupper() else name, taken)))
    yield Loop(j, tuple(Assign(end.equation, new[variable], sp.S.Zero, starts=True) for variable, end in sums.targets.items()))
    body = tuple(substituted(leaf, lambda e: e.xreplace(new)) for leaf in (*again, *sums.body))
    yield Loop(sums.example, (Loop(j, body),))
    yield Loop(j, tuple(Accumulate(end.equation, end.target, "sum", new[variable]) for variable, end in sums.targets.items()))
