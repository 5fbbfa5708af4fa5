"""Results as a person reads them."""

from __future__ import annotations

import math

from rich import box
from rich.console import Console
from rich.table import Table

from chainrule.accuracy import DIGITS, INPUTS, Loss
from chainrule.check import Check
from chainrule.commands import Proof
from chainrule.kinks import listed
from chainrule.training import Training
from chainrule.verify import Row, Verification


def proof(out: Console, result: Proof) -> None:
    """One line a step, and a last line with the count."""
    for v in result.verdicts:
        mark = "holds" if v.holds else "FAILS"
        detail = f"  {v.detail}" if v.detail else ""
        out.print(f"{f'({v.number})':>6}  {v.about:<14} {v.rule:<34} {v.method:<16} {mark}{detail}".rstrip())
    failed = sum(not v.holds for v in result.verdicts)
    out.print(f"{result.network}: {len(result.verdicts)} checks, " + (f"{failed} FAIL" if failed else "all hold"))


def check(out: Console, result: Check) -> None:
    """Every file that is not as it should be, and the commands that repair it."""
    for finding in result.findings:
        state = "repaired" if finding.file in result.written else finding.state
        out.print(f"{state}: {finding.file}")
        for line in finding.diff:
            out.print(f"    {line}")
    if result.holds:
        out.print(f"{result.files} files are as the specs give them")
    for command in result.commands:
        out.print(f"repair with: {command}")


def verification(out: Console, result: Verification) -> None:
    """A row for each parameter, and a line that says whether all is well."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("parameter", "entries", "differences", "order", "evaluation", "verdict"):
        table.add_column(heading, no_wrap=True)
    for row in result.rows:
        table.add_row(*_cells(row))
    out.print(table)
    for row in result.rows:
        if row.kinks:
            out.print(f"{row.parameter}: near a kink, where no difference is taken: {listed(row.kinks)}")
    out.print(f"{result.network}: {result.examples} random examples, seed {result.seed}. Relative to the largest entry of the gradient:")
    out.print("differences: worst, from central finite differences; evaluation: worst, from the plain evaluation of the equations")
    out.print(f"order: of the Taylor remainder, 2 for a right gradient; the loss is within {result.loss:.1e} of its plain evaluation,")
    out.print(f"the prediction within {result.prediction:.1e}")
    out.print(f"accuracy: {result.accuracy.equations} formulas at inputs from {INPUTS[0]:g} to {INPUTS[-1]:g}, against {DIGITS} digits")
    for loss in result.accuracy.losses:
        out.print(_loss(loss))
    for row in result.products:
        near = f"; near a kink, where no difference is taken: {listed(row.kinks)}" if row.kinks else ""
        out.print(f"{row.product}: differences {row.difference:.1e}, evaluation {row.naive:.1e}, relative to its largest entry{near}")
    named = [(row.parameter, row.holds) for row in result.rows] + [(row.product, row.holds) for row in result.products]
    failed = [name for name, holds in (*named, ("L", result.loss_holds)) if not holds]
    failed += [] if result.prediction_holds else ["the prediction"]
    failed += [f"({loss.number}) {loss.tensor}" for loss in result.accuracy.losses if loss.fails]
    out.print(f"FAILS: {', '.join(failed)}" if failed else "all hold")


def training(out: Console, result: Training) -> None:
    """The accuracy that was reached."""
    out.print(f"{result.network} on {result.data}: {result.examples} examples, {len(result.losses)} epochs in {result.seconds:.2g} s")
    if result.finite:
        out.print(f"accuracy {result.accuracy:.1%} on the {result.held_out} examples held out (loss {result.losses[-1]:.4f} in training)")
    else:
        out.print(f"the loss is {result.losses[-1]} after {len(result.losses)} epochs: try a smaller --learning-rate")


def _loss(loss: Loss) -> str:
    """Where an equation is worst, and how far it is off."""
    off = f"relative error {loss.error:.1e}" if math.isfinite(loss.error) else "no digit is right"
    verdict = "FAILS" if loss.fails else "a small number that loses digits"
    where = f"({loss.number}) {loss.tensor} where {loss.swept} is {loss.input:g}"
    return f"{where}: {loss.value:.8g}, truly {loss.true:.8g}: {off}; {verdict}"


def _cells(row: Row) -> tuple[str, ...]:
    """What does not hold is marked by an exclamation mark."""
    entries = str(row.entries) if row.probes == row.entries else f"{row.probes} of {row.entries}"
    order = "linear" if row.order is None else f"{row.order:.3f}"
    found = (
        (f"{row.difference:.1e}", row.difference_holds),
        (order, row.order_holds),
        (f"{row.naive:.1e}", row.naive_holds),
    )
    return (row.parameter, entries, *(text if holds else f"{text} !" for text, holds in found), "holds" if row.holds else "FAILS")
