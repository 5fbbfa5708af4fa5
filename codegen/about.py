"""What a module says of its network, and what a program does not tell of the data that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codegen.lines import WIDTH
from codegen.schedule import Range
from derive.formulas.losses import LOSSES
from derive.network import Network

Targets = Literal["labels", "probabilities", "log_probabilities", "unit", "values", "signs", "counts"]


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
    targets: Targets
    ignored: int | None = None
    weighted: bool = True
    predictions: Range | None = None


def about(network: Network) -> About:
    """A network in a few words."""
    loss = LOSSES[network.loss.kind, network.loss.targets]
    predictions = Range(0, 1, f"{network.loss.kind} takes probabilities") if loss.unit_prediction else None
    return About(network.name, _summary(network), loss.target, predictions=predictions)


def _summary(network: Network) -> str:
    layers = [f"{layer.units} {layer.activation.kind}" for layer in network.layers]
    options = "".join(f", {name}" for name, on in network.loss.options.items() if on)
    summary = f"{network.name}: {' - '.join([str(network.inputs), *layers])}, {network.loss.kind} ({network.loss.reduction}{options})."
    return summary if len(summary) + 3 <= WIDTH else f"{network.name}: {len(layers)} layers, {network.loss.kind}."
