"""What can be wrong with a spec, in words: where, what was found, what would be right."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

Path = tuple[str | int, ...]

MAX_GUESSED = 100  # characters of a word that is compared with the known ones
MAX_LINES = 20  # of an error's text
MAX_SHOWN = 40  # characters of what was found
MAX_OPTIONS = 28  # that are listed


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: `key` names the place ("layers[0].units", empty for the whole file)."""

    key: str
    found: str
    right: str

    def __str__(self) -> str:
        place = f"{self.key}: " if self.key else ""
        return f"{place}{self.found}; right would be {self.right}"


class SpecError(ValueError):
    """A spec that describes no network. Its text has one line a problem, each with the name of the source, for the first few."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        lines = [f"{source}: {problem}" for problem in problems[:MAX_LINES]]
        rest = len(problems) - MAX_LINES
        super().__init__("\n".join([*lines, f"{source}: and {rest} more problems"] if rest > 0 else lines))
        self.source = source
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[SpecError], tuple[str, tuple[Problem, ...]]]:
        return (SpecError, (self.source, self.problems))


def wrong(found: str, right: str, *below: str | int) -> PydanticCustomError:
    """The error that a validator raises; `below` is the path from the validated value to the place."""
    return PydanticCustomError("spec", "{found}; right would be {right}", {"found": found, "right": right, "below": below})


def problems(error: ValidationError, model: type[BaseModel]) -> tuple[Problem, ...]:
    """The problems that Pydantic found, in the order of the spec's keys; `model` is the one that was validated.

    A key that is missing because it was misspelt is one problem, not two; so is a list that is too short because its items are wrong.
    """
    every = error.errors(include_url=False)
    unknown = [details["loc"] for details in every if details["type"] == "extra_forbidden"]
    meant = [(*loc[:-1], near) for loc in unknown for near in nearest(loc[-1], _model_at(model, loc[:-1]).model_fields)]
    lists = [details["loc"][:k] for details in every for k in range(1, len(details["loc"]))]
    consequences = {"missing": meant, "too_short": lists}
    return tuple(_problem(details, model) for details in every if details["loc"] not in consequences.get(details["type"], []))


def shown(value: object) -> str:
    """A value as a spec would write it, shortened to fit a line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= MAX_SHOWN else value[: MAX_SHOWN - 3] + "...")
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def one_of(options: Iterable[str], given: object = None) -> str:
    """The phrase 'one of "a", "b"', with a guess at what was meant by the given word."""
    known = list(options)
    phrase = json.dumps(known[0]) if len(known) == 1 else "one of " + ", ".join(map(json.dumps, known[:MAX_OPTIONS]))
    more = f" and {len(known) - MAX_OPTIONS} more, see docs/operations.md" if len(known) > MAX_OPTIONS else ""
    return phrase + more + guess(given, known)


def guess(given: object, options: Iterable[str]) -> str:
    """' (did you mean "a"?)' where an option resembles the given word, else nothing."""
    near = nearest(given, options)
    return f" (did you mean {json.dumps(near[0])}?)" if near else ""


def nearest(given: object, options: Iterable[str]) -> list[str]:
    """The option that resembles the given word most, if one does."""
    return difflib.get_close_matches(given[:MAX_GUESSED], list(options), n=1) if isinstance(given, str) else []


def key_text(path: Iterable[str | int]) -> str:
    """layers[0].units"""
    text = ""
    for part in path:
        bare = isinstance(part, str) and len(part) <= MAX_SHOWN and part.isascii() and part.replace("-", "_").isidentifier()
        step = f"[{part}]" if isinstance(part, int) else part if bare else shown(part)
        text += step if isinstance(part, int) or not text else f".{step}"
    return text


def _problem(details: ErrorDetails, model: type[BaseModel]) -> Problem:
    path: Path = details["loc"]
    context = details.get("ctx", {})
    match details["type"]:
        case "spec":
            return Problem(key_text(path + tuple(context["below"])), context["found"], context["right"])
        case "extra_forbidden":
            known = list(_model_at(model, path[:-1]).model_fields)
            return Problem(key_text(path), "found an unknown key", one_of(known, path[-1]))
        case "missing":
            return Problem(key_text(path), "missing", _right(_field_at(model, path)))
        case _:
            given = details["input"]
            field = _field_at(model, path)
            return Problem(key_text(path), f"found {shown(given)}", _right(field) + guess(given, _choices(field)))


def _right(field: FieldInfo) -> str:
    """The field's own description; for a choice, its options."""
    return field.description or one_of(_choices(field))


def _choices(field: FieldInfo) -> list[str]:
    """The words that a field takes, or that the items of a list take."""
    choice = next((a for a in (field.annotation, *get_args(field.annotation)) if get_origin(a) is Literal), None)
    return [str(a) for a in get_args(choice)]


def _field_at(model: type[BaseModel], path: Path) -> FieldInfo:
    """The field that a path leads to; for an item of a list, the field of the list."""
    keys = [part for part in path if isinstance(part, str)]
    return _model_at(model, keys[:-1]).model_fields[keys[-1]]


def _model_at(model: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel]:
    for part in path:
        if isinstance(part, str):
            model = _models_in(model.model_fields[part].annotation)[0]
    return model


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]
