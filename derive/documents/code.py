"""Where the code computes each equation of a document, and which checks prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from derive.derivation import Derivation
from derive.documents.document import Block, Code, Document, Formula, Items, Link, Paragraph, Ref, Section, Table, Text
from derive.index import Tensor
from derive.program import Equation
from derive.proof.planned import planned
from derive.proof.verdict import Verdict

CHECKS: Mapping[str, str] = {
    "steps": "every rewriting alone, both sides at random points",
    "chain": "the steps lead from the chain rule, or from the mathematical equation, to the result, without a gap",
    "chain rule": "the result is the whole sum of the chain rule",
    "computed value": "what the code computes is what the mathematical equation says",
    "whole network": "the gradient is what the forward pass gives when it is run on dual numbers",
}
PRODUCTS = "the gradient, or the product, is what the forward pass gives when it is run on dual numbers"


@dataclass(frozen=True)
class Module:
    """A generated module as a document refers to it.

    name: of the file. url: how a link leads there from the document. lines: the line that computes an equation, by its number.
    """

    name: str
    url: str
    lines: Mapping[str, int]

    def link(self, number: str) -> Link:
        return Link(f"line {self.lines[number]}", f"{self.url}#L{self.lines[number]}")


def with_code(document: Document, derivation: Derivation, module: Module | None, verdicts: Sequence[Verdict] = ()) -> Document:
    """The document with a link from each numbered formula to its line, and a last section that lists lines and checks."""
    places = {} if module is None else dict(_places(derivation, module))
    sections = tuple(replace(s, blocks=tuple(_placed(b, places) for b in s.blocks)) for s in document.sections)
    return replace(document, sections=(*sections, _section(derivation, module, places, verdicts)))


def _placed(block: Block, places: Mapping[str, Text]) -> Block:
    return replace(block, code=places[block.number]) if isinstance(block, Formula) and places.get(block.number) else block


def _places(derivation: Derivation, module: Module) -> Iterator[tuple[str, Text]]:
    """Where each equation is computed: at a line; by the equation in stable form; or nowhere, where no result needs it."""
    stable = {d.equation.tensor: d.equation.number for d in derivation.stable}
    for equation in (*derivation.equations, *(d.equation for d in derivation.stable)):
        if equation.number in module.lines:
            yield equation.number, (module.link(equation.number),)
        elif equation.tensor in stable and stable[equation.tensor] != equation.number:
            yield equation.number, ("as ", Ref(stable[equation.tensor]))
        else:
            yield equation.number, ()


# -- the list ----------------------------------------------------------------------------------------------------------


def _section(derivation: Derivation, module: Module | None, places: Mapping[str, Text], verdicts: Sequence[Verdict]) -> Section:
    checks = _results(verdicts) if verdicts else _planned(derivation)
    equations = (*derivation.equations, *(d.equation for d in derivation.stable))
    header: list[Text] = [("Equation",), ("In the code",), ("Checks",)]
    stable = {d.equation.tensor: d.equation.number for d in derivation.stable}
    rows: list[list[Text]] = []
    for equation in sorted(equations, key=lambda e: _order(e.number)):
        row: list[Text] = [(Ref(equation.number),), (Code(equation.tensor.name),), _checks(equation, checks, stable)]
        if module is not None:
            row.insert(2, places[equation.number] or ("not needed",))
        rows.append(row)
    if module is not None:
        header.insert(2, ("Line",))
    blocks = (
        *map(Paragraph, _words(module, verdicts)),
        Items(tuple((f"{name}: {meaning}",) for name, meaning in _explained(derivation).items())),
        Table(tuple(header), tuple(map(tuple, rows)), len(header) - 1),
    )
    return Section(("Code and proof",), blocks)


def _explained(derivation: Derivation) -> Mapping[str, str]:
    return {**CHECKS, "whole network": PRODUCTS} if derivation.products else CHECKS


def _checks(equation: Equation, checks: Mapping[str, str], stable: Mapping[Tensor, str]) -> Text:
    """The checks of an equation; of a definition that is computed in another form, where these are."""
    found = checks.get(equation.number, "")
    other = stable.get(equation.tensor, equation.number)
    return (found,) if found or other == equation.number else ("a definition; checked as ", Ref(other))


def _words(module: Module | None, verdicts: Sequence[Verdict]) -> Iterator[Text]:
    if module is not None:
        yield (
            "The module ",
            Link(module.name, module.url),
            " carries the number of an equation above the lines that compute it. The lines below are those of the kernel that computes "
            "loss and gradients, or of the first kernel that needs the equation. What was only a step to another equation is not needed.",
        )
    words = "The checks do not use the engine that derived the equations. "
    if verdicts:
        failed = sum(not v.holds for v in verdicts)
        words += f"Of {len(verdicts)} checks, {failed} failed. " if failed else f"All {len(verdicts)} checks hold. "
    yield (words, Code("chainrule prove SPEC --equation 1"), " runs those of equation (1), and without a number, all of them:")


def _planned(derivation: Derivation) -> Mapping[str, str]:
    """The checks of each equation by name: 3 steps, chain, chain rule."""
    found: dict[str, dict[str, int]] = {}
    for check in planned(derivation):
        names = found.setdefault(check.number, {})
        name = "steps" if check.step else check.rule
        names[name] = names.get(name, 0) + 1
    return {number: _counted(names) for number, names in found.items()}


def _results(verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """The checks of each equation by what came of them and by which method: finite field: 3 steps, chain rule; inspection: chain."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for verdict in verdicts:
        how = verdict.method if verdict.holds else f"FAILED, {verdict.method}"
        names = found.setdefault(verdict.number, {}).setdefault(how, {})
        name = "steps" if verdict.step else verdict.rule
        names[name] = names.get(name, 0) + 1
    return {number: "; ".join(f"{how}: {_counted(names)}" for how, names in by.items()) for number, by in found.items()}


def _counted(names: Mapping[str, int]) -> str:
    """3 steps, chain, chain rule: in the order in which they are explained."""
    ordered = [name for name in CHECKS if name in names] + [name for name in names if name not in CHECKS]
    return ", ".join(f"{names[n]} step{'s' if names[n] > 1 else ''}" if n == "steps" else n for n in ordered)


def _order(number: str) -> tuple[int, str]:
    """(4) before (4a) before (5)."""
    found = re.fullmatch(r"(\d+)(.*)", number)
    return (int(found[1]), found[2]) if found else (0, number)
