"""Whether the committed files are what the specs give: one module and the documents for each network in networks/,
and the pages of all operations, with their drawings, and of all optimisers.

Everything is rendered again in memory and compared. Nothing is written unless a repair is asked for, and nothing is ever removed.
"""

from __future__ import annotations

import difflib
import multiprocessing
import os
import shlex
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import codegen
import derive
from chainrule import operations, optimisers
from chainrule.commands import linked
from chainrule.files import make_folder, write_atomic
from chainrule.progress import Report, silent
from chainrule.specs import InputError
from derive import Network
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents import Format, Module

MODULES = Path("generated")
DOCUMENTS = Path("docs/derivations")
FORMULAS = Path("derive/formulas")
FORMATS: Mapping[str, Format] = {".md": "markdown", ".tex": "latex"}  # of the documents that are committed
KEPT = {MODULES: (".py",), DOCUMENTS: tuple(FORMATS)}
BY_HAND = frozenset({MODULES / "__init__.py", DOCUMENTS / "README.md"})
SHOWN_LINES = 12  # of a diff

Files = dict[Path, str]


@dataclass(frozen=True)
class Finding:
    """A file that is not as it should be: what it should hold (None: it should not be there), and the first lines of the difference."""

    file: Path
    state: Literal["stale", "missing", "extra"]
    wanted: str | None = None
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """How many files were compared, what was found, and which of the findings have been repaired since."""

    files: int
    findings: tuple[Finding, ...]
    written: tuple[Path, ...] = ()
    root: Path = Path()

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that no repair has settled."""
        return tuple(f for f in self.findings if f.file not in self.written)

    @property
    def holds(self) -> bool:
        return not self.open

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that settle what is open."""
        extra = [str(self.root / f.file) for f in self.open if f.state == "extra"]
        where = [] if self.root == Path() else ["--root", str(self.root)]
        fix = [shlex.join(["chainrule", "check", "--fix", *where])] if len(extra) < len(self.open) else []
        return (*fix, *([shlex.join(["rm", "--", *extra])] if extra else []))

    def record(self) -> dict[str, object]:
        return {
            "holds": self.holds,
            "files": self.files,
            "findings": [{"file": str(f.file), "state": f.state, "diff": list(f.diff)} for f in self.findings],
            "written": [str(path) for path in self.written],
            "commands": list(self.commands),
        }


def check(root: Path, processes: int = 2, report: Report = silent) -> Check:
    """Compare the committed files below `root` with what its specs give.

    Raises SpecError for a wrong spec, InputError where there are no specs or two of them ask for one file, OSError when a file
    cannot be read.
    """
    wanted: Files = {}
    listed = (root / FORMULAS).is_dir()  # a folder of other people's networks has no formulas of its own to list
    for made in _rendered(_networks(root / "networks"), listed, processes, report):
        twice = next((path for path in made if path in wanted), None)
        if twice is not None:
            raise InputError(f"two networks ask for the file {twice}: rename one of them")
        wanted |= made
    return Check(len(wanted), compare(root, wanted), root=root)


def repair(root: Path, found: Check) -> Check:
    """Write the files that are stale or missing. Raises OSError when one cannot be written."""
    written: list[Path] = []
    for finding in found.open:
        if finding.wanted is not None:
            make_folder((root / finding.file).parent, within=root)
            write_atomic(root / finding.file, finding.wanted, within=root)
            written.append(finding.file)
    return replace(found, written=(*found.written, *written))


def render(network: Network) -> Files:
    """The files that are committed for a network, by their paths below the root."""
    derivation = derive.differentiate(network.program())
    path, text = MODULES / f"{network.name}.py", codegen.render(derivation, network)
    module = linked(text, Path(os.path.relpath(path, DOCUMENTS)))
    files = {path: text, **_documents(network, derivation, network.name, module)}
    if network.convention == "columns":  # the texts in that notation derive for a single example first
        single: Examples = "single"
        files |= _documents(network, derive.differentiate(network.program(examples=single)), f"{network.name}_{single}")
    return files


def compare(root: Path, wanted: Mapping[Path, str]) -> tuple[Finding, ...]:
    """What differs between the files below the root and the wanted ones, in the order of their paths."""
    kept = KEPT | ({operations.CURVES: (".svg",)} if operations.PAGE in wanted else {})
    there = {p.relative_to(root) for folder, ends in kept.items() for p in _files(root / folder, ends)}
    there |= {path for path in wanted if (root / path).is_file()}
    findings = [Finding(path, "extra") for path in there - set(wanted) - BY_HAND]
    for path, text in wanted.items():
        if path not in there:
            findings.append(Finding(path, "missing", text))
            continue
        old = (root / path).read_text(encoding="utf-8", errors="replace")
        if old != text:
            findings.append(Finding(path, "stale", text, _diff(old, text)))
    return tuple(sorted(findings, key=lambda finding: finding.file))


def _networks(folder: Path) -> list[Network]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InputError(f"there are no specs in {folder}: run this in the project's folder, or name it with --root")
    networks = [derive.load(path) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        if path.stem != network.name:
            raise InputError(f'{path}: name: found "{network.name}"; right would be the name of the file, "{path.stem}"')
    return networks


def _rendered(networks: list[Network], listed: bool, processes: int, report: Report) -> Iterable[Files]:
    """The files of each network, then the pages of the formulas where they are wanted, rendered in processes that start afresh."""
    report("rendering", 0, len(networks))
    if processes == 1:
        yield from map(render, networks)
        yield _pages() if listed else {}
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        page = pool.submit(_pages) if listed else None
        for done, (network, files) in enumerate(zip(networks, pool.map(render, networks), strict=True), 1):
            report(f"rendered {network.name}", done, len(networks))
            yield files
        yield page.result() if page else {}


def _pages() -> Files:
    return operations.files() | optimisers.files()


def _documents(network: Network, derivation: Derivation, name: str, module: Module | None = None) -> Files:
    """The documents of a derivation; the module that they link to is the one of the same check, so that its lines are right."""
    return {DOCUMENTS / (name + end): derive.document(derivation, network, form, module=module) for end, form in FORMATS.items()}


def _files(folder: Path, ends: tuple[str, ...]) -> list[Path]:
    return [p for p in folder.iterdir() if p.suffix in ends and not p.name.startswith(".")] if folder.is_dir() else []


def _diff(there: str, wanted: str) -> tuple[str, ...]:
    """The difference as unified diff, shortened."""
    lines = difflib.unified_diff(there.splitlines(), wanted.splitlines(), "as committed", "as rendered", lineterm="", n=1)
    every = list(lines)
    more = len(every) - SHOWN_LINES
    return tuple(every) if more <= 1 else (*every[:SHOWN_LINES], f"... and {more} lines more")
