"""Sums and maxima over indices, with canonical bound indices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import sympy as sp
from sympy import Basic, Expr

from derive.index.entries import Entry, Index, Indicator


class Binder(Expr):
    """A body together with the indices that it binds; `height` counts the binders below."""

    is_commutative = True
    height: int

    @property
    def body(self) -> Expr:
        return self.args[0]

    @property
    def bound(self) -> tuple[Index, ...]:
        return cast("tuple[Index, ...]", self.args[1:])

    @property
    def free_symbols(self) -> set[Basic]:
        return self.body.free_symbols - set(self.bound)

    def open(self) -> tuple[Expr, tuple[Index, ...]]:
        """The body with fresh indices in place of the bound ones, and these indices."""
        fresh = tuple(i.axis.fresh() for i in self.bound)
        return self.body.xreplace(dict(zip(self.bound, fresh, strict=True))), fresh

    def bind(self, body: Expr, indices: Sequence[Index]) -> Expr:
        """The same kind of binder over another body."""
        return type(self)(body, *indices)

    def _eval_derivative(self, _symbol: Expr) -> Expr:
        return sp.S.Zero

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_positive(self) -> bool | None:
        return True if self.body.is_positive else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.body.is_nonnegative else None

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        over = ",".join(i.label for i in self.bound)
        return f"{type(self).__name__.lower()}_{over}({printer.doprint(self.body)})"


class Sum(Binder):
    """The sum of a body over indices; factors that do not depend on them stand outside."""

    def __new__(cls, body: Expr, *indices: Index) -> Expr:
        if body == 0:
            return sp.S.Zero
        used = [i for i in indices if i in body.free_symbols]
        scale = sp.Mul(*[i.axis.count for i in indices if i not in used])
        if not used:
            return scale * body
        if body.is_Add and all(t.could_extract_minus_sign() for t in body.args):
            body, scale = -body, -scale
        outside = [f for f in sp.Mul.make_args(body) if not f.free_symbols & set(used)]
        inside = sp.Mul(*[f for f in sp.Mul.make_args(body) if f.free_symbols & set(used)])
        scale = scale * sp.Mul(*outside)
        if isinstance(inside, Sum):
            below, more = inside.open()
            return scale * Sum(below, *used, *more)
        parts = _separate(inside, used)
        if len(parts) > 1:
            return scale * sp.Mul(*[Sum(f, *its) for f, its in parts])
        return scale * _bind(cls, inside, used)


class Max(Binder):
    """The largest value of a body over indices."""

    def __new__(cls, body: Expr, *indices: Index) -> Expr:
        used = [i for i in indices if i in body.free_symbols]
        return _bind(cls, body, used) if used else body


class ArgMax(Binder):
    """The value of bound index number `place` where the body is largest; the first such position in row-major order."""

    def __new__(cls, body: Expr, place: sp.Integer | int, *indices: Index) -> Expr:
        level = _height(body)
        named = [Index(i.axis.name, i.axis, -(level + 1 + k)) for k, i in enumerate(indices)]
        made = Expr.__new__(cls, body.xreplace(dict(zip(indices, named, strict=True))), sp.Integer(place), *named)
        made.height = level + len(named)
        return made

    @property
    def place(self) -> int:
        return int(self.args[1])

    @property
    def bound(self) -> tuple[Index, ...]:
        return cast("tuple[Index, ...]", self.args[2:])

    def bind(self, body: Expr, indices: Sequence[Index]) -> Expr:
        return ArgMax(body, self.place, *indices)

    def _eval_is_integer(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True


def _height(e: Expr) -> int:
    return max((b.height for b in e.atoms(Binder)), default=0)


def _separate(product: Expr, indices: Sequence[Index]) -> list[tuple[Expr, list[Index]]]:
    """Split a product into factors that share none of the indices."""
    groups: list[tuple[list[Expr], set[Basic]]] = []
    for factor in sp.Mul.make_args(product):
        factors, own = [factor], factor.free_symbols & set(indices)
        apart: list[tuple[list[Expr], set[Basic]]] = []
        for others, theirs in groups:
            if theirs & own:
                factors, own = others + factors, own | theirs
            else:
                apart.append((others, theirs))
        groups = [*apart, (factors, own)]
    return [(sp.Mul(*factors), [i for i in indices if i in own]) for factors, own in groups]


def _bind(cls: type[Binder], body: Expr, indices: Sequence[Index]) -> Expr:
    """Build a binder with canonical bound indices: ordered by where they occur, serials by height."""
    level = _height(body)
    taken = {s.serial for s in body.free_symbols if isinstance(s, Index) and s.serial < 0 and s not in indices}
    if taken & {-(level + 1 + k) for k in range(len(indices))}:
        raise AssertionError("a binder must be opened before its body is rebuilt")
    best: tuple[str, Expr, list[Index]] | None = None
    orders = _orders(body, indices)
    for order in orders:
        named = [Index(i.axis.name, i.axis, -(level + 1 + k)) for k, i in enumerate(order)]
        renamed = body.xreplace(dict(zip(order, named, strict=True)))
        text = str(renamed) if len(orders) > 1 else ""
        if best is None or text < best[0]:
            best = (text, renamed, named)
    assert best is not None
    made = Expr.__new__(cls, best[1], *best[2])
    made.height = level + len(indices)
    return made


def _orders(body: Expr, indices: Sequence[Index]) -> list[list[Index]]:
    """The orders of bound indices that their occurrences do not tell apart."""
    if len(indices) == 1:
        return [list(indices)]

    def occurrences(i: Index) -> tuple[object, ...]:
        found: list[tuple[str, int, bool]] = []
        for atom in body.atoms(Entry, Indicator):
            name, places = (str(atom.args[0]), atom.args[1:]) if isinstance(atom, Entry) else ("[]", atom.args)
            found += [(name, k, e == i) for k, e in enumerate(places) if i in e.free_symbols]
        return (i.axis.key, sorted(found))

    keys = {i: occurrences(i) for i in indices}
    ranked = sorted(indices, key=keys.__getitem__)
    groups = [list(g) for _, g in itertools.groupby(ranked, key=keys.__getitem__)]
    return [[i for g in choice for i in g] for choice in itertools.product(*map(itertools.permutations, groups))]
