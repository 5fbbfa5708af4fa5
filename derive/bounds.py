"""How large the derivative of a function of one number can be, and where it is exactly 0: found from the formula itself.

The function is differentiated by SymPy. Its supremum over all x with |x| <= 10^100 comes from interval arithmetic (derive/intervals.py)
by branch and bound: the line is cut into cells, and the cell with the largest enclosure is halved until the largest value met at a point
is within a billionth of it; where the slope of the derivative has one sign on a cell, the ends of the cell decide. The upper end is a
bound whatever happens; how near it is depends on the form of the formula, so each half of the line is written in exponentials that do
not grow there: e^x is 1/q with q = e^-x for x >= 0.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import sympy as sp
from sympy import Expr
from sympy.core.relational import Relational

from derive.index import rewrite
from derive.intervals import Enclosure, Interval, NoEnclosure, enclosure, holding, magnitude

X = sp.Symbol("x", real=True)
HALF = sp.Symbol("y", nonnegative=True)  # |x|
LARGEST = 1e100  # of |x|
NEAR = 1e-9  # how near the bound is to a value that the function takes, where it is found
UNBOUNDED = 1e30  # a supremum above is taken for growth without bound
CELLS = 20000  # that are looked at, at most
FAR, NOTHING = 1e6, 1e-6  # a slope that is below NOTHING for all |x| >= FAR falls to 0
EDGES = (0.0, *(2.0**k for k in range(-60, 333)))


@dataclass(frozen=True)
class Bound:
    """What is known of |f'(x)| for all x with |x| <= 10^100.

    most: no value is larger; infinite where it grows without bound. least: a value that is reached or come near to, at `place`. dead: the
    intervals on which f' is exactly 0. fades: whether it falls to 0 for x far on the left, far on the right.
    """

    most: float
    least: float
    place: float
    dead: tuple[tuple[Expr, Expr], ...]
    fades: tuple[bool, bool]

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.most)


@cache
def bound(function: Expr) -> Bound | None:
    """The bound of a function of X; None where interval arithmetic does not know one of its functions, or cannot decide."""
    slope = sp.diff(function, X)
    try:
        halves = [_Half(sign, *_enclosures(_half(slope, sign))) for sign in (1, -1)]
        most, least, place = _supremum(halves)
        fades = [magnitude(half.slope((FAR, LARGEST)))[1] < NOTHING for half in halves]
        dead = tuple(_dead(slope))
    except (NoEnclosure, OverflowError):
        return None
    if math.isinf(most) and least < UNBOUNDED:
        return None
    return Bound(math.inf if least >= UNBOUNDED else most, least, place, dead, (fades[1], fades[0]))


# -- the form on half of the line --------------------------------------------------------------------------------------------------------


def _half(slope: Expr, sign: int) -> Expr:
    """The slope at x = sign * y for y >= 0, in exponentials of what is not positive."""
    return _settled(slope.xreplace({X: sign * HALF}))


def _settled(e: Expr) -> Expr:
    """The expression with tanh and growing exponentials rewritten, branch by branch."""
    if e.has(sp.Piecewise):
        if isinstance(e, sp.Piecewise):
            return sp.Piecewise(*[(_settled(branch), condition) for branch, condition in e.args])
        return e.func(*[_settled(a) for a in e.args])
    e = rewrite(rewrite(e, _complement), _without_tanh)
    atoms = sorted(e.atoms(sp.exp), key=str)
    names: dict[Expr, Expr] = {}  # q = e^-u by u >= 0
    rule: dict[Expr, Expr] = {}
    for atom in atoms:
        exponent = atom.args[0]
        size = exponent if exponent.is_nonnegative else -exponent if exponent.is_nonpositive else None
        if size is None:
            continue
        base = next((u for u in names if (size / u).is_Integer), size)
        q = names.setdefault(base, sp.Dummy(f"q{len(names)}", positive=True))
        rule[atom] = q ** (-exponent / base)
    if not rule:
        return e
    e = e.xreplace(rule)
    if not any(isinstance(n, sp.NumberSymbol) or (isinstance(n, sp.Pow) and not n.exp.is_Integer) for n in sp.preorder_traversal(e)):
        e = sp.cancel(e)
    return e.xreplace({q: sp.exp(-u) for u, q in names.items()})


def _without_tanh(e: Expr) -> Expr | None:
    """tanh(u) = (e^2u - 1)/(e^2u + 1), where e^2u is no exponential or its growth is known."""
    if not isinstance(e, sp.tanh):
        return None
    u = e.args[0]
    if u.is_nonnegative:
        return (1 - sp.exp(-2 * u)) / (1 + sp.exp(-2 * u))
    power = sp.exp(2 * u)
    return (power - 1) / (power + 1) if u.is_nonpositive or not isinstance(power, sp.exp) else None


def _complement(e: Expr) -> Expr | None:
    """1 - tanh(u)^2 = 4 e^2u/(1 + e^2u)^2, which does not cancel."""
    square = 1 - e if e.is_Add else e
    if not e.is_Add or not isinstance(square, sp.Pow) or square.exp != 2 or not isinstance(square.base, sp.tanh):
        return None
    u = square.base.args[0]
    power = sp.exp(-2 * u if u.is_nonnegative else 2 * u)
    return 4 * power / (1 + power) ** 2


# -- the supremum ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Half:
    """The enclosures of the slope and of its own derivative on half of the line, and whether all branches are settled on a cell."""

    sign: int
    slope: Enclosure
    rate: Enclosure
    settled: Callable[[Interval], bool]

    def most(self, cell: Interval) -> float:
        """A bound on the cell: that of the enclosure, or of both ends where the slope rises or falls all over the cell."""
        most = magnitude(self.slope(cell))[1]
        if most == 0 or not self.settled(cell):
            return most
        low, high = self.rate(cell)
        return min(most, max(self.at(end)[1] for end in cell)) if low >= 0 or high <= 0 else most

    def at(self, y: float) -> Interval:
        return magnitude(self.slope((y, y)))


def _enclosures(slope: Expr) -> tuple[Enclosure, Enclosure, Callable[[Interval], bool]]:
    """A jump of the slope does not show in its derivative: what jumps is asked for the branch that holds."""
    nodes = list(sp.preorder_traversal(slope))
    conditions = [holding(c, HALF) for node in nodes if isinstance(node, sp.Piecewise) for _, c in node.args]
    signs = [enclosure(node.args[0], HALF) for node in nodes if isinstance(node, sp.sign)]

    def settled(cell: Interval) -> bool:
        return all(holds(cell) is not None for holds in conditions) and not any(low <= 0 <= high for low, high in (f(cell) for f in signs))

    # the derivative of a sign is 0 but at its jump, which `settled` tells
    rate = rewrite(sp.diff(slope, HALF), lambda node: sp.S.Zero if isinstance(node, sp.DiracDelta) else None)
    return enclosure(slope, HALF), enclosure(_settled(rate), HALF), settled


def _supremum(halves: Sequence[_Half]) -> tuple[float, float, float]:
    """A bound, a value that is reached, and where."""
    least, place = 0.0, 0.0
    heap: list[tuple[float, int, Interval]] = []

    def look(half: int, cell: Interval) -> None:
        nonlocal least, place
        heapq.heappush(heap, (-halves[half].most(cell), half, cell))
        for y in (cell[0], _middle(cell), cell[1]):
            reached = halves[half].at(y)[0]
            if reached > least and math.isfinite(reached):
                least, place = reached, halves[half].sign * y

    for half in range(len(halves)):
        for low, high in pairwise(EDGES):
            look(half, (low, min(high, LARGEST)))
    for _ in range(CELLS):
        top, half, cell = heap[0]
        if -top <= least * (1 + NEAR) or least >= UNBOUNDED:
            break
        middle = _middle(cell)
        if not cell[0] < middle < cell[1]:
            break
        heapq.heappop(heap)
        look(half, (cell[0], middle))
        look(half, (middle, cell[1]))
    return -heap[0][0], least, place


def _middle(cell: Interval) -> float:
    """Half way, by exponents where the cell is long."""
    low, high = cell
    return math.sqrt(low) * math.sqrt(high) if low > 0 and high > 4 * low else low + (high - low) / 2


# -- where it is 0 -----------------------------------------------------------------------------------------------------------------------


def branch_places(e: Expr) -> tuple[Expr, ...]:
    """Where a function of X changes branch, or has an absolute value or a sign of 0; what is no root of a polynomial is left out."""
    inner = (node.args[0] for node in sp.preorder_traversal(e) if isinstance(node, sp.Abs | sp.sign))
    found: dict[Expr, None] = {}
    for difference in (*(c.lhs - c.rhs for c in _conditions(e)), *inner):
        try:
            found |= dict.fromkeys(_zeros(difference))
        except NoEnclosure:
            continue
    return tuple(sorted(found, key=float))


def flat_at(function: Expr, place: Expr) -> bool:
    """Whether the derivative of a function of X is exactly 0 at a place, by the branch that holds there."""
    return bool(place.is_finite) and _chosen(sp.diff(function, X), place) == 0


def _dead(slope: Expr) -> Iterator[tuple[Expr, Expr]]:
    """The intervals between the places where branches change on which the slope is the number 0, the longest ones."""
    places = sorted(dict.fromkeys(p for condition in _conditions(slope) for p in _roots(condition)), key=float)
    ends = [-sp.oo, *places, sp.oo]
    start: Expr | None = None
    for left, right in pairwise(ends):
        inside = right - 1 if left == -sp.oo else left + 1 if right == sp.oo else (left + right) / 2
        zero = _chosen(slope, sp.S.Zero if left == -right else inside) == 0
        if zero and start is None:
            start = left
        if start is not None and not zero:
            yield start, left
            start = None
    if start is not None:
        yield start, sp.oo


def _conditions(e: Expr) -> list[Relational]:
    found = (c for node in sp.preorder_traversal(e) if isinstance(node, sp.Piecewise) for _, c in node.args)
    return [c for c in found if isinstance(c, Relational)]


def _roots(condition: Relational) -> list[Expr]:
    """Where the sides are equal. Raises NoEnclosure for sides that are no polynomials with rational coefficients."""
    return _zeros(condition.lhs - condition.rhs)


def _zeros(difference: Expr) -> list[Expr]:
    polynomial = sp.Poly(difference, X) if difference.is_polynomial(X) else None
    if polynomial is None or not (polynomial.domain.is_QQ or polynomial.domain.is_ZZ):
        raise NoEnclosure("condition")
    return list(dict.fromkeys(polynomial.real_roots()))


def _chosen(e: Expr, at: Expr) -> Expr:
    """The expression with the branches that hold at a place."""
    if isinstance(e, sp.Piecewise):
        return next((_chosen(branch, at) for branch, condition in e.args if condition.xreplace({X: at}) == sp.true), sp.nan)
    return e.func(*[_chosen(a, at) for a in e.args]) if e.has(sp.Piecewise) else e
