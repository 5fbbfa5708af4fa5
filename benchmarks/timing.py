"""Times of all peers for one case: first their answers are compared, then they run in turn, round after round.

Every peer has a process of its own, which waits while another runs; so what the threads and the memory of one do is not charged to another,
and one that crashes is one less.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import agreement, peers
from benchmarks.agreement import Answer
from benchmarks.peers import PEERS, DoesNotFit
from benchmarks.problem import problem
from benchmarks.process import Failed, Process
from benchmarks.results import Row
from benchmarks.workloads import Case

PEER = {peer.name: peer for peer in PEERS}
LOADING, RUNNING = 240.0, 60.0  # seconds before a peer is given up
REST = 0.25  # seconds before a run with several threads: those of the library before wait in a loop, on the same processors, for a while
LONG = 1.0  # seconds of a run that nothing done once can be much of


@dataclass(frozen=True)
class Effort:
    """How long a measured run lasts, for a step and for a forward pass, and how many rounds there are."""

    step: float
    forward: float
    rounds: int


FULL = Effort(step=0.1, forward=0.01, rounds=9)
QUICK = Effort(step=0.01, forward=0.005, rounds=5)


@dataclass(frozen=True)
class Bench:
    """The process of each peer, and how much effort is made."""

    processes: Mapping[str, Process]
    effort: Effort
    commit: str
    tell: Callable[[str], None]

    def rows(self, case: Case) -> Iterator[Row]:
        """The times of a training step and of a forward pass."""
        missing: dict[str, str] = {}
        wanted = list(self.processes)
        if case.threads > 1 and case.workload.tiny:
            for peer in [p for p in wanted if PEER[p].slow_to_compile]:
                wanted.remove(peer)
                missing[peer] = "measured with one thread only: another one does not help it here"
        ready = self._loaded(case, wanted, missing)
        ready = self._agreeing(case, ready, missing)
        yield self._row(case, "step", ready, missing)
        yield self._row(case, "forward", [p for p in ready if PEER[p].forward], missing)
        for peer in [p for p in ready if p not in missing]:
            with suppress(Failed):
                self.processes[peer].ask(RUNNING, do="drop", peer=peer)

    def _loaded(self, case: Case, wanted: list[str], missing: dict[str, str]) -> list[str]:
        """The peers that can compute a case; all load at the same time."""
        fields = {"workload": case.workload.name, "batch": case.batch, "dtype": case.dtype}
        for peer in wanted:
            with self._noting(peer, missing):
                self.processes[peer].send(do="load", peer=peer, **fields)
        for peer in [p for p in wanted if p not in missing]:
            with self._noting(peer, missing):
                self.processes[peer].receive(LOADING)
        return [p for p in wanted if p not in missing]

    def _agreeing(self, case: Case, ready: list[str], missing: dict[str, str]) -> list[str]:
        """The peers whose answer is right."""
        count = agreement.epochs(case.batches)
        exact = problem(replace(case, dtype="float64"))
        right = agreement.answer(peers.start("numpy", exact), count)

        def check(peer: str) -> None:
            wrong = agreement.disagreement(exact.parameters, right, self._answer(peer, count), case.dtype)
            if wrong:
                raise Failed(f"wrong: {wrong}")

        for peer in ready:
            with self._noting(peer, missing):
                check(peer)
        return [p for p in ready if p not in missing]

    def _answer(self, peer: str, epochs: int) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder, "answer.npz"))
            self.processes[peer].ask(RUNNING, do="answer", peer=peer, epochs=epochs, file=file)
            return agreement.stored(file)

    def _row(self, case: Case, what: str, ready: list[str], missing: dict[str, str]) -> Row:
        """Medians over the rounds; a peer that fails is left out from then on."""
        steps = case.batches if what == "step" else 1  # in what is counted: an epoch, or a prediction
        counts: dict[str, int] = {}
        times: dict[str, list[float]] = {peer: [] for peer in ready}
        rest = REST if case.threads > 1 else 0.0
        for peer in ready:
            time.sleep(rest)
            with self._noting(peer, missing):
                counts[peer] = self._count(peer, what)
        for round_ in range(self.effort.rounds):
            names = [p for p in ready if p not in missing]
            shift = round_ % max(1, len(names))  # nobody always runs after the same one
            for peer in names[shift:] + names[:shift]:
                time.sleep(rest)
                with self._noting(peer, missing):
                    times[peer].append(self._seconds(peer, what, counts[peer]))
        times = {p: t for p, t in times.items() if p not in missing}
        micros = {p: statistics.median(t) / counts[p] / steps * 1e6 for p, t in times.items()}
        spread = {p: _spread(t) for p, t in times.items()}
        return Row(case.workload.name, case.batch, case.dtype, case.threads, what, micros, spread, dict(missing), self.commit)

    def _count(self, peer: str, what: str) -> int:
        """How many epochs or predictions last long enough."""
        wanted = self.effort.step if what == "step" else self.effort.forward
        count, seconds = 1, self._again(peer, what, 1)
        while seconds < wanted / 4:
            count = min(10 * count, math.ceil(count * wanted / seconds))
            seconds = self._again(peer, what, count)
        return max(1, round(count * wanted / seconds))

    def _again(self, peer: str, what: str, count: int) -> float:
        """Seconds of a run, without what is done only once, such as compiling for another number of epochs."""
        first = self._seconds(peer, what, count)
        return first if first > LONG else min(first, self._seconds(peer, what, count))

    def _seconds(self, peer: str, what: str, count: int) -> float:
        return float(self.processes[peer].ask(RUNNING, do="seconds", peer=peer, what=what, count=count))

    @contextmanager
    def _noting(self, peer: str, missing: dict[str, str]) -> Generator[None, None, None]:
        """Where something done with a peer fails, that is the end of it: why is kept, and told unless it is no fault."""
        try:
            yield
        except DoesNotFit as reason:
            missing[peer] = str(reason)
        except Failed as failure:
            missing[peer] = f"failed: {failure}"
            self.tell(f"  {peer} {missing[peer]}")


def _spread(times: list[float]) -> float:
    """Half the distance between the quartiles, by the median."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / 2 / middle
