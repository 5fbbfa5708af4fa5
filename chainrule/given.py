"""Numbers that a user gives for a document: from a TOML or NPZ file, or a seed."""

from __future__ import annotations

import math
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.module import Array
from chainrule.specs import InputError
from derive.spec_errors import SpecError
from derive.toml import MAX_BYTES, parsed, read_bounded

SEEDED = re.compile(r"seed=(\d{1,9})(?:,examples=(\d{1,9}))?")
FORMS = "a file that ends in .toml or .npz, or seed=0, or seed=0,examples=3"
MOST_BYTES = 32 * 2**20  # of an NPZ file, and of what is in it
MOST_EXAMPLES = 100
EXAMPLES = 2  # where nobody says how many
SETTINGS = ("learning_rate", "seed")  # what a file may hold beside arrays
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class Given:
    """What a user gave. source: its name in messages and in the document; arrays: by the names of the module's arguments.

    seed: everything that is not given is drawn from it; None where everything has to be given. examples: how many are drawn.
    """

    source: str
    arrays: Mapping[str, Array] = field(default_factory=dict[str, Array])
    learning_rate: float | None = None
    seed: int | None = None
    examples: int = EXAMPLES

    @property
    def count(self) -> int:
        """The number of examples."""
        lengths = [len(self.arrays[name]) for name in ("X", "y") if name in self.arrays and self.arrays[name].ndim]
        return lengths[0] if lengths else self.examples


def given(source: str) -> Given:
    """What `--numbers` means. Raises InputError for anything that is no such thing, OSError when a file cannot be read."""
    seeded = SEEDED.fullmatch(source)
    if seeded is not None:
        found = Given(f"seed {int(seeded[1])}", seed=int(seeded[1]), examples=int(seeded[2] or EXAMPLES))
    else:
        path = Path(source)
        readers = {".toml": _toml, ".npz": _npz}
        if path.suffix not in readers:
            raise InputError(f"--numbers: found {source!r}; right would be {FORMS}")
        found = _checked(path, readers[path.suffix](path))
    if not 1 <= found.count <= MOST_EXAMPLES:
        raise InputError(f"{source}: found {found.count} examples; right for a document would be 1 to {MOST_EXAMPLES}")
    return found


def _checked(path: Path, values: Mapping[str, Any]) -> Given:
    arrays = {name: _array(path, name, value) for name, value in values.items() if name not in SETTINGS}
    rate = values.get("learning_rate")
    if rate is not None:
        rate = checked_rate(f"{path}: learning_rate", rate)
    seed = values.get("seed")
    if seed is not None:
        seed = _array(path, "seed", seed)
        if seed.ndim or seed.dtype.kind not in "iu" or not 0 <= seed < 10**9:
            raise InputError(f"{path}: seed: found {str(seed)[:40]}; right would be a whole number of at least 0")
    return Given(str(path), arrays, rate, None if seed is None else int(seed))


def checked_rate(name: str, rate: object) -> float:
    """A learning rate. Raises InputError unless it is a finite number above 0."""
    number = np.asarray(rate)
    if number.ndim or number.dtype.kind not in "iuf" or not 0 < number < math.inf:
        raise InputError(f"{name}: found {str(rate)[:40]}; right would be a finite number above 0")
    return float(number)


def _array(path: Path, name: str, value: object) -> Array:
    """A list, or an array, of finite real numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{path}: {name}: found rows of different lengths; right would be lists of one length") from error
    if array.dtype.kind not in "iuf":
        raise InputError(f"{path}: {name}: found {_kind(array)}; right would be real numbers")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = f"[{', '.join(map(str, wrong[0]))}]" if array.ndim else ""
        raise InputError(f"{path}: {name}{place}: found {array[tuple(wrong[0])]}; right would be a finite number")
    return array


def _kind(array: Array) -> str:
    return {"b": "true or false", "U": "text", "S": "text", "c": "complex numbers", "O": "what is no array of numbers"}.get(
        array.dtype.kind, f"values of type {array.dtype}"
    )


# -- files -------------------------------------------------------------------------------------------------------------


def _toml(path: Path) -> Mapping[str, Any]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(f"{path}: found {size} bytes; right would be at most {MAX_BYTES}, or an NPZ file (numpy.savez)")
    try:
        return parsed(read_bounded(path), str(path))
    except SpecError as error:
        problem = error.problems[0]
        raise InputError(
            f"{path}: {f'{problem.key}: ' if problem.key else ''}{problem.found}; right would be lines such as X = [[0.5, 0.8]]"
        ) from error


def _npz(path: Path) -> Mapping[str, Any]:
    """The arrays of an NPZ file. Nothing in it is unpickled, and no more is read than MOST_BYTES."""
    wanted = "an NPZ file of numbers, as numpy.savez writes it"
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(f"{path}: found no regular file; right would be {wanted}")
        try:
            with zipfile.ZipFile(file) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if size > MOST_BYTES:
                    raise InputError(f"{path}: found {size} bytes of arrays; right would be at most {MOST_BYTES}")
                return dict(_members(path, archive))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, SyntaxError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: cannot be read ({str(error)[:80]}); right would be {wanted}") from error


def _members(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, Array]]:
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        with archive.open(entry) as member:
            version = np.lib.format.read_magic(member)
            if version not in HEADERS:
                raise ValueError(f"{entry.filename} is of version {version}")
            shape, _, dtype = HEADERS[version](member)
            if dtype.hasobject:
                raise InputError(f"{path}: {name}: found pickled objects, which are never read; right would be real numbers")
            if math.prod(shape) * dtype.itemsize > entry.file_size:
                raise InputError(f"{path}: {name}: found a shape {shape} that the file has no numbers for; right would be a whole array")
        with archive.open(entry) as member:
            yield name, np.lib.format.read_array(member, allow_pickle=False)
