"""Generated modules for tests: compiled ones, and ones that Python itself runs, which need no compilation."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import special

from codegen.cache import imported
from codegen.render import render
from derive import Network, differentiate

# NumPy's functions give infinity and NaN where those of Python's math raise
NUMPY_MATH = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    tanh=np.tanh,
    log1p=np.log1p,
    copysign=np.copysign,
    expm1=np.expm1,
    erf=special.erf,
    erfc=special.erfc,
    prod=math.prod,
    sqrt=math.sqrt,
    pi=math.pi,
    isfinite=math.isfinite,
    isnan=math.isnan,
)


def network(inputs: int, layers: list[tuple[int, str]], loss: object, convention: str = "rows") -> Network:
    """A network of dense layers, each given by its units and its activation."""
    fields: dict[str, Any] = {
        "name": "tested",
        "inputs": inputs,
        "loss": loss,
        "convention": convention,
        "layers": [{"kind": "dense", "units": units, "activation": activation} for units, activation in layers],
    }
    return Network(**fields)


def text_of(network: Network) -> str:
    """The text of a network's module."""
    return render(differentiate(network.program()), network)


def interpreted(network: Network) -> Any:
    """The module of a network, run by Python."""
    return interpreted_text(network.name, text_of(network))


def interpreted_text(name: str, text: str) -> Any:
    """A module from its text, run by Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.DISABLE_JIT", 1)
        module: Any = imported(name, text, f"<{name}>")
    module.math = NUMPY_MATH
    return module


def parameters(module: Any, *arrays: object, dtype: type = np.float64) -> Any:
    """The module's Parameters from nested lists."""
    return module.Parameters(*(np.array(a, dtype) for a in arrays))
