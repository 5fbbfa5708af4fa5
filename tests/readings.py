"""What a formula says: from the signs that a reader sees (layouts.py) to index expressions, which the proof can compare.

Formulas for one entry and for whole matrices are read alike: everything is a matrix of entries, a number one of 1 by 1. The reader knows
the notation as docs/notation.md has it, and of a network its symbols, its axes and which tensor stands where.
"""

# ruff: noqa: RUF001 - the signs of formulas are meant as they stand

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sympy import Expr

from derive.derivation import Derivation
from derive.documents.notation import notation
from derive.index import Axis, Index, Tensor, free_indices
from tests.layouts import Box, Line, key, keys, latex
from tests.reading_formulas import Formulas
from tests.reading_values import ANY, NotRead, Value, is_number

RELATIONS = {"=", ":=", "←", "≈"}


class Reader(Formulas):
    """Reads the rows of formulas."""

    def sides(self, line: Line) -> tuple[str, list[Value], str | None]:
        """The relation of a row, its sides from left to right, and the shape that it states as signs."""
        boxes = [*line.left, *line.right]
        shape = None
        for k, box in enumerate(boxes):
            if box.text == "∈":
                boxes, shape = boxes[:k], keys(boxes[k + 1 :])
                break
        found: list[list[Box]] = [[]]
        relation = ""
        for box in boxes:
            if box.kind == "sign" and box.text in RELATIONS:
                relation = relation or box.text
                found.append([])
            else:
                found[-1].append(box)
        if any(not side for side in found):
            raise NotRead(f"nothing on one side: {keys(boxes)}")
        return relation, [self.expression(tuple(side), {}) for side in found], shape

    def shape(self, value: Value) -> str:
        """The shape of a matrix as documents state it."""
        names = {axis: name for name, axis in self.sizes.items()}
        sizes = [names[side] for side in (value.rows, value.columns) if isinstance(side, Axis)]
        return "ℝ" + (f"^[{' × '.join(sizes)}]" if sizes else "")


@dataclass(frozen=True)
class Equality:
    """A side of a row equal to what stands first in it, for one entry, at the letters of the axes."""

    left: Expr
    right: Expr
    relation: str
    line: Line

    @property
    def indices(self) -> tuple[Index, ...]:
        return tuple(dict.fromkeys((*free_indices(self.left), *free_indices(self.right))))


def equalities(line: Line, how: Reader) -> Iterator[Equality]:
    """What a row says. Raises NotRead where the reader has no meaning for it, ValueError where a shape is not that of the first side."""
    relation, (first, *others), shape = how.sides(line)
    at = tuple(side.index(side.name) if isinstance(side, Axis) else None for side in (first.rows, first.columns))
    if shape is not None and shape != how.shape(first):
        raise ValueError(f"the shape {shape} of {how.shape(first)}")
    left = first.at(*at)
    for other in others:
        if not is_number(other) and any(side not in (own, ANY) for side, own in ((other.rows, first.rows), (other.columns, first.columns))):
            raise ValueError(f"sides of different shapes: {keys(line.left)} {keys(line.right)}")
        yield Equality(left, other.at(None, None) if is_number(other) else other.at(*at), relation, line)


def reader(derivation: Derivation) -> Reader:
    """A reader of the formulas of a derivation; that a gradient by a tensor T is G_T or g_t it knows from the set-up of every document."""
    how = notation(derivation)
    equations = (*derivation.equations, *derivation.computed.equations)
    tensors = {t.name: t for t in (*derivation.given, *(e.tensor for e in equations), *how.onehots.values())}
    symbols = {key(latex(how.name(tensor))[0]): tensor for tensor in tensors.values()}
    if len(symbols) < len(tensors):
        raise ValueError("two tensors have one symbol")
    axes = dict.fromkeys(axis for t in tensors.values() for axis in t.axes)
    return Reader(
        {**symbols, "η": Tensor("eta"), "θ": Tensor("theta")},
        {d.of.name: d.equation.tensor for d in derivation.backward if d.of is not None},
        {onehot.name: labels for labels, onehot in how.onehots.items()},
        {_written(axis.name): axis for axis in axes},
        {_size(axis): axis for axis in axes},
    )


def with_other_signs(own: Reader, tensors: Mapping[str, str], letters: Mapping[str, str]) -> Reader:
    """A reader of a text about the same network: its symbols by the names of the tensors, its letters by those of the axes."""
    named = {tensor.name: tensor for tensor in own.symbols.values()}
    symbols = {key(latex(symbol)[0]): named[name] for symbol, name in tensors.items()}
    theirs = {new: own.letters[old] for new, old in letters.items()}
    sizes = {name: axis for name, axis in own.sizes.items() if name not in symbols}  # H may be what the hidden units compute
    return replace(own, symbols={**own.symbols, **symbols}, letters={**own.letters, **theirs}, sizes=sizes)


def _written(letter: str) -> str:
    return letter if len(letter) == 1 else key(Box("sign", letter[0], sub=(Box("sign", letter[1:]),)))


def _size(axis: Axis) -> str:
    letter, digits = axis.size[0], axis.size[1:]
    return key(latex(rf"{letter}^{{({digits})}}" if digits else letter)[0])
