"""From what a person typed to a network, and to the file that a result goes into."""

from __future__ import annotations

import difflib
from pathlib import Path

import derive
from derive import Network

STDIN, STDOUT = "-", Path("-")
SHIPPED = Path(__file__).parent.parent / "networks"


class InputError(ValueError):
    """A request that cannot be carried out as it stands: one line that says what is wrong with it and what would be right."""


def network_of(spec: str) -> Network:
    """The network of a spec file or of a shipped spec ("digits"). Raises SpecError, or InputError when there is no such file."""
    path = spec_path(spec)
    try:
        return derive.load(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def spec_path(spec: str) -> Path:
    """The file that is meant: a word without a slash or a dot is the name of a shipped network, - the standard input."""
    if spec == STDIN:
        return Path("/dev/stdin")
    if not spec or "/" in spec or "." in spec:
        return Path(spec)
    known = shipped()
    if spec not in known:
        near = difflib.get_close_matches(spec[:100], known, n=1)
        guess = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"no network named {spec!r} is shipped{guess}; there are {', '.join(known)}; or give the path of a .toml file")
    return SHIPPED / f"{spec}.toml"


def file_of(output: Path | None, spec: str) -> Path | None:
    """The file that a result goes into, None for stdout. Raises InputError for the spec itself: it would be lost."""
    if output is None or output == STDOUT:
        return None
    if output.exists() and output.resolve() == spec_path(spec).resolve():
        raise InputError(f"cannot write into {output}: it is the spec")
    return output


def shipped() -> list[str]:
    """The names of the shipped networks."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))
