"""How one derivation is written: its symbols, its one-hot matrices, its equation numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation, Product
from derive.documents.document import Ref, Row, Text
from derive.documents.latex_index import IndexPrinter
from derive.documents.latex_matrix import MatrixPrinter, Written
from derive.documents.symbols import MARKS, Gradients, Symbols, fraction, shape_latex
from derive.index import Delta, Entry, Index, InRange, Size, Tensor
from derive.matrix_form import OneHots, matrix_of, with_onehots
from derive.program import Equation, Program


@dataclass(frozen=True)
class Notation:
    """Prints expressions of one derivation in index and in matrix form."""

    symbols: Symbols
    onehots: OneHots
    numbers: Mapping[str, str]  # the number of the equation that defines a tensor, by the tensor's name
    first: int = 1  # the first position on an axis: 0 where formulas calculate with positions

    def index(self, e: Expr, indices: Sequence[Index]) -> str:
        """An expression in index form; `indices` are those of the left-hand side."""
        return IndexPrinter(self.symbols, tuple(indices)).latex(with_onehots(e, self.onehots))

    def cases(self, e: Expr, indices: Sequence[Index]) -> str:
        """An expression in index form with its branches written out."""
        return IndexPrinter(self.symbols, tuple(indices)).cases(with_onehots(e, self.onehots))

    def entry(self, tensor: Tensor, indices: Sequence[Index]) -> str:
        return self.index(Entry(tensor, *indices), indices)

    def matrix(self, e: Expr, indices: Sequence[Index]) -> str | None:
        """An expression in matrix form, rows and columns in the order of `indices`; None where it has none."""
        tree = matrix_of(e, indices, self.onehots)
        return None if tree is None else MatrixPrinter(self.symbols).latex(tree)

    def written(self, equation: Equation, instead: Mapping[Tensor, Written]) -> Written | None:
        """The matrix form of an equation with other symbols in place of those of some tensors; None where it has none."""
        tree = matrix_of(equation.body, equation.indices, self.onehots)
        return None if tree is None else MatrixPrinter(self.symbols, instead).written(tree)

    def at(self, extents: Mapping[str, int]) -> Notation:
        """The same notation with numbers in place of sizes."""
        return replace(self, symbols=replace(self.symbols, extents=extents))

    def name(self, tensor: Tensor) -> str:
        return self.symbols.symbol(tensor).latex()

    def derivative(self, tensor: Tensor, indices: Sequence[Index] = ()) -> str:
        r"""\partial L / \partial of a tensor, or of its entry at indices."""
        return fraction("L", self.entry(tensor, indices) if indices else self.name(tensor))

    def inline(self, tensor: Tensor) -> str:
        """The symbol of a tensor on one line, for pictures."""
        return self.symbols.symbol(tensor).inline()

    def equal(self, left: str, *sides: str) -> Row:
        """left = side = side, without a side that only says again what stands on the left."""
        return Row(left, " = ".join(side for side in sides if side != left))

    def index_row(self, equation: Equation) -> Row:
        return Row(self.entry(equation.tensor, equation.indices), self.index(equation.body, equation.indices))

    def refs(self, names: Sequence[str]) -> Text:
        """References to the equations of these tensors: (3), (4) and (5)."""
        numbers = [Ref(self.numbers[name]) for name in dict.fromkeys(names) if name in self.numbers]
        parts: list[str | Ref] = []
        for k, ref in enumerate(numbers):
            parts += [" and " if k == len(numbers) - 1 else ", "] if k else []
            parts.append(ref)
        return tuple(parts)


def in_shape(latex: str, tensor: Tensor) -> str:
    """A matrix expression with its shape; a number needs none."""
    return rf"{latex} \quad \in {shape_latex(tensor)}" if tensor.axes else latex


def notation(derivation: Derivation, style: Gradients = "named") -> Notation:
    """The notation of a derivation. A tensor that is computed in a stable form keeps the number of its mathematical equation.

    style: whether a gradient is named G_W where it is used, or written as dL/dW there too. Raises ValueError for any other.
    """
    if style not in get_args(Gradients):
        raise ValueError(f"no notation is called {style!r}: take {' or '.join(get_args(Gradients))}")
    forward = derivation.forward
    equations = [*(d.equation for d in derivation.stable), *derivation.equations]
    tensors = {t.name: t for t in (*derivation.given, *(e.tensor for e in equations))}
    gradients = {d.equation.tensor.name: d.of for d in derivation.backward if d.of is not None}
    derivatives = {p.family.of(t).name: (MARKS[p.kind], t) for p in derivation.products for t in _differentiated(p)}
    onehots = {t: _onehot(t, forward) for t in forward.targets if t.values is not None}
    numbers = {e.tensor.name: e.number for e in equations}
    symbols = Symbols(tensors, gradients, derivatives, style=style)
    return Notation(symbols, onehots, numbers, 0 if any(map(_calculates, equations)) else 1)


def _calculates(equation: Equation) -> bool:
    """Whether an equation calculates with positions, which it counts from 0."""
    nodes = (n for n in sp.preorder_traversal(equation.body) if isinstance(n, Entry | Delta | InRange))
    places = (place for node in nodes for place in (node.indices if isinstance(node, Entry) else node.args))
    return any(not isinstance(place, Index | Entry | Size) for place in places)


def _differentiated(product: Product) -> Iterator[Tensor]:
    """The tensors that a product's directions and derivatives belong to."""
    yield from product.moved
    yield from (d.of for d in product.derived if d.of is not None)


def _onehot(labels: Tensor, program: Program) -> Tensor:
    """The one-hot tensor of labels, with its axes in the order of the prediction's."""
    axes = {*labels.axes, labels.values}
    prediction = program.outputs[0]
    ordered = prediction.axes if set(prediction.axes) == axes else (*labels.axes, *([labels.values] if labels.values else []))
    name = "Y" if labels.axes else f"onehot_{labels.name}"
    return Tensor(name, ordered, sign="nonnegative")
