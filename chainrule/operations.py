"""The page of all activations, layers and losses: formulas from their tables, all the rest as the engine derives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill

from chainrule.operation_curves import curve, elementwise, svg
from chainrule.operation_entries import LINE, loss_entry, operation_entry, options
from chainrule.operation_samples import EXAMPLES, EXTENT, STAND_IN, Shown, shown_layer, shown_loss
from derive.formulas.activations import ACTIVATIONS
from derive.formulas.layers import LAYERS
from derive.formulas.losses import LOSSES, PENALTIES
from derive.formulas.operation import Operation

PAGE, CURVES = Path("docs/operations.md"), Path("docs/curves")

HEAD = f"""\
# Activations, layers and losses

`chainrule check --fix` writes this page from `derive/formulas/` and from what the engine derives. [spec.md](spec.md) says how a spec
names them, [add-an-operation.md](add-an-operation.md) how another one is added.

Every operation stands here in a network as small as possible. It reads H1, and H2 and H3 where it reads several values; its result is
the H that comes next, and its learned tensors have the same number. dT is the gradient of the loss with respect to T. n runs over
examples, all other letters over features, channels or positions, from 0; a letter such as N, H or N_t in a formula is the number of
positions of an axis. `where(condition, a, b)` is a where the condition holds, b elsewhere; `[a = b]` is 1 where it holds, 0 elsewhere.

A stable form is what code computes in place of a formula that overflows or loses digits; the rules are those of
[design.md](design.md). The cost counts the arithmetic of the equations that code computes: subtractions as additions, divisions as
multiplications, of several branches the dearest, and every product only where its indicators are 1. It is that of one element where
the operation works element by element, else that of the whole network of this page: {EXAMPLES} examples, {EXTENT} features, channels
or pixels along an axis that the formula names, {STAND_IN} for each number that a spec must give.
"""


def files() -> dict[Path, str]:
    """The page in Markdown and the drawings that it shows, by their paths. The same tables give the same bytes."""
    drawings: dict[Path, str] = {}
    parts = [HEAD]
    parts += _section("Activations", {kind: _activation(kind, operation, drawings) for kind, operation in ACTIVATIONS.items()})
    parts += _section("Layers", {kind: list(operation_entry(kind, o, shown_layer(kind, o))) for kind, o in LAYERS.items()})
    parts += _section("Losses", dict(_losses()))
    parts += ["## Penalties\n", *_penalties(), ""]
    return {PAGE: "\n".join(parts), **drawings}


def _section(title: str, entries: Mapping[str, list[str]]) -> Iterator[str]:
    links = ", ".join(f"[{name}](#{name.replace(', ', '-')})" for name in entries)
    yield f"## {title}\n\n{fill(links, LINE, break_long_words=False, break_on_hyphens=False)}\n"
    for entry in entries.values():
        yield from entry


def _activation(kind: str, operation: Operation, drawings: dict[Path, str]) -> list[str]:
    """Its section; the drawing of one that works element by element joins the drawings."""
    shown = shown_layer(kind, operation)
    drawing = _drawing(kind, operation, shown)
    path = CURVES / f"{kind}.svg"
    if drawing:
        drawings[path] = drawing
    return list(operation_entry(kind, operation, shown, path.relative_to(PAGE.parent).as_posix() if drawing else ""))


def _drawing(kind: str, operation: Operation, shown: Shown) -> str:
    """The curve of the only equation; none where there are more, or where an entry takes other entries."""
    derived = next(d for d in shown.backward if d.of and d.of.name == "H1")
    last = shown.forward[-1]
    if last != shown.forward[0] or derived.of is None or not elementwise(last, derived.of):
        return ""
    starts = {t.name: start for t in last.reads for name, start in operation.learned.items() if t.name.startswith(name)}
    return svg(curve(kind, last, derived, {name: float(start) for name, start in starts.items()}))


def _losses() -> Iterator[tuple[str, list[str]]]:
    for (kind, targets), loss in LOSSES.items():
        forms = [other for other, _ in LOSSES if other == kind]
        name = f"{kind}, {targets}" if len(forms) > 1 else kind
        yield name, list(loss_entry(name, targets, len(forms) > 1, loss, shown_loss(kind, targets, loss)))


def _penalties() -> Iterator[str]:
    yield "Added to the loss for every entry w of the parameters that a spec names.\n"
    yield "| Penalty | Options | Formula | Source |\n| --- | --- | --- | --- |"
    for kind, penalty in PENALTIES.items():
        yield f"| `{kind}` | {', '.join(options(penalty.parameters))} | `{penalty.formula}` | {penalty.source} |"
