"""Whether a generated module computes the gradient: against finite differences, by the order of its Taylor remainder, and against
the plain evaluation of the equations of the derivation. Where its formulas lose digits, chainrule/accuracy.py finds out.

Differences are relative to the largest entry of the whole gradient: relative to an entry that is nearly zero they would mean
nothing. Finite differences in float64 with the steps taken here are good to about nine digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import derive
from chainrule import lost
from chainrule.accuracy import Accuracy, accuracy
from chainrule.kinks import Kinks, kinks
from chainrule.module import Array, Module, arrays, built
from chainrule.products import ProductRow, motion, product_rows
from chainrule.progress import Report, silent
from chainrule.sample import Sample, in_order, sample
from chainrule.specs import InputError
from chainrule.taylor import Remainder, remainder
from derive import Network
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.family import gradient_of
from derive.program import Program

STEP = 6e-6  # the cube root of float64's precision: rounding and truncation of a central difference balance
DIFFERENCE = 1e-7  # allowed between a gradient and its finite differences, beside the rounding of these
NAIVE = 1e-12  # allowed between a gradient and the plain evaluation of its equations
SLIGHT = 1e-4  # a difference up to which it may be the plain evaluation that has lost digits
ROUNDED = 100 * float(np.finfo(np.float64).eps)  # of numbers like 1 that are rounded: a gradient below it may be nothing else
ORDER = 0.05  # allowed between the order of the Taylor remainder and 2
MOST_PROBES = 2000  # entries of one parameter that finite differences are taken for
MOST_STRADDLED = 100  # entries of one parameter that may straddle a kink
DIRECTIONS = 4  # tried before an order counts as wrong: one may straddle a kink, or have no second derivative


@dataclass(frozen=True)
class Row:
    """What was found for one parameter; `linear` says that the loss has no second order along it that float64 can show."""

    parameter: str
    probes: int
    entries: int
    difference: float
    order: float | None
    naive: float
    kinks: tuple[str, ...]
    difference_holds: bool
    order_holds: bool
    naive_holds: bool

    @property
    def linear(self) -> bool:
        return self.order is None

    @property
    def holds(self) -> bool:
        return self.difference_holds and self.order_holds and self.naive_holds


@dataclass(frozen=True)
class Verification:
    """A row for each parameter, how far the loss and the prediction are from their plain evaluation, relative to their size, and where
    the formulas lose accuracy.
    """

    network: str
    examples: int
    seed: int
    rows: tuple[Row, ...]
    loss: float
    prediction: float
    accuracy: Accuracy
    products: tuple[ProductRow, ...] = ()

    @property
    def loss_holds(self) -> bool:
        return self.loss <= NAIVE

    @property
    def prediction_holds(self) -> bool:
        return self.prediction <= NAIVE

    @property
    def holds(self) -> bool:
        parts = self.loss_holds and self.prediction_holds and self.accuracy.holds
        return parts and all(row.holds for row in (*self.rows, *self.products))

    def record(self) -> dict[str, object]:
        rows = [{**asdict(row), "linear": row.linear, "holds": row.holds} for row in self.rows]
        found = {"loss": self.loss, "prediction": self.prediction, "rows": rows, "accuracy": self.accuracy.record()}
        found["products"] = [row.record() for row in self.products]
        return {"network": self.network, "holds": self.holds, "examples": self.examples, "seed": self.seed, **found}


def verify(network: Network, examples: int = 7, seed: int = 0, report: Report = silent) -> Verification:
    """Build the network's module and verify it at a random point. Raises InputError where the loss cannot be evaluated there."""
    report(f"deriving {network.name}")
    derivation = derive.differentiate(network.program())
    report(f"compiling {network.name}")
    module = built(network)
    at = sample(network, module, examples, seed)
    try:
        return verify_at(derivation, network.program(mode="inference"), module, at, seed, report)
    except ValueError as error:
        raise InputError(f"{network.name} cannot be evaluated at random data: {error}") from error


def verify_at(
    derivation: Derivation, inference: Program, module: Module, at: Sample, seed: int = 0, report: Report = silent
) -> Verification:
    """Verify a module at one point: a row for each parameter, in the order of the module's parameters.

    inference: the program whose first output `predict` computes.
    """
    forward = derivation.forward
    value, claimed = module.gradients(at.parameters, at.X, at.y, **at.options)
    gradient = {t.name: arrays(claimed)[t.name].copy() for t in forward.parameters}
    along = motion(derivation, at, seed)
    given = {**at.given(forward), **along.given(derivation)}
    plain = evaluate(derivation.mathematical, given)
    expected = _gradients(forward, plain)
    scale = largest(expected.values())
    digits = 0.0
    if scale < ROUNDED or NAIVE < _distance(gradient, expected) / scale < SLIGHT:
        digits = lost.allowed(derivation.mathematical, given, [gradient_of(t).name for t in forward.parameters])
    scale = 1.0 if scale <= digits else scale  # the whole gradient is 0: what there is of it is rounding
    rounding = ROUNDED * abs(value) / STEP / scale  # of the loss, in a finite difference
    branches = kinks(forward)
    probe = _Probe(module, at, gradient, branches, scale, DIFFERENCE + rounding, NAIVE + digits / scale)
    rows: list[Row] = []
    for k, parameter in enumerate(forward.parameters):
        report(f"verifying {forward.name}: {parameter.name}", k, len(gradient))
        rows.append(probe.row(parameter.name, expected[parameter.name], np.random.default_rng([seed, k])))
    loss = float(plain[forward.outputs[-1].name])
    off = max(abs(value - loss), abs(probe.loss(at) - loss)) / max(abs(loss), 1.0)
    report(f"verifying {forward.name}: products and accuracy", len(gradient), len(gradient))
    products = tuple(product_rows(derivation, module, at, along, plain, branches))
    prediction = _prediction(inference, module, at)
    return Verification(forward.name, len(at.X), seed, tuple(rows), off, prediction, accuracy(derivation), products)


def _gradients(forward: Program, values: Mapping[str, npt.NDArray[Any]]) -> dict[str, Array]:
    return {t.name: np.asarray(values[gradient_of(t).name], dtype=np.float64) for t in forward.parameters}


def _distance(found: Mapping[str, Array], other: Mapping[str, Array]) -> float:
    """The largest difference of two entries; infinity where one is NaN."""
    worst = float(np.max([np.abs(found[name] - values).max() for name, values in other.items()]))
    return worst if math.isfinite(worst) else math.inf


def _prediction(inference: Program, module: Module, at: Sample) -> float:
    """How far the prediction is from its plain evaluation, relative to its largest entry."""
    tensor = inference.outputs[0]
    expected = in_order(tensor, evaluate(inference, at.given(inference))[tensor.name])
    found = module.predict(at.parameters, at.X)
    return float(np.abs(found - expected).max()) / max(largest([expected]), 1.0)


def largest(found: Iterable[Array]) -> float:
    """The largest magnitude of any entry; 1 where all are zero."""
    return max((float(np.abs(array).max()) for array in found), default=0.0) or 1.0


@dataclass(frozen=True)
class _Probe:
    """A module at a point, with the gradient that it claims there and the size that differences are relative to."""

    module: Module
    at: Sample
    gradient: dict[str, Array]
    kinks: Kinks
    scale: float
    allowed: float  # between the gradient and its finite differences
    allowed_naive: float  # between the gradient and the plain evaluation of its equations

    def row(self, name: str, expected: Array, random: np.random.Generator) -> Row:
        entries = self.gradient[name].size
        probes = np.sort(random.permutation(entries)[:MOST_PROBES])
        difference, near = self._differences(name, probes)
        order, near_line = self._order(name, random)
        naive = float(np.abs(self.gradient[name] - expected).max()) / self.scale
        holds = difference <= self.allowed
        order_holds = order.order is None or abs(order.order - 2) <= ORDER or bool(near_line)
        units = tuple(dict.fromkeys((*near, *near_line)))
        return Row(name, len(probes), entries, difference, order.order, naive, units, holds, order_holds, naive <= self.allowed_naive)

    def loss(self, at: Sample) -> float:
        """The loss, as `gradients` gives it: the sum of what is not reduced."""
        return float(np.sum(self.module.loss(at.parameters, at.X, at.y, **at.options)))

    def _differences(self, name: str, probes: Array) -> tuple[float, tuple[str, ...]]:
        """The worst relative difference from central differences over the entries that straddle no kink, and the units at kinks."""
        errors = {int(k): self._difference(name, int(k)) for k in probes}
        near: list[str] = []
        ranked = sorted(errors, key=lambda k: -errors[k] if math.isfinite(errors[k]) else -math.inf)
        for entry in ranked[:MOST_STRADDLED]:
            if errors[entry] <= self.allowed:
                break
            straddled = self.kinks.between([at.given(self.kinks.program) for at in (self.at, *self._neighbours(name, entry)[:2])])
            if not straddled:
                break
            near.extend(straddled)
            del errors[entry]
        return max((e if math.isfinite(e) else math.inf for e in errors.values()), default=0.0), tuple(near)

    def _difference(self, name: str, entry: int) -> float:
        low, high = self._neighbours(name, entry)
        width = float(arrays(high.parameters)[name].flat[entry] - arrays(low.parameters)[name].flat[entry])
        return abs((self.loss(high) - self.loss(low)) / width - float(self.gradient[name].flat[entry])) / self.scale

    def _neighbours(self, name: str, entry: int) -> tuple[Sample, Sample]:
        array = arrays(self.at.parameters)[name]
        step = STEP * max(1.0, abs(float(array.flat[entry])))
        low, high = array.copy(), array.copy()
        low.flat[entry] -= step
        high.flat[entry] += step
        return self.at.moved(name, low), self.at.moved(name, high)

    def _order(self, name: str, random: np.random.Generator) -> tuple[Remainder, tuple[str, ...]]:
        """The order along a random direction of one parameter, and the units at kinks where every direction straddled one."""
        array = arrays(self.at.parameters)[name]
        found, near = Remainder(None, 0.0), ()
        for _ in range(DIRECTIONS):
            direction = random.uniform(-1.0, 1.0, array.shape)

            def along(h: float, direction: Array = direction) -> Sample:
                return self.at.moved(name, array + h * direction)

            slope = float((self.gradient[name] * direction).sum())
            found = remainder(lambda h, along=along: self.loss(along(h)), slope, scale=self.scale)
            if found.order is None or abs(found.order - 2) <= ORDER:
                return found, ()
            near = self.kinks.between([at.given(self.kinks.program) for at in (self.at, along(found.reach))])
            if not near:
                # where the second derivative nearly vanishes, float64 shows the third order: only longer numbers reach smaller steps
                found = remainder(lambda h, along=along: self._long_loss(along(h)), slope, np.longdouble, self.scale)
                if found.order is not None and abs(found.order - 2) <= ORDER:
                    return found, ()
        return found, near

    def _long_loss(self, at: Sample) -> np.longdouble:
        """The loss by plain evaluation in the longest floating point numbers of the machine."""
        program = self.kinks.program
        return np.asarray(evaluate(program, lost.longer(at.given(program)))[program.outputs[-1].name], dtype=np.longdouble).reshape(1)[0]
