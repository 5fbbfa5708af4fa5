"""Sums, products, functions and fractions of a formula, as matrices of index expressions."""

# ruff: noqa: RUF001 - the signs of formulas are meant as they stand

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import sympy as sp
from sympy import Expr

from derive.functions import AtLeast
from derive.index import Axis, Delta, Entry, Index, Max, Partial, Sum, Tensor
from tests.layouts import Box, Boxes, key, keys
from tests.reading_functions import COMPARISONS, FUNCTIONS, SLOPES, absolute, exp, holds, root
from tests.reading_symbols import Symbols
from tests.reading_values import ANY, NotRead, Value, entrywise, equal, number, scaled, times, vector

LOSS = ("L", "ℓ")


class Formulas(Symbols):
    """Reads formulas."""

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
            return inside.mapped(absolute) if box.text == "|" else inside
        if box.kind == "cases":
            return self.cases(box, bound)
        if box.kind == "root":
            inside = self.expression(box.parts[0], bound)
            return inside.mapped(root)
        if box.kind == "sign" and box.text.isascii() and box.text.replace(".", "", 1).isdigit() and not box.sup:
            return number(sp.Rational(box.text))
        if box == Box("sign", "𝟏"):
            return Value(ANY, None, lambda _r, _c: sp.S.One)
        if box.kind == "sign" and box.text == "e" and box.sup:
            inside = self.expression(box.sup, bound)
            return inside.mapped(exp)
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
                return entrywise(left, right, partial(holds, COMPARISONS[sign.text]))
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
