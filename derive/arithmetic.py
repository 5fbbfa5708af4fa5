"""What one more example asks for: the operations of both passes, and the values that the forward pass keeps for the backward pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from derive.derivation import Derivation
from derive.family import gradient_of
from derive.index import Axis, Binder, Entry, Indicator, Tensor
from derive.operation_cost import ADDITIONS, MULTIPLICATIONS, Cost, cost
from derive.program import Equation, needed


@dataclass(frozen=True)
class Passes:
    """The computed equations of the loss and of the parameters' gradients."""

    forward: tuple[Equation, ...]
    backward: tuple[Equation, ...]

    @property
    def kept(self) -> tuple[Tensor, ...]:
        """The values that the forward pass computes and a backward equation reads, in the order of computation."""
        read = {t for e in self.backward for t in e.reads}
        return tuple(e.tensor for e in self.forward if e.tensor in read)


def passes(derivation: Derivation) -> Passes:
    """What is computed for the outputs of the forward pass, and what the gradients of the parameters need beyond that."""
    computed, forward = derivation.computed.equations, derivation.forward
    defined = {e.tensor for e in computed}
    first = needed(computed, [t for t in forward.results if t in defined])
    both = needed(computed, [*(e.tensor for e in first), *(gradient_of(p) for p in forward.parameters if gradient_of(p) in defined)])
    before = {e.tensor for e in first}
    return Passes(first, tuple(e for e in both if e.tensor not in before))


def numbers(tensor: Tensor) -> int:
    """The numbers of a tensor for one example."""
    return math.prod(axis.extent or 1 for axis in tensor.axes)


def batched(equations: Iterable[Equation]) -> bool:
    """Whether there is an axis of examples: one whose extent is not known."""
    return any(axis.extent is None for equation in equations for axis in _axes(equation))


def per_example(equations: tuple[Equation, ...]) -> Cost:
    """The operations that one more example in the batch costs. What is done once a batch, whatever its size, is not counted.

    Of a derivation of one example, all operations.
    """
    found: Cost = Counter()
    if not batched(equations):
        return sum((_cost(equation, 1) for equation in equations), found)
    for equation in equations:
        one, two = (_cost(equation, examples) for examples in (1, 2))
        found += Counter({name: two[name] - one[name] for name in sorted(two) if two[name] > one[name]})
    return found


def moved(equations: tuple[Equation, ...], shared: Collection[Tensor]) -> tuple[int, int]:
    """The numbers that pass between memory and processor if every equation reads each of its tensors once and writes its own.

    shared: the parameters and their gradients. The first count is of values, for one more example in the batch; the second of `shared`,
    once for the whole batch.
    """
    single = not batched(equations)
    touched = [t for e in equations for t in (*dict.fromkeys(e.reads), e.tensor)]
    values = (numbers(t) for t in touched if t not in shared and (single or any(axis.extent is None for axis in t.axes)))
    return sum(values), sum(numbers(t) for t in touched if t in shared)


def _cost(equation: Equation, examples: int) -> Cost:
    extents = {a.size: a.extent or examples for a in _axes(equation)}
    return cost([equation], _read_by_guards(equation, extents), extents)


def _axes(equation: Equation) -> dict[Axis, None]:
    bound = (i.axis for b in equation.body.atoms(Binder) for i in b.bound)
    tensors = (equation.tensor, *equation.reads)
    return dict.fromkeys((*bound, *(a for t in tensors for a in (*t.axes, *([t.values] if t.values else [])))))


def _read_by_guards(equation: Equation, extents: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Zeros for the values that decide where a term stands (labels, the places of maxima): how many terms stand does not depend on them."""
    read = {e.tensor for guard in equation.body.atoms(Indicator) for e in guard.atoms(Entry)}
    return {t.name: np.zeros([extents[a.size] for a in t.axes], int if t.values else float) for t in sorted(read, key=lambda t: t.name)}


def flops(found: Cost) -> int:
    """Additions and multiplications."""
    return found[ADDITIONS] + found[MULTIPLICATIONS]
