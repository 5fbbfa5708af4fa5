"""The step of an optimiser as equations, from its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Expr

from derive.formulas.optimisers import Optimiser
from derive.index import Axis, Binder, Entry, Index, Tensor, tensors
from derive.language import Operand, Scope, definitions
from derive.parameters import symbolic
from derive.program import Equation

AXIS = Axis("k", "K", meaning="learned numbers")


@dataclass(frozen=True)
class Step:
    """One step of an optimiser: equations in order, each of a vector at k or of a number; the last gives the new theta[k].

    A vector that is read above its equation, or in it, is the old one. kept: the vectors that are kept, theta first.
    """

    equations: tuple[Equation, ...]
    kept: tuple[Tensor, ...]


def step(optimiser: Optimiser, axis: Axis = AXIS) -> Step:
    """The step in entries along an axis of learned numbers, with the parameters, `rate` and `t` as numbers without axes.

    Raises FormulaError for what is no formula of the language, ValueError where an equation does more than take entries at k.
    """
    theta, *state = kept = [Tensor(name, [axis]) for name in ("theta", *optimiser.state)]
    numbers = {name: Tensor(name).entry() for name in ("rate", *optimiser.parameters)}
    values = {t.name: _vector(t) for t in (*kept, Tensor("gradient", [axis]))}
    done = _elaborated(optimiser, {**values, **numbers, "t": Tensor("t", sign="count").entry()}, axis)
    k = axis.index()
    for equation in done:
        along = [i for e in (equation.entry, *equation.body.atoms(Entry)) for i in e.indices]
        if equation.body.has(Binder) or any(i != k for i in along):
            raise ValueError(f"the equation of {equation.tensor.name} needs more of a vector than its entry at k")
        if not equation.indices and any(t.axes for t in tensors(equation.body)):
            raise ValueError(f"{equation.tensor.name} is a number, and its equation reads a vector")
    if done[-1].tensor != theta:
        raise ValueError(f"the last equation gives {done[-1].tensor.name}, not theta")
    return Step(done, (theta, *state))


def updated(optimiser: Optimiser, theta: Expr, gradient: Expr, rate: Expr) -> Expr:
    """The new value of one learned number by an optimiser without state, its parameters at their defaults."""
    numbers = {name: p.default for name, p in optimiser.parameters.items() if p.default is not None}
    entries = {"theta": Operand((AXIS,), lambda _: theta), "gradient": Operand((AXIS,), lambda _: gradient)}
    return _elaborated(optimiser, {**entries, **symbolic(numbers), "rate": rate}, AXIS)[-1].body


def _elaborated(optimiser: Optimiser, values: Mapping[str, Expr | bool | int | Operand], axis: Axis) -> tuple[Equation, ...]:
    done: list[Equation] = []

    def define(name: str, indices: tuple[Index, ...], body: Expr) -> Operand:
        tensor = Tensor(name, [i.axis for i in indices])
        done.append(Equation(tensor, indices, body))
        return _vector(tensor)

    state = ("theta", *optimiser.state)
    definitions(optimiser.formula, Scope(values, {axis.name: axis}, state), define)
    return tuple(done)


def _vector(tensor: Tensor) -> Operand:
    return Operand(tensor.axes, lambda indices: tensor[indices])
