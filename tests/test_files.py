"""Files are replaced whole or not at all, and never outside the folder that was asked for."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chainrule import files
from chainrule.files import WriteError, write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_created_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "one\n")
    write_atomic(path, "zwölf\n")
    assert path.read_bytes() == "zwölf\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "one")
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    path.chmod(0o640)
    write_atomic(path, "two")
    assert path.stat().st_mode & 0o777 == 0o640


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(WriteError, match=r"cannot write .*a\.txt: No space left on device"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.txt", "new")
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"cannot write .*none/a\.txt: there is no folder .*none$"):
        write_atomic(tmp_path / "none" / "a.txt", "text")


def test_a_symbolic_link_is_refused_and_its_target_kept(tmp_path: Path) -> None:
    target = tmp_path / "target.txt"
    target.write_text("precious")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    with pytest.raises(WriteError, match="is a symbolic link"):
        write_atomic(link, "text")
    assert (target.read_text(), link.is_symlink()) == ("precious", True)


def test_a_folder_that_leads_out_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "generated").symlink_to(outside)
    with pytest.raises(WriteError, match="leads out of"):
        write_atomic(inside / "generated" / "a.py", "text", within=inside)
    assert names(outside) == []
    write_atomic(inside / "a.py", "text", within=inside)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_regular_files_are_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    os.mkdir(path) if kind == "folder" else os.mkfifo(path)
    with pytest.raises(WriteError, match="is no regular file"):
        write_atomic(path, "text")
    assert names(tmp_path) == ["there"]


WRITER = """
import sys
from pathlib import Path
from chainrule.files import write_atomic
path = Path(sys.argv[1])
for k in range(1_000_000):
    write_atomic(path, str(k % 10) * 300_000)
"""


def test_a_killed_run_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    chance = random.Random(0)
    for run in range(24):
        path = tmp_path / f"{run}.txt"
        path.write_text("x" * 300_000)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        _wait_for_a_write(path)
        time.sleep(chance.uniform(0, 0.01))
        writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
        text = path.read_text()
        assert len(text) == 300_000
        assert len(set(text)) == 1


def _wait_for_a_write(path: Path) -> None:
    """Return at once after the first write, so that the kill falls into one of those that follow."""
    end = time.monotonic() + 20
    while path.read_text()[:1] == "x":
        assert time.monotonic() < end
