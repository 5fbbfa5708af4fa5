"""Faults planted in derivations by hand and by the engine: the proof names each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import handmade
import pytest
import sympy as sp
from derived import engine, failures, first_failure
from sympy import Expr

from derive.derivation import Derivation, Derived, Step
from derive.family import gradient_of
from derive.functions import where
from derive.index import Delta, Entry, Sum, Tensor, rewrite
from derive.program import Fact
from derive.proof import Verdict, prove
from derive.proof.claim import Claim, decide
from derive.proof.sampling import setting

Names = Mapping[str, Tensor]

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


def mask_moved_a_little(_: Derivation, t: Names) -> Expr:
    return where(t["A1"].entry() <= sp.Rational(1, 1000), 0, t["dH1"].entry())


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
    "a mask with another bound": Fault("dA1", mask_moved_a_little),
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


def test_a_gradient_that_holds_for_some_values_only_is_refused(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    """With A1 computed from the inputs no point would lie on the kink, and a fault there would hide."""
    right = derivations["engine", "classifier"]
    bad, derived = planted(right, "dA1", mask_moved_a_little(right, handmade.named(right)))
    for name in ("A1", "H1"):
        hiding = replace(derived, steps=tuple(replace(s, uses=(*s.uses, name)) for s in derived.steps))
        verdict = first_failure(replace(bad, backward=tuple(hiding if d is derived else d for d in bad.backward)))
        assert verdict.number == derived.equation.number


def test_only_tensors_in_uses_may_be_known() -> None:
    """Every other tensor may have any values at all: the step that reads P as the softmax of Z must say so."""
    right = handmade.classifier()
    derived = next(d for d in right.backward if d.equation.tensor.name == "dZ")
    steps = tuple(replace(s, uses=()) for s in derived.steps)
    verdict = first_failure(replace(right, backward=(right.backward[0], replace(derived, steps=steps), *right.backward[2:])))
    assert (verdict.number, verdict.rule) == (derived.equation.number, "local derivative")


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
    equations = tuple(e for e in right.computed.equations if e.tensor.name != "db1")
    outputs = tuple(t for t in right.computed.outputs if t.name != "db1")
    first, second = failures(replace(right, computed=replace(right.computed, equations=equations, outputs=outputs)))
    assert (first.rule, first.about) == ("whole network", "db1[j]")
    assert (second.rule, second.detail) == ("computed program", "its outputs are P, L, dW1, dW2, db2, not P, L, dW1, db1, dW2, db2")


# -- what is missing ---------------------------------------------------------------------------------------------------


def rules(derivation: Derivation) -> list[str]:
    return [v.rule for v in failures(derivation)]


@pytest.mark.parametrize("name", ["dW1", "db2", "dX"])
def test_a_gradient_that_is_not_derived_is_named(derivations: Mapping[tuple[str, str], Derivation], name: str) -> None:
    right = derivations["engine", "classifier"]
    missing = replace(right, backward=tuple(d for d in right.backward if d.equation.tensor.name != name))
    found = next(v for v in failures(missing) if v.rule == "all gradients")
    assert found.detail == f"no gradient is derived for {name[1:]}"


def test_a_computed_equation_without_steps_is_named(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    """At random points alone a mask whose bound was moved a little would pass."""
    right = derivations["engine", "classifier"]
    (first,) = [e for e in right.computed.equations if e.tensor.name == "H1"]
    a = Entry(handmade.named(right)["A1"], *first.indices)
    moved = replace(first, body=where(a <= sp.Rational(1, 1000), 0, a))
    computed = replace(right.computed, equations=tuple(moved if e is first else e for e in right.computed.equations))
    assert rules(replace(right, computed=computed)) == ["computed program"]
    assert rules(replace(right, stable=right.stable[1:])) == ["computed program"]


def test_outputs_in_another_order_are_named(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    """A module reads the prediction, the loss and the gradients by their places."""
    right = derivations["engine", "classifier"]
    outputs = right.computed.outputs
    for other in ((*outputs[:2], *reversed(outputs[2:])), (right.forward.equations[0].tensor, *outputs[1:]), outputs[:-1], ()):
        assert rules(replace(right, computed=replace(right.computed, outputs=other))) == ["computed program"]


def test_a_fact_about_what_is_no_data_is_named(derivations: Mapping[tuple[str, str], Derivation]) -> None:
    right = derivations["engine", "classifier"]
    weight = right.forward.parameters[0]
    fact = Fact(weight.entry(), sp.S.Zero, weight.indices(), "weights are 0")
    assert "declared facts" in rules(replace(right, forward=replace(right.forward, facts=(fact,))))


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
