"""The choices of a spec that are formulas: activations with their parameters, losses with their options.

A choice is written as a name, or as a table with the name under `kind`. The functions here complete what was given with the
defaults of the tables of formulas; what they raise is the error of a Pydantic validator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic.json_schema import JsonSchemaValue

from derive.formulas.activations import ACTIVATIONS, Parameter
from derive.formulas.losses import LOSSES, Loss
from derive.spec_errors import one_of, shown, wrong

LOSS_KINDS = tuple(dict.fromkeys(kind for kind, _ in LOSSES))
REDUCTIONS = ("mean", "sum")

SMALLEST, LARGEST = 1e-30, 1e30  # in size: such a number and its inverse are float32 numbers


def activation(given: object) -> dict[str, object]:
    """The table {kind, every parameter} of an activation that was given as a name or as a table."""
    table = _table(given, "activation", list(ACTIVATIONS))
    kind, parameters = str(table["kind"]), ACTIVATIONS[str(table["kind"])].parameters
    _refuse_others(table, ["kind", *parameters], kind)
    return {"kind": kind, **{name: _number(name, table.get(name, p.default), p) for name, p in parameters.items()}}


def loss(given: object) -> dict[str, object]:
    """The table {kind, reduction, targets, every option} of a loss that was given as a name or as a table."""
    table = _table(given, "loss", LOSS_KINDS)
    kind = str(table["kind"])
    forms = _forms(kind)
    targets = table.get("targets", next(iter(forms)))
    if not isinstance(targets, str) or targets not in forms:
        raise wrong(f"found {shown(targets)}, which {kind} cannot take", one_of(forms, targets), "targets")
    options = forms[targets].options
    _refuse_others(table, ["kind", "reduction", "targets", *options], kind)
    complete = {"kind": kind, "reduction": REDUCTIONS[0], "targets": targets, **options, **table}
    for name in options:
        if not isinstance(complete[name], bool):
            raise wrong(f"found {shown(complete[name])}", "true or false", name)
    return complete


def short(table: Mapping[str, object], complete: Mapping[str, object]) -> object:
    """A choice without what its defaults say anyway: a name where nothing else is left."""
    own = {key: value for key, value in table.items() if key == "kind" or value != complete[key]}
    return own if len(own) > 1 else own["kind"]


def activation_schema() -> JsonSchemaValue:
    """The JSON Schema of an activation."""
    tables = [
        _table_schema(kind, {name: _number_schema(p) for name, p in chosen.parameters.items()}, chosen.source)
        for kind, chosen in ACTIVATIONS.items()
    ]
    return {"title": "Activation", "anyOf": [{"type": "string", "enum": list(ACTIVATIONS)}, *tables]}


def loss_schema() -> JsonSchemaValue:
    """The JSON Schema of a loss."""
    return {"title": "Loss", "anyOf": [{"type": "string", "enum": list(LOSS_KINDS)}, *(_loss_table_schema(kind) for kind in LOSS_KINDS)]}


def _forms(kind: str) -> dict[str, Loss]:
    """A loss for each kind of targets that it can take, the default first."""
    return {targets: found for (name, targets), found in LOSSES.items() if name == kind}


def _table(given: object, what: str, kinds: Sequence[str]) -> dict[str, object]:
    """The choice as a table whose kind is known."""
    if isinstance(given, str):
        if given not in kinds:
            raise wrong(f"found {shown(given)}", one_of(kinds, given))
        return {"kind": given}
    if not isinstance(given, Mapping):
        raise wrong(f"found {shown(given)}", f'the name of a known {what} or a table such as {{ kind = "{kinds[-1]}" }}')
    table = {str(key): value for key, value in cast(Mapping[object, object], given).items()}
    if "kind" not in table:
        raise wrong("missing", one_of(kinds), "kind")
    kind = table["kind"]
    if not isinstance(kind, str) or kind not in kinds:
        raise wrong(f"found {shown(kind)}", one_of(kinds, kind), "kind")
    return table


def _refuse_others(table: Mapping[str, object], known: Sequence[str], kind: str) -> None:
    for key in table:
        if key not in known:
            raise wrong(f"found an unknown key of {kind}", one_of(known, key), key)


def _number(name: str, value: object, parameter: Parameter) -> float:
    rule = ("a positive number" if parameter.positive else "a finite number") + f", such as {parameter.default}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(f"found {shown(value)}", rule, name)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or (parameter.positive and number <= 0):
        raise wrong(f"found {shown(value)}", rule, name)
    if number != 0 and not SMALLEST <= abs(number) <= LARGEST:
        size = f"of a size from {SMALLEST:g} to {LARGEST:g}" + ("" if parameter.positive else " or 0")
        raise wrong(f"found {shown(value)}", f"{rule}, {size}", name)
    return number


def _number_schema(parameter: Parameter) -> JsonSchemaValue:
    bound = {"exclusiveMinimum": 0} if parameter.positive else {}
    return {"type": "number", "default": parameter.default, **bound}


def _loss_table_schema(kind: str) -> JsonSchemaValue:
    forms = _forms(kind)
    options = {name: default for form in forms.values() for name, default in form.options.items()}
    keys: dict[str, JsonSchemaValue] = {
        "reduction": {"enum": list(REDUCTIONS), "default": REDUCTIONS[0]},
        "targets": {"enum": list(forms), "default": next(iter(forms))},
        **{name: {"type": "boolean", "default": default} for name, default in options.items()},
    }
    return _table_schema(kind, keys, next(iter(forms.values())).source)


def _table_schema(kind: str, keys: Mapping[str, JsonSchemaValue], source: str) -> JsonSchemaValue:
    return {
        "type": "object",
        "title": kind,
        "description": source,
        "properties": {"kind": {"const": kind}, **keys},
        "required": ["kind"],
        "additionalProperties": False,
    }
