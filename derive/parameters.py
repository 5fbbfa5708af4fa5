"""The numbers that a formula takes from a spec: checked, and completed with their defaults.

What the functions here raise is the error of a Pydantic validator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import sympy as sp
from pydantic.json_schema import JsonSchemaValue
from sympy import Expr

from derive.formulas.operation import Number, Parameter
from derive.spec_errors import one_of, shown, wrong

SMALLEST, LARGEST = 1e-30, 1e30  # in size: such a number and its inverse are float32 numbers
MAX_COUNT = 1_000_000
MAX_NUMBERS = 100_000
MAX_AXES = 6


def completed(table: Mapping[str, object], parameters: Mapping[str, Parameter]) -> dict[str, Number]:
    """Every parameter's value: what the table gives, else the default; a list of numbers that is left out stays out."""
    values: dict[str, Number] = {}
    for name, parameter in parameters.items():
        if name in table:
            values[name] = value(name, table[name], parameter)
        elif isinstance(parameter.default, str):
            values[name] = values[parameter.default]
        elif parameter.default is not None:
            values[name] = parameter.default
        elif parameter.kind != "reals":
            raise wrong("missing", rule(parameter), name)
    return values


def refuse_others(table: Mapping[str, object], known: Sequence[str], kind: str) -> None:
    """Raise the error of a key that is none of the known ones."""
    for key in table:
        if key not in known:
            raise wrong(f"found an unknown key of {kind}", one_of(known, key), key)


def value(name: str, given: object, parameter: Parameter) -> Number:
    """A parameter's value as the spec gives it; raises the spec's error where the parameter cannot have it."""
    right = rule(parameter)
    match parameter.kind:
        case "switch":
            if not isinstance(given, bool):
                raise wrong(f"found {shown(given)}", right, name)
            return given
        case "count":
            if isinstance(given, bool) or not isinstance(given, int) or not _least(parameter) <= given <= _most(parameter):
                raise wrong(f"found {shown(given)}", right, name)
            return given
        case "counts":
            counts = items(given) or ()
            whole = tuple(n for n in counts if isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MAX_COUNT)
            if not 1 <= len(counts) <= MAX_AXES or len(whole) < len(counts):
                raise wrong(f"found {shown(given)}", right, name)
            return whole
        case "reals":
            found = items(given)
            if found is None or not 1 <= len(found) <= MAX_NUMBERS:
                raise wrong(f"found {shown(given)}", right, name)
            return tuple(_real(name, item, parameter, right) for item in found)
        case "real":
            return _real(name, given, parameter, right)


def symbolic(values: Mapping[str, Number]) -> dict[str, Expr | bool | int]:
    """The numbers as formulas take them, lists left out: whole numbers and switches as they are, others as exact decimals."""
    return {name: v if isinstance(v, int) else exact(v) for name, v in values.items() if isinstance(v, int | float)}


def exact(number: float) -> sp.Rational:
    """The decimal number that a person wrote: 0.1 is 1/10."""
    return sp.Rational(repr(number))


def items(given: object) -> Sequence[object] | None:
    """The items of a list, None for anything else."""
    return cast(Sequence[object], given) if isinstance(given, list | tuple) else None


def rule(parameter: Parameter) -> str:
    """What a parameter may be, in words."""
    match parameter.kind:
        case "switch":
            return "true or false"
        case "count":
            return f"a whole number from {_least(parameter)} to {_most(parameter)}"
        case "counts":
            return f"a list of 1 to {MAX_AXES} whole numbers from 1 to {MAX_COUNT}"
        case "reals":
            return f"a list of {_adjective(parameter)}"
        case "real":
            example = "" if parameter.default is None else f", such as {parameter.default}"
            return f"a {_adjective(parameter).removesuffix('s')}{_bounds(parameter)}{example}"


def schema(parameter: Parameter) -> JsonSchemaValue:
    """The JSON Schema of a parameter's value."""
    match parameter.kind:
        case "switch":
            kind: dict[str, Any] = {"type": "boolean"}
        case "count":
            kind = {"type": "integer", "minimum": _least(parameter), "maximum": _most(parameter)}
        case "counts":
            whole: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_COUNT}
            kind = {"type": "array", "items": whole, "minItems": 1, "maxItems": MAX_AXES}
        case "reals":
            kind = {"type": "array", "items": {"type": "number", **_schema_bounds(parameter)}, "minItems": 1, "maxItems": MAX_NUMBERS}
        case "real":
            kind = {"type": "number", **_schema_bounds(parameter)}
    given = parameter.default is not None and not isinstance(parameter.default, str)
    return {**kind, "default": parameter.default} if given else kind


def _real(name: str, given: object, parameter: Parameter, right: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise wrong(f"found {shown(given)}", right, name)
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or not _allowed(number, parameter):
        raise wrong(f"found {shown(given)}", right, name)
    if number != 0 and not SMALLEST <= abs(number) <= LARGEST:
        size = f"of a size from {SMALLEST:g} to {LARGEST:g}" + ("" if parameter.above == 0 else " or 0")
        raise wrong(f"found {shown(given)}", f"{right}, {size}", name)
    return number


def _allowed(number: float, parameter: Parameter) -> bool:
    low = (parameter.above is None or number > parameter.above) and (parameter.least is None or number >= parameter.least)
    return low and (parameter.below is None or number < parameter.below) and (parameter.most is None or number <= parameter.most)


def _adjective(parameter: Parameter) -> str:
    return "positive numbers" if parameter.above == 0 else "finite numbers"


def _bounds(parameter: Parameter) -> str:
    low = f" above {parameter.above:g}" if parameter.above else f" of at least {parameter.least:g}" if parameter.least is not None else ""
    high = f" of at most {parameter.most:g}" if parameter.most is not None else ""
    high = high or (f" below {parameter.below:g}" if parameter.below is not None else "")
    return " and".join(part for part in (low, high) if part)


def _least(parameter: Parameter) -> int:
    return 1 if parameter.least is None else int(parameter.least)


def _most(parameter: Parameter) -> int:
    return MAX_COUNT if parameter.most is None else int(parameter.most)


def _schema_bounds(parameter: Parameter) -> dict[str, float]:
    bounds = {"exclusiveMinimum": parameter.above, "minimum": parameter.least}
    bounds |= {"exclusiveMaximum": parameter.below, "maximum": parameter.most}
    return {key: bound for key, bound in bounds.items() if bound is not None}
