"""What the stable forms change, in a document: both forms of a formula, where each goes wrong in floating point, and an example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import sympy as sp

from derive.compared import Example, Interval, InType
from derive.derivation import Derivation
from derive.documents.document import Block, Code, Formula, Math, Paragraph, Part, Ref, Row, Table, Text
from derive.documents.notation import Notation
from derive.documents.signs import decimal_latex
from derive.documents.words import heading
from derive.functions import AtLeast
from derive.program import Equation
from derive.stability import Change, changes, rewritten

WRONG: tuple[Text, ...] = (("In",), ("Form",), ("NaN or infinite for",), ("Half of its digits lost for",))
INTRODUCTION: Text = (
    "What stabilisation changed: the forms are computed as they stand, every operation rounded to the type, as functions of one number ",
    Math("z"),
    ", for one example and at most two positions of every other axis. It runs over numbers of three digits from ",
    Math(r"10^{-8}"),
    " to 999, of both signs. Half of the digits are lost where the error, relative to the true value, is above ",
    Math(r"2^{-53/2} \approx 10^{-8}"),
    " in float64 and ",
    Math(r"2^{-12} \approx 2 \cdot 10^{-4}"),
    " in float32; an error below the smallest normal number of the type does not count. The true value has 500 digits.",
)


def stability(derivation: Derivation, how: Notation) -> Iterator[Block]:
    """The blocks of the section; none where no formula has a stable form. Equations that are one formula are shown once."""
    every = list(changes(derivation))
    if every:
        yield Paragraph(INTRODUCTION)
    order = {change.alike: k for k, change in reversed(list(enumerate(every)))}
    for _, some in groupby(sorted(every, key=lambda change: order[change.alike]), key=lambda change: change.alike):
        yield from _change(list(some), how)
    left = [e for e in rewritten(derivation) if e.tensor not in {c.mathematical.tensor for c in every}]
    if left:
        yield Paragraph(("No errors are worked out for ", *_refs(left), ", whose forms depend on more than one number."))


def _change(alike: Sequence[Change], how: Notation) -> Iterator[Block]:
    change = alike[0]
    equation = change.mathematical
    likewise: Text = (", and with other names ", *_refs([c.mathematical for c in alike[1:]])) if len(alike) > 1 else ()
    behind: Text = (" after ", *_refs(change.read)) if change.read else ()
    agree = all(found.agree for found in change.types)
    outcome = "neither form is wrong at any of these numbers, in float64 or in float32." if agree else "as derived, then as computed."
    yield Paragraph((f"{heading(equation)}, ", Ref(equation.number), *behind, *likewise, f": {outcome} ", *_meaning(change, how)))
    left = how.entry(equation.tensor, equation.indices)
    yield Formula(tuple(Row(left, how.index(body, equation.indices)) for body in (equation.body, change.body)))
    if not agree:
        yield Table(WRONG, tuple(row for found in change.types for row in _wrong(found)), 3)
        yield from _examples(change)
        yield from _remains(change)


def _refs(equations: Sequence[Equation]) -> Text:
    parts: list[str | Ref] = []
    for equation in equations:
        parts += [", ", Ref(equation.number)] if parts else [Ref(equation.number)]
    return tuple(parts)


def _meaning(change: Change, how: Notation) -> Text:
    """What z is."""
    name = how.name(change.by)
    others: Text = (" and the others are 0",) if change.by.axes else ()
    start: Text = ("Here ", Math("z"), " is ", *(("the first entry of ",) if change.by.axes else ()), Math(name), *others)
    return (*start, "; the value shown is the first." if change.mathematical.indices else ".")


def _wrong(found: InType) -> Iterator[tuple[Text, ...]]:
    for words, wrong in (("as derived", found.plain), ("as computed", found.stable)):
        yield ((Code(found.name),), (words,), _where(wrong.infinite), _where(wrong.lost))


def _remains(change: Change) -> Iterator[Paragraph]:
    """What is left to lose where the computed form loses digits too."""
    left = [found for found in change.types if found.stable.lost]
    if not left:
        return
    sizes: list[Part] = []
    for found in left:
        sizes += [*([" and "] if sizes else []), Math(decimal_latex(found.stable.off)), f" in {found.name}"]
    where = "Where the computed form has lost half of its digits, "
    if any(isinstance(a.args[1], sp.Number) for a in change.body.atoms(AtLeast)):
        yield Paragraph((where, "it has reached the bound that the set-up states."))
    else:
        yield Paragraph((where, "its error, not relative to the value, is at most ", *sizes, "."))


def _examples(change: Change) -> Iterator[Table]:
    """For every type the number at which the derived form is worst; nothing where it is never wrong."""
    target: tuple[Text, ...] = ((("Class",) if change.classes else ("Target",)),) if change.targets else ()
    header: tuple[Text, ...] = (("In",), (Math("z"),), *target, ("As derived",), ("As computed",), ("True value",))
    rows = [tuple(_example(found.name, found.example, change)) for found in change.types if found.example is not None]
    if rows:
        yield Table(header, tuple(rows), len(header) - 1)


def _example(name: str, at: Example, change: Change) -> Iterator[Text]:
    yield from ((Code(name),), _value(at.z))
    if change.targets:
        yield (("first", "second")[at.target],) if change.classes else (Math(str(at.target)),)
    yield from (_value(at.plain), _value(at.stable), _value(at.true))


def _value(text: str) -> Text:
    return (Math(decimal_latex(text)),)


def _where(intervals: Sequence[Interval]) -> Text:
    parts: list[str | Math] = []
    for interval in symmetric(intervals):
        parts += [", ", Math(interval)] if parts else [Math(interval)]
    return tuple(parts) or ("nowhere",)


def symmetric(intervals: Sequence[Interval]) -> Iterator[str]:
    """Intervals as inequalities, two that mirror one another as one for |z|."""
    mirrored = {i: Interval(_negative(i.high), _negative(i.low)) for i in intervals}
    for interval in intervals:
        if mirrored[interval] not in intervals:
            yield _inequality(interval, "z")
        elif not (interval.low or interval.high or "").startswith("-") and not (interval.high or "").startswith("-"):
            yield _inequality(interval, r"\vert z \vert")


def _negative(text: str | None) -> str | None:
    return text if text in (None, "0") else text.removeprefix("-") if text.startswith("-") else f"-{text}"


def _inequality(interval: Interval, z: str) -> str:
    low, high = interval.low, interval.high
    before = "" if low is None else "0 < " if low == "0" else rf"{decimal_latex(low)} \le "
    behind = "" if high is None else " < 0" if high == "0" else rf" \le {decimal_latex(high)}"
    return rf"{z} \ge {decimal_latex(low)}" if high is None and low not in (None, "0") else f"{before}{z}{behind}"
