"""The short gradients that people know by heart are found, whatever the width, the reduction and the way the loss is written."""

from __future__ import annotations

import pytest
import sympy as sp

import derive
from derive.index import Delta

SPEC = """
name = "any"
inputs = 3
loss = {{ kind = "{loss}", reduction = "{reduction}" }}
layers = [ {{ kind = "dense", units = {units}{activation} }} ]
"""

CASES = [
    *[("binary_cross_entropy", ', activation = "sigmoid"', units) for units in (1, 2, 3)],
    *[("binary_cross_entropy_with_logits", "", units) for units in (1, 2)],
    ("softmax_cross_entropy", "", 2),
]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("loss", "activation", "units"), CASES)
def test_the_gradient_by_the_logits_is_a_difference(loss: str, activation: str, units: int, reduction: str) -> None:
    network = derive.loads(SPEC.format(loss=loss, reduction=reduction, units=units, activation=activation))
    derivation = derive.differentiate(network.program())
    known = {e.tensor.name: e.tensor for e in derivation.forward.equations}
    target = derivation.forward.targets[0]
    gradient = derivation.gradient(known["Z"]).equation
    n, c = gradient.indices
    wanted = Delta(target[n], c) if target.values else target[n, c]
    averaged = (n.axis,) if target.values or units == 1 else (n.axis, c.axis)
    count = sp.Mul(*[axis.count for axis in averaged]) if reduction == "mean" else 1
    assert gradient.body == (known["P"][n, c] - wanted) / count
