"""What `generate --explain` says of a module, against the statements and the text of the module."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import codegen
from chainrule.specs import network_of, shipped
from codegen.about import about
from codegen.explain import KernelPlan, explanation, text
from codegen.module import Module
from derive import Network, differentiate
from derive.derivation import Derivation
from derive.index import Sum
from derive.program import needed

KERNELS = ("gradients", "predict", "loss")


@functools.cache
def derivation(name: str) -> Derivation:
    return differentiate(network_of(name).program())


@functools.cache
def plans(name: str) -> tuple[KernelPlan, ...]:
    return explanation(derivation(name), network_of(name))


@functools.cache
def module(name: str) -> Module:
    network = network_of(name)
    return Module(derivation(name), network.program(mode="inference"), about(network))


def lines(name: str, kernel: str) -> str:
    """The code of a kernel and of its parts, of a block where it has one."""
    parts = [kernel, *(f"{kernel}_{part}" for part in ("block", "batch", "sweep", "products"))]
    return "\n".join(line for key, f in module(name).kernels.items() if key in parts for line in f.lines)


@pytest.mark.parametrize("name", shipped())
def test_every_equation_of_every_kernel_has_one_plan(name: str) -> None:
    assert [p.kernel for p in plans(name)][:3] == list(KERNELS)
    for plan in plans(name)[:3]:
        planned = module(name).planned[plan.kernel]
        wanted = needed(planned.program.equations, planned.results.tensors)
        found = [(e.number, e.tensor) for e in plan.equations]
        assert len(set(found)) == len(found)
        assert {(e.number, e.tensor.name) for e in wanted} <= set(found)
        assert {number for number, _ in found} == {e.number for e in wanted}
        assert [e.number for e in plan.equations if not e.tactic or not e.equation] == []


@pytest.mark.parametrize("name", shipped())
def test_plans_agree_with_the_text(name: str) -> None:
    for plan in plans(name)[:3]:
        code = lines(name, plan.kernel)
        every = [why for e in plan.equations for why in e.why]
        assert ("_product(" in code) == any("matrix product" in e.tactic for e in plan.equations)
        assert ("_product(" in code) == any(why.startswith("by one call") for why in every)
        assert ("_add(" in code) == any("in any order" in why for why in every)
        assert plan.examples.startswith("examples in blocks") == module(name).in_blocks(plan.kernel)
        assert (", 4):" in code.replace("N, 4):", "")) >= any("4 terms at a time" in why for why in every)
    threads = plans(name)[0].threads
    assert threads.startswith("by several threads") == ("gradients_chunks" in module(name).kernels)


@pytest.mark.parametrize("name", shipped())
def test_a_sum_that_is_written_out_has_no_loop(name: str) -> None:
    for e in [e for plan in plans(name) for e in plan.equations]:
        written = [why.removeprefix("sum over ").partition(" written")[0].split(", ") for why in e.why if " written out: " in why]
        loops = e.tactic.replace(";", ",").replace("loops over ", "").replace("loop over ", "").split(", ")
        assert [letter for letters in written for letter in letters if letter in loops] == []


def test_the_reason_names_the_numbers() -> None:
    gradients = plans("digits")[0]
    assert gradients.examples == "whole batches"
    assert "64 x 64 known entries" in gradients.why
    assert gradients.why.endswith("from 1024 on one call for all is faster")
    assert "by one call: 64 x 64 = 4096 known entries, at least 256" in gradients.equations[0].why


def test_a_network_in_blocks() -> None:
    gradients = plans("two_layer_softmax")[0]
    first = gradients.equations[0]
    assert (first.number, first.tactic) == ("1", "loops over j, n; loops over n, j")
    assert "not by one call: 2 x 16 = 32 known entries, fewer than 1024" in first.why
    assert "sum over i written out: 2 terms, at most 8" in first.why
    assert "loops over j, n shared with (2), (3)" in first.why
    (third,) = [e for e in gradients.equations if e.number == "3"]
    assert "Z: an array for each of 2 numbers of an example, at most 4, and no loop over them" in third.why
    (prediction,) = [e for e in gradients.equations if e.tensor == "P"]
    assert "P: a variable for each of 2 numbers of an example, at most 4, and no loop over them" in prediction.why
    (loss,) = [e for e in gradients.equations if e.tensor == "L"]
    assert "logarithms of the examples of a block as one, of their product in float64: each is of a number of at least 1" in loss.why
    assert "product over n: multiplied in any order, so that a processor can take several factors at a time" in loss.why
    (gradient,) = [e for e in gradients.equations if e.tensor == "dW1"]
    assert "2 sums in one loop, one for each position of i" in gradient.why
    assert "sum over n: kept in a variable" in gradient.why


@pytest.mark.parametrize("name", shipped())
def test_nothing_but_sums_is_called_a_sum(name: str) -> None:
    bodies = {e.tensor.name: e.body for e in derivation(name).computed.equations}
    beside = [e.tensor for plan in plans(name) for e in plan.equations if any("sums in one loop" in why for why in e.why)]
    assert [tensor for tensor in beside if not bodies[tensor].has(Sum)] == []


def test_the_same_every_time() -> None:
    assert text(explanation(derivation("xor"), network_of("xor"))) == text(plans("xor"))


def test_nothing_of_the_text_changes() -> None:
    explanation(derivation("xor"), network_of("xor"))
    assert codegen.render(derivation("xor"), network_of("xor")) == codegen.render(
        differentiate(network_of("xor").program()), network_of("xor")
    )


def test_kernels_that_compute_whole_batches() -> None:
    fields: dict[str, Any] = {
        "name": "tested",
        "inputs": 3,
        "loss": "mean_squared_error",
        "layers": [{"kind": "dense", "units": 4, "activation": "tanh"}, {"kind": "dense", "units": 1}],
    }
    smooth = Network(**fields, products=["jvp", "jacobian", "hvp"])
    found = explanation(differentiate(smooth.program()), smooth)
    assert [p.kernel for p in found] == [*KERNELS, "jvp", "jacobian", "hvp"]
    assert [p.examples for p in found[3:]] == ["whole batches"] * 3
    fields["layers"].insert(0, {"kind": "dropout", "p": 0.5})
    random = Network(**fields)
    gradients = explanation(differentiate(random.program()), random)[0]
    assert (gradients.examples, "random data" in gradients.why) == ("whole batches", True)
    assert gradients.threads.startswith("not by several threads")
