"""The committed modules: every shipped network as `chainrule verify` sees it, and against PyTorch's autograd."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

import pytest

import derive
from chainrule.module import Module, arrays
from chainrule.sample import sample
from chainrule.verify import verify_at
from tests.modules import interpreted_text
from tests.random_networks import autograd, point, worst_error

ROOT = Path(__file__).parent.parent
VANISHING = {"tiny_attention": ("bk3",)}  # a softmax does not see what is added to all of its inputs: the gradient is 0
SPECS = sorted((ROOT / "networks").glob("*.toml"))

# Between them every kind of layer and both ways to compute, in blocks and in whole batches. All others are dense layers in blocks.
COMPILED = ("digits", "lecture_bce", "lenet", "residual_mlp", "tiny_attention")


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem not in COMPILED)) for p in SPECS])
def test_a_shipped_module_is_right(path: Path) -> None:
    check(path, cast(Module, importlib.import_module(f"generated.{path.stem}")))


@pytest.mark.parametrize("path", [p for p in SPECS if p.stem not in COMPILED], ids=lambda path: path.stem)
def test_a_shipped_module_is_right_as_python_runs_it(path: Path) -> None:
    check(path, interpreted_text(path.stem, (ROOT / "generated" / f"{path.stem}.py").read_text(encoding="utf-8")))


def check(path: Path, module: Module) -> None:
    network = derive.load(path)
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
