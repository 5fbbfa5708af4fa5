"""The chain rule end to end: the gradient of a parameter as a product of derivatives along each way from the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice, pairwise

from derive.derivation import Derivation
from derive.documents.document import Block, Formula, Math, Paragraph, Row, Section, Text
from derive.documents.notation import Notation
from derive.index import Tensor
from derive.program import Program

SHOWN = 2  # products of one parameter; where there are more ways to it, its row has the last step alone
LONG = 24  # factors of a product that is written out whole; of a longer one
ENDS = 3  # at either end are

Way = tuple[Tensor, ...]


@dataclass(frozen=True)
class Trail:
    """A way from the loss to a tensor, held as one step more than another way, so that all of them take little room.

    first: the tensors with which it begins, as many as are ever shown. length: the number of its tensors.
    """

    tensor: Tensor
    above: Trail | None
    first: Way
    length: int

    def then(self, tensor: Tensor) -> Trail:
        first = (*self.first, tensor) if len(self.first) <= LONG else self.first
        return Trail(tensor, self, first, self.length + 1)

    def last(self, count: int) -> Way:
        """The tensors with which it ends."""
        return (*(self.above.last(count - 1) if self.above is not None and count > 1 else ()), self.tensor)


def chain(derivation: Derivation, how: Notation) -> Iterator[Section]:
    """One row for each parameter, then one for each value between it and the loss; no section where the loss reads the parameters."""
    forward = derivation.forward
    counts = way_counts(forward)
    wanted = [d.of for d in derivation.backward if d.of is not None]
    known = trails(forward)
    parameters = [
        _end_to_end(t, known[t], counts, how) if counts[t] <= SHOWN else _one_step(t, forward, counts, how)
        for t in forward.parameters
        if _is_far(t, forward, counts)
    ]
    if not parameters:
        return
    blocks: list[Block] = [Paragraph(_words(any(counts[t] > 1 for t in forward.parameters))), Formula(tuple(parameters))]
    many = [t for t in forward.parameters if counts[t] > SHOWN and _is_far(t, forward, counts)]
    if many:
        blocks.append(Paragraph(_left_out(many, counts, how)))
    values = [_one_step(t, forward, counts, how) for t in wanted if t not in forward.parameters and _is_far(t, forward, counts)]
    if values:
        words = "The backward pass works from the left. The gradient of a value leads to the gradients of what it is computed from:"
        blocks += [Paragraph((words,)), Formula(tuple(values))]
    yield Section(("The chain",), tuple(blocks))


def way_counts(program: Program) -> Mapping[Tensor, int]:
    """How many ways there are from each tensor to the loss."""
    counts: dict[Tensor, int] = {program.outputs[-1]: 1}
    for equation in reversed(program.equations):
        for tensor in equation.reads:
            counts[tensor] = counts.get(tensor, 0) + counts.get(equation.tensor, 0)
    return {**dict.fromkeys(program.parameters, 0), **counts}


def ways(program: Program, tensor: Tensor) -> Iterator[Way]:
    """The ways from the loss back to a tensor: each value reads the one that follows it."""
    loss = program.outputs[-1]
    counts = way_counts(program)
    open_ways: list[Way] = [(tensor,)]
    while open_ways:
        way = open_ways.pop()
        if way[0] == loss:
            yield way
            continue
        readers = [e.tensor for e in program.reading(way[0]) if counts.get(e.tensor)]
        open_ways += [(reader, *way) for reader in reversed(readers)]


def trails(program: Program) -> Mapping[Tensor, tuple[Trail, ...]]:
    """The first ways from the loss to each tensor, in the order of `ways`; the work grows with the number of equations."""
    loss = program.outputs[-1]
    found: dict[Tensor, tuple[Trail, ...]] = {loss: (Trail(loss, None, (loss,), 1),)}
    for tensor in (*(e.tensor for e in reversed(program.equations)), *program.given):
        if tensor != loss:
            above = (trail for e in program.reading(tensor) for trail in found.get(e.tensor, ()))
            found[tensor] = tuple(trail.then(tensor) for trail in islice(above, SHOWN))
    return found


def _words(several: bool) -> Text:
    words = "The gradient of a parameter is the product of the equations' own derivatives along the way from the loss back to it"
    words += ", and where there are several ways, the sum of their products" if several else ""
    return (words + ". A product means a sum over the indices of the values that stand between its factors:",)


def _left_out(many: Sequence[Tensor], counts: Mapping[Tensor, int], how: Notation) -> Text:
    """How many products there are for the parameters of which one step alone is written."""
    parts: list[str | Math] = []
    for count, some in groupby(many, key=lambda t: counts[t]):
        parts += ["; " if parts else "", f"{count} ways lead back to "]
        for k, tensor in enumerate(some):
            parts += [", "] * (k > 0) + [Math(how.name(tensor))]
    return (*parts, ". Of these the last step alone is written here; the rows below lead on from it.")


def _is_far(tensor: Tensor, program: Program, counts: Mapping[Tensor, int]) -> bool:
    """Whether anything stands between a tensor and the loss; if not, its chain is its gradient and says nothing."""
    return any(e.tensor != program.outputs[-1] and counts.get(e.tensor) for e in program.reading(tensor))


def _end_to_end(tensor: Tensor, known: Sequence[Trail], counts: Mapping[Tensor, int], how: Notation) -> Row:
    products = _products(known, how)
    more = counts[tensor] > len(products)
    return Row(how.derivative(tensor), " + ".join([*products, r"\cdots"] if more else products))


def _one_step(tensor: Tensor, program: Program, counts: Mapping[Tensor, int], how: Notation) -> Row:
    """The gradients of what reads a value, each times one factor more."""
    loss = program.outputs[-1]
    readers = [e.tensor for e in program.reading(tensor) if counts.get(e.tensor)]
    products = [_product((loss, tensor) if reader == loss else (loss, reader, tensor), how) for reader in readers]
    return Row(how.derivative(tensor), " + ".join(products))


def _products(known: Sequence[Trail], how: Notation) -> list[str]:
    """The products along ways to one tensor; those that differ only in a middle that is not shown are one."""
    return list(dict.fromkeys(_shortened(trail, how) for trail in known))


def _shortened(trail: Trail, how: Notation) -> str:
    """The product along a way, without the middle of a long one."""
    if trail.length - 1 <= LONG:
        return _product(trail.first, how)
    return rf"{_product(trail.first[: ENDS + 1], how)} \cdots {_product(trail.last(ENDS + 1), how)}"


def _product(way: Way, how: Notation) -> str:
    names = [how.name(tensor) for tensor in way]
    return " ".join(rf"\frac{{\partial {above}}}{{\partial {below}}}" for above, below in pairwise(names))
