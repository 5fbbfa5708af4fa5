"""Characters that are not of the language: what they are called and what would be right in their place."""

from __future__ import annotations

import unicodedata

PLAIN = {
    "^": "`**` for a power",
    ".": "no attributes: a formula has names, numbers, operators and the functions of the language only",
    '"': "no text: a formula has names and numbers only",
    "'": "no quotes; an index is a plain name such as `k`",
    "!": "`where(a, b, c)` with a comparison or a switch, or `not` in front of a switch",
    "%": "no remainder; positions are sums of indices with whole coefficients",
    "@": "a sum over an index, such as `sum(k, X[n, k] * W[j, k])`",
    "&": "one comparison; put a `where` inside a `where` for more",
    "|": "`abs(x)` for an absolute value",
    "{": "`(`",
    "}": "`)`",
    ":": "an index or a position",
    "?": "`where(condition, a, b)`",
    "#": "no comments inside a formula",
}  # fmt: skip
MEANT = {
    "\N{MULTIPLICATION SIGN}": "*", "\N{MIDDLE DOT}": "*", "\N{DOT OPERATOR}": "*", "\N{ASTERISK OPERATOR}": "*", "\N{DIVISION SIGN}": "/",
    "\N{DIVISION SLASH}": "/", "\N{FRACTION SLASH}": "/", "\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-",
    "\N{HYPHEN}": "-", "\N{NON-BREAKING HYPHEN}": "-", "\N{LESS-THAN OR EQUAL TO}": "<=", "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{SQUARE ROOT}": "sqrt", "\N{GREEK SMALL LETTER PI}": "pi", "\N{N-ARY SUMMATION}": "sum",
    "\N{GREEK CAPITAL LETTER SIGMA}": "sum", "\N{GREEK SMALL LETTER SIGMA}": "sigmoid", "\N{GREEK SMALL LETTER DELTA}": "delta",
    "\N{SUPERSCRIPT TWO}": "**2", "\N{SUPERSCRIPT THREE}": "**3", "\N{HORIZONTAL ELLIPSIS}": "...", "\N{NO-BREAK SPACE}": " ",
    "\N{FULLWIDTH COMMA}": ",", "\N{GREEK QUESTION MARK}": ";", "\N{ARABIC COMMA}": ",",
}  # fmt: skip
CYRILLIC = dict(zip("АВЕКМНОРСТХаеорсухіј", "ABEKMHOPCTXaeopcyxij", strict=True))  # noqa: RUF001
GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαχ", "ABEZHIKMNOPTYXoax", strict=True))


def named(character: str) -> str:
    """The character as an error shows it: itself where it can be printed, and its name."""
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    if character.isascii() and character.isprintable():
        return f"`{character}`"
    shown = f"`{character}`, " if character.isprintable() and not unicodedata.combining(character) else ""
    return f"{shown}the character {code} {name}".rstrip()


def meant(character: str) -> str:
    """What would be right in its place."""
    if character in PLAIN:
        return PLAIN[character]
    plain = MEANT.get(character) or CYRILLIC.get(character) or GREEK.get(character) or unicodedata.normalize("NFKC", character)
    if plain == " ":
        return "a plain space"
    if plain.isascii() and plain.isprintable() and plain != character:
        return f"the plain `{plain}`"
    return "a name, a number or an operator, in plain ASCII characters"
