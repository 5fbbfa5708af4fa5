"""TOML files of specs: reading within bounds, writing in the form that the shipped specs have."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from derive.spec_errors import Problem, SpecError

MAX_BYTES = 64 * 1024


def read_bounded(path: Path) -> str:
    """The text of a spec file, without a byte order mark.

    Raises SpecError when it is too large or not UTF-8, OSError when it cannot be read or is no regular file: a pipe may wait for ever.
    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        return read_text(file, str(path))


def read_text(file: BinaryIO, source: str) -> str:
    """The text of an open spec, without a byte order mark. Raises SpecError when it is too large or not UTF-8."""
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SpecError(source, [_too_large(f"more than {MAX_BYTES} bytes")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(source, [Problem("", f"found byte {error.start + 1}, which is not UTF-8", "a TOML file, in UTF-8")]) from None


def parsed(text: str, source: str) -> dict[str, object]:
    """The tables of a TOML text. Raises SpecError, with the line and the column, when it is not TOML."""
    size = len(text.encode(errors="replace"))
    if size > MAX_BYTES:
        raise SpecError(source, [_too_large(f"{size} bytes")])
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise SpecError(source, [Problem("", "found brackets that nest too deeply", "a network as the documentation shows")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(source, [_syntax(str(error))]) from None
    except ValueError:  # Python's own, for a number of thousands of digits
        raise SpecError(source, [Problem("", "found a number with thousands of digits", "a smaller number")]) from None


def spec_text(fields: Mapping[str, Any]) -> str:
    """The fields of a network as a spec file, one layer a line."""
    lines = [f"{key} = {_value(value)}" for key, value in fields.items() if key != "layers"]
    return "\n".join([*lines, "layers = [", *(f"  {_value(layer)}," for layer in fields["layers"]), "]", ""])


def _value(value: object) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        table = cast(Mapping[str, object], value)
        return "{ " + ", ".join(f"{_key(key)} = {_value(below)}" for key, below in table.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, cast(Sequence[object], value))) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _too_large(found: str) -> Problem:
    return Problem("", f"found {found}", f"a spec of at most {MAX_BYTES} bytes")


def _syntax(message: str) -> Problem:
    """The parser's complaint, its place first."""
    place = re.search(r"\(at (?:line (\d+), column (\d+)|end of document)\)$", message)
    if place is None:
        return Problem("", f"found what is not TOML: {message}", "a TOML file")
    where = f"line {place[1]}, column {place[2]}" if place[1] else "the end of the file"
    return Problem(where, f"found what is not TOML: {message[: place.start()].strip()}", 'lines such as inputs = 2 or name = "two_layer"')
