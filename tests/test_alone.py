"""A batch of one example in kernels in blocks: the same gradients as by any other way, whatever `gradient` held before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.about import about
from codegen.alone import covers, written_alone
from codegen.blocks import BlockKernel
from codegen.cache import imported
from codegen.explain import explanation
from codegen.loops import Assign, Loop
from codegen.module import Module
from derive import Network, differentiate
from derive.index import Axis, Entry, Tensor
from derive.program import Equation
from tests.modules import interpreted, interpreted_text, network, text_of
from tests.random_networks import networks

CHOSEN = network(2, [(16, "relu"), (2, "identity")], "softmax_cross_entropy")
OTHERS = {
    "few features": network(2, [(7, "relu"), (2, "identity")], "softmax_cross_entropy"),
    "an elementary function of each": network(2, [(16, "tanh"), (2, "identity")], "softmax_cross_entropy"),
    "loops in loops": network(3, [(16, "relu"), (10, "relu"), (2, "identity")], "mean_squared_error", "columns"),
}


def forced(patch: pytest.MonkeyPatch, pays: bool = True) -> None:
    def chosen(_: object) -> bool:
        return pays

    patch.setattr("codegen.alone._pays", chosen)


def text(net: Network, pays: bool) -> str:
    with pytest.MonkeyPatch.context() as patch:
        forced(patch, pays)
        return text_of(net)


def spoiled(module: Any, examples: int, net: Network) -> tuple[Any, Any]:
    """The gradients of a batch in a vector that held NaN before, and those of the public function."""
    at = sample(net, module, examples, 3)
    theta = module._pack(at.parameters)
    _, X, y = module._batch(at.parameters, at.X, at.y)
    gradient = np.full_like(theta, np.nan)
    module._gradients(theta, X, y, gradient)
    return gradient, np.concatenate([g.ravel() for g in module.gradients(at.parameters, at.X, at.y)[1]])


@pytest.mark.parametrize("name", ["chosen", *OTHERS])
def test_one_example_alone_is_one_example(name: str) -> None:
    net = CHOSEN if name == "chosen" else OTHERS[name]
    alone, other = (interpreted_text("tested", text(net, pays)) for pays in (True, False))
    assert hasattr(alone, "_gradients_example")
    assert not hasattr(other, "_gradients_example")
    for examples in (1, 2, 5, 33):
        spoilt, gradient = spoiled(alone, examples, net)
        np.testing.assert_array_equal(spoilt, gradient)
        np.testing.assert_allclose(gradient, spoiled(other, examples, net)[1], rtol=1e-13, atol=1e-15)
    at = sample(net, alone, 7, 5)
    for size in (1, 2, 3):  # batches of one example, among others and as the last one of an epoch
        ways = [m.train(at.parameters, at.X, at.y, epochs=3, batch_size=size, learning_rate=0.1, shuffle=False) for m in (alone, other)]
        np.testing.assert_allclose(ways[0][1], ways[1][1], rtol=1e-12)
        for mine, its in zip(ways[0][0], ways[1][0], strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-11, atol=1e-13)


def test_sums_over_features_in_any_order() -> None:
    """Only those: the sum over two inputs is written out, and what a softmax divides by keeps its order."""
    block = text_of(CHOSEN).split("def _gradients_block")[1].split("\ndef ")[0]
    assert [line.strip() for line in block.splitlines() if "Z_0[n] = _add(" in line] == ["Z_0[n] = _add(Z_0[n], H1[j, n] * W2[0, j])"]
    assert "_add(" not in next(line for line in block.splitlines() if "sum_exp_Z[n] =" in line)


def test_chosen_for_long_and_simple_loops_over_features() -> None:
    assert "_gradients_example" in text_of(CHOSEN)
    for net in OTHERS.values():
        assert "_gradients_example" not in text_of(net)
    (plan,) = (p for p in explanation(differentiate(CHOSEN.program()), CHOSEN) if p.kernel == "gradients")
    assert plan.examples.endswith("single examples in a function of their own")
    assert "one example alone writes its gradients" in plan.why


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=3), st.sampled_from([1, 1, 2, 5]), st.integers(0, 10**6))
def test_where_it_would_not_have_been_chosen(net: Network, examples: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", 10**9)
        forced(patch)
        module = interpreted(net)
    assert verify_at(differentiate(net.program()), net.program(), module, sample(net, module, examples, seed), seed).holds


@pytest.mark.parametrize("types", [np.float64, pytest.param(np.float32, marks=pytest.mark.slow)])
def test_compiled(types: type) -> None:
    """Batches of one example and batches with one left over, against Python; nobody counts references, and features are in vectors."""
    compiled, plain = imported("alone", text_of(CHOSEN), "<alone>"), interpreted(CHOSEN)
    tolerance = 1e-12 if types is np.float64 else 1e-4
    at = sample(CHOSEN, plain, 9, 5)
    p = plain.Parameters(*(a.astype(types) for a in at.parameters))
    for size in (1, 5):
        ways = [m.train(p, at.X, at.y, epochs=4, batch_size=size, learning_rate=0.1) for m in (compiled, plain)]
        np.testing.assert_allclose(ways[0][1], ways[1][1], rtol=tolerance)
        for mine, its in zip(ways[0][0], ways[1][0], strict=True):
            assert mine.dtype == types
            np.testing.assert_allclose(mine, its, rtol=tolerance, atol=tolerance)
    (code,) = compiled._gradients_example.inspect_llvm().values()
    assert ("<2 x double>" if types is np.float64 else "<4 x float>") in code
    assert "NRT_" not in code


# -- where it cannot be done -----------------------------------------------------------------------------------------------


def test_numbers_among_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter without axes, as the slope of PReLU, has a sum that blocks return: one example does not write it."""
    net = network(2, [(9, "prelu")], "mean_squared_error")
    forced(monkeypatch)
    module = Module(differentiate(net.program()), net.program(mode="inference"), about(net))
    planned = module.planned["gradients"]
    assert isinstance(planned.kernel, BlockKernel)
    assert written_alone(planned.kernel, planned.results.vectors["gradient"]) is None
    assert "gradients_example" not in module.kernels


def test_every_entry_must_be_written() -> None:
    i, j = Axis("i", "I", 3, "").index(), Axis("j", "J", 4, "").index()
    tensor = Tensor("T", [i.axis, j.axis])

    def put(*places: Any) -> Assign:
        return Assign(Equation(tensor, (i, j), Entry(tensor, i, j), "1"), Entry(tensor, *places), Entry(Tensor("x")))

    assert covers([Loop(i, (Loop(j, (put(i, j),)),))], tensor)
    assert covers([Loop(j, (put(0, j), put(1, j), put(2, j)))], tensor)
    assert covers([Loop(i, (Loop(j, (put(i, j), put(i, j + 1)), step=2),))], tensor)
    assert not covers([Loop(i, (Loop(j, (put(i, j),), low=(sp.Integer(1),)),))], tensor)
    assert not covers([Loop(j, (put(0, j), put(1, j)))], tensor)
    assert not covers([Loop(i, (Loop(j, (put(i, i),)),))], tensor)
