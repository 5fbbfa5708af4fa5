"""The program that code implements: stable forms, inner sums and repeated functions named, nothing that is not needed.

Every equation of it is an elementwise expression of entries plus sums of elementwise expressions: a loop nest or a matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import sympy as sp
from sympy import Expr

from derive.derivation import Derived, Step
from derive.family import gradient_of
from derive.index import ArgMax, Binder, Entry, Index, Indicator, Max, Sign, Sum, Tensor, free_indices, tensors
from derive.program import Equation, Floors, Program, needed
from derive.stable import hiding, stable_forms
from derive.template import canonical


def computed_program(program: Program) -> tuple[tuple[Derived, ...], Program]:
    """The equations in stable form that differ from the mathematical ones, and the whole program that is computed.

    program: the mathematical equations, gradients included; what its outputs do not depend on is left out.
    """
    mathematical = needed(program.equations, program.results)
    stable = list(map(_Stabiliser(program), mathematical))
    taken = {t.name for t in program.given} | {e.tensor.name for e in mathematical}
    namer = _Namer(_repeated([d.equation.body for d in stable]), taken)
    for derived in stable:
        namer.name(derived)
    equations = needed([d.equation for d in namer.done], program.results)
    before = {e.tensor: e for e in mathematical}
    kept = {e.tensor for e in equations}
    changed = tuple(d for d in namer.done if d.equation.tensor in kept and d.equation != before.get(d.equation.tensor))
    computed = replace(program, equations=equations, floors={})
    return changed, computed


@dataclass
class _Stabiliser:
    """Stable forms of a program's equations; equations that differ only in names are worked out once."""

    program: Program

    def __call__(self, equation: Equation) -> Derived:
        definitions = [d for t in hiding(equation.body) if (d := self.program.defining(t))]
        naming = canonical((equation, *definitions), ())
        general = [naming.equation(e) for e in (equation, *definitions)]
        floors = _floors(equation, self.program)
        steps = tuple(naming.inverse.step(s) for s in _steps(general[0], tuple(general[1:]), floors))
        return Derived(replace(equation, body=steps[-1].after if steps else equation.body), steps)


@lru_cache(maxsize=1024)
def _steps(equation: Equation, definitions: tuple[Equation, ...], floors: Floors | None) -> tuple[Step, ...]:
    """The steps to the stable form; equations in general names are equal in all networks."""
    steps, body = list[Step](), equation.body
    for rule, after, uses, reason in stable_forms(body, {d.tensor: d for d in definitions}, floors):
        steps.append(Step(rule, body, after, equation.indices, uses, reason))
        body = after
    return tuple(steps)


def _floors(equation: Equation, program: Program) -> Floors | None:
    """The floors of the loss hold for the loss itself and for the gradient of what it reads."""
    for name, floors in program.floors.items():
        loss = next(e for e in program.equations if e.tensor.name == name)
        if equation.tensor.name in (name, *(gradient_of(t).name for t in loss.reads)):
            return floors
    return None


# -- names for shared parts ----------------------------------------------------------------------------------------------


def _repeated(bodies: list[Expr]) -> set[Expr]:
    """The functions of entries that are evaluated more than once, at their axes' own letters.

    What stands in a branch is evaluated only there and does not count; nor do the parts of a function that is met again.
    """
    seen: dict[Expr, int] = {}

    def visit(e: Expr) -> None:
        if isinstance(e, Binder):
            visit(e.open()[0])
        elif not isinstance(e, sp.Piecewise | Entry):
            if isinstance(e, sp.Function) and _costly(e):
                part, _ = _lettered(e)
                seen[part] = seen.get(part, 0) + 1
                if seen[part] > 1:
                    return
            for argument in e.args:
                visit(argument)

    for body in bodies:
        visit(body)
    return {part for part, count in seen.items() if count > 1}


def _costly(e: Expr) -> bool:
    return len(e.args) == 1 and not isinstance(e, sp.Abs | sp.sign) and bool(tensors(e)) and bool(free_indices(e))


def _lettered(e: Expr) -> tuple[Expr, dict[Index, Index]]:
    """The expression at its axes' own letters, so that equal parts compare equal, and the index that each letter stands for."""
    meant: dict[Index, Index] = {}
    for index in free_indices(e):
        repeats = sum(i.axis == index.axis for i in meant)
        meant[index.axis.index(index.axis.name + "'" * repeats)] = index
    return e.xreplace({index: letter for letter, index in meant.items()}), meant


def _ordered(e: Expr) -> tuple[Index, ...]:
    """The free indices; those of the entry that holds most of them first, in its order."""
    free = free_indices(e)
    found = [[i for i in n.indices if isinstance(i, Index) and i in free] for n in sp.preorder_traversal(e) if isinstance(n, Entry)]
    return tuple(dict.fromkeys((*max(found, key=len, default=()), *free)))


@dataclass
class _Namer:
    """Gives names to the inner sums, maxima and repeated functions of a program's equations."""

    repeated: set[Expr]
    taken: set[str]  # names of tensors
    shared: dict[Expr, Equation] = field(default_factory=dict[Expr, Equation])  # by the part as it was met, at its axes' letters
    parts: dict[Tensor, Expr] = field(default_factory=dict[Tensor, Expr])
    done: list[Derived] = field(default_factory=list[Derived])
    letter: int = 0  # of the equation at hand

    def name(self, derived: Derived) -> None:
        """Append the equation, preceded by those of the parts that it is the first to need."""
        self.letter = 0
        equation, steps = derived.equation, derived.steps
        terms = [self._term(t, equation) for t in sp.Add.make_args(equation.body)]
        body = sp.Add(*terms)
        if body != equation.body:
            uses = self._named_parts(body)
            steps = (*steps, Step("name", equation.body, body, equation.indices, uses, "parts that are used more than once"))
        number = equation.number + self._next() if steps else equation.number
        self.done.append(Derived(replace(equation, body=body, number=number), steps))

    def _named_parts(self, body: Expr) -> tuple[str, ...]:
        """The named tensors that an expression reads, each after those that its own equation reads."""
        found: dict[str, None] = {}
        for tensor in tensors(body):
            if tensor in self.parts:
                found.update(dict.fromkeys((*self._named_parts(self.parts[tensor]), tensor.name)))
        return tuple(found)

    def _term(self, term: Expr, equation: Equation) -> Expr:
        """A top-level sum stays a sum where every index on the left stands in it: a contraction, nothing is repeated.

        So does one beside an indicator of one of its indices, outside of which it may read past the end of a tensor.
        """
        whole = set(equation.indices)
        guarded = {i for f in sp.Mul.make_args(term) if isinstance(f, Indicator) for i in free_indices(f)}
        factors: list[Expr] = []
        for factor in sp.Mul.make_args(term):
            free = set(free_indices(factor))
            if isinstance(factor, Sum) and (whole <= free or guarded & free) and not any(isinstance(f, Sum) for f in factors):
                body, indices = factor.open()
                factors.append(Sum(self._named(body, equation.number), *indices))
            else:
                factors.append(self._named(factor, equation.number))
        return sp.Mul(*factors)

    def _named(self, e: Expr, number: str) -> Expr:
        """The expression with every binder and every repeated function replaced by an entry of a named tensor."""
        if isinstance(e, Entry) or not e.args:
            return e
        if isinstance(e, Binder) or _lettered(e)[0] in self.repeated:
            return self._entry(e, number)
        return e.func(*[self._named(a, number) for a in e.args])

    def _entry(self, part: Expr, number: str) -> Expr:
        lettered, meant = _lettered(part)
        if lettered not in self.shared:
            body = self._parts_named(lettered, number)
            indices = _ordered(lettered)
            values = lettered.bound[lettered.place].axis if isinstance(lettered, ArgMax) else None
            tensor = Tensor(self._word(body), tuple(i.axis for i in indices), values, _sign(lettered))
            equation = Equation(tensor, indices, body, number + self._next(), "shared part")
            self.shared[lettered], self.parts[tensor] = equation, body
            self.done.append(Derived(equation, ()))
        equation = self.shared[lettered]
        return Entry(equation.tensor, *(meant[i] for i in equation.indices))

    def _parts_named(self, e: Expr, number: str) -> Expr:
        if isinstance(e, Binder):
            body, indices = e.open()
            return e.bind(self._named(body, number), indices)
        return e.func(*[self._named(a, number) for a in e.args])

    def _next(self) -> str:
        self.letter += 1
        return _letters(self.letter)

    def _word(self, part: Expr) -> str:
        kind = type(part).__name__.lower()
        parts = dict.fromkeys(t.name for t in tensors(part) if not isinstance(self.parts.get(t), Max))  # exp_Z, not exp_Z_max_Z
        word = "_".join([kind, *parts])
        names = (word, *(f"{word}_{k}" for k in range(2, len(self.taken) + 3)))
        found = next(name for name in names if name not in self.taken)
        self.taken.add(found)
        return found


def _letters(k: int) -> str:
    """1 -> a, 26 -> z, 27 -> aa."""
    return "" if k == 0 else _letters((k - 1) // 26) + chr(ord("a") + (k - 1) % 26)


def _sign(e: Expr) -> Sign:
    return "positive" if e.is_positive else "nonnegative" if e.is_nonnegative else "real"
