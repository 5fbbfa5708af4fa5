"""A workload as chainrule is given it."""

from __future__ import annotations

from benchmarks.workloads import Workload
from derive import Network

LOSSES: dict[str, str | dict[str, object]] = {
    "cross_entropy": "softmax_cross_entropy",
    "binary_cross_entropy": "binary_cross_entropy",
    "half_squared_error": {"kind": "mean_squared_error", "half": True},
    "squared_error": "mean_squared_error",
}


def network(work: Workload) -> Network:
    """The workload as a spec."""
    *hidden, last = work.widths[1:]
    layers: list[dict[str, object]] = [
        {"kind": "dense", "units": units, "activation": work.hidden, "bias": work.hidden_bias} for units in hidden
    ]
    layers.append({"kind": "dense", "units": last, "activation": work.output})
    name = f"bench_{work.name.replace('-', '_')}"
    return Network(name=name, inputs=work.widths[0], loss=LOSSES[work.loss], layers=layers)
