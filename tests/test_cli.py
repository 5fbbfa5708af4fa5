"""The command line: exit codes, what goes to stdout and to stderr, and that nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import derive
from chainrule import cli
from chainrule.check import DOCUMENTS, MODULES, check, compare, render, repair
from chainrule.specs import shipped, spec_path
from derive.documents import Format
from derive.proof import Verdict
from tests import modules

ROOT = Path(__file__).parent.parent
SPEC = 'name = "small"\ninputs = 2\nloss = "mean_squared_error"\nlayers = [{ kind = "dense", units = 1 }]\n'


@dataclass(frozen=True)
class Run:
    code: object
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The one object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        assert type(found) is dict
        return found


class Command:
    """Runs the command line in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str | Path) -> Run:
        self.monkeypatch.setattr(sys, "argv", ["chainrule", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = self.capsys.readouterr()
        return Run(caught.value.code or 0, out, err)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SPEC)
    return path


COMMANDS = ["schema", "prove", "derive", "generate", "check", "verify", "train"]


def test_the_package_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "chainrule", "generate", "no_such_network"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no_such_network" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_probably_not_meant_is_hinted_at(run: Command, small: Path) -> None:
    small.write_text(SPEC.replace("mean_squared_error", "binary_cross_entropy"))
    result = run("generate", small)
    assert result.code == 0
    assert result.err == "hint: binary_cross_entropy wants what sigmoid gives, and here it reads what dense gives\n"


def test_numbers_and_exercises(run: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.worksheet.built", modules.interpreted)
    numbers = tmp_path / "numbers.toml"
    numbers.write_text("X = [[1, 2]]\ny = [1]\nW1 = [[0.5, 1]]\nb1 = [0]\nlearning_rate = 0.25\n")
    result = run("derive", small, "--numbers", numbers)
    assert result.code == 0
    assert r"\begin{bmatrix} 2.5 \end{bmatrix}" in result.out
    assert "chain rule" in result.out
    assert r"\underline" in run("derive", small, "--exercise", "--seed", "1").out
    assert r"\underline" not in run("derive", small, "--solution", "--seed", "1", "--format", "latex").out
    assert "chain rule" not in run("derive", small, "--detail", "summary").out
    numbers.write_text("X = [[1, 2, 3]]\n")
    assert run("derive", small, "--numbers", numbers).code == 2
    assert run("derive", small, "--learning-rate", "1").err.startswith("error: --learning-rate and --decimals belong to numbers")


def test_numbers_that_the_module_contradicts(run: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.worksheet.built", modules.interpreted)
    monkeypatch.setattr("chainrule.numbers.ALLOWED", -1.0)
    result = run("derive", small, "--exercise")
    assert (result.code, result.out) == (1, "")
    assert "nothing is written" in result.err


def test_help_lists_the_commands_and_the_exit_codes(run: Command) -> None:
    result = run("--help")
    assert result.code == 0
    assert "Exit codes: 0 right, 1 the check failed, 2 the input was wrong." in result.out
    assert [word for word in COMMANDS if f"  {word} " not in result.out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(run: Command, command: str) -> None:
    result = run(command, "--help")
    assert result.code == 0
    assert f"Example: chainrule {command}" in result.out
    assert "--json" in result.out


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["prove"], ["derive", "xor", "--format", "docx"], ["schema", "--colour"], ["verify", "xor", "--examples", "0"]],
)
def test_wrong_usage_is_wrong_input(run: Command, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch("error: .*; see chainrule --help, or --help after a command\n", result.err)
    recorded = run(*arguments, "--json")
    assert (recorded.code, recorded.err) == (2, result.err)
    assert recorded.record == {"error": result.err.removeprefix("error: ").removesuffix("\n"), "problems": []}


def test_without_arguments_there_is_help(run: Command) -> None:
    assert run() == run("--help")


@pytest.mark.parametrize("json_option", [[], ["--json"]])
def test_schema_is_one_object(run: Command, json_option: list[str]) -> None:
    result = run("schema", *json_option)
    assert (result.code, result.err) == (0, "")
    assert result.record == json.loads(json.dumps(derive.json_schema()))


@pytest.mark.parametrize("command", ["prove", "derive", "generate", "verify"])
def test_a_wrong_spec_is_wrong_input(run: Command, small: Path, command: str) -> None:
    small.write_text(SPEC.replace("units = 1", "units = 0"))
    line = f"{small}: layers[0].units: found 0; right would be a whole number from 1 to 1000000"
    result = run(command, small)
    assert (result.code, result.out, result.err) == (2, "", f"error: {line}\n")
    record = run(command, small, "--json").record
    problem = {"key": "layers[0].units", "found": "found 0", "right": "a whole number from 1 to 1000000"}
    assert record == {"error": line, "problems": [problem]}


def test_a_file_that_cannot_be_read_is_wrong_input(run: Command, tmp_path: Path) -> None:
    result = run("prove", tmp_path / "none.toml")
    assert (result.code, result.err) == (2, f"error: cannot read {tmp_path}/none.toml: No such file or directory\n")
    assert run("prove", f"{tmp_path}/").code == 2


def test_a_misspelt_name_is_guessed(run: Command) -> None:
    result = run("prove", "digts")
    assert result.code == 2
    assert "no network named 'digts' is shipped (did you mean digits?); there are digits, lecture_bce" in result.err


def test_specs_are_found_by_name_and_by_path() -> None:
    assert shipped() == sorted(path.stem for path in (Path(__file__).parent.parent / "networks").glob("*.toml"))
    assert derive.load(spec_path("xor")).name == "xor"
    assert spec_path("./xor") == Path("./xor")
    assert spec_path("xor.toml") == Path("xor.toml")


def test_generate_to_stdout_is_the_module(run: Command, small: Path) -> None:
    result = run("generate", small)
    assert (result.code, result.err) == (0, "")
    assert result.out == render(derive.load(small))[MODULES / "small.py"]


def test_generate_explains_the_module(run: Command, small: Path, tmp_path: Path) -> None:
    result = run("generate", small, "--explain")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("gradients: examples in blocks of 32, 4 and 1")
    target = tmp_path / "small_module.py"
    written = run("generate", small, "--explain", "-o", target)
    assert (written.out, target.read_text()) == (result.out, run("generate", small).out)
    record = run("generate", small, "--explain", "--json").record
    assert (record["what"], [k["kernel"] for k in record["kernels"]]) == ("explanation", ["gradients", "predict", "loss"])
    assert run("generate", small, "--explain", "--json", "-o", target).record == {**record, "file": str(target)}


def test_generate_into_a_file(run: Command, small: Path, tmp_path: Path) -> None:
    target = tmp_path / "made.py"
    result = run("generate", small, "-o", target)
    assert (result.code, result.out, result.err) == (0, "", f"wrote {target}\n")
    assert target.read_text() == run("generate", small).out
    assert run("generate", small, "-o", target, "--json").record == {"network": "small", "what": "module", "file": str(target)}


@pytest.mark.parametrize("name", ["numpy.py", "math.py", "two-words.py", "class.py", "1st.py", "__init__.py", "small.txt", "größe.py"])
def test_generate_refuses_names_that_python_cannot_import(run: Command, small: Path, tmp_path: Path, name: str) -> None:
    result = run("generate", small, "-o", tmp_path / name)
    assert result.code == 2
    assert result.err.startswith(f"error: cannot write the module to {tmp_path / name}: ")
    assert not (tmp_path / name).exists()


def test_what_cannot_be_written_is_wrong_input(run: Command, small: Path, tmp_path: Path) -> None:
    result = run("derive", small, "-o", tmp_path / "none" / "small.md")
    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: cannot write {tmp_path}/none/small.md: there is no folder {tmp_path}/none\n"


@pytest.mark.parametrize("command", ["derive", "generate"])
def test_no_spec_is_overwritten(run: Command, small: Path, command: str) -> None:
    before = small.read_text()
    (small.parent / "other.toml").write_text("by hand")
    same = small.parent / "link.py"
    os.link(small, same)
    for target in (small, small.parent / "other.toml", same):
        result = run(command, small, "-o", target)
        assert (result.code, result.out) == (2, "")
        assert "would take the place of a spec" in result.err
    assert small.read_text() == before


def test_a_name_with_control_characters_reaches_no_terminal(run: Command) -> None:
    assert run("prove", "a\x1b[31m.toml").err == "error: cannot read a\\x1b[31m.toml: No such file or directory\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_an_output_that_is_full_is_wrong_input(small: Path) -> None:
    for option in ((), ("--json",)):
        program = "from chainrule.cli import main; main()"
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-c", program, "generate", small, *option], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


@pytest.mark.parametrize("form", ["latex", "markdown"])
def test_derive_prints_the_document(run: Command, small: Path, form: Format) -> None:
    network = derive.load(small)
    expected = derive.document(derive.differentiate(network.program()), network, form)
    result = run("derive", small, "--format", form)
    assert (result.code, result.out, result.err) == (0, expected, "")
    assert run("derive", small, "--format", form, "--json").record == {"network": "small", "what": form, "text": expected}


def test_derive_writes_latex_into_a_tex_file(run: Command, small: Path, tmp_path: Path) -> None:
    run("derive", small, "-o", tmp_path / "small.tex")
    run("derive", small, "-o", tmp_path / "small.md")
    assert (tmp_path / "small.tex").read_text() == run("derive", small, "--format", "latex").out
    assert (tmp_path / "small.md").read_text() == run("derive", small, "--format", "markdown").out


def test_derive_wants_to_know_the_format(run: Command, small: Path, tmp_path: Path) -> None:
    result = run("derive", small, "-o", tmp_path / "a.docx")
    assert (result.code, "right would be a name that ends in .md, .tex, .html, .pdf" in result.err) == (2, True)
    assert not (tmp_path / "a.docx").exists()
    assert run("derive", small, "-o", tmp_path / "a.txt", "--format", "markdown").code == 0
    assert run("derive", small, "-o", tmp_path / "a.html").code == 0
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")


def test_a_pdf_goes_into_a_file(run: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a PDF goes into a file" in run("derive", small, "--format", "pdf").err

    def begun(latex: str) -> bytes:
        return b"%PDF" + latex[:14].encode()

    monkeypatch.setattr("chainrule.commands.pdf", begun)
    assert run("derive", small, "-o", tmp_path / "a.pdf", "--json").record["file"] == str(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF\\documentclass"


def test_equations_link_to_the_module_as_it_is(run: Command, small: Path, tmp_path: Path) -> None:
    module, page = tmp_path / "code" / "a b.py", tmp_path / "notes.html"
    module.parent.mkdir()
    missing = run("derive", small, "-o", page, "--module", module)
    assert (missing.code, "chainrule generate SPEC -o" in missing.err) == (2, True)
    module.write_text(run("generate", small).out)
    assert run("derive", small, "-o", page, "--module", module).code == 0
    line = int(re.findall(r'href="code/a%20b.py#L(\d+)">line \1<', page.read_text())[0])
    assert re.match(r" +# \(1\)  ", module.read_text().splitlines()[line - 1])
    module.write_text("# moved\n" + module.read_text())
    assert run("derive", small, "-o", page, "--module", module).code == 2
    assert run("derive", small, "--module", module, "--examples", "single").code == 2


def test_a_document_states_what_came_of_the_proof(run: Command, small: Path) -> None:
    text = run("derive", small, "--prove").out
    assert re.search(r"All \d+ checks hold", text)
    assert "finite field: 2 steps" in text
    assert "checks hold" not in run("derive", small).out


def test_one_equation_is_proved_alone(run: Command, small: Path) -> None:
    every, alone = run("prove", small).out.splitlines(), run("prove", small, "--equation", "4").out.splitlines()
    assert [line for line in every if line.strip().startswith("(4)")] == alone[:-1]
    assert len(alone) > 3
    wrong = run("prove", small, "--equation", "99")
    assert (wrong.code, "has no equation 99" in wrong.err) == (2, True)


def test_a_dash_is_stdin_and_stdout(small: Path, tmp_path: Path) -> None:
    code = "import sys; sys.argv[0] = 'chainrule'; from chainrule.cli import main; main()"
    command = [sys.executable, "-c", code, "generate", "-", "-o", "-"]
    there = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=SPEC, capture_output=True, text=True, cwd=tmp_path, env=there, check=False)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [small])
    assert done.stdout.startswith('"""small:')


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (b"\xef\xbb\xbf" + SPEC.encode(), 0, ""),
        (SPEC.replace("small", "sm\xe4ll").encode("latin-1"), 2, "error: <stdin>: found byte 11, which is not UTF-8"),
    ],
)
def test_stdin_is_utf8_in_every_locale(given: bytes, code: int, message: str) -> None:
    command = [sys.executable, "-m", "chainrule", "generate", "-"]
    there = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, input=given, capture_output=True, env=there, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.decode().partition(";")[0].strip()) == (code, message)


def test_the_version_is_printed(run: Command) -> None:
    assert run("--version") == Run(0, f"chainrule {metadata.version('chainrule')}\n", "")


# What derive is asked for, and what the one line must hold.
CONTRADICTIONS: dict[str, tuple[list[str], str]] = {
    "two sheets": (["--exercise", "--solution"], "--exercise and --solution are two documents"),
    "a seed of nothing": (["--seed", "1"], "--seed belongs to an exercise"),
    "another ending": (["-o", "small.md", "--format", "html"], "small.md would hold html"),
    "no such numbers": (["--numbers", "none.toml"], "none.toml: No such file or directory"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_derive_says_what_does_not_go_together(case: str, run: Command, small: Path, tmp_path: Path) -> None:
    options, message = CONTRADICTIONS[case]
    with contextlib.chdir(tmp_path):
        result = run("derive", small, *options)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err
    assert list(tmp_path.iterdir()) == [small]


def test_derive_takes_another_convention_and_a_single_example(run: Command, small: Path) -> None:
    texts = [
        run("derive", small, *more).out for more in ([], ["--convention", "columns"], ["--convention", "xw"], ["--examples", "single"])
    ]
    assert len(set(texts)) == 4


def test_prove_prints_a_line_a_check(run: Command, small: Path) -> None:
    result = run("prove", small)
    record = run("prove", small, "--json").record
    steps: list[object] = record["steps"]
    assert (result.code, record["holds"], result.err) == (0, True, "")
    lines = result.out.splitlines()
    assert len(lines) == len(steps) + 1
    assert lines[-1] == f"small: {len(steps)} checks, all hold"
    assert all("holds" in line for line in lines[:-1])
    assert "chain rule" in result.out


def test_prove_takes_another_convention_and_a_single_example(run: Command, small: Path) -> None:
    steps = run("prove", small, "--convention", "columns", "--examples", "single", "--json").record["steps"]
    assert "dW1[c,i]" in {step["about"] for step in steps}
    assert "dz[c]" not in {step["about"] for step in run("prove", small, "--json").record["steps"]}
    assert not any("n" in step["about"] for step in steps)


def test_a_step_that_does_not_hold_is_a_failure(run: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_wrong(_: object, equation: str | None) -> Iterator[Verdict]:
        assert equation is None
        yield Verdict("5", "chain rule", "finite field", True, "", "dYhat[n,c]", 1)
        yield Verdict("5", "cancel", "finite field", False, "differs at n = 0", "dYhat[n,c]", 2)

    monkeypatch.setattr(derive, "prove", one_wrong)
    result = run("prove", small)
    assert result.code == 1
    assert "(5)  dYhat[n,c]     cancel                             finite field     FAILS  differs at n = 0\n" in result.out
    assert result.out.endswith("small: 2 checks, 1 FAIL\n")
    assert run("prove", small, "--json").record["holds"] is False


def test_verify_prints_a_row_a_parameter(run: Command, small: Path) -> None:
    result = run("verify", small)
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines() if line.endswith("  holds   ")] == ["W1", "b1"]
    assert result.out.endswith("all hold\n")
    record = run("verify", small, "--json").record
    assert (record["holds"], [row["parameter"] for row in record["rows"]]) == (True, ["W1", "b1"])


def test_an_end_of_the_reader_is_no_crash(small: Path) -> None:
    code = "import sys; sys.argv[0] = 'chainrule'; from chainrule.cli import main; main()"
    command = subprocess.Popen(
        [sys.executable, "-c", code, "derive", str(small)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == ""
    assert command.wait() in (0, 1)


# -- check -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two networks whose files are up to date; one is in the convention that has a single-example document."""
    (tmp_path / "networks").mkdir()
    (tmp_path / "networks" / "small.toml").write_text(SPEC)
    (tmp_path / "networks" / "tall.toml").write_text(SPEC.replace('"small"', '"tall"\nconvention = "columns"'))
    return tmp_path


def test_check_finds_missing_files_and_repairs_them(run: Command, project: Path) -> None:
    result = run("check", "--root", project, "--processes", "1")
    assert result.code == 1
    assert "missing: generated/small.py\n" in result.out
    assert "missing: docs/derivations/tall_single.tex\n" in result.out
    repairing = shlex.split(result.out.splitlines()[-1].removeprefix("repair with: "))
    assert repairing == ["chainrule", "check", "--fix", "--root", str(project)]
    assert not (project / "generated").exists()
    assert run(*repairing[1:], "--processes", "1").code == 0
    result = run("check", "--root", project, "--processes", "1")
    assert (result.code, result.out) == (0, "8 files are as the specs give them\n")


def test_check_shows_what_is_stale_and_names_what_is_extra(project: Path) -> None:
    fresh = repair(project, check(project, processes=1))
    assert fresh.holds
    wanted = {f.file: f.wanted for f in fresh.findings if f.wanted is not None}
    module = project / MODULES / "small.py"
    module.write_text(module.read_text() + "\nprint('added')\n")
    (project / MODULES / "old.py").write_text("")
    (project / MODULES / "__init__.py").write_text("")
    (project / DOCUMENTS / "README.md").write_text("by hand")
    findings = compare(project, wanted)
    assert [(str(f.file), f.state) for f in findings] == [("generated/old.py", "extra"), ("generated/small.py", "stale")]
    assert "-print('added')" in findings[1].diff


def test_repair_removes_nothing(project: Path) -> None:
    (project / MODULES).mkdir()
    extra = project / MODULES / "old.py"
    extra.write_text("precious")
    result = repair(project, check(project, processes=1))
    assert not result.holds
    assert result.commands == (shlex.join(["rm", "--", str(extra)]),)
    assert replace(result, root=Path()).commands == ("rm -- generated/old.py",)
    assert extra.read_text() == "precious"


def test_a_long_difference_is_shortened(project: Path) -> None:
    (project / MODULES).mkdir()
    (project / MODULES / "small.py").write_text("".join(f"line {k}\n" for k in range(500)))
    (finding,) = (f for f in check(project, processes=1).findings if f.state == "stale")
    *_, last = finding.diff
    assert len(finding.diff) < 20
    assert last.startswith("... and ")


def test_check_in_two_processes_finds_the_same(project: Path) -> None:
    assert check(project, processes=2) == check(project, processes=1)


def test_check_without_specs_is_wrong_input(run: Command, tmp_path: Path) -> None:
    result = run("check", "--root", tmp_path)
    assert result.code == 2
    assert "there are no specs in" in result.err


def test_check_wants_the_file_to_be_named_like_the_network(run: Command, project: Path) -> None:
    (project / "networks" / "tall.toml").rename(project / "networks" / "other.toml")
    result = run("check", "--root", project)
    assert result.code == 2
    assert 'name: found "tall"; right would be the name of the file, "other"' in result.err


def test_two_networks_that_ask_for_one_file_are_refused(run: Command, project: Path) -> None:
    (project / "networks" / "tall_single.toml").write_text(SPEC.replace('"small"', '"tall_single"'))
    result = run("check", "--root", project, "--processes", "1")
    assert result.code == 2
    assert "two networks ask for the file docs/derivations/tall_single.md" in result.err
