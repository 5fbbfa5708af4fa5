"""docs/spec.md says what specs may hold: its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import derive

PAGE = (Path(__file__).parent.parent / "docs" / "spec.md").read_text(encoding="utf-8")


def test_the_example_uses_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    network = derive.loads(example)
    assert {"name", "inputs", "loss", "convention", "layers"} == network.model_fields_set
    assert set().union(*(layer.model_fields_set for layer in network.layers)) == {"kind", "units", "activation", "bias", "name"}
