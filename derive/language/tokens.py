"""The text of a formula as tokens with their places. Lines and `;` end an equation, but for line ends inside brackets."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from derive.language.errors import Place, quoted, wrong
from derive.language.limits import MAX_NAME, MAX_TEXT

Kind = Literal["number", "name", "rest", "operator", "end", "unknown"]

PATTERN = re.compile(
    r"""(?P<space>[ \t\r]+)
    |(?P<rest>\.\.\.)
    |(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<operator>\*\*|//|<=|>=|==|[-+*/()\[\],<>=])
    |(?P<end>[;\n])""",
    re.VERBOSE,
)


class Token(NamedTuple):
    kind: Kind
    text: str
    at: Place


def tokens(text: str) -> list[Token]:
    """The tokens of a formula, the last of them an empty "end"; a character that no token begins with is "unknown".

    Raises FormulaError where the formula or a name is too long.
    """
    if len(text) > MAX_TEXT:
        raise wrong(Place(1, 1), f"a formula of {len(text)} characters", f"at most {MAX_TEXT}")
    found: list[Token] = []
    line, begins, position, brackets = 1, 0, 0, 0
    while position < len(text):
        match = PATTERN.match(text, position)
        at = Place(line, position - begins + 1)
        if match is None:
            found.append(Token("unknown", text[position], at))
            position += 1
            continue
        position = match.end()
        kind, word = match.lastgroup, match.group()
        if kind == "space":
            continue
        if word == "\n":
            line, begins = line + 1, position
            if brackets > 0:
                continue
        if kind == "name" and len(word) > MAX_NAME:
            raise wrong(at, f"a name of {len(word)} letters, {quoted(word)}", f"at most {MAX_NAME}")
        brackets += (word in ("(", "[")) - (word in (")", "]"))
        found.append(Token(_KINDS[kind or ""], word, at))
    return [*found, Token("end", "", Place(line, len(text) - begins + 1))]


_KINDS: dict[str, Kind] = {"number": "number", "name": "name", "rest": "rest", "operator": "operator", "end": "end"}
