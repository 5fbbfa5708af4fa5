"""Plain descent without arrays for gradients: theta takes a gradient that is a product of large matrices as the product is computed.

Such a gradient has as many entries as the matrix. To write it down and to read it again takes longer than all else in the step of one
example: 784 x 128 entries in float64 take 34 microseconds that way, and 15 this way. For more examples BLAS adds a product to a matrix as
fast as it computes the product alone: a step of 784-512-256-10 with 32 examples takes 1.98 milliseconds that way, and 1.51 this way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp
from sympy import Expr

from codegen.constants import constant
from codegen.functions import Function, Functions, Results
from codegen.lines import INDENT, comment
from codegen.loops import MatrixProduct, accesses
from codegen.optimisers import Shown
from codegen.parameters import Stored
from codegen.planned import Planned
from codegen.schedule import Kernel
from codegen.views import View, extent, tuple_text
from derive.family import gradient_of
from derive.index import Entry, Tensor
from derive.text import equation_text

LARGE = 4096  # entries of a matrix from which on this pays: 1.6 to 0.8 microseconds at 64 x 64 in float64, nothing at 128 x 10


@dataclass(frozen=True)
class Coefficients:
    """theta[k] <- keep theta[k] + add gradient[k]: what a step of an optimiser is that has no memory, where it is linear."""

    keep: Expr
    add: Expr


def coefficients(optimiser: Shown) -> Coefficients | None:
    """Those of an optimiser; None where its step is not of this form."""
    last = optimiser.step.equations[-1]
    vectors = {e.tensor.name: e for e in last.body.atoms(Entry) if e.indices}
    if len(optimiser.step.equations) > 1 or optimiser.optimiser.state or set(vectors) != {"theta", "gradient"}:
        return None
    body = sp.expand(last.body)
    keep, add = (body.coeff(vectors[name]) for name in ("theta", "gradient"))
    rest = sp.expand(body - keep * vectors["theta"] - add * vectors["gradient"])
    return None if rest != 0 or any(c.has(*vectors.values()) for c in (keep, add)) else Coefficients(keep, add)


@dataclass(frozen=True)
class Descent:
    """The kernel of the gradients in two parts, the products of large matrices last, and a step that stands in place of the second.

    planned: the kernel of the gradients, which computes whole batches. optimiser: that of the step.
    """

    planned: Planned
    kernel: Kernel
    stored: Stored
    optimiser: Shown

    @cached_property
    def products(self) -> tuple[MatrixProduct, ...]:
        """The gradients that are products of large matrices and that nothing else in the kernel reads or writes."""
        parameters = {gradient_of(p).name for p in self.stored.program.parameters}
        touched = [a.tensor.name for s in self.kernel.body for a in accesses(s)]
        return tuple(
            s
            for s in self.kernel.body
            if isinstance(s, MatrixProduct)
            and s.out.tensor.name in parameters
            and touched.count(s.out.tensor.name) == 1
            and extent(s.out.tensor).fixed >= LARGE
        )

    @staticmethod
    def chosen(planned: Planned, stored: Stored, optimisers: Sequence[Shown]) -> Descent | None:
        """The step of the first optimiser that it is possible for; None where it does not pay."""
        if not isinstance(planned.kernel, Kernel):
            return None
        every = [Descent(planned, planned.kernel, stored, optimiser) for optimiser in optimisers]
        return next((d for d in every if d.pays), None)

    @property
    def pays(self) -> bool:
        """Whether the step is possible, and worth a function of its own."""
        taken = {a.tensor.name for s in self.products for a in accesses(s)} & {
            "keep",
            "add",
            "options",
            "rate",
            *self.optimiser.optimiser.parameters,
        }
        return bool(self.products) and coefficients(self.optimiser) is not None and not taken

    def reasons(self, tensor: str) -> Iterator[str]:
        """What is to be said of the gradient of this name beside how its product is computed."""
        if tensor in [s.out.tensor.name for s in self.products]:
            yield f"with {self.optimiser.name}, added to the matrix itself and never stored: {LARGE} entries or more"

    def functions(self, write: Functions) -> Mapping[str, Function]:
        """The kernel's parts, the kernel of both, and the step."""
        p, names = self.planned, ", ".join(s.out.tensor.name for s in self.products)
        purpose = f"The loss of a batch; its derivatives go into `gradient`, but for {names}, whose factors stay in `work`."
        sweep = write.function(
            f"{p.name}_sweep", purpose, p.program, p.results, self._part([s for s in self.kernel.body if s not in self.products])
        )
        only = Results(vectors=p.results.vectors)
        rest = write.function(f"{p.name}_products", f"{names}, from the factors in `work`.", p.program, only, self._part(self.products))
        whole = [f"{INDENT}L = {sweep.call({})}", f"{INDENT}{rest.call({})}", f"{INDENT}return L"]
        both = Function(p.name, p.purpose, {**sweep.arguments, **rest.arguments}, sweep.returns, whole, sweep.work)
        return {"gradients_sweep": sweep, "gradients_products": rest, "gradients": both, "at_once": self._at_once(write)}

    def _part(self, body: Sequence[object]) -> Kernel:
        """A part of the kernel, on the same workspace."""
        part = tuple(s for s in self.kernel.body if s in body)
        used = {a.tensor for s in part for a in accesses(s)} | {*self.planned.program.inputs}  # these say how many examples there are
        return Kernel(part, tuple(t for t in self.kernel.given if t in used), self.kernel.workspace)

    # -- the step ------------------------------------------------------------------------------------------------------

    def _at_once(self, write: Functions) -> Function:
        """The step: products first, the other entries of theta after them."""
        chosen = coefficients(self.optimiser)
        assert chosen is not None
        k = self._part(self.products)
        every = {gradient_of(p).name: p for p in self.stored.program.parameters}
        matrices = {s.out.tensor.name: every[s.out.tensor.name] for s in self.products}
        taken = tuple(
            replace(s, out=Entry(matrices[s.out.tensor.name], *s.out.indices), descends=True)
            for s in k.body
            if isinstance(s, MatrixProduct)
        )
        given = (*k.given, *(s.out.tensor for s in taken))
        stored = f"{', '.join(matrices)} {'are' if len(matrices) > 1 else 'is'} not stored"
        purpose = f"One step of {self.optimiser.name}, after `{self.planned.name}_sweep`: {stored}."
        part = Kernel(taken, given, k.workspace)
        made = write.function(f"{self.optimiser.function}_at_once", purpose, self.planned.program, Results(), part)
        arguments = {**made.arguments, "gradient": "Array", "options": self.optimiser.name, "rate": "float"}
        options = list(self.optimiser.optimiser.parameters)
        head = [
            "real = theta.dtype.type",
            *([f"{tuple_text(options) if len(options) == 1 else ', '.join(options)} = options"] if options else []),
            *(
                line.strip()
                for line in comment("theta[k] <- keep theta[k] + add gradient[k]: " + equation_text(self.optimiser.step.equations[-1]), 1)
            ),
            f"keep, add = real({constant(chosen.keep)}), real({constant(chosen.add)})",
        ]
        body = [*(INDENT + line for line in head), *made.lines, *self._others([s.out.tensor for s in taken])]
        return replace(made, arguments=arguments, lines=body)

    def _others(self, taken: Sequence[Tensor]) -> list[str]:
        """The loop over the other entries of theta."""
        ranges = _between([v for v in self.stored.views if v.tensor in taken], self.stored.learned)
        update = "theta[k] = keep * theta[k] + add * gradient[k]"
        if not ranges:
            return []
        if len(ranges) == 1:
            (start, stop) = ranges[0]
            return [f"{INDENT}for k in range({start}, {stop}):", INDENT * 2 + update]
        places = ", ".join(f"({start}, {stop})" for start, stop in ranges)
        return [f"{INDENT}for start, stop in ({places}):", f"{INDENT * 2}for k in range(start, stop):", INDENT * 3 + update]


def _between(views: Sequence[View], stop: int) -> list[tuple[int, int]]:
    """The ranges of a vector, up to a place, that no view covers."""
    edges = [0, *(e for v in views for e in (v.start.fixed, v.stop.fixed)), stop]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
