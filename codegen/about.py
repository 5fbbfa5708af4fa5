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

    targets: what the entries of y are: labels, probabilities or their logarithms, numbers in [0, 1], any numbers, +1 and -1, or
    numbers of at least 0. ignored: a label that counts nothing, beside those of the classes or one of them.
    weighted: whether the caller may weigh the examples, where the loss has weights (if not, they tell which labels are ignored).
    predictions: what the loss demands of the entries of the prediction, if anything.
    """

    name: str
    summary: str
    targets: Target
    ignored: int | None = None
    weighted: bool = True
    predictions: Range | None = None


def about(network: Network) -> About:
    """A network in a few words."""
    loss = network.loss
    predictions = Range(0, 1, f"{loss.kind} takes probabilities") if loss.formula.unit_prediction else None
    return About(network.name, _summary(network), loss.targets, loss.ignore_index, loss.sample_weights, predictions)


def _summary(network: Network) -> str:
    layers = [layer.words for layer in network.layers]
    options = f", {network.loss.described}" if network.loss.described else ""
    inputs = " x ".join(map(str, network.shape)) or "1"
    summary = f"{network.name}: {' - '.join([inputs, *layers])}, {network.loss.kind} ({network.loss.reduction}{options})."
    return summary if len(summary) + 3 <= WIDTH else f"{network.name}: {len(layers)} layers, {network.loss.kind}."
