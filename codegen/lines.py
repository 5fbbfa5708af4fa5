"""The statements of a kernel as lines of Python, each under the equation that it implements."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from codegen.constants import COMPARE
from codegen.flat import unused
from codegen.long_values import halves, longest_part
from codegen.loops import Accumulate, Assign, Demand, Leaf, Loop, MatrixProduct, Statement, Track, leaves, targets
from codegen.positions import at_most, in_row_major_order
from codegen.printer import code, element, holds, identifier, position
from codegen.products import calls
from codegen.views import extent, size_text
from derive.index import Entry, Index, Tensor, lies_on
from derive.text import equation_text

WIDTH = 140
INDENT = "    "
FREE = {"sum": "_add", "product": "_times"}  # the module's functions for sums and products that may be reordered


def lines(
    statements: Sequence[Statement], taken: set[str], depth: int = 1, slices: bool = True, shown: set[str] | None = None
) -> list[str]:
    """The lines of a kernel's body; `taken` are names that a new variable must not have.

    slices: whether an array is filled with a number by one assignment; a loop of known length is faster. shown: the equations that
    have been shown in full before; those of these lines join them.
    """
    writer = _Writer(set(taken), slices, shown=set() if shown is None else shown)
    writer.block(statements, depth)
    return writer.done


def comment(text: str, depth: int) -> list[str]:
    """A comment of one or more lines; lines after the first are indented."""
    start = INDENT * depth + "# "
    return textwrap.wrap(
        text, WIDTH, initial_indent=start, subsequent_indent=start + INDENT, break_long_words=False, break_on_hyphens=False
    )


@dataclass
class _Writer:
    """Writes statements one by one; remembers the equation that the last comment named."""

    taken: set[str]
    slices: bool
    done: list[str] = field(default_factory=list[str])
    shown: set[str] = field(default_factory=set[str])
    current: str = ""

    def block(self, statements: Sequence[Statement], depth: int) -> None:
        for k, statement in enumerate(statements):
            if _is_fill(statement):
                if k == 0 or not _is_fill(statements[k - 1]):
                    self.start(statements[k:], depth)
                self.current = _key(next(leaves(statement)))
            elif len({leaf.equation.number for leaf in leaves(statement)}) == 1:
                self.head(next(leaves(statement)), depth)
            self.statement(statement, depth)

    def start(self, statements: Sequence[Statement], depth: int) -> None:
        """The comment over sums that start: their equation if it follows at once, else the numbers of all that start here."""
        fills = list(itertools.takewhile(_is_fill, statements))
        started = [leaf for s in fills for leaf in leaves(s)]
        every = {leaf.equation.number for s in statements[: len(fills) + 1] for leaf in leaves(s)}
        if len(every) == 1:
            self.head(started[0], depth)
        elif any(target.indices for leaf in started for target in targets(leaf)):
            numbers = dict.fromkeys(f"({leaf.equation.number})" for leaf in started)
            text = f"start of {', '.join(numbers)}"
            if not any(line.strip() == f"# {text}" for line in self.done[-2:]):  # above a loop that holds them all
                self.done += comment(text, depth)

    def head(self, leaf: Leaf, depth: int) -> None:
        """The comment that names the equation, in full where it first appears."""
        key = _key(leaf)
        if self.current == key:
            return
        label = f"({leaf.equation.number})"
        self.done += comment(f"{label} continued" if key in self.shown else f"{label}  {equation_text(leaf.equation)}", depth)
        self.shown.add(key)
        self.current = key

    def statement(self, statement: Statement, depth: int) -> None:
        if isinstance(statement, Loop):
            self.loop(statement, depth)
        elif isinstance(statement, MatrixProduct):
            self.product(statement, depth)
        elif isinstance(statement, Demand):
            self.demand(statement, depth)
        elif isinstance(statement, Track):
            depth = self.guarded(statement.guards, depth)
            self.put(f"if {code(statement.value, COMPARE)} > {element(statement.best)}:", depth)
            self.put(f"{element(statement.best)} = {code(statement.value)}", depth + 1)
            for target, place in zip(statement.targets, statement.positions, strict=True):
                self.put(f"{element(target)} = {identifier(place)}", depth + 1)
        else:
            self.assignment(statement, self.guarded(statement.guards, depth))

    def guarded(self, guards: Sequence[Expr], depth: int) -> int:
        """The depth below a line that tests the guards."""
        if not guards:
            return depth
        self.put(f"if {' and '.join(map(holds, guards))}:", depth)
        return depth + 1

    def loop(self, loop: Loop, depth: int) -> None:
        filled = _filled(loop) if depth == 1 and self.slices else None
        if filled is not None:
            places = ", ".join(":" for _ in filled.target.indices)
            self.put(f"{filled.target.tensor.name}[{places}] = {code(filled.value)}", depth)
            return
        self.put(f"for {identifier(loop.index)} in range({_bounds(loop)}):", depth)
        self.block(loop.body, depth + 1)
        if depth == 1:
            self.current = ""

    def assignment(self, leaf: Assign | Accumulate, depth: int) -> None:
        target, value = leaf.target, leaf.value
        if isinstance(leaf, Accumulate) and leaf.operation == "max":
            self.fitted(f"{element(target)} = np.maximum({element(target)}, ", value, ")", depth)
        elif isinstance(leaf, Accumulate) and leaf.reordered:
            self.fitted(f"{element(target)} = {FREE[leaf.operation]}({element(target)}, ", value, ")", depth)
        elif isinstance(leaf, Accumulate) and leaf.operation == "product":
            self.fitted(f"{element(target)} *= ", value, "", depth)
        elif isinstance(leaf, Accumulate):
            first, rest = halves(leaf.value, self.room(depth, f"{element(target)} += "))
            if rest != 0:
                self.assignment(replace(leaf, value=first), depth)
                self.assignment(replace(leaf, value=rest), depth)
                return
            sign = "-" if value.could_extract_minus_sign() and not value.is_Add else "+"
            self.fitted(f"{element(target)} {sign}= ", -value if sign == "-" else value, "", depth)
        elif target in sp.Add.make_args(value):
            self.assignment(Accumulate(leaf.equation, target, "sum", value - target), depth)
        elif target.tensor.values:
            self.put(f"{element(target)} = {position(value)}", depth)
        elif value == 0 and not leaf.equation.indices:
            self.put(f"{element(target)} = 0.0", depth)  # a sum over all examples is kept in float64
        elif value == 1 and leaf.starts:
            self.put(f"{element(target)} = np.float64(1)", depth)  # and so is a product
        else:
            first, rest = halves(leaf.value, self.room(depth, f"{element(target)} += "))
            self.fitted(f"{element(target)} = ", first, "", depth)
            if rest != 0:
                self.assignment(Accumulate(leaf.equation, target, "sum", rest), depth)

    def product(self, leaf: MatrixProduct, depth: int) -> None:
        left, right, out = _matrices(leaf)
        *others, (_, call) = calls(leaf, left, right, out)
        for k, (condition, other) in enumerate(others):
            self.put(f"{'elif' if k else 'if'} {condition}:", depth)
            self.put(other, depth + 1)
        if others:
            self.put("else:", depth)
        self.put(call, depth + 1 if others else depth)

    def demand(self, leaf: Demand, depth: int) -> None:
        value = element(leaf.value)
        self.put(f"if {value} < real({leaf.low}) or {value} > real({leaf.high}):", depth)
        place = ", ".join(f"{{{identifier(i)}}}" for i in leaf.equation.indices)
        name = leaf.equation.tensor.name
        self.put(f'raise ValueError(f"{name}[{place}] lies outside [{leaf.low}, {leaf.high}]: {leaf.why}")', depth + 1)

    def fitted(self, before: str, value: Expr, after: str, depth: int) -> None:
        """One assignment; parts of a value that is too long for a line get variables of their own."""
        room = self.room(depth)
        taken = set(self.taken)
        while len(before + code(value) + after) > room:
            part = longest_part(value, room)
            if part is None:
                break
            word, inner = part
            named = Entry(Tensor(unused(word, taken)))
            self.put(f"{named.tensor.name} = {code(inner)}", depth)
            value = value.xreplace({inner: named})
        self.put(before + code(value) + after, depth)

    def room(self, depth: int, before: str = "") -> int:
        """How long a value may be on a line that begins so."""
        return WIDTH - len(INDENT) * depth - len(before)

    def put(self, text: str, depth: int) -> None:
        self.done.append(INDENT * depth + text)


def _key(leaf: Leaf) -> str:
    return f"({leaf.equation.number}) {leaf.equation.tensor.name}"


def _bounds(loop: Loop) -> str:
    """`10`, `2, 10`, `max(0, 1 - p), min(10, 8 - p)`."""
    axis = loop.index.axis
    count = axis.count if axis.extent is None else sp.Integer(axis.extent)
    low, high = ((sp.S.Zero, *loop.low), (*loop.high, count))
    lows = [position(e) for k, e in enumerate(low) if not any(at_most(e, o) for o in low[k + 1 :])]
    highs = [position(e) for k, e in enumerate(high) if not any(at_most(o, e) for o in high[:k])]
    start, stop = (f"{word}({', '.join(b)})" if len(b) > 1 else b[0] for word, b in (("max", lows), ("min", highs)))
    if loop.step > 1:
        return f"{start}, {stop}, {loop.step}"
    return stop if start == "0" else f"{start}, {stop}"


def _matrices(product: MatrixProduct) -> Iterable[str]:
    """The factors of a matrix product, transposed where their indices stand the other way round, and the array for the result."""
    out, left, right = (in_row_major_order(entry) or () for entry in (product.out, product.left, product.right))
    rows, columns = out[: product.rows], out[product.rows :]
    straight = left[: len(rows)] == rows
    yield _matrix(product.left.tensor, left, len(rows) if straight else product.inner) + ("" if straight else ".T")
    straight = right[: len(columns)] != columns
    yield _matrix(product.right.tensor, right, product.inner if straight else len(columns)) + ("" if straight else ".T")
    yield _matrix(product.out.tensor, out, len(rows))


def _matrix(tensor: Tensor, indices: Sequence[Index], rows: int) -> str:
    """An array, along which these indices run, as a matrix with as many rows as the first few have positions."""
    sizes = [extent(Tensor("", [i.axis for i in part])) for part in (indices[:rows], indices[rows:])]
    if [extent(Tensor("", [axis])) for axis in tensor.axes] == sizes:
        return tensor.name
    return f"{tensor.name}.reshape({', '.join(map(size_text, sizes))})"


def _is_fill(statement: Statement) -> bool:
    """Whether all that a statement does is start sums at zero."""
    return all(isinstance(leaf, Assign) and leaf.starts and leaf.value.is_number for leaf in leaves(statement))


def _filled(statement: Statement) -> Assign | None:
    """The assignment of one number to every entry of an array, if that is what a nest does."""
    loops: set[Expr] = set()
    while isinstance(statement, Loop) and len(statement.body) == 1 and not (statement.low or statement.high):
        loops.add(statement.index)
        statement = statement.body[0]
    if not isinstance(statement, Assign) or not statement.value.is_number or statement.guards:
        return None
    places = zip(statement.target.indices, statement.target.tensor.axes, strict=True)
    each = len(statement.target.indices) == len(loops) and set(statement.target.indices) == loops
    return statement if each and all(lies_on(i, axis) for i, axis in places) else None
