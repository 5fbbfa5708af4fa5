"""The proof accepts what is right and names what is wrong: derivations by hand and by the engine, with faults planted in both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import handmade
import pytest
import sympy as sp
from sympy import Expr

import derive
from derive.build import Examples
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES
from derive.functions import AtLeast, where
from derive.index import Axis, Delta, Entry, Sum, Tensor, free_indices, rewrite
from derive.network import Convention
from derive.program import Derivation, Derived, Equation, Fact, Floors, Step, gradient_of
from derive.proof import Verdict, prove
from derive.proof.claim import Claim, decide
from derive.proof.sampling import setting

NETWORKS = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))
Names = Mapping[str, Tensor]


def network(activation: str, loss: str, depth: int = 2, target: str | None = None) -> derive.Network:
    wanted = f'{{ kind = "{loss}", targets = "{target}" }}' if target else f'"{loss}"'
    hidden = ", ".join(f'{{ kind = "dense", units = {3 + k % 2}, activation = "{activation}" }}' for k in range(depth - 1))
    last = "sigmoid" if loss == "binary_cross_entropy" else "identity"
    text = f'name = "t"\ninputs = 3\nloss = {wanted}\nlayers = [{hidden}, {{ kind = "dense", units = 3, activation = "{last}" }}]\n'
    return derive.loads(text)


def engine(activation: str, loss: str) -> Derivation:
    return derive.differentiate(network(activation, loss).program())


def failures(derivation: Derivation) -> list[Verdict]:
    return [v for v in prove(derivation) if not v.holds]


def first_failure(derivation: Derivation) -> Verdict:
    return next(v for v in prove(derivation) if not v.holds)


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


@pytest.mark.parametrize("path", NETWORKS, ids=lambda p: p.stem)
def test_shipped_networks_are_proved(path: Path) -> None:
    assert sound(derive.differentiate(derive.load(path).program()))


@pytest.mark.parametrize("examples", ["batch", "single"])
@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
def test_every_convention_is_proved(convention: Convention, examples: Examples) -> None:
    assert sound(derive.differentiate(network("sigmoid", "softmax_cross_entropy").program(convention, examples)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_proved_on_all_branches(activation: str) -> None:
    assert sound(engine(activation, "mean_squared_error"))


@pytest.mark.parametrize(("loss", "target"), LOSSES)
def test_every_loss_is_proved(loss: str, target: str) -> None:
    chosen = "probabilities" if target == "probabilities" else None
    assert sound(derive.differentiate(network("leaky_relu", loss, target=chosen).program()))


def test_a_deep_network_is_proved_through_all_its_layers() -> None:
    assert sound(derive.differentiate(network("relu", "softmax_cross_entropy", depth=8).program()))


# -- planted faults ----------------------------------------------------------------------------------------------------


def planted(derivation: Derivation, tensor: str, wrong: Expr) -> tuple[Derivation, Derived]:
    """The derivation with a wrong result of the last step that leads to a gradient; everything else stays consistent with it."""
    derived = next(d for d in derivation.backward if d.equation.tensor.name == tensor)
    assert wrong != derived.equation.body
    *steps, last = derived.steps
    bad = replace(derived, equation=replace(derived.equation, body=wrong), steps=(*steps, replace(last, after=wrong)))
    return replace(derivation, backward=tuple(bad if d is derived else d for d in derivation.backward)), bad


@dataclass(frozen=True)
class Fault:
    """A wrong body of a gradient, written with the names of the tensors."""

    tensor: str
    body: Callable[[Derivation, Names], Expr]
    program: str = "classifier"


def body(derivation: Derivation, tensor: str) -> Expr:
    return next(d.equation.body for d in derivation.backward if d.equation.tensor.name == tensor)


def lost_mean(d: Derivation, t: Names) -> Expr:
    return body(d, "dZ") * t["Z"].axes[0].count


def number_for_mean(d: Derivation, t: Names) -> Expr:
    return body(d, "dZ") * t["Z"].axes[0].count / 2


def missing_transpose(_: Derivation, t: Names) -> Expr:
    (n, j), c = t["H1"].indices(), t["Z"].axes[1].index()
    return Sum(t["dZ"][n, c] * t["W2"][j, c], c)


def flipped_sign(d: Derivation, _: Names) -> Expr:
    return -body(d, "db2")


def lost_mask(_: Derivation, t: Names) -> Expr:
    return t["dH1"].entry()


def mask_of_the_other_side(_: Derivation, t: Names) -> Expr:
    return where(t["A1"].entry() <= 0, t["dH1"].entry(), 0)


def mask_that_passes_zero(_: Derivation, t: Names) -> Expr:
    return where(t["A1"].entry() < 0, 0, t["dH1"].entry())


def unsquared_tanh(_: Derivation, t: Names) -> Expr:
    return t["dH1"].entry() * (1 - t["H1"].entry())


def wrong_stored_value(_: Derivation, t: Names) -> Expr:
    return t["dH1"].entry() * (1 - t["A1"].entry() ** 2)


def bias_over_features(_: Derivation, t: Names) -> Expr:
    (c,) = t["b2"].indices()
    other = c.axis.index("other")
    return Sum(t["dZ"][c, other], other)


def bias_over_inputs(_: Derivation, t: Names) -> Expr:
    (j,), i = t["b1"].indices(), t["X"].axes[1].index()
    return Sum(t["dA1"][i, j], i)


def bias_of_one_example(_: Derivation, t: Names) -> Expr:
    (j,) = t["b1"].indices()
    return t["dA1"][0, j]


def elementwise_softmax(_: Derivation, t: Names) -> Expr:
    at = t["Z"].indices()
    return t["dP"][at] * t["P"][at] * (1 - t["P"][at])


def wrong_label(_: Derivation, t: Names) -> Expr:
    n, c = t["Z"].indices()
    return (t["P"][n, c] - Delta(t["y"][0], c)) / n.axis.count


FAULTS: dict[str, Fault] = {
    "a dropped 1/N": Fault("dZ", lost_mean),
    "1/2 for 1/N": Fault("dZ", number_for_mean),
    "a missing transpose": Fault("dH1", missing_transpose),
    "a flipped sign": Fault("db2", flipped_sign),
    "a lost mask": Fault("dA1", lost_mask),
    "the wrong side of the mask": Fault("dA1", mask_of_the_other_side),
    "the derivative at a kink": Fault("dA1", mask_that_passes_zero),
    "1 - tanh for 1 - tanh^2": Fault("dA1", unsquared_tanh, "regression"),
    "a wrong reused stored value": Fault("dA1", wrong_stored_value, "regression"),
    "a bias summed over features": Fault("db2", bias_over_features),
    "a bias summed over inputs": Fault("db1", bias_over_inputs),
    "a bias of one example": Fault("db1", bias_of_one_example),
    "softmax taken elementwise": Fault("dZ", elementwise_softmax),
    "one label for all examples": Fault("dZ", wrong_label),
}


@pytest.fixture(scope="session")
def derivations() -> Mapping[tuple[str, str], Derivation]:
    return {
        ("by hand", "classifier"): handmade.classifier(),
        ("by hand", "regression"): handmade.regression(),
        ("engine", "classifier"): engine("relu", "softmax_cross_entropy"),
        ("engine", "regression"): engine("tanh", "mean_squared_error"),
    }


@pytest.mark.parametrize("source", ["by hand", "engine"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(derivations: Mapping[tuple[str, str], Derivation], source: str, name: str) -> None:
    fault = FAULTS[name]
    right = derivations[source, fault.program]
    bad, derived = planted(right, fault.tensor, fault.body(right, handmade.named(right)))
    number = derived.equation.number
    verdicts: list[Verdict] = []
    for verdict in prove(bad):
        verdicts += [] if verdict.holds else [verdict]
        if (verdict.number, verdict.rule) == (number, "chain rule"):
            break
    assert (verdicts[0].number, verdicts[0].rule, verdicts[0].step) == (number, derived.steps[-1].rule, len(derived.steps))
    assert (number, "chain rule") in [(v.number, v.rule) for v in verdicts]  # the whole gradient is wrong as well
    assert not any(v.number < number for v in verdicts if v.step and len(v.number) == len(number))


def test_every_step_of_a_real_derivation_is_refused_when_it_is_changed(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    """Each step with a doubled, a negated and an increased result, and with each pair of indices of an entry exchanged."""
    count = 0
    for source in ("classifier", "regression"):
        derivation = derivations["engine", source]
        tested = setting(derivation)
        for derived in (*derivation.backward, *derivation.stable):
            for step in derived.steps:
                for wrong in mutants(step.after):
                    claim = Claim(step.before, wrong, step.indices, step.uses)
                    assert not decide(claim, tested).holds, (step, wrong)
                    count += 1
    assert count > 150


def mutants(e: Expr) -> list[Expr]:
    entries = [node for node in sp.preorder_traversal(e) if isinstance(node, Entry) and len(node.indices) == 2]
    swapped = [rewrite(e, lambda node, f=f: f.tensor[f.indices[::-1]] if node == f else None) for f in dict.fromkeys(entries)]
    return [2 * e, -e, e + sp.Rational(1, 10**9), *(s for s in swapped if s != e)]


def test_a_missing_consumer_is_named() -> None:
    """H1 is read by two equations; one of them is left out from the first step on."""
    right = handmade.two_readers()
    derived = next(d for d in right.backward if d.equation.tensor.name == "dH1")
    only = next(t for t in sp.Add.make_args(derived.steps[0].before) if t.has(sp.Symbol) and "dA" in str(t))
    wrong = handmade.named(right)["dA"].entry()
    step = replace(derived.steps[0], before=only, after=wrong)
    bad = replace(derived, equation=replace(derived.equation, body=wrong), steps=(step,))
    found = failures(replace(right, backward=tuple(bad if d is derived else d for d in right.backward)))
    number = derived.equation.number
    assert [(v.number, v.rule) for v in found][:2] == [(number, "chain"), (number, "chain rule")]


def test_a_broken_chain_is_named(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    right = derivations["engine", "classifier"]
    derived = next(d for d in right.backward if len(d.steps) > 3)
    for steps in (derived.steps[1:], derived.steps[:-1], (*derived.steps[:1], *derived.steps[2:])):
        bad = replace(derived, steps=steps)
        found = failures(replace(right, backward=tuple(bad if d is derived else d for d in right.backward)))
        assert [(v.number, v.rule) for v in found] == [(derived.equation.number, "chain")]


def test_a_gradient_that_relies_on_itself_is_refused() -> None:
    right = handmade.classifier()
    derived = next(d for d in right.backward if d.equation.tensor.name == "dZ")
    own = Step("substitute", derived.equation.body, derived.equation.body, derived.equation.indices, ("dZ",))
    later = replace(own, uses=("dA1",))
    unknown = replace(own, uses=("Q",))
    for step, name in ((own, "dZ"), (later, "dA1"), (unknown, "Q")):
        bad = replace(derived, steps=(*derived.steps, step))
        verdict = first_failure(replace(right, backward=tuple(bad if d is derived else d for d in right.backward)))
        assert (verdict.rule, verdict.step, name in verdict.detail) == ("substitute", 5, True)


def test_only_tensors_in_uses_may_be_known() -> None:
    """Every other tensor may have any values at all: the step that reads P as the softmax of Z must say so."""
    right = handmade.classifier()
    derived = next(d for d in right.backward if d.equation.tensor.name == "dZ")
    steps = tuple(replace(s, uses=()) for s in derived.steps)
    verdict = first_failure(replace(right, backward=(right.backward[0], replace(derived, steps=steps), *right.backward[2:])))
    assert (verdict.number, verdict.rule) == (derived.equation.number, "local derivative")


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


# -- the computed program ----------------------------------------------------------------------------------------------


def test_a_wrong_computed_equation_is_named() -> None:
    right = engine("relu", "softmax_cross_entropy")
    for name in ("L", "dW1"):
        equations = tuple(replace(e, body=e.body * 2) if e.tensor.name == name else e for e in right.computed.equations)
        found = failures(replace(right, computed=replace(right.computed, equations=equations)))
        number = next(e.number for e in equations if e.tensor.name == name)
        assert (number, "computed value") in [(v.number, v.rule) for v in found]
        if name == "dW1":
            assert (number, "whole network") in [(v.number, v.rule) for v in found]


def test_a_gradient_that_is_not_computed_is_named() -> None:
    right = handmade.classifier()
    computed = replace(right.computed, equations=tuple(e for e in right.computed.equations if e.tensor.name != "db1"))
    (found,) = failures(replace(right, computed=computed))
    assert (found.rule, found.about) == ("whole network", "db1[j]")


def test_a_wrong_shared_part_is_named() -> None:
    """A shared part with a new name is judged by what reads it."""
    right = engine("relu", "softmax_cross_entropy")
    (part,) = [e for e in right.computed.equations if e.tensor.name == "exp_Z"]
    wrong = replace(part, body=2 * part.body + 1)
    computed = replace(right.computed, equations=tuple(wrong if e is part else e for e in right.computed.equations))
    stable = tuple(replace(d, equation=wrong) if d.equation == part else d for d in right.stable)
    first = first_failure(replace(right, computed=computed, stable=stable))
    assert first.rule == "name"


def test_more_points_are_drawn_while_a_gradient_is_0() -> None:
    """Entries lie between -2 and 2: that none of a few exceeds 1.7 is no proof of a gradient that is 0 elsewhere."""
    j, w = handmade.j, handmade.b1
    out = handmade.define(Tensor("A", (handmade.H,)), where(w[j] > sp.Rational(17, 10), w[j] ** 2, 0))
    slope = [("local derivative", where(w[j] > sp.Rational(17, 10), 2 * w[j] * gradient_of(out.tensor)[j], 0), ())]
    switched = handmade.operation("switched", [w], [], {w: slope}, out)
    verdicts = [v for v in prove(switched) if v.rule == "whole network"]
    assert [(v.holds, "all are 0" in v.detail) for v in verdicts] == [(True, False)]
    assert "at 2 points" not in verdicts[0].detail


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
