"""The proof accepts what is right, by hand and by the engine, and relies on nothing that is not declared."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import handmade
import pytest
import sympy as sp
from derived import NETWORKS, engine, failures, first_failure, network
from sympy import Expr

import derive
from derive.build import Examples
from derive.derivation import Derivation
from derive.functions import AtLeast, where
from derive.index import Axis, Sum, Tensor, free_indices
from derive.network import Convention
from derive.program import Equation, Fact, Floors
from derive.proof import prove
from derive.proof.claim import Claim, decide
from derive.proof.sampling import setting

# -- what is right is accepted -----------------------------------------------------------------------------------------

BY_HAND: dict[str, Callable[[], Derivation]] = {
    "classifier": handmade.classifier,
    "regression": handmade.regression,
    "strided_convolution": handmade.strided_convolution,
    "embedding": handmade.embedding,
    "causal_softmax": handmade.causal_softmax,
    "two_readers": handmade.two_readers,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_right_derivation_by_hand_is_proved(name: str) -> None:
    assert failures(BY_HAND[name]()) == []


def sound(derivation: Derivation) -> bool:
    """Whether every verdict holds, with no branch and no gradient left untested, and every step has its verdict."""
    verdicts = list(prove(derivation))
    assert [v for v in verdicts if not v.holds or "never" in v.detail or "all are 0" in v.detail] == []
    derived = (*derivation.backward, *derivation.stable)
    assert [(v.number, v.step) for v in verdicts if v.step] == [(d.equation.number, k) for d in derived for k, _ in enumerate(d.steps, 1)]
    assert [v.number for v in verdicts if v.rule == "chain"] == [d.equation.number for d in derived]
    assert [v.number for v in verdicts if v.rule == "chain rule"] == [d.equation.number for d in derivation.backward]
    assert sum(v.rule == "whole network" for v in verdicts) == len(derivation.forward.parameters)
    return True


MANY_POSITIONS = ("lenet",)  # a smaller one stands below


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in MANY_POSITIONS)) for p in NETWORKS])
def test_shipped_networks_are_proved(path: Path) -> None:
    assert sound(derive.differentiate(derive.load(path).program()))


def test_a_network_of_images_is_proved() -> None:
    layers: list[dict[str, object]] = [
        {"kind": "conv2d", "out_channels": 2, "kernel_size": 3, "padding": 1, "activation": "tanh"},
        {"kind": "max_pool2d", "kernel_size": 2},
        {"kind": "conv2d", "out_channels": 3, "kernel_size": 2, "activation": "relu"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 4},
    ]
    images = derive.Network(name="images", inputs=[1, 4, 6], layers=layers, loss="softmax_cross_entropy")
    assert sound(derive.differentiate(images.program()))


@pytest.mark.parametrize("examples", ["batch", "single"])
@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
def test_every_convention_is_proved(convention: Convention, examples: Examples) -> None:
    assert sound(derive.differentiate(network("sigmoid", "softmax_cross_entropy").program(convention, examples)))


@pytest.mark.parametrize("activation", ["leaky_relu", "softplus", "gelu_tanh", "softmax"])
def test_activations_are_proved_on_all_branches(activation: str) -> None:
    """Every other one: tests/test_operations.py."""
    assert sound(engine(activation, "mean_squared_error"))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "huber"])
def test_losses_are_proved(loss: str) -> None:
    assert sound(engine("leaky_relu", loss))


def test_a_loss_of_probabilities_is_proved() -> None:
    assert sound(derive.differentiate(network("leaky_relu", "kl_divergence", target="probabilities").program()))


def test_a_deep_network_is_proved_through_all_its_layers() -> None:
    assert sound(derive.differentiate(network("relu", "softmax_cross_entropy", depth=8).program()))


# -- facts, floors, kinks ----------------------------------------------------------------------------------------------


def equal(e: Expr, other: Expr, facts: tuple[Fact, ...] = ()) -> Claim:
    return Claim(e, other, free_indices(e + 2 * other), (), facts)


def test_a_fact_holds_only_where_it_is_named() -> None:
    derivation = engine_of_probabilities()
    n, c = (a.index() for a in derivation.forward.targets[0].axes)
    total = Sum(derivation.forward.targets[0][n, c], c)
    assert decide(equal(total, sp.S.One, derivation.forward.facts), setting(derivation)).holds
    assert not decide(equal(total, sp.S.One), setting(derivation)).holds


def test_a_step_that_uses_a_fact_without_saying_so_is_refused() -> None:
    derivation = engine_of_probabilities()
    (derived,) = [d for d in derivation.backward if any(s.rule == "fact" for s in d.steps)]
    silent = replace(derived, steps=tuple(replace(s, rule="cancel") if s.rule == "fact" else s for s in derived.steps))
    verdict = first_failure(replace(derivation, backward=tuple(silent if d is derived else d for d in derivation.backward)))
    assert (verdict.number, verdict.rule) == (derived.equation.number, "cancel")


def engine_of_probabilities() -> Derivation:
    return derive.differentiate(network("relu", "softmax_cross_entropy", target="probabilities").program())


def test_declared_floors_are_conventions_and_undeclared_ones_are_not() -> None:
    right = handmade.regression()
    x = handmade.Yhat.entry()
    floored = AtLeast(x, sp.Integer(-1))
    declared = replace(right, forward=replace(right.forward, floors={"L": Floors(log=sp.Integer(-1))}))
    assert decide(equal(x, floored), setting(declared)).holds
    assert not decide(equal(x, floored), setting(right)).holds


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (where(handmade.Yhat.entry() > 20, 1, 0), sp.S.Zero),  # only a branch far out differs
        (where(handmade.Yhat.entry() <= 0, 0, 1), where(handmade.Yhat.entry() < 0, 0, 1)),  # only at 0
        (sp.sign(handmade.Yhat.entry()), where(handmade.Yhat.entry() < 0, -1, 1)),
        (sp.Abs(handmade.Yhat.entry()), handmade.Yhat.entry()),
        (sp.Abs(handmade.Yhat.entry() - 100), 100 - handmade.Yhat.entry()),
        (sp.exp(sp.exp(handmade.Yhat.entry())), sp.exp(sp.exp(handmade.Yhat.entry())) + sp.Rational(1, 10**25)),  # 50 digits
    ],
)
def test_branches_far_out_kinks_and_tiny_differences_are_seen(right: Expr, wrong: Expr) -> None:
    tested = setting(handmade.regression())
    assert decide(equal(right, right), tested).holds
    assert not decide(equal(right, wrong), tested).holds


def test_points_lie_where_the_forward_program_takes_logarithms() -> None:
    """log(X) log(1 - X) demands 0 < X < 1 of every entry, which nothing declares."""
    x = handmade.X.entry()
    logs = handmade.define(handmade.H1, Sum(sp.log(x) * sp.log(1 - x), handmade.i))
    loss = handmade.define(handmade.L, Sum(handmade.H1.entry(), *handmade.H1.indices()))
    forward = handmade.program("logarithms", [handmade.X], [], [], logs, loss)
    assert decide(equal(logs.body, logs.body), setting(handmade.derivation(forward, {}))).holds


def test_a_branch_that_no_point_reaches_is_named() -> None:
    x = handmade.Yhat.entry()
    far = where(x > 10**6, 1, 0)
    finding = decide(equal(far, far), setting(handmade.regression()))
    assert finding.holds
    assert "never reached: Yhat[n,c] > 1000000" in finding.detail


# -- the verdicts themselves -------------------------------------------------------------------------------------------


def test_a_second_fact_of_another_kind_can_be_met() -> None:
    """Facts are met together: rows that sum to 1 and, in another tensor, columns that sum to 0."""
    right = handmade.regression()
    n, c = handmade.n, handmade.c
    facts = (
        Fact(Sum(handmade.Y[n, c], c), sp.S.One, (n,), "rows sum to 1"),
        Fact(Sum(handmade.X[n, handmade.i], n), sp.S.Zero, (handmade.i,), "columns are centred"),
    )
    tested = setting(replace(right, forward=replace(right.forward, facts=facts)))
    for fact in facts:
        assert decide(Claim(fact.left, fact.right, fact.indices, (), facts), tested).holds


def test_a_read_past_the_end_is_no_exception() -> None:
    right = handmade.regression()
    far = Axis("z", "Z9")
    tensor, other = Tensor("Q", (far,)), Tensor("R", (far,))
    reads_on = Equation(other, other.indices(), tensor[far.index() + 1])
    tested = setting(replace(right, forward=replace(right.forward, inputs=(*right.forward.inputs, tensor))))
    tested = replace(tested, sizes=tuple({**s, far: 2} for s in tested.sizes))
    finding = decide(Claim(reads_on.body, reads_on.body, reads_on.indices), tested)
    assert not finding.holds
    assert "Q[2]" in finding.detail


def test_the_verdicts_do_not_depend_on_the_hash_seed() -> None:
    program = f"import derive\nfor v in derive.prove(derive.differentiate(derive.load({str(NETWORKS[0])!r}).program())): print(v)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, env={"PYTHONHASHSEED": "1"})
    here = [str(v) for v in prove(derive.differentiate(derive.load(NETWORKS[0]).program()))]
    assert other.stdout.splitlines() == here


def test_the_proof_does_not_use_the_engine() -> None:
    """Of this project it may import the node classes, the data types and the printer; of SymPy, nothing that differentiates."""
    modules = ("derivation", "domains", "family", "functions", "index", "program", "proof", "text")
    allowed = tuple(f"derive.{name}" for name in modules)
    root = Path(derive.__file__).parent
    for path in (*(root / "proof").glob("*.py"), *(root / "domains").glob("*.py")):
        tree = ast.parse(path.read_text())
        imported = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert [m for m in imported if m.startswith("derive") and not m.startswith(allowed)] == []
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not names & {"diff", "simplify", "cancel", "factor", "together", "Derivative", "doit"}


def test_a_bound_of_a_branch_does_not_stand_in_the_way_of_a_fact() -> None:
    """Softplus changes its branch at 12 / 1.5 = 8: no target may take that value where the targets sum to 1."""
    softplus = {"kind": "softplus", "beta": 1.5, "threshold": 12.0}
    loss = {"kind": "softmax_cross_entropy", "targets": "probabilities"}
    layers = [{"kind": "dense", "units": u, "activation": a} for u, a in ((2, softplus), (3, "tanh"), (4, "elu"), (5, "relu"))]
    network = derive.Network(name="facts", inputs=1, layers=layers, loss=loss)
    assert not [v for v in derive.prove(derive.differentiate(network.program())) if not v.holds]
