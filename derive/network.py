"""The spec: a network as data, validated before any work starts. A TOML file and `Network(...)` build the same object.

Which activations, losses and parameters exist is read from the tables of formulas: a new line there is known here at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NotRequired, TypedDict, Unpack, cast

from pydantic import AfterValidator, BaseModel, Field, PlainSerializer, PlainValidator, StrictInt, ValidationError, model_validator

from derive import toml
from derive.choices import OWN, activation_schema
from derive.family import check_names
from derive.graph import INPUT, Graph, graph
from derive.layer_spec import Layer
from derive.loss_spec import LOSS_KINDS, Loss, Penalty, check_lists, check_penalties, hints
from derive.names import Name
from derive.parameters import MAX_AXES
from derive.program import ProductKind, ProgramError
from derive.spec_errors import SpecError, problems, shown, wrong

if TYPE_CHECKING:
    from derive.build import Examples, Mode
    from derive.program import Program

Convention = Literal["rows", "columns", "xw"]

MAX_UNITS = 1_000_000
MAX_LAYERS = 1000
MAX_PARAMETERS = 100_000_000

PRODUCTS_RULE = 'a list of "jvp", "jacobian" and "hvp", each at most once'


def checked_products(products: tuple[ProductKind, ...]) -> tuple[ProductKind, ...]:
    """The products themselves, if none stands twice: raises the spec's error otherwise."""
    for k, kind in enumerate(products):
        if kind in products[:k]:
            raise wrong(f"found {shown(kind)} twice", PRODUCTS_RULE, k)
    return products


Products = Annotated[tuple[ProductKind, ...], AfterValidator(checked_products), Field(json_schema_extra={"uniqueItems": True})]
Count = Annotated[StrictInt, Field(ge=1, le=MAX_UNITS, description=f"a whole number from 1 to {MAX_UNITS}")]
Axes = Annotated[tuple[Count, ...], Field(min_length=1, max_length=MAX_AXES)]


class Part(BaseModel, frozen=True, extra="forbid"):
    """A piece of a spec: immutable, and strict about its keys."""


class Tokens(Part, frozen=True):
    """Inputs that are labels: positions in a vocabulary."""

    shape: tuple[Count, ...] = Field(max_length=MAX_AXES, description=f"a list of at most {MAX_AXES} whole numbers: the axes of an example")
    tokens: Count = Field(description="the size of the vocabulary")


INPUTS_RULE = (
    f"the axes of an example: a whole number from 1 to {MAX_UNITS}, a list of them such as [1, 8, 8], "
    "or { shape = [16], tokens = 100 } for labels"
)


def checked_inputs(given: object) -> object:
    """What a spec says of the inputs, if that is one of the three forms: raises the spec's error otherwise."""
    whole = f"a whole number from 1 to {MAX_UNITS}"
    if isinstance(given, Tokens):
        return given
    if isinstance(given, Mapping):
        return Tokens.model_validate(given)
    if isinstance(given, list | tuple):
        sizes = cast("list[object]", given)
        for k, size in enumerate(sizes):
            if not _is_count(size):
                raise wrong(f"found {shown(size)}", whole, k)
        if not 1 <= len(sizes) <= MAX_AXES:
            raise wrong(f"found {shown(sizes)}", f"a list of 1 to {MAX_AXES} whole numbers")
        return tuple(sizes)
    if not _is_count(given):
        raise wrong(f"found {shown(given)}", whole if isinstance(given, int) else INPUTS_RULE)
    return given


def _is_count(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MAX_UNITS


def _plain(inputs: int | tuple[int, ...] | Tokens) -> object:
    return inputs.model_dump() if isinstance(inputs, Tokens) else inputs


Inputs = Annotated[
    int | tuple[int, ...] | Tokens,
    PlainValidator(checked_inputs, json_schema_input_type=Count | Axes | Tokens),
    PlainSerializer(_plain, return_type=object),
]


class NetworkFields(TypedDict):
    """What `Network(...)` takes: the keys of a spec file."""

    name: str
    inputs: int | Sequence[int] | Tokens | Mapping[str, object]
    layers: Sequence[Layer | Mapping[str, object]]
    loss: str | Loss | Mapping[str, object]
    penalties: NotRequired[Sequence[Penalty | Mapping[str, object]]]
    convention: NotRequired[Convention]
    products: NotRequired[Sequence[ProductKind]]


class Network(Part, frozen=True, title="A network of chainrule"):
    """A network: its inputs, its layers, its loss, and the convention in which its mathematics is written."""

    name: Name
    inputs: Inputs = Field(description=INPUTS_RULE)
    loss: Loss = Field(description="the name of a loss, or a table: " + ", ".join(LOSS_KINDS))
    penalties: tuple[Penalty, ...] = Field(
        default=(), max_length=MAX_LAYERS, description='a list of tables such as { kind = "l2", strength = 0.01 }'
    )
    convention: Convention = Field(
        default="rows", description='"rows" (Z = H W^T + 1 b^T), "columns" (z = W h + b) or "xw" (Z = H W + 1 b^T)'
    )
    products: Products = Field(default=(), description=PRODUCTS_RULE)
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
        check_lists(self.loss, self.outputs)
        if self.penalties or self.loss.kind == OWN or any(OWN in (layer.kind, layer.activation.kind) for layer in self.layers):
            try:
                program = self.program()  # formulas of the user's own may not fit what they read, or use its names
                check_names(program)
            except ProgramError as error:
                raise wrong(f"found formulas that do not fit: {error}", "other names for what they learn, read or compute") from None
            check_penalties(self.penalties, [tensor.name for tensor in program.parameters])
        return self

    @model_validator(mode="after")
    def _check_products(self) -> Network:
        from derive.products import demand  # which reads programs, as the builder does

        for k, kind in enumerate(self.products):
            try:
                demand(kind, self.program())
            except ProgramError as error:
                raise wrong(f"found {shown(kind)}, but {error}", f"products without {shown(kind)}", "products", k) from None
        return self

    @cached_property
    def _graph(self) -> Graph:
        return graph(self)

    @property
    def learned(self) -> dict[str, int]:
        """The names of the tensors that layers learn, with the numbers of their layers, from 1."""
        return self._graph.learned

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
        """The extent of the last axis of what the loss reads."""
        return self._graph.values[self._graph.loss[0]].extents[-1] or 1

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(math.prod(axis.extent or 1 for axis in tensor.axes) for tensor in self.program().parameters)

    @property
    def hints(self) -> tuple[str, ...]:
        """What is allowed, but probably not meant."""
        last = self._graph.loss[0]
        unread = [
            f"layers[{k - 1}]: the loss does not depend on this layer: name it in `inputs` of one that it does, or leave it out"
            for k in self._graph.unread
        ]
        return (*unread, *(hints(self.loss, self._graph.applied(last)) if last else ()))

    def program(self, convention: Convention | None = None, examples: Examples = "batch", mode: Mode = "training") -> Program:
        """The forward program, in the network's own convention unless another is asked for; see `derive.build.program`."""
        from derive import build  # the builder reads networks, so it cannot be imported first

        return replace(build.program(self, convention, examples, mode), products=self.products)

    def to_toml(self) -> str:
        """The spec file that describes this network: `loads(network.to_toml()) == network`."""
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        fields["loss"] = self.loss.short()
        fields["layers"] = [layer.short() for layer in self.layers]
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
    schema = Network.model_json_schema()
    schema["$defs"]["Activation"] = activation_schema()  # which the tables of layers refer to
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
