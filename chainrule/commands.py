"""What `prove`, `derive` and `generate` do: each takes a network and returns an immutable result."""

from __future__ import annotations

import keyword
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

import codegen
import derive
from chainrule.files import write_atomic
from chainrule.pdf import pdf
from chainrule.progress import Report, silent
from chainrule.specs import InputError
from chainrule.worksheet import Wanted, worksheet
from codegen.explain import KernelPlan
from derive import Agreement, Network
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents import Detail, Format, Gradients, Module
from derive.names import OTHER_MODULES
from derive.network import Convention
from derive.proof import Verdict

FileFormat = Literal["markdown", "latex", "html", "pdf"]

FORMATS: Mapping[str, FileFormat] = {".md": "markdown", ".tex": "latex", ".html": "html", ".pdf": "pdf"}


@dataclass(frozen=True)
class Proof:
    """The verdicts on every step of a network's derivation."""

    network: str
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)

    def record(self) -> dict[str, object]:
        return {"network": self.network, "holds": self.holds, "steps": [asdict(verdict) for verdict in self.verdicts]}


@dataclass(frozen=True)
class Text:
    """A text or a PDF that was made for a network, and the file that holds it; a text may be without one."""

    network: str
    what: str
    text: str | bytes
    file: Path | None

    def record(self) -> dict[str, object]:
        place: dict[str, object] = {"text": self.text} if self.file is None else {"file": str(self.file)}
        return {"network": self.network, "what": self.what, **place}


def prove(
    network: Network, convention: Convention | None, examples: Examples, report: Report = silent, equation: str | None = None
) -> Proof:
    """Check every step of the network's derivation, in its own convention unless another is asked for, or one equation alone.

    Raises InputError for the number of an equation that there is not.
    """
    report(f"deriving {network.name}")
    derivation = derive.differentiate(network.program(convention, examples))
    known = [e.number for e in (*derivation.equations, *(d.equation for d in derivation.stable))]
    if equation is not None and equation not in known:
        raise InputError(f"{network.name} has no equation {equation}: right would be one of {', '.join(known)}")
    verdicts: list[Verdict] = []
    for verdict in derive.prove(derivation, equation=equation):
        verdicts.append(verdict)
        report(f"proving {network.name}: {len(verdicts)} checks, now ({verdict.number}) {verdict.rule}")
    return Proof(network.name, tuple(verdicts))


def agree(
    network: Network, convention: Convention | None, examples: Examples, report: Report = silent, equation: str | None = None
) -> Agreement:
    """Derive the network in every convention, and compare the equations of its own, or of another that is asked for, with the others'.

    Raises InputError for the number of an equation that there is not.
    """
    own = convention or network.convention
    derivations: dict[str, Derivation] = {}
    for name in (own, *(c for c in get_args(Convention) if c != own)):
        report(f"deriving {network.name} in {name}")
        derivations[name] = derive.differentiate(network.program(name, examples))
    known = [e.number for e in derivations[own].equations]
    if equation is not None and equation not in known:
        raise InputError(f"{network.name} has no equation {equation} to compare: right would be one of {', '.join(known)}")
    report(f"comparing the conventions of {network.name}")
    return Agreement(derivations, tuple(derive.prove_conventions(derivations, equation=equation)))


@dataclass(frozen=True)
class Request:
    """What a document is to be: its format, its convention, how much it shows, the numbers beside its formulas, the module that it links
    to, whether the proof is run for it, how gradients are written, whether the other conventions are set beside."""

    form: FileFormat = "markdown"
    convention: Convention | None = None
    examples: Examples = "batch"
    detail: Detail = "steps"
    numbers: Wanted | None = None
    module: Path | None = None
    proved: bool = False
    notation: Gradients = "named"
    conventions: bool = False


def document(network: Network, request: Request, output: Path | None, report: Report = silent) -> Text:
    """Write up the network's derivation, into a file where one is named.

    Raises InputError for a PDF without a file, for a module that is not the network's as it stands, and where TeX cannot make the PDF;
    InputError and Mismatch where the numbers are wrong (`worksheet`); OSError when the file cannot be written.
    """
    if request.form == "pdf" and output is None:
        raise InputError("a PDF goes into a file: right would be -o and a name that ends in .pdf")
    sheet = request.numbers is not None and request.numbers.sheet != "numbers"
    if sheet and (request.module is not None or request.proved or request.conventions):
        raise InputError("--module, --prove and --conventions do not belong on an exercise: leave them out, or --exercise and --solution")
    report(f"deriving {network.name}")
    written = network.model_copy(update={"convention": request.convention or network.convention})
    if request.numbers is not None:
        sheet = worksheet(written, request.examples, request.numbers, report)
        written, derivation, numbers = sheet.network, sheet.derivation, sheet.numbers
    else:
        derivation, numbers = derive.differentiate(written.program(examples=request.examples)), None
    module = None if request.module is None else _module(network, request, output)
    verdicts = prove(network, request.convention, request.examples, report).verdicts if request.proved else ()
    agreement = agree(network, request.convention, request.examples, report) if request.conventions else None
    report(f"writing up {network.name}")
    form: Format = "latex" if request.form == "pdf" else request.form
    text = derive.document(derivation, written, form, request.detail, numbers, module, verdicts, request.notation, agreement)
    if request.form == "pdf":
        report(f"setting {network.name} in TeX")
    return put(Text(network.name, request.form, pdf(text) if request.form == "pdf" else text, output))


def _module(network: Network, request: Request, output: Path | None) -> Module:
    """The module that a document links to: the file must hold what the spec gives, or its lines would be wrong."""
    path = request.module or Path()
    if (request.convention or network.convention) != network.convention or request.examples != "batch":
        raise InputError("the module computes a batch in the spec's own convention: leave --module out, or --convention and --examples")
    text = codegen.render(derive.differentiate(network.program()), network)
    if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
        raise InputError(f"{path} is not the module of this network as it is: write it with chainrule generate SPEC -o {path}")
    folder = output.parent if output is not None else Path()
    return linked(text, Path(os.path.relpath(path.resolve(), folder.resolve())))


def linked(text: str, path: Path) -> Module:
    """A module's text for the links of a document; `path` leads from the document's folder to the module."""
    return Module(path.name, quote(path.as_posix()), codegen.places(text))


def generate(network: Network, output: Path | None, report: Report = silent) -> Text:
    """Render the network's module, into a file where one is named.

    Raises InputError for a file that Python could not import under its name, OSError when the file cannot be written.
    """
    if output is not None:
        check_module_name(output)
    report(f"deriving {network.name}")
    derivation: Derivation = derive.differentiate(network.program())
    report(f"rendering {network.name}")
    return put(Text(network.name, "module", codegen.render(derivation, network), output))


@dataclass(frozen=True)
class Explained:
    """What the kernels of a network's module do and why, and the file that holds the module, if one was asked for."""

    network: str
    kernels: tuple[KernelPlan, ...]
    file: Path | None

    def record(self) -> dict[str, object]:
        place = {} if self.file is None else {"file": str(self.file)}
        return {"network": self.network, "what": "explanation", **place, "kernels": [asdict(kernel) for kernel in self.kernels]}


def explain(network: Network, output: Path | None, report: Report = silent) -> Explained:
    """Explain how the network's module computes every equation; the module itself goes into a file where one is named.

    Raises as `generate` does.
    """
    if output is not None:
        generate(network, output, report)
    report(f"explaining {network.name}")
    return Explained(network.name, codegen.explanation(derive.differentiate(network.program()), network), output)


def format_of(file: Path | None, form: FileFormat | None = None) -> FileFormat:
    """The language that is asked for, else that of the file's ending; Markdown for stdout.

    Raises InputError for an ending that stands for another language, or for none where none is asked for.
    """
    if file is None:
        return form or "markdown"
    if form is not None and FORMATS.get(file.suffix, form) != form:
        raise InputError(f"{file} would hold {form}: right would be a name that ends otherwise, or no --format")
    if form is not None:
        return form
    if file.suffix not in FORMATS:
        raise InputError(f"cannot tell the language of {file}: right would be a name that ends in {', '.join(FORMATS)}, or --format")
    return FORMATS[file.suffix]


def check_module_name(path: Path) -> None:
    """Raise InputError unless Python can import the file under its name, and no other module is hidden by it."""
    name = path.stem
    if path.suffix != ".py":
        raise InputError(f"cannot write the module to {path}: right would be a name that ends in .py")
    if not (name.isascii() and name.isidentifier()) or name.startswith("_") or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise InputError(
            f"cannot write the module to {path}: {name!r} is no name for a Python module; right would be letters, digits and _"
        )
    if name in sys.stdlib_module_names or name in OTHER_MODULES:
        raise InputError(f"cannot write the module to {path}: it would hide the Python module {name}; choose another name")


def put(made: Text) -> Text:
    """Write what was made into its file, if it has one."""
    if made.file is not None:
        write_atomic(made.file, made.text)
    return made
