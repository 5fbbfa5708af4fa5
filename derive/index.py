"""Index notation on top of SymPy: axes, tensors and their entries, Kronecker deltas, sums and maxima.

An index knows the axis that it runs over, so `sum over m of delta(n, m) f(m) = f(n)` needs no range condition when
n and m run over one axis. Bound indices carry canonical serials (by nesting height), so two sums that differ only in the
letters of their bound indices are equal, and a binder is opened with fresh indices before anything below it is touched:
capture cannot happen. A tensor's sign is part of its declaration.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self, cast

import sympy as sp
from sympy import Basic, Expr

Sign = Literal["real", "nonnegative", "positive"]

_serials = itertools.count(1)


@dataclass(frozen=True)
class Axis:
    """A set of positions 0 .. extent-1 that indices run over; an extent of None is known only at run time."""

    name: str  # the letter of its indices, "n"
    size: str  # the symbol of its extent, "N"
    extent: int | None = None
    meaning: str = ""

    @property
    def count(self) -> Size:
        """The extent as a symbol that formulas can hold (the N of 1/N)."""
        return Size(self)

    def index(self, label: str | None = None) -> Index:
        """The index of this axis with its own letter, or with another one."""
        return Index(label or self.name, self)

    def fresh(self) -> Index:
        """An index that occurs nowhere else."""
        return Index(self.name, self, next(_serials))

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.name, self.size, str(self.extent), self.meaning)


class Size(sp.Symbol):
    """The number of positions of an axis: a positive integer."""

    axis: Axis

    def __new__(cls, axis: Axis) -> Self:
        made = sp.Symbol.__xnew__(cls, axis.size, integer=True, positive=True)
        made.axis = axis
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.axis.key, *super()._hashable_content())

    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]:
        return ((self.axis,), {})


class Index(sp.Symbol):
    """A position on an axis. Serial 0: named by a person; above: fresh; below: bound, canonical by height."""

    axis: Axis
    label: str
    serial: int

    def __new__(cls, label: str, axis: Axis, serial: int = 0) -> Self:
        name = label if serial == 0 else f"{label}#{serial}"
        made = sp.Symbol.__xnew__(cls, name, integer=True, nonnegative=True)
        made.axis, made.label, made.serial = axis, label, serial
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        return (self.serial, self.label, self.axis.key, *super()._hashable_content())

    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]:
        return ((self.label, self.axis, self.serial), {})


class Tensor(sp.Atom):
    """The declaration of an array: name, axes, and what its entries are.

    `values` is the axis that integer entries (labels) point into, None for real entries.
    """

    name: str
    axes: tuple[Axis, ...]
    values: Axis | None
    sign: Sign

    def __new__(cls, name: str, axes: Sequence[Axis] = (), values: Axis | None = None, sign: Sign = "real") -> Self:
        made = sp.Atom.__new__(cls)
        made.name, made.axes, made.values, made.sign = name, tuple(axes), values, sign
        return made

    def _hashable_content(self) -> tuple[object, ...]:
        values = self.values.key if self.values else ("", "", "", "")
        return (self.name, tuple(a.key for a in self.axes), values, self.sign)

    def __getnewargs__(self) -> tuple[object, ...]:
        return (self.name, self.axes, self.values, self.sign)

    def __getitem__(self, indices: Expr | int | tuple[Expr | int, ...]) -> Entry:
        return Entry(self, *(indices if isinstance(indices, tuple) else (indices,)))

    def entry(self) -> Entry:
        """The entry at the axes' own letters (a second index on one axis gets a prime)."""
        return Entry(self, *self.indices())

    def indices(self) -> tuple[Index, ...]:
        found: list[Index] = []
        for axis in self.axes:
            repeats = sum(i.axis == axis for i in found)
            found.append(axis.index(axis.name + "'" * repeats))
        return tuple(found)

    def _sympystr(self, _printer: sp.StrPrinter) -> str:
        return self.name


class Entry(Expr):
    """One entry of a tensor at index expressions."""

    is_commutative = True

    def __new__(cls, tensor: Tensor, *indices: Expr | int) -> Self:
        if len(indices) != len(tensor.axes):
            raise ValueError(f"{tensor.name} has {len(tensor.axes)} axes, not {len(indices)}")
        return Expr.__new__(cls, tensor, *(sp.Integer(i) if isinstance(i, int) else i for i in indices))

    @property
    def tensor(self) -> Tensor:
        return cast("Tensor", self.args[0])  # the one argument that is no Expr

    @property
    def indices(self) -> tuple[Expr, ...]:
        return self.args[1:]

    def _eval_is_extended_real(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_integer(self) -> bool | None:
        return True if self.tensor.values else None

    def _eval_is_positive(self) -> bool | None:
        return True if self.tensor.sign == "positive" else None

    def _eval_is_nonnegative(self) -> bool | None:
        return True if self.tensor.values or self.tensor.sign != "real" else None

    def _eval_derivative(self, _symbol: Expr) -> Expr:
        return sp.S.Zero

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        inside = ",".join(printer.doprint(i) for i in self.indices)
        return f"{self.tensor.name}[{inside}]" if inside else self.tensor.name


class Partial(Expr):
    """An unevaluated local derivative: of one entry with respect to another."""

    is_commutative = True

    def __new__(cls, of: Entry, by: Entry) -> Self:
        return Expr.__new__(cls, of, by)

    @property
    def of(self) -> Entry:
        return cast("Entry", self.args[0])

    @property
    def by(self) -> Entry:
        return cast("Entry", self.args[1])

    def _eval_is_real(self) -> bool:
        return True


class Indicator(Expr):
    """A factor that is 1 where a condition on indices holds and 0 elsewhere (an Iverson bracket)."""

    is_commutative = True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_derivative(self, _symbol: Expr) -> Expr:
        return sp.S.Zero

    def _eval_power(self, exponent: Expr) -> Expr | None:
        return self if exponent.is_positive else None


class Delta(Indicator):
    """Kronecker's delta of two index expressions."""

    def __new__(cls, a: Expr, b: Expr) -> Expr:
        if a == b:
            return sp.S.One
        if a.is_Integer and b.is_Integer:
            return sp.S.Zero
        a, b = (a, b) if a.compare(b) <= 0 else (b, a)
        return Expr.__new__(cls, a, b)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[{printer.doprint(self.args[0])} = {printer.doprint(self.args[1])}]"


class InRange(Indicator):
    """1 where an index expression lies on an axis: 0 <= e < size."""

    def __new__(cls, position: Expr, size: Expr) -> Expr:
        if isinstance(size, Size) and lies_on(position, size.axis):
            return sp.S.One
        if position.is_Integer and size.is_Integer:
            return sp.S.One if 0 <= position < size else sp.S.Zero
        return Expr.__new__(cls, position, size)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[0 <= {printer.doprint(self.args[0])} < {printer.doprint(self.args[1])}]"


class AtMost(Indicator):
    """1 where one index expression is at most another (a causal mask)."""

    def __new__(cls, a: Expr, b: Expr) -> Expr:
        return Expr.__new__(cls, a, b)

    def _sympystr(self, printer: sp.StrPrinter) -> str:
        return f"[{printer.doprint(self.args[0])} <= {printer.doprint(self.args[1])}]"


def lies_on(position: Expr, axis: Axis) -> bool:
    """Whether an index expression is on the axis by its type alone."""
    if isinstance(position, Index):
        return position.axis == axis
    if isinstance(position, Entry):
        return position.tensor.values == axis
    if isinstance(position, ArgMax):
        return position.bound[position.place].axis == axis
    return False


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
        if body.is_zero:
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
        named = [Index(i.label, i.axis, -(level + 1 + k)) for k, i in enumerate(indices)]
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


def rewrite(e: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Replace nodes from the leaves up, opening every binder with fresh indices; `change` returns None to keep."""
    if isinstance(e, Binder):
        body, indices = e.open()
        new = rewrite(body, change)
        if new != body:
            e = e.bind(new, indices)
    elif e.args and not isinstance(e, Entry):
        args = [rewrite(a, change) for a in e.args]
        if any(new is not old for new, old in zip(args, e.args, strict=True)):
            e = e.func(*args)
    elif isinstance(e, Entry):
        args = [rewrite(i, change) for i in e.indices]
        if any(new is not old for new, old in zip(args, e.indices, strict=True)):
            e = Entry(e.tensor, *args)
    changed = change(e)
    return e if changed is None else changed


def tensors(e: Expr) -> tuple[Tensor, ...]:
    """The tensors of an expression, in the order of first occurrence, labels included."""
    return tuple(dict.fromkeys(a.tensor for a in sp.preorder_traversal(e) if isinstance(a, Entry)))


def inline(e: Expr, tensor: Tensor, indices: Sequence[Index], body: Expr) -> Expr:
    """Put a definition `tensor[indices] = body` in place of every entry of the tensor."""

    def change(node: Expr) -> Expr | None:
        if isinstance(node, Entry) and node.tensor == tensor:
            return body.xreplace(dict(zip(indices, node.indices, strict=True)))
        return None

    return rewrite(e, change)


def free_indices(e: Expr) -> tuple[Index, ...]:
    """The free indices of an expression in a fixed order."""
    found = [s for s in e.free_symbols if isinstance(s, Index)]
    return tuple(sorted(found, key=lambda i: (i.serial, i.label, i.axis.key)))
