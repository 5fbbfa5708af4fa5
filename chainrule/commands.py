"""What `prove`, `derive` and `generate` do: each takes a network and returns an immutable result."""

from __future__ import annotations

import keyword
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import codegen
import derive
from chainrule.files import write_atomic
from chainrule.progress import Report, silent
from chainrule.specs import InputError
from chainrule.worksheet import Wanted, worksheet
from derive import Network
from derive.build import Examples
from derive.documents import Detail, Format
from derive.names import OTHER_MODULES
from derive.network import Convention
from derive.program import Derivation
from derive.proof import Verdict

FORMATS: Mapping[str, Format] = {".md": "markdown", ".tex": "latex"}


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
    """A text that was made for a network, and the file that holds it, if one was asked for."""

    network: str
    what: str
    text: str
    file: Path | None

    def record(self) -> dict[str, object]:
        place = {"text": self.text} if self.file is None else {"file": str(self.file)}
        return {"network": self.network, "what": self.what, **place}


def prove(network: Network, convention: Convention | None, examples: Examples, report: Report = silent) -> Proof:
    """Check every step of the network's derivation, in its own convention unless another is asked for."""
    report(f"deriving {network.name}")
    derivation = derive.differentiate(network.program(convention, examples))
    verdicts: list[Verdict] = []
    for verdict in derive.prove(derivation):
        verdicts.append(verdict)
        report(f"proving {network.name}: {len(verdicts)} checks, now ({verdict.number}) {verdict.rule}")
    return Proof(network.name, tuple(verdicts))


def document(
    network: Network,
    form: Format,
    convention: Convention | None,
    examples: Examples,
    output: Path | None,
    report: Report = silent,
    detail: Detail = "steps",
    wanted: Wanted | None = None,
) -> Text:
    """Write up the network's derivation, into a file where one is named; in numbers where they are wanted.

    Raises OSError when the file cannot be written, InputError and Mismatch where the numbers are wrong (`worksheet`).
    """
    report(f"deriving {network.name}")
    written = network.model_copy(update={"convention": convention or network.convention})
    if wanted is not None:
        sheet = worksheet(written, examples, wanted, report)
        text = derive.document(sheet.derivation, sheet.network, form, detail, sheet.numbers)
    else:
        text = derive.document(derive.differentiate(written.program(examples=examples)), written, form, detail)
    return _put(Text(network.name, form, text, output))


def generate(network: Network, output: Path | None, report: Report = silent) -> Text:
    """Render the network's module, into a file where one is named.

    Raises InputError for a file that Python could not import under its name, OSError when the file cannot be written.
    """
    if output is not None:
        check_module_name(output)
    report(f"deriving {network.name}")
    derivation: Derivation = derive.differentiate(network.program())
    report(f"rendering {network.name}")
    return _put(Text(network.name, "module", codegen.render(derivation, network), output))


def format_of(file: Path | None) -> Format:
    """The language that the file's ending stands for, Markdown for stdout. Raises InputError for any other ending."""
    if file is None:
        return "markdown"
    if file.suffix not in FORMATS:
        raise InputError(f"cannot tell the language of {file}: right would be a name that ends in .md or .tex, or --format with any name")
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


def _put(made: Text) -> Text:
    if made.file is not None:
        write_atomic(made.file, made.text)
    return made
