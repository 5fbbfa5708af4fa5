"""The page of all activations and losses: formulas from their tables, gradients as the engine derives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import derive
from derive import Network
from derive.choices import needed
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES, TARGETS
from derive.formulas.operation import Parameter
from derive.index import Tensor
from derive.program import Derivation, Program
from derive.text import equation_text

HEAD = """\
# Activations and losses

`chainrule check --fix` writes this page from `derive/formulas/` and from what the engine derives. A is what an activation reads, H
what it gives, y or Y the targets, dT the gradient of the loss with respect to T; n runs over the examples, j and c over features.
`where(condition, a, b)` is a where the condition holds, b elsewhere; `[a = b]` is 1 where it holds, 0 elsewhere. [spec.md](spec.md)
says how a spec names them.
"""

STAND_IN = 2  # for a number that a spec must give


def page() -> str:
    """The page in Markdown. The same tables give the same bytes."""
    return "\n".join([HEAD, "## Activations", "", *_activations(), "", "## Losses", "", *_losses(), ""])


def _activations() -> Iterator[str]:
    yield _row("Activation", "Parameters", "Formula", "Gradient", "Source")
    yield _row(*["---"] * 5)
    for kind, activation in ACTIVATIONS.items():
        learned = [f"`{name}` learned, from {start}" for name, start in activation.learned.items()]
        found = _derivation({"kind": kind, **dict.fromkeys(needed(activation.parameters), STAND_IN)}, "mean_squared_error")
        before = next((e.tensor for e in found.forward.equations if e.tensor.name == "A1"), None)
        formula, gradient = "H1 = A1", ""
        if before is not None:
            after = found.forward.reading(before)[0]
            formula, gradient = equation_text(after), equation_text(found.gradient(before).equation)
        options = ", ".join([*_options(activation.parameters), *learned])
        yield _row(f"`{kind}`", options, f"`{formula}`", f"`{gradient}`" if gradient else "", activation.source)


def _losses() -> Iterator[str]:
    yield _row("Loss", "Options", "y holds", "Formula", "Gradient", "Source")
    yield _row(*["---"] * 6)
    for (kind, targets), loss in LOSSES.items():
        several = sum(other == kind for other, _ in LOSSES) > 1
        options = [*([f'`targets = "{targets}"`'] if several else []), *_options(loss.parameters)]
        formula, gradient = loss.formula, ""
        if len(loss.values) == 1:
            found = _derivation("identity", {"kind": kind, "targets": targets})
            formula = equation_text(found.forward.equations[-1])
            gradient = f"`{equation_text(found.gradient(_named(found.forward, loss.reads)).equation)}`"
        yield _row(f"`{kind}`", ", ".join(options), TARGETS[loss.target], f"`{formula}`", gradient, loss.source)


def _options(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name, p in parameters.items():
        if p.default is None:
            yield f"`{name}`" + (" (a list)" if p.kind == "reals" else "")
        else:
            yield f"`{name} = {str(p.default).lower()}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _derivation(activation: object, loss: str | Mapping[str, object]) -> Derivation:
    """That of the smallest network that holds both."""
    layers = [{"kind": "dense", "units": 4, "activation": activation}, {"kind": "dense", "units": 2}]
    return derive.differentiate(Network(name="operations", inputs=4, layers=layers, loss=loss).program())


def _named(program: Program, name: str) -> Tensor:
    return next(e.tensor for e in program.equations if e.tensor.name == name)
