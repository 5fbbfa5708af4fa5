"""JAX: value_and_grad of the loss, jitted, with the loop over the batches inside of the compiled code or outside.

Inside, a call runs any number of epochs: `fori_loop` over them, `scan` over the batches, so nothing is compiled anew for another
number. Where the data set has fewer than `LONG` batches, an iteration of the outer loop takes several epochs, so that `unroll=8` always
has eight steps to unroll.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.peers import Array, Run, mean_losses
from benchmarks.problem import Problem

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
lax: Any = jax.lax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")
jax.devices()  # the pool of threads is as large as the processors are at this moment

LONG = 32
ITERATIONS = 1024  # of the outer loop in a call, at most: there is room for their losses
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
HIDDEN: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "gelu": partial(jax.nn.gelu, approximate=False),
}


class Jax:
    """What both ways share: the step, and the forward pass as one jitted call."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.X, self.Y = jnp.asarray(problem.X), jnp.asarray(problem.Y)
        self.first = jnp.asarray(problem.X[0])
        self.forward = jax.jit(partial(prediction, problem))
        self.reset()

    def reset(self) -> None:
        layers = [tuple(jnp.array(a) for a in pair if a is not None) for pair in self.problem.paired(self.problem.parameters)]
        moments: Any = ()
        if self.problem.workload.optimizer == "adam":
            moments = (jnp.zeros((), self.problem.dtype), *([jnp.zeros_like(a) for a in self.problem.parameters] for _ in range(2)))
        self.state: Any = jax.block_until_ready((layers, moments))

    def parameters(self) -> list[Array]:
        return [np.asarray(a) for layer in self.state[0] for a in layer]

    def predict(self) -> Array:
        return np.asarray(self.forward(self.state[0], self.first))


class Scan(Jax):
    """The whole loop in one call."""

    def __init__(self, problem: Problem, unroll: int) -> None:
        batches = len(problem.X)
        self.together = 1 if batches >= LONG else -(-LONG // batches)  # epochs in an iteration of the outer loop
        self.epoch = jax.jit(partial(self._epochs, 1, unroll), donate_argnums=0)
        self.several = self.epoch if self.together == 1 else jax.jit(partial(self._epochs, self.together, unroll), donate_argnums=0)
        super().__init__(problem)
        self.train(self.together + 1)  # compiles both

    def train(self, epochs: int) -> Array:
        parts: list[Array] = []
        while epochs:
            together = self.together if epochs >= self.together else 1
            count = min(epochs // together, ITERATIONS)
            self.state, losses = (self.epoch if together == 1 else self.several)(self.state, count, self.X, self.Y)
            parts.append(np.asarray(losses)[:count].ravel())
            epochs -= count * together
        jax.block_until_ready(self.state)
        return np.concatenate(parts)

    def _epochs(self, together: int, unroll: int, state: Any, count: Any, X: Any, Y: Any) -> Any:
        batches = len(self.problem.X)
        losses = jnp.zeros((ITERATIONS, together), X.dtype)

        def step(state: Any, k: Any) -> Any:
            return one_step(self.problem, state, X[k], Y[k])

        def iteration(e: Any, carried: Any) -> Any:
            state, losses = carried
            order = jnp.tile(jnp.arange(batches), together)
            state, new = lax.scan(step, state, order, unroll=min(unroll, len(order)))
            return state, losses.at[e].set(new.reshape(together, batches).mean(axis=1))

        return lax.fori_loop(0, count, iteration, (state, losses))


class Step(Jax):
    """A call for every step."""

    def __init__(self, problem: Problem) -> None:
        self.step = jax.jit(partial(one_step, problem), donate_argnums=0)
        super().__init__(problem)
        self.batches = [(jnp.asarray(X), jnp.asarray(Y)) for X, Y in zip(problem.X, problem.Y, strict=True)]

    def train(self, epochs: int) -> Array:
        losses: list[Any] = []
        for _ in range(epochs):
            for X, Y in self.batches:
                self.state, loss = self.step(self.state, X, Y)
                losses.append(loss)
        jax.block_until_ready(self.state)
        return mean_losses(np.asarray(losses), epochs)


def logits(problem: Problem, layers: Any, X: Any) -> Any:
    """The last layer's output before its activation."""
    *hidden, last = layers
    values = X
    for layer in hidden:
        values = HIDDEN[problem.workload.hidden](affine(layer, values))
    return affine(last, values)


def affine(layer: Any, X: Any) -> Any:
    """X W^T + b, or without b."""
    return X @ layer[0].T + layer[1] if len(layer) > 1 else X @ layer[0].T


def prediction(problem: Problem, layers: Any, X: Any) -> Any:
    """The output for a batch."""
    return output(problem, logits(problem, layers, X))


def output(problem: Problem, Z: Any) -> Any:
    """The prediction."""
    if problem.workload.loss == "cross_entropy":
        return jax.nn.softmax(Z)
    return Z if problem.workload.output == "identity" else jax.nn.sigmoid(Z)


def loss_of(problem: Problem, layers: Any, X: Any, Y: Any) -> Any:
    """The mean loss of a batch."""
    Z = logits(problem, layers, X)
    kind = problem.workload.loss
    if kind == "cross_entropy":
        return -jnp.take_along_axis(jax.nn.log_softmax(Z), Y[:, None], axis=1).mean()
    if kind == "binary_cross_entropy":
        return (jax.nn.softplus(Z) - Z * Y).mean()
    return jnp.square(output(problem, Z) - Y).mean() * (0.5 if kind == "half_squared_error" else 1.0)


def one_step(problem: Problem, state: Any, X: Any, Y: Any) -> Any:
    """The state after a step of SGD or Adam, and the loss before it."""
    layers, moments = state
    rate = problem.workload.rate
    loss, gradient = jax.value_and_grad(partial(loss_of, problem))(layers, X, Y)
    flat, shape = jax.tree.flatten(layers)
    gradients = jax.tree.leaves(gradient)
    if not moments:
        return (shape.unflatten([w - rate * g for w, g in zip(flat, gradients, strict=True)]), ()), loss
    steps, m, v = moments[0] + 1, *moments[1:]
    m = [BETA1 * m + (1 - BETA1) * g for m, g in zip(m, gradients, strict=True)]
    v = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(v, gradients, strict=True)]
    scale, root = rate / (1 - BETA1**steps), jnp.sqrt(1 - BETA2**steps)
    new = [w - scale * m / (jnp.sqrt(v) / root + EPSILON) for w, m, v in zip(flat, m, v, strict=True)]
    return (shape.unflatten(new), (steps, m, v)), loss


RUNS: dict[str, Callable[[Problem], Run]] = {
    "jax_scan": partial(Scan, unroll=1),
    "jax_scan8": partial(Scan, unroll=8),
    "jax_step": Step,
}
