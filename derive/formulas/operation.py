"""What the catalogue says of an operation: its forward formula in index notation, and what the formula takes from a spec.

The language of the formulas is that of `derive/language/`; a formula in a spec is written in the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Number = float | int | bool | tuple[float, ...] | str


Start = float | Literal["weight", "normal"]


@dataclass(frozen=True)
class Parameter:
    """A number that a formula takes from the spec.

    kind: "real"; "count", a whole number; "switch", true or false, which chooses between formulas before anything is derived;
        "reals", a list of numbers, one a class or an output; "counts", a list of whole numbers, each the extent of an axis: the
        list's name in the formula stands for these axes.
    default: None where the spec must give it (for "reals": where it may be left out); the name of another parameter where it is
        the same as that one.
    above, least, below, most: what it must be greater than, at least, less than, at most.
    """

    default: Number | None = None
    kind: Literal["real", "count", "switch", "reals", "counts"] = "real"
    above: float | None = None
    least: float | None = None
    most: float | None = None
    meaning: str = ""
    below: float | None = None


@dataclass(frozen=True)
class Operation:
    """Values in terms of values: what a layer or an activation computes.

    formula: equations in index notation, one a line, the last of which defines Y; or a bare expression in x, the same for
        every element: Y[...] = expression with x = X[...]. Entries outside of a tensor are 0.
    reads: the values that it reads and the letters of their axes, "X[..., t, d]"; "X[...]: v" reads labels, positions on an axis v.
    parameters: numbers from the spec by name.
    axes: the extents of axes that the read values do not have, by letter, as integer expressions in parameters and sizes.
    learned: the tensors that training changes, "W[j, k]", and how they start: a number, "weight" for He's or Glorot's random
        numbers, "normal" for those of the standard normal distribution. One that the formula does not come to read is left out.
    draws: random data of training, "M[...]": entries that are 1 with the given probability, else 0.
    statistics: what training keeps a running value of, "mean[c]": its start; an equation `new_mean[c] = ...` gives the next.
    inference: the equations of `predict` where they differ.
    steps, state: the equations are those of one step of a recurrence over the axis `steps`; `H_before` is the value of a state H
        one step before, 0 at first. The result is the last state named, after the last step or, with a true parameter `sequence`,
        after every step.
    """

    formula: str
    source: str
    reads: tuple[str, ...] = ("X[...]",)
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])
    axes: Mapping[str, str] = field(default_factory=dict[str, str])
    learned: Mapping[str, Start] = field(default_factory=dict[str, "Start"])
    draws: Mapping[str, str] = field(default_factory=dict[str, str])
    statistics: Mapping[str, float] = field(default_factory=dict[str, float])
    inference: str | None = None
    state: tuple[str, ...] = ()
    steps: str | None = None
