"""What a reader sees of a formula, as a tree of signs with scripts: from LaTeX, and from the MathML of a page.

Nothing here is the documents' own reading of LaTeX (derive/documents/mathml.py): a formula that it spoils is read as spoilt.
"""

# ruff: noqa: RUF001 - the signs of formulas are meant as they stand

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|:=|\s+|.", re.DOTALL)
SIGNS = {
    r"\odot": "⊙", r"\oslash": "⊘", r"\times": "×", r"\cdot": "⋅", r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\in": "∈",
    r"\leftarrow": "←", r"\approx": "≈", r"\top": "⊤", r"\partial": "∂", r"\delta": "δ", r"\sigma": "σ", r"\eta": "η", r"\theta": "θ",
    r"\pi": "π", r"\sum": "∑", r"\log": "log", r"\exp": "exp", r"\max": "max", r"\tanh": "tanh", r"\lbrace": "{", r"\rbrace": "}",
    r"\cdots": "⋯", r"\dots": "…", r"\ell": "ℓ", r"\phi": "ϕ", "-": "-", r"\alpha": "α", r"\beta": "β", r"\gamma": "γ",
}  # fmt: skip
SKIPPED = {r"\quad", r"\qquad", r"\,", r"\ ", r"\;", r"\fit", r"\displaystyle"}
SIZED = re.compile(r"\\(?:big|Big|bigg|Bigg)[lr]?$")
WORDS = {r"\mathrm", r"\operatorname", r"\text"}
ALPHABETS = {(r"\mathbf", "1"): "𝟏", (r"\mathbb", "R"): "ℝ", (r"\mathbb", "1"): "𝟏"}
ACCENTS = {r"\hat": "^", r"\dot": "˙", r"\mathring": "˚"}
CLOSES = {"(": ")", "[": "]", "{": "}", "|": "|"}


@dataclass(frozen=True)
class Box:
    """A sign, or what holds further signs, with its scripts.

    kind: "sign" (text: a letter, a word, a number, an operator), "group" (text: the bracket that opens it), "frac", "root", "accent"
    (text: the accent) or "cases" (two parts a row).
    """

    kind: str
    text: str = ""
    parts: tuple[tuple[Box, ...], ...] = ()
    sub: tuple[Box, ...] = ()
    sup: tuple[Box, ...] = ()


Boxes = tuple[Box, ...]


@dataclass(frozen=True)
class Line:
    """A displayed row: what stands left of the first relation, and everything from there on."""

    left: Boxes
    right: Boxes


def key(box: Box) -> str:
    """A box as text, the same for what looks the same."""
    inside = "".join(f"{{{keys(part)}}}" for part in box.parts)
    body = box.text if box.kind == "sign" else f"{box.kind}:{box.text}{inside}"
    return body + (f"_[{keys(box.sub)}]" if box.sub else "") + (f"^[{keys(box.sup)}]" if box.sup else "")


def keys(boxes: Sequence[Box]) -> str:
    return " ".join(map(key, boxes))


def grouped(boxes: Sequence[Box]) -> Boxes:
    """Boxes with what stands between two round or square brackets as one group; the closing bracket's scripts are the group's."""
    found: list[list[Box]] = [[]]
    opened: list[str] = []
    for box in boxes:
        if box.kind == "sign" and (box.text in ("(", "[") or (box.text == "|" and "|" not in opened)):
            opened.append(box.text)
            found.append([])
        elif box.kind == "sign" and opened and box.text == CLOSES[opened[-1]]:
            inside = tuple(found.pop())
            before = found[-1][-1:] if opened[-1] == "[" else []
            if before and before[0].text == "𝟏":
                found[-1].pop()
            found[-1].append(Box("group", "𝟏[" if before and before[0].text == "𝟏" else opened[-1], (inside,), box.sub, box.sup))
            opened.pop()
        else:
            found[-1].append(box)
    if opened:
        raise ValueError(f"a bracket is not closed: {keys(boxes)}")
    return tuple(found[0])


# -- LaTeX -------------------------------------------------------------------------------------------------------------


def latex(text: str) -> Boxes:
    """The boxes of a formula in LaTeX. Raises ValueError where it is not a formula."""
    reader = _Latex([t for t in TOKEN.findall(text) if not t.isspace()])
    boxes = reader.boxes()
    if reader.tokens:
        raise ValueError(f"{reader.tokens[0]} closes nothing in {text}")
    return grouped(boxes)


class _Latex:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def boxes(self) -> list[Box]:
        found: list[Box] = []
        while self.tokens and self.tokens[0] not in ("}", "&", r"\\", r"\cr", r"\end", r"\right"):
            token = self.tokens.pop(0)
            if token in SKIPPED or SIZED.match(token):
                continue
            if token in ("_", "^"):
                script = self.argument()
                found[-1] = replace(found[-1], sub=script) if token == "_" else replace(found[-1], sup=(*found[-1].sup, *script))
            elif token == "'":
                primes = found[-1].sup[0].text if found[-1].sup else ""
                found[-1] = replace(found[-1], sup=(Box("sign", primes + "′"),))
            elif token == "{":
                found += self.boxes()  # a line that is set smaller: its brackets may close on another one
                assert self.tokens.pop(0) == "}"
            else:
                found.append(self.box(token))
        return found

    def argument(self) -> Boxes:
        token = self.tokens.pop(0)
        if token != "{":
            return (self.box(token),)
        inside = self.boxes()
        assert self.tokens.pop(0) == "}"
        return grouped(inside)

    def word(self) -> str:
        assert self.tokens.pop(0) == "{"
        end = self.tokens.index("}")
        word = "".join(" " if t == r"\ " else t for t in self.tokens[:end])
        del self.tokens[: end + 1]
        return word

    def box(self, token: str) -> Box:
        if token == r"\frac":
            return Box("frac", parts=(self.argument(), self.argument()))
        if token == r"\sqrt":
            return Box("root", parts=(self.argument(),))
        if token in ACCENTS:
            return Box("accent", ACCENTS[token], (self.argument(),))
        if token in WORDS:
            return Box("sign", self.word())
        if token in (r"\mathbf", r"\mathbb"):
            return Box("sign", ALPHABETS[token, self.word()])
        if token == r"\left":
            opening = self.tokens.pop(0)
            inside = self.boxes()
            assert self.tokens[0] == r"\right"
            assert self.tokens[1] == CLOSES[opening]
            del self.tokens[:2]
            return Box("group", opening, (grouped(inside),))
        if token == r"\begin":
            return self.cases()
        if token.startswith("\\") and token not in SIGNS:
            raise ValueError(f"{token} is not known")
        return Box("sign", SIGNS.get(token, token))

    def cases(self) -> Box:
        assert self.word() == "cases"
        parts: list[Boxes] = []
        while True:
            parts.append(grouped(self.boxes()))
            if self.tokens.pop(0) == r"\end":
                assert self.word() == "cases"
                return Box("cases", parts=tuple(parts))


def latex_lines(body: str) -> Iterator[Line]:
    """The rows of an aligned environment in LaTeX; a line that goes on with the row before belongs to it."""
    rows: list[list[str]] = []
    for row in _split(body, (r"\\", r"\cr")):
        left, _, right = (part.strip() for part in "&".join(_split(row, ("&",))).partition("&"))
        right = _unfitted(re.sub(r" \\qquad \\text\{\(\w+\)\}$", "", right.partition("&&")[0].rstrip("& ")))
        if not left and right.startswith(r"\quad") and rows:
            rows[-1][1] += " " + right
        else:
            rows.append([left, right])
    for left, right in rows:
        yield Line(latex(left), latex(right))


def _unfitted(right: str) -> str:
    """A formula without what sets it smaller."""
    return re.sub(r"\{\\linewidth=[\d.]+\\linewidth\\fit\{(.*)\}\}", r"\1", right)


def _split(text: str, at: Sequence[str]) -> list[str]:
    """A text cut at signs that stand in no group and in no inner environment."""
    parts, depth = [""], 0
    for token in TOKEN.findall(text):
        depth += (token in ("{", r"\begin")) - (token in ("}", r"\end"))
        if token in at and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def in_latex(document: str) -> list[Line]:
    """All displayed rows of a document in LaTeX."""
    bodies = re.findall(r"\\begin\{(align\*|aligned)\}\n(.*?)\n\\end\{\1\}", document, re.DOTALL)
    return [line for _, body in bodies for line in latex_lines(body)]


def in_markdown(document: str) -> list[Line]:
    """All displayed rows of a document in Markdown."""
    found: list[Line] = []
    for body in re.findall(r"^\$\$\n(.*?)\n\$\$$", document, re.DOTALL | re.MULTILINE):
        plain = re.sub(r" \\tag\{\w+\}$", "", body)
        several = re.fullmatch(r"\\begin\{aligned\} (.*) \\end\{aligned\}", plain, re.DOTALL)
        rows = several[1] if several else re.sub(r" (=|:=|\\leftarrow|\\approx) ", r" &\1 ", plain, count=1)
        found += latex_lines(re.sub(r" \\quad (\(\w+\)|\\text\{[^}]*\})(?= \\cr|$)", "", rows))
    return found


# -- MathML ------------------------------------------------------------------------------------------------------------


def in_html(page: str) -> list[Line]:
    """All displayed rows of a page."""
    found: list[Line] = []
    for markup in re.findall(r'<math display="block">(.*?)</math>', page, re.DOTALL):
        (table,) = ElementTree.fromstring(f"<math>{markup}</math>")
        for row in table:
            left, right, *_ = (tuple(_mathml(cell)) for cell in row)
            if left or not found or _is_relation(right):
                found.append(Line(grouped(left), right))
            else:
                found[-1] = Line(found[-1].left, (*found[-1].right, *right))
    return [Line(line.left, grouped(line.right)) for line in found]


def _is_relation(boxes: Sequence[Box]) -> bool:
    return bool(boxes) and boxes[0].text in ("=", "≈", "←", ":=")


def _mathml(element: ElementTree.Element) -> Iterator[Box]:
    """The boxes of an element's children."""
    for child in element:
        yield from _boxes(child)


def _boxes(e: ElementTree.Element) -> Iterator[Box]:
    text = "".join(e.itertext()).replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    match e.tag:
        case "mi" | "mn" | "mo" | "mtext":
            yield Box("sign", text.strip())
        case "mspace":
            return
        case "msub" | "msup" | "msubsup" | "munder" | "munderover" | "mover":
            yield from _scripted(e)
        case "mfrac":
            yield Box("frac", parts=tuple(grouped(tuple(_boxes(part))) for part in e))
        case "msqrt":
            yield Box("root", parts=(grouped(tuple(_mathml(e))),))
        case "mrow" if len(e) and e[-1].tag == "mtable" and e[-1].get("class") == "cases":
            yield Box("cases", parts=tuple(grouped(tuple(_mathml(cell))) for row in e[-1] for cell in row))
        case "mrow":
            yield from _mathml(e)
        case _:
            raise ValueError(f"{e.tag} is not known")


def _scripted(e: ElementTree.Element) -> Iterator[Box]:
    *before, base = _boxes(e[0])
    scripts = [grouped(tuple(_boxes(part))) for part in e[1:]]
    if e.tag == "mover" and e.get("accent") == "true":
        yield Box("accent", keys(scripts[0]), ((*before, base),))
        return
    if before:  # a formula in brackets
        (base,) = grouped((*before, base))
    sub = scripts[0] if e.tag in ("msub", "msubsup", "munder", "munderover") else ()
    sup = scripts[-1] if e.tag in ("msup", "msubsup", "mover", "munderover") else ()
    yield replace(base, sub=sub, sup=sup)
