"""The proof of a derivation: every step, every chain of steps, and every gradient as a whole.

Nothing here uses the engine: no symbolic derivative, no rewrite. A claim is tested by computing both of its sides at random points
of tiny size; derivatives come from running the FORWARD equations on dual numbers. What is shared with the engine is the
node classes of index.py (their constructors bring sums into a normal form) and the data types of program.py.

What a verdict is worth. "No" is certain: two sides that differ at a point are not equal. "Yes" is wrong with a small probability.
In the finite fields (q about 2^60, p = 10 q + 1) a false identity of total degree d, counted in the entries and in the exponentials of
linear forms after denominators are cleared, holds at one random point with probability at most d / q (Schwartz and Zippel): for
d below 10^4, as in all shipped networks, less than 10^-14. logarithms and erf are replaced by fixed random functions that obey their
differential equations; a claim that holds for those holds for them, and one that fails is decided with 50 digits instead.
There a false identity would have to agree to 30 digits at every point; no bound is proved for it. A formula with branches is tested
on as many points as it takes to reach all of them, and a branch that no point reached is named in the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

import sympy as sp
from sympy import Expr

from derive.domains.digits import Digits
from derive.domains.dual import Dual
from derive.domains.field import FieldPair
from derive.domains.number import Domain, Outside, Unsupported
from derive.functions import Log1p
from derive.index import Entry, Index, Partial, Sum, Tensor, tensors
from derive.interpret import Interpreter, Meaningless, Table
from derive.program import Derivation, Derived, Equation, Program, Step, gradient_of
from derive.sampling import Setting, Style, point, reads, setting
from derive.text import text

FIELD: Domain = FieldPair()
DIGITS: Domain = Digits()
POINTS = (Style(3.0), Style(1.5, zeros=True), Style(2.0))
FARTHER = (Style(30.0), Style(300.0), Style(0.02), Style(3000.0))  # only while a branch has not been reached
ATTEMPTS = 40


@dataclass(frozen=True)
class Verdict:
    """What came of one check. `number` is the equation's, `step` the step's place in its chain (0: the whole equation)."""

    number: str
    rule: str
    method: str
    holds: bool
    detail: str
    about: str = ""
    step: int = 0


@dataclass(frozen=True)
class _Claim:
    """left = right for all values of the indices, when the tensors named in `uses` are computed by their equations."""

    left: Expr
    right: Expr
    indices: tuple[Index, ...]
    uses: tuple[str, ...]
    facts: bool
    seed: str


@dataclass(frozen=True)
class _Finding:
    method: str
    holds: bool
    detail: str


def prove(derivation: Derivation, seed: int = 0) -> Iterator[Verdict]:
    """Check a derivation; one verdict for each check, in a fixed order.

    First every step, then that the steps of an equation form a chain, then that each gradient collects all equations that read its
    tensor, then the computed program against the mathematical one, then the gradients of the parameters through the whole network.
    """
    tested = setting(derivation)
    derived = (*derivation.backward, *derivation.stable)
    for one in derived:
        yield from _steps(derivation, tested, one, seed)
    for one in derived:
        yield _chain(derivation, one)
    for one in derivation.backward:
        yield _complete(derivation, tested, one, seed)
    yield from _computed(derivation, tested, seed)


# -- steps ---------------------------------------------------------------------------------------------------------


def _steps(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Iterator[Verdict]:
    later = _not_yet_derived(derivation, derived)
    for k, step in enumerate(derived.steps, 1):
        finding = _step(tested, step, later, f"{seed}/{derived.equation.number}/{k}")
        about = text(derived.equation.entry)
        yield Verdict(derived.equation.number, step.rule, finding.method, finding.holds, finding.detail, about, k)


def _step(tested: Setting, step: Step, later: tuple[str, ...], seed: str) -> _Finding:
    for name in step.uses:
        if name in later:
            return _Finding("inspection", False, f"uses {name}, which is not derived yet")
        if name not in tested.definitions:
            return _Finding("inspection", False, f"uses {name}, which no equation defines")
    return _test(tested, _Claim(step.before, step.after, step.indices, step.uses, step.rule == "fact", seed))


def _not_yet_derived(derivation: Derivation, derived: Derived) -> tuple[str, ...]:
    """The gradients that a step may not rely on: its own and the later ones."""
    names = [d.equation.tensor.name for d in derivation.backward]
    own = derived.equation.tensor.name
    return tuple(names[names.index(own) :]) if derived.of is not None and own in names else ()


# -- chains --------------------------------------------------------------------------------------------------------


def _chain(derivation: Derivation, derived: Derived) -> Verdict:
    detail = _broken(derivation, derived)
    number, about = derived.equation.number, text(derived.equation.entry)
    return Verdict(number, "chain", "inspection", detail is None, detail or f"{len(derived.steps)} steps", about)


def _broken(derivation: Derivation, derived: Derived) -> str | None:
    """What is wrong with the chain of steps, if anything."""
    equation = derived.equation
    expected = _start(derivation, derived)
    before = derived.steps[0].before if derived.steps else equation.body
    if expected is not None and before != expected:
        return f"the first step starts from {text(before)}, not from {text(expected)}"
    for k, (step, following) in enumerate(zip(derived.steps, derived.steps[1:], strict=False), 1):
        if step.after != following.before:
            return f"step {k} ends in {text(step.after)}, step {k + 1} starts from {text(following.before)}"
    if derived.steps and derived.steps[-1].after != equation.body:
        return f"the last step ends in {text(derived.steps[-1].after)}, the equation says {text(equation.body)}"
    if any(step.indices != equation.indices for step in derived.steps):
        return "a step is about other indices than the equation"
    if derived.of is None and equation not in derivation.computed.equations:
        return "the computed program has another equation"
    return None


def _start(derivation: Derivation, derived: Derived) -> Expr | None:
    """What a chain has to start from: the chain rule, or the mathematical body; None for a new name."""
    equation = derived.equation
    if derived.of is not None:
        return _chain_rule(derivation.forward, derived.of, equation.indices)
    known = (*derivation.forward.equations, *(d.equation for d in derivation.backward))
    for mathematical in known:
        if mathematical.tensor == equation.tensor:
            return mathematical.body.xreplace(dict(zip(mathematical.indices, equation.indices, strict=True)))
    return None


def _chain_rule(program: Program, tensor: Tensor, indices: tuple[Index, ...]) -> Expr:
    """dL/dX = the sum, over all equations for some T that read X and lead to the loss, of dL/dT dT/dX."""
    loss = program.outputs[-1]
    leading = _leading(program, loss)
    terms: list[Expr] = []
    for equation in program.reading(tensor):
        if equation.tensor in leading:
            fresh = tuple(i.axis.fresh() for i in equation.indices)
            upstream = sp.S.One if equation.tensor == loss else gradient_of(equation.tensor)[fresh]
            terms.append(Sum(upstream * Partial(Entry(equation.tensor, *fresh), Entry(tensor, *indices)), *fresh))
    return sp.Add(*terms)


def _leading(program: Program, loss: Tensor) -> list[Tensor]:
    """The tensors that the loss depends on, itself included."""
    leading = [loss]
    for equation in reversed(program.equations):
        if equation.tensor in leading:
            leading += equation.reads
    return leading


# -- whole gradients -----------------------------------------------------------------------------------------------


def _complete(derivation: Derivation, tested: Setting, derived: Derived, seed: int) -> Verdict:
    """That a gradient is the sum over ALL readers of its tensor, as the forward program itself names them."""
    assert derived.of is not None
    equation = derived.equation
    whole = _chain_rule(derivation.forward, derived.of, equation.indices)
    known = [d.equation.tensor for d in derivation.backward]
    missing = [t.name for t in tensors(whole) if t.name not in tested.forward and t not in known and t not in derivation.forward.given]
    if missing:
        finding = _Finding("inspection", False, f"{', '.join(missing)} is not derived")
    else:
        uses = tuple(dict.fromkeys(name for step in derived.steps for name in step.uses))
        claim = _Claim(whole, equation.body, equation.indices, uses, True, f"{seed}/{equation.number}/whole")
        finding = _test(tested, claim)
    return Verdict(equation.number, "chain rule", finding.method, finding.holds, finding.detail, text(equation.entry))


def _computed(derivation: Derivation, tested: Setting, seed: int) -> Iterator[Verdict]:
    """The computed program against the mathematical one, and against dual numbers run through the whole forward program."""
    forward, computed = derivation.forward, derivation.computed
    names = [t.name for t in forward.parameters]
    worlds = [_world(derivation, tested, f"{seed}/computed/{k}") for k in range(2)]
    for equation in computed.equations:
        entry, name = text(equation.entry), equation.tensor.name
        if name in worlds[0].mathematical.tables:
            pairs = [(w.mathematical.tables[name], w.computed.tables[name]) for w in worlds]
            yield _compared(equation.number, "computed value", entry, pairs)
    loss = forward.outputs[-1].name
    numbers = {e.tensor: e.number for e in computed.equations}
    slopes = [_slopes(w.given, forward, names, loss) for w in worlds]
    for parameter in forward.parameters:
        gradient = gradient_of(parameter)
        if gradient not in numbers:
            yield Verdict("", "whole network", "inspection", False, f"{gradient.name} is not computed", gradient.name)
        else:
            pairs = [(s[parameter.name], w.computed.tables[gradient.name]) for s, w in zip(slopes, worlds, strict=True)]
            yield _compared(numbers[gradient], "whole network", text(gradient.entry()), pairs)


@dataclass(frozen=True)
class _World:
    """One point of the given tensors, with all equations of the mathematical and of the computed program run on it."""

    given: Interpreter
    mathematical: Interpreter
    computed: Interpreter


def _world(derivation: Derivation, tested: Setting, seed: str) -> _World:
    """Raises Unsupported where no point lies in the domain of all equations."""
    forward = derivation.forward
    mathematics = (*forward.equations, *(d.equation for d in derivation.backward))
    for attempt in range(ATTEMPTS):
        try:
            rng, style = Random(f"{seed}/{attempt}"), Style(2.0 / (1 + attempt / 4))
            given = point(tested, DIGITS, rng, style, forward.given, (), facts=True)
            runs = [_run(given, equations) for equations in (mathematics, derivation.computed.equations)]
        except Outside:
            continue
        return _World(given, *runs)
    raise Unsupported("no point lies in the domain of all equations")


def _run(given: Interpreter, equations: Iterable[Equation]) -> Interpreter:
    run = given.copy()
    for equation in equations:
        run.define(equation)
    return run


def _slopes(given: Interpreter, forward: Program, parameters: list[str], loss: str) -> Mapping[str, Table]:
    """The gradient of the loss by every parameter, from one run of the forward program on dual numbers."""
    dual = _run(given.differentiated(parameters), forward.equations)
    result = dual.tables[loss][()]
    assert isinstance(result, Dual)
    zero = given.domain.constant(Fraction(0))
    return {name: {p: result.tangents.get((name, p), zero) for p in given.tables[name]} for name in parameters}


def _compared(number: str, rule: str, about: str, pairs: list[tuple[Table, Table]]) -> Verdict:
    for wanted, found in pairs:
        for place in wanted:
            if not wanted[place].equals(found[place]):
                detail = f"at {list(place)}: {wanted[place].real:.12g} by the mathematics, {found[place].real:.12g} as computed"
                return Verdict(number, rule, DIGITS.name, False, detail, about)
    return Verdict(number, rule, DIGITS.name, True, f"{len(pairs[0][0])} entries, {len(pairs)} points", about)


# -- one claim -----------------------------------------------------------------------------------------------------


def _test(tested: Setting, claim: _Claim) -> _Finding:
    """Test a claim in the finite fields where they can hold it, otherwise with 50 digits."""
    reason = ""
    for domain in (FIELD, DIGITS):
        try:
            finding = _at_points(tested, domain, claim)
        except Unsupported as failure:
            reason = str(failure)
        except Meaningless as failure:
            return _Finding(domain.name, False, str(failure))
        else:
            if finding.holds or domain is DIGITS or not _has_oracle(tested, claim):
                return finding
    return _Finding(DIGITS.name, False, f"cannot be tested: {reason}")


def _has_oracle(tested: Setting, claim: _Claim) -> bool:
    """Whether the finite field stands a random function in for one that obeys more laws than it: then only its "yes" counts."""
    needed = reads(sp.Tuple(claim.left, claim.right), tested)
    bodies = [tested.definitions[t.name].body for t in needed if t.name in tested.definitions]
    bodies += [tested.definitions[name].body for name in claim.uses]
    return any(
        isinstance(node, sp.log | sp.erf | Log1p) or (isinstance(node, sp.Pow) and not node.exp.is_integer)
        for e in (claim.left, claim.right, *bodies)
        for node in sp.preorder_traversal(e)
    )


def _at_points(tested: Setting, domain: Domain, claim: _Claim) -> _Finding:
    reached: dict[Expr, set[int]] = {}
    entries = points = 0
    for k, style in enumerate((*POINTS, *FARTHER)):
        if k >= len(POINTS) and not _unreached(reached):
            break
        tries = ATTEMPTS if style in POINTS and not style.zeros else 6
        run = _at_point(tested, domain, claim, style, f"{claim.seed}/{domain.name}/{k}", tries)
        if run is None and k == 0:
            raise Unsupported("no point lies in the domain of the formula")
        if run is None:
            continue
        for node, branches in run.reached.items():
            reached.setdefault(node, set()).update(branches)
        if run.difference:
            return _Finding(domain.name, False, run.difference)
        entries, points = run.entries, points + 1
    left = "".join(f"; never reached: {text(c)}" for c in _unreached(reached))
    return _Finding(domain.name, True, f"{entries} entries, {points} points{left}")


@dataclass(frozen=True)
class _PointResult:
    entries: int
    difference: str  # where and how the sides differ; empty where they agree
    reached: Mapping[Expr, set[int]]


def _at_point(tested: Setting, domain: Domain, claim: _Claim, style: Style, seed: str, tries: int) -> _PointResult | None:
    """Compare the two sides at one random point; None if all draws lie outside the domain of the formulas."""
    read = reads(sp.Tuple(claim.left, claim.right), tested)
    for attempt in range(tries):
        try:
            drawn = replace(style, reach=style.reach / (1 + attempt / 4))
            values = point(tested, domain, Random(f"{seed}/{attempt}"), drawn, read, claim.uses, facts=claim.facts)
            left, right = (values.table(side, claim.indices) for side in (claim.left, claim.right))
        except Outside:
            continue
        return _PointResult(len(left), _difference(claim.indices, left, right), values.reached)
    return None


def _difference(indices: tuple[Index, ...], left: Table, right: Table) -> str:
    for place in left:
        if not left[place].equals(right[place]):
            at = ", ".join(f"{i.label} = {p}" for i, p in zip(indices, place, strict=True))
            return f"{at or 'value'}: {left[place].real:.12g} before, {right[place].real:.12g} after"
    return ""


def _unreached(reached: Mapping[Expr, set[int]]) -> list[Expr]:
    """The conditions of the branches that no point has reached."""
    return [condition for node, branches in reached.items() for k, (_, condition) in enumerate(node.args) if k not in branches]
