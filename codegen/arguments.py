"""Arrays with an entry for each example: how a module takes and gives them, and how its kernels hold them.

Outside, the examples are the first axis of every array. Inside, a program may hold them last (in the convention "columns").
"""

from __future__ import annotations

from dataclasses import dataclass

from codegen.flat import unused
from codegen.lines import INDENT
from codegen.names import LOCAL
from codegen.views import Size, View, extent, shape, size_text, tuple_text, view_text
from derive.index import Axis, Tensor


@dataclass(frozen=True)
class Rows:
    """A tensor with an axis of examples. Raises ValueError where that is neither its first axis nor its last.

    taken: names that a variable beside it must not have.
    """

    tensor: Tensor
    examples: Axis
    taken: frozenset[str] = LOCAL

    def __post_init__(self) -> None:
        if self.examples not in (*self.tensor.axes[:1], *self.tensor.axes[-1:]):
            raise ValueError(f"{self.tensor.name}: the examples are neither its first axis nor its last")

    @property
    def last(self) -> bool:
        """Whether the kernels hold the examples along the last axis."""
        return self.tensor.axes[0] != self.examples

    @property
    def each(self) -> tuple[Axis, ...]:
        """The axes of what belongs to one example."""
        return self.tensor.axes[:-1] if self.last else self.tensor.axes[1:]

    @property
    def extents(self) -> list[str]:
        """The extents of what belongs to one example."""
        return [str(a.extent) for a in self.each]

    @property
    def place(self) -> list[str]:
        """Variables for the positions of an entry outside."""
        taken = set(self.taken)
        return [unused(a.name, taken) for a in (self.examples, *self.each)]

    @property
    def shape(self) -> str:
        """The shape outside, in words: `[N, 1, 8, 8]`."""
        return f"[{', '.join(['N', *self.extents])}]"

    @property
    def shape_code(self) -> str:
        """The shape outside, as Python: `(N, 1, 8, 8)`."""
        return tuple_text(["N", *self.extents])

    @property
    def shape_shown(self) -> str:
        """The shape outside in a message, where N is a number: `({N}, 1, 8, 8)`."""
        return tuple_text(["{N}", *self.extents])

    @property
    def allocated(self) -> str:
        """The shape inside, as Python."""
        return tuple_text(shape(self.tensor))

    @property
    def type(self) -> str:
        return "Labels" if self.tensor.values else "Array"

    @property
    def size(self) -> str:
        """The number of entries for N examples."""
        return size_text(extent(self.tensor))

    def count(self, name: str) -> str:
        """The number of examples of an array inside."""
        return f"{name}.shape[{len(self.each) if self.last else 0}]"

    def view(self, vector: str) -> str:
        """The first N examples in a flat vector, as an array inside."""
        return view_text(vector, View(self.tensor, Size(), extent(self.tensor)))

    def inside(self, name: str) -> str:
        """An array from outside as the kernels hold it."""
        return self._turned(name, "0, -1") if self.last else name

    def outside(self, name: str) -> str:
        """An array of the kernels as the module gives it."""
        return self._turned(name, "-1, 0") if self.last else name

    def _turned(self, name: str, axes: str) -> str:
        return f"np.ascontiguousarray({name}.T)" if len(self.each) == 1 else f"np.ascontiguousarray(np.moveaxis({name}, {axes}))"

    def gathered(self, source: str, target: str, example: str) -> list[str]:
        """The statements that copy one example of an array outside to the position n of an array inside."""
        n, *each = self.place
        loops = [f"{INDENT * k}for {letter} in range({size}):" for k, (letter, size) in enumerate(zip(each, self.extents, strict=True))]
        place = ", ".join([*each, n] if self.last else [n, *each])
        return [*loops, f"{INDENT * len(each)}{target}[{place}] = {source}[{', '.join([example, *each])}]"]

    def refusal(self, name: str, array: str, wrong: str, needed: str, error: str = "ValueError") -> list[str]:
        """The statements that refuse an array outside, naming its first wrong entry.

        name: what the caller knows the array by; wrong: the condition under which an entry is wrong; needed: what is right.
        """
        return refusal(self.place, name, array, wrong, f"is {{}}: {needed}", error)


def refusal(place: list[str], name: str, array: str, wrong: str, message: str, error: str = "ValueError") -> list[str]:
    """The statements that refuse an array because of an entry; {} in the message stands for that entry."""
    places = ", ".join(place)
    shown = ", ".join(f"{{{p}}}" for p in place)
    says = message.replace("{}", f"{{{array}[{places}]}}")
    return [
        f"wrong = {wrong}",
        "if np.count_nonzero(wrong) > 0:",
        f"{INDENT}{places if len(place) > 1 else f'({places},)'} = np.argwhere(wrong)[0]",
        f'{INDENT}raise {error}(f"{name}[{shown}] {says}")',
    ]
