"""From what a person typed to a network, and to the file that a result goes into."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import derive
from derive import Network
from derive.toml import read_text

STDIN, STDOUT = "-", Path("-")
SHIPPED = Path(__file__).parent.parent / "networks"


class InputError(ValueError):
    """A request that cannot be carried out as it stands: one line that says what is wrong with it and what would be right."""


def network_of(spec: str) -> Network:
    """The network of a spec file, of a shipped spec ("digits"), or of the standard input ("-").

    Raises SpecError, or InputError when there is no such file.
    """
    if spec == STDIN:
        return derive.loads(read_text(sys.stdin.buffer, "<stdin>"), "<stdin>")
    path = spec_path(spec)
    try:
        return derive.load(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def spec_path(spec: str) -> Path:
    """The file that is meant: a word without a slash or a dot is the name of a shipped network."""
    if not spec or "/" in spec or "." in spec:
        return Path(spec)
    known = shipped()
    if spec not in known:
        near = difflib.get_close_matches(spec[:100], known, n=1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"no network named {spec!r} is shipped{guess}; there are {', '.join(known)}; or give the path of a .toml file")
    return SHIPPED / f"{spec}.toml"


def file_of(output: Path | None, spec: str) -> Path | None:
    """The file that a result goes into, None for stdout. Raises InputError where it would take the place of a spec."""
    if output is None or output == STDOUT:
        return None
    if output.suffix == ".toml" or (spec != STDIN and output.exists() and output.samefile(spec_path(spec))):
        raise InputError(f"cannot write {output}: it would take the place of a spec; right would be a name such as {output.stem}.md")
    return output


def shipped() -> list[str]:
    """The names of the shipped networks."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))
