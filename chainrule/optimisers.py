"""The page of all optimisers, from their table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from codegen.optimisers import Shown, shown
from derive.formulas.optimisers import GIVEN

PAGE = Path("docs/optimisers.md")

HEAD = """\
# Optimisers

`chainrule check --fix` writes this page from `derive/formulas/optimisers.py`. [add-an-operation.md](add-an-operation.md) says how
another one is added, [formulas.md](formulas.md) describes the language of the formulas.

Every generated module has all of them, and Numba compiles those that are used. `train` takes one of the module's classes, with the
options that are to differ from the defaults:

```python
import numpy as np
from generated import digits

p, losses = digits.train(p, X, y, epochs=10, batch_size=32, learning_rate=0.001, optimizer=digits.Adam(beta1=0.8))
```

What an optimiser remembers starts at 0 with every call. A `State` that is given to several calls lets them continue one another, here with
a smaller learning rate and the order of the examples going on as well:

```python
state, rng = digits.State(), np.random.default_rng(0)
for rate in (0.001, 0.0001):
    p, losses = digits.train(p, X, y, epochs=10, batch_size=32, learning_rate=rate, optimizer=digits.Adam(), state=state, seed=rng)
```

In the formulas, which hold for every k:
"""

TAIL = """\

An entry means the old one up to the equation that changes it, and the new one below. What does not depend on k, such as `1 - beta2**t`, is
computed once a step, in float64, and then rounded to the type of the parameters.

Names and defaults of the options are those of `torch.optim`, where `momentum` alone has another default, 0, which is plain SGD.
"""


def files() -> dict[Path, str]:
    """The page in Markdown, by its path."""
    meanings = [f"- `{name}`: {meaning}" for name, meaning in GIVEN.items()]
    return {PAGE: "\n".join([HEAD, *meanings, TAIL, *(line for o in shown(1) for line in _section(o))])}


def _section(shown: Shown) -> Iterator[str]:
    optimiser = shown.optimiser
    yield f"## {shown.name}\n\nSource: {optimiser.source}.\n"
    for option in shown.options:
        yield f"- `{option['name']} = {option['default']}`" + (f", {option['range']}" if option["range"] else "")
    if optimiser.state:
        vectors = " and ".join(f"`{name}[k]`" for name in optimiser.state)
        yield f"- Remembers {vectors}"
    yield "\n```text"
    yield from (line.strip() for line in optimiser.formula.splitlines())
    yield "```\n"
