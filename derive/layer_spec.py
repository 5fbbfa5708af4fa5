"""A layer in a spec: one of the catalogue's, an activation on its own, or a formula of the user's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from pydantic import BaseModel, Field, GetJsonSchemaHandler, StrictStr, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from derive import layer_formula, own_formula
from derive.choices import OWN, Activation, activation_schema, needed, shortened, table_of, table_schema
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.operation import Number, Operation, Parameter
from derive.names import MAX_NAME, NAME_PATTERN, NAME_RULE, Name
from derive.parameters import completed, items, refuse_others, schema
from derive.spec_errors import shown, wrong

COMMON = ("kind", "name", "inputs", "activation")  # keys of every layer


def layer_kinds() -> tuple[str, ...]:
    """What a layer can be: an activation is one too."""
    return tuple(dict.fromkeys((*LAYERS, *ACTIVATIONS)))


class Layer(BaseModel, frozen=True, extra="allow"):
    """A layer by kind, with the parameters of its formula as further keys (all of them, once validated)."""

    kind: StrictStr
    name: Name | None = Field(default=None, description=NAME_RULE)
    inputs: tuple[StrictStr, ...] = Field(default=(), description='a list of the names of earlier layers such as ["first"]')
    activation: Activation = Field(default_factory=lambda: Activation(kind="identity"))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Layer) else _layer(given)

    @property
    def parameters(self) -> dict[str, Number]:
        """The values that the formula takes, by name, defaults included."""
        extra = self.model_extra or {}
        return dict(extra["parameters"] if self.kind == OWN else extra)

    @property
    def operation(self) -> Operation:
        """What the layer computes, its activation aside."""
        return _operation(self.kind, self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _layer_schema()

    @property
    def words(self) -> str:
        """The layer in a summary of the network: "64 relu" for a dense one, "conv2d relu"."""
        name = str(self.parameters["units"]) if self.kind == "dense" else self.kind
        return name if self.kind != "dense" and self.activation.kind == "identity" else f"{name} {self.activation.kind}"

    def short(self) -> object:
        """What a spec says of it: without what the defaults say."""
        parameters: Mapping[str, Parameter] = {} if self.kind == OWN else self.operation.parameters
        table: dict[str, object] = {"kind": self.kind, **self._plain(parameters)}
        if self.activation.kind != "identity":
            table["activation"] = self.activation.short()
        table |= {"name": self.name} if self.name else {}
        table |= {"inputs": self.inputs} if self.inputs else {}
        return shortened(table, parameters) if self.kind == OWN else table

    def _plain(self, parameters: Mapping[str, Parameter]) -> dict[str, object]:
        """The parameters that have not their default values."""
        extra = self.model_extra or {}
        default = {n: extra.get(p.default) if isinstance(p.default, str) else p.default for n, p in parameters.items()}
        return {name: value for name, value in extra.items() if name not in default or value != default[name]}


def _layer(given: object) -> dict[str, object]:
    """The table of a layer with all parameters of its operation; raises the error of a Pydantic validator where it describes none."""
    if not isinstance(given, Mapping):
        raise wrong(f"found {shown(given)}", 'a table such as { kind = "dense", units = 16 }')
    table = table_of(cast(Mapping[str, object], given), "layer", layer_kinds())
    kind = str(table["kind"])
    own = {key: value for key, value in table.items() if key in COMMON}
    if kind == OWN:
        refuse_others(table, [*COMMON, *layer_formula.KEYS], "a formula")
        return own | layer_formula.completed(table)
    operation = known(kind)
    refuse_others(table, [*COMMON, *operation.parameters], kind)
    return own | completed(table, operation.parameters)


def _operation(kind: str, values: Mapping[str, object]) -> Operation:
    """What a layer of this kind computes, with these values of its keys."""
    return layer_formula.operation(values) if kind == OWN else specialised(known(kind), values)


def known(kind: str) -> Operation:
    """The catalogue's operation for a kind of layer."""
    return LAYERS[kind] if kind in LAYERS else ACTIVATIONS[kind]


def specialised(operation: Operation, values: Mapping[str, object]) -> Operation:
    """The operation with an axis for each of a list of whole numbers: the list's name in the formula stands for these axes."""
    for name, parameter in operation.parameters.items():
        if parameter.kind == "counts":
            counts = items(values.get(name)) or ()
            letters = [f"{name}{k}" for k in range(1, len(counts) + 1)]
            formula = re.sub(rf"\b{name}\b", ", ".join(letters), operation.formula)
            axes = {**operation.axes, **dict(zip(letters, map(str, counts), strict=True))}
            operation = replace(operation, formula=formula, axes=axes)
    return operation


def _layer_schema() -> JsonSchemaValue:
    """The JSON Schema of a layer: one table for each kind."""
    common: dict[str, JsonSchemaValue] = {
        "name": {"type": "string", "pattern": NAME_PATTERN, "maxLength": MAX_NAME, "description": NAME_RULE},
        "inputs": {"type": "array", "items": {"type": "string"}, "description": 'names of earlier layers, or "input"'},
        "activation": activation_schema(),
    }
    own = own_formula.table_schema(OWN, {"kind": {"const": OWN}, **layer_formula.keys_schema(), **common})
    return {"title": "Layer", "anyOf": [*(_kind_schema(kind, common) for kind in layer_kinds()), own]}


def _kind_schema(kind: str, common: Mapping[str, JsonSchemaValue]) -> JsonSchemaValue:
    operation = known(kind)
    keys = {name: schema(p) for name, p in operation.parameters.items()}
    return table_schema(kind, {**keys, **common}, operation.source, needed(operation.parameters))
