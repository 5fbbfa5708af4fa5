"""What the page of operations says of one operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill

from chainrule.operation_curves import elementwise
from chainrule.operation_samples import Shown
from derive.formulas.losses import TARGETS, Loss
from derive.formulas.operation import Operation, Parameter
from derive.operation_cost import cost, words
from derive.program import Equation
from derive.text import equation_text

STABILISE = "stabilise: "  # what the names of the rules for stable forms begin with
LINE = 140


def operation_entry(kind: str, operation: Operation, shown: Shown, curve: str = "") -> Iterator[str]:
    """The section of an activation or a layer; `curve` is the path of its drawing."""
    yield from _head(kind, operation.source)
    if curve:
        yield f"![{kind}, solid, and its derivative, dashed]({curve})\n"
    if operation.parameters:
        yield f"- Parameters: {', '.join(options(operation.parameters))}"
    read = {t.name.rstrip("0123456789") for e in shown.forward for t in e.reads}
    learned = [f"`{text}` {_start(start)}" for text, start in operation.learned.items() if text.split("[")[0] in read]
    if learned:
        yield f"- Learned: {', '.join(learned)}"
    if operation.draws:
        yield f"- Drawn in training: {', '.join(f'`{text}`, 1 with probability `{p}`' for text, p in operation.draws.items())}"
    if operation.statistics:
        starts = (f"`{text}`, from {start:g}" for text, start in operation.statistics.items())
        yield f"- Running statistics: {', '.join(starts)}; `predict` reads them in place of those of the batch"
    yield from _computation(shown, _elements(shown))
    yield from _equations(shown)


def loss_entry(name: str, targets: str, several: bool, loss: Loss, shown: Shown) -> Iterator[str]:
    """The section of a loss; `several`: there is one of its kind for other targets too."""
    yield from _head(name, loss.source)
    key = f', `targets = "{targets}"`' if several else ""
    yield f"- Targets{key}: {TARGETS[loss.target]}" + ("" if loss.target_over == "elements" else ", one for each example")
    if loss.parameters:
        yield f"- Options: {', '.join(options(loss.parameters))}"
    if loss.link:
        yield f"- The prediction is the {loss.link} of what the last layer gives"
    if loss.expects:
        yield f"- The last layer's activation should be {' or '.join(f'`{kind}`' for kind in loss.expects)}"
    if loss.normaliser:
        yield f"- `mean` divides by the sum of `{loss.normaliser}`"
    yield from _computation(shown, 1)
    yield from _equations(shown)


def options(parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """`alpha = 1.0`, or the name alone where the spec must give it."""
    for name, p in parameters.items():
        if p.default is None:
            yield f"`{name}`" + (" (a list)" if p.kind in ("reals", "counts") else "")
        else:
            yield f"`{name} = {str(p.default).lower()}`"


def _head(kind: str, source: str) -> Iterator[str]:
    yield f"### {kind}\n\nSource: {source}.\n"


def _start(start: object) -> str:
    return f"from {start:g}" if isinstance(start, int | float) else "at random"


def _elements(shown: Shown) -> int:
    """The number of elements if one entry of the result takes one entry of the value read, else 1."""
    (last, *more) = shown.forward[::-1]
    read = next((t for t in last.reads if t.axes), None)
    return int(shown.values[last.tensor.name].size) if not more and read and elementwise(last, read) else 1


def _computation(shown: Shown, elements: int) -> Iterator[str]:
    """The stable forms and the cost."""
    forward, backward = shown.computed
    rules = [_rules(shown, equations) for equations in (forward, backward)]
    found = [f"{way} {', '.join(names)}" for way, names in zip(("forward", "backward"), rules, strict=True) if names]
    yield f"- Stable form: {'; '.join(found) or 'as it stands'}"
    counts = [words(cost(equations, shown.values, shown.extents), elements) for equations in (forward, backward)]
    yield f"- Cost{' an element' if elements > 1 else ''}: forward {counts[0]}; backward {counts[1]}"


def _rules(shown: Shown, equations: Sequence[Equation]) -> list[str]:
    tensors = {e.tensor for e in equations}
    steps = [s for d in shown.derivation.stable if d.equation.tensor in tensors for s in d.steps]
    return list(dict.fromkeys(s.rule.removeprefix(STABILISE) for s in steps if s.rule.startswith(STABILISE)))


def _equations(shown: Shown) -> Iterator[str]:
    yield "\n```text"
    yield from map(_folded, shown.forward)
    yield ""
    yield from (_folded(d.equation) for d in shown.backward)
    yield "```\n"


def _folded(equation: Equation) -> str:
    return fill(equation_text(equation), LINE, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
