"""docs/spec.md says what specs may hold: its examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import derive

PAGE = (Path(__file__).parent.parent / "docs" / "spec.md").read_text(encoding="utf-8")


EXAMPLE, *BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SPECS = [block for block in BLOCKS if block.startswith("name")]
SNIPPETS = [block for block in BLOCKS if block not in SPECS]
LINES = [line for block in SNIPPETS for line in ([block] if '"""' in block else block.splitlines())]


def test_the_example_uses_every_key() -> None:
    network = derive.loads(EXAMPLE)
    assert {"name", "inputs", "loss", "convention", "layers"} == network.model_fields_set
    assert set().union(*(layer.model_fields_set for layer in network.layers)) == {"kind", "units", "activation", "bias", "name"}


@pytest.mark.parametrize("line", LINES)
def test_every_line_can_stand_in_a_spec(line: str) -> None:
    loss, activation = ("", "") if line.startswith("loss") else ('loss = "l1"', f", {line}")
    network = derive.loads(f"""name = "shown"\ninputs = 2\n{loss or line}\nlayers = [{{ kind = "dense", units = 3{activation} }}]\n""")
    assert derive.loads(network.to_toml()) == network


@pytest.mark.parametrize("spec", SPECS)
def test_every_spec_loads(spec: str) -> None:
    network = derive.loads(spec)
    assert derive.loads(network.to_toml()) == network


def test_products_are_those_of_the_page() -> None:
    (line,) = re.findall(r"`(products = \[.*\])`", PAGE)
    assert derive.loads(f"{line}\n{EXAMPLE}").products == ("jvp", "jacobian", "hvp")
