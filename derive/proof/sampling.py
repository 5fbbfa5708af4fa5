"""Points at which a proof tests a claim: random entries, and tensors that are computed by their equations.

Entries respect what is declared: a tensor's sign, a label's range, between 0 and 1 where the forward program takes a logarithm, and
where a step relies on them, the facts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import sympy as sp
from sympy import Basic, Expr

from derive.derivation import Derivation
from derive.domains.dual import Dual
from derive.domains.number import Domain, Number, Outside, Unsupported
from derive.index import Entry, Partial, Tensor, tensors
from derive.program import Equation, Fact
from derive.proof.interpret import Interpreter, placed
from derive.proof.sizes import Extents, tiny_extents

DRAWS = 40  # of a point, until one lies in the domain of the formulas and meets the facts


@dataclass(frozen=True)
class Style:
    """How a point is drawn: entries between -reach and reach, a third of them exactly `special`; which of the tiny sizes.

    edge: whether entries that a logarithm is taken of may be `special` too.
    """

    reach: float
    special: Fraction | None = None
    size: int = 0
    edge: bool = False


@dataclass(frozen=True)
class Setting:
    """What all points of one derivation share."""

    sizes: tuple[Extents, ...]
    definitions: Mapping[str, Equation]  # every named tensor's equation, the mathematical one where there are two
    differentiated: Mapping[str, Equation]  # those that a derivation differentiates: forward equations, and for products gradients
    unit: frozenset[str]  # tensors whose entries lie between 0 and 1
    floors: tuple[Expr, ...]
    facts: tuple[Fact, ...]


def setting(derivation: Derivation) -> Setting:
    """The sizes and the definitions that every claim of a derivation is tested with."""
    program = derivation.forward
    equations = [*derivation.computed.equations, *(d.equation for d in derivation.derived), *program.equations]
    differentiated = (*(d.equation for d in derivation.backward if derivation.products), *program.equations)
    bounds = (bound for f in program.floors.values() for bound in (f.log, f.denominator) if bound is not None)
    return Setting(
        tiny_extents(derivation),
        {e.tensor.name: e for e in equations},
        {e.tensor.name: e for e in differentiated},
        frozenset(name for e in program.equations for name in _under_log(e.body)),
        tuple(bounds),
        program.facts,
    )


def point(
    setting: Setting, domain: Domain, style: Style, seed: str, read: Iterable[Tensor], uses: Iterable[str] = (), facts: Sequence[Fact] = ()
) -> Interpreter:
    """A random point at which the facts hold: the tensors that are read, those named in `uses` computed and all others drawn.

    Raises Outside where the drawn numbers lie outside a formula's domain.
    """
    interpreter = Interpreter(domain, setting.sizes[style.size], setting.differentiated, setting.floors)
    drawing = _Drawing(setting, interpreter, seed, style, frozenset(uses))
    drawing.impose(facts)
    for tensor in read:
        drawing.provide(tensor)
    return interpreter


def reads(setting: Setting, *expressions: Expr) -> tuple[Tensor, ...]:
    """The tensors that expressions need, those of the equations behind local derivatives included."""
    found: list[Tensor] = []
    for e in expressions:
        found += tensors(e)
        for node in sp.preorder_traversal(e):
            if isinstance(node, Partial) and node.of.tensor.name in setting.differentiated:
                found += setting.differentiated[node.of.tensor.name].reads
    return tuple(dict.fromkeys(found))


@dataclass
class _Drawing:
    """A point in the making."""

    setting: Setting
    interpreter: Interpreter
    seed: str
    style: Style
    uses: frozenset[str]

    def provide(self, tensor: Tensor) -> None:
        """Give a tensor its values, after those that its equation reads."""
        known = self.interpreter
        if tensor.name in known.tables or tensor.name in known.labels:
            return
        equation = self.setting.definitions.get(tensor.name)
        if tensor.name not in self.uses or equation is None:
            self._draw(tensor, self.style.reach, self.seed, self.style.special)
            return
        for below in reads(self.setting, equation.body):
            self.provide(below)
        known.define(equation)

    def _draw(self, tensor: Tensor, reach: float, seed: str, special: Fraction | None) -> None:
        """Draw a tensor's entries, from a source of its own: the order in which tensors are met does not matter."""
        known, rng = self.interpreter, Random(f"{seed}/{tensor.name}")
        places = list(known.places(tensor.indices()))
        if tensor.values:
            known.labels[tensor.name] = {p: rng.randrange(known.extents[tensor.values]) for p in places}
        else:
            first = -1 if special is None else rng.randrange(3)
            known.tables[tensor.name] = {
                p: self._entry(tensor, reach, rng, special if k % 3 == first else None) for k, p in enumerate(places)
            }

    def _entry(self, tensor: Tensor, reach: float, rng: Random, special: Fraction | None) -> Number:
        domain = self.interpreter.domain
        if tensor.name in self.setting.unit and not (self.style.edge and special is not None):
            scale = min(reach, 1.0)
            return domain.random(rng, 0.02 * scale, 0.98 * scale)
        if tensor.sign == "positive":
            return domain.random(rng, reach / 100, reach)
        if special is not None and (special >= 0 or tensor.sign == "real"):
            return domain.constant(special)
        return domain.random(rng, 0 if tensor.sign == "nonnegative" else -reach, reach)

    def impose(self, facts: Sequence[Fact]) -> None:
        """Draw the tensors that facts are about until the facts hold, from smaller and smaller numbers where signs demand it."""
        about = tuple(dict.fromkeys(t for fact in facts for t in tensors(fact.left - fact.right)))
        for draw in range(DRAWS):
            for tensor in about:
                # without the bounds of branches but 0, the others may be too large for the fact
                special = self.style.special if self.style.special == 0 else None
                self._draw(tensor, min(self.style.reach, 1.0) / (1 + draw), f"{self.seed}/{draw}", special)
            try:
                for fact in facts:
                    self._meet(fact, {t.name for t in about if t.sign != "real"})
            except Outside:
                continue
            return
        raise Unsupported("the declared facts: no point that meets them was found")

    def _meet(self, fact: Fact, signed: Container[str]) -> None:
        """Change one drawn entry for each position of a fact's indices so that the fact holds there.

        A fact is linear in each entry, so one step of Newton's method meets it exactly.
        """
        known, gap = self.interpreter, fact.left - fact.right
        for place in known.places(fact.indices):
            at = placed(fact.indices, place)
            missed = known.differentiated(known.tables).value(gap, at)
            if not isinstance(missed, Dual) or not missed.tangents:
                raise Unsupported(f"the fact that {fact.meaning}")
            nothing = known.domain.constant(Fraction(0))
            free = [(key, slope) for key, slope in missed.tangents.items() if not known.tables[key[0]][key[1]].equals(nothing)]
            (name, entry), slope = (free or list(missed.tangents.items()))[-1]  # one that is 0 is so on purpose
            met = known.tables[name][entry] + -(missed.value * slope.reciprocal())
            if name in signed and met.compare(nothing) < 0:
                raise Outside(f"no entry of the sign of {name} meets the fact that {fact.meaning}")
            known.set_table(name, {**known.tables[name], entry: met})
            if not known.value(fact.left, at).equals(known.value(fact.right, at)):
                raise Unsupported(f"the fact that {fact.meaning}: it is not linear")


def _under_log(e: Expr) -> Iterable[str]:
    """The names of the tensors whose entries a logarithm is taken of, but not of their exponential.

    The logarithm of an entry that is not negative asks for no more than its sign says.
    """
    for node in sp.preorder_traversal(e):
        if isinstance(node, sp.log):
            rest = [f for f in sp.Mul.make_args(node.args[0]) if not (f.is_number and f.is_positive)]
            if not (len(rest) == 1 and isinstance(rest[0], Entry) and rest[0].tensor.sign == "nonnegative"):
                yield from _outside_exp(node.args[0])


def _outside_exp(e: Basic) -> Iterable[str]:
    if isinstance(e, Entry):
        yield e.tensor.name
    elif not isinstance(e, sp.exp):
        for a in e.args:
            yield from _outside_exp(a)
