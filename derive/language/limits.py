"""Bounds on formulas, checked before the work that they bound: nothing a person writes comes near them."""

from __future__ import annotations

MAX_EXPRESSION = 2_000  # characters of one expression or equation
MAX_TEXT = 20_000  # characters of all equations together
MAX_EQUATIONS = 64
MAX_NESTING = 24  # of parentheses, brackets and signs
MAX_CALLS = 12  # functions inside one another: SymPy's questions about signs take long in deeper ones
MAX_NAME = 64  # characters
MAX_DIGITS = 40  # of a number
MAX_DECIMAL_EXPONENT = 300  # of a number such as 1e-5
MAX_POSITIONS = 8  # in one pair of brackets
MAX_EXPONENT = 64
MAX_WHOLE = 10**9  # whole numbers in positions and extents
MAX_EXTENT = 10**6  # positions of an axis
MAX_BITS = 2_048  # of the numerator and of the denominator of a constant
MAX_PARTS = 2_000  # nodes of an expression, written out as a tree
MAX_CONSTANT = 16  # nodes of a constant that is no fraction: evaluating nested exponentials takes time exponential in their depth
MAX_ROOTS = 2  # inside one another
