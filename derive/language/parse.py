"""From tokens to the tree: precedence climbing over a closed grammar.

formula    = statement (end statement)*            end: `;` or the end of a line
statement  = [ name [ "[" places "]" ] "=" ] sum
condition  = [ "not" ] sum [ ("<" | "<=" | ">" | ">=") sum ]
sum        = product (("+" | "-") product)*
product    = factor (("*" | "/" | "//") factor)*
factor     = "-" factor | primary [ "**" factor ]
primary    = number | name | name "[" places "]" | name "(" arguments ")" | "(" condition ")"
places     = (sum | "...") ("," (sum | "..."))*
arguments  = (condition | "...") ("," (condition | "..."))*
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, cast

from derive.language.errors import Place, quoted, wrong
from derive.language.limits import (
    MAX_CALLS,
    MAX_DECIMAL_EXPONENT,
    MAX_DIGITS,
    MAX_EQUATIONS,
    MAX_EXPRESSION,
    MAX_NESTING,
    MAX_POSITIONS,
)
from derive.language.syntax_errors import COMPARISONS, INSTEAD, unexpected
from derive.language.tokens import Token, tokens
from derive.language.tree import Call, Compare, Comparison, Name, Negative, Node, Not, Number, Power, Read, Rest, Series, Statement

LEVELS = (("+", "-"), ("*", "/", "//"))


@dataclass(frozen=True)
class Declaration:
    """A tensor with the letters of its axes, "W[j, k]": `letters` may hold "..." once."""

    name: str
    letters: tuple[str, ...]


def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a formula, one at least. Raises FormulaError."""
    return _Parser(tokens(text)).statements()


def single(text: str) -> Node:
    """The one expression of a text. Raises FormulaError for equations and for more than one expression."""
    first, *others = statements(text)
    if first.name is not None:
        raise wrong(first.at, "an equation", "an expression, without a left side")
    if others:
        raise wrong(others[0].at, "a second expression", "one expression")
    return first.body


def declaration(text: str) -> Declaration:
    """The declaration of a tensor, such as `W[j, k]`, `M[...]` or `a`. Raises FormulaError."""
    node = single(text)
    if isinstance(node, Name):
        return Declaration(node.name, ())
    if not isinstance(node, Read):
        raise wrong(node.at, "something else than a tensor", "a name with the letters of its axes, such as `W[j, k]`")
    return Declaration(node.name, left_letters(node.positions))


def left_letters(positions: tuple[Node, ...]) -> tuple[str, ...]:
    """The letters of a left side, "..." among them. Raises FormulaError unless they are different plain names."""
    found: list[str] = []
    for position in positions:
        if not isinstance(position, Name | Rest):
            raise wrong(position.at, "a computed position on the left", "an index letter of its own, such as `j`")
        letter = position.name if isinstance(position, Name) else "..."
        if letter in found:
            raise wrong(position.at, f"{quoted(letter)} twice on the left", "different letters")
        found.append(letter)
    return tuple(found)


class _Parser:
    """Reads tokens from left to right; `place` is the next one."""

    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.place = 0
        self.nesting = 0
        self.calls = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while self._skip_ends():
            first = self.next.at
            if len(found) == MAX_EQUATIONS:
                raise wrong(first, f"more than {MAX_EQUATIONS} equations", "fewer")
            self._check_length()
            found.append(self._statement())
            if self.next.kind != "end":
                self._unexpected("an operator or the end")
        if not found:
            raise wrong(Place(1, 1), "an empty formula", "an expression such as `x * tanh(x)`")
        return tuple(found)

    def _skip_ends(self) -> bool:
        """Whether there is another statement."""
        while self.next.kind == "end" and self.place + 1 < len(self.tokens):
            self.place += 1
        return self.next.kind != "end"

    def _check_length(self) -> None:
        length, last = 0, self.place
        while self.tokens[last].kind != "end":
            length += len(self.tokens[last].text)
            last += 1
        if length > MAX_EXPRESSION:
            raise wrong(self.next.at, f"an expression of {length} characters", f"at most {MAX_EXPRESSION}, or several equations")

    def _statement(self) -> Statement:
        at = self.next.at
        body = self._series(0)
        if self.next.text != "=":
            return Statement(at, None, (), body)
        if not isinstance(body, Name | Read):
            raise wrong(at, "a left side that is no tensor", "a name with the letters of its axes, such as `Y[..., j] = ...`")
        self.place += 1
        positions = body.positions if isinstance(body, Read) else ()
        left_letters(positions)
        return Statement(at, body.name, positions, self._series(0))

    def _condition(self) -> Node:
        token = self.next
        if token.text == "not":
            self._enter(self._take())
            of = self._condition()
            self.nesting -= 1
            return Not(token.at, of)
        left = self._series(0)
        if self.next.text not in COMPARISONS:
            return left
        operator = self._take()
        right = self._series(0)
        if self.next.text in COMPARISONS:
            raise wrong(self.next.at, "a second comparison", INSTEAD["and"])
        return Compare(operator.at, cast(Comparison, operator.text), left, right)

    def _series(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._factor()
        at = self.next.at
        first = self._series(level + 1)
        more: list[tuple[str, Node]] = []
        while self.next.text in LEVELS[level]:
            operator = self._take().text
            more.append((operator, self._series(level + 1)))
        return Series(at, first, tuple(more)) if more else first

    def _factor(self) -> Node:
        token = self.next
        self._enter(token)
        if token.text == "-":
            self.place += 1
            of = self._factor()
            self.nesting -= 1
            return Negative(token.at, of)
        base = self._primary()
        if self.next.text == "**":
            self.place += 1
            base = Power(token.at, base, self._factor())
        self.nesting -= 1
        return base

    def _primary(self) -> Node:
        token = self._take()
        if token.kind == "number":
            return Number(token.at, number(token))
        if token.kind == "name":
            if self.next.text == "(":
                return self._call(token)
            if self.next.text == "[":
                positions = self._list("]")
                if len(positions) > MAX_POSITIONS:
                    raise wrong(token.at, f"{len(positions)} positions", f"at most {MAX_POSITIONS}")
                if sum(isinstance(p, Rest) for p in positions) > 1:
                    raise wrong(token.at, "`...` twice in one pair of brackets", "`...` once")
                return Read(token.at, token.text, positions)
            return Name(token.at, token.text)
        if token.text == "(":
            inner = self._condition()
            self._close(")", token)
            return inner
        raise unexpected(token, token, "a number, a name or `(`")

    def _call(self, name: Token) -> Call:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise wrong(name.at, f"more than {MAX_CALLS} functions inside one another", "equations of their own for the inner ones")
        arguments = self._list(")")
        self.calls -= 1
        return Call(name.at, name.text, arguments)

    def _list(self, end: str) -> tuple[Node, ...]:
        """What stands between brackets, separated by commas."""
        begin = self._take()
        found: list[Node] = []
        while True:
            if self.next.kind == "rest":
                found.append(Rest(self._take().at))
            else:
                found.append(self._condition() if end == ")" else self._series(0))
            if self.next.text != ",":
                break
            self.place += 1
        self._close(end, begin)
        return tuple(found)

    def _close(self, end: str, begin: Token) -> None:
        if self.next.text != end:
            self._unexpected(f"{quoted(end)} for the {quoted(begin.text)} of column {begin.at.column}")
        self.place += 1

    def _take(self) -> Token:
        token = self.next
        if self.place + 1 < len(self.tokens):
            self.place += 1
        return token

    def _enter(self, token: Token) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise wrong(token.at, f"more than {MAX_NESTING} levels of nesting", "a flatter formula, or several equations")

    def _unexpected(self, wanted: str) -> NoReturn:
        raise unexpected(self.next, self.tokens[max(self.place - 1, 0)], wanted)


def number(token: Token) -> Fraction:
    """The exact value of a number. Raises FormulaError where it has too many digits or is out of the range of floats."""
    mantissa, _, exponent = token.text.lower().partition("e")
    whole, _, decimals = mantissa.partition(".")
    if len(whole) + len(decimals) > MAX_DIGITS:
        raise wrong(token.at, f"a number of {len(whole) + len(decimals)} digits", f"at most {MAX_DIGITS}")
    if len(exponent) > 5 or abs(int(exponent or 0)) > MAX_DECIMAL_EXPONENT:
        raise wrong(token.at, quoted(token.text), f"an exponent from -{MAX_DECIMAL_EXPONENT} to {MAX_DECIMAL_EXPONENT}")
    power = int(exponent or 0) - len(decimals)
    digits = int(whole + decimals)
    return Fraction(digits * 10**power) if power >= 0 else Fraction(digits, 10**-power)
