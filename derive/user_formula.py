"""An operation of the user's own, written in a spec: `formula`, and what it takes.

    { formula = "x * sigmoid(beta * x)", parameters = { beta = 1.702 }, learned = { a = 0.25 } }
    { formula = "Y[n, j] = sum(k, X[n, k] * W[j, k]) + b[j]", axes = { j = 5 }, learned = { "W[j, k]" = "weight", "b[j]" = 0 } }

The text is read by `derive.language` alone. What the functions here raise is the error of a Pydantic validator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from derive.formulas.operation import Operation, Parameter, Start
from derive.parameters import value
from derive.shapes import Pattern
from derive.spec_errors import shown, wrong

KEYS = ("formula", "parameters", "learned", "axes", "reads")
MAX_FORMULA = 4000
MAX_ITEMS = 64
SOURCE = "the spec"

NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,31}$")
TENSOR = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,31}(\[[a-z., ]{0,64}\])?$")
LETTER = re.compile(r"^[a-z]$")
BARE_READ = re.compile(r"\bX\[([a-z]|\.\.\.)(\s*,\s*([a-z]|\.\.\.))*\s*\]")


def user_operation(table: Mapping[str, object]) -> Operation:
    """The operation that a table with the keys of KEYS describes, its parameters' values as defaults."""
    formula = table.get("formula")
    if not isinstance(formula, str) or not formula.strip() or len(formula) > MAX_FORMULA:
        right = f'a formula of at most {MAX_FORMULA} characters, such as "x * sigmoid(beta * x)"'
        raise wrong("missing" if formula is None else f"found {shown(formula)}", right, "formula")
    parameters = {name: Parameter(_number("parameters", name, given)) for name, given in _items(table, "parameters", NAME).items()}
    learned = {name: _start(name, given) for name, given in _items(table, "learned", TENSOR).items()}
    axes = {letter: _extent(letter, given) for letter, given in _items(table, "axes", LETTER).items()}
    return Operation(formula, SOURCE, _reads(table, formula), parameters, axes, learned)


def formula_schema() -> dict[str, JsonSchemaValue]:
    """The JSON Schemas of the keys."""
    number: JsonSchemaValue = {"type": "number"}
    return {
        "formula": {"type": "string", "maxLength": MAX_FORMULA, "description": "see docs/formulas.md"},
        "parameters": {"type": "object", "additionalProperties": number, "description": "numbers that the formula names"},
        "learned": {
            "type": "object",
            "additionalProperties": {"anyOf": [number, {"enum": ["weight", "normal"]}]},
            "description": 'tensors that training changes, "W[j, k]", and how they start',
        },
        "axes": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "description": "extents of axes that the inputs do not have",
        },
        "reads": {"type": "array", "items": {"type": "string"}, "description": 'what it reads, with its axes: "X[n, t, d]"'},
    }


def _reads(table: Mapping[str, object], formula: str) -> tuple[str, ...]:
    """The declared patterns; else X as the formula writes it with bare letters, or at any axes."""
    given = table.get("reads")
    if given is None:
        found = BARE_READ.search(formula)
        return (found[0] if found else "X[...]",)
    if not isinstance(given, list | tuple):
        raise wrong(f"found {shown(given)}", 'a list of tensors with the letters of their axes, such as ["X[n, t, d]"]', "reads")
    patterns = tuple(cast("list[object]", list(cast("list[object]", given))))
    for k, pattern in enumerate(patterns):
        if not isinstance(pattern, str) or not re.match(r"^[A-Z]\w{0,31}\[[a-z., ]{0,64}\](:\s*[a-z])?$", pattern):
            raise wrong(f"found {shown(pattern)}", 'a tensor with the letters of its axes, such as "X[n, t, d]"', "reads", k)
    if not 1 <= len(patterns) <= MAX_ITEMS:
        raise wrong(f"found {len(patterns)} of them", f"1 to {MAX_ITEMS} tensors", "reads")
    return tuple(str(Pattern.of(str(p))) + (f": {Pattern.of(str(p)).labels}" if Pattern.of(str(p)).labels else "") for p in patterns)


def _items(table: Mapping[str, object], key: str, names: re.Pattern[str]) -> dict[str, object]:
    given = table.get(key, {})
    right = {"parameters": "{ beta = 1.702 }", "learned": '{ "W[j, k]" = "weight" }', "axes": "{ j = 5 }"}[key]
    if not isinstance(given, Mapping) or len(cast(Mapping[object, object], given)) > MAX_ITEMS:
        raise wrong(f"found {shown(given)}", f"a table such as {right}, of at most {MAX_ITEMS} entries", key)
    items = {str(name): item for name, item in cast(Mapping[object, object], given).items()}
    for name in items:
        if not names.match(name):
            raise wrong(f"found the name {shown(name)}", f"names as in {right}", key)
    return items


def _number(key: str, name: str, given: object) -> float:
    try:
        return cast(float, value(name, given, Parameter()))
    except PydanticCustomError as error:
        context = error.context or {}
        raise wrong(context["found"], context["right"], key, name) from None


def _start(name: str, given: object) -> Start:
    if given == "weight" or given == "normal":
        return given
    if isinstance(given, str):
        raise wrong(f"found {shown(given)}", 'a number, "weight" or "normal"', "learned", name)
    return _number("learned", name, given)


def _extent(letter: str, given: object) -> str:
    if isinstance(given, str) and len(given) <= 200:
        return given
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise wrong(f"found {shown(given)}", 'a whole number of at least 1, or text such as "2 * size(k)"', "axes", letter)
    return str(given)
