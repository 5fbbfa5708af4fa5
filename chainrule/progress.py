"""Progress of what takes longer than a second: on stderr, and only where that is a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Report(Protocol):
    """Says what is going on; `total` is None while nobody knows how long it takes."""

    def __call__(self, text: str, done: int = 0, total: int | None = None) -> None: ...


def silent(text: str, done: int = 0, total: int | None = None) -> None:
    """A report that nobody reads."""


@contextlib.contextmanager
def shown(console: Console) -> Generator[Report]:
    """A report that moves a bar; the bar goes away at the end."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(text: str, done: int = 0, total: int | None = None) -> None:
            bar.update(task, description=text, completed=done, total=total)

        yield report
