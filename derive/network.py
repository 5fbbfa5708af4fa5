"""The spec: a network as data, validated before any work starts. A TOML file and `Network(...)` build the same object.

Which activations, losses and parameters exist is read from the tables of formulas: a new line there is known here at once.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
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

from derive import choices, toml
from derive.program import ProductKind, ProgramError
from derive.spec_errors import SpecError, problems, shown, wrong

if TYPE_CHECKING:
    from derive.build import Examples
    from derive.program import Program

Convention = Literal["rows", "columns", "xw"]

MAX_NAME = 64
MAX_UNITS = 1_000_000
MAX_LAYERS = 1000
MAX_PARAMETERS = 100_000_000

NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_]*$"
NAME_RULE = f"letters, digits and underscores, at most {MAX_NAME}, the first a letter"
PRODUCTS_RULE = 'a list of "jvp", "jacobian" and "hvp", each at most once'
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


def checked_products(products: tuple[ProductKind, ...]) -> tuple[ProductKind, ...]:
    """The products themselves, if none stands twice: raises the spec's error otherwise."""
    for k, kind in enumerate(products):
        if kind in products[:k]:
            raise wrong(f"found {shown(kind)} twice", PRODUCTS_RULE, k)
    return products


Name = Annotated[
    StrictStr,
    AfterValidator(checked_name),
    Field(description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME}),
]
Products = Annotated[tuple[ProductKind, ...], AfterValidator(checked_products), Field(json_schema_extra={"uniqueItems": True})]
Count = Annotated[StrictInt, Field(ge=1, le=MAX_UNITS, description=f"a whole number from 1 to {MAX_UNITS}")]


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


class Dense(Part, frozen=True):
    """A fully connected layer: every output is a weighted sum of all inputs, plus a bias, through an activation."""

    kind: Literal["dense"]
    units: Count
    activation: Activation = Field(default_factory=lambda: Activation(kind="identity"), description="the name of an activation, or a table")
    bias: StrictBool = Field(default=True, description="true or false")
    name: Name | None = Field(default=None, description=NAME_RULE)


class NetworkFields(TypedDict):
    """What `Network(...)` takes: the keys of a spec file."""

    name: str
    inputs: int
    layers: Sequence[Dense | Mapping[str, object]]
    loss: str | Loss | Mapping[str, object]
    convention: NotRequired[Convention]
    products: NotRequired[Sequence[ProductKind]]


class Network(Part, frozen=True, title="A network of chainrule"):
    """A network: its inputs, its layers, its loss, and the convention in which its mathematics is written."""

    name: Name
    inputs: Count
    loss: Loss = Field(description="the name of a loss, or a table: " + ", ".join(choices.LOSS_KINDS))
    convention: Convention = Field(
        default="rows", description='"rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T)'
    )
    products: Products = Field(default=(), description=PRODUCTS_RULE)
    layers: tuple[Dense, ...] = Field(
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
        if self.size > MAX_PARAMETERS:
            raise wrong(f"found {self.size} parameters in all", f"at most {MAX_PARAMETERS}", "layers")
        return self

    @model_validator(mode="after")
    def _check_products(self) -> Network:
        from derive.products import demand_jacobian  # which reads programs, as the builder does

        try:
            if "jacobian" in self.products:
                demand_jacobian(self.program())
        except ProgramError as error:
            raise wrong(f'found "jacobian", but {error}', 'products without "jacobian"', "products") from None
        return self

    @property
    def outputs(self) -> int:
        """The units of the last layer."""
        return self.layers[-1].units

    @property
    def size(self) -> int:
        """The number of parameters."""
        widths = (self.inputs, *(layer.units for layer in self.layers))
        return sum(layer.units * (into + layer.bias) for into, layer in zip(widths, self.layers, strict=False))

    def program(self, convention: Convention | None = None, examples: Examples = "batch") -> Program:
        """The forward program, in the network's own convention unless another is asked for."""
        from derive import build  # the builder reads networks, so it cannot be imported first

        return replace(build.program(self, convention, examples), products=self.products)

    def to_toml(self) -> str:
        """The spec file that describes this network: `loads(network.to_toml()) == network`."""
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        fields["loss"] = choices.short(fields["loss"], choices.loss(self.loss.kind))
        for layer, table in zip(self.layers, fields["layers"], strict=True):
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
