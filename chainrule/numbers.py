"""The numbers of a document: a derivation worked out at a point, every result compared with what the generated module returns."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

import derive
from chainrule.given import Given
from chainrule.module import Array, Module, Parameters, arrays
from chainrule.sample import Sample, in_order, sample
from chainrule.specs import InputError
from codegen.about import about
from derive import Network
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.family import gradient_of
from derive.program import Program
from derive.worked import Worked, work

ALLOWED = 1e-12  # between two calculations of one value, relative to the largest of its kind


class Mismatch(Exception):
    """The module returns another number than the equations give: nothing is written then."""


def point(network: Network, module: Module, given: Given) -> Sample:
    """The point that a user gave. Raises InputError where something is missing, is not wanted, or does not fit."""
    names = list(arrays(module.init()))
    weighted = ["sample_weight"] if about(network).weighted else []
    _refuse_unknown(given, ["X", "y", *weighted, *names])
    missing = [name for name in ("X", "y", *names) if name not in given.arrays]
    if missing and given.seed is None:
        right = "an array for each, or seed = 0 for random numbers in place of all that is missing"
        raise InputError(f"{given.source}: found nothing for {', '.join(missing)}; right would be {right}")
    base = sample(network, module, given.count, given.seed or 0)
    parameters = base.parameters._replace(**{name: np.asarray(given.arrays[name], np.float64) for name in names if name in given.arrays})
    drawn = base.weights if given.seed is not None and not given.arrays else None
    X, y = given.arrays.get("X", base.X), given.arrays.get("y", base.y)
    at = replace(base, parameters=parameters, X=X, y=y, weights=given.arrays.get("sample_weight", drawn))
    try:
        module.gradients(at.parameters, at.X, at.y, **at.options)
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"{given.source}: {error}") from error
    return replace(at, y=np.reshape(at.y, base.y.shape))


def _refuse_unknown(given: Given, known: list[str]) -> None:
    for name in given.arrays:
        if name not in known:
            near = difflib.get_close_matches(name[:100], [*known, "learning_rate", "seed"], n=1)
            guess = f" (did you mean {near[0]}?)" if near else ""
            raise InputError(f"{given.source}: found {name[:40]!r}{guess}; right would be {', '.join(known)}, learning_rate, seed")


def worked_at(network: Network, derivation: Derivation, module: Module, at: Sample, rate: float) -> Worked:
    """A derivation of a network, of a batch or of a single example, at a point.

    Raises InputError where it cannot be worked out there, Mismatch where the network's module returns other numbers.
    """
    batch = network.program()
    try:
        worked = work(derivation, _in_order(at.given(batch), batch, derivation.forward), rate)
    except ValueError as error:
        raise InputError(f"{network.name}: {error}") from error
    _compare_stable(worked)
    _compare_module(worked, module, at)
    return worked


def _in_order(given: Mapping[str, Array], batch: Program, program: Program) -> dict[str, Array]:
    """The given arrays of a batch as a program wants them: of one example where that has no axis of examples."""
    found: dict[str, Array] = {}
    for wanted, tensor in zip(program.given, batch.given, strict=True):
        array = given[tensor.name]
        if len(wanted.axes) < len(tensor.axes):
            axis = next(k for k, a in enumerate(tensor.axes) if a.extent is None)
            if array.shape[axis] != 1:
                raise InputError(f"the derivation is of a single example, and the numbers hold {array.shape[axis]}; right would be one")
            array = np.take(array, 0, axis)
        found[wanted.name] = array
    return found


# -- comparing ---------------------------------------------------------------------------------------------------------


def _compare_stable(worked: Worked) -> None:
    """Every value of the derivation against the stable form that code implements."""
    forward = worked.derivation.forward
    plain = derive.differentiate(replace(forward, products=())) if forward.products else worked.derivation
    computed = evaluate(plain.computed, {t.name: worked.values[t.name] for t in plain.computed.given})
    scale, learned = _scale(worked), {gradient_of(t).name for t in forward.parameters}
    for name, array in computed.items():
        if name in worked.values:
            _demand_equal(name, worked.values[name], array, "the stable form of its equation", scale if name in learned else 0.0)


def _compare_module(worked: Worked, module: Module, at: Sample) -> None:
    """Loss, prediction, gradients, step, and the loss after it against what the module returns."""
    forward, values = worked.derivation.forward, worked.values
    prediction, loss = forward.outputs[0], forward.outputs[-1].name
    found, gradient = module.gradients(at.parameters, at.X, at.y, **at.options)
    _demand_equal(loss, np.sum(values[loss]), np.asarray(found), "gradients")
    _demand_equal(loss, np.sum(values[loss]), np.sum(module.loss(at.parameters, at.X, at.y, **at.options)), "loss")
    scale = _scale(worked)
    for tensor in forward.parameters:
        name = gradient_of(tensor).name
        _demand_equal(name, values[name], arrays(gradient)[tensor.name], "gradients", scale)
    if not (forward.draws or forward.statistics):  # `predict` computes what training does
        one = in_order(prediction, values[prediction.name])
        _demand_equal(prediction.name, one, np.reshape(module.predict(at.parameters, at.X), one.shape), "predict")
    after = _trained(worked, module, at)
    for name, array in worked.after.items():
        _demand_equal(f"{name} after the step", array, arrays(after)[name], "train")
    again = np.sum(module.loss(after, at.X, at.y, **at.options))
    _demand_equal(f"{loss} after the step", np.sum(worked.loss), again, "loss")


def _scale(worked: Worked) -> float:
    """The largest entry of a parameter's gradient: what gradients that are 0 but for rounding are compared by."""
    names = [gradient_of(t).name for t in worked.derivation.forward.parameters]
    return max((float(np.abs(worked.values[name]).max()) for name in names), default=0.0)


def _trained(worked: Worked, module: Module, at: Sample) -> Parameters:
    """The module's parameters after one step on all examples."""
    size, rate = len(at.X), worked.learning_rate
    if at.weights is None:
        after, _ = module.train(at.parameters, at.X, at.y, epochs=1, batch_size=size, learning_rate=rate, shuffle=False)
    else:
        after, _ = module.train(
            at.parameters, at.X, at.y, epochs=1, batch_size=size, learning_rate=rate, shuffle=False, sample_weight=at.weights
        )
    return after


def _demand_equal(name: str, expected: npt.ArrayLike, found: npt.ArrayLike, by: str, scale: float = 0.0) -> None:
    """Raise Mismatch unless two arrays are equal up to rounding. scale: the size that differences are relative to, if that is larger."""
    wanted, there = (np.asarray(array, dtype=np.float64) for array in (expected, found))
    size = max(scale, float(np.abs(wanted).max(initial=0.0)), float(np.finfo(np.float64).tiny))
    off = float(np.abs(there - wanted).max(initial=0.0)) / size
    if not off <= ALLOWED:
        where = by if " " in by else f"`{by}` of the generated module"
        raise Mismatch(f"{name}: {where} gives a value that differs by {off:.1e} of its size from that of its equation; nothing is written")
