"""What it takes to have a shipped network's module: prints seconds as JSON, in a fresh process, with the caches that it finds.

python -m benchmarks.loading NETWORK     from `import numba` to the first calls
python -m benchmarks.loading 100         to generate the module of a network of so many layers
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

from benchmarks.first import Clock
from benchmarks.process import ROOT

EXAMPLES = 4


def main() -> None:
    """What libraries print goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    what = sys.argv[1]
    os.write(answers, json.dumps(_deep(int(what)) if what.isdigit() else _network(what)).encode())


def _network(name: str) -> dict[str, float]:
    clock = Clock()
    import_module("numba")
    clock.lap("import numba")
    import derive
    from codegen import render
    from codegen.cache import load_module

    clock.lap("import chainrule")
    network = derive.load(ROOT / "networks" / f"{name}.toml")
    text = render(derive.differentiate(network.program()), network)
    clock.lap("generate")
    module: Any = load_module(network.name, text)
    clock.lap("import")
    data = import_module("chainrule.sample").sample(network, module, EXAMPLES, 0)
    clock.lap("")
    module.train(data.parameters, data.X, data.y, epochs=1, batch_size=EXAMPLES, learning_rate=0.1)
    clock.lap("train")
    module.gradients(data.parameters, data.X, data.y)
    clock.lap("gradients")
    module.predict(data.parameters, data.X)
    clock.lap("predict")
    return {part: seconds for part, seconds in clock.parts.items() if part}


def _deep(layers: int) -> dict[str, float]:
    import derive
    from benchmarks.documents import deep
    from codegen import render

    network = deep(layers)
    clock = Clock()
    render(derive.differentiate(network.program()), network)
    clock.lap("generate")
    return clock.parts


if __name__ == "__main__":
    main()
