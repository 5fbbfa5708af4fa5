"""Walking and rewriting index expressions without capturing an index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp
from sympy import Expr

from derive.index.binders import Binder
from derive.index.entries import Axis, Entry, Index, Size, Tensor


def rewrite(e: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Replace nodes from the leaves up, opening every binder with fresh indices; `change` returns None to keep."""
    if isinstance(e, Binder):
        body, indices = e.open()
        new = rewrite(body, change)
        if new != body:
            e = e.bind(new, indices)
    elif e.args and not isinstance(e, Entry):
        args = [rewrite(a, change) for a in e.args]
        if any(new is not old for new, old in zip(args, e.args, strict=True)):
            e = e.func(*args)
    elif isinstance(e, Entry):
        args = [rewrite(i, change) for i in e.indices]
        if any(new is not old for new, old in zip(args, e.indices, strict=True)):
            e = Entry(e.tensor, *args)
    changed = change(e)
    return e if changed is None else changed


def tensors(e: Expr) -> tuple[Tensor, ...]:
    """The tensors of an expression, in the order of first occurrence, labels included."""
    return tuple(dict.fromkeys(a.tensor for a in sp.preorder_traversal(e) if isinstance(a, Entry)))


def inline(e: Expr, tensor: Tensor, indices: Sequence[Index], body: Expr) -> Expr:
    """Put a definition `tensor[indices] = body` in place of every entry of the tensor."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Entry) and node.tensor == tensor:
            return body.xreplace(dict(zip(indices, node.indices, strict=True)))
        return None

    return rewrite(e, change)


def free_indices(e: Expr) -> tuple[Index, ...]:
    """The free indices of an expression in a fixed order."""
    found = [s for s in e.free_symbols if isinstance(s, Index)]
    return tuple(sorted(found, key=lambda i: (i.serial, i.label, i.axis.key)))


def rename(e: Expr, tensors: Mapping[Tensor, Tensor], axes: Mapping[Axis, Axis]) -> Expr:
    """The same expression over other tensors and other axes (both maps one to one); an index keeps its primes and its serial."""
    return renaming(tensors, axes)(e)


def renaming(tensors: Mapping[Tensor, Tensor], axes: Mapping[Axis, Axis]) -> Callable[[Expr], Expr]:
    """What `rename` does with some tensors and axes, for many expressions: what occurs in several of them is renamed once."""
    known: dict[Expr, Expr] = {}

    def go(e: Expr) -> Expr:
        if not e.args and not isinstance(e, Index | Size):
            return e
        found = known.get(e)
        if found is None:
            found = known[e] = renamed(e)
        return found

    def renamed(e: Expr) -> Expr:
        if isinstance(e, Index):
            axis = axes.get(e.axis, e.axis)
            return Index(e.label.replace(e.axis.name, axis.name, 1), axis, e.serial)
        if isinstance(e, Size):
            return axes.get(e.axis, e.axis).count
        if isinstance(e, Entry):
            return Entry(tensors.get(e.tensor, e.tensor), *map(go, e.indices))
        if isinstance(e, Binder):
            body, indices = e.open()
            return e.bind(go(body), [i for i in map(go, indices) if isinstance(i, Index)])
        return e.func(*map(go, e.args))

    return go
