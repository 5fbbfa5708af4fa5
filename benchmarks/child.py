"""The process in which a library runs: reads an order a line, as JSON, does it, and answers with a line.

    python -m benchmarks.child

Orders name what to do: `load` a case for a peer, give the `answer` after some epochs, measure the `seconds` of epochs or of predictions,
`drop` the case; further, measure the `gradients` of a case called from Python, and the machine's `limits`. What libraries print goes to
stderr.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks import environment, peers
from benchmarks.problem import problem
from benchmarks.workloads import Case, workload

Order = Mapping[str, Any]
RUNS: dict[str, peers.Run] = {}


def main() -> None:
    """Until there are no more orders."""
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        environment.pin(environment.threads())
        for line in sys.stdin:
            answers.write(json.dumps(_obey(json.loads(line))) + "\n")


def _obey(order: Order) -> dict[str, object]:
    """The answer to an order; an error is an answer too."""
    try:
        return {"value": ORDERS[order["do"]](order)}
    except peers.DoesNotFit as reason:
        return {"unfit": str(reason)}
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0]}


def _load(order: Order) -> None:
    """Everything that happens once: copying and compiling. All processors may be used for it."""
    environment.pin(None)
    run = peers.start(order["peer"], problem(_case(order)))
    run.reset()
    run.train(1)
    run.predict()
    environment.pin(environment.threads())
    RUNS[order["peer"]] = run
    gc.collect()
    gc.freeze()  # what the library has made is not looked through again before every measured run


def _answer(order: Order) -> None:
    """Losses, prediction and parameters after some epochs, in a file."""
    run = RUNS[order["peer"]]
    run.reset()
    arrays = {"losses": run.train(order["epochs"]), "prediction": run.predict()}
    arrays |= {f"p{k}": a for k, a in enumerate(run.parameters())}
    np.savez(order["file"], allow_pickle=False, **arrays)


def _seconds(order: Order) -> float:
    """Of so many epochs (`step`) or predictions (`forward`)."""
    run, count = RUNS[order["peer"]], int(order["count"])
    run.reset()
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    if order["what"] == "step":
        run.train(count)
    else:
        for _ in range(count):
            run.predict()
    seconds = time.perf_counter() - start
    gc.enable()
    return seconds


def _drop(order: Order) -> None:
    RUNS.pop(order["peer"], None)
    gc.unfreeze()
    gc.collect()


def _gradients(order: Order) -> dict[str, float]:
    return asdict(import_module("benchmarks.calls").gradients(_case(order)))


def _limits(_: Order) -> list[tuple[str, float, str]]:
    return list(import_module("benchmarks.limits").limits())


def _case(order: Order) -> Case:
    return Case(workload(order["workload"]), order["batch"], order["dtype"], environment.threads())


ORDERS: dict[str, Callable[[Order], object]] = {
    "load": _load,
    "answer": _answer,
    "seconds": _seconds,
    "drop": _drop,
    "gradients": _gradients,
    "limits": _limits,
}

if __name__ == "__main__":
    main()
