"""Where the statements of a kernel compute each of its equations, and by what: calls and loops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codegen.loops import Accumulate, Assign, Demand, Leaf, Loop, MatrixProduct, Statement
from codegen.products import tiled_from

Key = tuple[str, str]  # an equation: its number and its tensor


@dataclass(frozen=True)
class Placed:
    """A leaf, the loops around it, and the part of the kernel that it stands in: "" where there is but one."""

    leaf: Leaf
    path: tuple[Loop, ...]
    part: str = ""

    @property
    def key(self) -> Key:
        return self.leaf.equation.number, self.leaf.equation.tensor.name

    @property
    def starts(self) -> bool:
        return isinstance(self.leaf, Assign) and self.leaf.starts


def placed(statements: Sequence[Statement], part: str, path: tuple[Loop, ...] = ()) -> Iterator[Placed]:
    """Every leaf of some statements, in order."""
    for statement in statements:
        if isinstance(statement, Loop):
            yield from placed(statement.body, part, (*path, statement))
        else:
            yield Placed(statement, path, part)


def sharing(every: Sequence[Placed]) -> dict[int, list[Key]]:
    """The equations that stand in every loop, by the loop's identity."""
    found: dict[int, dict[Key, None]] = {}
    for place in every:
        for loop in place.path:
            found.setdefault(id(loop), {})[place.key] = None
    return {loop: list(keys) for loop, keys in found.items()}


def tactic(own: Sequence[Placed]) -> str:
    """What computes an equation, in a few words: calls and loops, outermost first."""
    found: dict[str, None] = {}
    for place in computing(own):
        over = labels(place.path)
        if isinstance(place.leaf, MatrixProduct):
            found["matrix product by BLAS" if tiled_from(place.leaf) is None else "matrix product in tiles"] = None
        elif not isinstance(place.leaf, Demand):
            found[f"loop{'s' if len(place.path) > 1 else ''} over {over}" if over else "one statement, no loop"] = None
    return "; ".join(found)


def computing(own: Sequence[Placed]) -> list[Placed]:
    """The leaves without those that only start a sum, or store one that a variable held."""
    held = {p.leaf.target for p in own if isinstance(p.leaf, Accumulate) and not p.leaf.target.indices}
    stores = [p for p in own if isinstance(p.leaf, Assign) and p.leaf.value in held]
    return [p for p in own if not p.starts and p not in stores] or list(own)


def labels(loops: Sequence[Loop]) -> str:
    return ", ".join(loop.index.label for loop in loops)
