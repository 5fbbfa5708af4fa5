"""The spec: a network as data, validated before any work starts. A TOML file and `Network(...)` build the same object.

Which activations, losses and parameters exist is read from the tables of formulas: a new line there is known here at once.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict, Unpack, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from derive import toml
from derive.choices import Activation
from derive.loss_spec import LOSS_KINDS, Loss, Penalty, check_lists, check_penalties, hints
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


class Part(BaseModel, frozen=True, extra="forbid"):
    """A piece of a spec: immutable, and strict about its keys."""


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
    penalties: NotRequired[Sequence[Penalty | Mapping[str, object]]]
    convention: NotRequired[Convention]


class Network(Part, frozen=True, title="A network of chainrule"):
    """A network: its inputs, its layers, its loss, and the convention in which its mathematics is written."""

    name: Name
    inputs: Count
    loss: Loss = Field(description="the name of a loss, or a table: " + ", ".join(LOSS_KINDS))
    penalties: tuple[Penalty, ...] = Field(
        default=(), max_length=MAX_LAYERS, description='a list of tables such as { kind = "l2", strength = 0.01 }'
    )
    convention: Convention = Field(
        default="rows", description='"rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T)'
    )
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
        check_lists(self.loss, self.outputs)
        numbered = list(enumerate(self.layers, 1))
        check_penalties(self.penalties, [name for k, layer in numbered for name in ([f"W{k}", f"b{k}"] if layer.bias else [f"W{k}"])])
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

    @property
    def hints(self) -> tuple[str, ...]:
        """What is allowed, but probably not meant."""
        return hints(self.loss, self.layers[-1].activation.kind)

    def program(self, convention: Convention | None = None, examples: Examples = "batch") -> Program:
        """The forward program, in the network's own convention unless another is asked for."""
        from derive import build  # the builder reads networks, so it cannot be imported first

        return build.program(self, convention, examples)

    def to_toml(self) -> str:
        """The spec file that describes this network: `loads(network.to_toml()) == network`."""
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        fields["loss"] = self.loss.short()
        for layer, table in zip(self.layers, fields["layers"], strict=True):
            table["activation"] = layer.activation.short()
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
