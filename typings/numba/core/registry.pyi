from collections.abc import Callable
from typing import Any

from numba.core.caching import FunctionCache

class CPUDispatcher:
    py_func: Callable[..., object]
    signatures: list[object]
    overloads: dict[object, Any]
    def compile(self, sig: object) -> object: ...
    _cache: FunctionCache
