"""Random data that a network can be evaluated on: parameters, a few examples, and targets of the kind that its loss takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.module import Array, Module, Parameters, arrays, replaced
from derive import Network
from derive.index import Tensor
from derive.program import Program


@dataclass(frozen=True)
class Sample:
    """A point to evaluate at. Examples are rows of X and of y, in every convention."""

    parameters: Parameters
    X: Array
    y: Array

    def given(self, program: Program) -> dict[str, npt.NDArray[np.generic]]:
        """The tensors that the program is given, each array in the order of its tensor's axes."""
        data = {program.inputs[0].name: _ordered(program.inputs[0], self.X), program.targets[0].name: _ordered(program.targets[0], self.y)}
        return {**data, **arrays(self.parameters)}

    def moved(self, name: str, array: Array) -> Sample:
        """The same data, with another array for one parameter."""
        return Sample(replaced(self.parameters, name, array), self.X, self.y)


def sample(network: Network, module: Module, examples: int, seed: int) -> Sample:
    """Random parameters near the module's initial ones, normal inputs, random targets: the same seed gives the same values."""
    random = np.random.default_rng(seed)
    parameters = module.init(seed)
    for name, array in arrays(parameters).items():  # initial biases are all zero: no point to test at
        parameters = replaced(parameters, name, array + 0.1 * random.standard_normal(array.shape))
    inputs = random.standard_normal((examples, network.inputs))
    return Sample(parameters, inputs, _targets(network, examples, random))


def _targets(network: Network, examples: int, random: np.random.Generator) -> Array:
    shape = (examples, network.outputs)
    match network.loss.targets:
        case "labels":
            return random.integers(0, network.outputs, examples)
        case "probabilities":
            weights = random.uniform(0.1, 1.0, shape)
            return weights / weights.sum(axis=1, keepdims=True)
        case "unit":
            return random.uniform(0.0, 1.0, shape)
        case "values":
            return random.standard_normal(shape)


def _ordered(tensor: Tensor, rows: Array) -> Array:
    """An array of examples in the order of the tensor's axes; the examples are the axis whose extent is open."""
    return rows if tensor.axes[0].extent is None else rows.T
