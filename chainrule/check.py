"""Whether the committed files are what the specs give: one module and the documents for each network in networks/.

Everything is rendered again in memory and compared. Nothing is written unless a repair is asked for, and nothing is ever removed.
"""

from __future__ import annotations

import difflib
import multiprocessing
import shlex
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import codegen
import derive
from chainrule.files import write_atomic
from chainrule.progress import Report, silent
from chainrule.specs import InputError
from derive import Network
from derive.build import Examples
from derive.program import Derivation

MODULES = Path("generated")
DOCUMENTS = Path("docs/derivations")
FORMATS = {"markdown": ".md", "latex": ".tex"}
BY_HAND = frozenset({MODULES / "__init__.py", DOCUMENTS / "README.md"})
SHOWN_LINES = 12  # of a diff

Files = dict[Path, str]


@dataclass(frozen=True)
class Finding:
    """A file that is not as it should be; `diff` shows the first lines that a repair would change."""

    file: str
    state: Literal["stale", "missing", "extra"]
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """How many files were compared, what was found, and which files were written."""

    root: str
    files: int
    findings: tuple[Finding, ...]
    written: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Finding, ...]:
        """The findings that no repair has settled."""
        return tuple(f for f in self.findings if f.file not in self.written)

    @property
    def holds(self) -> bool:
        return not self.open

    @property
    def repair(self) -> tuple[str, ...]:
        """The commands that settle what is open."""
        extra = [f.file for f in self.open if f.state == "extra"]
        fix = ["chainrule check --fix"] if len(extra) < len(self.open) else []
        return (*fix, *([shlex.join(["rm", "--", *extra])] if extra else []))

    def record(self) -> dict[str, object]:
        findings = [asdict(f) for f in self.findings]
        return {
            "holds": self.holds,
            "files": self.files,
            "findings": findings,
            "written": list(self.written),
            "repair": list(self.repair),
        }


def check(root: Path, *, fix: bool = False, processes: int = 2, report: Report = silent) -> Check:
    """Compare the committed files below `root` with what its specs give; with `fix`, write those that are stale or missing.

    Raises SpecError for a wrong spec, InputError where there are no specs, OSError when a file cannot be read or written.
    """
    networks = _networks(root / "networks")
    wanted: Files = {}
    for made in _rendered(networks, processes, report):
        wanted |= made
    found = compare(root, wanted)
    repairable = [Path(f.file) for f in found if f.state != "extra"] if fix else []
    for path in repairable:
        _make_folder(root, path.parent)
        write_atomic(root / path, wanted[path], within=root)
    return Check(str(root), len(wanted), found, tuple(map(str, repairable)))


def render(network: Network) -> Files:
    """The files that are committed for a network, by their paths below the root."""
    derivation = derive.differentiate(network.program())
    files = {MODULES / f"{network.name}.py": codegen.render(derivation, network), **_documents(network, derivation, network.name)}
    if network.convention == "columns":  # the texts in that notation derive for a single example first
        single: Examples = "single"
        files |= _documents(network, derive.differentiate(network.program(examples=single)), f"{network.name}_{single}")
    return files


def compare(root: Path, wanted: Mapping[Path, str]) -> tuple[Finding, ...]:
    """What differs between the files below the root and the wanted ones, in the order of their paths."""
    there = {p.relative_to(root) for folder, ends in ((MODULES, [".py"]), (DOCUMENTS, [".md", ".tex"])) for p in _files(root / folder, ends)}
    findings = [Finding(str(path), "extra") for path in there - set(wanted) - BY_HAND]
    findings += [Finding(str(path), "missing") for path in set(wanted) - there]
    for path in set(wanted) & there:
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        if text != wanted[path]:
            findings.append(Finding(str(path), "stale", _diff(text, wanted[path])))
    return tuple(sorted(findings, key=lambda f: f.file))


def _networks(folder: Path) -> list[Network]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InputError(f"there are no specs in {folder}: run this in the project's folder, or name it with --root")
    networks = [derive.load(path) for path in paths]
    for path, network in zip(paths, networks, strict=True):
        if path.stem != network.name:
            raise InputError(f'{path}: name: found "{network.name}"; right would be the name of the file, "{path.stem}"')
    return networks


def _rendered(networks: list[Network], processes: int, report: Report) -> Iterable[Files]:
    """The files of each network, rendered side by side in processes that start afresh."""
    report("rendering", 0, len(networks))
    if processes == 1:
        yield from map(render, networks)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, (network, files) in enumerate(zip(networks, pool.map(render, networks), strict=True), 1):
            report(f"rendered {network.name}", done, len(networks))
            yield files


def _documents(network: Network, derivation: Derivation, name: str) -> Files:
    return {DOCUMENTS / (name + end): derive.document(derivation, network, format=form) for form, end in FORMATS.items()}


def _files(folder: Path, ends: list[str]) -> list[Path]:
    return [p for p in folder.iterdir() if p.suffix in ends and not p.name.startswith(".")] if folder.is_dir() else []


def _diff(there: str, wanted: str) -> tuple[str, ...]:
    """The difference as unified diff, shortened."""
    lines = difflib.unified_diff(there.splitlines(), wanted.splitlines(), "as committed", "as rendered", lineterm="", n=1)
    every = list(lines)
    more = len(every) - SHOWN_LINES
    return tuple(every) if more <= 1 else (*every[:SHOWN_LINES], f"... and {more} lines more")


def _make_folder(root: Path, below: Path) -> None:
    (root / below).mkdir(parents=True, exist_ok=True)
