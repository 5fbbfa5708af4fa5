"""The spec: a network as data, validated before any work starts. A TOML file and `Network(...)` build the same object.

Which activations, losses and parameters exist is read from the tables of formulas: a new line there is known here at once.
"""

from __future__ import annotations

import keyword
import math
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict, Unpack, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from derive import choices, layer_spec, toml
from derive.formulas.operation import Number, Operation
from derive.graph import INPUT, Graph, graph
from derive.parameters import MAX_AXES
from derive.spec_errors import SpecError, problems, shown, wrong

if TYPE_CHECKING:
    from derive.build import Examples, Mode
    from derive.program import Program

Convention = Literal["rows", "columns", "xw"]

MAX_NAME = 64
MAX_UNITS = 1_000_000
MAX_LAYERS = 1000
MAX_PARAMETERS = 100_000_000

NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_]*$"
NAME_RULE = f"letters, digits and underscores, at most {MAX_NAME}, the first a letter"
OTHER_MODULES = frozenset({"numpy", "numba", "llvmlite", "scipy", "sympy", "derive", "codegen", "chainrule", "generated", "networks"})


def checked_name(name: str) -> str:
    """The name itself, if a Python module or variable may have it: raises the spec's error otherwise."""
    if len(name) > MAX_NAME or not re.match(NAME_PATTERN, name) or name.endswith("\n"):
        raise wrong(f"found {shown(name)}", NAME_RULE)
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise wrong(f"found {shown(name)}, a keyword of Python", f"another name: {NAME_RULE}")
    if name in sys.stdlib_module_names or name in OTHER_MODULES:
        raise wrong(f"found {shown(name)}, which would hide the Python module of that name", f"another name: {NAME_RULE}")
    return name


Name = Annotated[
    StrictStr,
    AfterValidator(checked_name),
    Field(description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME}),
]
Count = Annotated[StrictInt, Field(ge=1, le=MAX_UNITS, description=f"a whole number from 1 to {MAX_UNITS}")]
Axes = Annotated[tuple[Count, ...], Field(min_length=1, max_length=MAX_AXES)]


class Part(BaseModel, frozen=True, extra="forbid"):
    """A piece of a spec: immutable, and strict about its keys."""


class Activation(Part, frozen=True, extra="allow"):
    """An activation by name, with the parameters of its formula as further keys (all of them, once validated)."""

    kind: StrictStr

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Activation) else choices.activation(given)

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers that the formula takes, by name, defaults included."""
        return dict(self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return choices.activation_schema()


class Loss(Part, frozen=True, extra="allow"):
    """A loss by name, with the options of its formula as further keys (all of them, once validated)."""

    kind: StrictStr
    reduction: Literal["mean", "sum"] = "mean"
    targets: StrictStr

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Loss) else choices.loss(given)

    @property
    def options(self) -> dict[str, bool]:
        """The options of the formula by name, defaults included."""
        return dict(self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return choices.loss_schema()


class Layer(Part, frozen=True, extra="allow"):
    """A layer by kind, with the parameters of its formula as further keys (all of them, once validated)."""

    kind: StrictStr
    name: Name | None = None
    inputs: tuple[StrictStr, ...] = ()
    activation: Activation = Field(default_factory=lambda: Activation(kind="identity"))

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Layer) else layer_spec.layer(given)

    @property
    def parameters(self) -> dict[str, Number]:
        """The values that the formula takes, by name, defaults included."""
        return layer_spec.values(self.kind, self.model_extra or {})

    @property
    def operation(self) -> Operation:
        """What the layer computes, its activation aside."""
        return layer_spec.operation(self.kind, self.model_extra or {})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return layer_spec.layer_schema(choices.activation_schema())


class Tokens(Part, frozen=True):
    """Inputs that are labels: positions in a vocabulary."""

    shape: tuple[Count, ...] = Field(max_length=MAX_AXES, description=f"a list of at most {MAX_AXES} whole numbers: the axes of an example")
    tokens: Count = Field(description="the size of the vocabulary")


class NetworkFields(TypedDict):
    """What `Network(...)` takes: the keys of a spec file."""

    name: str
    inputs: int | Sequence[int] | Tokens | Mapping[str, object]
    layers: Sequence[Layer | Mapping[str, object]]
    loss: str | Loss | Mapping[str, object]
    convention: NotRequired[Convention]


class Network(Part, frozen=True, title="A network of chainrule"):
    """A network: its inputs, its layers, its loss, and the convention in which its mathematics is written."""

    name: Name
    inputs: Count | Axes | Tokens = Field(
        description=f"the axes of an example: a whole number from 1 to {MAX_UNITS}, a list of them such as [1, 8, 8], "
        "or {{ shape = [16], tokens = 100 }} for labels".replace("{{", "{").replace("}}", "}")
    )
    loss: Loss = Field(description="the name of a loss, or a table: " + ", ".join(choices.LOSS_KINDS))
    convention: Convention = Field(
        default="rows", description='"rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T)'
    )
    layers: tuple[Layer, ...] = Field(
        min_length=1, max_length=MAX_LAYERS, description=f'a list of 1 to {MAX_LAYERS} tables such as {{ kind = "dense", units = 16 }}'
    )

    def __init__(self, /, **fields: Unpack[NetworkFields]) -> None:
        """Raises SpecError, with one line a problem, when the fields describe no network."""
        try:
            BaseModel.__init__(self, **fields)
        except ValidationError as error:
            raise SpecError("Network(...)", problems(error, Network)) from None

    @model_validator(mode="after")
    def _check_layers(self) -> Network:
        seen: dict[str, int] = {}
        for k, layer in enumerate(self.layers):
            first = seen.setdefault(layer.name, k) if layer.name else k
            if first != k:
                raise wrong(
                    f"found {shown(layer.name)}, the name of layers[{first}] too", "a name that no other layer has", "layers", k, "name"
                )
            if layer.name == INPUT:
                raise wrong(f"found {shown(INPUT)}", "another name: that one means the network's input", "layers", k, "name")
        size = self._graph.size
        if size > MAX_PARAMETERS:
            raise wrong(f"found {size} parameters in all", f"at most {MAX_PARAMETERS}", "layers")
        return self

    @cached_property
    def _graph(self) -> Graph:
        return graph(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of an example."""
        match self.inputs:
            case Tokens():
                return self.inputs.shape
            case int():
                return (self.inputs,)
            case _:
                return self.inputs

    @property
    def tokens(self) -> int | None:
        """The size of the vocabulary where the inputs are labels."""
        return self.inputs.tokens if isinstance(self.inputs, Tokens) else None

    @property
    def outputs(self) -> int:
        """The extent of the last axis of what the last layer gives."""
        return self._graph.values[-1].extents[-1] or 1

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(axis.extent or 1 for axis in tensor.axes) for tensor in self.program().parameters)

    def program(self, convention: Convention | None = None, examples: Examples = "batch", mode: Mode = "training") -> Program:
        """The forward program, in the network's own convention unless another is asked for; see `derive.build.program`."""
        from derive import build  # the builder reads networks, so it cannot be imported first

        return build.program(self, convention, examples, mode)

    def to_toml(self) -> str:
        """The spec file that describes this network: `loads(network.to_toml()) == network`."""
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        fields["loss"] = choices.short(fields["loss"], choices.loss(self.loss.kind))
        for layer, table in zip(self.layers, fields["layers"], strict=True):
            for key in [key for key, value in table.items() if layer_spec.is_default(layer.kind, key, value, table)]:
                del table[key]
            if "activation" in table:
                table["activation"] = choices.short(layer.activation.model_dump(), choices.activation(layer.activation.kind))
        return toml.spec_text(fields)


def load(path: str | PathLike[str]) -> Network:
    """The network that a spec file describes. Raises SpecError when it describes none, OSError when it cannot be read."""
    return loads(toml.read_bounded(Path(path)), str(path))


def loads(text: str, source: str = "<text>") -> Network:
    """The network that the text of a spec describes; `source` names the text in errors. Raises SpecError."""
    fields = toml.parsed(text, source)
    try:
        return Network(**cast(NetworkFields, fields))  # Network checks it
    except SpecError as error:
        raise SpecError(source, error.problems) from None


def json_schema() -> dict[str, object]:
    """The JSON Schema of spec files, for editors that complete and check them."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Network.model_json_schema()}
