"""Loops of whole batches that gain by vectors of 512 bits, where compilers take those of 256 unless they are told."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.elementary import CALLS
from codegen.loops import Accumulate, Assign, Leaf, Loop, Statement

WIDE = 16  # numbers side by side: with fewer, what is left over from one vector counts
CALL = "_wide_vectors()"  # the function of a module (templates/wide.py.j2)


def wide(leaf: Leaf, path: Sequence[Loop]) -> bool:
    """Whether a leaf computes an elementary function of many numbers side by side: there the processor is busy, and not the memory.

    64 wide layers of GELU take a tenth to a seventh less time for a step, of tanh up to a twelfth; ReLU gains nothing.
    """
    if not isinstance(leaf, Assign | Accumulate) or not path or not leaf.value.has(*CALLS):
        return False
    if any(isinstance(s, Loop) for s in path[-1].body):  # not an innermost loop: one number at a time
        return False
    extent = path[-1].index.axis.extent
    return extent is None or extent >= WIDE


def any_wide(statements: Sequence[Statement], path: tuple[Loop, ...] = ()) -> bool:
    """Whether that holds of any leaf of some statements."""
    return any(any_wide(s.body, (*path, s)) if isinstance(s, Loop) else wide(s, path) for s in statements)
