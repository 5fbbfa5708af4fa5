from collections.abc import Callable
from typing import ParamSpec, TypeVar, overload

from numba import types as types

_P = ParamSpec("_P")
_R = TypeVar("_R")

__version__: str

@overload
def njit(function: Callable[_P, _R], /) -> Callable[_P, _R]: ...
@overload
def njit(
    *,
    cache: bool = False,
    parallel: bool = False,
    nogil: bool = False,
    inline: str = "never",
    boundscheck: bool | None = None,
    error_model: str = "python",
    forceinline: bool = False,
    no_cpython_wrapper: bool = False,
    no_cfunc_wrapper: bool = False,
    fastmath: bool | set[str] = False,
    _nrt: bool = True,
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...

prange = range

def set_num_threads(n: int) -> None: ...
def get_num_threads() -> int: ...
