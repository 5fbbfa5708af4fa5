"""Derived gradients of random networks, by the naive evaluator, against PyTorch's autograd; and their proof."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derive import Network, differentiate, prove
from derive.evaluate import evaluate
from derive.program import Program
from tests.random_networks import autograd, networks, point, worst_error

TOLERANCE = 1e-12  # of max |difference| / max |gradient|, in float64


def mathematical(network: Network) -> Program:
    """The forward program and its gradients as the document writes them, before any stable form."""
    derivation = differentiate(network.program())
    equations = (*derivation.forward.equations, *(d.equation for d in derivation.backward))
    return replace(derivation.forward, equations=equations)


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(1, 7), st.integers(0, 10**6))
def test_gradients_agree_with_autograd(network: Network, examples: int, seed: int) -> None:
    at = point(network, examples, seed)
    loss, gradients, _ = autograd(network, at)
    for program in (differentiate(network.program()).computed, written := mathematical(network)):
        values = evaluate(program, at.given(program))
        if program is written and written.floors and not np.isfinite(values["L"]):
            continue  # p = 0 or 1 is outside of the formula's domain: only the declared floors, in stable form, give it a value
        assert values["L"] == pytest.approx(loss, rel=TOLERANCE, abs=TOLERANCE)
        assert worst_error({name: values["d" + name] for name in gradients}, gradients) <= TOLERANCE


@settings(max_examples=10, deadline=None)
@given(networks(max_layers=3))
def test_every_step_is_proved(network: Network) -> None:
    failed = [v for v in prove(differentiate(network.program())) if not v.holds]
    assert not failed
