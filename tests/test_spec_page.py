"""docs/spec.md says what specs may hold: its example loads; docs/operations.md has a row for every formula."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import derive
from chainrule.operations import page
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES, PENALTIES
from derive.formulas.operation import Operation

PAGE = (Path(__file__).parent.parent / "docs" / "spec.md").read_text(encoding="utf-8")


EXAMPLE, *SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
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


def test_every_operation_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", page(), re.MULTILINE)
    assert rows == [*ACTIVATIONS, *(kind for kind, _ in LOSSES), *PENALTIES]


def test_a_new_activation_has_its_row_and_its_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "square", Operation("x**2", "here"))
    assert "| `square` |  | `H1[n,j] = A1[n,j]**2` | `dA1[n,j] = 2 A1[n,j] dH1[n,j]` | here |" in page()
