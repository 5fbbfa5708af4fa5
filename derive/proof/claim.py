"""The test of one claim: two expressions are equal wherever the tensors that they rely on follow their equations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy as sp
from sympy import Basic, Expr

from derive.domains.digits import Digits
from derive.domains.field import FieldPair
from derive.domains.number import Domain, Outside, Unsupported
from derive.functions import AtLeast, Log1p
from derive.index import Entry, Index, Partial
from derive.program import Fact
from derive.proof.interpret import Table
from derive.proof.meaning import Meaningless, branches
from derive.proof.sampling import DRAWS, Setting, Style, point, reads
from derive.text import TextPrinter

FIELD: Domain = FieldPair()
DIGITS: Domain = Digits()

POINTS = (Style(3.0), Style(1.5, special=Fraction(0)), Style(2.0, size=1))
EDGE = Style(1.5, special=Fraction(0), edge=True)
FARTHER = (Style(30.0), Style(300.0), Style(0.02), Style(3000.0), EDGE)  # only while a branch has not been reached
FEW_DRAWS = 6  # where there may be no such point


@dataclass(frozen=True)
class Claim:
    """left = right for all values of the indices, when the tensors named in `uses` are computed by their equations.

    facts: the declared facts that it relies on. seed: what the random points are drawn from.
    """

    left: Expr
    right: Expr
    indices: tuple[Index, ...]
    uses: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    seed: str = ""


@dataclass(frozen=True)
class Finding:
    """What came of a test, by which method, and how much was tested or what is wrong."""

    method: str
    holds: bool
    detail: str


def decide(claim: Claim, setting: Setting) -> Finding:
    """Test a claim in the finite fields where they can hold it, otherwise with 50 digits."""
    reason = ""
    for domain in (FIELD, DIGITS):
        try:
            finding = _at_points(claim, setting, domain)
        except Unsupported as failure:
            reason = str(failure)
        except Meaningless as failure:
            return Finding(domain.name, False, str(failure))
        else:
            if finding.holds or domain is DIGITS or not _lawless(claim, setting):
                return finding
    return Finding(DIGITS.name, False, f"cannot be tested: {reason}")


def _lawless(claim: Claim, setting: Setting) -> bool:
    """Whether a finite field knows fewer laws than hold: of log, of erf, of roots. Then only its "yes" counts."""
    return any(_is_lawless(node) for e in _formulas(claim, setting) for node in sp.preorder_traversal(e))


def _formulas(claim: Claim, setting: Setting) -> list[Expr]:
    """The two sides of a claim, and the equations of what they read."""
    names = (*(t.name for t in reads(setting, claim.left, claim.right)), *claim.uses)
    partials = (
        node.of.tensor.name for side in (claim.left, claim.right) for node in sp.preorder_traversal(side) if isinstance(node, Partial)
    )
    found = [setting.definitions[name].body for name in dict.fromkeys((*names, *partials)) if name in setting.definitions]
    return [claim.left, claim.right, *found]


def _is_lawless(node: Basic) -> bool:
    return isinstance(node, sp.log | sp.erf | Log1p) or (isinstance(node, sp.Pow) and not node.exp.is_Integer)


def _at_points(claim: Claim, setting: Setting, domain: Domain) -> Finding:
    reached: dict[Expr, set[int]] = {}
    entries = points = 0
    styles = (*POINTS, *(Style(1.5, special=x) for x in _kinks(claim, setting)))
    for k, style in enumerate((*styles, *FARTHER)):
        if k >= len(styles) and not _unreached(reached):
            break
        found = _at_point(claim, setting, domain, style, f"{claim.seed}/{domain.name}/{k}")
        if found is None and k == 0:
            raise Unsupported("no point lies in the domain of the formulas")
        if found is None:
            continue
        if found.difference:
            return Finding(domain.name, False, found.difference)
        for node, numbers in found.reached.items():
            reached.setdefault(node, set()).update(numbers)
        entries, points = entries + found.entries, points + 1
    missed = "".join(f"; never reached: {TextPrinter().doprint(condition)}" for condition in _unreached(reached))
    return Finding(domain.name, True, f"{entries} values at {points} points{missed}")


def _unreached(reached: Mapping[Expr, set[int]]) -> list[Basic]:
    """The conditions of the branches that no point has reached, but for those that cannot hold."""
    return [
        condition
        for node, numbers in reached.items()
        for k, condition in enumerate(branches(node))
        if k not in numbers and condition != sp.false
    ]


def _kinks(claim: Claim, setting: Setting) -> list[Fraction]:
    """Where entries meet the bounds of a claim's branches, and halfway between: there a bound that was moved a little shows.

    0 apart, which entries of both signs surround; one that is never negative reaches the other side of it only there.
    """
    pairs = [pair for e in _formulas(claim, setting) for node in sp.preorder_traversal(e) for pair in _compared(node)]
    met = sorted({m for left, right in pairs for m in _meeting(left - right)} | {Fraction(0)})
    between = [(low + high) / 2 for low, high in itertools.pairwise(met)]
    edge = any(Fraction(0) in _meeting(left - right) and (left - right).atoms(Entry).pop().tensor.sign != "real" for left, right in pairs)
    return [m for m in sorted((*met, *between)) if m != 0 or edge]


def _compared(node: Basic) -> list[tuple[Expr, Expr]]:
    """The pairs of numbers whose order decides between a node's branches."""
    if isinstance(node, sp.Piecewise):
        return [(test.lhs, test.rhs) for _, test in node.args if isinstance(test, sp.Rel)]
    if isinstance(node, AtLeast):
        return [(node.args[0], node.args[1])]
    return [(node.args[0], sp.S.Zero)] if isinstance(node, sp.Abs | sp.sign) else []


def _meeting(difference: Expr) -> list[Fraction]:
    """The number at which a difference that is linear in one entry is 0."""
    entries = difference.atoms(Entry)
    if len(entries) != 1:
        return []
    (entry,) = entries
    rest = difference.xreplace({entry: sp.S.Zero})
    slope = difference.xreplace({entry: sp.S.One}) - rest
    where = -rest / slope if slope != 0 else sp.nan
    linear = sp.expand(difference - slope * entry - rest) == 0
    return [Fraction(where.p, where.q)] if linear and isinstance(where, sp.Rational) else []


@dataclass(frozen=True)
class _AtPoint:
    entries: int
    difference: str  # where and how the sides differ; empty where they agree
    reached: Mapping[Expr, set[int]]


def _at_point(claim: Claim, setting: Setting, domain: Domain, style: Style, seed: str) -> _AtPoint | None:
    """Compare the two sides at one random point; None if all draws lie outside the domain of the formulas."""
    read = reads(setting, claim.left, claim.right)
    for draw in range(DRAWS if style in POINTS and style.special is None else FEW_DRAWS):
        drawn = replace(style, reach=style.reach / (1 + draw / 4))
        try:
            values = point(setting, domain, drawn, f"{seed}/{draw}", read, claim.uses, claim.facts)
            left, right = (values.table(side, claim.indices) for side in (claim.left, claim.right))
        except Outside:
            continue
        return _AtPoint(len(left), _difference(claim.indices, left, right), values.reached)
    return None


def _difference(indices: tuple[Index, ...], left: Table, right: Table) -> str:
    for place in left:
        if not left[place].equals(right[place]):
            at = ", ".join(f"{i.label} = {p}" for i, p in zip(indices, place, strict=True))
            return f"{at or 'value'}: {left[place].real:.12g} before, {right[place].real:.12g} after"
    return ""
