"""Derivations by the engine, and what their proof says: for the tests of the proof."""

from __future__ import annotations

from pathlib import Path

import derive
from derive.derivation import Derivation
from derive.proof import Verdict, prove

NETWORKS = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))


def network(activation: str, loss: str, depth: int = 2, target: str | None = None) -> derive.Network:
    wanted = f'{{ kind = "{loss}", targets = "{target}" }}' if target else f'"{loss}"'
    hidden = ", ".join(f'{{ kind = "dense", units = {3 + k % 2}, activation = "{activation}" }}' for k in range(depth - 1))
    last = "sigmoid" if loss == "binary_cross_entropy" else "identity"
    text = f'name = "t"\ninputs = 3\nloss = {wanted}\nlayers = [{hidden}, {{ kind = "dense", units = 3, activation = "{last}" }}]\n'
    return derive.loads(text)


def engine(activation: str, loss: str) -> Derivation:
    return derive.differentiate(network(activation, loss).program())


def failures(derivation: Derivation) -> list[Verdict]:
    return [v for v in prove(derivation) if not v.holds]


def first_failure(derivation: Derivation) -> Verdict:
    return next(v for v in prove(derivation) if not v.holds)
