from collections.abc import Iterable, Iterator
from typing import TypeVar

from sympy.core.basic import Basic

_T = TypeVar("_T", bound=Basic)

def default_sort_key(item: Basic, order: str | None = None) -> tuple[object, ...]: ...
def ordered(seq: Iterable[_T]) -> Iterator[_T]: ...
