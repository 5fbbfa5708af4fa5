"""Who is measured, and what each of them must be able to do.

A peer stands in a file of this package, which imports its library; a file is imported only in the process that runs it, so that a library
that is not installed is one peer less and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from benchmarks.problem import Problem

Array = npt.NDArray[Any]
OURS = "chainrule"


class DoesNotFit(Exception):
    """The peer cannot compute this network with this loss; no fault of either."""


class Run(Protocol):
    """A network in the hands of a peer. What is done before the first `train` (compiling, copying data) is not timed."""

    def reset(self) -> None:
        """The weights, and what the optimiser remembers, as at the start."""
        ...

    def train(self, epochs: int) -> Array:
        """Pass over all batches in their order, `epochs` times, and give the mean loss of each epoch, once all of it is computed."""
        ...

    def parameters(self) -> list[Array]:
        """W1, b1, W2, b2, ... as they are now, weights [outputs, inputs]; no array for a bias that the network has not."""
        ...

    def predict(self) -> Array:
        """The network's output on the first batch: probabilities for cross-entropies. Computed when it returns."""
        ...


@dataclass(frozen=True)
class Peer:
    """name: in tables and on the command line; file: in this package; needs: the library to import; family: whose entry it is.

    forward: whether its forward pass is measured (where ways of training share one, only one does that); slow_to_compile: it takes
    seconds for each case, and is left out where that would say nothing: see `Bench`.
    """

    name: str
    file: str
    needs: str
    family: str
    title: str
    forward: bool = True
    slow_to_compile: bool = False


PEERS = (
    Peer(OURS, "module", "numba", OURS, "the generated module"),
    Peer("numpy", "by_hand", "numpy", "NumPy", "NumPy by hand, arrays allocated once"),
    Peer("torch_eager", "pytorch", "torch", "PyTorch", "autograd, update by `_foreach` functions or fused Adam"),
    Peer(
        "torch_manual", "pytorch", "torch", "PyTorch", "backward pass by hand, update fused into the product of the gradient", forward=False
    ),
    Peer(
        "torch_compile",
        "pytorch",
        "torch",
        "PyTorch",
        "`torch.compile` of the whole step, static shapes, C++ wrapper",
        slow_to_compile=True,
    ),
    Peer("jax_scan", "jax_loops", "jax", "JAX", "all epochs in one jitted call, `lax.scan` over the batches", forward=False),
    Peer("jax_scan8", "jax_loops", "jax", "JAX", "the same, `unroll=8`", forward=False),
    Peer("jax_step", "jax_loops", "jax", "JAX", "one jitted step a call, parameters donated"),
    Peer(
        "pytensor",
        "pytensor_numba",
        "pytensor",
        "PyTensor",
        "one compiled step a call, mode NUMBA, data and weights shared",
        slow_to_compile=True,
    ),
    Peer("sklearn", "sklearn_mlp", "sklearn", "scikit-learn", "`MLPClassifier.partial_fit`, an epoch a call"),
)


def installed(peer: Peer) -> bool:
    """Whether the peer's library is there."""
    return find_spec(peer.needs) is not None


def start(peer: str, problem: Problem) -> Run:
    """A run of a peer. Raises DoesNotFit, and whatever its library raises."""
    return library(peer)[peer](problem)


def library(peer: str) -> Mapping[str, Callable[[Problem], Run]]:
    """How to start each of the peers that share a file with this one; imports their library."""
    (file,) = [p.file for p in PEERS if p.name == peer]
    return cast(Mapping[str, Callable[[Problem], Run]], import_module(f"benchmarks.peers.{file}").RUNS)


def mean_losses(losses: Array, epochs: int) -> Array:
    """The loss of each epoch from the losses of all steps."""
    return np.asarray(losses, np.float64).reshape(epochs, -1).mean(axis=1)
