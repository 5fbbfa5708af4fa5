"""Writing a file so that whoever reads it, at whatever moment, finds the old content or the new, whole.

The text goes to a temporary file in the same folder, to the disk, and then takes the place of the old file in one step (rename).
A run that is killed leaves the old file or the new one; a run that fails leaves no temporary file behind.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path


class WriteError(OSError):
    """A file that cannot be written, or must not be: the message names it and says why."""


def write_atomic(path: Path, content: str | bytes, within: Path | None = None) -> None:
    """Replace the file by one that holds the content (a text as UTF-8), or create it; nothing in between is ever visible.

    Where the file exists, its permissions stay. Raises WriteError when the folder does not exist, cannot be written or, by way of
    a symbolic link, lies outside the folder `within`; and when the path is a symbolic link or anything else but a regular file.
    """
    if within is not None:
        _refuse_outside(path.parent, within)
    if not path.parent.is_dir():
        raise WriteError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise WriteError(f"cannot write {path}: it is there and is no regular file")
    try:
        with _opened(path.parent) as folder:
            _replace(folder, path.name, _mode(folder, path), content.encode() if isinstance(content, str) else content)
            os.fsync(folder)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


def make_folder(folder: Path, within: Path) -> None:
    """Create the folder and those above it, where they are missing. Raises WriteError when it would lie outside `within`."""
    _refuse_outside(folder, within)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot create the folder {folder}: {error.strerror or error}") from error


def _refuse_outside(folder: Path, within: Path) -> None:
    if not folder.resolve().is_relative_to(within.resolve()):
        raise WriteError(f"cannot write into {folder}: it leads out of {within} through a symbolic link")


@contextlib.contextmanager
def _opened(folder: Path) -> Generator[int]:
    """A descriptor of the folder: every step that follows happens in this very folder, whatever becomes of its path."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mode(folder: int, path: Path) -> int | None:
    """The permissions of the file that is there, None where there is none; raises WriteError unless it is a regular file."""
    try:
        found = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found):
        raise WriteError(f"cannot write {path}: it is a symbolic link; name the file that it leads to")
    if not stat.S_ISREG(found):
        raise WriteError(f"cannot write {path}: it is there and is no regular file")
    return stat.S_IMODE(found)


def _replace(folder: int, name: str, mode: int | None, content: bytes) -> None:
    temporary = f".{name[:64]}.{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666, dir_fd=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(temporary, dir_fd=folder)
        raise
