"""The shape of the source: imports run one way, nothing evaluates text as code, every file says what it is for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {  # whose imports each package must not contain
    "derive": {"codegen", "chainrule", "generated"},
    "codegen": {"chainrule", "generated"},
    "chainrule": {"generated"},
}
ALLOWED_IN_GENERATED = {"__future__", "math", "typing", "collections", "numpy", "numba"}
EVALUATES_TEXT = {"eval", "exec", "compile", "sympify", "parse_expr", "parse_latex", "lambdify", "pickle", "cPickle", "dill", "marshal", "shelve", "S"}
SOURCE = sorted(p for folder in ("derive", "codegen", "chainrule", "generated", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py"))


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
