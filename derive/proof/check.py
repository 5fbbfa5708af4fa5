"""The checks of a derivation, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from sympy import Expr

from derive.derivation import Derivation, Derived, Step
from derive.index import tensors
from derive.proof.claim import Claim, Finding, decide
from derive.proof.complete import check_complete, leading
from derive.proof.network import check_computed
from derive.proof.rules import chain_rule, family_of, product_of
from derive.proof.sampling import Setting, setting
from derive.proof.verdict import Verdict
from derive.text import text


def prove(derivation: Derivation, seed: int = 0, equation: str | None = None) -> Iterator[Verdict]:
    """Check a derivation: one verdict for each check, in a fixed order; a failed check is a verdict, never an exception.

    First every step, then that the steps of an equation form a chain, then that each derivative collects all that its chain rule does,
    then the computed program against the mathematical one, then the gradients of the parameters and the products through the
    whole network, then that nothing is missing.
    seed: what the random points are drawn from. equation: a number, to check this equation alone; its verdicts are the same.
    """
    tested = setting(derivation)
    derived = [d for d in (*derivation.derived, *derivation.stable) if equation in (None, d.equation.number)]
    for one in derived:
        yield from _steps(derivation, tested, one, seed)
    for one in derived:
        yield _chain(derivation, one)
    for one in derived:
        if one in derivation.derived:
            yield _complete(derivation, tested, one, seed)
    yield from check_computed(derivation, tested, seed, equation)
    if equation is None:
        yield from check_complete(derivation)


# -- steps ---------------------------------------------------------------------------------------------------------


def _steps(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Iterator[Verdict]:
    refused = dict.fromkeys(_not_yet_derived(derivation, derived), "which is not derived yet")
    product = product_of(derivation, derived)
    if derived.of is not None and (product is None or product.way == "reverse"):
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
    """The derivatives that a step of a derivative may not rely on: its own and the later ones."""
    names = [d.equation.tensor.name for d in derivation.derived]
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
    if derived.of is not None and equation.tensor != family_of(derivation, derived).of(derived.of):
        return f"the derivative that belongs to {derived.of.name} has another name or other axes"
    if derived.of is None and equation not in derivation.computed.equations:
        return "the computed program does not hold this equation"
    return None


def _start(derivation: Derivation, derived: Derived) -> Expr | None:
    """What a chain has to start from: the chain rule, or the mathematical body; None for a new name."""
    equation = derived.equation
    if derived.of is not None:
        return chain_rule(derivation, derived)
    for known in derivation.equations:
        if known.tensor == equation.tensor:
            return known.body.xreplace(dict(zip(known.indices, equation.indices, strict=True)))
    return None


# -- whole derivatives ---------------------------------------------------------------------------------------------


def _complete(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Verdict:
    """That a derivative is the whole sum of its chain rule, over all equations as the program itself names them."""
    equation, whole = derived.equation, chain_rule(derivation, derived)
    finding = _underived(derivation, derived, whole)
    if finding is None:
        uses = tuple(dict.fromkeys(name for step in derived.steps for name in step.uses if name in tested.definitions))
        finding = decide(Claim(whole, equation.body, equation.indices, uses, tested.facts, f"{seed}/{equation.number}/whole"), tested)
    return Verdict(equation.number, "chain rule", finding.method, finding.holds, finding.detail, text(equation.entry))


def _underived(derivation: Derivation, derived: Derived, whole: Expr) -> Finding | None:
    """What the chain rule for a derivative needs and nobody has derived before."""
    later = _not_yet_derived(derivation, derived)
    known = [*derivation.given, *(e.tensor for e in derivation.equations if e.tensor.name not in later)]
    for tensor in tensors(whole):
        if tensor not in known:
            return Finding("inspection", False, f"{tensor.name} is not derived before")
    return None
