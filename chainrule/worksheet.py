"""What is written into a document beside its formulas: numbers that the user gave, or those of an exercise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import derive
from chainrule.exercise import Sized, friendly, sized
from chainrule.given import Given, checked_rate, given
from chainrule.module import built
from chainrule.numbers import point, worked_at
from chainrule.progress import Report, silent
from derive import Network
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents.numbers import Numbers, Sheet

LEARNING_RATE = {"numbers": 0.1, "exercise": 0.5, "solution": 0.5}  # where nobody says which
COMPARED = "The generated module returns the same loss, prediction, gradients and step."


@dataclass(frozen=True)
class Wanted:
    """Which numbers: those of a source (None: friendly ones, drawn from the seed), for a document in numbers, an exercise or its solution.

    learning_rate and decimals: None for those of the source, or the usual ones.
    """

    sheet: Sheet = "numbers"
    source: str | None = None
    seed: int = 0
    learning_rate: float | None = None
    decimals: int | None = None


@dataclass(frozen=True)
class Sheeted:
    """What a document is made from; of a network that was too large for an exercise, a smaller one."""

    network: Network
    derivation: Derivation
    numbers: Numbers


def worksheet(network: Network, examples: Examples, wanted: Wanted, report: Report = silent) -> Sheeted:
    """Work a network out in numbers, in its own convention.

    Raises InputError where the numbers do not fit or the network is too large, Mismatch where its module returns others.
    """
    rate = None if wanted.learning_rate is None else checked_rate("--learning-rate", wanted.learning_rate)
    numbers = None if wanted.source is None else given(wanted.source)
    size = sized(network, 1 if examples == "single" else 2) if numbers is None else Sized(network, numbers.count)
    report(f"compiling {network.name}")
    module = built(size.network)
    if numbers is None:
        at, words = friendly(size, module, wanted.seed), _exercise_words(wanted.seed, size.changes)
    else:
        at, words, rate = point(network, module, numbers), _words(numbers), rate or numbers.learning_rate
    derivation = derive.differentiate(size.network.program(examples=examples))
    worked = worked_at(size.network, derivation, module, at, rate or LEARNING_RATE[wanted.sheet])
    origin = words if wanted.sheet == "exercise" else f"{words} {COMPARED}"
    return Sheeted(size.network, derivation, Numbers(worked, origin, wanted.decimals, wanted.sheet))


def _words(numbers: Given) -> str:
    if not numbers.arrays:
        return f"Data and parameters are random, from {numbers.source}."
    file = Path(numbers.source).name
    return (
        f"Data and parameters are those of {file}."
        if numbers.seed is None
        else f"The numbers are those of {file}; what it leaves open is random."
    )


def _exercise_words(seed: int, changes: tuple[tuple[int, int], ...]) -> str:
    smaller = " and ".join(f"{before} have become {after}" for before, after in changes)
    return f"The numbers are those of seed {seed}." + (f" The network has been made smaller: where it had {smaller}." if smaller else "")
