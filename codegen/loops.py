"""The imperative tree between equations and text: loops over indices, assignments, accumulations, matrix products.

Leaves hold SymPy expressions whose free indices are the loops around them, and know the equation that they implement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from sympy import Basic, Expr

from derive.index import Entry, Index, Tensor
from derive.program import Equation

Operation = Literal["sum", "product", "max"]


class _Touching:
    """What every leaf knows of itself, computed once."""

    @cached_property
    def touched(self) -> tuple[Access, ...]:
        """What the leaf reads and writes."""
        assert isinstance(self, Assign | Accumulate | Track | Demand | MatrixProduct)
        kind = self.operation if isinstance(self, Accumulate) else "write"
        read = [e for t in targets(self) for i in t.indices for e in entries(i)] + [
            e for value in (*expressions(self), *guards(self)) for e in entries(value)
        ]
        return (*(Access(t.tensor, t.indices, kind) for t in targets(self)), *(Access(e.tensor, e.indices, "read") for e in read))


@dataclass(frozen=True)
class Assign(_Touching):
    """target = value where the guards hold.

    A starting assignment gives an accumulation its first value; it may move up past what does not touch it.
    """

    equation: Equation
    target: Entry
    value: Expr
    starts: bool = False
    guards: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Accumulate(_Touching):
    """target = target + value, their product, or the larger of the two (NaN if either is), where the guards hold.

    reordered: the terms of the sum, or factors, may be taken in any order, so that a processor can take several at a time.
    """

    equation: Equation
    target: Entry
    operation: Operation
    value: Expr
    reordered: bool = False
    guards: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Track(_Touching):
    """Where the guards hold and value > best: best = value, and each target = its position. The first of equal values wins."""

    equation: Equation
    targets: tuple[Entry, ...]
    best: Entry
    value: Expr
    positions: tuple[Index, ...]
    guards: tuple[Expr, ...] = ()


@dataclass(frozen=True)
class Demand(_Touching):
    """An error unless low <= value <= high (NaN passes)."""

    equation: Equation
    value: Entry
    low: int
    high: int
    why: str


@dataclass(frozen=True)
class MatrixProduct(_Touching):
    """out[a,b] = sum_k left right, all of them whole arrays; the indices say which of the factors is transposed.

    a is the first `rows` indices of out, k is `inner` indices: an array of more than two axes is a matrix of neighbouring ones merged.
    descends: out is what descent changes, out <- keep out + add * product.
    """

    equation: Equation
    out: Entry
    left: Entry
    right: Entry
    rows: int = 1
    inner: int = 1
    descends: bool = False


Leaf = Assign | Accumulate | Track | Demand | MatrixProduct


@dataclass(frozen=True)
class Loop:
    """The body for every `step`-th position of an index on its axis, from the largest of `low` up to, but without, the smallest of `high`.

    Bounds are index expressions of the loops around, without labels.
    """

    index: Index
    body: tuple[Statement, ...]
    low: tuple[Expr, ...] = ()
    high: tuple[Expr, ...] = ()
    step: int = 1


Statement = Loop | Leaf


@dataclass(frozen=True)
class Access:
    """One reading or writing of a tensor, below the loops of `path`."""

    tensor: Tensor
    indices: tuple[Expr, ...]
    kind: Literal["read", "write", "sum", "product", "max"]
    path: tuple[Loop, ...] = ()


def nested(indices: Sequence[Index], *body: Statement) -> tuple[Statement, ...]:
    """Loops over the indices, the first outermost."""
    for index in reversed(indices):
        body = (Loop(index, body),)
    return body


def leaves(statement: Statement) -> Iterator[Leaf]:
    """The leaves below a statement, in order."""
    if isinstance(statement, Loop):
        for inner in statement.body:
            yield from leaves(inner)
    else:
        yield statement


def expressions(leaf: Leaf) -> tuple[Expr, ...]:
    """What a leaf reads as values."""
    if isinstance(leaf, MatrixProduct):
        return (leaf.left, leaf.right)
    if isinstance(leaf, Track):
        return (leaf.value, leaf.best)
    return (leaf.value,)


def targets(leaf: Leaf) -> tuple[Entry, ...]:
    """What a leaf writes."""
    if isinstance(leaf, Demand):
        return ()
    if isinstance(leaf, MatrixProduct):
        return (leaf.out,)
    return (*leaf.targets, leaf.best) if isinstance(leaf, Track) else (leaf.target,)


def guards(leaf: Leaf) -> tuple[Expr, ...]:
    """The conditions under which a leaf does anything."""
    return () if isinstance(leaf, Demand | MatrixProduct) else leaf.guards


def entries(e: Basic) -> Iterator[Entry]:
    """The entries in an expression, those inside index expressions included."""
    if isinstance(e, Entry):
        yield e
    for arg in e.args:
        yield from entries(arg)


def accesses(statement: Statement, path: tuple[Loop, ...] = ()) -> Iterator[Access]:
    """Everything that a statement reads and writes."""
    if isinstance(statement, Loop):
        for inner in statement.body:
            yield from accesses(inner, (*path, statement))
        return
    for access in statement.touched:
        yield Access(access.tensor, access.indices, access.kind, path) if path else access


def by_name(statement: Statement) -> Mapping[str, list[Access]]:
    """What a statement reads and writes, by the tensor's name, without the paths."""
    found: dict[str, list[Access]] = {}
    for leaf in leaves(statement):
        for access in leaf.touched:
            found.setdefault(access.tensor.name, []).append(access)
    return found


def substituted(statement: Statement, change: Callable[[Expr], Expr]) -> Statement:
    """The statement with every expression in it, targets included, changed; loops keep their indices."""
    if isinstance(statement, Loop):
        low, high = (tuple(change(e) for e in bound) for bound in (statement.low, statement.high))
        return Loop(statement.index, tuple(substituted(s, change) for s in statement.body), low, high, statement.step)
    if isinstance(statement, MatrixProduct):
        return replace(
            statement, out=_entry(change(statement.out)), left=_entry(change(statement.left)), right=_entry(change(statement.right))
        )
    if isinstance(statement, Demand):
        return replace(statement, value=_entry(change(statement.value)))
    kept = tuple(change(g) for g in statement.guards)
    if isinstance(statement, Track):
        tracked = tuple(_entry(change(t)) for t in statement.targets)
        positions = tuple(_index(change(p)) for p in statement.positions)
        return Track(statement.equation, tracked, _entry(change(statement.best)), change(statement.value), positions, kept)
    return replace(statement, target=_entry(change(statement.target)), value=change(statement.value), guards=kept)


def renamed(statement: Statement, old: Index, new: Index) -> Statement:
    """The statement with one free index for another."""
    return substituted(statement, lambda e: e.xreplace({old: new}))


def with_entries(statement: Statement, change: Callable[[Entry], Entry]) -> Statement:
    """The statement with every entry changed, those inside index expressions first."""

    def changed(e: Expr) -> Expr:
        rule: dict[Basic, Basic] = {}
        for entry in entries(e):
            inner = Entry(entry.tensor, *(changed(i) for i in entry.indices))
            rule[entry] = change(inner)
        return e.xreplace(rule)

    return substituted(statement, changed)


def _entry(e: Expr) -> Entry:
    assert isinstance(e, Entry)
    return e


def _index(e: Expr) -> Index:
    assert isinstance(e, Index)
    return e
