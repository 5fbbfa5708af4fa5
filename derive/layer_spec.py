"""A layer in a spec: one of the catalogue's, an activation on its own, or a formula of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from pydantic import BaseModel, Field, GetJsonSchemaHandler, StrictStr, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from derive.choices import Activation
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.operation import Number, Operation
from derive.names import Name
from derive.parameters import completed, refuse_others, schema
from derive.spec_errors import one_of, shown, wrong
from derive.user_formula import KEYS, formula_schema, user_operation

OWN = ("kind", "name", "inputs", "activation")  # keys of every layer
LAYER_KINDS = (*LAYERS, *(kind for kind in ACTIVATIONS if kind not in LAYERS), "formula")


class Layer(BaseModel, frozen=True, extra="allow"):
    """A layer by kind, with the parameters of its formula as further keys (all of them, once validated)."""

    kind: StrictStr
    name: Name | None = None
    inputs: tuple[StrictStr, ...] = ()
    activation: Activation = Field(default_factory=lambda: Activation(kind="identity"))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Layer) else _layer(given)

    @property
    def parameters(self) -> dict[str, Number]:
        """The values that the formula takes, by name, defaults included."""
        return _values(self.kind, self.model_extra or {})

    @property
    def operation(self) -> Operation:
        """What the layer computes, its activation aside."""
        return _operation(self.kind, self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _layer_schema()

    def short(self) -> object:
        """What a spec says of it: without what the defaults say."""
        extra = self.model_extra or {}
        table: dict[str, object] = {"kind": self.kind}
        table |= {key: value for key, value in extra.items() if not is_default(self.kind, key, value, extra)}
        table |= {"activation": self.activation.short()} if self.activation.kind != "identity" else {}
        table |= {"name": self.name} if self.name else {}
        return table | ({"inputs": self.inputs} if self.inputs else {})


def _layer(given: object) -> dict[str, object]:
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
        refuse_others(table, [*OWN, *KEYS], kind)
        rest = {key: value for key, value in table.items() if key in KEYS}
        user_operation(rest)
        return own | rest
    operation = known(kind)
    refuse_others(table, [*OWN, *operation.parameters], kind)
    return own | completed(table, operation.parameters)


def _operation(kind: str, values: Mapping[str, object]) -> Operation:
    """What a layer of this kind computes, with these values of its keys."""
    return user_operation(values) if kind == "formula" else specialised(known(kind), values)


def _values(kind: str, table: Mapping[str, object]) -> dict[str, Number]:
    """The values of the parameters of a layer's operation."""
    if kind != "formula":
        return cast("dict[str, Number]", dict(table))
    return {name: p.default for name, p in user_operation(table).parameters.items() if p.default is not None}


def known(kind: str) -> Operation:
    """The catalogue's operation for a kind of layer."""
    return LAYERS[kind] if kind in LAYERS else ACTIVATIONS[kind]


def specialised(operation: Operation, values: Mapping[str, object]) -> Operation:
    """The operation with an axis for each of a list of whole numbers: the list's name in the formula stands for these axes."""
    for name, parameter in operation.parameters.items():
        counts = values.get(name)
        if parameter.kind == "counts" and isinstance(counts, tuple):
            letters = [f"{name}{k}" for k in range(1, len(counts) + 1)]
            formula = re.sub(rf"\b{name}\b", ", ".join(letters), operation.formula)
            axes = {**operation.axes, **dict(zip(letters, map(str, counts), strict=True))}
            operation = replace(operation, formula=formula, axes=axes)
    return operation


def is_default(kind: str, key: str, value: object, table: Mapping[str, object]) -> bool:
    """Whether a layer would have this value of a parameter without the key."""
    parameter = known(kind).parameters.get(key) if kind != "formula" else None
    if parameter is None or parameter.default is None:
        return False
    default = table.get(parameter.default) if isinstance(parameter.default, str) else parameter.default
    return value == default


def _layer_schema() -> JsonSchemaValue:
    """The JSON Schema of a layer: one table for each kind."""
    return {"title": "Layer", "anyOf": [_table(kind) for kind in LAYER_KINDS]}


def _table(kind: str) -> JsonSchemaValue:
    own: dict[str, JsonSchemaValue] = {
        "kind": {"const": kind},
        "name": {"type": "string", "description": "what the document and the inputs of other layers call it"},
        "inputs": {"type": "array", "items": {"type": "string"}, "description": 'names of earlier layers, or "input"'},
        "activation": {"$ref": "#/$defs/Activation"},
    }
    if kind == "formula":
        return _object(kind, "a formula of your own", own | formula_schema(), ["kind", "formula"])
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
