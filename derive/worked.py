"""A derivation at given numbers: the value of every tensor, one step of gradient descent, and the loss after it.

The values are those of the equations as they are derived, by the plain evaluation of derive/evaluate.py. What a module computes, from the
stable forms, is compared with them in chainrule/numbers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from derive.derivation import Derivation, with_gradients
from derive.evaluate import Given, evaluate, value
from derive.formulas.optimisers import OPTIMISERS
from derive.index import Entry, Tensor
from derive.update import updated


@dataclass(frozen=True)
class Worked:
    """A derivation in numbers; every array has the axes of its tensor.

    values: the given tensors, the forward pass and the gradients, by name. after: the parameters and running statistics after one step,
    by name; loss: the loss there.
    """

    derivation: Derivation
    values: Mapping[str, Given]
    learning_rate: float
    after: Mapping[str, Given]
    loss: Given


def work(derivation: Derivation, given: Mapping[str, npt.ArrayLike], learning_rate: float) -> Worked:
    """Evaluate a derivation, take one step on all its parameters, and evaluate the loss again.

    given: an array for every given tensor of the forward program. Raises ValueError where an array does not fit, as `evaluate` does, and
    where a value is not finite.
    """
    forward = derivation.forward
    program = with_gradients(forward, derivation.backward)
    values = evaluate(program, given)
    for tensor in (*program.given, *(e.tensor for e in program.equations)):
        _demand_finite(tensor.name, values[tensor.name], "smaller numbers")
    after = {t.name: _stepped(t, derivation, values, learning_rate) for t in forward.parameters}
    after |= {s.tensor.name: values[s.update.name] for s in forward.statistics}
    loss = forward.outputs[-1].name
    again = evaluate(forward, {t.name: after.get(t.name, values[t.name]) for t in forward.given})[loss]
    _demand_finite(f"{loss} after the step", again, "a smaller learning rate")
    return Worked(derivation, values, learning_rate, after, again)


def _stepped(parameter: Tensor, derivation: Derivation, values: Mapping[str, Given], learning_rate: float) -> Given:
    """The parameter after one step of gradient descent, by the optimiser's formula."""
    gradient = derivation.gradient(parameter).equation
    rate = Tensor("eta")
    body = updated(OPTIMISERS["SGD"], Entry(parameter, *gradient.indices), gradient.entry, rate.entry())
    return value(body, gradient.indices, {**values, rate.name: np.asarray(learning_rate)}, {})


def _demand_finite(name: str, array: Given, right: str) -> None:
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = f"[{', '.join(map(str, wrong[0]))}]" if array.ndim else ""
        raise ValueError(f"{name}{place} is {array[tuple(wrong[0])]} as the formulas stand: right would be {right}")
