"""Random data that a network can be evaluated on: parameters, a few examples, and targets of the kind that its loss takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from chainrule.module import Array, Module, Parameters, arrays, replaced
from codegen.about import About, about
from codegen.arguments import Rows
from codegen.data import summed_axis
from codegen.schedule import run_time_axis
from derive import Network
from derive.index import Tensor
from derive.program import Program


@dataclass(frozen=True)
class Sample:
    """A point to evaluate at. The examples are the first axis of X, y, the weights and the masks, in every convention.

    weights: those of the examples, where the caller may give them; masks: what `loss` and `gradients` draw with their default seed;
    ignored: a label that counts nothing.
    """

    parameters: Parameters
    X: Array
    y: Array
    weights: Array | None = None
    masks: Mapping[str, Array] = field(default_factory=dict[str, Array])
    ignored: int | None = None

    @property
    def options(self) -> dict[str, Array]:
        """What loss and gradients take beside parameters, X and y."""
        return {} if self.weights is None else {"sample_weight": self.weights}

    def given(self, program: Program) -> dict[str, npt.NDArray[np.generic]]:
        """The tensors that the program is given, each array in the order of its tensor's axes."""
        data = dict(zip((t.name for t in (*program.inputs, *program.targets)), self._data(), strict=False))
        constants = {c.tensor.name: np.array([float(v) for v in c.values]) for c in program.constants}
        every = {**constants, **arrays(self.parameters), **data, **self.masks}
        return {t.name: ordered(t, every[t.name]) for t in program.given}

    def _data(self) -> tuple[Array, Array, Array]:
        """X, y and the weights as a program has them: an ignored label is any label with a weight of 0."""
        weights = np.ones(len(self.X)) if self.weights is None else self.weights
        if self.ignored is None:
            return self.X, self.y, weights
        counts = self.y != self.ignored
        return self.X, np.where(counts, self.y, 0), counts * (1.0 if self.weights is None else self.weights)

    def moved(self, name: str, array: Array) -> Sample:
        """The same data, with another array for one parameter."""
        return replace(self, parameters=replaced(self.parameters, name, array))


def sample(network: Network, module: Module, examples: int, seed: int) -> Sample:
    """Random parameters near the module's initial ones, normal inputs, random targets: the same seed gives the same values."""
    return sample_of(network.program(), about(network), module, examples, seed)


def sample_of(program: Program, words: About, module: Module, examples: int, seed: int) -> Sample:
    """A point of a program for a module of it."""
    random = np.random.default_rng(seed)
    parameters = module.init(seed)
    signs = {t.name: t.sign for t in program.given}
    for name, array in arrays(parameters).items():  # initial biases are all zero: no point to test at
        near = array + 0.1 * random.standard_normal(array.shape)
        parameters = replaced(parameters, name, near if signs[name] == "real" else np.abs(near))
    X, y, *weights = (Rows(t, run_time_axis(program)) for t in (*program.inputs, *program.targets))
    inputs, targets = _inputs(X, examples, random), _targets(y, words, program, examples, random)
    drawn = random.uniform(0.5, 2.0, _shape(weights[0], examples)) if weights and words.weighted else None
    masks = module.masks(examples) if program.draws else {}
    return Sample(parameters, inputs, targets, drawn, masks, words.ignored)


def _inputs(X: Rows, examples: int, random: np.random.Generator) -> Array:
    shape, tokens = _shape(X, examples), X.tensor.values
    return random.standard_normal(shape) if tokens is None else random.integers(0, tokens.extent or 1, shape)


def _targets(y: Rows, words: About, program: Program, examples: int, random: np.random.Generator) -> Array:
    shape = _shape(y, examples)
    match words.targets:
        case "labels":
            labels = random.integers(0, y.tensor.values.extent or 1 if y.tensor.values else 1, shape)
            return labels if words.ignored is None else _some_ignored(labels, words.ignored, random)
        case "probabilities":
            parts = random.uniform(0.1, 1.0, shape)
            return parts / parts.sum(axis=summed_axis(y, program), keepdims=True)
        case "log_probabilities":
            logits = random.standard_normal(shape)
            logarithms = logits - np.log(np.exp(logits).sum(axis=summed_axis(y, program), keepdims=True))
            return np.minimum(logarithms, 0.0)  # that of a single class may round to more
        case "unit":
            return random.uniform(0.0, 1.0, shape)
        case "values":
            return random.standard_normal(shape)
        case "signs":
            return random.choice([-1.0, 1.0], shape)
        case "counts":
            return random.poisson(2.0, shape).astype(np.float64)


def _some_ignored(labels: Array, ignored: int, random: np.random.Generator) -> Array:
    """The labels, some of them ignored, but not the first."""
    chosen = random.uniform(size=labels.shape) < 0.2
    chosen.flat[0] = False
    return np.where(chosen, ignored, labels)


def _shape(rows: Rows, examples: int) -> tuple[int, ...]:
    return (examples, *(a.extent or 1 for a in rows.each))


def in_order(tensor: Tensor, array: Array) -> Array:
    """The values of a tensor with the examples first; they are the axis whose extent is open."""
    return np.moveaxis(array, -1, 0) if _last(tensor) else array


def ordered(tensor: Tensor, rows: Array) -> Array:
    """An array that has the examples first in the order of the tensor's axes."""
    return np.moveaxis(rows, 0, -1) if _last(tensor) else rows


def _last(tensor: Tensor) -> bool:
    return bool(tensor.axes) and tensor.axes[-1].extent is None
