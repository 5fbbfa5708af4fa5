"""Times of all peers for one case: first their answers are compared, then they run in turn, round after round.

Every library has a process of its own, which waits while another runs; so what one library's threads or memory do is not charged to
another, and a library that crashes is one peer less.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import agreement, peers
from benchmarks.agreement import Answer
from benchmarks.peers import PEERS, DoesNotFit
from benchmarks.problem import problem
from benchmarks.process import Failed, Process
from benchmarks.results import Row
from benchmarks.workloads import Case

LOADING, RUNNING = 240.0, 60.0  # seconds before a peer is given up
LONG = 1.0  # seconds of a run that nothing done once can be much of


@dataclass(frozen=True)
class Effort:
    """How long a measured run lasts, for a step and for a forward pass, and how many rounds there are."""

    step: float
    forward: float
    rounds: int


FULL = Effort(step=0.03, forward=0.01, rounds=9)
QUICK = Effort(step=0.01, forward=0.005, rounds=5)


@dataclass(frozen=True)
class Bench:
    """The processes of the peers, and how much effort is made. Peers whose library is the same share a process."""

    processes: Mapping[str, Process]
    effort: Effort
    commit: str
    tell: Callable[[str], None]

    def rows(self, case: Case) -> Iterator[Row]:
        """The times of a training step and of a forward pass."""
        missing: dict[str, str] = {}
        ready = self._loaded(case, missing)
        ready = self._agreeing(case, ready, missing)
        for what in ("step", "forward"):
            yield self._row(case, what, ready, missing)
        for peer in ready:
            with suppress(Failed):
                self.processes[peer].ask(RUNNING, do="drop", peer=peer)

    def _loaded(self, case: Case, missing: dict[str, str]) -> list[str]:
        """The peers that can compute a case; different libraries load at the same time."""
        fields = {"workload": case.workload.name, "batch": case.batch, "dtype": case.dtype}
        waiting, ready = list(self.processes), list[str]()
        while waiting:
            wave = [p for k, p in enumerate(waiting) if all(self.processes[p] is not self.processes[q] for q in waiting[:k])]
            sent = [p for p in wave if self._tried(p, missing, lambda p=p: self.processes[p].send(do="load", peer=p, **fields))]
            ready += [p for p in sent if self._tried(p, missing, lambda p=p: self.processes[p].receive(LOADING))]
            waiting = [p for p in waiting if p not in wave]
        return [p for p in self.processes if p in ready]

    def _agreeing(self, case: Case, ready: list[str], missing: dict[str, str]) -> list[str]:
        """The peers whose answer is right."""
        count = agreement.epochs(case.batches)
        exact = problem(replace(case, dtype="float64"))
        right = agreement.answer(peers.start("numpy", exact), count)

        def checked(peer: str) -> None:
            found = self._answer(peer, count)
            wrong = agreement.disagreement(exact.parameters, right, found, case.dtype)
            if wrong:
                raise Failed(f"wrong: {wrong}")

        return [p for p in ready if self._tried(p, missing, lambda p=p: checked(p))]

    def _answer(self, peer: str, epochs: int) -> Answer:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder, "answer.npz"))
            self.processes[peer].ask(RUNNING, do="answer", peer=peer, epochs=epochs, file=file)
            return agreement.stored(file)

    def _row(self, case: Case, what: str, ready: list[str], missing: dict[str, str]) -> Row:
        """Medians over the rounds; a peer that fails is left out from then on."""
        steps = case.batches if what == "step" else 1  # in what is counted: an epoch, or a prediction
        counts: dict[str, int] = {}
        times: dict[str, list[float]] = {}
        for peer in list(ready):
            if self._tried(peer, missing, lambda p=peer: counts.update({p: self._count(p, what)})):
                times[peer] = []
        for round_ in range(self.effort.rounds):
            names = [p for p in counts if p in times]
            shift = round_ % max(1, len(names))  # nobody always runs after the same one
            for peer in names[shift:] + names[:shift]:
                if not self._tried(peer, missing, lambda p=peer: times[p].append(self._seconds(p, what, counts[p]))):
                    del times[peer]
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

    def _tried(self, peer: str, missing: dict[str, str], action: Callable[[], object]) -> bool:
        """Whether an action of a peer went well; if not, why not is kept, and told unless it is no fault."""
        try:
            action()
        except DoesNotFit as reason:
            missing[peer] = str(reason)
        except Failed as failure:
            missing[peer] = f"failed: {failure}"
            self.tell(f"    {peer} {missing[peer]}")
        return peer not in missing


def processes(names: list[str], start: Callable[[], Process]) -> dict[str, Process]:
    """A process for each library among some peers, by the peer's name."""
    chosen = [peer for peer in PEERS if peer.name in names]
    shared = {file: start() for file in dict.fromkeys(peer.file for peer in chosen)}
    return {peer.name: shared[peer.file] for peer in chosen}


def _spread(times: list[float]) -> float:
    """Half the distance between the quartiles, by the median."""
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / 2 / middle
