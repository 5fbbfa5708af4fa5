"""Names by order of occurrence, so that what was worked out for one layer serves for every layer of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy as sp
from sympy import Expr

from derive.derivation import Step
from derive.family import GRADIENT, Family
from derive.index import ArgMax, Axis, Entry, Index, Indicator, Size, Tensor, renaming
from derive.program import Equation, Fact


@dataclass(frozen=True)
class Renaming:
    """A one-to-one renaming of tensors and axes; derivatives are renamed with their tensors."""

    tensors: Mapping[Tensor, Tensor]
    axes: Mapping[Axis, Axis]

    @cached_property
    def inverse(self) -> Renaming:
        return Renaming({b: a for a, b in self.tensors.items()}, {b: a for a, b in self.axes.items()})

    @cached_property
    def _names(self) -> dict[str, str]:
        return {a.name: b.name for a, b in self.tensors.items()}

    def tensor(self, tensor: Tensor) -> Tensor:
        return self.tensors.get(tensor, tensor)

    @cached_property
    def expr(self) -> Callable[[Expr], Expr]:
        """An expression in the new names. The steps of a derivation are made of the same parts, which are renamed once."""
        return renaming(self.tensors, self.axes)

    def indices(self, indices: Sequence[Index]) -> tuple[Index, ...]:
        renamed = [self.expr(i) for i in indices]
        return tuple(i for i in renamed if isinstance(i, Index))

    def equation(self, equation: Equation) -> Equation:
        return Equation(self.tensor(equation.tensor), self.indices(equation.indices), self.expr(equation.body))

    def fact(self, fact: Fact) -> Fact:
        return Fact(self.expr(fact.left), self.expr(fact.right), self.indices(fact.indices), fact.meaning)

    def step(self, step: Step) -> Step:
        uses = tuple(self._names.get(name, name) for name in step.uses)
        return Step(step.rule, self.expr(step.before), self.expr(step.after), self.indices(step.indices), uses, step.because)


def canonical(equations: Sequence[Equation], more: Sequence[Tensor], families: Sequence[Family] = (GRADIENT,)) -> Renaming:
    """T0, T1, ... for the tensors and a0, a1, ... for the axes of equations, in the order in which they first occur.

    families: a tensor that is a derivative of another of them, its gradient for one, becomes that one's derivative, dT0; each
    family is one of derivatives of the families before it too. Axes keep their extents where positions are computed: there the
    extents decide whether a read needs a guard.
    """
    found = dict.fromkeys([*more, *(t for e in equations for t in (e.tensor, *e.reads))])
    derivatives = {d for t in found for d in _derivatives(t, families)}
    plain = [t for t in found if t not in derivatives]
    axes: dict[Axis, Axis] = {}
    placed = any(_computes_positions(e.body) for e in equations)
    for tensor in plain:
        for axis in (*tensor.axes, *([tensor.values] if tensor.values else [])):
            axes.setdefault(axis, Axis(f"a{len(axes)}", f"A{len(axes)}", axis.extent if placed else None))
    tensors: dict[Tensor, Tensor] = {}
    for k, tensor in enumerate(plain):
        values = axes[tensor.values] if tensor.values else None
        general = Tensor(f"T{k}", [axes[a] for a in tensor.axes], values, tensor.sign)
        tensors[tensor] = general
        named = [f.renamed(axes) for f in families]
        tensors |= zip(_derivatives(tensor, families), _derivatives(general, named), strict=True)
    return Renaming(tensors, axes)


def _derivatives(tensor: Tensor, families: Sequence[Family]) -> list[Tensor]:
    """The tensors that hold its derivatives, and derivatives of these."""
    found = [tensor]
    for family in families:
        found += [family.of(t) for t in found]
    return found[1:]


def _computes_positions(e: Expr) -> bool:
    """Whether an entry or an indicator stands at a position that is no bare index and no label."""
    positions = (p for node in sp.preorder_traversal(e) if isinstance(node, Entry | Indicator) for p in node.args)
    return any(not isinstance(p, Tensor | Index | Entry | Size | ArgMax) for p in positions)
