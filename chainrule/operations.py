"""The page of all activations and losses: formulas from their tables, gradients as the engine derives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import derive
from derive import Network
from derive.choices import needed
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.losses import LOSSES, PENALTIES, TARGETS
from derive.formulas.operation import Parameter
from derive.program import Derivation
from derive.text import equation_text

HEAD = """\
# Activations and losses

`chainrule check --fix` writes this page from `derive/formulas/` and from what the engine derives. A is what an activation reads, H
what it gives, y or Y the targets, dT the gradient of the loss with respect to T; n runs over the examples, j and c over features.
`where(condition, a, b)` is a where the condition holds, b elsewhere; `[a = b]` is 1 where it holds, 0 elsewhere. [spec.md](spec.md)
says how a spec names them.
"""

PENALTY_HEAD = """\
## Penalties

A penalty is a number R that is added to the loss: the sum of the formula over the entries w of the parameters that it is put on.
"""

STAND_IN = 2  # for a number that a spec must give


def page() -> str:
    """The page in Markdown. The same tables give the same bytes."""
    return "\n".join([HEAD, "## Activations", "", *_activations(), "", "## Losses", "", *_losses(), "", PENALTY_HEAD, *_penalties(), ""])


def _activations() -> Iterator[str]:
    yield _row("Activation", "Parameters", "Formula", "Gradient", "Source")
    yield _row(*["---"] * 5)
    for kind, activation in ACTIVATIONS.items():
        learned = [f"`{name}` learned, from {start}" for name, start in activation.learned.items()]
        found = _of_activation({"kind": kind, **dict.fromkeys(needed(activation.parameters), STAND_IN)})
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
        found = _of_loss({"kind": kind, "targets": targets}, len(loss.values))
        formulas = [equation_text(e) for e in found.forward.equations if e.note.startswith(("part of the loss", "loss"))]
        read = [t.name for e in found.forward.equations[: len(loss.values)] for t in (e.tensor,)]
        gradients = [equation_text(d.equation) for d in found.backward if d.of is not None and d.of.name in read]
        yield _row(f"`{kind}`", ", ".join(options), TARGETS[loss.target], _lines(formulas), _lines(gradients), loss.source)


def _penalties() -> Iterator[str]:
    yield _row("Penalty", "Options", "Formula", "Source")
    yield _row(*["---"] * 4)
    for kind, penalty in PENALTIES.items():
        yield _row(f"`{kind}`", ", ".join(_options(penalty.parameters)), f"`{penalty.formula}`", penalty.source)


def _of_loss(loss: Mapping[str, object], values: int) -> Derivation:
    """That of the smallest network with the loss: a dense layer for each value that it reads."""
    layers = [{"kind": "dense", "units": 2, "name": f"value_{k}", "inputs": ["input"]} for k in range(values)]
    read = {"inputs": [layer["name"] for layer in layers]} if values > 1 else {}
    return derive.differentiate(Network(name="operations", inputs=4, layers=layers, loss={**loss, **read}).program())


def _lines(texts: Iterable[str]) -> str:
    return "<br>".join(f"`{text}`" for text in texts)


def _options(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name, p in parameters.items():
        if p.default is None:
            yield f"`{name}`" + (" (a list)" if p.kind == "reals" else "")
        else:
            yield f"`{name} = {str(p.default).lower()}`"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _of_activation(activation: object) -> Derivation:
    """That of the smallest network with the activation."""
    layers = [{"kind": "dense", "units": 4, "activation": activation}, {"kind": "dense", "units": 2}]
    return derive.differentiate(Network(name="operations", inputs=4, layers=layers, loss="mean_squared_error").program())
