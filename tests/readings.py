"""What a formula says: from the signs that a reader sees (layouts.py) to index expressions, which the proof can compare.

Formulas for one entry and for whole matrices are read alike: everything is a matrix of entries, a number one of 1 by 1. The reader knows
the notation as docs/notation.md has it, and of a network its symbols, its axes and which tensor stands where.
"""

# ruff: noqa: RUF001 - the signs of formulas are meant as they stand

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import sympy as sp
from sympy import Expr
from sympy.logic.boolalg import Boolean

from derive.documents.notation import notation
from derive.functions import AtLeast, where
from derive.index import Axis, Delta, Entry, Index, Max, Partial, Sum, Tensor, free_indices
from derive.program import Derivation
from tests.layouts import Box, Boxes, Line, key, keys, latex

LOSS = ("L", "ℓ")
ANY = "any"  # as many as the place demands: the rows of a column of ones
Side = Axis | str | None
RELATIONS = {"=", ":=", "←", "≈"}
COMPARISONS: dict[str, Callable[[Expr, Expr], Boolean]] = {"<": sp.Lt, "≤": sp.Le, ">": sp.Gt, "≥": sp.Ge}


def sigmoid(x: Expr) -> Expr:
    return 1 / (1 + sp.exp(-x))


FUNCTIONS: dict[str, Callable[[Expr], Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "tanh": sp.tanh,
    "erf": sp.erf,
    "σ": sigmoid,
    "ReLU": lambda x: AtLeast(x, sp.S.Zero),
    "log1p": lambda x: sp.log(1 + x),
    "expm1": lambda x: sp.exp(x) - 1,
    "erfc": lambda x: 1 - sp.erf(x),
    "GELU": lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "hardtanh": lambda x: where(x <= -1, -1, where(x >= 1, 1, x)),
}
SLOPES: dict[str, Callable[[Expr], Expr]] = {
    "σ": lambda x: sigmoid(x) * (1 - sigmoid(x)),
    "ReLU": lambda x: where(x <= 0, 0, 1),
    "tanh": lambda x: 1 - sp.tanh(x) ** 2,
    "hardtanh": lambda x: where(x <= -1, 0, where(x >= 1, 0, 1)),
    "GELU": lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2 + x * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),
}


class NotRead(Exception):
    """A formula that says something this reader has no meaning for."""


@dataclass(frozen=True)
class Value:
    """A matrix: its axes (None: one row, one column), and the entry at given indices.

    whole: the tensor that it is the gradient by, or the pair of tensors of a derivative, where it stands in a product of derivatives.
    """

    rows: Side
    columns: Side
    at: Callable[[Index | None, Index | None], Expr]
    whole: Tensor | tuple[Tensor, Tensor] | None = None
    entries: Callable[[tuple[Index, ...]], Expr] | None = None

    def mapped(self, function: Callable[[Expr], Expr]) -> Value:
        """The same matrix with a function of every entry."""
        return Value(self.rows, self.columns, lambda r, c: function(self.at(r, c)))


@dataclass(frozen=True)
class Reader:
    """Reads the formulas of one derivation.

    symbols: the tensors by how their symbols look; gradients: by the name of a tensor, its gradient; onehots: by the name of the one-hot
    tensor, the labels; letters: the axes by the letters of their indices; sizes: by how the symbols of their extents look.
    """

    symbols: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    onehots: Mapping[str, Tensor]
    letters: Mapping[str, Axis]
    sizes: Mapping[str, Axis]

    # -- rows ----------------------------------------------------------------------------------------------------------

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

    # -- sums and products ---------------------------------------------------------------------------------------------

    def expression(self, boxes: Boxes, bound: Mapping[str, Index]) -> Value:
        """Terms with their signs."""
        terms: list[tuple[int, list[Box]]] = [(1, [])]
        for k, box in enumerate(boxes):
            after_sum = bool(terms[-1][1]) and terms[-1][1][-1].text == "∑"
            if box.kind == "sign" and box.text in ("+", "-") and not after_sum:
                sign = -1 if box.text == "-" else 1
                if k == 0 or not terms[-1][1]:
                    terms[-1] = (terms[-1][0] * sign, [])
                else:
                    terms.append((sign, []))
            else:
                terms[-1][1].append(box)
        values = [scaled(self.term(tuple(term), bound), sign) for sign, term in terms]
        total = values[0]
        for value in values[1:]:
            total = entrywise(total, value, lambda a, b: a + b)
        return total

    def term(self, boxes: Boxes, bound: Mapping[str, Index]) -> Value:
        """Products between the signs for products entry by entry; a sum reaches to the end of its term."""
        for k, box in enumerate(boxes):
            if box.text in ("∑", "max") and box.kind == "sign" and box.sub:
                inner = dict(bound)
                below = box.sub[: next((j for j, sign in enumerate(box.sub) if sign.text == "="), len(box.sub))]  # i = 1: over all i
                letters = [(key(letter), self.letter(letter).fresh()) for letter in below]
                inner |= dict(letters)
                body = self.expression(boxes[k + 1 :], inner)
                binder = Sum if box.text == "∑" else Max
                over = number(binder(body.at(None, None), *(i for _, i in letters)))
                return times(self.term(boxes[:k], bound), over) if k else over
        pieces: list[tuple[str, list[Box]]] = [("⊙", [])]
        for box in boxes:
            if box.kind == "sign" and box.text in ("⊙", "⊘"):
                pieces.append((box.text, []))
            else:
                pieces[-1][1].append(box)
        value = self.product(tuple(pieces[0][1]), bound)
        for sign, piece in pieces[1:]:
            other = self.product(tuple(piece), bound)
            value = entrywise(value, other, (lambda a, b: a * b) if sign == "⊙" else (lambda a, b: a / b))
        return value

    def product(self, boxes: Boxes, bound: Mapping[str, Index]) -> Value:
        """Factors side by side."""
        found: Value | None = None
        left = list(boxes)
        while left:
            factor = self.factor(left, bound)
            found = factor if found is None else times(found, factor)
        if found is None:
            raise NotRead("an empty product")
        return found

    # -- factors -------------------------------------------------------------------------------------------------------

    def factor(self, left: list[Box], bound: Mapping[str, Index]) -> Value:
        """The first factor, taken off the list, with its argument where it is a function."""
        box = left.pop(0)
        if box.text == "⋅" and left:
            box = left.pop(0)
        if box.kind == "sign" and (box.text in FUNCTIONS or box.text in ("diag", "softmax", "max")) and left:
            return self.applied(box, left.pop(0), bound)
        scripts = box.sup
        value = self.bare(box, bound)
        if value is None:
            value, scripts = self.bare(replace(box, sup=()), bound), box.sup
        else:
            scripts = ()
        if value is None:
            raise NotRead(f"unknown: {key(box)}")
        return self.raised(value, scripts)

    def raised(self, value: Value, scripts: Boxes) -> Value:
        marks = [box for box in scripts if box.text != "⊙"]
        if not marks:
            return value
        if keys(marks) == "⊤":
            return Value(value.columns, value.rows, lambda r, c: value.at(c, r))
        exponent = self.expression(tuple(marks), {}).at(None, None)
        if not exponent.is_Rational:
            raise NotRead(f"the power {keys(marks)}")
        return value.mapped(lambda x: x**exponent)

    def applied(self, function: Box, argument: Box, bound: Mapping[str, Index]) -> Value:
        """A function of what stands in brackets behind it, or of the one sign behind it."""
        name, marks = function.text, "".join(map(key, function.sup))
        if argument.kind == "group":
            parts = self.separated(argument.parts[0], bound)
            outer = argument.sup
        else:
            parts, outer = [self.factor([argument], bound)], ()
        inside = parts[-1]
        if name == "max":
            return self.raised(entrywise(parts[0], inside, lambda a, b: AtLeast(b, a)), outer)
        if name == "diag":
            invert = "".join(map(key, outer)) == "-1"
            if outer and not invert:
                raise NotRead("a power of a diagonal matrix")
            entry = vector(inside)
            return Value(inside.rows, inside.rows, lambda r, c: equal(r, c) * (1 / entry(r) if invert else entry(r)))
        if name == "softmax":
            return self.softmax(inside)
        table = {"": FUNCTIONS, "′": SLOPES}.get(marks)
        if table is None or name not in table:
            if not marks.isdigit():
                raise NotRead(f"the function {name}{marks}")
            return inside.mapped(lambda x: FUNCTIONS[name](x) ** int(marks))
        return self.raised(inside.mapped(table[name]), outer)

    def softmax(self, inside: Value) -> Value:
        """Along the axis of classes, the one whose extent is known."""
        rows = isinstance(inside.rows, Axis) and inside.rows.extent is not None
        axis = inside.rows if rows else inside.columns
        assert isinstance(axis, Axis)

        def at(r: Index | None, c: Index | None) -> Expr:
            k = axis.fresh()
            return sp.exp(inside.at(r, c)) / Sum(sp.exp(inside.at(k, c) if rows else inside.at(r, k)), k)

        return Value(inside.rows, inside.columns, at)

    def separated(self, boxes: Boxes, bound: Mapping[str, Index]) -> list[Value]:
        """Arguments between commas."""
        parts: list[list[Box]] = [[]]
        for box in boxes:
            if box.kind == "sign" and box.text == ",":
                parts.append([])
            else:
                parts[-1].append(box)
        return [self.expression(tuple(part), bound) for part in parts]

    def bare(self, box: Box, bound: Mapping[str, Index]) -> Value | None:
        """A factor without what is raised; None where it has another meaning, or none."""
        if box.kind == "frac" and not box.sup:
            return self.fraction(box, bound)
        if box.kind == "group" and not box.sup:
            inside = None if box.text == "𝟏[" else self.expression(box.parts[0], bound)
            if inside is None:
                return self.indicator(box, bound)
            return inside.mapped(_absolute) if box.text == "|" else inside
        if box.kind == "cases":
            return self.cases(box, bound)
        if box.kind == "root":
            inside = self.expression(box.parts[0], bound)
            return inside.mapped(_root)
        if box.kind == "sign" and box.text.isascii() and box.text.replace(".", "", 1).isdigit() and not box.sup:
            return number(sp.Rational(box.text))
        if box == Box("sign", "𝟏"):
            return Value(ANY, None, lambda _r, _c: sp.S.One)
        if box.kind == "sign" and box.text == "e" and box.sup:
            inside = self.expression(box.sup, bound)
            return inside.mapped(_exp)
        if box.kind == "sign" and box.text == "δ" and not box.sup and key(box) not in self.symbols:
            first, second = self.places(box.sub, bound)
            return number(Delta(first, second))
        if box == Box("sign", "π"):
            return number(sp.pi)
        if key(box) in self.sizes:
            return number(self.sizes[key(box)].count)
        named = self.named(box, bound)
        return None if named is None else self.read(*named)

    def fraction(self, box: Box, bound: Mapping[str, Index]) -> Value:
        above, below = box.parts
        if above and above[0].text == "∂" and below and below[0].text == "∂":
            if len(above) != 2 or len(below) != 2:
                raise NotRead(f"the derivative {key(box)}")
            return self.derivative(above[1], below[1], bound)
        top, bottom = self.expression(above, bound), self.expression(below, bound)
        return entrywise(top, bottom, lambda a, b: a / b)

    def derivative(self, above: Box, below: Box, bound: Mapping[str, Index]) -> Value:
        """A gradient where L is differentiated, else the derivative of an entry, or of a tensor, by another."""
        by, by_at = self.needed(below, bound)
        if key(above) in LOSS:
            if by.name == "theta":
                return number(Tensor("dtheta").entry())
            gradient = self.gradients.get(by.name)
            if gradient is None:
                raise NotRead(f"no gradient by {by.name}")
            value = self.read(gradient, by_at)
            if by_at or not by.axes:
                return value
            return Value(value.rows, value.columns, value.at, by, lambda at: Entry(gradient, *at))
        of, of_at = self.needed(above, bound)
        if (of.axes and not of_at) or (by.axes and not by_at):
            return Value(None, None, lambda _r, _c: sp.nan, (of, by))
        return number(Partial(Entry(of, *of_at), Entry(by, *by_at)))

    def indicator(self, box: Box, bound: Mapping[str, Index]) -> Value:
        for k, sign in enumerate(box.parts[0]):
            if sign.kind == "sign" and sign.text in COMPARISONS:
                left, right = (self.expression(part, bound) for part in (box.parts[0][:k], box.parts[0][k + 1 :]))
                return entrywise(left, right, partial(_holds, COMPARISONS[sign.text]))
        raise NotRead(f"the condition {keys(box.parts[0])}")

    def cases(self, box: Box, bound: Mapping[str, Index]) -> Value:
        """Branches one after the other, the last of which holds where no other one does, or where it says so."""
        first, condition, *others = box.parts
        value = self.expression(first, bound).at(None, None)
        if len(others) > 2:
            rest = self.cases(replace(box, parts=tuple(others)), bound).at(None, None)
        else:
            rest = self.expression(others[0], bound).at(None, None)
        equality = next((k for k, sign in enumerate(condition) if sign.text == "="), None)
        if equality is not None:
            a, b = (self.place(part[0], bound) for part in (condition[:equality], condition[equality + 1 :]))
            return number(Delta(a, b) * value + (1 - Delta(a, b)) * rest)
        holds = self.indicator(Box("group", "𝟏[", (condition,)), bound).at(None, None)
        if len(others) > 2 or others[1][0].text.startswith("otherwise"):
            return number(holds * value + (1 - holds) * rest)
        return number(holds * value + self.indicator(Box("group", "𝟏[", (others[1],)), bound).at(None, None) * rest)

    # -- tensors -------------------------------------------------------------------------------------------------------

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


# -- matrices ----------------------------------------------------------------------------------------------------------


def _exp(x: Expr) -> Expr:
    return sp.exp(x)


def _absolute(x: Expr) -> Expr:
    return sp.Abs(x)


def _root(x: Expr) -> Expr:
    return x ** sp.Rational(1, 2)


def _holds(relation: Callable[[Expr, Expr], Boolean], a: Expr, b: Expr) -> Expr:
    return where(relation(a, b), 1, 0)


def number(e: Expr) -> Value:
    return Value(None, None, lambda _r, _c: e)


def scaled(value: Value, sign: int) -> Value:
    return value if sign == 1 else value.mapped(lambda x: -x)


def is_number(value: Value) -> bool:
    return value.rows is None and value.columns is None


def entrywise(a: Value, b: Value, function: Callable[[Expr, Expr], Expr]) -> Value:
    """A function of two matrices of the same shape, or of a matrix and a number."""
    rows, columns = joined(a, b, "rows"), joined(a, b, "columns")

    def at(r: Index | None, c: Index | None) -> Expr:
        first, second = (v.at(None, None) if is_number(v) else v.at(r, c) for v in (a, b))
        return function(first, second)

    return Value(rows, columns, at)


def joined(a: Value, b: Value, name: str) -> Side:
    first, second = getattr(a, name), getattr(b, name)
    if is_number(a) or first == ANY:
        return second
    if is_number(b) or second in (first, ANY):
        return first
    raise NotRead(f"matrices of different shapes: {first} and {second} {name}")


def times(a: Value, b: Value) -> Value:
    """The product of two matrices, of a number and a matrix, or of a gradient and a derivative."""
    if isinstance(b.whole, tuple) or isinstance(a.whole, tuple):
        return chained(a, b)
    if is_number(a) or is_number(b):
        return entrywise(a, b, lambda x, y: x * y)
    between = a.columns if isinstance(a.columns, Axis) else b.rows
    if between == ANY or any(side not in (between, ANY) for side in (a.columns, b.rows)):
        raise NotRead(f"a product over {a.columns} and {b.rows}")

    def at(r: Index | None, c: Index | None) -> Expr:
        if between is None:
            return a.at(r, None) * b.at(None, c)
        assert isinstance(between, Axis)
        k = between.fresh()
        return Sum(a.at(r, k) * b.at(k, c), k)

    return Value(a.rows, b.columns, at)


def chained(a: Value, b: Value) -> Value:
    """dL/dP dP/dZ: a sum over the entries of P."""
    if not isinstance(a.whole, Tensor) or not isinstance(b.whole, tuple) or a.entries is None or b.whole[0] != a.whole:
        raise NotRead("derivatives that do not meet")
    of, by = b.whole
    above = a.entries

    def entries(at: tuple[Index, ...]) -> Expr:
        over = tuple(axis.fresh() for axis in of.axes)
        return Sum(above(over) * Partial(Entry(of, *over), Entry(by, *at)), *over)

    def place(r: Index | None, c: Index | None) -> Expr:
        return entries(tuple(i for i in (r, c) if i is not None))

    rows, columns = (*by.axes, None, None)[:2]
    return Value(rows, columns, place, by, entries)


def vector(value: Value) -> Callable[[Index | None], Expr]:
    if value.columns is not None:
        raise NotRead("a diagonal of a matrix")
    return lambda i: value.at(i, None)


def equal(r: Index | None, c: Index | None) -> Expr:
    return sp.S.One if r is None or c is None else Delta(r, c)


# -- equations ---------------------------------------------------------------------------------------------------------


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


# -- a reader for a derivation -----------------------------------------------------------------------------------------


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
