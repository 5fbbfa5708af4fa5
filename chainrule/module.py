"""What a generated module offers, as types."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

import codegen
from derive import Network

Array = npt.NDArray[Any]


Parameters = NamedTuple  # of arrays: the parameters of a network, or the gradient of its loss


class Module(Protocol):
    """The functions of a generated module. X and y hold the examples along their first axis; y holds what the loss takes.

    The options of loss and gradients are `sample_weight`, where the loss has weights of examples, and `seed`, where training draws
    random data, which `masks` shows. A loss that is not reduced is an array. The products are there where the spec asks for them.
    """

    def init(self, seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters: ...
    def predict(self, p: Parameters, X: Array) -> Array: ...
    def loss(self, p: Parameters, X: Array, y: Array, **options: Array) -> float | Array: ...
    def gradients(self, p: Parameters, X: Array, y: Array, **options: Array) -> tuple[float, Parameters]: ...
    def masks(self, N: int, seed: int = 0) -> dict[str, Array]: ...
    def jacobian_vector_product(self, p: Parameters, X: Array, direction: Parameters, X_direction: Array = ...) -> tuple[Array, Array]: ...
    def jacobian(self, p: Parameters, X: Array) -> tuple[Array, Array]: ...
    def hessian_vector_product(
        self, p: Parameters, X: Array, y: Array, v: Parameters, **options: Array
    ) -> tuple[float, Parameters, Parameters]: ...
    def train(
        self,
        p: Parameters,
        X: Array,
        y: Array,
        *,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        seed: int | np.random.Generator = 0,
        shuffle: bool = True,
        sample_weight: Array | None = None,
    ) -> tuple[Parameters, Array]: ...


def built(network: Network) -> Module:
    """The module of a network, rendered and imported."""
    return cast(Module, codegen.build(network))


def arrays(parameters: Parameters) -> dict[str, Array]:
    """The arrays by name."""
    return parameters._asdict()


def replaced(parameters: Parameters, name: str, array: Array) -> Parameters:
    """The parameters with another array under one name."""
    return parameters._replace(**{name: np.asarray(array)})  # NumPy gives a number for what is computed of an array without axes
