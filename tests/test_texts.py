"""The numeric tutorial's networks through the real pipeline: spec, derivation, evaluator, generated module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tutorial import EXAMPLE, gradients

import derive
from derive.evaluate import evaluate, value

NETWORKS = Path(__file__).parent.parent / "networks"


@pytest.mark.parametrize("computed", [False, True], ids=["as written", "in stable form"])
def test_the_evaluator_reproduces_the_example(computed: bool) -> None:
    derivation = derive.differentiate(derive.load(NETWORKS / "worked_example.toml").program())
    program = derivation.computed if computed else derivation.forward
    found = evaluate(program, EXAMPLE)
    if not computed:
        for step in derivation.backward:
            found[step.equation.tensor.name] = value(step.equation.body, step.equation.indices, found, {"N": 1})
    for name, expected in gradients(EXAMPLE).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-14, err_msg=name)
