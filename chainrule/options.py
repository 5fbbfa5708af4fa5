"""The arguments and options that several commands have, and those of `chainrule derive`."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from chainrule.commands import FileFormat
from chainrule.specs import shipped
from derive.build import Examples
from derive.documents import Detail, Gradients
from derive.network import Convention


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chainrule {metadata.version('chainrule')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")]
Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC", help=f"The path of a spec file (- for stdin), or the name of a shipped network: {', '.join(shipped())}."
    ),
]
Written = Annotated[Convention | None, typer.Option(help="The convention of the notation; the spec's own by default.")]
Of = Annotated[Examples, typer.Option(help="A batch of examples, or a single one.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write into this file; - is stdout, as without it.")]
Seed = Annotated[int, typer.Option(min=0, help="The seed of everything random.")]

# Of `chainrule derive`
Form = Annotated[
    FileFormat | None,
    typer.Option("--format", help="The format; by default by FILE's ending, .md, .tex, .html or .pdf, else markdown."),
]
ModuleFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The generated module: each equation links to the line that computes it.")
]
Proved = Annotated[bool, typer.Option("--prove", help="Run the proof and state what came of it.")]
Shown = Annotated[
    Detail | None, typer.Option(help="How much is shown: the results on a page, or every step; steps by default, not for a solution.")
]
Notation = Annotated[
    Gradients, typer.Option(help="A gradient is introduced as dL/dW and named G_W from then on, or is dL/dW wherever it stands.")
]
Beside = Annotated[bool, typer.Option("--conventions", help="Set the other conventions beside this one, and prove that they agree.")]
Numbers = Annotated[
    str | None, typer.Option(metavar="SOURCE", help="Put numbers beside the formulas: FILE.toml, FILE.npz, or seed=0,examples=2.")
]
Rate = Annotated[float | None, typer.Option(help="Of the step that is taken in numbers; by default the file's, or 0.1.")]
Decimals = Annotated[int | None, typer.Option(min=1, max=12, help="Of every number; by default as many as it takes, from 4 on.")]
Exercise = Annotated[bool, typer.Option("--exercise", help="An exercise: friendly numbers, and blanks in place of the results.")]
Solution = Annotated[bool, typer.Option("--solution", help="The solution of the exercise of the same seed.")]
