"""Where the computed form of a formula loses digits that its value has.

Every equation that applies a function entry by entry is evaluated in float64 as it is computed, at fixed inputs from 0 to 1e4 of both
signs, and as it is written in the mathematics with 400 digits. A number that is not finite where the true value is, or that is off by
more than 1e-8 of the larger of 1 and the true value, is a failure; a smaller number with fewer right digits is worth knowing only. Where
the true value moves by more than that when the input is rounded otherwise (at a jump, at a pole), no form could do better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

import numpy as np
from sympy import Expr

from chainrule.pointwise import GRID, Form, Pointwise, pointwise
from derive.derivation import Derivation
from derive.domains.digits import CONTEXT, Digits, RealNumber
from derive.domains.number import Outside
from derive.evaluate import evaluate
from derive.functions import AtLeast
from derive.proof.interpret import Interpreter

SIZES = (1e-20, 1e-8, 1e-3, 0.1, 0.5, 1.0, 3.0, 10.0, 20.0, 50.0, 100.0, 300.0, 700.0, 1000.0, 1e4)
INPUTS = (*(-x for x in reversed(SIZES)), 0.0, *SIZES)
DIGITS = 400  # exp(-1e4) is 1e-4343, but what is lost where it is added to a number near 1 is below every tolerance
RELATIVE = 1e-8  # a larger error, relative to the true value, is reported
ALLOWED = 1e-8  # a larger one, relative to the larger of 1 and the true value, is a failure
NOTHING = 1e-300  # numbers below count as 0


@dataclass(frozen=True)
class Loss:
    """An equation that loses accuracy, and the input at which it is worst, of equals the one nearest to 0: the value that it gives there,
    and the true one.

    swept: the tensor whose entry the input is. error: relative to the true value; infinite where the value is not finite, or not 0
    where it should be.
    """

    number: str
    tensor: str
    swept: str
    input: float
    value: float
    true: float
    error: float
    fails: bool


@dataclass(frozen=True)
class Accuracy:
    """How many equations were tried, and those that lose accuracy somewhere."""

    equations: int
    losses: tuple[Loss, ...]

    @property
    def holds(self) -> bool:
        return not any(loss.fails for loss in self.losses)

    def record(self) -> dict[str, object]:
        return {"holds": self.holds, "equations": self.equations, "losses": [asdict(loss) for loss in self.losses]}


def accuracy(derivation: Derivation) -> Accuracy:
    """Compare both forms of every equation that applies a function entry by entry; at most one loss for each, the worst."""
    known: dict[object, _Error | None] = {}  # layers of one kind have the same formulas
    tried: dict[str, None] = {}
    losses: dict[str, Loss] = {}
    for function in pointwise(derivation):
        key = (function.mathematical, function.computed, function.ordinary)
        if key not in known:
            known[key] = _worst(function)
        tried[function.number] = None
        error = known[key]
        if error is not None:
            loss = Loss(function.number, function.tensor, function.swept, error.input, error.value, error.true, error.relative, error.fails)
            losses[function.number] = max(losses.get(function.number, loss), loss, key=lambda found: (found.fails, found.error))
    return Accuracy(len(tried), tuple(losses.values()))


@dataclass(frozen=True)
class _Error:
    input: float
    value: float
    true: float

    @property
    def absolute(self) -> float:
        return abs(_counted(self.value) - self.true) if math.isfinite(self.value) else math.inf

    @property
    def relative(self) -> float:
        if self.absolute == 0:
            return 0.0
        return self.absolute / abs(self.true) if self.true else math.inf

    @property
    def fails(self) -> bool:
        return self.absolute > ALLOWED * max(1.0, abs(self.true))

    @property
    def rank(self) -> tuple[bool, float, float, float]:
        return (self.fails, self.relative, self.absolute, -abs(self.input))


def _worst(function: Pointwise) -> _Error | None:
    inputs = _allowed(function)
    values = _values(function, inputs)
    found: list[_Error] = []
    with CONTEXT.workdps(DIGITS):
        for x, value in zip(inputs, values, strict=True):
            true = _true(function, x)
            error = None if true is None else _Error(x, value, true)
            if error is not None and error.relative > RELATIVE and not _moves(function, error):
                found.append(error)
    return max(found, key=lambda error: error.rank, default=None)


def _moves(function: Pointwise, at: _Error) -> bool:
    """Whether a neighbour of the input in float64 has another true value, by more than is allowed."""
    neighbours = [_true(function, float(np.nextafter(at.input, toward))) for toward in (-math.inf, math.inf)]
    return any(true is None or abs(true - at.true) > ALLOWED * max(1.0, abs(at.true)) for true in neighbours)


def _allowed(function: Pointwise) -> tuple[float, ...]:
    """The inputs that the tensor may hold by its sign."""
    sign = function.mathematical.free.sign
    return tuple(x for x in INPUTS if sign == "real" or x > 0 or (sign == "nonnegative" and x == 0))


def _values(function: Pointwise, inputs: Sequence[float]) -> list[float]:
    """What the computed form gives in float64."""
    form = function.computed
    ordinary = {name: float(value) for name, value in function.ordinary}
    given = {form.free.name: np.array(inputs), **{t.name: np.float64(ordinary[t.name]) for t in form.ordinary}}
    return [float(v) for v in evaluate(form.program, given)[form.equations[-1].tensor.name]]


def _true(function: Pointwise, x: float) -> float | None:
    """The value of the mathematical form; None where it has none, where float64 cannot hold it, and where a declared floor binds."""
    ordinary = dict(function.ordinary)
    try:
        if any(e.body.has(bound) for e in function.computed.equations for bound in function.floors if e.body.has(AtLeast)):
            _exact(function.computed, x, ordinary, function.floors)
        true = _exact(function.mathematical, x, ordinary).value
    except Outside:
        return None
    if abs(true) > float(np.finfo(np.float64).max):
        return None
    return _counted(float(true))


def _counted(number: float) -> float:
    return 0.0 if abs(number) < NOTHING else number


def _exact(form: Form, x: float, ordinary: Mapping[str, Fraction], floors: Sequence[Expr] = ()) -> RealNumber:
    """The value of a form in many digits. Raises Outside where it has none."""
    domain = Digits()
    exact = Interpreter(domain, {GRID: 1}, {}, floors)
    exact.tables[form.free.name] = {(0,): domain.constant(Fraction(x))}
    for tensor in form.ordinary:
        exact.tables[tensor.name] = {(): domain.constant(ordinary[tensor.name])}
    for equation in form.equations:
        exact.define(equation)
    found = exact.tables[form.equations[-1].tensor.name][(0,)]
    assert isinstance(found, RealNumber)
    return found
