"""Loops over the same axis that follow one another become one loop, and arrays lose the axes that they then no longer need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from codegen.flat import unused
from codegen.loops import Access, Accumulate, Assign, Leaf, Loop, Statement, accesses, by_name, leaves, renamed, with_entries
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


# -- registers -----------------------------------------------------------------------------------------------------------


def in_registers(statements: Sequence[Statement], taken: set[str]) -> tuple[Statement, ...]:
    """The statements with sums that a loop adds to one array entry held in a variable meanwhile.

    Without it a compiler must store the entry in every iteration, since it cannot know that no array overlaps another.
    """
    done: list[Statement] = []
    for statement in statements:
        if not isinstance(statement, Loop):
            done.append(statement)
            continue
        statement = replace(statement, body=in_registers(statement.body, taken))
        after: list[Statement] = []
        for leaf in [s for s in statement.body if isinstance(s, Accumulate)]:
            if not leaf.target.indices or statement.index in leaf.target.free_symbols or not _only(leaf, statement):
                continue
            held = Entry(Tensor(unused(f"{leaf.operation}_{leaf.target.tensor.name}", taken)))
            statement = replace(statement, body=tuple(replace(s, target=held) if s == leaf else s for s in statement.body))
            _hold(done, leaf, held)
            after.append(Assign(leaf.equation, leaf.target, held))
        done += [statement, *after]
    return tuple(done)


def _only(leaf: Accumulate, loop: Loop) -> bool:
    """Whether nothing else in the loop touches the leaf's target."""
    return sum(a.tensor == leaf.target.tensor for a in accesses(loop)) == 1


def _hold(done: list[Statement], leaf: Leaf, held: Entry) -> None:
    """Start the variable from the entry's own start where that stands right before the loop, else from the entry."""
    assert isinstance(leaf, Accumulate)
    for k in range(len(done) - 1, -1, -1):
        earlier = done[k]
        if isinstance(earlier, Assign) and earlier.target == leaf.target:
            done[k] = replace(earlier, target=held)
            return
        if not isinstance(earlier, Assign) or not earlier.starts:
            break
    done.append(Assign(leaf.equation, held, leaf.target, starts=True))


# -- order of sums -------------------------------------------------------------------------------------------------------

REORDERED_EXTENT = 8  # a shorter sum is a line of additions, not a loop


def reordered(statement: Statement) -> Statement:
    """The statement with the sums of its innermost loops free to be added in any order."""
    if not isinstance(statement, Loop):
        return statement
    if any(isinstance(s, Loop) for s in statement.body):
        return replace(statement, body=tuple(reordered(s) for s in statement.body))
    extent = statement.index.axis.extent
    if extent is not None and extent < REORDERED_EXTENT:
        return statement
    return replace(statement, body=tuple(_freed(s, statement.index) for s in statement.body))


def _freed(statement: Statement, index: Index) -> Statement:
    if isinstance(statement, Accumulate) and statement.operation == "sum" and index not in statement.target.free_symbols:
        return replace(statement, reordered=True)
    return statement
