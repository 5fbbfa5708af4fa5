"""What the forward pass keeps for the backward pass, and what both cost for one example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from derive.arithmetic import batched, flops, moved, numbers, passes, per_example
from derive.derivation import Derivation
from derive.documents.document import Block, Math, Paragraph, Part, Table, Text
from derive.documents.notation import Notation
from derive.family import gradient_of
from derive.operation_cost import ADDITIONS, MULTIPLICATIONS, Cost, words

BYTES = 8  # of a number in float64


def costs(derivation: Derivation, how: Notation) -> Iterator[Block]:
    """Two paragraphs and a table."""
    yield Paragraph(_kept(derivation, how))
    both = passes(derivation)
    parameters = derivation.forward.parameters
    shared = {*parameters, *map(gradient_of, parameters)}
    counts = [per_example(equations) for equations in (both.forward, both.backward)]
    values, once = zip(*(moved(equations, shared) for equations in (both.forward, both.backward)), strict=True)
    one = "One more example in a batch" if batched(both.forward) else "One example"
    yield Paragraph((f"{one} costs, counted from the equations as they are computed:",))
    named = zip(("forward", "backward"), counts, values, strict=True)
    rows = [_row(name, found, bytes_of(number)) for name, found, number in named]
    rows.append(_ratios(counts, values))
    yield Table((("Pass",), ("Additions",), ("Multiplications",), ("Other operations",), ("Bytes moved",)), tuple(rows), 3)
    kept = bytes_of(sum(map(numbers, both.kept)))
    ratio = _ratio(flops(counts[1]), flops(counts[0]))
    yield Paragraph(
        (
            f"Together, the backward pass takes {ratio} times as many additions and multiplications as the forward pass. Bytes moved are "
            "those of the values that equations read and write, each equation every one of its tensors once, in float64. Parameters and "
            f"their gradients come to that once for a batch: {bytes_of(once[0])} bytes forward, {bytes_of(once[1])} bytes backward. In "
            f"memory stand {bytes_of(sum(map(numbers, parameters)))} bytes of parameters, and {kept} bytes of kept values for each "
            "example.",
        )
    )


def bytes_of(count: int) -> int:
    return BYTES * count


def _kept(derivation: Derivation, how: Notation) -> Text:
    kept = passes(derivation).kept
    if not kept:
        return ("The backward pass reads none of the values that the forward pass computes.",)
    parts: list[Part] = []
    for tensor in kept:
        parts += [*([", "] if parts else []), Math(how.name(tensor)), f" ({numbers(tensor)})"]
    count = sum(map(numbers, kept))
    read = f"The backward pass reads {len(kept)} of the values that the forward pass computes"
    return (f"{read}, {count} numbers an example, so these are kept, in brackets how many numbers each has: ", *parts, ".")


def _row(name: str, found: Cost, size: int) -> tuple[Text, ...]:
    others = Counter({kind: n for kind, n in found.items() if kind not in (ADDITIONS, MULTIPLICATIONS)})
    return ((name,), (str(found[ADDITIONS]),), (str(found[MULTIPLICATIONS]),), (words(others),), (str(size),))


def _ratios(counts: list[Cost], values: tuple[int, ...]) -> tuple[Text, ...]:
    """The backward pass by the forward pass."""
    forward, backward = counts
    additions, multiplications = (_ratio(backward[kind], forward[kind]) for kind in (ADDITIONS, MULTIPLICATIONS))
    return (("backward by forward",), (additions,), (multiplications,), ("",), (_ratio(values[1], values[0]),))


def _ratio(above: int, below: int) -> str:
    return f"{above / below:.2f}" if below else "-"
