"""Every layer of the catalogue: gradients against autograd, the proof, the module against the plain evaluation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from chainrule.sample import sample
from chainrule.verify import verify_at
from codegen.render import render
from derive import Network, differentiate, prove
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.formulas.layers import LAYERS
from derive.network import Convention
from derive.program import Program
from tests.layer_cases import CASES, Case
from tests.modules import interpreted_text
from tests.random_networks import worst_error

TOLERANCE = 1e-12  # of max |difference| / max |gradient|
EXAMPLES = 3

cases = pytest.mark.parametrize("case", CASES, ids=[f"{c.kind}-{k}" for k, c in enumerate(CASES)])


def network_of(case: Case, convention: Convention = "rows") -> Network:
    return Network(name="layer", inputs=case.inputs, layers=case.layers, loss="mean_squared_error", convention=convention)


@cache
def derived(case: Case, convention: Convention = "rows") -> Derivation:
    return differentiate(network_of(case, convention).program())


def drawn(case: Case) -> dict[str, np.ndarray]:
    """Given tensors in the order of the formulas."""
    program, rng = derived(case).forward, np.random.default_rng(1)
    given: dict[str, np.ndarray] = {}
    for tensor in program.given:
        shape = tuple(a.extent or EXAMPLES for a in tensor.axes)
        given[tensor.name] = rng.integers(0, tensor.values.extent or 0, shape) if tensor.values else rng.normal(size=shape)
    return given


def stored(program: Program, given: dict[str, np.ndarray], convention: Convention) -> dict[str, np.ndarray]:
    """The given tensors as a convention has them: examples last in columns, weights transposed in xw."""
    by_name = {t.name: t for t in program.given}
    found: dict[str, np.ndarray] = {}
    for name, array in given.items():
        weight = by_name[name] in program.parameters and program.starts[by_name[name]] == "weight"
        values = array.T if convention == "xw" and weight and array.ndim == 2 else array
        last = convention == "columns" and by_name[name] not in program.parameters
        found[name] = np.moveaxis(values, 0, -1) if last else values
    return found


def autograd(case: Case, given: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    names = [t.name for t in derived(case).forward.parameters]
    leaves = {name: torch.tensor(given[name], requires_grad=True) for name in names}
    others = {name: torch.tensor(array) for name, array in given.items() if name not in leaves}
    loss = F.mse_loss(case.reference(others["X"], {**leaves, **others}), others["Y"])
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return loss.item(), {name: g.numpy() for name, g in zip(leaves, gradients, strict=True)}


def test_every_layer_is_tested() -> None:
    assert {case.kind for case in CASES} == set(LAYERS)


@cases
@pytest.mark.parametrize("convention", ["rows", *(pytest.param(other, marks=pytest.mark.slow) for other in ("columns", "xw"))])
def test_gradients(case: Case, convention: Convention) -> None:
    derivation, given = derived(case, convention), drawn(case)
    loss, gradients = autograd(case, given)
    expected = stored(derivation.forward, gradients, convention)
    for program in (derivation.mathematical, derivation.computed):
        values = evaluate(program, stored(derivation.forward, given, convention))
        assert float(values["L"]) == pytest.approx(loss, rel=TOLERANCE)
        assert worst_error({name: values["d" + name] for name in expected}, expected) <= TOLERANCE


@cases
def test_proof(case: Case) -> None:
    assert [v for v in prove(derived(case)) if not v.holds] == []


@cases
def test_module(case: Case) -> None:
    network, derivation = network_of(case), derived(case)
    module = interpreted_text(network.name, render(derivation, network))
    found = verify_at(derivation, network.program(mode="inference"), module, sample(network, module, EXAMPLES, 0))
    assert found.holds, found


@cases
def test_one_example(case: Case) -> None:
    """The formulas of a single example are those of a batch without its axis; layers that mix examples say so."""
    network = network_of(case)
    if "single" not in case.examples:
        with pytest.raises(ValueError, match="mixes examples"):
            network.program(examples="single")
        return
    single, batch, given = network.program(examples="single"), network.program(), drawn(case)
    data = [t.name for t in single.given if t not in single.parameters]
    one = {t.name: given[t.name] for t in batch.parameters} | {name: given[name if name in given else name.upper()][0] for name in data}
    alone = evaluate(single, one)
    first = {t.name: given[t.name] if t in batch.parameters else given[t.name][:1] for t in batch.given}
    both = evaluate(batch, first)
    assert float(alone["L"]) == pytest.approx(float(both["L"]), rel=TOLERANCE)


@cases
def test_a_spec_round_trips(case: Case) -> None:
    from derive import loads

    network = network_of(case)
    assert loads(network.to_toml()) == network
