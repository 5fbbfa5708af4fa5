"""Breaking long formulas into lines, by an estimate of how wide LaTeX sets them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

LINE = 30.0  # what fits on a line beside the left-hand side and the number, in em; the estimate errs by up to a fifth

INDICATOR = r"\mathbf{1}["  # to the bracket that closes it
TOKEN = re.compile(r"\\mathbf\{1\}\[|\\[A-Za-z]+\*?|\\.|[{}]|\s+|.")
BOXES = {r"\mathrm", r"\mathbf", r"\mathbb", r"\operatorname", r"\operatorname*", r"\text", r"\hat", r"\dot", r"\mathring"}
SPACED = {"=", "+", "-", "<", ">", r"\le", r"\ge", r"\ne", r"\odot", r"\oslash", r"\times", r"\in", r"\leftarrow", r"\quad"}
OPENING = {"{", r"\left", r"\begin", r"\bigl", r"\biggl"}
CLOSING = {"}", r"\right", r"\end", r"\bigr", r"\biggr"}
INVISIBLE = (OPENING | CLOSING | {"&"}) - {"{", "}"}

Nested = list["str | Nested"]


def fold(latex: str, line: float = LINE) -> list[str]:
    """A formula in lines of at most `line` em, where breaking it at a sign can do that.

    It is broken between its terms. A formula of one term is broken before its elementwise products, or inside the widest of its
    brackets that holds a sum, whichever gives the shorter lines. A term that is still too long is broken before its fractions or
    before its indicators.
    """
    if width(latex) <= line:
        return [latex]
    parts = _split(latex, ("+", "-", r"\quad"))
    choices = [parts]
    if len(_split(latex, ("+", "-"))) == 1:
        choices += [_split(latex, (r"\odot", r"\oslash", r"\quad")), _inside_bracket(latex)]
    for signs in ((r"\frac",), (INDICATOR, r"\delta")):
        choices.append([piece for part in parts for piece in (_split(part, signs) if width(part) > line else [part])])
    return min((_filled(choice, line) for choice in choices), key=lambda lines: max(max(map(width, lines)), line))


def terms(latex: str) -> list[str]:
    """The terms of a formula, each but the first with its sign: a plus or minus outside of all brackets."""
    return _split(latex, ("+", "-"))


def _filled(parts: Sequence[str], line: float) -> list[str]:
    """Parts put together to lines that are as full as they may be."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} {part}".strip()
        if lines[-1] and width(longer) > line:
            lines.append(part.removeprefix(r"\quad "))
        else:
            lines[-1] = longer
    return lines


def _split(latex: str, signs: Sequence[str]) -> list[str]:
    """The parts of a formula, cut before every one of the signs that stands outside of all brackets; no plus or minus is cut off."""
    parts = [""]
    depth = 0
    for token in TOKEN.findall(latex):
        before, depth = depth, depth + _opens(token)
        if token in signs and min(before, depth) == 0 and parts[-1].strip() not in ("", "+", "-"):
            parts.append("")
        parts[-1] += token
    return [part.strip() for part in parts]


def _opens(token: str) -> int:
    """How many levels of brackets a token opens (1), closes (-1)."""
    return (token in OPENING or token == INDICATOR) - (token in CLOSING or token == "]")


def _inside_bracket(latex: str) -> list[str]:
    """One term in parts: its widest outer bracket of several terms, between brackets of a fixed size."""
    opening, closing = r"\left(", r"\right)"
    found: list[list[str]] = []
    for start, end in _brackets(latex):
        inner = terms(latex[start + len(opening) : end])
        if len(inner) > 1:
            size = "bigg" if r"\frac" in latex[start:end] else "big"
            inner[0] = rf"{latex[:start]}\{size}l({inner[0]}"
            inner[-1] += rf"\{size}r){latex[end + len(closing) :]}"
            found.append(inner)
    return max(found, key=lambda parts: min(map(width, parts[1:])), default=[latex])


def _brackets(latex: str) -> list[tuple[int, int]]:
    """Where the outer round brackets begin and end."""
    found: list[tuple[int, int]] = []
    depth, start = 0, -1
    for match in TOKEN.finditer(latex):
        opened = _opens(match[0])
        if opened == 1 and depth == 0:
            start = match.start() if latex.startswith(r"\left(", match.start()) else -1
        depth += opened
        if opened == -1 and depth == 0 and start >= 0 and latex.startswith(r"\right)", match.start()):
            found.append((start, match.start()))
    return found


def width(latex: str) -> float:
    """About how wide a formula is set, in em: an estimate for line breaking."""
    return _width(_nested(iter(TOKEN.findall(latex))))


def _nested(tokens: Iterator[str]) -> Nested:
    """Tokens with every {group} as a list of its own."""
    found: Nested = []
    for token in tokens:
        if token == "}":
            break
        if token == "{":
            found.append(_nested(tokens))
        elif not token.isspace():
            found.append(token)
    return found


def _width(items: Sequence[str | Nested]) -> float:
    total, k = 0.0, 0
    while k < len(items):
        item = items[k]
        taken = 1
        if isinstance(item, list):
            total += _width(item)
        elif item in ("_", "^"):
            total += 0.7 * _argument(items, k + 1)
            taken = 2
        elif item == r"\frac":
            total += max(_argument(items, k + 1), _argument(items, k + 2)) + 0.2
            taken = 3
        elif item == r"\begin":
            taken, inside = _environment(items, k)
            total += inside
        elif item == r"\sum" and items[k + 1 : k + 2] == ["_"]:
            total += max(1.5, 0.7 * _argument(items, k + 2)) + 0.2
            taken = 3
        else:
            total += _character(item)
        k += taken
    return total


def _argument(items: Sequence[str | Nested], k: int) -> float:
    return _width(items[k : k + 1])


def _environment(items: Sequence[str | Nested], k: int) -> tuple[int, float]:
    """The number of items of an environment and its width, that of its columns; environments may stand inside of it."""
    rows: list[list[Nested]] = [[[]]]
    depth, end = 1, k + 2
    while True:
        item = items[end]
        depth += (item == r"\begin") - (item == r"\end")
        if depth == 0:
            return end + 2 - k, _columns(rows, items[k + 1] == list("bmatrix"))
        if item == r"\\" and depth == 1:
            rows.append([[]])
        elif item == "&" and depth == 1:
            rows[-1].append([])
        else:
            rows[-1][-1].append(item)
        end += 1


def _columns(rows: Sequence[Sequence[Nested]], matrix: bool) -> float:
    """The width of a matrix, or of the widest row of another environment."""
    if not matrix:
        return max(sum(map(_width, row)) for row in rows) + 2.0
    return sum(max(_cell(row[k]) for row in rows if k < len(row)) + 1.0 for k in range(max(map(len, rows)))) + 0.2


def _cell(items: Nested) -> float:
    """The width of a number in a matrix: its sign stands close."""
    return _width(items[1:]) + 0.8 if items[:1] == ["-"] else _width(items)


def _character(token: str) -> float:
    if token in INVISIBLE or token in BOXES:
        return 0.0
    if token == INDICATOR:
        return 0.85
    if token in SPACED:
        return 1.2
    if token.startswith("\\"):
        named = token in (r"\log", r"\exp", r"\tanh", r"\max")
        return 0.5 * len(token) if named else 0.6
    return 0.75 if token.isupper() else 0.5 if token.isalnum() else 0.35
