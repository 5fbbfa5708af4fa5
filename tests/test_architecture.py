"""The shape of the source: imports run one way, nothing evaluates text as code, every file says what it is for."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from codegen.elementary import PRODUCTS
from codegen.elementary import SOURCE as ELEMENTARY

ROOT = Path(__file__).parent.parent
FORBIDDEN = {  # whose imports each package must not contain
    "derive": {"codegen", "chainrule", "generated"},
    "codegen": {"chainrule", "generated"},
    "chainrule": {"generated"},
}
ALLOWED_IN_GENERATED = {"__future__", "math", "typing", "collections", "numpy", "numba"}
BUILTIN = {"eval", "exec", "compile"}
EVALUATES = BUILTIN | {"sympify", "S", "parse_expr", "parse_latex", "parse_mathematica", "lambdify", "autowrap", "ufuncify", "__import__"}
SERIALISERS = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
SOURCE = sorted(
    p for folder in ("derive", "codegen", "chainrule", "generated", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py")
)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imported(module: ast.AST) -> Iterator[str]:
    """The top-level names of all imports, those inside functions too."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports name their package"
            yield (node.module or "").partition(".")[0]


def called(module: ast.AST) -> Iterator[tuple[str, int]]:
    """The names of all functions that are called, `f(...)` and `module.f(...)` alike, with the line, but no methods named as a builtin."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node.lineno
            elif isinstance(node.func, ast.Attribute) and node.func.attr not in BUILTIN:
                yield node.func.attr, node.lineno


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_source_is_found() -> None:
    assert {"derive/evaluate.py", "tests/test_architecture.py"} <= {name(p) for p in SOURCE}


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_run_one_way(package: str) -> None:
    found = {name(p): set(imported(tree(p))) & FORBIDDEN[package] for p in SOURCE if name(p).startswith(f"{package}/")}
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_generated_modules_import_numpy_and_numba_alone() -> None:
    found = {name(p): set(imported(tree(p))) - ALLOWED_IN_GENERATED for p in SOURCE if name(p).startswith("generated/")}
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_the_parts_of_a_module_have_names_of_their_own() -> None:
    """Any two templates or copied functions may meet in one module, but for those of which a module takes one."""
    homes: defaultdict[str, list[str]] = defaultdict(list)
    copied = [PRODUCTS, ELEMENTARY]
    for path in [*(ROOT / "codegen/templates").glob("*.j2"), *copied]:
        for defined in sorted(set(re.findall(r"^(?:def|class) (\w+)", path.read_text(), re.MULTILINE))):
            homes[defined].append(re.sub("_(reals|tokens|labels)[.]", ".", path.name))
    alternatives = {"_examples": ["examples.py.j2"] * 2, "_targets": ["targets.py.j2"] * 2}
    assert {defined: found for defined, found in homes.items() if len(found) > 1} == alternatives


def test_nothing_evaluates_text_as_code() -> None:
    source = [p for p in SOURCE if not name(p).startswith("tests/")]
    calls = [f"{name(p)}:{line}: {function}" for p in source for function, line in called(tree(p)) if function in EVALUATES]
    imports = [f"{name(p)}: {module}" for p in source for module in imported(tree(p)) if module in SERIALISERS]
    assert calls + imports == []


def test_every_file_says_what_it_is_for() -> None:
    assert [name(p) for p in SOURCE if not ast.get_docstring(tree(p))] == []


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("eval('1')", {"eval"}),
        ("sympy.sympify(x)", {"sympify"}),
        ("sp.S('x')", {"S"}),
        ("sympy.core.sympify(x)", {"sympify"}),
        ("model.eval()", set[str]()),
    ],
)
def test_calls_are_seen(source: str, calls: set[str]) -> None:
    assert {function for function, _ in called(ast.parse(source))} == calls
