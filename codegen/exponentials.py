"""The two exponentials of a softmax over two classes as one.

Of exp(Z[0] - m) and exp(Z[1] - m), where m is the larger of both Z, one is exp(0) = 1, and the other one is exp(x_0 + x_1) with the two
exponents x_0 and x_1, since one of them is 0. With NaN or infinity in Z both are as they would be: an exponent is NaN then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from codegen.flat import unused
from codegen.logarithms import reaches_one
from codegen.loops import Assign, Loop, Statement, leaves
from derive.index import Axis, Entry, Max, Tensor, inline, tensors
from derive.program import Equation


def one_exponential(statements: Sequence[Statement], taken: set[str], inside: Axis) -> tuple[Statement, ...]:
    """The statements of a block with one exponential in place of each such two in a loop over its examples, the axis `inside`.

    taken: names that new variables must not have; those of new ones join them.
    """
    every = dict.fromkeys(leaf.equation for s in statements for leaf in leaves(s))
    largest = {e.tensor: e for e in every if isinstance(e.body, Max)}
    found = {e for e in every if _is_pair(e, largest, inside)}
    return tuple(_in_loop(s, found, taken, inside) for s in statements)


def _is_pair(equation: Equation, largest: Mapping[Tensor, Equation], inside: Axis) -> bool:
    """Whether an equation is exp(Z[c] - max_c Z[c]) for both positions c of an axis, for every example."""
    others = [i for i in equation.indices if i.axis != inside]
    if len(others) != 1 or len(equation.indices) != 2 or others[0].axis.extent != 2:
        return False
    term = equation.body
    for tensor in tensors(term):
        if tensor in largest:
            term = inline(term, tensor, largest[tensor].indices, largest[tensor].body)
    return reaches_one(term, others)


def _in_loop(statement: Statement, found: set[Equation], taken: set[str], inside: Axis) -> Statement:
    if not isinstance(statement, Loop):
        return statement
    if statement.index.axis != inside:
        return replace(statement, body=tuple(_in_loop(s, found, taken, inside) for s in statement.body))
    body: list[Statement] = []
    rest = list(statement.body)
    while rest:
        first, *others = rest
        second = others[0] if others else first
        if isinstance(first, Assign) and isinstance(second, Assign) and first.equation in found and _both(first, second):
            body += _as_one(first, second, taken)
            rest = others[1:]
        else:
            body.append(first)
            rest = others
    return replace(statement, body=tuple(body))


def _both(first: Assign, second: Assign) -> bool:
    """Whether two assignments are those of the two exponentials of one equation."""
    exponentials = all(isinstance(leaf.value, sp.exp) and not leaf.guards for leaf in (first, second))
    return exponentials and first.equation == second.equation and first.target != second.target


def _as_one(first: Assign, second: Assign, taken: set[str]) -> Iterator[Statement]:
    """Both assignments with one exponential."""
    below = [Entry(Tensor(unused(f"below_{k}", taken))) for k in (0, 1)]
    smaller = Entry(Tensor(unused("smaller", taken)))
    for leaf, exponent in zip((first, second), below, strict=True):
        (value,) = leaf.value.args
        assert isinstance(value, Expr)
        yield replace(leaf, target=exponent, value=value)
    yield replace(first, target=smaller, value=sp.exp(sp.Add(*below)))
    for leaf, exponent in zip((first, second), below, strict=True):
        one = sp.Eq(exponent, sp.S.Zero, evaluate=False)
        yield replace(leaf, value=sp.Piecewise((sp.S.One, one), (smaller, True)))
