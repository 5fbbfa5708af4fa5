"""Arrays in the memory of others, and conditions that are read off stored values: the same numbers from less memory."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.explain import explanation
from codegen.in_place import in_place
from codegen.loops import Accumulate, Assign, Loop, Statement, nested
from codegen.nests import statements
from codegen.read_off import kept
from derive import Network, differentiate
from derive.functions import where
from derive.index import Axis, Tensor
from derive.program import Equation
from tests.modules import interpreted, network, text_of
from tests.random_networks import networks, point

N, J = Axis("n", "N", None), Axis("j", "J", 5)
n, j = N.index("n"), J.index("j")
A, B, C = (Tensor(name, [N, J]) for name in "ABC")
LAYERS = network(40, [(30, "relu"), (100, "tanh"), (3, "identity")], "softmax_cross_entropy")


def computed(target: Tensor, value: sp.Expr) -> Assign:
    return Assign(Equation(target, (n, j), value, "1"), target[n, j], value)


def whole(net: Network) -> Any:
    """The module in whole batches, with products of matrices, however small they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", 0)
        patch.setattr("codegen.schedule.statements", functools.partial(statements, extents=1))
        return interpreted(net)


def apart(net: Network) -> Any:
    """The same with memory for every array, and every condition on the value that its equation names."""

    def nothing(_body: Sequence[Statement], _arrays: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        return {}

    def unchanged(body: Sequence[Statement], _fixed: Sequence[Tensor]) -> Sequence[Statement]:
        return body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.schedule.in_place", nothing)
        patch.setattr("codegen.schedule.read_off", unchanged)
        return whole(net)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(networks(max_layers=4), st.integers(1, 5), st.integers(0, 10**6))
def test_the_same_bits(net: Network, examples: int, seed: int) -> None:
    at = point(net, examples, seed)
    found: list[tuple[Any, ...]] = []
    for module in (whole(net), apart(net)):
        p = module.Parameters(*(at.parameters[name] for name in module.Parameters._fields))
        weights = {} if at.weights is None else {"sample_weight": at.weights}
        loss, gradient = module.gradients(p, at.X, at.y, **weights)
        found.append((loss, *gradient, module.predict(p, at.X)))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, other)


# -- what shares memory --------------------------------------------------------------------------------------------------


def test_layers() -> None:
    text = text_of(LAYERS)
    gradients = text[text.index("def _gradients(") : text.index("# -- optimizers")]
    assert "A1 = H1 = work[" in gradients
    assert "A2 = H2 = work[" in gradients
    assert "dH1 = dA1 = work[" in gradients
    assert "if H1[n, j] <= real(0) else dH1[n, j]" in gradients


def test_a_value_that_is_read_later_keeps_its_memory() -> None:
    gelu = text_of(network(40, [(100, "gelu"), (3, "identity")], "softmax_cross_entropy"))
    gradients = gelu[gelu.index("def _gradients(") : gelu.index("# -- optimizers")]
    assert "A1 = H1" not in gradients
    assert "= dA1 = work[" in gradients


def body(*leaves: Assign | Accumulate) -> tuple[Statement, ...]:
    return (*nested([n, j], computed(A, sp.S.One)), *nested([n, j], *leaves))


def test_memory_is_taken_at_the_last_reading() -> None:
    assert in_place(body(computed(B, 2 * A[n, j])), [A, B]) == {B: A}
    assert in_place((*body(computed(B, 2 * A[n, j])), *nested([n, j], computed(C, B[n, j] ** 2))), [A, B, C]) == {B: A, C: A}
    assert in_place((*body(computed(B, 2 * A[n, j])), *nested([n, j], computed(C, A[n, j] ** 2))), [A, B, C]) == {C: A}


@pytest.mark.parametrize(
    "leaves",
    [
        (computed(B, 2 * A[n, 4 - j]),),  # another place
        (computed(B, sp.Integer(2)), computed(C, A[n, j] * B[n, j])),  # read after the place has been written
        (computed(B, 1 + A[n, j]),),  # a sum, which may be written as two statements
    ],
)
def test_where_no_memory_is_taken(leaves: tuple[Assign, ...]) -> None:
    assert B not in in_place(body(*leaves), [A, B, C])


def test_a_loop_that_comes_to_a_place_twice_takes_no_memory() -> None:
    k = Axis("k", "K", 3).index("k")
    again = nested([n, j, k], computed(B, 2 * A[n, j]))
    assert in_place((*nested([n, j], computed(A, sp.S.One)), *again), [A, B]) == {}
    inside = Loop(n, (*nested([j], computed(B, 2 * A[n, j])), *nested([j], computed(C, 3 * A[n, j]))))
    assert in_place((*nested([n, j], computed(A, sp.S.One)), inside), [A, B, C]) == {}


# -- conditions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "bound", "says"),
    [
        (sp.S.Zero, 0, True),
        (sp.Integer(-2), -1, True),
        (sp.Float(0.01) * A[n, j], 0, True),
        (sp.S.Zero, -1, False),  # for A below -1 the value is above -1
        (-A[n, j], 0, False),
        (sp.exp(A[n, j]) - 1, 0, False),
    ],
)
def test_what_a_value_says_of_the_one_before(value: sp.Expr, bound: int, says: bool) -> None:
    rule = kept(Equation(B, (n, j), where(sp.Le(A[n, j], bound), value, A[n, j]), "1"))
    assert (rule is not None) == says


@pytest.mark.parametrize("x", [-3.0, -0.0, 0.0, 5e-324, 2.0, np.nan])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_the_mask_at_a_kink_and_of_nan(activation: str, x: float) -> None:
    layer = {"kind": "flatten", "activation": activation}
    found: list[Any] = []
    for build in (whole, apart):
        module = build(Network(name="kink", inputs=1, loss="mean_squared_error", layers=[{"kind": "dense", "units": 1}, layer]))
        p = module.Parameters(np.array([[1.0]]), np.array([x]))
        loss, gradient = module.gradients(p, np.zeros((1, 1)), np.ones((1, 1)))
        found.append([loss, *gradient])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_it_is_explained() -> None:
    gradients = explanation(differentiate(LAYERS.program()), LAYERS)[0]
    why = {e.tensor: e.why for e in gradients.equations}
    assert "in the memory of A1, entry by entry: nothing reads that afterwards" in why["H1"]
    assert "its condition is read off H1, which is at most 0 where A1 is" in why["dA1"]
