"""Activations in a spec: a name, a table with the name under `kind` and parameters beside it, or a formula of the user's own.

Which there are and what they take is read from the table of formulas. What the functions here raise is the error of a Pydantic
validator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, GetJsonSchemaHandler, StrictStr, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from sympy import Expr

from derive import own_formula
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.operation import Number, Operation, Parameter
from derive.index import Axis, Index, Tensor
from derive.language import Operand, Scope, definitions
from derive.parameters import completed, refuse_others, schema, symbolic
from derive.spec_errors import one_of, shown, wrong

OWN = "formula"  # the kind of what has a formula of the user's own


class Activation(BaseModel, frozen=True, extra="allow"):
    """An activation by name or by formula, with what its formula takes as further keys (all of it, once validated)."""

    kind: StrictStr

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Activation) else _activation(given)

    @model_validator(mode="after")
    def _readable(self) -> Activation:
        if self.kind == OWN:
            own_formula.check_text(self._read, "formula")
        return self

    def _read(self) -> None:
        """Read the formula as the builder will, for a value of which nothing is known. Raises FormulaError."""
        x = Tensor("X", (Axis("n", "N"), Axis("j", "H")))
        scope: dict[str, Expr | bool | int | Operand] = {"X": Operand(x.axes, lambda at: x[at]), **symbolic(self.parameters)}
        scope |= {name: Tensor(name)[()] for name in self.operation.learned}
        definitions(self.operation.formula, Scope(scope), _defined)

    @property
    def parameters(self) -> dict[str, Number]:
        """The numbers that the formula takes, by name, defaults included; a list that was left out is absent."""
        extra = self.model_extra or {}
        return dict(extra["parameters"] if self.kind == OWN else extra)

    @property
    def operation(self) -> Operation:
        """The formula, and what it takes."""
        if self.kind != OWN:
            return ACTIVATIONS[self.kind]
        extra = self.model_extra or {}
        return Operation(extra["formula"], extra["source"], parameters=own_formula.parameters(self.parameters), learned=extra["learned"])

    def short(self) -> object:
        """What a spec says of it: a name where the defaults say the rest."""
        return shortened({"kind": self.kind, **(self.model_extra or {})}, self.operation.parameters)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return activation_schema()


def table_of(given: object, what: str, kinds: Sequence[str]) -> dict[str, object]:
    """The choice as a table whose kind is known: one of the kinds, or that of a formula of the user's own."""
    if isinstance(given, str):
        if given not in kinds:
            raise wrong(f"found {shown(given)}", one_of(kinds, given))
        return {"kind": given}
    if not isinstance(given, Mapping):
        raise wrong(f"found {shown(given)}", f'the name of a known {what} or a table such as {{ kind = "{kinds[-1]}" }}')
    table = {str(key): value for key, value in cast(Mapping[object, object], given).items()}
    if "formula" in table and table.get("kind", OWN) == OWN:
        return {**table, "kind": OWN}
    if "kind" not in table:
        raise wrong("missing", one_of(kinds), "kind")
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in kinds:
        raise wrong(f"found {shown(kind)}", one_of(kinds, kind), "kind")
    return table


def shortened(table: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> object:
    """A choice without what its defaults say anyway: a name where nothing else is left."""
    if table["kind"] == OWN:
        return {
            key: value for key, value in table.items() if key != "kind" and value != {} and (key, value) != ("source", own_formula.SOURCE)
        }
    own = {key: value for key, value in table.items() if key not in parameters or value != parameters[key].default}
    return own if len(own) > 1 else own["kind"]


def table_schema(kind: str, keys: Mapping[str, JsonSchemaValue], source: str, required: Sequence[str] = ()) -> JsonSchemaValue:
    """The JSON Schema of a choice that is written as a table."""
    return {
        "type": "object",
        "title": kind,
        "description": source,
        "properties": {"kind": {"const": kind}, **keys},
        "required": ["kind", *required],
        "additionalProperties": False,
    }


def needed(parameters: Mapping[str, Parameter]) -> list[str]:
    """The parameters that a spec must give."""
    return [name for name, p in parameters.items() if p.default is None and p.kind != "reals"]


def _activation(given: object) -> dict[str, object]:
    """The table {kind, every parameter} of an activation that was given as a name, as a table or as a formula."""
    table = table_of(given, "activation", list(ACTIVATIONS))
    kind = str(table["kind"])
    if kind == OWN:
        refuse_others(table, ["kind", *own_formula.KEYS], "a formula")
        return {"kind": kind, **own_formula.completed(table, ("x", "X", "Y"), lists=False)}
    parameters = ACTIVATIONS[kind].parameters
    refuse_others(table, ["kind", *parameters], kind)
    return {"kind": kind, **completed(table, parameters)}


def _defined(name: str, indices: tuple[Index, ...], _body: Expr) -> Operand:
    tensor = Tensor(name, [i.axis for i in indices])
    return Operand(tensor.axes, lambda at: tensor[at])


def activation_schema() -> JsonSchemaValue:
    """The JSON Schema of an activation."""
    tables = [
        table_schema(kind, {name: schema(p) for name, p in chosen.parameters.items()}, chosen.source, needed(chosen.parameters))
        for kind, chosen in ACTIVATIONS.items()
    ]
    own = own_formula.table_schema(OWN, {})
    return {"title": "Activation", "anyOf": [{"type": "string", "enum": list(ACTIVATIONS)}, *tables, own]}
