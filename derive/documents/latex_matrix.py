"""Matrix trees as LaTeX: G_Z^T H_1, diag(v), elementwise product and quotient, indicators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp

from derive.documents.latex_index import FUNCTIONS, RELATIONS, IndexPrinter
from derive.documents.signs import number_latex, parenthesised, signed_sum
from derive.documents.symbols import Symbols
from derive.index import Tensor
from derive.matrix import (
    OPPOSITE,
    Apply,
    Condition,
    Diagonal,
    Full,
    Hadamard,
    Identity,
    Leaf,
    Maximum,
    Number,
    Ones,
    Plus,
    Power,
    Product,
    Scale,
    Transpose,
    Tree,
    Where,
    shape,
)

# How tightly an expression is held together: what is looser than its place is put in brackets.
SUM, QUOTIENT, HADAMARD, PRODUCT, ATOM = range(5)


@dataclass(frozen=True)
class Written:
    """A matrix as LaTeX, and how tightly that is held together."""

    latex: str
    tightness: int


@dataclass(frozen=True)
class MatrixPrinter:
    """Prints trees. In a Hadamard product, gradients stand first and indicators last.

    `instead`: what is written in place of a tensor's symbol.
    """

    symbols: Symbols
    instead: Mapping[Tensor, Written] = field(default_factory=dict[Tensor, Written])

    def latex(self, tree: Tree) -> str:
        """A tree as one line."""
        return signed_sum(self.terms(tree))

    def written(self, tree: Tree) -> Written:
        """A tree as one line, and how tightly that is held together."""
        return Written(self.latex(tree), SUM if negative(tree) else self._plain(tree)[1])

    def terms(self, tree: Tree) -> list[str]:
        """The terms of a tree, each with its sign: where a long line may be broken."""
        if negative(tree):
            return ["-" + self._at(opposite(tree), QUOTIENT)]
        if isinstance(tree, Full):
            return [self._full(tree)]
        parts = tree.terms if isinstance(tree, Plus) else (tree,)
        return [self._signed(t) for t in sorted(parts, key=self._term_key)]

    def _term_key(self, term: Tree) -> tuple[object, ...]:
        return (negative(term), not isinstance(term, Full), not _multiplies(term), self._signed(term))

    def _signed(self, tree: Tree) -> str:
        return "-" + self._at(opposite(tree), QUOTIENT) if negative(tree) else self._plain(tree)[0]

    def _at(self, tree: Tree, place: int) -> str:
        """A tree where only what holds together at least as tightly as `place` stands without brackets."""
        text, tightness = self._plain(tree)
        if negative(tree):
            text, tightness = self._signed(tree), SUM
        return text if tightness >= place else parenthesised(text)

    def _plain(self, tree: Tree) -> tuple[str, int]:
        """A tree and how tightly it is held together."""
        match tree:
            case Leaf(tensor) if tensor in self.instead:
                return self.instead[tensor].latex, self.instead[tensor].tightness
            case Leaf(tensor):
                symbol = self.symbols.symbol(tensor)
                return symbol.latex(), ATOM if symbol.closed else PRODUCT
            case Number(expression):
                return self._number(expression), PRODUCT if expression.is_Mul else ATOM
            case Ones():
                return r"\mathbf{1}", ATOM
            case Full(scalar):
                return self._plain(scalar)
            case Identity():
                return "I", ATOM
            case Transpose(Power() as of):  # two signs cannot stand in one place
                return rf"{parenthesised(self._plain(of)[0])}^\top", ATOM
            case Transpose(of):
                return rf"{self._at(of, ATOM)}^\top", ATOM
            case Product(factors):
                return " ".join(self._at(f, PRODUCT) for f in factors), PRODUCT
            case Hadamard(factors):
                return self._hadamard(factors)
            case Plus():
                return signed_sum(self.terms(tree)), SUM
            case Scale(scalar, of):
                return self._scaled(scalar, of), PRODUCT if isinstance(of, Product) else QUOTIENT if isinstance(of, Hadamard) else HADAMARD
            case Diagonal(Power(of, sp.S.NegativeOne)):
                return rf"\operatorname{{diag}}{parenthesised(self.latex(of))}^{{-1}}", ATOM
            case Diagonal(of):
                return rf"\operatorname{{diag}}{parenthesised(self.latex(of))}", ATOM
            case Power(of, exponent):
                return self._power(of, exponent)
            case Apply(function, of):
                return self._function(function)(self.latex(of)), ATOM
            case Where(condition, then, otherwise):
                return self._where(condition, then, otherwise)
            case Maximum(bound, of):
                return rf"\max\left({self._plain(bound)[0]}, {self.latex(of)}\right)", ATOM

    def _number(self, expression: sp.Expr) -> str:
        return IndexPrinter(self.symbols).latex(expression)

    def _full(self, tree: Full) -> str:
        """A matrix of one repeated number, where it does not stand beside matrices that show its shape."""
        ones = (r"\mathbf{1}" if tree.rows else "") + (r" \mathbf{1}^\top" if tree.columns else "")
        text = self._at(tree.scalar, PRODUCT)
        return ones.strip() if text == "1" else f"{text} {ones}".strip()

    def _scaled(self, scalar: Tree, of: Tree) -> str:
        if isinstance(scalar, Power) and scalar.exponent == -1:
            return rf"\frac{{1}}{{{self.latex(scalar.of)}}} {self._at(of, QUOTIENT)}"
        return f"{self._at(scalar, PRODUCT)} {self._at(of, QUOTIENT)}"

    def _power(self, of: Tree, exponent: sp.Expr) -> tuple[str, int]:
        if shape(of) == (None, None):
            if exponent == -1:
                return rf"\frac{{1}}{{{self.latex(of)}}}", ATOM
            return rf"{self._at(of, ATOM)}^{{{number_latex(exponent)}}}", ATOM
        if exponent.is_negative:
            return self._hadamard([Power(of, exponent)])
        return rf"{self._at(of, ATOM)}^{{\odot {number_latex(exponent)}}}", ATOM

    def _hadamard(self, factors: Sequence[Tree]) -> tuple[str, int]:
        """Factors joined by an elementwise product; reciprocals by an elementwise quotient."""
        below = [_reciprocal(f) for f in factors if isinstance(f, Power) and f.exponent.is_negative]
        above = sorted((f for f in factors if not (isinstance(f, Power) and f.exponent.is_negative)), key=self._factor_key)
        top = r" \odot ".join(self._at(f, PRODUCT) for f in above) or "1"
        if not below:
            return top, HADAMARD
        bottom = r" \odot ".join(self._at(f, PRODUCT if len(below) > 1 else ATOM) for f in sorted(below, key=self._factor_key))
        top = parenthesised(top) if len(above) > 1 else top
        return rf"{top} \oslash {parenthesised(bottom) if len(below) > 1 else bottom}", QUOTIENT

    def _factor_key(self, factor: Tree) -> tuple[object, ...]:
        kinds: list[type[Tree]] = [Leaf, Product, Power, Plus, Apply, Maximum, Where]
        kind = next((k for k, types in enumerate(kinds) if isinstance(factor, types)), 0)
        gradient = isinstance(factor, Leaf) and factor.tensor.name in self.symbols.gradients
        return (not gradient, kind, self._plain(factor)[0])

    def _where(self, condition: Condition, then: Tree, otherwise: Tree) -> tuple[str, int]:
        """An indicator; or the branches, each times its indicator."""
        opposite_condition = Condition(condition.left, OPPOSITE[condition.relation], condition.right)
        parts = [self._branch(then, condition), self._branch(otherwise, opposite_condition)]
        found = [p for p in parts if p is not None]
        if len(found) == 1:
            return found[0]
        return signed_sum([text for text, _ in found]) or "0", SUM

    def _branch(self, tree: Tree, condition: Condition) -> tuple[str, int] | None:
        """A branch times its indicator; None where the branch is 0."""
        left, right = self._plain(condition.left)[0], self._plain(condition.right)[0]
        mask = rf"\mathbf{{1}}[{left} {RELATIONS[condition.relation]} {right}]"
        scalar = tree.scalar if isinstance(tree, Full) else tree
        if isinstance(scalar, Number):
            if scalar.expression == 0:
                return None
            if abs(scalar.expression) == 1:
                return (mask, ATOM) if scalar.expression == 1 else (f"-{mask}", SUM)
            return f"{self._number(scalar.expression)} {mask}", SUM if scalar.expression.is_negative else PRODUCT
        return rf"{self._at(tree, HADAMARD)} \odot {mask}", HADAMARD

    @staticmethod
    def _function(function: type[sp.Function]) -> Callable[[str], str]:
        if function is sp.Abs:
            return lambda inside: rf"\left|{inside}\right|"
        return lambda inside: FUNCTIONS[function] + parenthesised(inside)


def _reciprocal(power: Power) -> Tree:
    return power.of if power.exponent == -1 else Power(power.of, -power.exponent)


def _multiplies(tree: Tree) -> bool:
    """Whether a term holds a product of two named matrices; such terms lead a sum, W x before b."""
    of = tree.of if isinstance(tree, Scale) else tree
    return isinstance(of, Product) and not any(isinstance(f.of if isinstance(f, Transpose) else f, Ones) for f in of.factors)


def negative(tree: Tree) -> bool:
    """Whether a tree is written with a minus sign in front."""
    match tree:
        case Number(expression):
            return bool(expression.as_coeff_Mul()[0].is_negative)
        case Plus(parts):
            return all(negative(p) for p in parts)
        case Product(parts) | Hadamard(parts):
            return sum(negative(p) for p in parts) % 2 == 1
        case Scale(scalar, of):
            return negative(scalar) != negative(of)
        case Full(scalar) | Transpose(scalar):
            return negative(scalar)
        case _:
            return False


def opposite(tree: Tree) -> Tree:
    """Minus a tree that is written with a minus sign in front."""
    match tree:
        case Number(expression):
            return Number(-expression)
        case Plus(parts):
            return Plus(tuple(opposite(p) for p in parts))
        case Product(parts) | Hadamard(parts):
            return type(tree)(tuple(opposite(p) if negative(p) else p for p in parts))
        case Scale(scalar, of):
            scalar, of = (opposite(t) if negative(t) else t for t in (scalar, of))
            return of if scalar == Number(sp.S.One) else Scale(scalar, of)
        case Full(scalar, rows, columns):
            return Full(opposite(scalar), rows, columns)
        case Transpose(of):
            return Transpose(opposite(of))
        case _:
            raise ValueError("the tree has no minus sign in front")
