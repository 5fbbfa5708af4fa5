"""docs/spec.md says what specs may hold: its example loads, and its tables are those of the formulas."""

from __future__ import annotations

import re
from pathlib import Path

import derive
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES

PAGE = (Path(__file__).parent.parent / "docs" / "spec.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, str]:
    """The rows of the table below a heading: the first cell, and the last."""
    rows = re.findall(r"^\| `(\w+)` \|.*?([^|]*) \|$", PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0], re.MULTILINE)
    return {name: last.strip() for name, last in rows}


def test_the_example_uses_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    network = derive.loads(example)
    assert {"name", "inputs", "loss", "convention", "layers"} == network.model_fields_set
    assert set().union(*(layer.model_fields_set for layer in network.layers)) == {"kind", "units", "activation", "bias", "name"}


def test_the_activations_are_those_of_the_formulas() -> None:
    wanted = {kind: ", ".join(f"`{name} = {p.default}`" for name, p in a.parameters.items()) for kind, a in ACTIVATIONS.items()}
    assert table("Activations") == wanted


def test_the_losses_are_those_of_the_formulas() -> None:
    wanted: dict[str, list[str]] = {}
    for (kind, _), loss in LOSSES.items():
        options = [f"`{name} = {str(default).lower()}`" for name, default in loss.options.items()]
        wanted[kind] = ["`targets`"] if kind in wanted else options
    assert table("Losses") == {kind: ", ".join(options) for kind, options in wanted.items()}
