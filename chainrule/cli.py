"""The command line. Results go to stdout, progress and messages to stderr.

Exit codes: 0 right, 1 the check failed, 2 the input was wrong (usage, spec, file, data).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import derive
from chainrule import options, tables
from chainrule.check import check, repair
from chainrule.commands import Proof, Request, agree, document, explain, format_of, generate, prove
from chainrule.console import err, fail, out, print_record, print_text, visible
from chainrule.data import DATA_SETS, DType
from chainrule.data import Name as DataName
from chainrule.numbers import Mismatch
from chainrule.progress import shown
from chainrule.specs import InputError, file_of, network_of
from chainrule.training import Settings, train
from chainrule.verify import verify
from chainrule.worksheet import Wanted
from codegen import ModuleError
from codegen.explain import text
from derive import Network, SpecError
from derive.documents.numbers import Sheet

FAILED, WRONG_INPUT = 1, 2

app = typer.Typer(
    name="chainrule",
    help="From one network spec: the derivation of its gradients, every step proved, and a Numba module that computes them.",
    epilog="Exit codes: 0 right, 1 the check failed, 2 the input was wrong.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def common(version: options.Version = False) -> None:
    del version  # its callback has ended the program


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except typer.TyperException as error:
        fail(f"{error.format_message().rstrip('.')}; see chainrule --help, or --help after a command", WRONG_INPUT)
    except SpecError as error:
        fail(str(error), WRONG_INPUT, error.problems)
    except (InputError, ModuleError) as error:
        fail(str(error), WRONG_INPUT)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else error.strerror or str(error), WRONG_INPUT)
    except Mismatch as error:
        fail(str(error), FAILED)


def _network(spec: str) -> Network:
    """The network of a spec, after hints at what is probably not meant."""
    network = network_of(spec)
    for hint in network.hints:
        err.print(f"hint: {visible(hint)}", style="yellow")
    return network


@app.command("schema", epilog="Example: chainrule schema > network.schema.json")
def schema_command(as_json: options.Json = False) -> None:
    """Print the JSON Schema of spec files, for editors."""
    del as_json  # the schema is JSON in any case
    print_record(derive.json_schema())


@app.command("prove", epilog="Example: chainrule prove two_layer_softmax")
def prove_command(
    spec: options.Spec,
    convention: options.Written = None,
    examples: options.Of = "batch",
    equation: Annotated[str | None, typer.Option(metavar="NUMBER", help="Check this equation alone; its number in the document.")] = None,
    conventions: Annotated[
        bool, typer.Option("--conventions", help="Compare the equations of the convention with those of the two others instead.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Prove every step of a derivation: one line a step.

    Further lines check each chain of steps, each gradient and the whole network. With --conventions: that every equation says of each
    entry what it says in rows, columns and xw, where gradients are transposed as what they belong to is.
    """
    network, number = _network(spec), equation and equation.strip("()")
    with shown(err) as report:
        if conventions:
            proof = Proof(network.name, agree(network, convention, examples, report, number).verdicts)
        else:
            proof = prove(network, convention, examples, report, number)
    print_record(proof.record()) if as_json else tables.proof(out, proof)
    _exit(proof.holds)


@app.command("derive", epilog="Example: chainrule derive worked_example --examples single -o worked_example.pdf")
def derive_command(
    spec: options.Spec,
    form: options.Form = None,
    convention: options.Written = None,
    examples: options.Of = "batch",
    module: options.ModuleFile = None,
    proved: options.Proved = False,
    detail: options.Shown = None,
    notation: options.Notation = "named",
    conventions: options.Beside = False,
    numbers: options.Numbers = None,
    learning_rate: options.Rate = None,
    decimals: options.Decimals = None,
    exercise: options.Exercise = False,
    solution: options.Solution = False,
    seed: Annotated[int | None, typer.Option(min=0, help="The seed of the exercise's numbers; by default 0.")] = None,
    output: options.Output = None,
    as_json: options.Json = False,
) -> None:
    """Write up the derivation of the gradients: its steps, its numbers, or an exercise.

    A PDF is made by latexmk or pdflatex, which must be installed.
    """
    file = file_of(output, spec)
    wanted = None
    if exercise and solution:
        raise InputError("--exercise and --solution are two documents: right would be one of them, then the other, with the same --seed")
    if seed is not None and not (exercise or solution):
        raise InputError("--seed belongs to an exercise: right would be --exercise or --solution with it, or --numbers seed=0")
    if numbers is not None or exercise or solution:
        sheet: Sheet = "solution" if solution else "exercise" if exercise else "numbers"
        wanted = Wanted(sheet, numbers, seed or 0, learning_rate, decimals)
    elif learning_rate is not None or decimals is not None:
        raise InputError("--learning-rate and --decimals belong to numbers: right would be --numbers, --exercise or --solution with them")
    shown_detail = detail or ("summary" if solution else "steps")
    request = Request(format_of(file, form), convention, examples, shown_detail, wanted, module, proved, notation, conventions)
    network = _network(spec)
    with shown(err) as report:
        made = document(network, request, file, report)
    print_text(made, as_json)


@app.command("generate", epilog="Example: chainrule generate digits -o digits.py")
def generate_command(
    spec: options.Spec,
    output: options.Output = None,
    explained: Annotated[
        bool, typer.Option("--explain", help="Print how every equation is computed, and why so; the module goes into FILE alone.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Render the Python module of a network.

    It computes the network, its loss and its gradients, and trains it; it needs NumPy and Numba only.
    """
    file, network = file_of(output, spec), _network(spec)
    if explained:
        _explain(network, file, as_json)
        return
    with shown(err) as report:
        made = generate(network, file, report)
    print_text(made, as_json)


def _explain(network: Network, file: Path | None, as_json: bool) -> None:
    with shown(err) as report:
        made = explain(network, file, report)
    if as_json:
        print_record(made.record())
        return
    sys.stdout.write(text(made.kernels))
    if file is not None:
        err.print(f"wrote {file}")


@app.command("check", epilog="Example: chainrule check --fix")
def check_command(
    fix: Annotated[bool, typer.Option("--fix", help="Write the files that are stale or missing.")] = False,
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder that holds networks/, generated/ and docs/.")] = Path(),
    processes: Annotated[int, typer.Option(min=1, help="Networks rendered at the same time.")] = 2,
    as_json: options.Json = False,
) -> None:
    """Check that the committed files are what the specs give.

    Renders the modules and the documents of all specs in networks/ again, in memory, and compares.
    """
    with shown(err) as report:
        found = check(root, processes, report)
    if fix:
        found = repair(root, found)
    print_record(found.record()) if as_json else tables.check(out, found)
    _exit(found.holds)


@app.command("verify", epilog="Example: chainrule verify digits --examples 16")
def verify_command(
    spec: options.Spec,
    examples: Annotated[int, typer.Option(min=1, help="The number of random examples.")] = 7,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Verify the gradients of a network's module.

    A row for each parameter: the worst difference from finite differences, the order of the Taylor remainder (2 for a right
    gradient, 1 for a wrong one), and the difference from the plain evaluation of the equations. Units at a kink are named. Then the
    formulas that lose accuracy, each with the input at which it is worst; one that is off by more than 1e-8 fails.
    """
    network = _network(spec)
    with shown(err) as report:
        verified = verify(network, examples, seed, report)
    print_record(verified.record()) if as_json else tables.verification(out, verified)
    _exit(verified.holds)


@app.command("train", epilog="Example: chainrule train digits --data digits --epochs 30")
def train_command(
    spec: options.Spec,
    data: Annotated[DataName, typer.Option(help="The data set; a third of it is held out.")],
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the examples.")] = Settings.epochs,
    batch_size: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Examples in one step.")] = Settings.batch_size,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="The step's length, relative to the gradient.")] = Settings.learning_rate,
    seed: options.Seed = Settings.seed,
    dtype: Annotated[DType, typer.Option(help="The type of the numbers.")] = Settings.dtype,
    as_json: options.Json = False,
) -> None:
    """Train a network's module on a data set.

    Prints the accuracy on the examples that were held out.
    """
    network = _network(spec)
    with shown(err) as report:
        trained = train(network, DATA_SETS[data](dtype), Settings(epochs, batch_size, learning_rate, seed, dtype), report)
    print_record(trained.record()) if as_json else tables.training(out, trained)
    _exit(trained.finite)


def _exit(holds: bool) -> None:
    if not holds:
        raise typer.Exit(FAILED)
