"""Arrays as parts of one flat vector: where they lie, and the text of the view."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from derive.index import Tensor

LINE = 16  # entries that a line of the cache holds, in float32; in float64 they fill two


@dataclass(frozen=True)
class Size:
    """A number of array elements: fixed + each * (number of examples)."""

    fixed: int = 0
    each: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(self.fixed + other.fixed, self.each + other.each)


@dataclass(frozen=True)
class View:
    """A tensor's place in a flat vector."""

    tensor: Tensor
    start: Size
    stop: Size


def laid_out(tensors: Sequence[Tensor], shared: Mapping[Tensor, Tensor] | None = None, line: int = 1) -> tuple[View, ...]:
    """The tensors one after the other in a flat vector, those whose size does not depend on the number of examples first.

    shared: tensors that take the place of another one of the same shape, which follow it at once. line: of so many entries; where a
    tensor can begin with a whole line, it does.
    """
    views: list[View] = []
    stop = Size()
    shared = shared or {}
    for tensor in sorted((t for t in tensors if t not in shared), key=lambda t: (extent(t).each > 0, extent(t).each % line > 0)):
        start = Size(-(-stop.fixed // line) * line, stop.each)
        stop = start + extent(tensor)
        views += [View(t, start, stop) for t in (tensor, *(t for t in tensors if shared.get(t) == tensor))]
    return tuple(views)


def extent(tensor: Tensor) -> Size:
    """The number of a tensor's entries."""
    known = math.prod(a.extent for a in tensor.axes if a.extent is not None)
    return Size(each=known) if any(a.extent is None for a in tensor.axes) else Size(fixed=known)


# -- text ----------------------------------------------------------------------------------------------------------------


def shape(tensor: Tensor) -> list[str]:
    """The extents of a tensor as text, `N` where it is known only at run time."""
    return [axis.size if axis.extent is None else str(axis.extent) for axis in tensor.axes]


def tuple_text(items: Sequence[str]) -> str:
    """`(16, 2)`, `(16,)`."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def size_text(size: Size) -> str:
    """`52 + 286 * N`."""
    each = "" if size.each == 0 else "N" if size.each == 1 else f"{size.each} * N"
    return " + ".join([*([str(size.fixed)] if size.fixed or not each else []), *([each] if each else [])])


def view_text(vector: str, view: View) -> str:
    """`theta[0:32].reshape(16, 2)`."""
    start, stop = size_text(view.start), size_text(view.stop)
    colon = ":" if start.isalnum() and stop.isalnum() else " : "
    extents = shape(view.tensor)
    return f"{vector}[{start}{colon}{stop}]" + (f".reshape({', '.join(extents)})" if len(extents) > 1 else "")
