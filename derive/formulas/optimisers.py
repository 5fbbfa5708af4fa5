"""Optimisers: the update of one learned number, as formulas. Everything else about an optimiser follows from its entry here.

Names and defaults of the parameters are those of torch.optim (two betas by their names), whose SGD, Adam, AdamW and RMSprop these are,
without dampening, `centered` and `amsgrad`; the default of `momentum`, 0 there, is 0.9. With eps = 0 a gradient of 0 would give 0/0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from derive.formulas.operation import Parameter

GIVEN: Mapping[str, str] = {
    "theta[k]": "a learned number",
    "gradient[k]": "the derivative of the loss of a batch with respect to it",
    "rate": "the learning rate",
    "t": "the number of the step, from 1",
}


@dataclass(frozen=True)
class Optimiser:
    """One step on every learned number theta[k].

    formula: equations, one a line, the last of which gives the new theta[k]. They read theta[k], gradient[k], rate, t and the
        parameters; an entry of theta or of a state vector means the old one up to the equation that changes it, the new one below.
    state: the vectors beside theta that are kept from step to step; they start at 0.
    parameters: real numbers with their defaults and ranges.
    """

    formula: str
    source: str
    state: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict[str, Parameter])


DECAY = {"weight_decay": Parameter(0.0, least=0.0)}
EPS = {"eps": Parameter(1e-8, above=0.0)}
MOMENTUM = {"momentum": Parameter(0.9, least=0.0, below=1.0)}
BETAS = {"beta1": Parameter(0.9, least=0.0, below=1.0), "beta2": Parameter(0.999, least=0.0, below=1.0)}

OPTIMISERS: dict[str, Optimiser] = {
    "SGD": Optimiser("theta[k] = theta[k] - rate * (gradient[k] + weight_decay * theta[k])", "Robbins and Monro 1951", parameters=DECAY),
    "Momentum": Optimiser(
        """velocity[k] = momentum * velocity[k] + gradient[k] + weight_decay * theta[k]
        theta[k] = theta[k] - rate * velocity[k]""",
        "Polyak 1964; torch.optim.SGD, momentum", ("velocity",), {**MOMENTUM, **DECAY},
    ),
    "Nesterov": Optimiser(
        """slope[k] = gradient[k] + weight_decay * theta[k]
        velocity[k] = momentum * velocity[k] + slope[k]
        theta[k] = theta[k] - rate * (slope[k] + momentum * velocity[k])""",
        "Nesterov 1983, in the form of Sutskever et al. 2013; torch.optim.SGD, nesterov", ("velocity",), {**MOMENTUM, **DECAY},
    ),
    "Adam": Optimiser(
        """slope[k] = gradient[k] + weight_decay * theta[k]
        mean[k] = beta1 * mean[k] + (1 - beta1) * slope[k]
        square[k] = beta2 * square[k] + (1 - beta2) * slope[k]**2
        theta[k] = theta[k] - rate * mean[k] / (1 - beta1**t) / (sqrt(square[k] / (1 - beta2**t)) + eps)""",
        "Kingma and Ba 2015, algorithm 1", ("mean", "square"), {**BETAS, **EPS, **DECAY},
    ),
    "AdamW": Optimiser(
        """mean[k] = beta1 * mean[k] + (1 - beta1) * gradient[k]
        square[k] = beta2 * square[k] + (1 - beta2) * gradient[k]**2
        theta[k] = (1 - rate * weight_decay) * theta[k] - rate * mean[k] / (1 - beta1**t) / (sqrt(square[k] / (1 - beta2**t)) + eps)""",
        "Loshchilov and Hutter 2019, algorithm 2; torch.optim.AdamW",
        ("mean", "square"), {**BETAS, **EPS, "weight_decay": Parameter(0.01, least=0.0)},
    ),
    "RMSProp": Optimiser(
        """slope[k] = gradient[k] + weight_decay * theta[k]
        square[k] = alpha * square[k] + (1 - alpha) * slope[k]**2
        theta[k] = theta[k] - rate * slope[k] / (sqrt(square[k]) + eps)""",
        "Tieleman and Hinton 2012, lecture 6.5; torch.optim.RMSprop",
        ("square",), {"alpha": Parameter(0.99, least=0.0, below=1.0), **EPS, **DECAY},
    ),
}  # fmt: skip
