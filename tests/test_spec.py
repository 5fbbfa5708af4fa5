"""Specs: what is accepted, how it reads back, and the one line that says what is wrong."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import derive
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES
from derive.formulas.operation import Operation, Parameter
from derive.loss_spec import LOSS_KINDS
from derive.network import MAX_LAYERS, Convention, Network
from derive.toml import MAX_BYTES
from tests.operation_cases import others

NETWORKS = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))

GOOD = """\
name = "small"
inputs = 2
loss = "softmax_cross_entropy"
layers = [
  { kind = "dense", units = 3, activation = "relu" },
  { kind = "dense", units = 2 },
]
"""

LOSS_LINE = 'loss = "softmax_cross_entropy"'

# What is replaced in the good spec, by what, and what the one line must hold.
MISTAKES = {
    "unknown key": (
        'activation = "relu"',
        'activatoin = "relu"',
        ["layers[0].activatoin: found an unknown key", 'did you mean "activation"?'],
    ),
    "unknown key at the top": ("inputs = 2", "inputs = 2\ncolour = 3", ["colour: found an unknown key", '"convention"']),
    "misspelt key": ("units = 3", "unit = 3", ["layers[0].unit: found an unknown key", 'did you mean "units"?']),
    "missing loss": (LOSS_LINE + "\n", "", ["loss: missing", "softmax_cross_entropy"]),
    "missing kind": ('kind = "dense", units = 3', "units = 3", ["layers[0].kind: missing", '"dense"']),
    "no layers": (GOOD[GOOD.index("layers") :], "layers = []", ["layers: found an empty list", "1 to 1000 tables"]),
    "layers is no list": (GOOD[GOOD.index("layers") :], 'layers = "relu"', ['layers: found "relu"', "a list"]),
    "a layer that is no table": ("layers = [", "layers = [3,", ["layers[0]: found 3", "a table such as"]),
    "zero units": ("units = 3", "units = 0", ["layers[0].units: found 0", "from 1 to 1000000"]),
    "negative inputs": ("inputs = 2", "inputs = -2", ["inputs: found -2", "from 1"]),
    "text for a number": ("units = 3", 'units = "16"', ['layers[0].units: found "16"', "a whole number"]),
    "fraction for a count": ("units = 3", "units = 3.0", ["layers[0].units: found 3.0", "a whole number"]),
    "truth for a count": ("units = 3", "units = true", ["layers[0].units: found true", "a whole number"]),
    "too many units": ("units = 3", "units = 1000001", ["layers[0].units: found 1000001", "1000000"]),
    "enormous integer": ("inputs = 2", "inputs = 0x" + "f" * 4000, ["inputs: found an integer of 16000 bits"]),
    "too many parameters": (
        "units = 3",
        "units = 1000000 }, { kind = 'dense', units = 1000",
        ["layers: found 1003003002 parameters in all"],
    ),
    "bias is no truth": ("units = 3", "units = 3, bias = 0", ["layers[0].bias: found 0", "true or false"]),
    "unknown layer": ('kind = "dense", units = 3', 'kind = "dens", units = 3', ['layers[0].kind: found "dens"', '"dense"']),
    "unknown activation": ('"relu"', '"relo"', ['layers[0].activation: found "relo"', 'did you mean "relu"?']),
    "unknown activation in a table": ('"relu"', '{ kind = "tahn" }', ['layers[0].activation.kind: found "tahn"', 'did you mean "tanh"?']),
    "activation without a kind": ('"relu"', "{ negative_slope = 1 }", ["layers[0].activation.kind: missing"]),
    "activation of a wrong type": ('"relu"', "7", ["layers[0].activation: found 7", "name of a known activation"]),
    "unknown parameter": (
        '"relu"',
        '{ kind = "leaky_relu", negative_slop = 1 }',
        ["activation.negative_slop: found an unknown key of leaky_relu", '"negative_slope"?'],
    ),
    "parameter of another": ('"relu"', '{ kind = "relu", slope = 1 }', ["activation.slope: found an unknown key of relu"]),
    "parameter of a wrong type": ('"relu"', '{ kind = "elu", alpha = "1" }', ['activation.alpha: found "1"', "a finite number"]),
    "truth for a parameter": ('"relu"', '{ kind = "elu", alpha = true }', ["activation.alpha: found true", "a finite number"]),
    "infinite parameter": ('"relu"', '{ kind = "elu", alpha = inf }', ["activation.alpha: found inf", "a finite number"]),
    "not a number": ('"relu"', '{ kind = "elu", alpha = nan }', ["activation.alpha: found nan", "a finite number"]),
    "overflowing parameter": (
        '"relu"',
        f'{{ kind = "elu", alpha = 1{"0" * 400} }}',
        ["activation.alpha: found an integer of", "a finite number"],
    ),
    "parameter too large": (
        '"relu"',
        '{ kind = "softplus", beta = 1e31 }',
        ["activation.beta: found 1e+31", "of a size from 1e-30 to 1e+30"],
    ),
    "parameter too small": (
        '"relu"',
        '{ kind = "leaky_relu", negative_slope = -1e-31 }',
        ["slope: found -1e-31", "from 1e-30 to 1e+30 or 0"],
    ),
    "parameter that must be positive": ('"relu"', '{ kind = "softplus", beta = 0 }', ["activation.beta: found 0", "a positive number"]),
    "unknown loss": ("softmax_cross_entropy", "softmax_crossentropy", ["loss: found", 'did you mean "softmax_cross_entropy"?']),
    "loss of a wrong type": (LOSS_LINE, "loss = 3", ["loss: found 3", "a known loss"]),
    "unknown reduction": (
        LOSS_LINE,
        'loss = { kind = "mean_squared_error", reduction = "men" }',
        ["loss.reduction", 'did you mean "mean"?'],
    ),
    "half where there is none": (
        LOSS_LINE,
        'loss = { kind = "softmax_cross_entropy", half = true }',
        ["loss.half: found an unknown key of softmax"],
    ),
    "half is no truth": (LOSS_LINE, 'loss = { kind = "mean_squared_error", half = 1 }', ["loss.half: found 1", "true or false"]),
    "targets of another loss": (
        LOSS_LINE,
        'loss = { kind = "negative_log_likelihood", targets = "probabilities" }',
        ['loss.targets: found "probabilities", which negative_log_likelihood cannot take', '"labels"'],
    ),
    "unknown convention": ("inputs = 2", 'inputs = 2\nconvention = "column"', ['convention: found "column"', 'did you mean "columns"?']),
    "duplicate name": (
        "units = 3",
        'units = 3, name = "a" }, { kind = "dense", units = 3, name = "a"',
        ['layers[1].name: found "a", the name of layers[0] too'],
    ),
    "name with a path": ('"small"', '"../small"', ['name: found "../small"', "letters, digits and underscores"]),
    "name with a line break": ('"small"', '"small\\n"', ['name: found "small\\n"']),
    "name of dunders": ('"small"', '"__init__"', ['name: found "__init__"']),
    "name in other letters": ('"small"', '"größe"', ["name: found"]),
    "name of a keyword": ('"small"', '"class"', ['name: found "class", a keyword of Python']),
    "name of a module": ('"small"', '"numpy"', ['name: found "numpy", which would hide the Python module']),
    "name of a standard module": ('"small"', '"math"', ['name: found "math", which would hide the Python module']),
    "layer named by a keyword": ("units = 3", 'units = 3, name = "for"', ['layers[0].name: found "for", a keyword']),
    "layer named by a number": ("units = 3", "units = 3, name = 3", ["layers[0].name: found 3", "letters, digits and underscores"]),
    "a word for a list of layers": (
        "units = 3",
        'units = 3, inputs = "b"',
        ['layers[0].inputs: found "b"', "a list of the names of earlier"],
    ),
    "weights are no truth": (
        LOSS_LINE,
        'loss = { kind = "mean_squared_error", sample_weights = "yes" }',
        ['loss.sample_weights: found "yes"', "true or false"],
    ),
    "long name": ('"small"', '"' + "a" * 65 + '"', ["name: found", "at most 64"]),
    "not TOML": ("inputs = 2", "inputs = ", ["line 2, column 10: found what is not TOML"]),
    "key given twice": ("inputs = 2", "inputs = 2\ninputs = 3", ["line 3, column 11: found what is not TOML"]),
    "unfinished": ("]\n", "", ["the end of the file: found what is not TOML"]),
    "brackets without end": ("inputs = 2", "inputs = " + "[" * 20000, ["found brackets that nest too deeply"]),
    "number of thousands of digits": ("inputs = 2", "inputs = " + "9" * 5000, ["found a number with thousands of digits"]),
    "too large": ("inputs = 2", "inputs = 2 #" + " " * MAX_BYTES, ["bytes; right would be a spec of at most 65536 bytes"]),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gets_one_clear_line(case: str) -> None:
    old, new, expected = MISTAKES[case]
    assert old in GOOD
    with pytest.raises(derive.SpecError) as caught:
        derive.loads(GOOD.replace(old, new, 1), "small.toml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("small.toml: ")
    assert "right would be" in line
    for words in expected:
        assert words in line
    assert len(line) < 500


def test_each_of_several_mistakes_gets_its_line() -> None:
    with pytest.raises(derive.SpecError) as caught:
        derive.loads(GOOD.replace("inputs = 2", "inputs = 0").replace("units = 3", "units = 0"), "small.toml")
    assert [p.key for p in caught.value.problems] == ["inputs", "layers[0].units"]
    assert len(str(caught.value).splitlines()) == 2


def test_a_wrong_only_layer_is_one_mistake() -> None:
    with pytest.raises(derive.SpecError) as caught:
        derive.Network(name="one", inputs=1, loss="mean_squared_error", layers=[{"kind": "dense", "units": 0}])
    assert [p.key for p in caught.value.problems] == ["layers[0].units"]


DENSE: dict[str, object] = {"kind": "dense", "units": 2}
MAPPED: dict[str, object] = {"kind": "formula", "formula": "Y[n,j] = sum(k, X[n,k] * W[j,k])", "learned": {"W[j,k]": "weight"}}
CLASHES: dict[str, tuple[list[dict[str, object]], object, str]] = {
    "a bias": ([{**DENSE, "activation": {"formula": "a * x + b", "learned": {"a": 1.0, "b": 0.5}}}], "l1", "share the name b1"),
    "a weight": ([DENSE], {"formula": "W1 * (prediction - target) ** 2", "learned": {"W1": 0.5}}, "share the name W1"),
    "the loss": ([DENSE], {"formula": "L * (prediction - target) ** 2", "learned": {"L": 0.5}}, "for L: the tensor is defined twice"),
    "a gradient": ([{**DENSE, "activation": {"formula": "dA * x", "learned": {"dA": 1.0}}}, DENSE], "l1", "dA1 is the gradient of A1"),
    "no extent": ([MAPPED], "l1", r"layers\[0\]: no tensor that it reads has its axis j; .* axes = { j = 3 }"),
}


@pytest.mark.parametrize("case", CLASHES)
def test_formulas_of_the_users_own_that_do_not_fit(case: str) -> None:
    layers, loss, message = CLASHES[case]
    fields: dict[str, Any] = {"name": "own", "inputs": 2, "layers": layers, "loss": loss}
    with pytest.raises(derive.SpecError, match=message):
        derive.Network(**fields)


def test_too_many_layers() -> None:
    layers = [{"kind": "dense", "units": 1}] * (MAX_LAYERS + 1)
    with pytest.raises(derive.SpecError, match=r"layers: found a list; right would be a list of 1 to 1000"):
        derive.Network(name="deep", inputs=1, loss="mean_squared_error", layers=layers)


def test_python_and_toml_build_the_same_object() -> None:
    layers = [{"kind": "dense", "units": 3, "activation": "relu"}, {"kind": "dense", "units": 2}]
    built = derive.Network(name="small", inputs=2, loss="softmax_cross_entropy", layers=layers)
    assert built == derive.loads(GOOD)
    assert hash(built) == hash(derive.loads(GOOD))


def test_a_mistake_from_python_is_a_spec_error() -> None:
    with pytest.raises(derive.SpecError, match=r"^Network\(\.\.\.\): inputs: found 0; right would be"):
        derive.Network(name="small", inputs=0, loss="mean_squared_error", layers=[{"kind": "dense", "units": 1}])


def test_a_spec_error_survives_pickling() -> None:
    with pytest.raises(derive.SpecError) as caught:
        derive.loads("", "empty.toml")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)


def test_a_network_is_immutable() -> None:
    network = derive.loads(GOOD)
    with pytest.raises(ValidationError):
        network.__setattr__("inputs", 3)
    with pytest.raises(ValidationError):
        network.layers[0].activation.__setattr__("kind", "tanh")


def test_the_resolved_views() -> None:
    text = GOOD.replace('"relu"', '{ kind = "leaky_relu", negative_slope = 1 }').replace("units = 2", "units = 2, bias = false")
    network = derive.loads(text)
    first, last = network.layers
    assert (first.activation.kind, first.activation.parameters) == ("leaky_relu", {"negative_slope": 1.0})
    assert (last.activation.kind, last.activation.parameters) == ("identity", {})
    assert (first.parameters["bias"], last.parameters["bias"], network.convention, network.outputs, network.size) == (
        True,
        False,
        "rows",
        2,
        15,
    )
    loss = network.loss
    assert (loss.kind, loss.reduction, loss.targets, loss.options) == ("softmax_cross_entropy", "mean", "labels", {"label_smoothing": 0.0})


def test_defaults_are_those_of_the_formulas() -> None:
    network = derive.loads(GOOD.replace('"relu"', '"softplus"').replace(LOSS_LINE, 'loss = "mean_squared_error"'))
    assert network.layers[0].activation.parameters == {"beta": 1.0, "threshold": 20.0}
    assert (network.loss.options["half"], network.loss.targets) == (False, "values")


@pytest.mark.parametrize("path", NETWORKS, ids=lambda p: p.stem)
def test_the_shipped_networks_round_trip(path: Path) -> None:
    network = derive.load(path)
    assert network.name == path.stem
    assert path.read_text().startswith("# ")
    assert derive.loads(network.to_toml()) == network
    assert network.program().name == path.stem


def test_every_source_text_has_its_network() -> None:
    names = ["digits", "lecture_bce", "notes_three_layer", "notes_two_layer", "two_layer_softmax", "worked_example", "xor"]
    assert set(names) <= {path.stem for path in NETWORKS}


UNITS = 4  # of layers that gated and pooled activations can follow


def activations() -> st.SearchStrategy[object]:
    tables = [{"kind": kind, **others(a.parameters, UNITS)} for kind, a in ACTIVATIONS.items()]
    own = {"formula": "where(x > 0, x, a * sinh(x) ** k)", "parameters": {"k": 2}, "learned": {"a": 0.5}, "source": 'said "so"\\n'}
    return st.sampled_from([*(kind for kind in ACTIVATIONS if kind not in ("threshold", "maxout")), *tables, own])


def losses() -> st.SearchStrategy[object]:
    common = {"reduction": st.sampled_from(["mean", "sum", "none", "batchmean"]), "sample_weights": st.booleans()}
    tables = [
        st.fixed_dictionaries({"kind": st.just(kind), "targets": st.just(targets)}, optional={**common, **_options(loss.parameters)})
        for (kind, targets), loss in LOSSES.items()
        if len(loss.values) == 1
    ]
    own = {"formula": "d = prediction - target\nlog(cosh(k * d))", "parameters": {"k": 0.1}, "targets": "unit"}
    names = [kind for kind in LOSS_KINDS if all(len(loss.values) == 1 for (name, _), loss in LOSSES.items() if name == kind)]
    return st.sampled_from([*names, own]) | st.one_of(tables)


def _options(parameters: Mapping[str, Parameter]) -> dict[str, st.SearchStrategy[object]]:
    return {name: st.just(given) for name, given in others(parameters, 2).items()}


LAYERS = st.fixed_dictionaries(
    {"kind": st.just("dense"), "units": st.just(UNITS)}, optional={"activation": activations(), "bias": st.booleans()}
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(layers=st.lists(LAYERS, min_size=1, max_size=4), loss=losses(), convention=st.sampled_from(["rows", "columns", "xw"]))
def test_any_network_round_trips(layers: list[dict[str, object]], loss: str, convention: Convention) -> None:
    last = {"kind": "dense", "units": 2}
    network = derive.Network(name="any", inputs=3, loss=loss, layers=[*layers, last], convention=convention)
    assert derive.loads(network.to_toml()) == network


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60) | st.text(alphabet='[]{}=".,\n0e', max_size=60))
def test_no_text_does_more_than_raise_a_spec_error(text: str) -> None:
    with pytest.raises(derive.SpecError):
        derive.loads(text)


def test_the_schema_knows_every_choice() -> None:
    schema = json.loads(json.dumps(derive.json_schema()))
    chosen = schema["$defs"]["Activation"]["anyOf"]
    assert chosen[0]["enum"] == list(ACTIVATIONS)
    tables = {table["properties"]["kind"]["const"]: table for table in chosen[1:-1]}
    assert {kind: sorted(t["properties"]) for kind, t in tables.items()} == {
        k: sorted(["kind", *a.parameters]) for k, a in ACTIVATIONS.items()
    }
    assert tables["softplus"]["properties"]["beta"] == {"type": "number", "default": 1.0, "exclusiveMinimum": 0}
    assert schema["$defs"]["Loss"]["anyOf"][0]["enum"] == list(dict.fromkeys(kind for kind, _ in LOSSES))
    assert schema["required"] == ["name", "inputs", "loss", "layers"]
    assert schema["additionalProperties"] is False


def test_a_new_formula_extends_spec_schema_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "scaled", Operation("scale * x", "a test", parameters={"scale": Parameter(2.0, above=0)}))
    network = derive.loads(GOOD.replace('"relu"', '"scaled"'))
    assert network.layers[0].activation.parameters == {"scale": 2.0}
    assert '"scaled"' in json.dumps(derive.json_schema())
    with pytest.raises(derive.SpecError, match=r'did you mean "scaled"\?'):
        derive.loads(GOOD.replace('"relu"', '"scald"'))
    with pytest.raises(derive.SpecError, match=r"scale: found -1; right would be a positive number"):
        derive.loads(GOOD.replace('"relu"', '{ kind = "scaled", scale = -1 }'))


def test_reading_is_bounded(tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(derive.SpecError, match=r"large\.toml: found more than 65536 bytes"):
        derive.load(large)
    with pytest.raises(OSError, match="no regular file"):
        derive.load("/dev/zero")


def test_reading_wants_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xe9"')
    with pytest.raises(derive.SpecError, match=r"latin\.toml: found byte 9, which is not UTF-8"):
        derive.load(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert derive.load(path) == derive.loads(GOOD)


def test_a_pipe_that_nobody_writes_to_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(OSError, match="no regular file"):
        derive.load(tmp_path / "pipe.toml")


def test_an_error_stays_readable() -> None:
    """Thousands of mistakes, or a key of thousands of letters, do not bury what is wrong."""
    text = GOOD + "".join(f"k{i} = 1\n" for i in range(3000)) + f"{'k' * 5000} = 1\n"
    with pytest.raises(derive.SpecError, match="and 2981 more problems") as caught:
        derive.loads(text)
    assert (len(str(caught.value).splitlines()), len(caught.value.problems)) == (21, 3001)
    assert len(caught.value.problems[-1].key) <= 42


def test_an_unreadable_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        derive.load(tmp_path / "none.toml")


def test_copies_keep_type_and_value() -> None:
    network = derive.loads(GOOD)
    assert isinstance(pickle.loads(pickle.dumps(network)), Network)
    assert pickle.loads(pickle.dumps(network)) == network
