"""Loops over the same axis that follow one another become one loop, and arrays lose the axes that they then no longer need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from codegen.flat import unused
from codegen.loops import Access, Assign, Loop, Statement, Track, accesses, by_name, leaves, renamed, with_entries
from derive.index import Entry, Index, Tensor

# -- fusion --------------------------------------------------------------------------------------------------------------


def fused(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """The statements with neighbouring loops over one axis merged wherever every iteration still finds what it needs."""
    return _extended((), statements)


def _extended(done: Sequence[Statement], statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """More statements after those that are done; each may join one of them."""
    placed, starts = list(done), list[Statement]()
    for statement in statements:
        if all(isinstance(leaf, Assign) and leaf.starts for leaf in leaves(statement)):
            starts.append(statement)
        else:
            _place(placed, starts, statement)
            starts = []
    return (*placed, *starts)


def _place(done: list[Statement], starts: Sequence[Statement], new: Statement) -> None:
    """Put a statement, its starting assignments before it, into the latest loop that it may join; else append it.

    It passes, on its way up, statements that it has nothing to do with.
    """
    for k in range(len(done) - 1, -1, -1):
        earlier = done[k]
        joined = _joined(earlier, new)
        if joined is not None and not any(_touch(earlier, s) for s in starts):
            done[k : k + 1] = [*starts, joined]
            return
        if any(_touch(earlier, s) for s in (*starts, new)):
            break
    done += [*starts, new]


def _joined(first: Statement, second: Statement) -> Loop | None:
    """One loop in place of two, if they run over the same axis and every iteration still finds what it needs."""
    if not isinstance(first, Loop) or not isinstance(second, Loop):
        return None
    same = _with_index(second, first.index)
    if same is None or (same.low, same.high) != (first.low, first.high) or not _independent(first, same):
        return None
    return replace(first, body=_extended(first.body, same.body))


def _with_index(loop: Loop, index: Index) -> Loop | None:
    """The loop with another index on the same axis; None when the axes differ or the index is in use inside."""
    if loop.index.axis != index.axis:
        return None
    if loop.index == index:
        return loop
    if index in _loop_indices(loop):
        return None
    return replace(loop, index=index, body=tuple(renamed(s, loop.index, index) for s in loop.body))


def _loop_indices(statement: Statement) -> set[Index]:
    if not isinstance(statement, Loop):
        return set()
    return {statement.index}.union(*(_loop_indices(s) for s in statement.body))


def _independent(first: Loop, second: Loop) -> bool:
    """Whether the second loop's iterations need, of what the first one writes, only what the same iteration has written.

    That holds when all that both do to a tensor is accumulate, or when some position of every access is the loop's index.
    """
    before, after = by_name(first), by_name(second)
    for name in before.keys() & after.keys():
        every = (*before[name], *after[name])
        kinds = {a.kind for a in every}
        if kinds in ({"read"}, {"sum"}, {"max"}):
            continue
        if not any(all(a.indices[p] == first.index for a in every) for p in range(len(every[0].indices))):
            return False
    return True


def _touch(first: Statement, second: Statement) -> bool:
    """Whether two statements may not change places."""
    before, after = by_name(first), by_name(second)
    return any({a.kind for a in (*before[name], *after[name])} != {"read"} for name in before.keys() & after.keys())


# -- contraction ---------------------------------------------------------------------------------------------------------


def contracted(statements: Sequence[Statement], kept: Sequence[Tensor], taken: set[str]) -> tuple[Statement, ...]:
    """The statements with every array, those `kept` excepted, reduced to what one iteration of its common loops needs.

    A value that lives within one iteration of the loop over n needs no axis n. One that needs no axis at all is a variable, in lower
    case as the texts write the values of a single example; `taken` are the names that it must not have.
    """
    touched: dict[str, list[Access]] = {}
    for statement in statements:
        for access in accesses(statement):
            touched.setdefault(access.tensor.name, []).append(access)
    smaller: dict[str, tuple[Tensor, list[int]]] = {}
    for name, every in touched.items():
        tensor, keep = every[0].tensor, _needed_axes(every)
        if tensor not in kept and len(keep) < len(tensor.axes):
            new = unused(name.lower(), taken) if not keep and name.isupper() else name
            smaller[name] = Tensor(new, [tensor.axes[p] for p in keep], tensor.values, tensor.sign), keep

    def change(entry: Entry) -> Entry:
        new, keep = smaller.get(entry.tensor.name, (entry.tensor, range(len(entry.indices))))
        return Entry(new, *(entry.indices[p] for p in keep))

    return tuple(with_entries(s, change) for s in statements)


def _needed_axes(touched: Sequence[Access]) -> list[int]:
    """The axes that are not, in every access, the index of a loop that all accesses stand in."""
    common = list(touched[0].path)
    for access in touched[1:]:
        common = common[: sum(1 for _ in _same(common, access.path))]
    return [p for p in range(len(touched[0].indices)) if not any(all(a.indices[p] == loop.index for a in touched) for loop in common)]


def _same(first: Sequence[Loop], second: Sequence[Loop]) -> Iterable[Loop]:
    """The loops that two paths have in common, from the outermost."""
    for one, other in zip(first, second, strict=False):
        if one is not other:
            return
        yield one


# -- positions of maxima -------------------------------------------------------------------------------------------------


def tracked_once(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements with searches that follow one another for the largest of the same values made one.

    A window's largest entry has a position on each of its axes, each an equation of its own.
    """
    spare: set[str] = set()
    merged = tuple(_merged(s, spare) for s in statements)
    return tuple(kept for s in merged if (kept := _without(s, spare)) is not None)


def _merged(statement: Statement, spare: set[str]) -> Statement:
    if not isinstance(statement, Loop):
        return statement
    body: list[Statement] = []
    for inner in (_merged(s, spare) for s in statement.body):
        last = body[-1] if body else None
        if isinstance(inner, Track) and isinstance(last, Track) and (inner.value, inner.guards) == (last.value, last.guards):
            body[-1] = replace(last, targets=last.targets + inner.targets, positions=last.positions + inner.positions)
            spare.add(inner.best.tensor.name)
        else:
            body.append(inner)
    return replace(statement, body=tuple(body))


def _without(statement: Statement, spare: set[str]) -> Statement | None:
    """The statement without assignments to the tensors of these names."""
    if isinstance(statement, Loop):
        body = tuple(kept for s in statement.body if (kept := _without(s, spare)) is not None)
        return replace(statement, body=body) if body else None
    return None if isinstance(statement, Assign) and statement.target.tensor.name in spare else statement
