"""The errors for tokens that cannot stand where they do, with what a person who wrote them is likely to have meant."""

from __future__ import annotations

import keyword

from derive.language.errors import FormulaError, quoted, wrong
from derive.language.lookalikes import meant, named
from derive.language.tokens import Token

COMPARISONS = ("<", "<=", ">", ">=")
INSTEAD = {
    "if": "`where(condition, a, b)`",
    "and": "one comparison; put a `where` inside a `where` for more",
    "or": "one comparison; put a `where` inside a `where` for more",
    "for": "a sum over an index, such as `sum(k, X[n, k] * W[j, k])`",
    "not": "`where(not switch, a, b)`",
    "=": "one `=` in an equation, after its left side",
    "==": "`delta(a, b)` for equal positions, `=` after the left side of an equation, or one of < <= > >=",
    "<": "no comparison here: it can only be the first argument of `where`",
    "//": "`/`",
    "(": "an operator such as `*` before `(`",
    "[": "an operator; only a name can have positions in brackets",
    ")": "no `)` here, or a `(` before",
    "]": "no `]` here, or a `[` before",
    ",": "no `,` here",
}


def unexpected(token: Token, before: Token, wanted: str) -> FormulaError:
    """The error for a token that cannot stand where it does, after another one."""
    if keyword.iskeyword(before.text):
        right = INSTEAD.get(before.text, "names, numbers, operators and functions of the language")
        return wrong(before.at, f"{quoted(before.text)}, a word of Python", right)
    if token.kind == "unknown":
        return wrong(token.at, named(token.text), meant(token.text))
    if token.kind == "end":
        return wrong(token.at, "the end of the formula" if not token.text else "the end of the line or a `;`", wanted)
    key = "<" if token.text in COMPARISONS else token.text
    if key in INSTEAD and wanted.startswith("an operator"):
        return wrong(token.at, quoted(token.text), INSTEAD[key])
    if token.text == "...":
        return wrong(token.at, "`...`", f"{wanted}; `...` stands in brackets, or in sum(...), mean(...), max(...) and size(...)")
    return wrong(token.at, quoted(token.text), wanted)
