"""Index expressions as plain text: the comments of generated code, the lines of `prove`, error messages."""

from __future__ import annotations

import sympy as sp
from sympy import Expr
from sympy.printing.str import StrPrinter

from derive.index import ArgMax, Axis, Binder, Delta, Entry, Index, Partial, Sum, free_indices
from derive.program import Equation


def decimal(number: sp.Rational) -> str:
    """A fraction such as 8943/200000 as the decimal 0.044715 that a person wrote; "" where that is not shorter or not exact."""
    if number.q <= 10:
        return ""
    rest = number.q
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    return repr(float(number)) if rest == 1 and sp.Rational(repr(float(number))) == number else ""


def spelled(letter: str, taken: set[str], prime: str) -> str:
    """The letter, with as many primes as keep it apart from the letters in use."""
    while letter in taken:
        letter += prime
    return letter


def letters(bound: tuple[Index, ...], taken: set[str], prime: str) -> dict[Index, str]:
    """A letter for every bound index: its axis's own, primed where that is in use."""
    names: dict[Index, str] = {}
    for index in bound:
        names[index] = spelled(index.axis.name, taken | set(names.values()), prime)
    return names


class TextPrinter(StrPrinter):
    """SymPy's text printer with binders as `sum_i`, products by juxtaposition and readable bound letters."""

    printmethod = "_chainrule_text"  # the nodes' own short names are for debugging only

    def __init__(self, reserved: tuple[Index, ...] = ()) -> None:
        super().__init__({"order": "none"})
        self.names: dict[Index, str] = {i: i.label for i in reserved}

    def _print_Index(self, e: Index) -> str:
        return self.names.get(e, e.label)

    def _print_Size(self, e: sp.Symbol) -> str:
        return e.name

    def _print_Entry(self, e: Entry) -> str:
        inside = ",".join(self._print(i) for i in e.indices)
        return f"{e.tensor.name}[{inside}]" if inside else e.tensor.name

    def _print_Partial(self, e: Partial) -> str:
        return f"d{self._print(e.of)}/d{self._print(e.by)}"

    def _print_Delta(self, e: Delta) -> str:
        return f"[{self._print(e.args[0])} = {self._print(e.args[1])}]"

    def _print_InRange(self, e: Expr) -> str:
        return f"[0 <= {self._print(e.args[0])} < {self._print(e.args[1])}]"

    def _print_AtMost(self, e: Expr) -> str:
        return f"[{self._print(e.args[0])} <= {self._print(e.args[1])}]"

    def _binder(self, word: str, e: Binder) -> str:
        taken = {self._print(i) for i in free_indices(e)} | set(self.names.values())
        outer = self.names
        mine = letters(e.bound, taken, "'")
        self.names = {**outer, **mine}
        body = self._print(e.body)
        self.names = outer
        over = ",".join(mine.values())
        text = f"{word}_{over} ({body})" if e.body.is_Add else f"{word}_{over} {body}"
        return f"({text})_{mine[e.bound[e.place]]}" if isinstance(e, ArgMax) and len(mine) > 1 else text

    def _print_Sum(self, e: Sum) -> str:
        return self._binder("sum", e)

    def _print_Max(self, e: Binder) -> str:
        return self._binder("max", e)

    def _print_ArgMax(self, e: ArgMax) -> str:
        return self._binder("argmax", e)

    def _print_Mul(self, e: Expr) -> str:
        coefficient, rest = e.as_coeff_Mul()
        below = [f for f in sp.Mul.make_args(rest) if isinstance(f, sp.Pow) and f.exp.is_Number and f.exp.is_negative]
        above = [f for f in sp.Mul.make_args(rest) if f not in below and f != 1]
        above.sort(key=lambda f: (isinstance(f, Binder), bool(f.atoms(Binder)), not f.is_Symbol))
        sign = "-" if coefficient.is_negative else ""
        number = abs(coefficient)
        tops: list[str] = []
        bottoms: list[str] = []
        if isinstance(number, sp.Rational):
            short = decimal(number)
            tops = [short] if short else [str(number.p)] if number.p != 1 else []
            bottoms = [str(number.q)] if not short and number.q != 1 else []
        tops += [self._factor(f, last=k == len(above) - 1) for k, f in enumerate(above)]
        bottoms += [self._factor(sp.Pow(f.base, -f.exp), last=False) for f in below]
        top = " ".join(tops) or "1"
        if not bottoms:
            return sign + top
        if len(above) and above[-1].is_Add is False and isinstance(above[-1], Binder):
            top = " ".join([*tops[:-1], f"({tops[-1]})"])
        bottom = bottoms[0] if len(bottoms) == 1 else f"({' '.join(bottoms)})"
        return f"{sign}{top}/{bottom}"

    def _factor(self, f: Expr, *, last: bool) -> str:
        text = self._print(f)
        return f"({text})" if f.is_Add or (isinstance(f, Binder) and not last) else text

    def _print_NegativeInfinity(self, _e: Expr) -> str:
        return "-inf"

    def _print_Rational(self, e: sp.Rational) -> str:
        return decimal(e) or f"{e.p}/{e.q}"

    def _print_Add(self, e: Expr, _order: object = None) -> str:
        terms = sorted(e.args, key=lambda t: t.could_extract_minus_sign())
        text = self._print(terms[0])
        for term in terms[1:]:
            piece = self._print(term)
            text += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
        return text

    def _print_Piecewise(self, e: sp.Piecewise) -> str:
        *cases, (otherwise, _) = e.args
        text = self._print(otherwise)
        for value, condition in reversed(cases):
            text = f"where({self._print(condition)}, {self._print(value)}, {text})"
        return text

    def _print_Function(self, e: Expr) -> str:
        return f"{type(e).__name__.lower()}({', '.join(self._print(a) for a in e.args)})"


def text(e: Expr, indices: tuple[Index, ...] = ()) -> str:
    """An expression as one line; no bound letter repeats one of `indices`."""
    return TextPrinter(indices).doprint(e)


def equation_text(equation: Equation) -> str:
    """`dW1[j,i] = sum_n dA1[n,j] X[n,i]`."""
    return f"{text(equation.entry, equation.indices)} = {text(equation.body, equation.indices)}"


def axis_text(axis: Axis) -> str:
    """`n = 1 .. N`, with the number where it is known."""
    return f"{axis.name} = 1..{axis.size}" + (f" = {axis.extent}" if axis.extent is not None else "")
