"""The activations of a network and their derivatives as curves, drawn from the formulas; what is marked comes from derive/bounds.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

import sympy as sp
from sympy import Expr

from derive.bounds import Bound, X, bound, branch_places
from derive.derivation import Derivation
from derive.documents.document import Block, Curve, CurveRole, Paragraph, Plot, Plots, Point, Ref, Text
from derive.documents.signs import rounded_up
from derive.documents.words import activation_of, argument, spoken
from derive.index import Binder, Entry
from derive.one_number import Function, NoValue, Sample, function_of
from derive.program import Equation
from derive.rounded import FLOAT64

SIDE = 5.0  # curves run at least from -SIDE to SIDE, and a little beyond the places where branches change,
FARTHEST, BEYOND = 8.0, 1.5  # as far as those are not farther out than FARTHEST
HIGHEST = 6.0  # a curve is cut off above and below
TOGETHER = 6  # plots in one figure
SAMPLED = (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)  # in the table that stands for a plot
SAMPLES = 200
INSIDE = 1e-9  # how far from the place of a jump a curve ends
NEAR = 5e-4  # of the height: points that are nearer to a straight line are left out


def plots(derivation: Derivation) -> Iterator[Block]:
    """A plot of each activation, once for all equations that have it; none where no equation applies a function of one number."""
    found: dict[Expr, list[Equation]] = {}
    for equation in derivation.forward.equations:
        function = _function(equation, derivation)
        if function is not None:
            found.setdefault(function, []).append(equation)
    made = [(p, equations) for function, equations in found.items() if (p := _plot(function, _title(equations))) is not None]
    if made:
        refs = [part for _, equations in made for e in equations for part in (", ", Ref(e.number))][1:]
        learned: Text = ("; what is learned has the number that it starts from",) if any(_learns(e[0]) for _, e in made) else ()
        yield Paragraph(("The functions of ", *refs, " and their derivatives", *learned, "."))
        for some in batched([p for p, _ in made], TOGETHER):
            yield Plots(tuple(some), _legend(some))


def batched(made: Sequence[Plot], size: int) -> Iterator[Sequence[Plot]]:
    """So many at a time."""
    for k in range(0, len(made), size):
        yield made[k : k + size]


def _legend(made: Sequence[Plot]) -> str:
    roles = {curve.role for p in made for curve in p.curves}
    words = "Solid (blue): the function; dashed (orange): its derivative"
    words += "; dotted: the bound of the derivative" if "bound" in roles else ""
    return words + ("; thick: where the derivative is exactly 0" if "dead" in roles else "")


def _title(equations: Sequence[Equation]) -> str:
    """The names of all activations that are this function here."""
    return ", ".join(dict.fromkeys(spoken(activation_of(e) or "") for e in equations))


def _learns(equation: Equation) -> bool:
    return len(equation.reads) > 1


def _function(equation: Equation, derivation: Derivation) -> Expr | None:
    """The activation that an equation applies, as a function of X; None where it is no function of one number."""
    if activation_of(equation) is None or equation.body.has(Binder):
        return None
    tensor = argument(equation)
    starts: Mapping[Expr, object] = {e: derivation.forward.starts.get(e.tensor) for e in equation.body.atoms(Entry) if e.tensor != tensor}
    entries = [e for e in equation.body.atoms(Entry) if e.tensor == tensor]
    numbers = {e: s for e, s in starts.items() if isinstance(s, Expr)}
    if len(entries) != 1 or len(numbers) < len(starts):
        return None
    function = equation.body.xreplace({entries[0]: X, **numbers})
    return None if function == X or not function.has(X) else function


# -- curves ------------------------------------------------------------------------------------------------------------


@cache
def _plot(function: Expr, title: str) -> Plot | None:
    """None where a value of the formula cannot be computed."""
    slope = sp.diff(function, X)
    places = sorted({float(p) for p in branch_places(function) if abs(p) <= FARTHEST})
    left, right = (min(-SIDE, places[0] - BEYOND), max(SIDE, places[-1] + BEYOND)) if places else (-SIDE, SIDE)
    pieces = [left, *places, right]
    try:
        curves = [*_curves("forward", function, pieces), *_curves("backward", slope, pieces)]
        known = bound(function)
        marks = [] if known is None else list(_marks(known, slope, left, right))
    except NoValue:
        return None
    heights = [y for curve in (*curves, *marks) for _, y in curve.points]
    values = [function_of(e, {}, Sample({}, {}, {}, None)) for e in (function, slope)]
    samples = tuple((x, _at(values[0], x), _at(values[1], x)) for x in SAMPLED)
    return Plot(title, (*marks, *curves), (left, right), (min(heights), max(heights)), samples)


def _curves(role: CurveRole, e: Expr, pieces: Sequence[float]) -> Iterator[Curve]:
    """A curve between places where branches change, cut off where it is too high or too low."""
    function = function_of(e, {}, Sample({}, {}, {}, None))
    for left, right in pairwise(pieces):
        count = max(int(SAMPLES * (right - left) / (pieces[-1] - pieces[0])), 2)
        inner = [left + (right - left) * k / count for k in range(1, count)]
        points = [(x, _at(function, x)) for x in (left + INSIDE, *inner, right - INSIDE)]
        run: list[Point] = []
        for point in points:
            if abs(point[1]) <= HIGHEST:
                run.append(point)
            elif run:
                yield from _curve(role, run)
                run = []
        yield from _curve(role, run)


def _at(function: Function, x: float) -> float:
    return float(function(FLOAT64, FLOAT64.context.mpf(x)))


def _curve(role: CurveRole, run: Sequence[Point]) -> Iterator[Curve]:
    if len(run) > 1:
        yield Curve(role, tuple(thinned(run)))


def thinned(points: Sequence[Point]) -> list[Point]:
    """The points without those that lie on a straight line between others (Douglas and Peucker 1973)."""
    (ax, ay), (bx, by) = points[0], points[-1]
    off = [abs(ay + (by - ay) * (x - ax) / (bx - ax) - y) for x, y in points]
    far = max(range(len(points)), key=lambda k: off[k])
    if off[far] <= NEAR:
        return [points[0], points[-1]]
    return [*thinned(points[: far + 1])[:-1], *thinned(points[far:])]


def _marks(known: Bound, slope: Expr, left: float, right: float) -> Iterator[Curve]:
    """The bound of the derivative on the side where it is come near to, and the intervals on which the derivative is 0."""
    if known.bounded and known.most < HIGHEST:
        below = _at(function_of(slope, {}, Sample({}, {}, {}, None)), known.place) < 0
        most = -known.most if below else known.most
        yield Curve("bound", ((left, most), (right, most)), f"{'-' * below}{rounded_up(known.most)}")
    for low, high in known.dead:
        yield Curve("dead", ((max(left, float(low)), 0.0), (min(right, float(high)), 0.0)))
