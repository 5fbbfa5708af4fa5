"""Index notation on top of SymPy: axes, tensors and their entries, Kronecker deltas, sums and maxima.

An index knows the axis that it runs over, so `sum over m of delta(n, m) f(m) = f(n)` needs no range condition when
n and m run over one axis. Bound indices carry canonical serials (by nesting height), so two sums that differ only in the
letters of their bound indices are equal, and a binder is opened with fresh indices before anything below it is touched:
capture cannot happen. A tensor's sign is part of its declaration.
"""

from derive.index.binders import ArgMax, Binder, Max, Sum
from derive.index.entries import Axis, Entry, Index, Indicator, Partial, Sign, Size, Tensor
from derive.index.indicators import AtMost, Delta, InRange, lies_on
from derive.index.traverse import free_indices, inline, rename, renaming, rewrite, tensors

__all__ = [
    "ArgMax", "AtMost", "Axis", "Binder", "Delta", "Entry", "InRange", "Index", "Indicator", "Max", "Partial", "Sign", "Size",
    "Sum", "Tensor",
    "free_indices", "inline", "lies_on", "rename", "renaming", "rewrite", "tensors",
]  # fmt: skip
