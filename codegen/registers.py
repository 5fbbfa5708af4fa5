"""Sums that loops add to one array entry are held in a variable meanwhile; sums and products in long innermost loops
may be taken in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from codegen.flat import unused
from codegen.loops import Access, Accumulate, Assign, Loop, Statement, by_name
from derive.index import Entry, Index, Tensor


def in_registers(statements: Sequence[Statement], taken: set[str]) -> tuple[Statement, ...]:
    """The statements with sums that loops add to one array entry held in a variable meanwhile.

    Without it a compiler must store the entry in every iteration, since it cannot know that no array overlaps another.
    """
    done: list[Statement] = []
    for statement in statements:
        if not isinstance(statement, Loop):
            done.append(statement)
            continue
        after: list[Statement] = []
        for leaf in list(_constant(statement)):
            places = "".join(f"_{i}" for i in leaf.target.indices if i.is_number)
            held = Entry(Tensor(unused(f"{leaf.operation}_{leaf.target.tensor.name}{places}", taken)))
            statement = _with_target(statement, leaf, held)
            _hold(done, leaf, held)
            after.append(Assign(leaf.equation, leaf.target, held))
        done += [replace(statement, body=in_registers(statement.body, taken)), *after]
    return tuple(done)


def _constant(loop: Loop) -> Iterator[Accumulate]:
    """The accumulations in a loop, or in loops inside of it, whose target is one array entry that nothing else in the loop touches."""

    def below(statement: Statement, indices: frozenset[Index]) -> Iterator[Accumulate]:
        if isinstance(statement, Loop):
            for inner in statement.body:
                yield from below(inner, indices | {statement.index})
        elif isinstance(statement, Accumulate) and statement.target.indices and not indices & statement.target.free_symbols:
            yield statement

    touched = by_name(loop)
    for leaf in below(loop, frozenset()):
        if sum(_may_meet(a, leaf.target) for a in touched[leaf.target.tensor.name]) == 1:
            yield leaf


def _may_meet(access: Access, entry: Entry) -> bool:
    """Whether an access may touch an entry: not where two positions are different numbers."""
    places = zip(access.indices, entry.indices, strict=True) if access.tensor == entry.tensor else ()
    return access.tensor == entry.tensor and not any(a != b and a.is_number and b.is_number for a, b in places)


def _with_target(loop: Loop, leaf: Accumulate, held: Entry) -> Loop:
    def changed(statement: Statement) -> Statement:
        if isinstance(statement, Loop):
            return _with_target(statement, leaf, held)
        return replace(leaf, target=held) if statement == leaf else statement

    return replace(loop, body=tuple(map(changed, loop.body)))


def _hold(done: list[Statement], leaf: Accumulate, held: Entry) -> None:
    """Start the variable from the entry's own start where that stands right before the loop, else from the entry."""
    for k in range(len(done) - 1, -1, -1):
        earlier = done[k]
        if isinstance(earlier, Assign) and earlier.target == leaf.target and not earlier.guards:
            done[k] = replace(earlier, target=held)
            return
        if not isinstance(earlier, Assign) or not earlier.starts:
            break
    done.append(Assign(leaf.equation, held, leaf.target, starts=True))


# -- order of sums -------------------------------------------------------------------------------------------------------

REORDERED_EXTENT = 8  # a shorter sum is a line of additions, not a loop


def reordered(statement: Statement) -> Statement:
    """The statement with the sums and products of its innermost loops free to be taken in any order."""
    if not isinstance(statement, Loop):
        return statement
    if any(isinstance(s, Loop) for s in statement.body):
        return replace(statement, body=tuple(reordered(s) for s in statement.body))
    extent = statement.index.axis.extent
    if extent is not None and extent < REORDERED_EXTENT:
        return statement
    return replace(statement, body=tuple(_freed(s, statement.index) for s in statement.body))


def _freed(statement: Statement, index: Index) -> Statement:
    if isinstance(statement, Accumulate) and statement.operation != "max" and index not in statement.target.free_symbols:
        return replace(statement, reordered=True)
    return statement
