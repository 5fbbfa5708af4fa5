"""Which entries of a target the parts of an equation reach: each once, or all of them once between them."""

from __future__ import annotations

from collections.abc import Sequence

from codegen.positions import dense, plain
from codegen.summands import Summand
from derive.index import Index, free_indices
from derive.index.indicators import bounds

Interval = tuple[int, int]


def reached_once(part: Summand) -> bool:
    """Whether no two positions of the loops reach the same entry, as far as the positions on single axes tell."""
    return _images(part) is not None


def partition(parts: Sequence[Summand]) -> bool:
    """Whether the parts reach every entry of the target once: side by side along one axis, each on the whole of the others."""
    images = [_images(p) for p in parts]
    if not parts or any(p.guards for p in parts):
        return False
    found = [image for image in images if image is not None]
    if len(found) < len(parts):
        return False
    ends = [(axis.extent or 0) - 1 for axis in parts[0].target.tensor.axes]
    split = [k for k, last in enumerate(ends) if any(image[k] not in (None, (0, last)) for image in found)]
    if not split:
        return len(parts) == 1
    if len(split) > 1:
        return False
    ranges = sorted(image[split[0]] or (0, ends[split[0]]) for image in found)
    following = [0, *(last + 1 for _, last in ranges)]
    return [first for first, _ in ranges] == following[:-1] and following[-1] == ends[split[0]] + 1


def _images(part: Summand) -> list[Interval | None] | None:
    """The positions that a part reaches on every axis of its target, None for all of them; None altogether where it may meet one twice."""
    seen: list[Index] = []
    images: list[Interval | None] = []
    for position, axis in zip(part.target.indices, part.target.tensor.axes, strict=True):
        inside = free_indices(position)
        if any(i in seen for i in inside):
            return None
        seen += inside
        if isinstance(position, Index) and position.axis == axis:
            images.append(None)
            continue
        if dense(position) is None:
            return None
        images.append(bounds(plain(position)))
    return images if set(seen) == set(part.loops) else None
