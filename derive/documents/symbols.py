"""The symbols of tensors, indices and extents in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from derive.index import Axis, Tensor

MARKS = {"jvp": r"\dot", "hvp": r"\mathring", "jacobian": "J"}  # over the letter of a tensor, or in its place
GREEK = ("alpha", "beta", "gamma", "delta", "eta", "theta", "lambda", "mu", "sigma")
LETTERS = {"Yhat": r"\hat{Y}", "yhat": r"\hat{y}", "Xhat": r"\hat{X}", **{name: rf"\{name}" for name in GREEK}}
Gradients = Literal["named", "partial"]  # G_W, introduced as dL/dW; or dL/dW wherever it stands
STEP = re.compile(r"([A-Za-z]+\d*)_(\d+)")  # the value of a recurrence at a step: H2_1


@dataclass(frozen=True)
class Symbol:
    """A letter with what stands beside it: W and 1 for W_1, G and W_1 for G_{W_1}, Z and max for Z^max.

    by: what the loss is differentiated by, where the symbol is a fraction; its letter is then L.
    """

    letter: str
    subscript: str = ""
    superscript: str = ""
    by: Symbol | None = None

    @property
    def closed(self) -> bool:
        """Whether it can be raised to a power or transposed without brackets."""
        return not self.superscript and self.by is None

    def latex(self, indices: str = "") -> str:
        """The symbol, or its entry at these indices: W_{1,ji}."""
        if self.by is not None and not self.superscript:
            return fraction(self.letter, self.by.latex(indices))
        below = ",".join(part for part in (self.subscript, indices) if part)
        letter = self.letter if self.by is None else rf"\left({fraction(self.letter, self.by.latex())}\right)"
        return letter + _script("_", below) + _script("^", self.superscript)

    def inline(self) -> str:
        """The symbol without a fraction bar, for places where there is one line."""
        return self.latex() if self.by is None else rf"\partial {self.letter}/\partial {self.by.latex()}"


@dataclass(frozen=True)
class Symbols:
    """The symbol of every tensor.

    tensors: every tensor of the derivation by name; gradients: by the name of a gradient's tensor, the tensor that it belongs to;
    derivatives: by the name of a product's tensor, the mark of the product and the tensor that it belongs to; extents: the numbers that
    are written in place of some sizes; style: how a gradient is written.
    """

    tensors: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    derivatives: Mapping[str, tuple[str, Tensor]] = field(default_factory=dict[str, tuple[str, Tensor]])
    extents: Mapping[str, int] = field(default_factory=dict[str, int])
    style: Gradients = "named"

    def size(self, axis: Axis) -> str:
        """The extent of an axis: its letter, or a number."""
        return str(self.extents[axis.size]) if axis.size in self.extents else size_letter(axis)

    def symbol(self, tensor: Tensor) -> Symbol:
        """A gradient is G (a matrix) or g (a vector, a number) with its tensor below, or a fraction; all else is what its name says."""
        return self._by_name(tensor.name, self.style)

    def _by_name(self, name: str, style: Gradients) -> Symbol:
        if name in self.derivatives:
            mark, of = self.derivatives[name]
            symbol = self._by_name(of.name, "named")  # a mark stands over a letter
            return Symbol(mark, symbol.latex()) if mark.isalpha() else replace(symbol, letter=f"{mark}{{{symbol.letter}}}")
        by = self.gradients.get(name)
        if by is not None and style == "partial":
            return Symbol("L", by=self.symbol(by))
        if by is not None:
            return Symbol("G" if len(by.axes) > 1 else "g", self.symbol(by).latex())
        if (step := STEP.fullmatch(name)) is not None:
            return replace(named(step[1]), superscript=f"({step[2]})")
        return self._part(self._words(name), style) if "_" in name else named(name)

    def _words(self, name: str) -> list[str]:
        """A name at its underscores, the values of steps whole: tanh_C2_1 is tanh and C2_1."""
        found: list[str] = []
        for word in name.split("_"):
            whole = f"{found[-1]}_{word}" if found else ""
            if whole in self.tensors and STEP.fullmatch(whole):
                found[-1] = whole
            else:
                found.append(word)
        return found

    def _part(self, words: Sequence[str], style: Gradients) -> Symbol:
        """A shared part is named after what it does and what it reads: sum_exp_Z is Z with `sum exp` above."""
        read = [self._by_name(word, style) for word in words if word in self.tensors]
        done = r"\ ".join(escape(word) for word in words if word not in self.tensors)
        if not read:
            whole = r"\ ".join(map(escape, words))
            letters = whole.rstrip("0123456789")
            return Symbol(rf"\mathrm{{{letters}}}", whole[len(letters) :])
        above = rf"\mathrm{{{done}}}" if done else ""
        if len(read) == 1:
            return replace(read[0], superscript=r",\ ".join(part for part in (read[0].superscript, above) if part))
        return Symbol(rf"\left({' '.join(symbol.latex() for symbol in read)}\right)", "", above)


def named(name: str) -> Symbol:
    """W1 is W_1, Wq1 is W_{q1}, Yhat is Y with a hat, gamma is the Greek letter, any other word stands upright."""
    found = re.fullmatch(r"([A-Za-z]+)(\d*)", name)
    if found is None:
        return Symbol(rf"\mathrm{{{escape(name)}}}")
    letters, number = found.groups()
    if len(letters) == 2 and letters not in LETTERS:
        return Symbol(letters[0], rf"\mathrm{{{letters[1]}}}{number}")
    return Symbol(LETTERS.get(letters, letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"), number)


def index_letter(label: str) -> str:
    """j1 is j_1, c' stays as it is."""
    found = re.fullmatch(r"([A-Za-z])(\d+)('*)", label)
    return f"{found[1]}_{{{found[2]}}}{found[3]}" if found else label


def joined(places: Sequence[str]) -> str:
    """Indices side by side: nc, and n,y_n where one is longer than a letter."""
    short = all(re.fullmatch(r"[A-Za-z]'*", place) for place in places)
    return ("" if short else ",").join(places)


def size_letter(axis: Axis) -> str:
    """The extent's symbol: H1 is H^{(1)}, apart from the activations H_1; N_w has the letter of its axis below."""
    before, mark, below = axis.size.partition("_")
    if mark:
        return f"{before}_{{{index_letter(below)}}}"
    symbol = named(axis.size)
    return Symbol(symbol.letter, "", f"({symbol.subscript})" if symbol.subscript else "").latex()


def shape_latex(tensor: Tensor, *, numbers: bool = False) -> str:
    """R^{N x D}, with the extents that are known as numbers if asked for."""

    def extent(axis: Axis) -> str:
        return str(axis.extent) if numbers and axis.extent is not None else size_letter(axis)

    sizes = r" \times ".join(extent(axis) for axis in tensor.axes)
    return rf"\mathbb{{R}}^{{{sizes}}}" if sizes else r"\mathbb{R}"


SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}


def escape(text: str) -> str:
    """Plain text as LaTeX text."""
    return "".join(SPECIAL.get(character, character) for character in text)


def fraction(above: str, below: str) -> str:
    """A partial derivative."""
    return rf"\frac{{\partial {above}}}{{\partial {below}}}"


def _script(mark: str, content: str) -> str:
    if not content:
        return ""
    return f"{mark}{content}" if len(content) == 1 else f"{mark}{{{content}}}"
