"""docs/add-an-operation.md: the lines that it shows are those of the tables, and they do what it says."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import derive
from derive import Network
from derive.documents import render
from derive.evaluate import evaluate
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.losses import LOSSES, Loss
from derive.formulas.operation import Operation, Parameter
from derive.formulas.optimisers import OPTIMISERS, Optimiser

PAGE = (Path(__file__).parent.parent / "docs" / "add-an-operation.md").read_text(encoding="utf-8")
CONSTRUCTORS = {"Operation": Operation, "Parameter": Parameter, "Loss": Loss, "Optimiser": Optimiser}
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = [block for block in BLOCKS if not block.startswith("import")]


def built(node: ast.expr) -> Any:
    """The value of an entry of a table as the page has it."""
    match node:
        case ast.Call(ast.Name(name), arguments, keywords):
            return CONSTRUCTORS[name](*map(built, arguments), **{k.arg: built(k.value) for k in keywords if k.arg})
        case ast.Dict(keys, values):
            return {ast.literal_eval(k): built(v) for k, v in zip(keys, values, strict=True) if k}
        case _:
            return ast.literal_eval(node)


ENTRIES: dict[Any, Any] = {key: entry for block in SHOWN for key, entry in built(ast.parse("{" + block + "}", mode="eval").body).items()}


def indented_alike(entry: Operation | Loss | Optimiser) -> Operation | Loss | Optimiser:
    return replace(entry, formula="\n".join(line.strip() for line in entry.formula.splitlines()))


@pytest.mark.parametrize("key", [key for key in ENTRIES if key != "layer_norm"], ids=str)
def test_a_line_is_that_of_the_table(key: Any) -> None:
    tables: dict[Any, Operation | Loss | Optimiser] = {**ACTIVATIONS, **LOSSES, **OPTIMISERS}
    assert indented_alike(tables[key]) == indented_alike(ENTRIES[key])


def test_the_lines_are_as_many_as_the_page_says() -> None:
    assert len(SHOWN[0].strip().splitlines()) == 1
    assert list(built(ast.parse("{" + SHOWN[0] + "}", mode="eval").body)) == ["mish"]
    assert len(SHOWN[-1].strip().splitlines()) == 5
    table, shown = (entry.formula.split() for entry in (LAYERS["layer_norm"], ENTRIES["layer_norm"]))
    assert shown[: shown.index("*")] == table[: table.index("*")]  # what follows is the switch `affine`


def layer(kind: str) -> Network:
    return Network(name="shown", inputs=3, layers=[{"kind": kind}, {"kind": "dense", "units": 2}], loss="mean_squared_error")


def gradients(network: Network) -> dict[str, np.ndarray]:
    derivation, random = derive.differentiate(network.program()), np.random.default_rng(0)
    assert [v for v in derive.prove(derivation) if not v.holds] == []
    given = {t.name: random.standard_normal([a.extent or 4 for a in t.axes]) for t in derivation.given}
    return {name: np.asarray(value) for name, value in evaluate(derivation.computed, given).items()}


def test_five_lines_are_layer_normalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    table = gradients(layer("layer_norm"))
    monkeypatch.delitem(LAYERS, "layer_norm")
    with pytest.raises(derive.SpecError, match="layer_norm"):
        layer("layer_norm")
    monkeypatch.setitem(LAYERS, "layer_norm", ENTRIES["layer_norm"])
    assert all(np.array_equal(value, table[name]) for name, value in gradients(layer("layer_norm")).items())


def test_one_line_is_mish(monkeypatch: pytest.MonkeyPatch) -> None:
    table = gradients(layer("mish"))
    monkeypatch.delitem(ACTIVATIONS, "mish")
    with pytest.raises(derive.SpecError, match="mish"):
        layer("mish")
    monkeypatch.setitem(ACTIVATIONS, "mish", ENTRIES["mish"])
    assert all(np.array_equal(value, table[name]) for name, value in gradients(layer("mish")).items())


def test_the_example_in_python_is_a_network() -> None:
    (source,) = (block for block in BLOCKS if block.startswith("import"))
    _, squared, network = ast.parse(source).body
    assert isinstance(squared, ast.Assign)
    assert isinstance(network, ast.Assign)
    assert isinstance(network.value, ast.Call)
    known = ast.unparse(squared.value)
    fields = {k.arg: ast.literal_eval(ast.unparse(k.value).replace("squared", known)) for k in network.value.keywords if k.arg}
    found = Network(**fields)  # pyright: ignore[reportArgumentType]
    assert "own formula" in render(derive.differentiate(found.program()), found, "markdown")


def test_every_file_that_the_page_names_is_there() -> None:
    root = Path(__file__).parent.parent
    named = re.findall(r"`((?:derive|codegen|tests)/[\w/.]*)`", PAGE)
    assert named
    assert [name for name in named if not (root / name).exists()] == []
