"""Arrays of a few numbers for each example: accumulations that begin with their first term."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr

from codegen.loops import Accumulate, Assign, Loop, Operation, Statement
from codegen.short import begun
from derive.index import Axis, Index, Tensor
from derive.program import Equation

EXAMPLES = Axis("n", "N")
N = EXAMPLES.index()
Z, H, B = Tensor("Z", [EXAMPLES]), Tensor("H", [EXAMPLES]), Tensor("b")


def loop(index: Index, leaf: Assign | Accumulate) -> Statement:
    return Loop(index, (leaf,))


@pytest.mark.parametrize(
    ("start", "operation", "expected"),
    [(B.entry(), "sum", B.entry() + H[N]), (sp.S.Zero, "sum", H[N]), (sp.S.NegativeInfinity, "max", H[N]), (B.entry(), "max", None)],
)
def test_an_accumulation_begins_with_its_first_term(start: Expr, operation: Operation, expected: Expr | None) -> None:
    other = EXAMPLES.index("'")
    equation = Equation(Z, (N,), H[N])
    first = loop(N, Assign(equation, Z[N], start, starts=True))
    second = loop(other, Accumulate(equation, Z[other], operation, H[other]))
    found = begun([first, second])
    if expected is None:  # what it starts from counts too
        assert found == (first, second)
    else:
        assert found == (loop(N, Assign(equation, Z[N], expected)),)
