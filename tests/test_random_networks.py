"""Derived gradients of random networks, by the naive evaluator, against PyTorch's autograd; and their proof."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.lost import allowed
from chainrule.sample import sample
from chainrule.verify import largest, verify_at
from derive import Network, differentiate, prove
from derive.evaluate import evaluate
from tests.modules import interpreted
from tests.random_networks import autograd, networks, point, worst_error

TOLERANCE = 1e-12  # of max |difference| / max |gradient|, in float64


def check_gradients(network: Network, examples: int, seed: int) -> None:
    """The errors of a gradient are relative to its largest entry."""
    at = point(network, examples, seed)
    loss, gradients, _ = autograd(network, at)
    derivation = differentiate(network.program())
    plain = derivation.mathematical
    for program in (derivation.computed, derivation.mathematical):
        values = evaluate(program, at.given(program))
        assert values["L"] == pytest.approx(loss, rel=TOLERANCE, abs=TOLERANCE)
        found = {name: values["d" + name] for name in gradients}
        error = worst_error(found, gradients)
        if error > TOLERANCE:  # x - tanh(x) of small numbers has few right digits, in PyTorch too
            error -= allowed(plain, at.given(plain), ["d" + name for name in gradients]) / largest(gradients.values())
        assert error <= TOLERANCE


@settings(max_examples=8, deadline=None, derandomize=True)
@given(networks(), st.integers(1, 7), st.integers(0, 10**6))
def test_gradients_agree_with_autograd(network: Network, examples: int, seed: int) -> None:
    check_gradients(network, examples, seed)


def check_verified(network: Network, examples: int, seed: int) -> None:
    """The module as Python runs it: against finite differences, the order of the Taylor remainder, and the plain evaluation."""
    module = interpreted(network)
    done = verify_at(differentiate(network.program()), network.program(), module, sample(network, module, examples, seed), seed)
    assert done.holds, done


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=4), st.integers(1, 4), st.integers(0, 10**6))
def test_modules_are_verified(network: Network, examples: int, seed: int) -> None:
    check_verified(network, examples, seed)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(networks(max_layers=3))
def test_every_step_is_proved(network: Network) -> None:
    assert not [v for v in prove(differentiate(network.program())) if not v.holds]


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(networks(), st.integers(1, 7), st.integers(0, 10**6))
def test_many_gradients_agree_with_autograd(network: Network, examples: int, seed: int) -> None:
    check_gradients(network, examples, seed)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(networks())
def test_every_step_of_many_is_proved(network: Network) -> None:
    assert not [v for v in prove(differentiate(network.program())) if not v.holds]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(networks(), st.integers(1, 7), st.integers(0, 10**6))
def test_many_modules_are_verified(network: Network, examples: int, seed: int) -> None:
    check_verified(network, examples, seed)
