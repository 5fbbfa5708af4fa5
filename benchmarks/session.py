"""A run of the benchmark: what was asked for is measured, part by part, and saved as it comes in."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks import environment, tables, timing, workloads
from benchmarks.pairs import Paired
from benchmarks.peers import OURS, PEERS, DoesNotFit, installed
from benchmarks.process import Failed, Process
from benchmarks.results import Call, Limit, Record, Results
from benchmarks.shipped import made
from benchmarks.starts import python_of, starts
from benchmarks.workloads import Case

STARTED = "a"  # the workload with which all peers are started; ours is with every workload
CALLED = ("a", "c", "d", "f-tanh")  # whose `gradients` is called from Python
BUSY = 0.5  # running processes, on average of the last minute
LIMITING = 300.0  # seconds that the limits may take


@dataclass(frozen=True)
class Chosen:
    """What to measure. Empty sequences mean everything. ours: the interpreter that runs chainrule."""

    only: Sequence[str]
    batches: Sequence[int]
    types: Sequence[str]
    threads: Sequence[int]
    peers: Sequence[str]
    parts: Sequence[str]
    quick: bool
    ours: str


@dataclass
class Session:
    """Measures into `results`, which go into the file `figures`; compiled code is kept below `caches`."""

    chosen: Chosen
    results: Results
    figures: Path
    caches: Path
    commit: str
    log: IO[str]
    begun: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """All parts that were chosen."""
        if (load := os.getloadavg()[0]) > BUSY:
            self.tell(f"warning: other programs are running (load {load:.1f}): these figures will mean little")
        parts: dict[str, Callable[[], None]] = {
            "limits": self.limits,
            "calls": self.calls,
            "steady": self.steady,
            "starts": self.starts,
            "made": self.made,
        }
        for name, part in parts.items():
            if name in self.chosen.parts:
                part()

    def steady(self) -> None:
        """The times of all cases."""
        names = self.peers()
        effort = timing.QUICK if self.chosen.quick else timing.FULL
        for threads in self.chosen.threads:
            processes = {peer: self._process(threads, python_of(peer, self.chosen.ours)) for peer in names}
            bench = timing.Bench(processes, effort, self.commit, self.tell)
            try:
                for case in self._cases(threads):
                    self.tell(str(case))
                    for row in bench.rows(case):
                        self._save(row)
                        self.tell("  " + tables.line(row))
            finally:
                for process in processes.values():
                    process.stop()

    def limits(self) -> None:
        """What the machine can do, for each number of threads."""
        for threads in self.chosen.threads:
            self.tell(f"limits, {threads} thread{'s' if threads > 1 else ''}")
            process = self._process(threads, self.chosen.ours)
            try:
                for name, value, unit in process.ask(LIMITING, do="limits"):
                    self._save(Limit(name, threads, value, unit, self.commit))
            except Failed as failure:
                self.tell(f"  failed: {failure}")
            finally:
                process.stop()

    def calls(self) -> None:
        """What calling `gradients` from Python costs."""
        process = self._process(1, self.chosen.ours)
        for case in [c for c in self._cases(1) if c.workload.name in CALLED]:
            self.tell(f"gradients of {case}")
            name, batch, dtype = case.workload.name, case.batch, case.dtype
            try:
                found = Paired(**process.ask(timing.LOADING, do="gradients", workload=name, batch=batch, dtype=dtype))
                self._save(Call(name, batch, dtype, found.first, found.second, found.difference, found.within, self.commit))
            except Failed as failure:
                self.tell(f"  failed: {failure}")
        process.stop()

    def starts(self) -> None:
        """Cold and warm starts, of ours with the smallest batch in float64 of each workload, of the others with one workload."""
        first: dict[str, Case] = {}
        for case in self._cases(1):
            first.setdefault(case.workload.name, case)
        for name, case in first.items():
            for peer in self.peers():
                if peer != OURS and name != STARTED:
                    continue
                try:
                    for start in starts(case, peer, python_of(peer, self.chosen.ours), self.commit):
                        self._save(start)
                        self.tell(f"{peer} {name}, {'warm' if start.warm else 'cold'}: {start.seconds:.2f} s")
                except DoesNotFit:
                    continue
                except Failed as failure:
                    self.tell(f"{peer} {name}: failed: {failure}")

    def made(self) -> None:
        """Generating, compiling and loading the modules of the shipped networks."""
        try:
            for each in made(self.chosen.only, self.chosen.ours, self.commit):
                self._save(each)
                self.tell(f"{each.name}: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in each.seconds.items()))
        except Failed as failure:
            self.tell(f"  failed: {failure}")

    def tell(self, text: str) -> None:
        """Progress, on stderr."""
        print(f"{time.monotonic() - self.begun:5.0f} s  {text}", file=sys.stderr, flush=True)

    def _cases(self, threads: int) -> list[Case]:
        return list(workloads.cases(threads, self.chosen.only, self.chosen.batches, self.chosen.types))

    def peers(self) -> list[str]:
        """Those that were chosen and are installed; ours always."""
        wanted = self.chosen.peers
        found: list[str] = []
        for peer in PEERS:
            if peer.name == OURS or not wanted or peer.name in wanted or peer.name.split("_")[0] in wanted:
                if installed(peer):
                    found.append(peer.name)
                else:
                    self.tell(f"{peer.name} is left out: {peer.needs} is not installed")
        return found

    def _process(self, threads: int, python: str) -> Process:
        return Process(environment.of_threads(threads, self.caches), self.log, python)

    def _save(self, record: Record) -> None:
        self.results.add(record)
        self.results.save(self.figures)
