"""Programs in which every binder is a term of its equation: what is summed inside a formula gets an equation of its own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Basic, Expr

from derive.index import ArgMax, Binder, Entry, Index, Sum, Tensor, free_indices
from derive.program import Equation, Program


def flattened(program: Program) -> tuple[Equation, ...]:
    """The program's equations and, before each, those of the binders that stand deeper in it than a single loop nest allows."""
    flat = _Flattener({t.name for t in program.given} | {e.tensor.name for e in program.equations})
    for equation in program.equations:
        flat.add(equation)
    return tuple(flat.done)


def outermost_binders(e: Basic) -> tuple[Binder, ...]:
    """The outermost binders of an expression in their order, each once."""
    if isinstance(e, Binder):
        return (e,)
    return tuple(dict.fromkeys(b for a in e.args for b in outermost_binders(a)))


def unused(name: str, taken: set[str], mark: str = "_") -> str:
    """The name, marked until it is a new one; it is taken from now on."""
    while name in taken:
        name += mark
    taken.add(name)
    return name


@dataclass
class _Flattener:
    taken: set[str]
    done: list[Equation] = field(default_factory=list[Equation])

    def add(self, equation: Equation) -> None:
        outer = outermost_binders(equation.body)
        if len(outer) <= 1 or _is_linear(equation.body):
            body = equation.body.xreplace({b: self._inside(b, equation) for b in outer})
        else:
            body = self._named(equation.body, equation)
        self.done.append(replace(equation, body=body))

    def _inside(self, binder: Binder, equation: Equation) -> Expr:
        """The binder with the binders below it named."""
        body, indices = binder.open()
        named = self._named(body, equation)
        return binder if named == body else binder.bind(named, indices)

    def _named(self, e: Expr, equation: Equation) -> Expr:
        if isinstance(e, Binder):
            return self._entry(self._inside(e, equation), equation)
        if isinstance(e, Entry):
            return Entry(e.tensor, *(self._named(i, equation) for i in e.indices))
        if not outermost_binders(e):
            return e
        return e.func(*[self._named(a, equation) for a in e.args])

    def _entry(self, e: Expr, equation: Equation) -> Expr:
        """An entry of a new tensor that an equation with the same number computes."""
        if not isinstance(e, Binder):
            return e
        free = free_indices(e)
        letters: set[str] = set()
        named = tuple(i.axis.index(unused(i.axis.name, letters, "'")) for i in free)
        values = _position(e).axis if isinstance(e, ArgMax) else None
        tensor = Tensor(unused(f"{type(e).__name__.lower()}_{equation.tensor.name}", self.taken), [i.axis for i in free], values)
        body = e.xreplace(dict(zip(free, named, strict=True)))
        self.done.append(replace(equation, tensor=tensor, indices=named, body=body))
        return Entry(tensor, *free)


def _position(e: ArgMax) -> Index:
    return e.bound[e.place]


def _is_linear(body: Expr) -> bool:
    """Whether every binder is a sum that is a factor of its own term."""
    for term in sp.Add.make_args(body):
        inside = outermost_binders(term)
        if len(inside) > 1 or any(not isinstance(b, Sum) or b not in sp.Mul.make_args(term) for b in inside):
            return False
    return True
