"""The program that is computed: shared parts get names, and mean what they stood for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from sympy import Expr, exp, log, tanh

from derive.adjoint import differentiate
from derive.compute import computed_program
from derive.evaluate import evaluate
from derive.index import AtMost, Axis, Max, Sum, Tensor
from derive.program import Equation, Program, renumber

N, J, K, M = Axis("n", "N", 2), Axis("j", "H", 3), Axis("k", "K", 4), Axis("m", "M", 5)
n, j, k, m = N.index(), J.index(), K.index(), M.index()
A, B, C, H, G = Tensor("A", (N, J)), Tensor("B", (M,)), Tensor("C", (K,)), Tensor("H", (N, J)), Tensor("G", (N, J))


def program(given: Sequence[Tensor], *bodies: tuple[Tensor, Expr]) -> Program:
    """A program whose loss is the sum of everything that it computes."""
    equations = [Equation(t, t.indices(), body) for t, body in bodies]
    loss = Equation(Tensor("L"), (), sp.Add(*[Sum(t.entry(), *t.indices()) for t, _ in bodies]))
    return Program("p", tuple(given), (), (), renumber((*equations, loss)), (loss.tensor,))


def check(forward: Program) -> Program:
    """The computed program, after a comparison of its values with those of the program itself."""
    _, computed = computed_program(forward)
    rng = np.random.default_rng(0)
    given = {t.name: rng.normal(size=[a.extent or 0 for a in t.axes]) for t in forward.given}
    expected, found = evaluate(forward, given), evaluate(computed, given)
    for equation in forward.equations:
        np.testing.assert_allclose(found[equation.tensor.name], expected[equation.tensor.name], rtol=1e-13)
    return computed


def names(computed: Program) -> list[str]:
    return [e.tensor.name for e in computed.equations]


def test_a_part_is_shared_below_binders_of_any_order() -> None:
    part = exp(A[n, j] + B[m] + C[k])
    computed = check(program([A, B, C], (H, Sum(part, m, k)), (G, Sum(tanh(Max(part, k)), m))))
    assert sum(name.startswith("exp_") for name in names(computed)) == 1


def test_a_part_and_its_transpose_are_two() -> None:
    other = J.index("j'")
    S = Tensor("S", (J, J))
    T = Tensor("T", (J, J))
    check(program([S], (T, exp(S[j, other]) * Sum(exp(S[other, j]), j) + exp(S[j, other]) ** 2)))


def test_names_in_use_are_left_alone() -> None:
    taken = Tensor("tanh_A", (N, J))
    computed = check(program([A, taken], (H, tanh(A[n, j]) + taken[n, j]), (G, tanh(A[n, j]) * 2)))
    assert "tanh_A_2" in names(computed)


def test_third_names_count_on() -> None:
    parts = [tanh(A[n, j]), tanh(2 * A[n, j]), tanh(3 * A[n, j])]
    computed = check(program([A], (H, sp.Add(*parts)), (G, sp.Mul(*parts))))
    assert names(computed)[:3] == ["tanh_A", "tanh_A_2", "tanh_A_3"]


def test_a_sum_of_no_entry_gets_a_name() -> None:
    other = J.index("r")
    check(program([A], (H, A[n, j] / Sum(AtMost(other, j), other))))


def test_nothing_that_is_not_needed_is_computed() -> None:
    dead = Tensor("D", (N, J))
    forward = program([A], (H, tanh(A[n, j])))
    equations = (Equation(dead, (n, j), log(A[n, j])), *forward.equations)
    _, computed = computed_program(Program("p", (A,), (), (), renumber(equations), forward.outputs))
    assert "D" not in names(computed)


def test_equal_formulas_of_different_tensors_stay_apart() -> None:
    forward = program([A, G], (H, tanh(A[n, j]) * tanh(G[n, j]) + tanh(A[n, j]) + tanh(G[n, j])))
    assert names(check(forward))[:2] == ["tanh_A", "tanh_G"]
    assert len(differentiate(forward).computed.equations) == 4
