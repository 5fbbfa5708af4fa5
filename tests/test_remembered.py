"""What was worked out for one network serves the next: a derivation does not depend on what was derived before it."""

from __future__ import annotations

from random import Random

import pytest

from derive import compute, differentiate, reverse, tangents
from derive.derivation import Derivation
from derive.program import Program
from tests.modules import network

REMEMBERED = [reverse._solved, tangents._solved, compute._steps]  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    """Layers of one kind in several networks, losses and conventions, with widths that are equal in some and not in others."""
    layers = [[(4, "tanh"), (3, "identity")], [(3, "sigmoid"), (3, "tanh"), (3, "identity")], [(4, "relu"), (3, "sigmoid")]]
    losses = ["softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy"]
    found = [network(3, ls, loss, c) for ls, loss in zip(layers, losses, strict=True) for c in ("rows", "columns")]
    products = [net.model_copy(update={"products": ("jvp", "jacobian", "hvp")}) for net in found[:2]]
    return [net.program() for net in (*found, *products)]


def forgotten(program: Program) -> Derivation:
    """The derivation by an engine that remembers nothing."""
    for function in REMEMBERED:
        function.cache_clear()
    return differentiate(program)


def test_a_derivation_is_the_same_whatever_was_derived_before(programs: list[Program]) -> None:
    alone = [forgotten(program) for program in programs]
    order = list(range(len(programs)))
    Random(0).shuffle(order)
    found = {k: differentiate(programs[k]) for k in order}
    assert [found[k] for k in range(len(programs))] == alone
    assert [str(found[k]) for k in range(len(programs))] == [str(one) for one in alone]


def test_a_second_network_is_not_worked_out_again(programs: list[Program]) -> None:
    forgotten(programs[0])
    before = [f.cache_info().misses for f in REMEMBERED]
    differentiate(programs[0])
    assert [f.cache_info().misses for f in REMEMBERED] == before
