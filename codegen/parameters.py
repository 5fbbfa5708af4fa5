"""The parameters of a module in one vector: what training changes first, the running statistics after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from codegen.initial import starts
from codegen.views import View, laid_out, shape, tuple_text, view_text
from derive.index import Tensor
from derive.program import Program


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
    def size(self) -> int:
        """The number of entries of all parameters and statistics."""
        return self.views[-1].stop.fixed if self.views else 0

    @property
    def updates(self) -> list[Tensor]:
        """What the statistics are replaced by after a step, in their order."""
        return [s.update for s in self.program.statistics]

    @property
    def statistics(self) -> int:
        """The number of entries of all statistics."""
        return self.size - self.learned

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
                "first": str(v.start.fixed),
                "start": first[v.tensor].text,
                "why": first[v.tensor].why,
            }
