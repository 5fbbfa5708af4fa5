"""Sums of logarithms over the examples of a block as one logarithm, of the product of their arguments.

A logarithm costs several times as much as a multiplication. The product is taken in float64, where it cannot overflow: what the logarithm
is taken of lies between 1 and a number that its equation tells, as the sum of exp(Z[c] - max_c Z[c]) over c in a softmax does. Each
multiplication loses as much as rounding the argument itself has lost.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from codegen.elementary import LogOfProduct
from codegen.flat import unused
from codegen.loops import Accumulate, Assign, Loop, Statement
from derive.index import Axis, Entry, Index, Max, Sum, Tensor, inline, tensors
from derive.program import Equation

BITS = 1000  # of the largest product


def at_least_one(equations: Sequence[Equation], factors: int) -> set[str]:
    """The names of the tensors whose entries are at least 1, and of which a product of so many does not overflow."""
    definitions = {e.tensor: e for e in equations}
    found = {e.tensor.name: _most(e, definitions) for e in equations}
    return {name for name, most in found.items() if most is not None and factors * math.log2(most) <= BITS}


def _most(equation: Equation, definitions: Mapping[Tensor, Equation]) -> int | None:
    """The number of terms of a sum over all positions of exp(Z - max Z): one of them is 1, and none is larger. None for any other."""
    if not isinstance(equation.body, Sum):
        return None
    term, indices = equation.body.open()
    for kind in (sp.exp, Max):
        for tensor in tensors(term):
            definition = definitions.get(tensor)
            if definition is not None and isinstance(definition.body, kind):
                term = inline(term, tensor, definition.indices, definition.body)
    extents = [i.axis.extent for i in indices]
    return math.prod(n for n in extents if n is not None) if None not in extents and reaches_one(term, indices) else None


def reaches_one(term: Expr, indices: Sequence[Index]) -> bool:
    """Whether a term is exp(Z - max Z), the maximum over these indices."""
    exponent = term.args[0] if isinstance(term, sp.exp) else sp.S.Zero
    for part in sp.Add.make_args(exponent):
        largest = -part
        if isinstance(largest, Max):
            body, over = largest.open()
            if len(over) == len(indices) and exponent - part == body.xreplace(dict(zip(over, indices, strict=True))):
                return True
    return False


def one_logarithm(statements: Sequence[Statement], large: Collection[str], taken: set[str], inside: Axis) -> tuple[Statement, ...]:
    """The statements of a block with the logarithms that a loop over its examples adds to a number as one.

    large: the names of the tensors of which a product over a block is taken. taken: names that a new variable must not have.
    """
    return tuple(s for statement in statements for s in _one_logarithm(statement, large, taken, inside))


def _one_logarithm(statement: Statement, large: Collection[str], taken: set[str], inside: Axis) -> Iterator[Statement]:
    if not isinstance(statement, Loop) or statement.index.axis != inside:
        yield statement
        return
    starts: list[Statement] = []
    body: list[Statement] = []
    ends: list[Statement] = []
    for leaf in statement.body:
        term = _term(leaf, large)
        if term is None or not isinstance(leaf, Accumulate):
            body.append(leaf)
            continue
        (argument,) = term.atoms(sp.log).pop().args
        product = Entry(Tensor(unused("product", taken)))
        rest = leaf.value - term
        starts.append(Assign(leaf.equation, product, sp.S.One, starts=True))
        body += [replace(leaf, value=rest)] if rest != 0 else []
        body.append(Accumulate(leaf.equation, product, "product", argument))
        ends.append(Accumulate(leaf.equation, leaf.target, "sum", LogOfProduct(product) * (1 if term.is_Function else -1)))
    yield from (*starts, replace(statement, body=tuple(body)), *ends)


def _term(leaf: Statement, large: Collection[str]) -> Expr | None:
    """The term log(t) or -log(t) of what a leaf adds to a number, where t is an entry of one of the tensors."""
    if not isinstance(leaf, Accumulate) or leaf.operation != "sum" or leaf.target.indices or leaf.guards:
        return None
    for term in sp.Add.make_args(leaf.value):
        for function in (term, -term):
            if isinstance(function, sp.log) and isinstance(function.args[0], Entry) and function.args[0].tensor.name in large:
                return term
    return None
