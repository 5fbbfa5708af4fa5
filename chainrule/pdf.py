"""LaTeX to PDF, by latexmk where it is installed, otherwise by pdflatex.

TeX runs in a temporary folder of its own, without shell escape, without reading or writing files outside of that folder and TeX's own
(`openin_any`, `openout_any`), and under a time limit.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from chainrule.specs import InputError

PACKAGES = "texlive-latex-recommended texlive-latex-extra texlive-pictures"
SECONDS = 300
RUNS = 4  # of pdflatex: references and the columns of long tables need two or three
OPTIONS = ("-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error")
AGAIN = re.compile(r"Rerun to get|Rerun LaTeX|There were undefined references")
SHOWN_LINES = 12


def pdf(latex: str, seconds: float = SECONDS) -> bytes:
    """The PDF of a LaTeX document; the same text gives the same bytes.

    Raises InputError where TeX is not installed, takes longer than `seconds`, or refuses the document: the message holds its errors.
    """
    if shutil.which("pdflatex") is None:
        raise InputError(f"a PDF needs pdflatex, which is not installed: on Debian and Ubuntu, apt-get install {PACKAGES} latexmk")
    with tempfile.TemporaryDirectory(prefix="chainrule-") as name:
        folder = Path(name)
        (folder / "document.tex").write_text(latex, encoding="utf-8")
        if shutil.which("latexmk") is not None:
            _run(("latexmk", "-norc", "-pdf", *OPTIONS, "document.tex"), folder, seconds)
        else:
            for _ in range(RUNS):
                _run(("pdflatex", *OPTIONS, "document.tex"), folder, seconds)
                if not AGAIN.search(_log(folder)):
                    break
        return (folder / "document.pdf").read_bytes()


def _run(command: tuple[str, ...], folder: Path, seconds: float) -> None:
    """Run TeX in a process group of its own, so that what it starts ends with it."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise InputError(f"{command[0]} took longer than {seconds:g} s and was stopped") from None
            raise
    if process.returncode != 0 or not (folder / "document.pdf").is_file():
        raise InputError(f"{command[0]} could not make the PDF:\n{errors(_log(folder) or output.decode(errors='replace'))}")


def _environment(folder: Path) -> dict[str, str]:
    """No file outside of the folder, no date in the PDF, and lines of the log as they are, not cut at 79 characters."""
    fixed = {"SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "10000"}
    return {**os.environ, "openin_any": "p", "openout_any": "p", "TEXMFOUTPUT": str(folder), "LC_ALL": "C", **fixed}


def _log(folder: Path) -> str:
    log = folder / "document.log"
    return log.read_text(errors="replace") if log.is_file() else ""


def errors(log: str) -> str:
    """The errors in a log of TeX: each with the line of the document that it is about, and what a missing package is called."""
    found: list[str] = []
    lines = log.splitlines()
    for k, line in enumerate(lines):
        if re.match(r"!|\S+\.tex:\d+: ", line):
            context = next((below for below in lines[k + 1 : k + 8] if re.match(r"l\.\d+ ", below)), "")
            found += [line, *([f"    {context}"] if context else [])]
        if missing := re.search(r"File `([^']+\.(?:sty|cls|def))' not found", line):
            found.append(f"    {missing[1]} belongs to TeX Live: on Debian and Ubuntu, apt-get install {PACKAGES}")
    return "\n".join(found[:SHOWN_LINES] or lines[-SHOWN_LINES:])
