"""Points at which a proof tests a claim: tiny sizes, random entries, and tensors that are computed by their equations.

Extents are small and differ between axes that meet in one formula, so that a transposed read, a sum over the wrong axis or a
lost 1/N shows. Entries respect what is declared: a tensor's sign, a label's range, and between 0 and 1 where a logarithm is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import sympy as sp
from sympy import Basic, Expr

from derive.domains.dual import Dual
from derive.domains.number import Domain, Number, Outside, Unsupported
from derive.functions import Log1p
from derive.index import ArgMax, Axis, Entry, Index, InRange, Partial, Size, Tensor, tensors
from derive.interpret import Interpreter, Meaningless, Place
from derive.program import Derivation, Equation, Fact

Extents = Mapping[Axis, int]


@dataclass(frozen=True)
class Style:
    """How the free entries of a point are drawn: between -reach and reach, and with `zeros` a third of them exactly 0."""

    reach: float
    zeros: bool = False


@dataclass(frozen=True)
class Setting:
    """What all points of one derivation share."""

    extents: Extents
    definitions: Mapping[str, Equation]  # every named tensor's equation, the mathematical one where there are two
    forward: Mapping[str, Equation]
    unit: frozenset[str]  # tensors whose entries lie between 0 and 1
    floors: tuple[Expr, ...]
    facts: tuple[Fact, ...]


def setting(derivation: Derivation) -> Setting:
    """The sizes and the definitions that every claim of a derivation is tested with."""
    program = derivation.forward
    equations = [*derivation.computed.equations, *(d.equation for d in derivation.backward), *program.equations]
    bounds = (bound for f in program.floors.values() for bound in (f.log, f.denominator) if bound is not None)
    return Setting(
        tiny_extents(derivation),
        {e.tensor.name: e for e in equations},
        {e.tensor.name: e for e in program.equations},
        frozenset(name for e in program.equations for name in _under_log(e.body)),
        tuple(bounds),
        program.facts,
    )


def point(setting: Setting, domain: Domain, rng: Random, style: Style, read: Iterable[Tensor], uses: Iterable[str], *, facts: bool) -> Interpreter:
    """A random point: the tensors that are read, those named in `uses` computed by their equations and all others drawn.

    facts: whether the declared facts hold at the point. Raises Outside where the drawn numbers lie outside a formula's domain.
    """
    drawing = _Point(setting, Interpreter(domain, setting.extents, setting.forward, setting.floors), rng, style, frozenset(uses))
    if facts:
        for fact in setting.facts:
            drawing.impose(fact)
    for tensor in read:
        drawing.provide(tensor)
    return drawing.interpreter


@dataclass
class _Point:
    setting: Setting
    interpreter: Interpreter
    rng: Random
    style: Style
    uses: frozenset[str]

    def provide(self, tensor: Tensor) -> None:
        """Give a tensor its values, after those that its equation reads."""
        known = self.interpreter
        if tensor.name in known.tables or tensor.name in known.labels:
            return
        equation = self.setting.definitions.get(tensor.name)
        if tensor.name not in self.uses or equation is None:
            self._draw(tensor)
            return
        for below in reads(equation.body, self.setting):
            self.provide(below)
        known.define(equation)

    def _draw(self, tensor: Tensor) -> None:
        places = list(self.interpreter.places(tensor.indices()))
        if tensor.values:
            self.interpreter.labels[tensor.name] = {p: self.rng.randrange(self.setting.extents[tensor.values]) for p in places}
        else:
            self.interpreter.tables[tensor.name] = {p: self._entry(tensor) for p in places}

    def _entry(self, tensor: Tensor) -> Number:
        domain, reach = self.interpreter.domain, self.style.reach
        if tensor.name in self.setting.unit:
            return domain.random(self.rng, 0.02, 0.98)
        if tensor.sign == "positive":
            return domain.random(self.rng, reach / 100, reach)
        if self.style.zeros and self.rng.randrange(3) == 0:
            return domain.constant(Fraction(0))
        return domain.random(self.rng, 0 if tensor.sign == "nonnegative" else -reach, reach)

    def impose(self, fact: Fact) -> None:
        """Change one drawn entry for each position of a fact's indices so that the fact holds there.

        A fact is linear in each entry, so one step of Newton's method meets it exactly.
        """
        read = tensors(fact.left - fact.right)
        for tensor in read:
            self.provide(tensor)
        known = self.interpreter
        signs = {t.name: t.sign for t in read}
        for place in known.places(fact.indices):
            at = dict(zip(fact.indices, place, strict=True))
            gap = known.differentiated(signs).value(fact.left - fact.right, at)
            if not isinstance(gap, Dual) or not gap.tangents:
                raise Unsupported(f"the fact that {fact.meaning}")
            (name, entry), slope = _last(gap)
            table = dict(known.tables[name])
            table[entry] = table[entry] + -(gap.value * slope.reciprocal())
            zero = known.domain.constant(Fraction(0))
            if signs[name] != "real" and table[entry].compare(zero) < 0:
                raise Outside(f"no entry of the sign of {name} meets the fact that {fact.meaning}")
            known.set_table(name, table)


def _last(gap: Dual) -> tuple[tuple[str, Place], Number]:
    variable, slope = list(gap.tangents.items())[-1]
    assert isinstance(variable, tuple)
    return variable, slope


def reads(e: Expr, setting: Setting) -> tuple[Tensor, ...]:
    """The tensors that an expression needs, those of the forward equation behind a local derivative included."""
    found = list(tensors(e))
    for node in sp.preorder_traversal(e):
        if isinstance(node, Partial) and node.of.tensor.name in setting.forward:
            found += setting.forward[node.of.tensor.name].reads
    return tuple(dict.fromkeys(found))


# -- sizes ---------------------------------------------------------------------------------------------------------


def tiny_extents(derivation: Derivation) -> dict[Axis, int]:
    """An extent from 2 up for every axis: different for axes that meet in one formula, and no reads past the end."""
    groups = [list(_axes(e)) for e in _formulas(derivation)]
    extents: dict[Axis, int] = {}
    for axis in dict.fromkeys(a for group in groups for a in group):
        extents[axis] = _unused(axis, groups, extents, 2)
    for _ in extents:  # an extent that grows may push another one
        for entry, place, axis in _computed_reads(derivation):
            needed = _highest(entry.indices[place], extents) + 1
            if needed > extents[axis]:
                extents[axis] = _unused(axis, groups, extents, needed)
    return extents


def _unused(axis: Axis, groups: list[list[Axis]], extents: Extents, start: int) -> int:
    taken = [extents[other] for group in groups if axis in group for other in group if other != axis and other in extents]
    while start in taken:
        start += 1
    return start


def _formulas(derivation: Derivation) -> list[Expr]:
    derived = (*derivation.backward, *derivation.stable)
    equations = [*derivation.forward.equations, *derivation.computed.equations, *(d.equation for d in derived)]
    steps = [e for d in derived for s in d.steps for e in (s.before, s.after)]
    return [sp.Tuple(e.entry, e.body) for e in equations] + steps


def _axes(e: Expr) -> Iterable[Axis]:
    for node in sp.preorder_traversal(e):
        if isinstance(node, Index | Size):
            yield node.axis
        elif isinstance(node, Tensor):
            yield from node.axes
            if node.values:
                yield node.values


def _computed_reads(derivation: Derivation) -> Iterable[tuple[Entry, int, Axis]]:
    """The reads of the forward program at index expressions such as 2t + p that no indicator guards."""
    for equation in derivation.forward.equations:
        nodes: list[Basic] = list(sp.preorder_traversal(equation.body))
        guarded = [n.args[0] for n in nodes if isinstance(n, InRange)]
        for entry in (n for n in nodes if isinstance(n, Entry)):
            for place, (index, axis) in enumerate(zip(entry.indices, entry.tensor.axes, strict=True)):
                if not isinstance(index, Index | Entry | ArgMax) and index not in guarded:
                    yield entry, place, axis


def _highest(index: Expr, extents: Extents) -> int:
    """The largest value of an affine index expression."""
    symbols = sorted((s for s in index.free_symbols if isinstance(s, Index)), key=str)
    sizes = {s: extents[s.axis] for s in index.free_symbols if isinstance(s, Size)}
    ends = {i: extents[i.axis] - 1 if sp.expand(index).coeff(i).is_positive else 0 for i in symbols}
    value = index.xreplace({**ends, **sizes})
    if not value.is_Integer:
        raise Meaningless(f"the range of the index {index} cannot be found")
    return int(value)


def _under_log(e: Expr) -> Iterable[str]:
    """The names of the tensors whose entries a logarithm is taken of, but not of their exponential."""
    for node in sp.preorder_traversal(e):
        if isinstance(node, sp.log | Log1p):
            yield from _outside_exp(node.args[0])


def _outside_exp(e: Basic) -> Iterable[str]:
    if isinstance(e, Entry):
        yield e.tensor.name
    elif not isinstance(e, sp.exp):
        for a in e.args:
            yield from _outside_exp(a)
