"""Given tensors that nobody hands over: constants of the spec, and the random data of training."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from codegen.arguments import Rows
from codegen.constants import constant
from codegen.lines import INDENT, WIDTH
from codegen.schedule import run_time_axis
from codegen.views import Size, View, laid_out, size_text, view_text
from derive.program import Program
from derive.text import text


def constants(program: Program) -> list[str]:
    """The statements that define the constants of a module."""
    rows: list[str] = []
    for given in program.constants:
        head, values = f"{given.tensor.name} = np.array([", ", ".join(constant(v) for v in given.values)
        one = [f"{head}{values}])"]
        wrapped = textwrap.wrap(f"{values},", WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
        rows += one if len(one[0]) <= WIDTH else [head, *wrapped, "])"]
    return rows


@dataclass(frozen=True)
class Draws:
    """The random data of a program in one vector: every entry is 1 with a probability, else 0."""

    program: Program

    @property
    def views(self) -> tuple[View, ...]:
        return laid_out([d.tensor for d in self.program.draws])

    @property
    def names(self) -> str:
        return ", ".join(v.tensor.name for v in self.views)

    @property
    def size(self) -> str:
        """The length of the vector for N examples; empty where there is none."""
        return size_text(self.views[-1].stop) if self.views else ""

    @property
    def lines(self) -> list[str]:
        """The statements that draw every entry."""
        chances = {d.tensor: d.probability for d in self.program.draws}
        rows: list[str] = []
        for v in self.views:
            rows.append(f"# {text(v.tensor.entry())} is 1 with a probability of {text(chances[v.tensor])}, else 0")
            first = [] if v.start == Size() else [size_text(v.start)]
            rows.append(f"for k in range({', '.join([*first, size_text(v.stop)])}):")
            rows.append(f"{INDENT}draws[k] = 1.0 if rng.random() < {constant(chances[v.tensor])} else 0.0")
        return rows

    @property
    def shown(self) -> list[dict[str, str]]:
        """Every tensor by name, as an array that has the examples first."""
        examples = run_time_axis(self.program)
        return [
            {"name": v.tensor.name, "value": view if examples not in v.tensor.axes else Rows(v.tensor, examples).outside(view)}
            for v in self.views
            for view in [view_text("draws", v)]
        ]
