"""A layer with a formula of the user's own: whole operations in index notation, with declared axes and learned tensors.

    { formula = "Y[n, j] = sum(k, X[n, k] * W[j, k]) + b[j]", axes = { j = 5 }, learned = { "W[j, k]" = "weight", "b[j]" = 0 } }

What the functions here raise is the error of a Pydantic validator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic.json_schema import JsonSchemaValue

from derive import own_formula
from derive.formulas.operation import Number, Operation, Parameter, Start
from derive.language import FormulaError
from derive.parameters import MAX_COUNT, items
from derive.shapes import left_sides
from derive.spec_errors import shown, wrong

KEYS = (*own_formula.KEYS, "axes", "reads")
MAX_TEXT = 200  # characters of an extent

TENSOR = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(\[ *(([a-z]|\.\.\.) *(, *([a-z]|\.\.\.) *)*)?\])?")
READ = re.compile(r"[A-Z][A-Za-z0-9_]{0,31}\[ *([a-z]|\.\.\.) *(, *([a-z]|\.\.\.) *)*\](: *[a-z])?")
LETTER = re.compile(r"[a-z]")
BARE = re.compile(r"\bX\[ *([a-z]|\.\.\.) *(, *([a-z]|\.\.\.) *)*\]")  # X as a formula reads it at plain letters


def completed(table: Mapping[str, object]) -> dict[str, object]:
    """The keys of the layer, checked one by one."""
    plain = own_formula.completed({k: v for k, v in table.items() if k in own_formula.KEYS and k != "learned"}, ("X", "Y"), lists=False)
    learned = {name: _start(name, given) for name, given in own_formula.named(table, "learned", TENSOR, '{ "W[j, k]" = "weight" }')}
    axes = {letter: _extent(letter, given) for letter, given in own_formula.named(table, "axes", LETTER, "{ j = 5 }")}
    try:
        reads = _reads(table.get("reads"), str(plain["formula"]))
        left_sides(str(plain["formula"]))
    except ValueError as error:  # what is on a left side is no tensor: the language says it better
        raise wrong(str(error), "equations such as `Y[n, j] = sum(k, X[n, k] * W[j, k])`", "formula") from None
    return {**plain, "learned": learned, "axes": axes, "reads": reads}


def operation(table: Mapping[str, Any]) -> Operation:
    """The operation that the completed keys describe."""
    axes = {letter: str(extent) for letter, extent in table["axes"].items()}
    parameters = own_formula.parameters(table["parameters"])
    return Operation(table["formula"], table["source"], table["reads"], parameters, axes, table["learned"])


def formula_error(error: FormulaError, *below: str | int) -> Exception:
    """The spec's error for what is wrong with a formula; `below` is the path to its text."""
    place = f"line {error.line}, column {error.column}" if error.line > 1 else f"column {error.column}"
    return wrong(f"{place}: found {error.found}", error.right, *below)


def keys_schema() -> dict[str, JsonSchemaValue]:
    """The JSON Schemas of the keys that a formula of an activation has not."""
    number: JsonSchemaValue = {"type": "number"}
    return {
        "learned": {
            "type": "object",
            "additionalProperties": {"anyOf": [number, {"enum": ["weight", "normal"]}]},
            "description": 'tensors that training changes, "W[j, k]", and how they start',
        },
        "axes": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            "description": "extents of the axes that the inputs do not have",
        },
        "reads": {"type": "array", "items": {"type": "string"}, "description": 'what it reads, with the axes: "X[n, t, d]"'},
    }


def _reads(given: object, formula: str) -> tuple[str, ...]:
    """The declared patterns; else X as the formula reads it at plain letters, or with any axes."""
    if given is None:
        found = BARE.search(formula)
        return (found[0] if found else "X[...]",)
    found = items(given) or ()
    patterns = tuple(item for item in found if isinstance(item, str) and READ.fullmatch(item))
    if not patterns or len(patterns) < len(found) or len(found) > own_formula.MAX_NAMES:
        raise wrong(f"found {shown(given)}", 'a list of what it reads, with the letters of the axes: ["X[n, t, d]"]', "reads")
    return patterns


def _start(name: str, given: object) -> Start:
    if isinstance(given, str):
        if given == "weight" or given == "normal":
            return given
        raise wrong(f"found {shown(given)}", 'a number, "weight" or "normal"', "learned", name)
    return cast(float, own_formula.number("learned", name, given, Parameter(0.25)))


def _extent(letter: str, given: object) -> Number:
    if isinstance(given, str) and len(given) <= MAX_TEXT:
        return given
    right = f'a whole number from 1 to {MAX_COUNT}, or text such as "2 * size(k)"'
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MAX_COUNT:
        raise wrong(f"found {shown(given)}", right, "axes", letter)
    return given
