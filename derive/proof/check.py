"""The checks of a derivation, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import sympy as sp
from sympy import Expr

from derive.index import Entry, Index, Partial, Sum, Tensor, tensors
from derive.program import Derivation, Derived, Program, Step, gradient_of
from derive.proof.claim import Claim, Finding, decide
from derive.proof.complete import check_complete, leading
from derive.proof.network import check_computed
from derive.proof.sampling import Setting, setting
from derive.proof.verdict import Verdict
from derive.text import text


def prove(derivation: Derivation, seed: int = 0) -> Iterator[Verdict]:
    """Check a derivation: one verdict for each check, in a fixed order; a failed check is a verdict, never an exception.

    First every step, then that the steps of an equation form a chain, then that each gradient collects all equations that read its
    tensor, then the computed program against the mathematical one, then the gradients of the parameters through the whole network, then
    that nothing is missing.
    seed: what the random points are drawn from.
    """
    tested = setting(derivation)
    derived = (*derivation.backward, *derivation.stable)
    for one in derived:
        yield from _steps(derivation, tested, one, seed)
    for one in derived:
        yield _chain(derivation, one)
    for one in derivation.backward:
        yield _complete(derivation, tested, one, seed)
    yield from check_computed(derivation, tested, seed)
    yield from check_complete(derivation)


# -- steps ---------------------------------------------------------------------------------------------------------


def _steps(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Iterator[Verdict]:
    refused = dict.fromkeys(_not_yet_derived(derivation, derived), "which is not derived yet")
    if derived.of is not None:
        behind = leading(derivation.forward, derived.of)
        refused |= dict.fromkeys(sorted(behind), f"but the gradient has to hold for all values of {derived.of.name}")
    for k, step in enumerate(derived.steps, 1):
        finding = _step(tested, step, refused, f"{seed}/{derived.equation.number}/{k}")
        about = text(derived.equation.entry)
        yield Verdict(derived.equation.number, step.rule, finding.method, finding.holds, finding.detail, about, k)


def _step(tested: Setting, step: Step, refused: Mapping[str, str], seed: str) -> Finding:
    for name in step.uses:
        if name in refused:
            return Finding("inspection", False, f"uses {name}, {refused[name]}")
        if name not in tested.definitions:
            return Finding("inspection", False, f"uses {name}, which no equation defines")
    facts = tested.facts if step.rule == "fact" else ()
    return decide(Claim(step.before, step.after, step.indices, step.uses, facts, seed), tested)


def _not_yet_derived(derivation: Derivation, derived: Derived) -> tuple[str, ...]:
    """The gradients that a step of a gradient may not rely on: its own and the later ones."""
    names = [d.equation.tensor.name for d in derivation.backward]
    own = derived.equation.tensor.name
    return tuple(names[names.index(own) :]) if derived.of is not None else ()


# -- chains --------------------------------------------------------------------------------------------------------


def _chain(derivation: Derivation, derived: Derived) -> Verdict:
    detail = _broken(derivation, derived)
    number, about = derived.equation.number, text(derived.equation.entry)
    return Verdict(number, "chain", "inspection", detail is None, detail or f"{len(derived.steps)} steps", about)


def _broken(derivation: Derivation, derived: Derived) -> str | None:
    """What is wrong with the chain of steps, if anything."""
    equation, steps = derived.equation, derived.steps
    expected = _start(derivation, derived)
    before = steps[0].before if steps else equation.body
    if expected is not None and before != expected:
        return f"the first step starts from {text(before)}, not from {text(expected)}"
    for k, (step, following) in enumerate(itertools.pairwise(steps), 1):
        if step.after != following.before:
            return f"step {k} ends in {text(step.after)}, but step {k + 1} starts from {text(following.before)}"
    if steps and steps[-1].after != equation.body:
        return f"the last step ends in {text(steps[-1].after)}, but the equation says {text(equation.body)}"
    if any(step.indices != equation.indices for step in steps):
        return "a step is about other indices than the equation"
    if derived.of is not None and equation.tensor != gradient_of(derived.of):
        return f"the gradient of {derived.of.name} has another name or other axes"
    if derived.of is None and equation not in derivation.computed.equations:
        return "the computed program does not hold this equation"
    return None


def _start(derivation: Derivation, derived: Derived) -> Expr | None:
    """What a chain has to start from: the chain rule, or the mathematical body; None for a new name."""
    equation = derived.equation
    if derived.of is not None:
        return _chain_rule(derivation.forward, derived.of, equation.indices)
    for known in (*derivation.forward.equations, *(d.equation for d in derivation.backward)):
        if known.tensor == equation.tensor:
            return known.body.xreplace(dict(zip(known.indices, equation.indices, strict=True)))
    return None


def _chain_rule(program: Program, tensor: Tensor, indices: tuple[Index, ...]) -> Expr:
    """dL/dX = the sum, over all equations for some T that read X and lead to the loss, of dL/dT dT/dX."""
    loss = program.outputs[-1]
    relevant = leading(program, loss)
    terms: list[Expr] = []
    for equation in program.reading(tensor):
        if equation.tensor.name in relevant:
            fresh = tuple(i.axis.fresh() for i in equation.indices)
            upstream = sp.S.One if equation.tensor == loss else Entry(gradient_of(equation.tensor), *fresh)
            terms.append(Sum(upstream * Partial(Entry(equation.tensor, *fresh), Entry(tensor, *indices)), *fresh))
    return sp.Add(*terms)


# -- whole gradients -----------------------------------------------------------------------------------------------


def _complete(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Verdict:
    """That a gradient is the sum over ALL readers of its tensor, as the forward program itself names them."""
    assert derived.of is not None
    equation = derived.equation
    whole = _chain_rule(derivation.forward, derived.of, equation.indices)
    finding = _underived(derivation, derived, whole)
    if finding is None:
        uses = tuple(dict.fromkeys(name for step in derived.steps for name in step.uses if name in tested.definitions))
        finding = decide(Claim(whole, equation.body, equation.indices, uses, tested.facts, f"{seed}/{equation.number}/whole"), tested)
    return Verdict(equation.number, "chain rule", finding.method, finding.holds, finding.detail, text(equation.entry))


def _underived(derivation: Derivation, derived: Derived, whole: Expr) -> Finding | None:
    """What the chain rule for a gradient needs and nobody has derived before."""
    later = _not_yet_derived(derivation, derived)
    known = [d.equation.tensor for d in derivation.backward if d.equation.tensor.name not in later]
    forward = [*derivation.forward.given, *(e.tensor for e in derivation.forward.equations)]
    for tensor in tensors(whole):
        if tensor not in known and tensor not in forward:
            return Finding("inspection", False, f"{tensor.name} is not derived before")
    return None
