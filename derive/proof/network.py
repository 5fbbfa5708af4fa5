"""The program that is computed, as a whole: against the mathematical equations, and against dual numbers run through the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from derive.derivation import Derivation
from derive.domains.number import Outside, Unsupported
from derive.family import gradient_of
from derive.index import Tensor
from derive.program import Equation
from derive.proof.claim import DIGITS
from derive.proof.differentiated import slopes, true_product
from derive.proof.interpret import Interpreter, Table
from derive.proof.meaning import Meaningless
from derive.proof.sampling import DRAWS, Setting, Style, point
from derive.proof.verdict import Verdict
from derive.text import text

POINTS = 2
MORE_POINTS = 6  # while all entries of some gradient are 0, as in a network whose units are all switched off


@dataclass(frozen=True)
class _Run:
    """The tensors that a list of equations gives, and what stood in the way of the others."""

    values: Interpreter
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def tables(self) -> Mapping[str, Table]:
        return self.values.tables


@dataclass(frozen=True)
class _World:
    """One point of the given tensors: the mathematical and the computed equations run on it, and what is true there."""

    mathematical: _Run
    computed: _Run
    true: Mapping[str, Table]  # the gradients of the parameters and the results of products, by their own names


def check_computed(derivation: Derivation, setting: Setting, seed: int, number: str | None = None) -> Iterator[Verdict]:
    """A verdict for each computed tensor that the mathematics defines too, then one for each gradient and product as a whole.

    number: that of an equation, to check its tensor alone.
    """
    wanted = [e for e in derivation.computed.equations if number in (None, e.number)]
    if not wanted:
        return
    try:
        worlds = _worlds(derivation, setting, seed)
    except (Unsupported, Meaningless) as failure:
        yield Verdict("", "computed value", DIGITS.name, False, f"cannot be tested: {failure}", derivation.computed.name)
        return
    mathematical = {e.tensor.name for e in derivation.equations}
    for equation in wanted:
        if equation.tensor.name in mathematical and not equation.tensor.values:
            yield _value(equation, worlds)
    results = (t for product in derivation.products for t in product.results)
    for result in (*map(gradient_of, derivation.forward.parameters), *results):
        if number is None or any(e.tensor == result for e in wanted):
            yield _whole(derivation, result, worlds)


def _value(equation: Equation, worlds: list[_World]) -> Verdict:
    name = equation.tensor.name
    failure = next((f for w in worlds for run in (w.mathematical, w.computed) if (f := run.failures.get(name))), None)
    pairs = [] if failure else [(w.mathematical.tables()[name], w.computed.tables()[name]) for w in worlds]
    return _verdict(equation.number, "computed value", text(equation.entry), failure, pairs)


def _whole(derivation: Derivation, result: Tensor, worlds: list[_World]) -> Verdict:
    equation = derivation.computed.defining(result)
    if equation is None:
        return Verdict("", "whole network", "inspection", False, f"{result.name} is not computed", text(result.entry()))
    failure = next((f for w in worlds if (f := w.computed.failures.get(result.name))), None)
    pairs = [] if failure else [(w.true[result.name], w.computed.tables()[result.name]) for w in worlds]
    return _verdict(equation.number, "whole network", text(equation.entry), failure, pairs)


def _verdict(number: str, rule: str, about: str, failure: str | None, pairs: list[tuple[Table, Table]]) -> Verdict:
    for wanted, found in pairs:
        for place in wanted:
            if failure is None and not wanted[place].equals(found[place]):
                failure = f"at {list(place)}: {wanted[place].real:.12g} by the mathematics, {found[place].real:.12g} as computed"
    if failure is not None:
        return Verdict(number, rule, DIGITS.name, False, failure, about)
    zero = "" if any(_nonzero(wanted) for wanted, _ in pairs) else "; all are 0"
    return Verdict(number, rule, DIGITS.name, True, f"{sum(len(w) for w, _ in pairs)} values at {len(pairs)} points{zero}", about)


def _nonzero(table: Table) -> bool:
    return any(v.real for v in table.values())


# -- points --------------------------------------------------------------------------------------------------------


def _worlds(derivation: Derivation, setting: Setting, seed: int) -> list[_World]:
    """Points of two sizes; more of them while the gradient of some parameter is 0 at all."""
    worlds: list[_World] = []
    for k in range(POINTS + MORE_POINTS):
        dead = [p for p in derivation.forward.parameters if not any(_nonzero(w.true[gradient_of(p).name]) for w in worlds)]
        if k >= POINTS and not dead:
            break
        worlds.append(_world(derivation, setting, k % len(setting.sizes), f"{seed}/computed/{k}"))
    return worlds


def _world(derivation: Derivation, setting: Setting, size: int, seed: str) -> _World:
    """Raises Unsupported where no point lies in the domain of all equations."""
    for draw in range(DRAWS):
        try:
            style = Style(2.0 / (1 + draw / 4), size=size)
            given = point(setting, DIGITS, style, f"{seed}/{draw}", derivation.given, facts=setting.facts)
            return _World(_run(given, derivation.equations), _run(given, derivation.computed.equations), _true(given, derivation))
        except Outside:
            continue
    raise Unsupported("no point lies in the domain of all equations")


def _run(given: Interpreter, equations: Iterable[Equation]) -> _Run:
    run = _Run(given.copy())
    for equation in equations:
        try:
            run.values.define(equation)
        except Meaningless as failure:
            run.failures[equation.tensor.name] = str(failure)
    return run


def _true(given: Interpreter, derivation: Derivation) -> Mapping[str, Table]:
    """The gradients of the parameters and the results of the products, from runs of the forward program on dual numbers."""
    forward = derivation.forward
    by = slopes(given, forward)
    true = {gradient_of(t).name: by[t.name] for t in forward.parameters}
    for product in derivation.products:
        true |= true_product(given, forward, product)
    return true
