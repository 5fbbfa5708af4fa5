"""Exercises: numbers that a student can calculate with by hand, for a network that is small enough or is made so.

Weights, inputs and targets are small whole numbers and halves. Of many draws the first is taken in which no value is large, no unit
stands at a kink, and no gradient of a parameter is mostly zero or too small for the decimals that are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

import derive
from chainrule.kinks import Kinks, kinks
from chainrule.module import Array, Module, arrays
from chainrule.sample import Sample, in_order, sample
from chainrule.specs import InputError
from codegen.about import about
from derive import Network, SpecError
from derive.derivation import with_gradients
from derive.evaluate import evaluate
from derive.family import gradient_of
from derive.program import Program

MOST_VALUES = 150  # that a student computes
EXAMPLES = (2, 1)  # in an exercise, as far as MOST_VALUES allows
SMALL = (3, 2, 4)  # the sizes that larger ones become
DRAWS = 300
WEIGHTS = (-1.0, -0.5, 0.5, 1.0)
BIASES = (-1.0, -0.5, 0.0, 0.5, 1.0)
INPUTS = (-1.0, 0.5, 1.0, 2.0)
VALUES = (0.0, 0.5, 1.0)  # targets of a loss that takes any
TAME, FAINT = 4.0, 0.02  # how large a value of the forward pass may be, and how small the largest entry of a gradient


@dataclass(frozen=True)
class Sized:
    """A network for an exercise, the number of its examples, and what was made smaller: (16, 3) where 16 units have become 3."""

    network: Network
    examples: int
    changes: tuple[tuple[int, int], ...] = ()


def sized(network: Network, most_examples: int) -> Sized:
    """The network itself if it is small enough, else one of the same layers with fewer units.

    Raises InputError where neither is small enough.
    """
    for smaller, changes in _sizes(network):
        program = smaller.program()
        for examples in EXAMPLES:
            if examples <= most_examples and computed_values(program, examples) <= MOST_VALUES:
                return Sized(smaller, examples, changes)
    count = computed_values(network.program(), 1)
    raise InputError(
        f"{network.name} is too large for an exercise: found {count} numbers to compute for one example; right would be a spec of the same "
        f"structure with at most {MOST_VALUES} (two layers of 2 or 3 units, or a smaller shape)"
    )


def computed_values(program: Program, examples: int) -> int:
    """How many numbers a student computes: all values, as many gradients, and the parameters after the step."""
    forward = sum(math.prod(a.extent or examples for a in e.tensor.axes) for e in program.equations)
    inputs = sum(math.prod(a.extent or examples for a in t.axes) for t in program.inputs if t.values is None)
    return 2 * forward - 1 + inputs + 2 * sum(math.prod(a.extent or 1 for a in t.axes) for t in program.parameters)


def _sizes(network: Network) -> Iterator[tuple[Network, tuple[tuple[int, int], ...]]]:
    """The network, and one with small sizes in place of large ones where it has no other sizes than inputs and units."""
    yield network, ()
    if not isinstance(network.inputs, int):
        return
    fields: dict[str, Any] = network.model_dump(exclude_none=True, exclude_defaults=True)
    layers = [cast(dict[str, Any], layer.short()) for layer in network.layers]
    found = sorted({network.inputs, *(layer["units"] for layer in layers if "units" in layer)})
    free = [size for size in SMALL if size not in found]
    large = [size for size in found if size > max(SMALL)] if free else []
    becomes = dict(zip(large, sorted([*free, *[free[-1]] * len(large)][: len(large)]), strict=True)) if large else {}
    fields |= {"inputs": becomes.get(network.inputs, network.inputs), "loss": network.loss.short()}
    fields["layers"] = [layer | ({"units": becomes.get(layer["units"], layer["units"])} if "units" in layer else {}) for layer in layers]
    try:
        yield Network(**fields), tuple(becomes.items())
    except SpecError:
        return  # a part of the spec, such as the weights of classes, fits the old sizes only


# -- numbers -----------------------------------------------------------------------------------------------------------


def friendly(size: Sized, module: Module, seed: int) -> Sample:
    """A point of friendly numbers for a network's module; the same seed gives the same point.

    Raises InputError where none of the draws gives finite values.
    """
    network = size.network
    derivation = derive.differentiate(network.program())
    program = with_gradients(derivation.forward, derivation.backward)
    at_kinks = kinks(derivation.forward)
    random = np.random.default_rng(seed)
    best: tuple[float, Sample] | None = None
    for _ in range(DRAWS):
        at = _drawn(network, derivation.forward, module, size.examples, random)
        faults = _faults(program, derivation.forward, at_kinks, at)
        if best is None or faults < best[0]:
            best = (faults, at)
        if faults == 0:
            break
    if best is None or not math.isfinite(best[0]):
        raise InputError(f"{network.name}: no friendly numbers give finite values; right would be numbers of your own, with --numbers")
    return best[1]


def _drawn(network: Network, forward: Program, module: Module, examples: int, random: np.random.Generator) -> Sample:
    base = sample(network, module, examples, int(random.integers(2**31)))
    signs = {t.name: t.sign for t in forward.given}
    starts = {t.name: forward.starts.get(t, "weight") for t in forward.parameters}
    drawn: dict[str, Array] = {}
    for name, array in arrays(module.init()).items():
        start = starts.get(name)
        if start is None:
            drawn[name] = array  # a running statistic
            continue
        usual = WEIGHTS if isinstance(start, str) else _around(float(start))
        drawn[name] = np.asarray(random.choice(np.abs(usual) if signs[name] != "real" else usual, array.shape))
    parameters = base.parameters._replace(**drawn)
    X = base.X if base.X.dtype.kind in "iu" else random.choice(INPUTS, base.X.shape)
    return replace(base, parameters=parameters, X=X, y=_targets(network, base, random), weights=None)


def _around(start: float) -> tuple[float, ...]:
    return (start / 2, start, 2 * start) if start else BIASES


def _targets(network: Network, base: Sample, random: np.random.Generator) -> Array:
    """Whole numbers and halves of the kind that the loss takes."""
    match about(network).targets:
        case "unit":
            return random.integers(0, 2, base.y.shape).astype(np.float64)
        case "values":
            return np.asarray(random.choice(VALUES, base.y.shape))
        case _:
            return base.y


def _faults(program: Program, forward: Program, at_kinks: Kinks, at: Sample) -> float:
    """What is wrong with a point, the worst first: 0 for nothing, infinity where it has no values."""
    given = at.given(forward)
    try:
        values = evaluate(program, given)
    except ValueError:
        return math.inf
    if not all(np.all(np.isfinite(array)) for array in values.values()):
        return math.inf
    computed = [np.abs(values[e.tensor.name]) for e in forward.equations]
    gradients = [np.abs(values[gradient_of(t).name]) for t in forward.parameters]
    large = sum(float(array.max()) > TAME for array in computed)
    faint = sum(float(g.max()) < FAINT for g in (*gradients, *_by_example(program, forward, values)))
    empty = sum(2 * np.count_nonzero(g) < g.size for g in gradients)
    sides = _sides(at_kinks, given)
    kinked = sum(bool(np.any(side == 0)) for side in sides)
    one_sided = bool(sides) and len({bool(s) for side in sides for s in (side > 0).flat}) < 2
    alike = len(np.unique(at.X.reshape(len(at.X), -1), axis=0)) < len(at.X)
    return float(4 * alike + 4 * kinked + 3 * faint + 2 * empty + 2 * large + one_sided)


def _by_example(program: Program, forward: Program, values: Mapping[str, Array]) -> Iterator[Array]:
    """The magnitudes of every example's gradient of the value that the last equation with learned numbers gives."""
    last = next((e.tensor for e in reversed(forward.equations) if e.indices and any(t in forward.parameters for t in e.reads)), None)
    for equation in program.equations:
        if last is not None and equation.tensor == gradient_of(last):
            yield from np.abs(in_order(equation.tensor, values[equation.tensor.name]))


def _sides(at_kinks: Kinks, given: Mapping[str, Array]) -> Sequence[Array]:
    """How far every unit is from where its formula changes branch."""
    if not at_kinks.boundaries:
        return []
    values = evaluate(at_kinks.program, given)
    return [values[boundary.tensor.name] for boundary in at_kinks.boundaries]
