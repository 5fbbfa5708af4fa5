"""The forward pass: every equation for one entry and for whole matrices, and the network as one formula."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation
from derive.documents.document import Block, Formula, Math, Paragraph, Row, Section
from derive.documents.latex_matrix import ATOM, Written
from derive.documents.layout import LINE, fold, width
from derive.documents.notation import Notation, in_shape
from derive.documents.numbers import Figures
from derive.documents.words import activation_of, argument, heading, operator
from derive.index import Binder, Delta, Entry, Sum, Tensor, free_indices
from derive.matrix_form import OneHots
from derive.program import Equation, Program

LENGTH = 2000  # characters of LaTeX, and
LINES = 3  # lines: a network that takes more than this is not written as one formula


def forward_pass(derivation: Derivation, how: Notation, figures: Figures | None = None) -> Section:
    """Every equation for one entry and for whole matrices, its numbers below where there are some."""
    blocks: list[Block] = [Paragraph(("Each equation is written for one entry and, below, for whole matrices.",))]
    for equation in derivation.forward.equations:
        rows = list(equation_rows(equation, how))
        rows += figures.beside(equation) if figures else []
        blocks += [Paragraph((heading(equation) + ".",)), Formula(tuple(rows), equation.number), *_unit_sums(equation, how)]
    return Section(("Forward pass",), (*blocks, *_composed(derivation.forward, how)))


def equation_rows(equation: Equation, how: Notation) -> Iterator[Row]:
    """An equation for one entry, with the one-hot tensor where it picks entries by labels, and for whole matrices."""
    yield how.index_row(equation)
    yield from _onehot_rows(equation, how)
    yield from matrix_rows(equation, how, _named(equation, how))


def matrix_rows(equation: Equation, how: Notation, named: str | None = None) -> Iterator[Row]:
    """The matrix form with its shape, the activation by name in front."""
    form = how.matrix(equation.body, equation.indices)
    sides = list(dict.fromkeys(side for side in (named, form) if side is not None))
    left = how.name(equation.tensor)
    own = how.index_row(equation)
    if sides and (left, sides[-1]) != (own.left, own.right):
        yield Row(left, in_shape(" = ".join(sides), equation.tensor))


def _named(equation: Equation, how: Notation) -> str | None:
    kind = activation_of(equation)
    return None if kind is None else rf"{operator(kind)}\left({how.name(argument(equation))}\right)"


# -- what follows from an equation -------------------------------------------------------------------------------------


def _onehot_rows(equation: Equation, how: Notation) -> Iterator[Row]:
    """An equation that picks entries by labels, with the one-hot tensor: L = -sum_nc Y_nc log P_nc / N."""
    spread = with_all_positions(equation.body, how.onehots)
    if spread != equation.body:
        yield Row(how.entry(equation.tensor, equation.indices), how.index(spread, equation.indices))


def with_all_positions(e: Expr, onehots: OneHots) -> Expr:
    """An expression in which what is picked by a label is a sum over all positions: log P[n,y[n]] = sum_c [c = y[n]] log P[n,c]."""
    label = _label(e, onehots)
    if label is None or label.tensor.values is None:
        return e
    if isinstance(e, Sum):
        body, indices = e.open()
        return Sum(with_all_positions(body, onehots), *indices)
    if e.is_Add:
        return sp.Add(*(with_all_positions(term, onehots) for term in e.args))
    others = [factor for factor in sp.Mul.make_args(e) if _label(factor, onehots) is None]
    if others:
        picked = [factor for factor in sp.Mul.make_args(e) if factor not in others]
        return sp.Mul(*others, with_all_positions(sp.Mul(*picked), onehots))
    if not set(free_indices(label)) <= set(free_indices(e)):
        return e  # the label belongs to a sum within a function
    position = label.tensor.values.fresh()
    return Sum(Delta(position, label) * with_all_positions(e.xreplace({label: position}), onehots), position)


def _label(e: Expr, onehots: OneHots) -> Entry | None:
    """The first label that stands in an expression as the position of an entry."""
    entries = (node for node in sp.preorder_traversal(e) if isinstance(node, Entry))
    return next((at for entry in entries for at in entry.indices if isinstance(at, Entry) and at.tensor in onehots), None)


def _unit_sums(equation: Equation, how: Notation) -> Iterator[Block]:
    """An equation that divides by a sum: its values sum to 1 along that axis, where that is so by what it says."""
    summed = {i.axis for binder in equation.body.atoms(Binder) for i in binder.bound}
    for index in equation.indices:
        if index.axis in summed and Sum(equation.body, index) == 1:
            kept = [i for i in equation.indices if i != index]
            yield Paragraph(("Their sum is 1:",))
            yield Formula((Row(how.index(Sum(equation.entry, index), kept), "1"),))


# -- the network as one formula ----------------------------------------------------------------------------------------


def _composed(program: Program, how: Notation) -> Iterator[Block]:
    """The prediction as a function of the inputs, where that is short enough to be read."""
    prediction = program.outputs[0]
    text = composition(program, how)
    if text is not None and width(text) <= LINES * LINE and max(map(width, fold(text))) <= LINE:
        yield Paragraph(("The network as one formula, from the inputs to ", Math(how.name(prediction)), ":"))
        yield Formula((Row(how.name(prediction), text),))


def composition(program: Program, how: Notation) -> str | None:
    """The prediction with every value replaced by what computes it; None where that is one equation, or has no matrix form."""
    written: dict[Tensor, Written] = {}
    for equation in program.equations:
        kind = activation_of(equation)
        if kind is not None:
            read = argument(equation)
            inside = written[read].latex if read in written else how.name(read)
            written[equation.tensor] = Written(rf"{operator(kind)}\left({inside}\right)", ATOM)
        else:
            form = how.written(equation, written)
            if form is None or len(form.latex) > LENGTH:
                return None
            written[equation.tensor] = form
        if equation.tensor == program.outputs[0]:
            return written[equation.tensor].latex if len(written) > 1 else None
    return None
