"""The committed modules, compiled: every shipped network as `chainrule verify` sees it, and against PyTorch's autograd."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

import pytest

import derive
from chainrule.module import Module, arrays
from chainrule.sample import sample
from chainrule.verify import verify_at
from tests.random_networks import autograd, point, worst_error

VANISHING = {"tiny_attention": ("bk3",)}  # a softmax does not see what is added to all of its inputs: the gradient is 0
SPECS = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_shipped_module_is_right(path: Path) -> None:
    network = derive.load(path)
    module = cast(Module, importlib.import_module(f"generated.{path.stem}"))
    found = verify_at(derive.differentiate(network.program()), network.program(mode="inference"), module, sample(network, module, 7, 0))
    assert found.holds, found
    smooth = [row.order for row in found.rows if not row.kinks and row.parameter not in VANISHING.get(path.stem, ())]
    assert all(order is not None and abs(order - 2) <= 0.05 for order in smooth), smooth

    at = point(network, 7, seed=1)
    p = module.init()._replace(**at.parameters)
    expected_loss, expected, _ = autograd(network, at)
    loss, gradient = module.gradients(p, at.X, at.y)
    assert loss == pytest.approx(expected_loss, rel=1e-12)
    assert worst_error(arrays(gradient), expected) <= 1e-12
