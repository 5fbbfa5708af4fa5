"""The closed language of formulas: text to index expressions.

The text is read by a tokenizer and a parser of our own, never by Python's, and every error is a `FormulaError` with its place.
docs/formulas.md describes the language.
"""

from derive.language.axes import IndexAxes, index_axes
from derive.language.equations import definitions, expression
from derive.language.errors import FormulaError
from derive.language.extents import extent
from derive.language.parse import Declaration, declaration
from derive.language.scope import Operand, Scope

__all__ = [
    "Declaration", "FormulaError", "IndexAxes", "Operand", "Scope",
    "declaration", "definitions", "expression", "extent", "index_axes",
]  # fmt: skip
