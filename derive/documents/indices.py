"""The derivation in index notation to the last delta, and where the transposes of a matrix form come from."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation, Step
from derive.documents.document import Block, Formula, Math, Paragraph, Row, Table, Text
from derive.documents.latex_matrix import MatrixPrinter
from derive.documents.notation import Notation
from derive.documents.symbols import joined, size_letter
from derive.index import Axis, Delta, Entry, Index, Partial, Sum, Tensor
from derive.matrix import Extent, Leaf, Ones, Product, Transpose, Tree, children, shape
from derive.matrix_form import matrix_of
from derive.program import Equation
from derive.terms import Term, derivative, eliminations, split, total

WORDS = (
    "Where each factor of the matrix form comes from: a product of matrices sums over the columns of one factor and the rows of the next."
)


def local_rows(of: Tensor, derivation: Derivation, how: Notation) -> Iterator[Block]:
    """The derivative of every equation that reads a tensor by one of its entries, with all deltas."""
    varying = [d.of for d in derivation.backward]
    rows: list[Row] = []
    for equation in derivation.forward.reading(of):
        if equation.tensor in varying or not equation.indices:
            at = tuple(a.fresh() for a in of.axes)
            there = equation.at({i: i.axis.fresh() for i in equation.indices})
            left = how.index(Partial(there.entry, Entry(of, *at)), (*at, *there.indices))
            rows.append(Row(left, how.index(total(derivative(there.body, of, at)), (*at, *there.indices))))
    if rows:
        yield Paragraph(("Every entry of what reads it by every entry of it:",))
        yield Formula(tuple(rows))


def eliminated(step: Step, left: str, indices: tuple[Index, ...], how: Notation) -> Iterator[Block]:
    """The elimination of deltas one after the other, where the step is about one term."""
    term = one_term(step.before)
    if term is None:
        return
    each = list(eliminations(term))
    letters = (*indices, *each[0].term.bound)  # which stay the same from row to row
    rows = [Row(left, _written(each[0].term, letters, how))]
    for after in each[1:]:
        if after.delta is None or after.index is None or after.value is None:
            continue
        used = how.index(Delta(*after.delta), letters)
        reason = rf"{used}:\ {how.index(after.index, letters)} = {how.index(after.value, letters)}"
        rows.append(Row("", rf"{_written(after.term, letters, how)} \quad \left({reason}\right)"))
    if len(rows) > 2:
        yield Paragraph(("One delta after the other:",))
        yield Formula(tuple(rows))


def one_term(e: Expr) -> Term | None:
    """A product that holds one sum, as a term; None for anything else."""
    factors = sp.Mul.make_args(e)
    sums = [f for f in factors if isinstance(f, Sum)]
    if e.is_Add or len(sums) != 1:
        return None
    body, bound = sums[0].open()
    return None if body.is_Add else split(sp.Mul(*(f for f in factors if f not in sums), body), bound)


def _written(term: Term, letters: tuple[Index, ...], how: Notation) -> str:
    """A term with given letters for its indices."""
    body = how.index(Term(term.coefficient, (), term.deltas, term.guards).expr(), letters)
    over = joined([how.index(i, letters) for i in term.bound])
    return rf"\sum_{{{over}}} {body}" if over else body


# -- transposes --------------------------------------------------------------------------------------------------------


def transposes(equation: Equation, how: Notation) -> Iterator[Block]:
    """A table for every product of matrices in the matrix form of an equation: its factors in indices and as matrices, with shapes."""
    tree = matrix_of(equation.body, equation.indices, how.onehots)
    for found in _products(tree) if tree is not None else ():
        rows = tuple(_factor_rows(found, equation.indices, how))
        yield Paragraph((WORDS,))
        yield Table((("In indices",), ("As a matrix",), ("Shape",), ("Why",)), rows, 3)


def _products(tree: Tree) -> Iterator[Product]:
    """The products whose factors are named matrices or ones, the outermost first."""
    if isinstance(tree, Product) and all(_named(f) is not None for f in tree.factors):
        yield tree
    else:
        for below in children(tree):
            yield from _products(below)


def _named(factor: Tree) -> Leaf | Ones | None:
    inner = factor.of if isinstance(factor, Transpose) else factor
    return inner if isinstance(inner, Leaf | Ones) else None


def _factor_rows(found: Product, indices: tuple[Index, ...], how: Notation) -> Iterator[tuple[Text, ...]]:
    places = _places(found, indices)
    printer = MatrixPrinter(how.symbols)
    entries: list[str] = []
    for k, factor in enumerate(found.factors):
        row, column = places[k], places[k + 1]
        inner, turned = _named(factor), isinstance(factor, Transpose)
        own = tuple(i for i in ((column, row) if turned else (row, column)) if i is not None)
        if isinstance(inner, Leaf):
            entries.append(how.index(Entry(inner.tensor, *own), _known(places)))
        else:
            entries.append("1")
        yield (Math(entries[-1]),), (Math(printer.latex(factor)),), (Math(_shape(factor)),), _why(k, factor, places, how)
    summed = [i for i in places[1:-1] if i is not None]
    whole = " ".join(e for e in entries if e != "1") or "1"
    sign = rf"\sum_{{{joined([how.index(i, _known(places)) for i in summed])}}} " if summed else ""
    yield (Math(sign + whole),), (Math(printer.latex(found)),), (Math(_shape(found)),), ("the product",)


def _known(places: list[Index | None]) -> tuple[Index, ...]:
    return tuple(i for i in (places[0], places[-1], *places[1:-1]) if i is not None)


def _places(found: Product, indices: tuple[Index, ...]) -> list[Index | None]:
    """The index before the first factor, between any two, and after the last one."""
    rows, columns = shape(found)
    between: list[Index | None] = [a.fresh() if (a := shape(f)[1]) is not None else None for f in found.factors[:-1]]
    return [_own(rows, indices), *between, _own(columns, indices[::-1])]


def _own(axis: Extent, indices: tuple[Index, ...]) -> Index | None:
    if axis is None:
        return None
    return next((i for i in indices if i.axis == axis), axis.fresh())


def _why(k: int, factor: Tree, places: list[Index | None], how: Notation) -> Text:
    """Why a factor stands as it is, or transposed: what its rows and its columns have to run over."""
    row, column, inner = places[k], places[k + 1], _named(factor)
    if not isinstance(inner, Leaf):
        return _why_ones(k, places, how)
    letters = _known(places)
    parts: list[str | Math] = []
    if row is not None:
        parts += [Math(how.index(row, letters)), " is summed over" if k else " is a row of the result"]
    if column is not None:
        last = k == len(places) - 2
        parts += [", "] if parts else []
        parts += [Math(how.index(column, letters)), " is a column of the result" if last else " is summed over"]
    if not isinstance(factor, Transpose):
        return (*parts, "; so it is in " if len(inner.tensor.axes) > 1 else "; ", Math(how.name(inner.tensor)))
    if row is not None and column is not None:
        return (*parts, "; in ", Math(how.name(inner.tensor)), " they stand the other way round, so it is transposed")
    return (*parts, "; ", Math(how.name(inner.tensor)), " is a column, so it is transposed")


def _why_ones(k: int, places: list[Index | None], how: Notation) -> Text:
    """Ones add up over an index that no other factor needs, or repeat the others along an index of the result."""
    index = places[k] if places[k] is not None else places[k + 1]
    if index is None:
        return ("a one",)
    letter = Math(how.index(index, _known(places)))
    outer = (k == 0 and index is places[0]) or (k == len(places) - 2 and index is places[-1])
    return ("the same for every ", letter) if outer else ("adds up over ", letter)


def _shape(tree: Tree) -> str:
    rows, columns = shape(tree)
    return rf"{_size(rows)} \times {_size(columns)}"


def _size(axis: Axis | None) -> str:
    return "1" if axis is None else size_letter(axis)
