"""Every error in a formula names the place, what was found and what would be right."""

from __future__ import annotations

import copy

import pytest

from derive.language import FormulaError, expression, extent
from tests.formulas import ROWS, SCOPE, defined

WRONG = [
    # text, column, found, right
    ("", 1, "an empty formula", "such as"),
    ("x +", 4, "the end of the formula", "a number, a name"),
    ("x +\n2", 4, "the end of the line", "a number, a name"),
    ("(x", 3, "the end", "`)` for the `(` of column 1"),
    ("x)", 2, "`)`", "a `(` before"),
    ("x]", 2, "`]`", "a `[` before"),
    ("2x", 2, "`x`", "an operator"),
    ("2(x)", 2, "`(`", "such as `*`"),
    ("(x)[1]", 4, "`[`", "only a name"),
    ("x, 2", 2, "`,`", "no `,`"),
    ("x^2", 2, "`^`", "`**`"),
    ("x == 2", 3, "`==`", "delta"),
    ("x = 2", 1, "an equation", "an expression"),
    ("x < 2", 3, "`<`", "first argument of `where`"),
    ("x; x", 4, "a second expression", "one"),
    ("exp(x > 0)", 7, "`>` outside of a condition", "`where`"),
    ("where(0 < x < 1, x, 0)", 13, "a second comparison", "`where` inside a `where`"),
    ("where(x, 1, 2)", 7, "no condition", "x > 0"),
    ("where(not x, 1, 2)", 7, "no switch", "a switch"),
    ("where(caussal, 1, 2)", 7, "`caussal`", "did you mean `causal`"),
    ("x if causal else 0", 3, "`if`", "`where(condition, a, b)`"),
    ("causal * x", 1, "a switch", "where(causal, a, b)"),
    ("not causal", 1, "`not`, a word of Python", "`where(not switch, a, b)`"),
    ("lambda x: x", 1, "`lambda`, a word of Python", "names"),
    ("import os", 1, "`import`", "names"),
    ("x.real", 2, "`.`", "no attributes"),
    ("x.__class__", 2, "`.`", "no attributes"),
    ("'x'", 1, "`'`", "no quotes"),
    ('exp("x")', 5, '`"`', "no text"),
    ("[x for x in P]", 1, "`[`", "a number, a name"),
    ("x @ x", 3, "`@`", "sum(k"),
    ("x \u00d7 2", 3, "U+00D7 MULTIPLICATION SIGN", "`*`"),
    ("\u0445 + 1", 1, "U+0445 CYRILLIC SMALL LETTER HA", "the plain `x`"),
    ("\uff58 + 1", 1, "FULLWIDTH LATIN SMALL LETTER X", "the plain `x`"),
    ("x\u00b2", 2, "SUPERSCRIPT TWO", "`**2`"),
    ("x\u00a0+ 1", 2, "NO-BREAK SPACE", "a plain space"),
    ("x\u202e", 2, "the character U+202E RIGHT-TO-LEFT OVERRIDE", "plain ASCII"),
    ("x\x00", 2, "the character U+0000", "plain ASCII"),
    ("y + 1", 1, "`y`, a name that means nothing", "one of `x`"),
    ("beeta * x", 1, "`beeta`", "did you mean `beta`?"),
    ("expp(x)", 1, "a call of `expp`", "did you mean `exp`?"),
    ("x(2)", 1, "a call of `x`, which is a value", "`x * (...)`"),
    ("exp", 1, "`exp` without arguments", "`exp(x)`"),
    ("exp(x, x)", 1, "2 arguments of `exp`", "`exp(x)`"),
    ("maximum(x)", 1, "1 argument of `maximum`", "`maximum(a, b)`"),
    ("sum(x)", 1, "`sum` with one argument", "the indices before the body"),
    ("sum(2, x)", 5, "an expression in the place of an index", "an index letter"),
    ("x ** x", 6, "an exponent that is no constant", "a whole or half number"),
    ("x ** 0.3", 6, "the exponent `3/10`", "from -64 to 64"),
    ("x ** 65", 6, "the exponent `65`", "from -64 to 64"),
    ("(x**8 + 1)**9", 13, "powers of powers", "smaller"),
    ("sqrt(sqrt(x))", 1, "the exponent 1/4 in all", "a whole or half number"),
    ("exp(0.3 * log(x))", 1, "the exponent `3/10`", "from -64 to 64"),
    ("x + 1 / 0", 9, "a division by zero", "not 0"),
    ("1 / (x - x)", 6, "a division by zero", "not 0"),
    ("1 / P[n, j + 1]", 5, "may lie outside", "never 0"),
    ("(x - x) ** -1", 12, "a division by zero", "not 0"),
    ("x + log(0)", 5, "a logarithm", "positive"),
    ("x + log(-2)", 5, "a logarithm", "positive"),
    ("x + log(1 - sqrt(2))", 5, "a logarithm", "positive"),
    ("x * sqrt(-1)", 5, "a root", "never negative"),
    ("x * sqrt(-x**2)", 5, "without a real value", "a real number"),
    ("exp(1000)", 1, "the exponential of a constant", "-700 to 700"),
    ("1e999999", 1, "`1e999999`", "an exponent from -300 to 300"),
    ("9**9**9**9", 7, "the exponent `387420489`", "from -64 to 64"),
    ("1e300 * 1e300 * 1e300", 1, "too many digits", "smaller"),
    ("P", 1, "`P` without positions", "`P[...]`"),
    ("P[n]", 1, "1 position of `P`, whose axes are `n`, `j`", "`P[n, j]`"),
    ("P[..., ...]", 1, "`...` twice", "once"),
    ("x[n]", 1, "`x` with positions", "`x`"),
    ("exp[n]", 1, "`exp[`", "`exp(x)`"),
    ("j * x", 1, "`j`, an index, as a number", "positions only"),
    ("P[j, n]", 3, "over the axis `j` (H), on the axis `n` (N)", "a letter for every axis"),
    ("P[n, 2.5]", 6, "5/2 in a position", "a whole number"),
    ("P[n, n * j]", 10, "a product of indices", "whole coefficients"),
    ("P[n, j / 2]", 10, "`/` in a position", "whole coefficients"),
    ("P[n, j ** 2]", 6, "no position", "whole coefficients"),
    ("P[n, beta]", 6, "3/2 in a position", "a whole number"),
    ("P[n, x]", 6, "no whole number", "whole coefficients"),
    ("P[n, P[n, j]]", 6, "no label", "labels"),
    ("P[target, j]", 3, "a label of another axis", "`n`"),
    ("target + 1", 1, "a label, as a number", "position"),
    ("size(z)", 6, "whose axis nothing tells", "alone in the brackets"),
    ("sum(j, sum(j, P[n, j]))", 12, "stands for something else", "another letter"),
    ("sum(x, P[n, x])", 5, "the name of a value", "an index letter"),
    ("x // 2", 6, "`//`", "`/`"),
    ("...", 1, "`...`", "stands in brackets"),
    ("size(...)", 6, "`...`", "read with `...`"),
    ("where(exp(maximum(x, 0)) > 2, x, 0)", 1, "a function or sum of choices", "an equation of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "found", "right"), WRONG, ids=lambda v: str(v)[:30])
def test_an_error_says_where_and_what_would_be_right(text: str, column: int, found: str, right: str) -> None:
    with pytest.raises(FormulaError) as caught:
        expression(text, SCOPE)
    error = caught.value
    assert (error.line, error.column) == (1, column), error
    assert found in error.found
    assert right in error.right
    assert str(error) == f"line 1, column {column}: found {error.found}; right would be {error.right}"


WRONG_EQUATIONS = [
    # text, line, column, found, right
    ("Y[n, i] = X[n, i] * W[n, i]", 1, 23, "over the axis", "a letter for every axis"),
    ("Y[n] = X[n, i]", 1, 13, "`i`, an index that nothing around it runs over", "`i` on the left side"),
    ("Y[n, n] = X[n, i]", 1, 6, "`n` twice on the left", "different letters"),
    ("Y[n, i + 1] = X[n, i]", 1, 6, "a computed position", "an index letter"),
    ("2 * Y[n] = X[n, i]", 1, 1, "a left side that is no tensor", "`Y[..., j] = ...`"),
    ("Y[n, z] = X[n, 0]", 1, 6, "`z`, an index whose axis nothing tells", "declared axes"),
    ("Y[eps] = X[0, 0]", 1, 3, "the name of a value", "an"),
    ("Y = Z\nZ = 1", 1, 5, "`Z` before the equation that defines it", "further up"),
    ("Y = Y + 1", 1, 5, "`Y` before the equation that defines it", "further up"),
    ("Y = 1\nY = 2", 2, 1, "a second equation for `Y`", "another name"),
    ("X[n, i] = 1", 1, 1, "an equation for `X`, which has a value already", "another name"),
    ("pi = 3", 1, 1, "`pi` on the left side", "another name"),
    ("Y = 1\n  X[n, i]", 2, 3, "without a left side", "an equation"),
    ("Y[n] = X[n, 0] + X[..., 0]", 1, 20, "`...` on the right only", "left side"),
    ("Y[..., j] = sum(k, X[..., k] * W[j, k]) + W[j, ...]", 1, 48, "`...` of `W` for the axes `i`", "elsewhere in this formula"),
    ("Y[...] = 2", 1, 3, "`...`, although nothing read tells", "index letters"),
    ("Y[n] = X[n, 0] = 2", 1, 16, "`=`", "one `=`"),
    ("m[n] = X[n, 0]\nY[n] = m[n] +\n  oops", 2, 14, "the end of the line", "a number"),
    ("m[n] = X[n, 0]\nY[n] = (m[n] +\n  oops)", 3, 3, "`oops`", "one of"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "found", "right"), WRONG_EQUATIONS, ids=lambda v: str(v)[:30])
def test_an_error_in_equations_says_its_line(text: str, line: int, column: int, found: str, right: str) -> None:
    with pytest.raises(FormulaError) as caught:
        defined(text, ROWS)
    error = caught.value
    assert (error.line, error.column) == (line, column), error
    assert found in error.found
    assert right in error.right


WRONG_EXTENTS = [
    ("0", 1, "the extent 0", "from 1 to"),
    ("-3", 1, "the extent -3", "from 1 to"),
    ("units * 10000000", 1, "the extent 50000000", "from 1 to"),
    ("2.5", 1, "2.5 in an extent", "a whole number"),
    ("units / 2", 9, "5 / 2", "`//`"),
    ("units // 0", 10, "a division by zero", "not 0"),
    ("unit", 1, "`unit`", "did you mean `units`?"),
    ("size(k)", 6, "`k`", "one of `i`"),
    ("exp(2)", 1, "something else", "whole numbers"),
    ("10**9", 1, "something else", "whole numbers"),
    ("1000000000 * 1000000000", 14, "too large", "at most"),
]


@pytest.mark.parametrize(("text", "column", "found", "right"), WRONG_EXTENTS, ids=lambda v: str(v)[:30])
def test_an_error_in_an_extent(text: str, column: int, found: str, right: str) -> None:
    with pytest.raises(FormulaError) as caught:
        extent(text, {"units": 5}, {"i": 8})
    assert caught.value.column == column, caught.value
    assert found in caught.value.found
    assert right in caught.value.right


def test_an_error_survives_pickling() -> None:
    error = FormulaError(2, 5, "`^`", "`**`")
    assert copy.copy(error).args == error.args
    assert (copy.copy(error).line, copy.copy(error).column) == (2, 5)
