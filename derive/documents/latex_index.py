"""Index expressions as LaTeX.

The expressions use a closed set of nodes (derive/index.py), so the printer is a function over that set: signs in front, numbers
and extents as one fraction, sums last in a product, no bound letter that repeats a letter in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from derive.documents.signs import (
    apart,
    denominator,
    fraction,
    indicator,
    lower_bound,
    negative,
    number_latex,
    opposite,
    parenthesised,
    roots_below,
    signed_sum,
    together_under_a_root,
    two_branches,
)
from derive.documents.symbols import Symbols, index_letter, joined
from derive.functions import AtLeast, Erfc, Expm1, Log1p, Sigmoid
from derive.index import ArgMax, AtMost, Binder, Delta, Entry, Index, InRange, Max, Partial, Size, Sum, free_indices
from derive.text import letters, spelled

FUNCTIONS: dict[type[sp.Function], str] = {
    sp.exp: r"\exp",
    sp.log: r"\log",
    sp.tanh: r"\tanh",
    sp.erf: r"\operatorname{erf}",
    sp.sign: r"\operatorname{sign}",
    Sigmoid: r"\sigma",
    Log1p: r"\operatorname{log1p}",
    Expm1: r"\operatorname{expm1}",
    Erfc: r"\operatorname{erfc}",
}
RELATIONS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}
BINDERS: dict[type[Binder], str] = {Sum: r"\sum", Max: r"\max", ArgMax: r"\mathop{\mathrm{argmax}}"}


@dataclass(frozen=True)
class IndexPrinter:
    """Prints expressions. `order`: the indices of the left-hand side, which lead; `names`: the letters of indices in use."""

    symbols: Symbols
    order: tuple[Index, ...] = ()
    names: Mapping[Index, str] = field(default_factory=dict[Index, str])

    def latex(self, e: Expr) -> str:
        """An expression as one line."""
        return signed_sum(self.terms(e))

    def cases(self, e: Expr) -> str:
        """An expression with the two branches of an indicator or a maximum written out: 1 where A > 0, 0 otherwise."""
        branches = two_branches(e)
        if branches is None:
            return self.latex(e)
        named = self._with_free(e)
        first, condition, second = branches
        if condition.rel_op in ("<", "<="):
            first, condition, second = second, condition.negated, first
        otherwise = rf"\text{{otherwise, }} {named._condition(condition.negated)}"
        rows = [f"{named._whole(first)} & {named._condition(condition)}", f"{named._whole(second)} & {otherwise}"]
        return rf"\begin{{cases}} {rows[0]} \\ {rows[1]} \end{{cases}}"

    def terms(self, e: Expr) -> list[str]:
        """The terms of an expression, each with its sign: where a long line may be broken."""
        named = self._with_free(e)
        return named._terms(e)

    def _with_free(self, e: Expr) -> IndexPrinter:
        names = dict(self.names)
        for index in (*self.order, *free_indices(e)):
            if index not in names:
                names[index] = spelled(index.label, set(names.values()), "'")
        return replace(self, names=names)

    def _terms(self, e: Expr) -> list[str]:
        if not e.is_Add or negative(e):
            return [self._signed(e)]
        return [self._signed(t) for t in sorted(e.args, key=self._term_key)]

    def _term_key(self, term: Expr) -> tuple[object, ...]:
        return (negative(term), not term.is_number, not term.has(Sum), self._signed(term))

    def _whole(self, e: Expr) -> str:
        return signed_sum(self._terms(e))

    def _signed(self, e: Expr) -> str:
        return "-" + self._factor(opposite(e), last=True) if negative(e) else self._plain(e)

    # -- one node ------------------------------------------------------------------------------------------------------

    def _plain(self, e: Expr) -> str:
        """An expression without brackets of its own."""
        match e:
            case Entry():
                return self.symbols.symbol(e.tensor).latex(joined([self._plain(i) for i in e.indices]))
            case Index():
                return index_letter(self.names.get(e, e.label))
            case Size():
                return self.symbols.size(e.axis)
            case Partial():
                return self._partial(e)
            case Delta():
                return rf"\delta_{{{joined([self._plain(a) for a in e.args])}}}"
            case InRange():
                return rf"\mathbf{{1}}[0 \le {self._plain(e.args[0])} < {self._plain(e.args[1])}]"
            case AtMost():
                return rf"\mathbf{{1}}[{self._plain(e.args[0])} \le {self._plain(e.args[1])}]"
            case Binder():
                return self._binder(e)
            case sp.Add():
                return self._whole(e)
            case sp.Mul():
                return self._product(e)
            case sp.Pow():
                return self._power(e)
            case sp.Piecewise():
                return self._branches(e)
            case sp.Function():
                return self._call(e)
            case _:
                return number_latex(e)

    def _factor(self, e: Expr, *, last: bool) -> str:
        """An expression as a factor: bracketed where the product would otherwise be read differently."""
        open_ended = isinstance(e, Binder | sp.Piecewise) and indicator(e) is None
        if e.is_Add or negative(e) or (open_ended and not last):
            return parenthesised(self._whole(e))
        return self._plain(e)

    def _partial(self, e: Partial) -> str:
        """A derivative; of a gradient or by one, that has its name, since fractions within fractions say little."""
        gradients = any(self.symbols.symbol(entry.tensor).by is not None for entry in (e.of, e.by))
        named = replace(self, symbols=replace(self.symbols, style="named")) if gradients else self
        return rf"\frac{{\partial {named._plain(e.of)}}}{{\partial {named._plain(e.by)}}}"

    def _binder(self, e: Binder) -> str:
        named = replace(self, names={**self.names, **letters(e.bound, set(self.names.values()), "'")})
        entries = sorted(e.body.atoms(Entry), key=lambda entry: (-sum(i in e.bound for i in entry.indices), str(entry)))
        written = [i for entry in entries for i in entry.indices if i in e.bound]  # in the order of the largest entry
        over = joined([named._plain(i) for i in dict.fromkeys((*written, *e.bound))])
        bound = rf"{BINDERS[type(e)]}_{{{over}}} {named._factor(e.body, last=True)}"
        if isinstance(e, ArgMax) and len(e.bound) > 1:  # one of the positions of the maximum
            return rf"{parenthesised(bound)}_{{{named._plain(e.bound[e.place])}}}"
        return bound

    def _power(self, e: sp.Pow) -> str:
        base, exponent = e.base, e.exp
        below = denominator(e)
        if below is not None:
            return rf"\frac{{1}}{{{self._plain(below)}}}"
        if exponent == sp.Rational(1, 2):
            return rf"\sqrt{{{self._whole(base)}}}"
        if isinstance(base, sp.tanh | sp.log):
            return rf"{FUNCTIONS[type(base)]}^{{{self._plain(exponent)}}}{parenthesised(self._whole(base.args[0]))}"
        entry = isinstance(base, Entry) and self.symbols.symbol(base.tensor).closed
        atom = entry or base.is_Symbol or (base.is_Integer and base.is_positive)
        return f"{self._plain(base) if atom else parenthesised(self._whole(base))}^{{{self._plain(exponent)}}}"

    def _branches(self, e: sp.Piecewise) -> str:
        if (condition := indicator(e)) is not None:
            return rf"\mathbf{{1}}[{self._condition(condition)}]"
        if (larger := lower_bound(e)) is not None:
            return rf"\max\left({self._whole(larger[0])}, {self._whole(larger[1])}\right)"
        *cases, (otherwise, _) = e.args
        while (inner := two_branches(otherwise)) and apart(cases[-1][1], inner[1]) and indicator(otherwise) is None:
            cases, otherwise = [*cases, (inner[0], inner[1])], inner[2]
        rows = [f"{self._whole(value)} & {self._condition(condition)}" for value, condition in cases]
        rows.append(rf"{self._whole(otherwise)} & \text{{otherwise}}")
        return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"

    def _condition(self, condition: Boolean) -> str:
        if not isinstance(condition, Relational):
            raise ValueError(f"a condition that is not a comparison has no LaTeX: {condition}")
        return f"{self._whole(condition.lhs)} {RELATIONS[condition.rel_op]} {self._whole(condition.rhs)}"

    def _call(self, e: sp.Function) -> str:
        argument = e.args[0]
        inside = self._whole(argument)
        if isinstance(e, AtLeast):
            return rf"\max\left({self._whole(e.args[1])}, {inside}\right)"
        if isinstance(e, sp.Abs):
            return rf"\left|{inside}\right|"
        if isinstance(e, sp.exp) and not argument.has(Binder, sp.Function, sp.Add):
            return f"e^{{{inside}}}"
        if isinstance(e, sp.log) and isinstance(argument, Entry):
            return rf"\log {inside}"
        return FUNCTIONS[type(e)] + parenthesised(inside)

    # -- products ------------------------------------------------------------------------------------------------------

    def _product(self, e: Expr) -> str:
        """Numbers and extents as one fraction, then the entries, then sums; entries share the fraction with their denominators."""
        coefficient, rest = e.as_coeff_Mul()
        factors = sorted(sp.Mul.make_args(rest), key=self._factor_key)
        coefficient, factors, roots = roots_below(coefficient, factors)
        below = sorted(together_under_a_root([*(d for d in map(denominator, factors) if d is not None), *roots]), key=self._factor_key)
        above = [f for f in factors if denominator(f) is None]
        scalars = [f for f in above if not f.has(Entry, Binder, Index)]
        body = [f for f in above if f not in scalars]
        top, bottom = fraction(coefficient)
        together = any(f.has(Entry, Binder) for f in below) and not any(f.has(Sum, Partial, sp.Piecewise) for f in body)
        apart: Sequence[Expr] = ()
        if together:
            fractions: list[Expr] = [f for f in body if isinstance(f, Entry) and self.symbols.symbol(f.tensor).by is not None]
            within = [f for f in body if f not in fractions]  # a fraction bar stands in no other one
            apart, body = (fractions, []) if within else ((), fractions)
            scalars += within
        top += self._factors(scalars, alone=not top and bool(below or bottom))
        bottom += self._factors(below, alone=not bottom)
        tail = self._factors(body, alone=False)
        front = [rf"\frac{{{' '.join(top) or '1'}}}{{{' '.join(bottom)}}}"] if bottom else top
        return " ".join(self._factors(apart, alone=False) + front + tail)

    def _factors(self, factors: Sequence[Expr], *, alone: bool) -> list[str]:
        """Factors in a row; one that stands alone above or below a fraction bar needs no brackets."""
        if alone and len(factors) == 1:
            return [self._whole(factors[0])]
        return [self._factor(f, last=k == len(factors) - 1) for k, f in enumerate(factors)]

    def _factor_key(self, f: Expr) -> tuple[object, ...]:
        """Entries in the order of the left-hand side's indices, gradients first, then what is longer, then sums."""
        kind = _kind(f)
        places = [self.order.index(i) for i in free_indices(f) if i in self.order]
        earliest = min(places, default=len(self.order))
        gradient = isinstance(f, Entry) and f.tensor.name in self.symbols.gradients
        known = isinstance(f, Size) and f.axis.extent is not None
        return (kind, known, earliest, not gradient, self._plain(f))


def _kind(f: Expr) -> int:
    """The place of a factor among others; a function of one entry that shows its brackets stands where a power does."""
    kinds: list[type[Expr]] = [Size, Entry, sp.Pow, sp.Add, sp.Function, Delta, Partial, sp.Piecewise, Binder]
    if isinstance(f, sp.tanh | Sigmoid) and isinstance(f.args[0], Entry):
        return kinds.index(sp.Pow)
    return next((k for k, kind in enumerate(kinds) if isinstance(f, kind)), 0)
