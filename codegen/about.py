"""What a module says of its network, and what a program does not tell of the data that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.lines import WIDTH
from codegen.schedule import Range
from derive.formulas.losses import Target
from derive.network import Network


@dataclass(frozen=True)
class About:
    """A network in a few words.

    targets: what the entries of y are: labels, probabilities (which sum to 1 along the last axis), any numbers, numbers in [0, 1],
    +1 and -1, or numbers of at least 0. ignored: a label that y may hold beside those of the classes.
    predictions: what the loss demands of the entries of the prediction, if anything.
    """

    name: str
    summary: str
    targets: Target
    ignored: int | None = None
    predictions: Range | None = None


def about(network: Network) -> About:
    """A network in a few words."""
    formula = network.loss.formula
    predictions = Range(0, 1, f"{network.loss.kind} takes probabilities") if formula.unit_prediction else None
    return About(network.name, _summary(network), network.loss.targets, network.loss.ignore_index, predictions)


def _summary(network: Network) -> str:
    layers = [layer.words for layer in network.layers]
    options = f", {network.loss.described}" if network.loss.described else ""
    inputs = " x ".join(map(str, network.shape)) or "1"
    summary = f"{network.name}: {' - '.join([inputs, *layers])}, {network.loss.kind} ({network.loss.reduction}{options})."
    return summary if len(summary) + 3 <= WIDTH else f"{network.name}: {len(layers)} layers, {network.loss.kind}."
