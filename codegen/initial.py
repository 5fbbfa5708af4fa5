"""How the parameters start: He's or Glorot's variance, decided from the derivative of the activation that reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from derive.index import Binder, Entry, Tensor, free_indices
from derive.program import Equation, Program

FAR = 30  # far from zero an activation is as good as a straight line


@dataclass(frozen=True)
class Start:
    """The expression that draws a parameter's first values from `rng`, and why in a few words."""

    tensor: Tensor
    text: str
    why: str


def starts(forward: Program) -> tuple[Start, ...]:
    """The first values of every parameter of a forward program."""
    return tuple(_start(forward, t) for t in forward.parameters)


def _start(forward: Program, tensor: Tensor) -> Start:
    shape = ", ".join(str(a.extent) for a in tensor.axes)
    reader = forward.reading(tensor)[0]
    summed = _summed(reader, tensor)
    if not summed:
        return Start(tensor, f"np.zeros({shape})" if len(tensor.axes) == 1 else f"np.zeros(({shape}))", "")
    fan_in = math.prod(tensor.axes[p].extent or 1 for p in summed)
    fan_out = math.prod(a.extent or 1 for a in tensor.axes) // fan_in
    slopes = _slopes(forward, reader)
    if slopes is not None and abs(slopes[1] - 1) < 0.01 and abs(slopes[0]) < 0.5:
        leak = abs(slopes[0])
        gain = "2" if leak < 1e-6 else f"2 / (1 + {float(f'{leak:.6g}')!r}**2)"
        return Start(
            tensor, f"rng.standard_normal(({shape})) * math.sqrt({gain} / {fan_in})", "He: about half of the activations are near zero"
        )
    return Start(tensor, f"rng.uniform(-1, 1, ({shape})) * math.sqrt(6 / ({fan_in} + {fan_out}))", "Glorot")


def _summed(reader: Equation, tensor: Tensor) -> list[int]:
    """The axes of a parameter that the equation which reads it sums over: the fan-in."""
    for binder in sorted(reader.body.atoms(Binder), key=str):
        body, bound = binder.open()
        for entry in sorted(body.atoms(Entry), key=str):
            if entry.tensor == tensor:
                return [p for p, i in enumerate(entry.indices) if i in bound]
    return []


def _slopes(forward: Program, reader: Equation) -> tuple[float, float] | None:
    """The derivative of the activation that reads a pre-activation, far on its negative and on its positive side."""
    for equation in forward.reading(reader.tensor):
        if equation.body.has(Binder) or not equation.indices:
            continue
        entry = Entry(reader.tensor, *equation.indices)
        if equation.body.atoms(Entry) == {entry} and set(free_indices(equation.body)) == set(equation.indices):
            return _slope(equation.body, entry, -FAR), _slope(equation.body, entry, FAR)
    return None


def _slope(body: Expr, entry: Entry, at: int) -> float:
    x = sp.Dummy("x", real=True)
    return float(sp.diff(body.xreplace({entry: x}), x).xreplace({x: sp.Float(at, 50)}))
