"""What the loss of a batch demands of it, read from the equations: the weight that a mean divides by, and the fewest examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from codegen.constants import is_constant
from codegen.schedule import run_time_axis
from derive.index import Binder, Entry, Tensor, tensors
from derive.program import Equation, Program, needed

WEIGHT = Tensor("batch_weight")
MOST = 100  # examples that a formula may demand


def weight(forward: Program) -> Expr:
    """What the loss of a batch is to be multiplied by, so that those of all batches add up to that of all examples.

    It is what the mean divides by: N, a sum over the weights of the examples; 1 for a sum of losses.
    """
    below = list(dict.fromkeys(_denominators(forward, forward.outputs[-1])))
    count = run_time_axis(forward).count
    if len(below) == 1 and below[0].has(Entry, Binder) and not _reads(forward, below[0], forward.parameters):
        return below[0]
    return count if any(count in e.free_symbols for e in below) else sp.S.One


def weighing(forward: Program, value: Expr) -> Program:
    """The program whose output is a weight of the batches of another program."""
    if isinstance(value, Entry):
        return replace(forward, equations=needed(forward.equations, [value.tensor]), outputs=(value.tensor,), floors={})
    loss = forward.defining(forward.outputs[-1])
    equation = Equation(WEIGHT, (), value, loss.number if loss else "")
    return replace(forward, equations=(*needed(forward.equations, tensors(value)), equation), outputs=(WEIGHT,), floors={})


def fewest(computed: Program, outputs: Sequence[Tensor]) -> int:
    """The smallest number of examples for which no equation divides by 0 because of that number (a variance, by N - 1)."""
    axis = run_time_axis(computed)
    known = {a.count: sp.Integer(a.extent) for a in computed.axes if a.extent is not None}
    below = [
        power.base.xreplace(known)
        for equation in needed(computed.equations, outputs)
        for power in equation.body.atoms(sp.Pow)
        if power.exp.is_negative and is_constant(power.base) and power.base.is_Add
    ]
    wrong = [n for n in range(1, MOST) if any(e.xreplace({axis.count: sp.Integer(n)}) == 0 for e in below)]
    return max(wrong, default=0) + 1


def _denominators(program: Program, tensor: Tensor) -> Iterator[Expr]:
    """What the terms of a number are divided by, those of the numbers that it is a sum of included, where they depend on data."""
    equation = program.defining(tensor)
    for term in sp.Add.make_args(equation.body) if equation else ():
        if not _reads(program, term, (*program.inputs, *program.targets)):
            continue
        above, below = sp.fraction(term)
        numbers = [f.tensor for f in sp.Mul.make_args(above) if isinstance(f, Entry) and not f.indices and program.defining(f.tensor)]
        if numbers:
            yield from (below * inner for number in numbers for inner in _denominators(program, number))
        else:
            yield below


def _reads(program: Program, e: Expr, given: tuple[Tensor, ...]) -> bool:
    """Whether an expression depends on one of some given tensors."""
    read = tensors(e)
    every = {*read, *(t for equation in needed(program.equations, read) for t in equation.reads)}
    return any(t in every for t in given)
