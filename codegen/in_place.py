"""Arrays that take the memory of others: where an array is read for the last time, entry by entry, as the other one is computed.

The activations of a layer take the memory of the sums before them, and the derivatives by these take that of the derivatives by the
activations. A pass over them then moves half as much memory or less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codegen.loops import Assign, Leaf, Loop, MatrixProduct, Statement, accesses, leaves
from derive.index import Tensor


def in_place(body: Sequence[Statement], arrays: Sequence[Tensor]) -> Mapping[Tensor, Tensor]:
    """For arrays that are computed in the memory of another one, the first array in that memory.

    Products that write what is no array of the kernel's own count as the last statements: codegen/descent.py moves such.
    """
    late = [isinstance(s, MatrixProduct) and s.out.tensor not in arrays for s in body]
    order = [s for s, end in zip(body, late, strict=True) if not end] + [s for s, end in zip(body, late, strict=True) if end]
    touched: dict[Tensor, list[int]] = {}
    for place, statement in enumerate(order):
        for tensor in dict.fromkeys(a.tensor for a in accesses(statement)):
            touched.setdefault(tensor, []).append(place)
    first: dict[Tensor, Tensor] = {}
    left: set[Tensor] = set()  # whose memory is another's by now
    for new in sorted((t for t in arrays if t in touched), key=lambda t: touched[t][0]):
        statement = order[touched[new][0]]
        for old in arrays:
            if old in touched and old not in left and touched[old][-1] == touched[new][0] and _follows(statement, old, new):
                first[new] = first.get(old, old)
                left.add(old)
                break
    return first


def _follows(statement: Statement, old: Tensor, new: Tensor) -> bool:
    """Whether each entry of the new array is written after the entry of the old one at the same place has been read for the last time."""
    if old == new or old.axes != new.axes or not isinstance(statement, Loop):
        return False
    found = [a for a in accesses(statement) if a.tensor in (old, new)]
    path, indices = found[0].path, found[0].indices
    if not all(a.indices == indices and _same(a.path, path) for a in found) or {loop.index for loop in path} != {*indices}:
        return False
    every = [leaf for leaf in leaves(statement) if any(a.tensor in (old, new) for a in leaf.touched)]
    start = next(k for k, leaf in enumerate(every) if _touches(leaf, new))
    return not any(_touches(leaf, old) for leaf in every[start + 1 :]) and (not _touches(every[start], old) or _at_once(every[start]))


def _at_once(leaf: Leaf) -> bool:
    """Whether a leaf reads all that it needs before it writes; a long sum may be written as two statements (codegen/lines.py)."""
    return isinstance(leaf, Assign) and not leaf.value.is_Add


def _touches(leaf: Leaf, tensor: Tensor) -> bool:
    return any(a.tensor == tensor for a in leaf.touched)


def _same(one: Sequence[Loop], other: Sequence[Loop]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
