"""What comes of a check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What came of one check of a derivation.

    number: the equation's. rule: the step's, or "chain", "chain rule", "computed value", "whole network", and for the derivation as a whole
    "all gradients", "all products", "declared facts", "computed program". method: "finite field",
    "50 digits", or "inspection" where formulas were compared as they stand. detail: how much was tested, or what is wrong.
    about: the left side of the equation. step: the place of a step in its chain from 1, 0 for the equation as a whole.
    """

    number: str
    rule: str
    method: str
    holds: bool
    detail: str
    about: str = ""
    step: int = 0
