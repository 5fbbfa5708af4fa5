"""The axes of every value in a network: which letters of a layer's formula stand for which axes, and of what extent.

Axes that two values share because a formula reads both at one index (a residual branch) become one axis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from derive.formulas.operation import Number, Operation
from derive.language import FormulaError, extent
from derive.spec_errors import wrong

MAX_EXTENT = 1_000_000
LEFT_SIDE = re.compile(r"(?:^|[;\n])\s*([A-Za-z_]\w*)\s*(?:\[([^\]]*)\])?\s*=(?!=)")
PATTERN = re.compile(r"^(\w+)(?:\[([^\]]*)\])?(?::\s*(\w+))?$")
OTHERS = "..."


@dataclass(eq=False)
class Dimension:
    """An axis that has no name yet; where two turn out to be one, `same` leads to the other. An input's may get its letter later."""

    letter: str
    extent: int | None
    layer: int  # the number of the layer that made it; 0 for the network's input
    same: Dimension | None = None

    @property
    def root(self) -> Dimension:
        return self if self.same is None else self.same.root


Shape = tuple[Dimension, ...]


@dataclass(frozen=True)
class Value:
    """A value's axes, the examples' first; `labels` is the axis that its entries are positions on, where they are integers."""

    shape: Shape
    labels: Dimension | None = None

    @property
    def extents(self) -> tuple[int | None, ...]:
        return tuple(d.extent for d in self.shape)


@dataclass(frozen=True)
class Pattern:
    """A tensor as a formula writes it: a name and the letters of its axes."""

    name: str
    letters: tuple[str, ...]
    labels: str = ""

    @classmethod
    def of(cls, text: str) -> Pattern:
        found = PATTERN.match(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no tensor with the letters of its axes")
        letters = tuple(letter.strip() for letter in (found[2] or "").split(",") if letter.strip())
        return cls(found[1], letters, found[3] or "")

    def __str__(self) -> str:
        return f"{self.name}[{', '.join(self.letters)}]"


@dataclass
class Letters:
    """What the letters of one formula stand for, and what `...` does."""

    batch: Dimension
    layer: int
    known: dict[str, Dimension] = field(default_factory=dict[str, Dimension])
    others: Shape | None = None

    def bind(self, pattern: Pattern, value: Value) -> None:
        """Give the letters of a pattern their axes; raises the spec's error where the value has others."""
        if bool(pattern.labels) != (value.labels is not None):
            kinds = ("labels", "numbers") if pattern.labels else ("numbers", "labels")
            raise wrong(f"it reads {kinds[0]}, and its input holds {kinds[1]}", f"an input of {kinds[0]}")
        if value.labels is not None:
            self._same(pattern.labels, value.labels, pattern)
        before, after = _around(pattern.letters)
        free = len(value.shape) - len(before) - len(after)
        if free < 0 or (OTHERS not in pattern.letters and free > 0):
            raise wrong(f"it reads {pattern}, and its input has the shape {shape_text(value)}", "an input with these axes")
        end = len(value.shape) - len(after)
        for letter, found in (*zip(before, value.shape, strict=False), *zip(after, value.shape[end:], strict=True)):
            self._same(letter, found, pattern)
        if OTHERS in pattern.letters:
            self._others(value.shape[len(before) : end], pattern)

    def declare(self, axes: Mapping[str, str], values: Mapping[str, Number]) -> None:
        """Make the axes that a formula declares."""
        counts = {name: int(v) for name, v in values.items() if isinstance(v, int)}
        for letter, text in axes.items():
            sizes = {known: d.root.extent for known, d in self.known.items()}
            sizes[OTHERS] = _product(self.others or ())
            try:
                found = extent(text, counts, {known: size for known, size in sizes.items() if size is not None})
            except FormulaError as error:
                raise wrong(f"the extent of its axis {letter}, {text}: {error.found}", error.right) from None
            if not 1 <= found <= MAX_EXTENT:
                raise wrong(f"its axis {letter}, {text}, would have the extent {found}", f"an extent from 1 to {MAX_EXTENT}")
            self.known[letter] = Dimension(letter[0], found, self.layer)

    def shape(self, letters: Sequence[str]) -> Shape:
        """The axes that letters stand for."""
        found: list[Dimension] = []
        for letter in letters:
            if letter not in (OTHERS, "n", *self.known):
                raise wrong(f"no tensor that it reads has its axis {letter}", f"the extent of that, such as axes = {{ {letter} = 3 }}")
            found += self.others or () if letter == OTHERS else [self.batch if letter == "n" else self.known[letter]]
        return tuple(found)

    def _same(self, letter: str, found: Dimension, pattern: Pattern) -> None:
        if letter != "n" and found is self.batch:
            raise wrong(f"it reads {pattern}, and its input has no axis {letter} beside that of the examples", "an input with these axes")
        known = self.batch if letter == "n" else self.known.setdefault(letter, found)
        found.root.letter = found.root.letter or letter
        _unify(known, found, pattern)

    def _others(self, found: Shape, pattern: Pattern) -> None:
        if self.others is None:
            self.others = found
        if len(found) != len(self.others):
            raise wrong(f"{pattern.name} has {len(found)} further axes, another input {len(self.others)}", "inputs of one shape")
        for mine, other in zip(self.others, found, strict=True):
            _unify(mine, other, pattern)


def join(first: Value, second: Value) -> None:
    """Make the axes of two values of the same extents the same."""
    for mine, other in zip(first.shape, second.shape, strict=True):
        _unify(mine, other, Pattern("", ()))


def output(operation: Operation, letters: Letters, values: Mapping[str, Number]) -> Shape:
    """The axes of what an operation defines."""
    if operation.steps:
        steps = [operation.steps] if values.get("sequence") else []
        return letters.shape([OTHERS, *steps, *(x for x in result(operation.formula).letters if x != OTHERS)])
    return letters.shape(result(operation.formula).letters)


def result(formula: str) -> Pattern:
    """The left side of a formula's last equation; Y[...] for a bare expression."""
    found = left_sides(formula)
    return found[-1] if found else Pattern("Y", (OTHERS,))


def left_sides(formula: str) -> tuple[Pattern, ...]:
    """The left sides of a formula's equations; none where it is a bare expression."""
    return tuple(Pattern.of(f"{name}[{letters}]") for name, letters in LEFT_SIDE.findall(formula))


def shape_text(value: Value) -> str:
    """[N, 4, 7]"""
    return f"[{', '.join('N' if e is None else str(e) for e in value.extents)}]"


def _around(letters: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The letters before and after `...`."""
    place = letters.index(OTHERS) if OTHERS in letters else len(letters)
    return letters[:place], letters[place + 1 :]


def _unify(first: Dimension, second: Dimension, pattern: Pattern) -> None:
    a, b = first.root, second.root
    if a is b:
        return
    if a.extent != b.extent:
        raise wrong(f"its inputs meet in {pattern} with the extents {a.extent} and {b.extent}", "inputs that fit")
    older, newer = (a, b) if a.layer <= b.layer else (b, a)
    newer.same = older


def _product(shape: Shape) -> int | None:
    total = 1
    for dimension in shape:
        if dimension.extent is None:
            return None
        total *= dimension.extent
    return total
