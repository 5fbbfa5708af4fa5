"""The same network in the other conventions: the equations that read otherwise there, and the proof that all of them agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from derive.derivation import Derivation
from derive.documents.document import Block, Code, Formula, Items, Math, Paragraph, Ref, Row, Section, Text
from derive.documents.notation import Notation, notation
from derive.documents.setup import layout_words
from derive.documents.symbols import Gradients
from derive.documents.words import heading
from derive.index import Tensor
from derive.program import Equation
from derive.proof.conventions import Agreement, orders

Written = Mapping[str, tuple[Derivation, Notation]]  # by the names of the conventions, the document's own first


def conventions(agreement: Agreement, gradients: Gradients = "named") -> Section:
    """What stands where in each convention, the equations side by side, which tensors are transposed, and what was proved."""
    written = {name: (d, notation(d, gradients)) for name, d in agreement.derivations.items()}
    own, *others = written
    layouts = tuple((Code(name), ": ", *layout_words(d.forward, how)) for name, (d, how) in written.items())
    blocks: list[Block] = [
        Paragraph((f"The equations above are written in the convention {own}. This is what the conventions differ in:",)),
        Items(layouts),
        *_side_by_side(written),
        Paragraph((f"Compared with {own}:",)),
        Items(tuple(_turned(written[own], written[name], name) for name in others)),
        Paragraph(tuple(_proved(agreement))),
    ]
    return Section(("The other conventions",), tuple(blocks))


def _side_by_side(written: Written) -> Iterator[Block]:
    """Every equation that does not read the same in all conventions."""
    (own, how), *_ = written.values()
    same: list[Equation] = []
    for equation in own.equations:
        rows = _rows(equation, written)
        if len(rows) == 1:
            same.append(equation)
        else:
            yield Paragraph((Ref(equation.number), ", ", *_called(equation, own, how), ":"))
            yield Formula(rows)
    if same:
        numbers = [part for e in same for part in (Ref(e.number), ", ")][:-1]
        yield Paragraph(("These read the same in all of them: ", *numbers, "."))


def _called(equation: Equation, derivation: Derivation, how: Notation) -> Text:
    of = next((d.of for d in derivation.backward if d.equation is equation), None)
    if of is not None:
        return ("the gradient of ", Math(how.name(of)))
    words = heading(equation)
    return (f"{words[:1].lower()}{words[1:]}",) if words else (Math(how.name(equation.tensor)),)


def _rows(equation: Equation, written: Written) -> tuple[Row, ...]:
    """The equation in every convention, those that read the same in one row."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, (derivation, how) in written.items():
        for there in derivation.equations:
            if there.tensor.name == equation.tensor.name:
                found.setdefault(_sides(there, derivation, how), []).append(name)
    return tuple(Row(left, right, note=(", ".join(names),)) for (left, right), names in found.items())


def _sides(equation: Equation, derivation: Derivation, how: Notation) -> tuple[str, str]:
    """An equation for whole matrices, or where it has no such form, for one entry."""
    of = next((d.of for d in derivation.backward if d.equation is equation), None)
    form = how.matrix(equation.body, equation.indices)
    if form is not None:
        return how.name(equation.tensor) if of is None else how.derivative(of), form
    left = how.entry(equation.tensor, equation.indices) if of is None else how.derivative(of, equation.indices)
    return left, how.index(equation.body, equation.indices)


def _turned(own: tuple[Derivation, Notation], other: tuple[Derivation, Notation], name: str) -> Text:
    """The tensors whose axes stand in another order in another convention; their gradients turn with them."""
    derivation, how = own
    gradients = {d.equation.tensor.name for d in derivation.backward}
    known = orders(derivation, other[0])
    tensors = [t for t in (*derivation.given, *(e.tensor for e in derivation.equations)) if t.name not in gradients]
    moved = [t for t in tensors if list(known.get(t.name, ())) != sorted(known.get(t.name, ()))]
    moved += [t for t, there in zip(how.onehots.values(), other[1].onehots.values(), strict=True) if t.axes != there.axes]
    if not moved:
        return (Code(name), ": every tensor has its axes in the same order.")
    flat, tall = [t for t in moved if len(t.axes) == 2], [t for t in moved if len(t.axes) != 2]
    parts: list[str | Math | Code] = [Code(name), ": "]
    for some, words in (
        (flat, ("is transposed", "are transposed")),
        (tall, ("has its axes in another order", "have their axes in another order")),
    ):
        if some:
            parts += ["; " if len(parts) > 2 else "", *_listed(some, how), f" {words[len(some) > 1]}"]
    return (*parts, "; so are their gradients, and nothing else." if len(moved) > 1 else "; so is its gradient, and nothing else.")


def _listed(tensors: Sequence[Tensor], how: Notation) -> list[str | Math]:
    return [part for t in tensors for part in (Math(how.name(t)), ", ")][:-1]


def _proved(agreement: Agreement) -> Iterator[str | Code]:
    """The statement of what was compared, by which method, and what came of it."""
    yield (
        "Each equation was compared with its counterpart in either convention, by a method that does not use the engine that derived "
        "them: with the axes of all tensors put in the same order, both right-hand sides give the same for every entry of the result, at "
        "random numbers. From the inputs to the loss and back, all values and all gradients are therefore the same numbers. "
    )
    failed = [v for v in agreement.verdicts if not v.holds]
    methods = Counter(v.method for v in agreement.verdicts if v.holds)
    counts = ", ".join(f"{count} by {method}" for method, count in methods.most_common())
    total = len(agreement.verdicts)
    yield f"Of {total} comparisons, {len(failed)} FAILED: " if failed else f"All {total} comparisons hold ({counts})"
    yield "; ".join(f"({v.number}) {v.about} {v.rule}: {v.detail}" for v in failed)
    yield ". They are run by "
    yield Code("chainrule prove SPEC --conventions")
    yield "."
