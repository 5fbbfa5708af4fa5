"""Products of a derivation: their equations against torch.func, their proof, and which networks have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import sympy as sp

import derive
from derive.derivation import Derivation, Derived, Product
from derive.evaluate import evaluate
from derive.family import Family
from derive.index import Entry, Sum, Tensor, rename
from derive.network import SpecError
from derive.products import demand
from derive.program import Equation, ProductKind, Program, ProgramError
from derive.proof import prove
from derive.proof.complete import check_complete
from tests.modules import network
from tests.random_networks import point
from tests.torch_products import Reference, directions

EVERY: tuple[ProductKind, ...] = ("jvp", "jacobian", "hvp")
HALF_SQUARES = {"kind": "mean_squared_error", "half": True}
CASES: Mapping[str, tuple[int, list[tuple[int, str]], object, str]] = {
    "tanh, softmax cross-entropy": (3, [(5, "tanh"), (4, "identity")], "softmax_cross_entropy", "rows"),
    "one layer": (3, [(4, "identity")], "softmax_cross_entropy", "columns"),
    "soft targets": (3, [(5, "sigmoid"), (2, "identity")], {"kind": "softmax_cross_entropy", "targets": "probabilities"}, "columns"),
    "sigmoids, squares": (4, [(3, "sigmoid"), (2, "sigmoid")], HALF_SQUARES, "columns"),
    "more outputs than inputs": (2, [(3, "gelu"), (5, "softplus")], "mean_squared_error", "xw"),
    "cross-entropy of probabilities": (3, [(4, "gelu_tanh"), (2, "sigmoid")], "binary_cross_entropy", "xw"),
    "cross-entropy of logits": (3, [(6, "silu"), (4, "tanh"), (2, "identity")], "binary_cross_entropy_with_logits", "rows"),
    "kinks": (3, [(5, "relu"), (4, "elu"), (3, "leaky_relu")], {"kind": "mean_squared_error", "reduction": "sum"}, "rows"),
    "softmax inside": (3, [(4, "softmax"), (2, "identity")], "mean_squared_error", "rows"),
}


@lru_cache
def derivation(case: str, products: tuple[ProductKind, ...] = EVERY, examples: Any = "batch") -> Derivation:
    return derive.differentiate(replace(network(*CASES[case]).program(examples=examples), products=products))


@pytest.fixture(scope="session")
def classifier() -> Derivation:
    return derivation("tanh, softmax cross-entropy")


# -- numbers -------------------------------------------------------------------------------------------------------------


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("case", CASES)
def test_products_agree_with_torch(case: str) -> None:
    net = network(*CASES[case])
    derived, at = derivation(case), point(net, 6, seed=1)
    along, reference = directions(at, 2), Reference(net, at)
    given: dict[str, np.ndarray] = {"t" + name: a for name, a in along.parameters.items()}
    given |= {"r" + name: a for name, a in along.parameters.items()} | {"tX": along.X.T if net.convention == "columns" else along.X}
    for program in (derived.mathematical, derived.computed):
        values = evaluate(program, {**at.given(derived.forward), **given})
        tangent, jacobian = values["t" + program.outputs[0].name], values[derived.products[1].results[0].name]
        assert close(tangent.T if net.convention == "columns" else tangent, reference.jvp(along))
        axes = [a.name for a in derived.products[1].results[0].axes]
        order = [axes.index("n"), *(axes.index(letter) for letter in "ci")]
        assert close(jacobian.transpose(order), reference.jacobian())
        hessian = reference.hvp(along.parameters)
        largest = max(np.abs(h).max() for h in hessian.values())
        assert max(np.abs(values["rd" + name] - h).max() for name, h in hessian.items()) <= 1e-12 * largest


def test_the_hessian_is_symmetric(classifier: Derivation) -> None:
    """<u, H v> = <v, H u>, which no step of the derivation knows of."""
    at = point(network(*CASES["tanh, softmax cross-entropy"]), 6, seed=1)

    def product(v: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = {**at.given(classifier.forward), "tX": at.X, **{"t" + n: a for n, a in v.items()}, **{"r" + n: a for n, a in v.items()}}
        return evaluate(classifier.computed, given)

    u, v = directions(at, 3).parameters, directions(at, 4).parameters
    first, second = (sum(float((a[n] * product(b)["rd" + n]).sum()) for n in u) for a, b in ((u, v), (v, u)))
    assert first == pytest.approx(second, rel=1e-12)


def test_a_jacobian_takes_the_shorter_way() -> None:
    assert derivation("more outputs than inputs").products[1].way == "forward"
    assert derivation("sigmoids, squares").products[1].way == "reverse"


def test_products_leave_the_gradients_as_they_are(classifier: Derivation) -> None:
    without = derivation("tanh, softmax cross-entropy", ())
    assert without.backward == classifier.backward
    assert without.products == ()
    assert set(without.computed.equations) <= set(classifier.computed.equations)


# -- the proof -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "examples"), [("more outputs than inputs", "single"), ("cross-entropy of probabilities", "batch"), ("one layer", "single")]
)
def test_products_are_proved(case: str, examples: str) -> None:
    verdicts = list(prove(derivation(case, examples=examples)))
    assert [str(v) for v in verdicts if not v.holds] == []
    assert {v.about.partition("[")[0] for v in verdicts if v.rule == "whole network"} > {"rdW1", "rdb1", "dW1"}
    assert ("all products", "complete") in [(v.rule, v.detail) for v in verdicts]


def planted(right: Derivation, name: str, wrong: sp.Expr) -> Derivation:
    """The derivation with a wrong end of the last step to one derivative, and everything else consistent with it."""

    def changed(one: Derived) -> Derived:
        if one.equation.tensor.name != name:
            return one
        *steps, last = one.steps
        return replace(one, equation=replace(one.equation, body=wrong), steps=(*steps, replace(last, after=wrong)))

    return replace(right, products=tuple(replace(p, derived=tuple(map(changed, p.derived))) for p in right.products))


def body(right: Derivation, name: str) -> sp.Expr:
    return next(e.body for e in right.equations if e.tensor.name == name)


def without(right: Derivation, name: str, left_out: str) -> sp.Expr:
    return sp.Add(*[t for t in sp.Add.make_args(body(right, name)) if left_out not in {e.tensor.name for e in t.atoms(Entry)}])


FAULTS: dict[str, tuple[str, Callable[[Derivation], sp.Expr]]] = {
    "the inputs do not move": ("tA1", lambda d: without(d, "tA1", "tX")),
    "the weights do not move": ("rdH1", lambda d: without(d, "rdH1", "rW2")),
    "the second derivative is lost": ("rdA1", lambda d: without(d, "rdA1", "rH1")),
    "half of the second derivative": ("rdA1", lambda d: (without(d, "rdA1", "rH1") + body(d, "rdA1")) / 2),
    "softmax entry by entry": ("rP", lambda d: sp.Mul(*[f for f in body(d, "rP").args if not f.has(Sum)])),
    "a lost delta": ("jZ", lambda d: -body(d, "jZ")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(classifier: Derivation, fault: str) -> None:
    name, wrong = FAULTS[fault]
    bad = planted(classifier, name, wrong(classifier))
    number = next(e.number for e in bad.equations if e.tensor.name == name)
    failed = (v for v in prove(bad) if not v.holds)
    first = next(failed)
    assert (first.number, first.step) == (number, len(next(d for d in bad.derived if d.equation.tensor.name == name).steps))
    assert any((v.number, v.rule) == (number, "chain rule") for v in failed)


Products = tuple[Product, ...]
MISSING: list[tuple[Callable[[Products], Products], str]] = [
    (lambda ps: ps[1:], "jacobian, hvp derived, jvp, jacobian, hvp asked for"),
    (lambda ps: (*ps[:2], replace(ps[2], moved=ps[2].moved[1:])), "hvp is the derivative of something else"),
    (lambda ps: (replace(ps[0], ends=ps[0].moved[:1]), *ps[1:]), "jvp is the derivative of something else"),
    (lambda ps: (ps[0], replace(ps[1], family=Family("j")), ps[2]), "jacobian is the derivative of something else"),
    (lambda ps: (*ps[:2], replace(ps[2], derived=ps[2].derived[:-1])), "hvp has 0 equations for rdb1"),
]


@pytest.mark.parametrize(("change", "detail"), MISSING)
def test_what_is_missing_is_named(classifier: Derivation, change: Callable[[Products], Products], detail: str) -> None:
    verdicts = list(check_complete(replace(classifier, products=change(classifier.products))))
    assert any(v.rule == "all products" and v.detail.startswith(detail) and not v.holds for v in verdicts)


# -- which networks have them --------------------------------------------------------------------------------------------


def centred(program: Program) -> Program:
    """The program with the mean over the examples taken off its first value."""
    first, second, *others = program.equations
    n, j = first.indices
    mean, apart = Tensor("mean", (j.axis,)), Tensor("B1", first.tensor.axes)
    taken = Equation(apart, (n, j), first.entry - mean[j], "1b")
    reads = replace(second, body=rename(second.body, {first.tensor: apart}, {}))
    return replace(program, equations=(first, Equation(mean, (j,), Sum(first.entry, n) / n.axis.count, "1a"), taken, reads, *others))


def test_examples_that_depend_on_one_another_have_no_jacobian() -> None:
    program = centred(network(3, [(4, "tanh"), (2, "identity")], "mean_squared_error").program())
    with pytest.raises(ProgramError, match=r"no Jacobian of one example, since equation \(1b\) for B1 depends on the others"):
        derive.differentiate(replace(program, products=("jacobian",)))
    derive.differentiate(replace(program, products=("jvp", "hvp")))


def test_labels_have_no_jacobian() -> None:
    program = network(3, [(4, "tanh")], "mean_squared_error").program()
    n, i = program.inputs[0].indices()
    table, words = Tensor("E", (i.axis, i.axis)), Tensor("words", (n.axis,), values=i.axis)
    looked_up = Equation(program.inputs[0], (n, i), table[words[n], i], "0")
    program = replace(program, inputs=(words,), parameters=(table, *program.parameters), equations=(looked_up, *program.equations))
    with pytest.raises(ProgramError, match="there is no Jacobian by words, which holds labels"):
        demand("jacobian", program)


SPEC = 'name = "x"\ninputs = 2\nloss = "mean_squared_error"\nproducts = {}\nlayers = [{{ kind = "dense", units = 2 }}]\n'


def test_products_of_a_spec() -> None:
    net = derive.loads(SPEC.format('["hvp", "jacobian"]'))
    assert net.products == ("hvp", "jacobian")
    assert derive.loads(net.to_toml()) == net
    assert [p.kind for p in derive.differentiate(net.program()).products] == ["jacobian", "hvp"]
    assert "products" not in derive.loads(SPEC.format("[]")).to_toml()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ('["hpv"]', r'products\[0\]: found "hpv"; .* \(did you mean "hvp"\?\)'),
        ('["hvp", "jvp", "hvp"]', r'products\[2\]: found "hvp" twice; right would be a list of "jvp", "jacobian" and "hvp"'),
        ('"hvp"', 'products: found "hvp"; right would be a list'),
        ("[[]]", r"products\[0\]: found an empty list"),
    ],
)
def test_wrong_products_are_refused(given: str, problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        derive.loads(SPEC.format(given))


@pytest.mark.parametrize(
    ("layer", "kind", "reason"),
    [
        ({"kind": "batch_norm"}, "jacobian", r"training computes the prediction otherwise than predict does \(.*mean"),
        ({"kind": "dropout"}, "jvp", "training computes the prediction otherwise than predict does"),
        ({"kind": "dropout"}, "hvp", ""),
    ],
)
def test_what_a_network_cannot_have_is_refused_when_it_is_loaded(layer: Any, kind: ProductKind, reason: str) -> None:
    fields: Any = {"name": "x", "inputs": 2, "loss": "mean_squared_error", "layers": [{"kind": "dense", "units": 3}, layer]}
    if not reason:
        assert derive.Network(**fields, products=[kind]).products == (kind,)
        return
    with pytest.raises(SpecError, match=rf'products\[0\]: found "{kind}", but x: {reason}.*; right would be products without "{kind}"'):
        derive.Network(**fields, products=[kind])
