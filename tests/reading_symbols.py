"""What the symbols of a formula stand for: tensors, their entries, positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sympy import Expr

from derive.index import Axis, Delta, Entry, Index, Tensor
from tests.layouts import Box, key
from tests.reading_values import NotRead, Value, number


@dataclass(frozen=True)
class Symbols:
    """What the symbols in the formulas of one derivation stand for.

    symbols: the tensors by how their symbols look; gradients: by the name of a tensor, its gradient; onehots: by the name of the one-hot
    tensor, the labels; letters: the axes by the letters of their indices; sizes: by how the symbols of their extents look.
    """

    symbols: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    onehots: Mapping[str, Tensor]
    letters: Mapping[str, Axis]
    sizes: Mapping[str, Axis]

    def needed(self, box: Box, bound: Mapping[str, Index]) -> tuple[Tensor, tuple[Expr, ...]]:
        found = self.named(box, bound)
        if found is None:
            raise NotRead(f"unknown: {key(box)}")
        return found

    def named(self, box: Box, bound: Mapping[str, Index]) -> tuple[Tensor, tuple[Expr, ...]] | None:
        """The tensor of a symbol and the positions below it; the longest name that is known."""
        for cut in range(len(box.sub), -1, -1):
            name, rest = box.sub[:cut], box.sub[cut:]
            if name and name[-1].text == ",":
                continue
            tensor = self.symbols.get(key(replace(box, sub=name)))
            if tensor is not None and (rest or cut == len(box.sub)):
                places = self.places(rest[1:] if rest and rest[0].text == "," else rest, bound)
                if len(places) in (0, len(tensor.axes)):
                    return tensor, places
        return None

    def places(self, boxes: Sequence[Box], bound: Mapping[str, Index]) -> tuple[Expr, ...]:
        return tuple(self.place(box, bound) for box in boxes if box.text != ",")

    def place(self, box: Box, bound: Mapping[str, Index]) -> Expr:
        """A position: a letter, or a label."""
        if key(box) in bound:
            return bound[key(box)]
        if box.text in self.letters and not (box.sub and key(replace(box, sup=())) not in self.letters):
            axis = self.letter(box)
            return axis.index(axis.name + "".join(map(key, box.sup)))
        tensor, at = self.needed(box, bound)
        return Entry(tensor, *at)

    def letter(self, box: Box) -> Axis:
        axis = self.letters.get(key(replace(box, sup=())))
        if axis is None:
            raise NotRead(f"no index is called {key(box)}")
        return axis

    def read(self, tensor: Tensor, places: tuple[Expr, ...]) -> Value:
        """An entry, or the whole of a tensor: of one axis, a column."""
        if places or not tensor.axes:
            return number(self.entry(tensor, places))
        if len(tensor.axes) > 2:
            raise NotRead(f"{tensor.name} is no matrix")
        rows, columns = (*tensor.axes, None)[:2]

        def at(r: Index | None, c: Index | None) -> Expr:
            return self.entry(tensor, tuple(i for i in (r, c) if i is not None))

        return Value(rows, columns, at)

    def entry(self, tensor: Tensor, places: Sequence[Expr]) -> Expr:
        labels = self.onehots.get(tensor.name)
        if labels is None:
            return Entry(tensor, *places)
        known = dict(zip(tensor.axes, places, strict=True))
        assert labels.values is not None
        return Delta(known[labels.values], Entry(labels, *(known[axis] for axis in labels.axes)))
