"""Formulas as MathML, from the LaTeX that the documents write.

The LaTeX of the documents uses a closed set of commands (mathml_symbols.py); the reader below knows these and refuses all others, so that
no formula reaches a page half translated. What comes out is MathML Core (W3C), which browsers lay out by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from derive.documents import mathml_symbols as known
from derive.documents.mathml_symbols import BINARY, CLOSING, FUNCTION, INNER, OPENING, ORDINARY, PUNCTUATION, RELATION, SPACING

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|:=|\s+|.", re.DOTALL)
CASES = ' columnalign="left left"'
THIN = '<mspace width="0.167em"></mspace>'
NO_SPACE = ' lspace="0" rspace="0"'
SIGNS = {"+", "-"}
TALL = re.compile(r"<(mfrac|munder|mover|munderover|mtable|msqrt)[ >]|<mo movablelimits=\"true\">|stretchy=\"true\"")


class FormulaError(ValueError):
    """A formula that cannot be written as MathML: it names the formula and what is not known."""


@dataclass(frozen=True)
class Node:
    """A piece of MathML. `limits`: what is written below and above it stands under and over it in a display; `brackets`: it is a
    formula in brackets."""

    markup: str
    kind: int = ORDINARY
    limits: bool = False
    brackets: bool = False


def mathml(latex: str) -> str:
    """The MathML of a formula, without the <math> around it. Raises FormulaError for a command that is not known."""
    reader = _Reader(latex)
    nodes = reader.nodes()
    if reader.next is not None:
        raise FormulaError(f"{reader.next} has nothing to close in {latex}")
    return joined(nodes)


def inline(latex: str) -> str:
    """A formula within a sentence."""
    return f"<math>{mathml(latex)}</math>"


def joined(nodes: Sequence[Node]) -> str:
    """Pieces side by side, as TeX spaces them: a thin space beside functions, fractions and large brackets."""
    markup = [node.markup for node in nodes[:1]]
    for before, node in pairwise(nodes):
        markup.append(THIN + node.markup if _apart(before, node) else node.markup)
    return "".join(markup)


def _apart(before: Node, node: Node) -> bool:
    """Whether a thin space stands between two pieces."""
    if node.brackets and before.kind == FUNCTION:
        return False
    kinds = {before.kind, node.kind}
    outer = before.kind in (ORDINARY, INNER, FUNCTION, CLOSING) and node.kind in (ORDINARY, INNER, FUNCTION)
    return outer and bool(kinds & {INNER, FUNCTION})


def _row(nodes: Sequence[Node]) -> str:
    """Pieces as one element."""
    return nodes[0].markup if len(nodes) == 1 else f"<mrow>{joined(nodes)}</mrow>"


class _Reader:
    """Reads one formula from left to right. `depth` counts the scripts around the place, where operators stand close."""

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.tokens: list[str] = TOKEN.findall(latex)
        self.place = 0
        self.depth = 0

    # -- tokens --------------------------------------------------------------------------------------------------------

    @property
    def next(self) -> str | None:
        """The next token that is no space; None at the end."""
        while self.place < len(self.tokens) and self.tokens[self.place].isspace():
            self.place += 1
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, wanted: str | None = None) -> str:
        token = self.next
        if token is None or (wanted is not None and token != wanted):
            raise FormulaError(f"found {token or 'the end'} where {wanted or 'more'} has to stand in {self.latex}")
        self.place += 1
        return token

    def words(self) -> str:
        """The plain text of a group, spaces kept."""
        self.take("{")
        found: list[str] = []
        depth = 1
        while True:
            if self.place == len(self.tokens):
                raise FormulaError(f"a group is not closed in {self.latex}")
            token = self.tokens[self.place]
            self.place += 1
            depth += (token == "{") - (token == "}")
            if depth == 0:
                return "".join(found).replace(" ", "\u00a0")
            if token not in ("{", "}"):
                found.append(self._plain(token))

    def _plain(self, token: str) -> str:
        if token in (r"\ ", r"\,", "~"):
            return " "
        if token.startswith("\\") and token not in known.PLAIN:
            raise FormulaError(f"{token} is no character, in {self.latex}")
        return known.PLAIN.get(token, token)

    # -- formulas ------------------------------------------------------------------------------------------------------

    def nodes(self) -> list[Node]:
        """All pieces up to what closes the group, the row or the bracket."""
        found: list[Node] = []
        while self.next not in (None, "}", r"\right", "&", r"\\", r"\cr", r"\end"):
            found.append(self._scripted(self._atom(found[-1].kind if found else OPENING)))
        return found

    def argument(self) -> str:
        """A group, or one piece, as one element."""
        if self.next == "{":
            self.take("{")
            nodes = self.nodes()
            self.take("}")
            return _row(nodes) if nodes else "<mrow></mrow>"
        token = self.tokens[self.place] if self.next is not None else ""
        if token.isdigit() and len(token) > 1:  # TeX takes one digit
            self.tokens[self.place : self.place + 1] = [token[0], token[1:]]
        return self._atom(OPENING).markup

    def _scripted(self, base: Node) -> Node:
        """A piece with what stands below and above it."""
        below, above, primes = "", "", 0
        while self.next in ("_", "^", "'"):
            token = self.take()
            if token == "'":
                primes += 1
                continue
            if (token == "_" and below) or (token == "^" and above):
                raise FormulaError(f"two scripts at one place in {self.latex}")
            self.depth += 1
            script = self.argument()
            self.depth -= 1
            below, above = (script, above) if token == "_" else (below, script)
        if primes:
            mark = f"<mo{NO_SPACE}>{known.PRIME * primes}</mo>"
            above = f"<mrow>{mark}{above}</mrow>" if above else mark
        if not below and not above:
            return base
        tag = {(True, False): "munder" if base.limits else "msub", (False, True): "mover" if base.limits else "msup"}.get(
            (bool(below), bool(above)), "munderover" if base.limits else "msubsup"
        )
        return Node(f"<{tag}>{base.markup}{below}{above}</{tag}>", base.kind, brackets=base.brackets)

    def _atom(self, before: int) -> Node:
        """One piece. `before`: what kind of piece stands to the left of it."""
        token = self.take()
        if token == "{":
            self.place -= 1
            return Node(self.argument())
        if token.isdigit() or (token[0].isdigit() and "." in token):
            return Node(f"<mn>{token}</mn>")
        if token.isalpha():
            return Node(f"<mi>{token}</mi>")
        if token in known.LETTERS:
            return Node(f"<mi>{known.LETTERS[token]}</mi>")
        if token in known.UPRIGHT:
            return Node(f'<mi mathvariant="normal">{escape(known.UPRIGHT[token])}</mi>')
        if token in known.OPERATORS:
            return self._operator(token, before)
        if token in known.BRACKETS:
            character, kind = known.BRACKETS[token]
            return Node(f'<mo stretchy="false"{NO_SPACE}>{character}</mo>', kind)
        if token in known.SPACES:
            return Node(f'<mspace width="{known.SPACES[token]}"></mspace>', PUNCTUATION)
        if token in known.FUNCTIONS:
            return Node(f"<mi>{known.FUNCTIONS[token]}</mi>", FUNCTION)
        if token in known.LIMITS:
            return self._limits(known.LIMITS[token])
        if token in known.LARGE:
            return Node(f'<mo movablelimits="true">{known.LARGE[token]}</mo>', OPENING, limits=True)
        return self._command(token)

    def _operator(self, token: str, before: int) -> Node:
        character, kind = known.OPERATORS[token]
        if token in SIGNS and before in (BINARY, RELATION, OPENING, PUNCTUATION, FUNCTION):
            return Node(f'<mo form="prefix"{NO_SPACE}>{character}</mo>', OPENING)
        before_it, behind_it = ("0", "0") if self.depth or (kind == BINARY and before == OPENING) else SPACING.get(kind, ("0", "0"))
        return Node(f'<mo stretchy="false" lspace="{before_it}" rspace="{behind_it}">{escape(character)}</mo>', kind)

    def _limits(self, name: str) -> Node:
        """A function such as max, whose variable may stand under it."""
        return Node(f'<mo movablelimits="true" form="prefix"{NO_SPACE}>{escape(name)}</mo>', FUNCTION, limits=True)

    def _command(self, token: str) -> Node:
        """A command with arguments."""
        match token:
            case r"\frac" | r"\tfrac" | r"\dfrac":
                return Node(f"<mfrac>{self.argument()}{self.argument()}</mfrac>", INNER)
            case r"\sqrt":
                return Node(f"<msqrt>{self.argument()}</msqrt>")
            case r"\mathrm" | r"\text" | r"\textrm" | r"\mbox":
                return Node(_words(self.words()))
            case r"\operatorname" | r"\operatorname*" | r"\mathop":
                return self._named(token)
            case r"\mathbf":
                return Node(f'<mi mathvariant="normal">{"".join(map(known.bold, self.words()))}</mi>')
            case r"\mathbb":
                return Node(f'<mi mathvariant="normal">{"".join(map(known.double_struck, self.words()))}</mi>')
            case r"\left":
                return self._brackets()
            case r"\begin":
                return self._environment()
            case _ if token in known.ACCENTS:
                accent = f'<mo stretchy="false">{known.ACCENTS[token]}</mo>'
                return Node(f'<mover accent="true">{self.argument()}{accent}</mover>')
            case r"\phantom":
                return Node(f"<mphantom>{self.argument()}</mphantom>")
            case r"\underline":
                return Node(f'<mrow style="border-bottom: 1px solid">{self.argument()}</mrow>')
            case _ if token in known.SIZES or token[:-1] in known.SIZES:
                size = known.SIZES[token if token in known.SIZES else token[:-1]]
                delimiter = self.take()
                character, kind = ("|", ORDINARY) if delimiter == "|" else known.BRACKETS[delimiter]
                return Node(f'<mo stretchy="true" minsize="{size}" maxsize="{size}"{NO_SPACE}>{character}</mo>', kind)
            case _:
                raise FormulaError(f"{token} is not known as MathML, in {self.latex}")

    def _named(self, token: str) -> Node:
        if token == r"\mathop":  # around words in upright type
            self.take("{")
            self.take(r"\mathrm")
            name = self.words()
            self.take("}")
        else:
            name = self.words()
        return Node(f"<mi>{escape(name)}</mi>", FUNCTION) if token == r"\operatorname" else self._limits(name)

    def _brackets(self) -> Node:
        """A formula between brackets, which grow with what is tall: TeX keeps them small around letters with scripts."""
        opening = self.take()
        inside = joined(self.nodes())
        self.take(r"\right")
        grow = TALL.search(inside) is not None
        markup = f"{self._bracket(opening, 'prefix', grow)}{inside}{self._bracket(self.take(), 'postfix', grow)}"
        return Node(f"<mrow>{markup}</mrow>", INNER if grow else ORDINARY, brackets=True)

    def _bracket(self, token: str, form: str, grow: bool) -> str:
        if token == ".":
            return ""
        character = "|" if token in ("|", r"\vert") else known.BRACKETS[token][0]
        return f'<mo form="{form}" stretchy="{"true" if grow else "false"}"{NO_SPACE}>{character}</mo>'

    def _environment(self) -> Node:
        name = self.words()
        if name not in known.MATRICES:
            raise FormulaError(f"the environment {name} is not known as MathML, in {self.latex}")
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(f"<mtd>{joined(self.nodes())}</mtd>")
            token = self.take()
            if token == r"\end":
                break
            if token != "&":
                rows.append([])
        if self.words() != name:
            raise FormulaError(f"{name} ends as something else in {self.latex}")
        if rows[-1] == ["<mtd></mtd>"]:
            rows.pop()
        table = "".join(f"<mtr>{''.join(row)}</mtr>" for row in rows)
        opening, closing = (f'<mo stretchy="true" symmetric="true">{c}</mo>' if c else "" for c in known.MATRICES[name])
        return Node(f'<mrow>{opening}<mtable class="{name}"{CASES if name == "cases" else ""}>{table}</mtable>{closing}</mrow>')


def _words(words: str) -> str:
    """Upright words: one letter is still a letter."""
    if len(words) == 1 and words.isalpha():
        return f'<mi mathvariant="normal">{words}</mi>'
    return f"<mtext>{escape(words)}</mtext>"
