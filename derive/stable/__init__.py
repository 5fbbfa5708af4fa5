"""Rewrites to numerically stable forms. Each is an equality of real numbers; none changes a derivative that was taken before.

They are applied to one expression at a time, in a fixed order (`rules.py`), and every one that changes it becomes a step of the document.
"""

from derive.stable.logarithms import Definitions
from derive.stable.rules import hiding, stable_forms

__all__ = ["Definitions", "hiding", "stable_forms"]
