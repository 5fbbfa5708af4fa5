"""The parameters of a module in one vector: what training changes first, the running statistics after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.initial import starts
from codegen.lines import comment, lines
from codegen.loops import Assign, nested
from codegen.views import View, laid_out, shape, tuple_text, view_text
from derive.formulas.optimisers import OPTIMISERS, Optimiser
from derive.index import Axis, Tensor
from derive.program import Equation, Program
from derive.text import text


@dataclass(frozen=True)
class Stored:
    """Where the parameters and the statistics of a program lie in the vector `theta`."""

    program: Program

    @property
    def views(self) -> tuple[View, ...]:
        """Every tensor, in the order of Parameters."""
        return laid_out([*self.program.parameters, *(s.tensor for s in self.program.statistics)])

    @property
    def learned(self) -> int:
        """The number of entries that training changes by a gradient: the first ones."""
        views = laid_out(self.program.parameters)
        return views[-1].stop.fixed if views else 0

    @property
    def updates(self) -> list[Tensor]:
        """What the statistics are replaced by after a step, in their order."""
        return [s.update for s in self.program.statistics]

    @property
    def statistics(self) -> int:
        """The number of entries of all statistics."""
        return (self.views[-1].stop.fixed if self.views else 0) - self.learned

    @property
    def ordinary(self) -> bool:
        """Whether weights start at random and everything else at 0."""
        first = starts(self.program)
        return all(first[t].number in (None, 0) for t in self.program.parameters)

    def fields(self) -> Iterator[dict[str, object]]:
        """What the template shows of every tensor."""
        first = starts(self.program)
        for v in self.views:
            yield {
                "name": v.tensor.name,
                "shape": ", ".join(shape(v.tensor)),
                "tuple": tuple_text(shape(v.tensor)) if v.tensor.axes else "()",
                "view": view_text("theta", v) + ("" if v.tensor.axes else ".reshape(())"),
                "start": first[v.tensor].text,
                "why": first[v.tensor].why,
            }

    def optimisers(self) -> list[dict[str, object]]:
        """One step of every optimiser on what is learned."""
        return [{"name": name, "source": o.source, "lines": self._step(o)} for name, o in OPTIMISERS.items()]

    def _step(self, optimiser: Optimiser) -> list[str]:
        axis = Axis("k", "K", self.learned)
        k = axis.index()
        theta, gradient, rate = Tensor("theta", [axis])[k], Tensor("gradient", [axis])[k], Tensor("rate")[()]
        body = optimiser.formula(theta, gradient, rate)
        update = Assign(Equation(theta.tensor, (k,), body), theta, body)
        loop = lines(nested([k], update), set())
        return [*comment(f"theta[k] <- {text(body)}", 1), *(row for row in loop if not row.strip().startswith("#"))]
