"""What goes to the terminal: results to stdout, messages to stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, cast

from rich.console import Console

from chainrule.commands import Text
from derive.spec_errors import Problem

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def fail(message: str, code: int, problems: Sequence[Problem] = ()) -> NoReturn:
    """Say what is wrong, as JSON too where that was asked for, and exit with a code."""
    err.print(f"error: {visible(message)}", style="red")
    if "--json" in sys.argv:
        with contextlib.suppress(OSError):  # stdout itself may be what cannot be written
            print_record({"error": message, "problems": [vars(problem) for problem in problems]})
            sys.stdout.flush()
    sys.exit(code)


def print_record(record: Mapping[str, object]) -> None:
    """One JSON object; numbers that JSON does not know (NaN, infinity) become null."""
    sys.stdout.write(json.dumps(_finite(record), indent=2, allow_nan=False) + "\n")


def print_text(made: Text, as_json: bool) -> None:
    """The text itself, byte for byte, unless it went into a file."""
    if as_json:
        print_record(made.record())
    elif made.file is None:
        sys.stdout.write(str(made.text))
    else:
        err.print(f"wrote {made.file}")


def visible(message: str) -> str:
    """A message whose control characters, from the name of a file, reach no terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(below) for key, below in cast(Mapping[str, object], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(below) for below in cast(Sequence[object], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
