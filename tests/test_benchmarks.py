"""The benchmark, but for its times: who computes something else is refused, what was measured is kept and shown."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import agreement, closeness, peers, report, session, tables, timing
from benchmarks.agreement import Answer
from benchmarks.kernels import kernel
from benchmarks.peers import OURS, PEERS
from benchmarks.peers.by_hand import ByHand
from benchmarks.peers.module import Module
from benchmarks.problem import Problem, problem
from benchmarks.process import Failed, Process
from benchmarks.results import Call, Limit, Made, Results, Row, Start, read, resumed
from benchmarks.spec import network
from benchmarks.workloads import WORKLOADS, Case, cases, workload
from tests.modules import interpreted

DOCS = Path(__file__).parent.parent / "docs"
TABLE = {  # of the networks that are to be measured
    "a": ((2, 16, 2), "relu", (1, 4, 32, 256, 4096)),
    "b": ((2, 3, 1), "relu", (4, 32, 256, 4096)),
    "c": ((2, 4, 1), "sigmoid", (4,)),
    "d": ((784, 128, 10), "relu", (1, 32, 256)),
    "e": ((784, 512, 256, 10), "relu", (32, 256, 1024)),
    "f-tanh": ((64,) * 8 + (10,), "tanh", (32, 256)),
    "f-gelu": ((64,) * 8 + (10,), "gelu", (32, 256)),
    "g": ((4, 32, 16, 4), "tanh", (10000,)),
}


def case(name: str, batch: int | None = None, dtype: str = "float64") -> Case:
    work = workload(name)
    return Case(work, batch or work.batches[-1], dtype, 1)


def small(name: str, dtype: str = "float64") -> Problem:
    """Two batches of a workload."""
    whole = problem(case(name, dtype=dtype))
    return replace(whole, X=whole.X[:2, :50], Y=whole.Y[:2, :50])


def answer(run: peers.Run) -> Answer:
    return agreement.answer(run, 2)


# -- what is measured


def test_every_network_is_there() -> None:
    assert {w.name: (w.widths, w.hidden, w.batches) for w in WORKLOADS} == TABLE
    assert [w.name for w in WORKLOADS if not w.hidden_bias] == ["b"]
    assert [w.name for w in WORKLOADS if w.optimizer == "adam"] == ["g"]
    assert len(list(cases(1))) == 2 * sum(len(batches) for _, _, batches in TABLE.values())


def test_cases_can_be_chosen() -> None:
    assert [str(c) for c in cases(1, ["f"], [32], ["float32"])] == ["f-tanh batch 32 float32 1 thread", "f-gelu batch 32 float32 1 thread"]


def test_data_is_the_same_in_every_process_and_type() -> None:
    first, again, rounded = problem(case("a", 32)), problem(case("a", 32)), problem(case("a", 32, "float32"))
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.X.astype(np.float32), rounded.X)
    assert rounded.X.dtype == np.float32
    assert [p.shape for p in problem(case("b")).parameters] == [(3, 2), (1, 3), (1,)]


# -- who computes something else


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TABLE)
def test_peers_agree(name: str, dtype: str) -> None:
    pytest.importorskip("torch")
    exact = small(name)
    right = answer(ByHand(exact))
    for peer in ("numpy", "torch_eager", "torch_manual"):
        found = answer(peers.start(peer, small(name, dtype)))
        assert agreement.disagreement(exact.parameters, right, found, dtype) is None, peer


def test_the_module_agrees() -> None:
    exact = small("c")
    found = answer(Module(exact, interpreted(network(workload("c")))))
    assert agreement.disagreement(exact.parameters, answer(ByHand(exact)), found, "float64") is None


class WithoutBias(ByHand):
    """Forgets the last bias in its update, the smallest change of all."""

    def train(self, epochs: int) -> Any:
        losses = super().train(epochs)
        self.now[-1][:] = self.problem.parameters[-1]
        return losses


class Slower(ByHand):
    """Has a learning rate that is wrong by a millionth."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.rate *= 1 + 1e-6


@pytest.mark.parametrize(("wrong", "named"), [(WithoutBias, "parameters 3"), (Slower, "parameters 0")])
def test_a_wrong_peer_is_refused(wrong: type[ByHand], named: str) -> None:
    exact = small("a")
    reason = agreement.disagreement(exact.parameters, answer(ByHand(exact)), answer(wrong(exact)), "float64")
    assert reason is not None
    assert named in reason


def test_wrong_losses_and_predictions_are_refused() -> None:
    exact = small("a")
    right = answer(ByHand(exact))
    start = exact.parameters
    nan = np.full_like(right.losses, np.nan)
    assert "losses" in str(agreement.disagreement(start, right, replace(right, losses=nan), "float32"))
    assert "prediction" in str(agreement.disagreement(start, right, replace(right, prediction=right.prediction + 0.01), "float32"))
    assert "prediction" in str(agreement.disagreement(start, right, replace(right, prediction=right.prediction[:1]), "float32"))
    assert "3 arrays" in str(agreement.disagreement(start, right, replace(right, parameters=right.parameters[:3]), "float32"))
    assert "nothing has changed" in str(agreement.disagreement(right.parameters, right, right, "float64"))


class Told(Process):
    """A child that runs here: a peer by hand, or a wrong one."""

    def __init__(self, make: type[ByHand]) -> None:
        super().__init__({}, io.StringIO())
        self.make = make
        self.orders: list[str] = []

    def send(self, **order: object) -> None:
        self.order: Mapping[str, Any] = order
        self.orders.append(str(order["do"]))

    def receive(self, seconds: float) -> Any:
        order = self.order
        if order["do"] == "load":
            self.run = self.make(problem(case(order["workload"], order["batch"], order["dtype"])))
        if order["do"] == "answer":
            found = agreement.answer(self.run, order["epochs"])
            arrays = {f"p{k}": a for k, a in enumerate(found.parameters)}
            np.savez(order["file"], allow_pickle=False, losses=found.losses, prediction=found.prediction, **arrays)
        if order["do"] == "seconds":
            assert seconds > 0
            return 1e-3 * order["count"]
        return None


def test_nothing_is_timed_that_is_wrong() -> None:
    told: list[str] = []
    processes = {OURS: Told(ByHand), "numpy": Told(ByHand), "torch_eager": Told(WithoutBias)}
    bench = timing.Bench(processes, timing.QUICK, "here", told.append)
    step, forward = bench.rows(case("a", 32))
    assert list(step.micros) == list(forward.micros) == [OURS, "numpy"]
    assert step.micros[OURS] == pytest.approx(1e3 / 256)  # microseconds a step: an epoch has 256
    assert step.ratio() == 1
    assert "wrong: parameters 3" in step.missing["torch_eager"]
    assert told
    assert "seconds" not in processes["torch_eager"].orders


def test_a_child_that_fails_is_reported() -> None:
    child = Process({**os.environ, "BENCHMARK_THREADS": "1"}, open(os.devnull, "w"))  # noqa: SIM115
    try:
        with pytest.raises(Failed, match="KeyError"):
            child.ask(60, do="seconds", peer="numpy", what="step", count=1)
        assert child.ask(60, do="load", peer="numpy", workload="c", batch=4, dtype="float64") is None
        assert child.ask(60, do="seconds", peer="numpy", what="step", count=2) > 0
        assert child.child is not None
        child.child.kill()
        with pytest.raises(Failed, match="ended"):
            child.ask(60, do="drop", peer="numpy")
    finally:
        child.stop()


def _without_jax(peer: peers.Peer) -> bool:
    return peer.needs != "jax"


def test_a_library_that_is_not_installed_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(session, "installed", _without_jax)
    chosen = session.Chosen([], [], ["float64"], [1], ["numpy", "jax"], [], True, "python")
    running = session.Session(chosen, Results({}, {}), Path("unused"), Path("unused"), "here", io.StringIO())
    assert running.peers() == [OURS, "numpy"]
    assert "jax_scan is left out: jax is not installed" in capsys.readouterr().err


def test_a_kernel_is_called_with_what_the_module_gave_it() -> None:
    def double(x: int) -> int:
        return 2 * x

    module: Any = SimpleNamespace(_double=double, __name__="module")
    own = kernel(module, "_double", lambda: module._double(21))
    assert own() == 42
    assert module._double(1) == 2
    with pytest.raises(RuntimeError, match="_double"):
        kernel(module, "_double", lambda: None)


# -- what was measured


FASTER = {OURS: 1.0, "numpy": 30.0, "jax_scan": 10.0, "torch_eager": 300.0}


def row(name: str = "a", batch: int = 4, micros: Mapping[str, float] = FASTER, commit: str = "1") -> Row:
    return Row(name, batch, "float64", 1, "step", micros, {}, {}, commit)


def measured() -> Results:
    results = Results({"processor": "one"}, {"numpy": "2"})
    results.add(replace(row(), spread={OURS: 0.01, "numpy": 0.02}))
    results.add(replace(row("d", 32, {OURS: 100.0, "numpy": 50.0}), missing={"jax_scan": "failed: no memory"}))
    results.add(replace(row(), threads=2, micros={OURS: 0.5, "numpy": 30.0}))
    results.add(replace(row(), what="forward"))
    results.add(Start("a", OURS, False, 5.0, {"generate": 1.0, "first step": 4.0}, "1"))
    results.add(Start("a", OURS, True, 0.5, {"generate": 0.25, "first step": 0.25}, "1"))
    results.add(Call("a", 4, "float64", 6.0, 1.5, 4.5, 0.25, "1"))
    cold = {"train, cold": 4.0, "gradients, cold": 1.0, "predict, cold": 2.0}
    results.add(Made("xor", {"command": 1.5, "import chainrule": 0.6, "generate": 0.5, "import": 0.05, "train": 0.25, **cold}, "1"))
    results.add(Made("100 layers", {"generate": 6.5}, "1"))
    for name, value, unit in LIMITS:
        results.add(Limit(name, 1, value, unit, "1"))
    return results


LIMITS = [
    ("product float64", 50.0, "GFLOP/s"),
    *((f"{name} float64, {where}", 1.0, "ns") for name in ("exp", "tanh", "erf") for where in ("NumPy", "module")),
    ("products d 32 float64", 80.0, "us"),
    ("memory", 10.0, "GB/s"),
]


def test_results_are_what_was_written() -> None:
    assert read(measured().to_json()) == measured()


def test_a_row_takes_the_place_of_the_one_it_repeats(tmp_path: Path) -> None:
    file = tmp_path / "performance.json"
    measured().save(file)
    results = resumed(file, {"processor": "one"}, {"numpy": "2"})
    results.add(row(micros={OURS: 2.0, "numpy": 30.0}, commit="2"))
    found = tables.rows(results, "step", 1)
    assert [(r.workload, r.commit, r.micros[OURS]) for r in found] == [("a", "2", 2.0), ("d", "1", 100.0)]


@pytest.mark.parametrize(("machine", "versions"), [("another", "2"), ("one", "3")])
def test_figures_of_other_machines_and_versions_are_discarded(tmp_path: Path, machine: str, versions: str) -> None:
    file = tmp_path / "performance.json"
    measured().save(file)
    assert resumed(file, {"processor": machine}, {"numpy": versions}).records == {}


def test_the_report_is_made_of_the_figures_alone() -> None:
    text = report.text(measured(), "performance.svg")
    assert text == report.text(read(measured().to_json()), "performance.svg")
    for part in (
        "| a | 4 | float64 | 1 | 10 | 300 | 30 | 300 | **10** |",  # the best peer's ratio, PyTorch's, and everybody's microseconds
        "| d | 0.5 | 0.5 | 0.5 | - |",  # where we are slower it is said
        "| a | 4 | float64 | 0.5 | 60 | - | 2 | **30** |",  # two threads: twice as fast as one
        "| a | `chainrule` | 5.00 | 0.50 | generate 1.00, first step 4.00 | generate 0.25, first step 0.25 |",
        "| a | 4 | float64 | 6 | 1.5 | 4.5 | 0.25 |",
        "| xor | 0.50 | 1.50 | 4.0 | 1.0 | 2.0 | 0.30 | 1.40 |",  # ready: import and first step
        "| 100 | 6.5 | 65 |",
        "- `jax_scan`, d 32 float64: failed: no memory",
        "![ratios of times, one thread](performance.svg)",
        "is 2.0 % of the median for a typical figure",
        "chainrule: 1.",
    ):
        assert part in text


@pytest.mark.parametrize("figures", sorted(DOCS.glob("performance*.json")), ids=lambda path: path.stem)
def test_committed_pages_are_made_of_their_figures(figures: Path) -> None:
    results = read(figures.read_text(encoding="utf-8"))
    text = report.text(results, figures.with_suffix(".svg").name, figures.name)
    assert text == figures.with_suffix(".md").read_text(encoding="utf-8")
    assert f"[{figures.name}]({figures.name})" in text
    assert figures.with_suffix(".svg").is_file()


def test_the_report_of_nothing_says_how_to_measure() -> None:
    text = report.text(Results({}, {}), None)
    assert "make bench" in text
    assert "## A training step" not in text


def test_how_close_a_step_comes_is_counted_from_its_sizes() -> None:
    d = workload("d")
    assert closeness.operations(d, 32) == 2 * 32 * (2 * 784 * 128 + 3 * 128 * 10)
    assert closeness.elements(workload("f-gelu"), 32) == {"erf": 32 * 448, "exp": 32 * 448 + 32 * 10}
    (_, found) = sorted(closeness.closeness(measured()), key=lambda c: c.row.workload)
    assert found.products == pytest.approx(closeness.operations(d, 32) / 50e9 * 1e6)
    assert found.alone == 80
    assert found.functions == pytest.approx(0.32)
    assert found.share == pytest.approx((found.products + 0.32) / 100)


def test_the_plot_is_the_same_for_the_same_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report.write(measured(), tmp_path / "one.md")
    report.write(measured(), tmp_path / "two.md")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_every_peer_has_its_file() -> None:
    folder = Path(peers.__file__).parent
    assert [p.name for p in PEERS if not (folder / f"{p.file}.py").is_file()] == []


@pytest.fixture(autouse=True)
def _without_lasting_changes(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """The peers read how many threads they may use from the environment."""
    monkeypatch.setenv("BENCHMARK_THREADS", "1")
