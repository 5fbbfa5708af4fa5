"""Reads at computed positions: when they need no guard, and the tiny sizes at which the proof tests them."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import Expr

from derive.adjoint import differentiate
from derive.family import gradient_of
from derive.index import Axis, Delta, Index, InRange, Sum, Tensor
from derive.proof import prove
from derive.proof.sizes import tiny_extents
from tests.operations import define, program

N, C, H, W, F = Axis("n", "N"), Axis("c", "C", 2), Axis("h", "H", 3), Axis("w", "W", 4), Axis("f", "F", 24)
n, c, h, w, f = (axis.index() for axis in (N, C, H, W, F))
flat = (c * H.count + h) * W.count + w


@pytest.mark.parametrize(
    "position", [flat, flat + 0 * f, 23 - f, 2 * c + h, sp.Integer(23), f, c * H.count**2 + h, Tensor("y", (N,), values=W)[n]]
)
def test_a_read_that_stays_inside_needs_no_guard(position: Expr) -> None:
    assert InRange(position, F.count) == 1


@pytest.mark.parametrize("position", [flat + 1, flat - 1, f + 1, 22 - f, n, c * n, sp.Integer(24), F.count - w])
def test_a_read_that_may_leave_its_axis_keeps_it(position: Expr) -> None:
    assert isinstance(InRange(position, F.count), InRange)


def test_an_axis_of_unknown_extent_keeps_the_guard() -> None:
    assert isinstance(InRange(sp.Integer(0), N.count), InRange)


def test_the_gradient_of_flatten_reads_without_a_guard_and_is_proved() -> None:
    x, y = Tensor("X", (N, C, H, W)), Tensor("Y", (N, F))
    derivation = differentiate(program("flatten", [x], [], [define(y, Sum(x[n, c, h, w] * Delta(f, flat), c, h, w))]))
    assert derivation.gradient(x).equation.body == gradient_of(y)[n, flat]
    assert all(v.holds for v in prove(derivation))
    for extents in tiny_extents(derivation):
        assert extents[F] >= extents[C] * extents[H] * extents[W]
        assert max(extents[axis] for axis in (N, C, H, W)) <= 5


def test_positions_that_bind_extents_to_each_other_do_not_grow_without_end() -> None:
    """F >= 2 H, H >= F - 3: true of the extents 6 and 3, of no larger ones."""
    short, long = Axis("s", "S", 3), Axis("l", "L_", 6)
    s, step = short.index(), Index("k", short)
    x, y = Tensor("X", (long,)), Tensor("Y", (short,))
    body = x[2 * s + 1] + Sum(x[step] * Delta(s, step), step)
    derivation = differentiate(program("bound", [x], [], [define(y, body)]))
    assert all(v.holds for v in prove(derivation))
    for extents in tiny_extents(derivation):
        assert 2 * extents[short] <= extents[long] <= 6
