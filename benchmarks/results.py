"""What was measured: records that go into a JSON file as they come in, each in the place of the one it repeats."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.peers import OURS, PEERS

FAMILY = {peer.name: peer.family for peer in PEERS}


@dataclass(frozen=True)
class Row:
    """Times of all peers for one case, interleaved. what: "step" or "forward"; micros: medians; missing: who is not there, and why."""

    workload: str
    batch: int
    dtype: str
    threads: int
    what: str
    micros: Mapping[str, float]
    spread: Mapping[str, float]
    missing: Mapping[str, str]
    commit: str

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about."""
        return self.workload, self.batch, self.dtype, self.threads, self.what

    def best(self, family: str | None = None) -> str | None:
        """The fastest peer, or the fastest of a family; None when there is none."""
        others = [name for name in self.micros if name != OURS and family in (None, FAMILY[name])]
        return min(others, key=lambda name: self.micros[name], default=None)

    def ratio(self, family: str | None = None) -> float | None:
        """The best peer's time by ours."""
        best = self.best(family)
        return None if best is None or OURS not in self.micros else self.micros[best] / self.micros[OURS]


@dataclass(frozen=True)
class Start:
    """Seconds from the start of a process to the end of its first step. parts: what they went into."""

    workload: str
    peer: str
    warm: bool
    seconds: float
    parts: Mapping[str, float]
    commit: str

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about."""
        return self.workload, self.peer, self.warm


@dataclass(frozen=True)
class Call:
    """Microseconds of `gradients` called from Python, of the kernel that it calls, called alone, and of what lies between: see pairs.py."""

    workload: str
    batch: int
    dtype: str
    gradients: float
    kernel: float
    difference: float
    within: float
    commit: str

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about."""
        return self.workload, self.batch, self.dtype


@dataclass(frozen=True)
class Made:
    """Seconds to generate, compile and load a module. name: that of a shipped network, or "100 layers"; the last part of a name in
    `seconds` is "cold" where caches were empty.
    """

    name: str
    seconds: Mapping[str, float]
    commit: str

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about."""
        return (self.name,)


@dataclass(frozen=True)
class Limit:
    """What the machine can do at best. name: what was measured."""

    name: str
    threads: int
    value: float
    unit: str
    commit: str

    @property
    def key(self) -> tuple[object, ...]:
        """What it is about."""
        return self.name, self.threads


Record = Row | Start | Made | Call | Limit
T = TypeVar("T", Row, Start, Made, Call, Limit)
KINDS = {"rows": Row, "starts": Start, "made": Made, "calls": Call, "limits": Limit}


@dataclass
class Results:
    """Everything measured on one machine with one set of versions, by the records' keys."""

    machine: Mapping[str, str]
    versions: Mapping[str, str]
    records: dict[tuple[object, ...], Record] = field(default_factory=dict[tuple[object, ...], Record])

    def add(self, record: Record) -> None:
        """Put a record in the place of the one with its key."""
        self.records[(type(record).__name__, *record.key)] = record

    def of(self, kind: type[T]) -> list[T]:
        """All records of a kind, in the order in which they first came in."""
        return [record for record in self.records.values() if isinstance(record, kind)]

    def to_json(self) -> str:
        """As text: a line for each record."""
        parts = [f'"machine": {json.dumps(self.machine)}', f'"versions": {json.dumps(self.versions)}']
        for name, kind in KINDS.items():
            lines = ",\n".join(json.dumps(asdict(record)) for record in self.records.values() if type(record) is kind)
            parts.append(f'"{name}": [\n{lines}\n]')
        return "{\n" + ",\n".join(parts) + "\n}\n"

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(self.to_json(), encoding="utf-8")
        os.replace(new, path)


def read(text: str) -> Results:
    """Results from the text of a file."""
    data: dict[str, Any] = json.loads(text)
    results = Results(data["machine"], data["versions"])
    for name, kind in KINDS.items():
        for fields in data.get(name, []):  # files of earlier versions do not have them all
            results.add(kind(**fields))
    return results


def resumed(path: Path, machine: Mapping[str, str], versions: Mapping[str, str]) -> Results:
    """What a file holds, or nothing where that is of another machine or other versions: such figures do not belong together."""
    if path.is_file():
        results = read(path.read_text(encoding="utf-8"))
        if (results.machine, results.versions) == (machine, versions):
            return results
    return Results(machine, versions)


def commits(results: Results) -> list[str]:
    """The versions of this repository that the records come from, each once."""
    return sorted({record.commit for record in results.records.values()})


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean of positive numbers, at least one."""
    numbers = list(values)
    product = 1.0
    for number in numbers:
        product *= number ** (1 / len(numbers))
    return product
