"""How long the derivation of the whole catalogue takes, cold: every activation, loss and layer in a small network, in one process.

python -m benchmarks.catalogue
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import derive
from derive import Network
from derive.choices import needed
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.losses import LOSSES
from derive.formulas.operation import Parameter
from derive.shapes import Pattern

SHOWN = 10  # of the slowest
HIDDEN = {"kind": "dense", "units": 4}
SHAPES = {0: [], 1: [4], 2: [4, 6], 3: [4, 6, 6]}  # of an example, by the number of axes that a layer names


def networks() -> Iterator[tuple[str, Network]]:
    """The smallest network that holds each operation."""
    for kind, operation in ACTIVATIONS.items():
        layer = {**HIDDEN, "activation": {"kind": kind, **_given(operation.parameters)}}
        yield kind, Network(name="catalogue", inputs=3, layers=[layer], loss="mean_squared_error")
    for (kind, targets), loss in LOSSES.items():
        names = [f"value{k}" for k in range(len(loss.values))]
        layers = [{**HIDDEN, "name": name, "inputs": ["input"]} for name in names]
        table = {"kind": kind, "targets": targets, **({"inputs": names} if len(names) > 1 else {})}
        yield f"{kind} of {targets}", Network(name="catalogue", inputs=3, layers=layers, loss=table)
    for kind in LAYERS:
        yield kind, _layer(kind)


def _layer(kind: str) -> Network:
    operation = LAYERS[kind]
    layer = {"kind": kind, **_given(operation.parameters)}
    patterns = [Pattern.of(text) for text in operation.reads]
    axes = max(sum(letter not in ("n", "...") for letter in p.letters) for p in patterns)
    if patterns[0].labels:
        return Network(name="catalogue", inputs={"shape": [4], "tokens": 5}, layers=[layer], loss="mean_squared_error")
    before = [{"kind": "dense", "units": 4, "name": f"value{k}", "inputs": ["input"]} for k in range(len(patterns))]
    if len(patterns) > 1:
        layer["inputs"] = [b["name"] for b in before]
    return Network(name="catalogue", inputs=SHAPES[max(axes, 1)], layers=[*before, layer], loss="mean_squared_error")


def _given(parameters: Mapping[str, Parameter]) -> dict[str, object]:
    """Values of the parameters that a spec must give."""
    kinds = {name: parameters[name].kind for name in needed(parameters)}
    return {name: {"counts": [2, 2], "count": 2}.get(kind, 0.5) for name, kind in kinds.items()}


def main() -> None:
    found: list[tuple[float, str]] = []
    for name, network in networks():
        start = time.perf_counter()
        derive.differentiate(network.program())
        found.append((time.perf_counter() - start, name))
        print(f"\r{len(found)} operations", end="", flush=True)
    print(f"\r{len(found)} operations derived in {sum(seconds for seconds, _ in found):.1f} s, one process, nothing kept from before")
    for seconds, name in sorted(found, reverse=True)[:SHOWN]:
        print(f"{seconds:6.2f} s  {name}")


if __name__ == "__main__":
    main()
