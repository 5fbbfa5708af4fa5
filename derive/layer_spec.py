"""A layer in a spec: one of the catalogue's, an activation on its own, or a formula of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from pydantic import BaseModel, Field, GetJsonSchemaHandler, StrictStr, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from derive import choices
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.operation import Number, Operation, Parameter, Start
from derive.parameters import completed, refuse_others, rule, schema
from derive.shapes import Pattern, left_sides
from derive.spec_errors import one_of, shown, wrong

MAX_INPUTS = 64
MAX_FORMULA = 4000
OWN = ("kind", "name", "inputs", "activation")  # keys of every layer
FORMULA = ("formula", "parameters", "learned", "axes", "reads")  # keys of a layer that is a formula
LETTER = re.compile(r"^[a-z]$")

LAYER_KINDS = (*LAYERS, *(kind for kind in ACTIVATIONS if kind not in LAYERS), "formula")


def layer(given: object) -> dict[str, object]:
    """The table of a layer with all parameters of its operation; raises the error of a Pydantic validator where it describes none."""
    if not isinstance(given, Mapping):
        raise wrong(f"found {shown(given)}", 'a table such as { kind = "dense", units = 16 }')
    table = {str(key): value for key, value in cast(Mapping[object, object], given).items()}
    if "kind" not in table:
        raise wrong("missing", one_of(LAYER_KINDS), "kind")
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in LAYER_KINDS:
        raise wrong(f"found {shown(kind)}", one_of(LAYER_KINDS, kind), "kind")
    own = {key: value for key, value in table.items() if key in OWN}
    if kind == "formula":
        refuse_others(table, [*OWN, *FORMULA], kind)
        rest = {key: value for key, value in table.items() if key in FORMULA}
        choices.user_operation(rest)
        return own | rest
    operation = known(kind)
    refuse_others(table, [*OWN, *operation.parameters], kind)
    return own | completed(table, operation.parameters)


def known(kind: str) -> Operation:
    """The catalogue's operation for a kind of layer."""
    return LAYERS[kind] if kind in LAYERS else ACTIVATIONS[kind]


def layer_schema(activation: JsonSchemaValue) -> JsonSchemaValue:
    """The JSON Schema of a layer: one table for each kind."""
    return {"title": "Layer", "anyOf": [_table(kind, activation) for kind in LAYER_KINDS]}


def _table(kind: str, activation: JsonSchemaValue) -> JsonSchemaValue:
    own: dict[str, JsonSchemaValue] = {
        "kind": {"const": kind},
        "name": {"type": "string", "description": "what the document and the inputs of other layers call it"},
        "inputs": {"type": "array", "items": {"type": "string"}, "description": 'names of earlier layers, or "input"'},
        "activation": activation,
    }
    if kind == "formula":
        return _object(kind, "a formula of your own", own | choices.user_operation_schema(), ["kind", "formula"])
    operation = known(kind)
    needed = ["kind", *(name for name, p in operation.parameters.items() if p.default is None and p.kind != "reals")]
    return _object(kind, operation.source, own | {name: schema(p) for name, p in operation.parameters.items()}, needed)


def _object(kind: str, source: str, properties: Mapping[str, JsonSchemaValue], needed: Sequence[str]) -> JsonSchemaValue:
    return {
        "type": "object",
        "title": kind,
        "description": source,
        "properties": dict(properties),
        "required": list(needed),
        "additionalProperties": False,
    }
