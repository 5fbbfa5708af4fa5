"""docs/formulas.md is true: its specs load, its table has every function, its definitions hold, its errors are what the language says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import derive
from derive.index import Axis
from derive.language import FormulaError, Scope, expression
from derive.language.functions import CALLS, CONSTANTS
from derive.language.limits import MAX_CALLS, MAX_EXPONENT, MAX_EXPRESSION, MAX_NESTING
from tests.formulas import ROWS, defined, operand, x

PAGE = (Path(__file__).parent.parent / "docs" / "formulas.md").read_text(encoding="utf-8")
SPECS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
ROWS_OF_TABLE = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE, re.MULTILINE)
ERRORS = re.findall(r"```\n(.*)\n(line .*)\n```", PAGE)

K = Axis("i", "D", 3)
SCOPE = Scope({"x": x, "a": operand("a"), "b": operand("b"), "body": operand("X", K).at((K.index(),)), "beta": 2})


@pytest.mark.parametrize("spec", SPECS)
def test_the_specs_load(spec: str) -> None:
    assert derive.loads(spec).program().outputs


def test_the_table_has_every_function() -> None:
    assert sorted(call.partition("(")[0] for call, _ in ROWS_OF_TABLE) == sorted([*CALLS, *CONSTANTS])


@pytest.mark.parametrize(("call", "definition"), [(c, d.strip("`")) for c, d in ROWS_OF_TABLE if re.fullmatch("`[^`]+`", d)])
def test_the_definitions_hold(call: str, definition: str) -> None:
    scope = Scope({**SCOPE.values, "T": operand("T", K)})
    call, definition = (text.replace("body", "T[i]") for text in (call, definition))
    assert expression(call, scope) == expression(definition, scope)


def test_errors_read_as_the_page_says() -> None:
    assert len(ERRORS) == 4
    for formula, message in ERRORS:
        with pytest.raises(FormulaError, match=re.escape(message) + "$"):
            defined(formula, ROWS) if "=" in formula else expression(formula, SCOPE)


def test_the_bounds_are_those_of_the_page() -> None:
    text = " ".join(PAGE.split())
    assert f"at most {MAX_EXPRESSION} characters, {MAX_NESTING} levels of parentheses and {MAX_CALLS} functions" in text
    assert f"from -{MAX_EXPONENT} to {MAX_EXPONENT}" in text
