"""A formula of the user's own in a spec: its text, its numbers, its learned numbers; checked when the spec is read.

What the functions here raise is the error of a Pydantic validator.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from derive.formulas.losses import lines
from derive.formulas.operation import Number, Parameter
from derive.language import FormulaError
from derive.parameters import MAX_COUNT, value
from derive.spec_errors import shown, wrong

KEYS = ("formula", "parameters", "learned", "source")
SOURCE = "the spec"  # of a formula, where the spec names no other

MAX_FORMULA = 4000  # characters
MAX_NAMES = 100
MAX_SOURCE = 200  # characters
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
NAME_RULE = "a name of letters, digits and underscores, at most 64, the first a letter"


def completed(table: Mapping[str, object], meant: Sequence[str], *, lists: bool) -> dict[str, object]:
    """The keys of a formula of the user's own, checked one by one.

    meant: the names that have a meaning in it already; lists: whether a parameter may be a list of numbers.
    """
    formula, source = table["formula"], table.get("source", SOURCE)
    if not isinstance(formula, str) or len(formula) > MAX_FORMULA:
        raise wrong(f"found {shown(formula)}", f'a formula of at most {MAX_FORMULA} characters, such as "x * sigmoid(x)"', "formula")
    if not isinstance(source, str) or not source.isprintable() or len(source) > MAX_SOURCE:
        raise wrong(f"found {shown(source)}", f"at most {MAX_SOURCE} characters of text", "source")
    parameters: dict[str, Number] = {}
    for name, given in _new(table, "parameters", meant):
        kind = _kind(given)
        parameters[name] = number("parameters", name, given, kind if lists or kind.kind != "reals" else Parameter(1.0))
    learned = {name: number("learned", name, given, Parameter(0.25)) for name, given in _new(table, "learned", (*meant, *parameters))}
    return {"formula": formula, "parameters": parameters, "learned": learned, "source": source}


def check_parts(complete: Mapping[str, object], meant: Sequence[str]) -> None:
    """Raise the spec's error where a named part of a formula has a name that means something already."""
    known = {*meant, *cast(Mapping[str, object], complete["parameters"]), *cast(Mapping[str, object], complete["learned"])}
    for name, _ in lines(str(complete["formula"]))[:-1]:
        if name in known:
            raise wrong(f"found an equation for {shown(name)}, which has a meaning already", "another name", "formula")
        known.add(name)


def parameters(values: Mapping[str, Number]) -> dict[str, Parameter]:
    """What the formula's parameters are, by the values that the spec gives them."""
    return {name: _kind(given) for name, given in values.items()}


def check_text(read: Callable[[], object], *below: str) -> None:
    """Raise the spec's error for what is wrong with a formula, where reading it fails; `below` is the path to its text."""
    try:
        read()
    except FormulaError as error:
        place = f"line {error.line}, column {error.column}" if error.line > 1 else f"column {error.column}"
        raise wrong(f"{place}: found {error.found}", error.right, *below) from None


def table_schema(title: str, more: Mapping[str, JsonSchemaValue]) -> JsonSchemaValue:
    """The JSON Schema of a table with a formula."""
    numbers = {"type": ["number", "boolean", "array"], "items": {"type": "number"}}
    keys: dict[str, JsonSchemaValue] = {
        "formula": {"type": "string", "description": "an expression; docs/formulas.md describes the language"},
        "parameters": {"type": "object", "additionalProperties": numbers},
        "learned": {"type": "object", "additionalProperties": {"type": "number"}},
        "source": {"type": "string", "maxLength": MAX_SOURCE},
    }
    return {"type": "object", "title": title, "properties": {**keys, **more}, "required": ["formula"], "additionalProperties": False}


def named(table: Mapping[str, object], key: str, names: re.Pattern[str], right: str) -> list[tuple[str, object]]:
    """The items of a table under a key, whose names have this form; `right` is an example."""
    given = table.get(key, {})
    items = list(cast(Mapping[object, object], given).items()) if isinstance(given, Mapping) else None
    if items is None or len(items) > MAX_NAMES:
        raise wrong(f"found {shown(table[key])}", f"a table such as {right}, of at most {MAX_NAMES} names", key)
    for name, _ in items:
        if not isinstance(name, str) or not names.fullmatch(name):
            raise wrong(f"found the name {shown(name)}", NAME_RULE if names is NAME else f"names as in {right}", key)
    return [(str(name), item) for name, item in items]


def _new(table: Mapping[str, object], key: str, meant: Sequence[str]) -> list[tuple[str, object]]:
    items = named(table, key, NAME, "{ a = 0.25 }")
    for name, _ in items:
        if name in meant:
            raise wrong(f"found the name {shown(name)}, which has a meaning in the formula already", "another name", key)
    return items


def number(key: str, name: str, given: object, parameter: Parameter) -> Number:
    """The number, or the error with the path to it."""
    try:
        return value(name, given, parameter)
    except PydanticCustomError as error:
        context = error.context or {}
        raise wrong(context["found"], context["right"], key, *context["below"]) from None


def _kind(given: object) -> Parameter:
    if isinstance(given, bool):
        return Parameter(kind="switch")
    if isinstance(given, list | tuple):
        return Parameter(kind="reals")
    whole = isinstance(given, int) and abs(given) <= MAX_COUNT
    return Parameter(kind="count", least=-MAX_COUNT) if whole else Parameter()
