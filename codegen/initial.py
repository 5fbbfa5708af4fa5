"""How the parameters start: as their operation declares, weights at random with He's or Glorot's variance.

Which of the two, and the fans, is decided from the equation that reads a weight and from the derivative of the activation after it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Basic, Expr

from codegen.constants import constant
from codegen.views import shape, tuple_text
from derive.index import Binder, Entry, Index, Tensor, free_indices
from derive.program import Equation, Program
from derive.program import Start as Declared

FAR = 30  # far from zero an activation is as good as a straight line


@dataclass(frozen=True)
class Start:
    """The expression that gives a tensor its first values, and why in a few words; the number that all are, unless `rng` draws them."""

    text: str
    why: str = ""
    number: Expr | None = None


def starts(forward: Program) -> Mapping[Tensor, Start]:
    """The first values of every parameter and running statistic of a forward program."""
    learned = {t: _start(forward, t, forward.starts.get(t, "weight")) for t in forward.parameters}
    return learned | {s.tensor: _start(forward, s.tensor, s.start) for s in forward.statistics}


def _start(forward: Program, tensor: Tensor, declared: Declared) -> Start:
    if declared == "normal":
        return Start(f"rng.standard_normal({_shape(tensor)})")
    return _weight(forward, tensor) if isinstance(declared, str) else Start(_filled(tensor, declared), number=declared)


def _filled(tensor: Tensor, number: Expr) -> str:
    """An array of one number."""
    whole = str(tensor.axes[0].extent) if len(tensor.axes) == 1 else _shape(tensor)
    if number in (0, 1):
        return f"np.{'zeros' if number == 0 else 'ones'}({whole})"
    return f"np.full({whole}, {constant(number)})"


def _shape(tensor: Tensor) -> str:
    return tuple_text(shape(tensor)) if tensor.axes else "()"


def _weight(forward: Program, tensor: Tensor) -> Start:
    """He's or Glorot's numbers."""
    reader = next(iter(forward.reading(tensor)), None)
    if reader is None:
        return Start(_filled(tensor, sp.S.Zero), "no equation reads it", sp.S.Zero)
    fan_in, fan_out = _fans(reader, tensor)
    slopes = _slopes(forward, reader)
    if slopes is not None and abs(slopes[1] - 1) < 0.01 and abs(slopes[0]) < 0.5:
        leak = abs(slopes[0])
        gain = "2" if leak < 1e-6 else f"2 / (1 + {float(f'{leak:.6g}')!r}**2)"
        drawn = f"rng.standard_normal({_shape(tensor)}) * math.sqrt({gain} / {fan_in})"
        return Start(drawn, "He: about half of the activations are near zero")
    return Start(f"rng.uniform(-1, 1, {_shape(tensor)}) * math.sqrt(6 / ({fan_in} + {fan_out}))", "Glorot")


def _fans(reader: Equation, tensor: Tensor) -> tuple[int, int]:
    """How many terms a value sums up, and how many values a term goes into.

    The first is the product of the extents summed over. In the second an axis does not count whose index is also, alone, a position
    of what the weight is multiplied by: an input channel meets its own weights only, but each of a kernel's.
    """
    opened = [binder.open() for binder in sorted(reader.body.atoms(Binder), key=str)]
    for body, bound in (*opened, (reader.body, ())):
        beside = {i for e in body.atoms(Entry) if e.tensor != tensor for i in e.indices}
        for entry in _entries(body, tensor):
            own = [i for i in entry.indices if isinstance(i, Index)]
            if not bound or any(i in bound for i in own):
                return _extents([i for i in own if i in bound]), _extents([i for i in own if i not in beside])
    return 1, 1


def _extents(indices: list[Index]) -> int:
    return math.prod(i.axis.extent or 1 for i in indices)


def _entries(body: Basic, tensor: Tensor) -> list[Entry]:
    return [e for e in sorted(body.atoms(Entry), key=str) if e.tensor == tensor]


def _slopes(forward: Program, reader: Equation) -> tuple[float, float] | None:
    """The derivative of the activation that reads a pre-activation, far on its negative and on its positive side."""
    for equation in forward.reading(reader.tensor):
        if equation.body.has(Binder) or not equation.indices:
            continue
        body = equation.body.xreplace(_at_start(forward, equation))
        entry = Entry(reader.tensor, *equation.indices)
        if body.atoms(Entry) == {entry} and set(free_indices(body)) == set(equation.indices):
            return _slope(body, entry, -FAR), _slope(body, entry, FAR)
    return None


def _at_start(forward: Program, equation: Equation) -> dict[Entry, Expr]:
    """The entries of parameters that start at a number, with that number (the slope of a PReLU)."""
    starts = {e: forward.starts.get(e.tensor) for e in sorted(equation.body.atoms(Entry), key=str)}
    return {e: number for e, number in starts.items() if isinstance(number, Expr)}


def _slope(body: Expr, entry: Entry, at: int) -> float:
    x = sp.Dummy("x", real=True)
    return float(sp.diff(body.xreplace({entry: x}), x).xreplace({x: sp.Float(at, 50)}))
