from collections.abc import Callable

from numba.core.caching import FunctionCache

class CPUDispatcher:
    py_func: Callable[..., object]
    signatures: list[object]
    _cache: FunctionCache
