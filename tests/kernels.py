"""Kernels of programs written by hand: rendered, run by Python or compiled, and held to the plain meaning of the program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from codegen.cache import imported
from codegen.elementary import copies
from codegen.lines import lines
from codegen.schedule import Kernel, kernel
from derive.index import Tensor
from derive.program import Program
from tests.modules import NUMPY_MATH

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Real = type[np.floating[Any]]

HEAD = """
import math
from typing import Any
import numpy as np
from numba import njit

Float32 = np.float32
Real = np.floating[Any] | float
FAST = {"contract", "arcp", "nsz"}

@njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _add(total, x):
    return total + x

@njit
def _product(a, b, out):
    np.dot(a, b, out)
"""


@dataclass(frozen=True)
class Rendered:
    """The text of one kernel and how it is called: `name(real, N, given..., outputs..., workspace...)`; returns outputs of no axes."""

    name: str
    text: str
    kernel: Kernel
    given: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def rendered(name: str, program: Program, outputs: Sequence[Tensor]) -> Rendered:
    """The kernel of some outputs of a program as a Python function; it returns those without axes."""
    made = kernel(program, outputs, {})
    given = made.given
    arrays = [*given, *(t for t in outputs if t.axes), *(v.tensor for v in made.workspace)]
    body = lines(made.body, {t.name for t in arrays})
    returned = ", ".join([*(t.name for t in outputs if not t.axes), ""]).strip()
    head = f"def {name}(real, N, {', '.join(t.name for t in arrays)}):"
    return Rendered(name, "\n".join([head, *body, f"    return ({returned})"]), made, given, tuple(outputs))


def compiled(kernels: Sequence[Rendered]) -> Any:
    """One module with all kernels, each compiled for the types that it is called with."""
    jit = '@njit(error_model="numpy", fastmath=FAST)'
    functions = copies(k.text for k in kernels)
    return imported("kernels", "\n\n".join([HEAD, *functions, *(f"{jit}\n{k.text}" for k in kernels)]), "<kernels>")


def interpreted(kernels: Sequence[Rendered]) -> Any:
    """One module with all kernels, for Python to run."""
    parts = [HEAD, *copies(k.text for k in kernels), *(k.text for k in kernels)]
    made: Any = imported("kernels", re.sub(r"@njit.*", "", "\n\n".join(parts)), "<kernels>")
    made.math = NUMPY_MATH
    return made


class Checked(np.ndarray[Any, np.dtype[Any]]):
    """An array that refuses negative positions, which NumPy counts from the end and compiled code does not."""

    def __getitem__(self, place: Any) -> Any:
        _check(place)
        return super().__getitem__(place)

    def __setitem__(self, place: Any, value: Any) -> None:
        _check(place)
        super().__setitem__(place, value)


def _check(place: object) -> None:
    places = cast("tuple[object, ...]", place) if isinstance(place, tuple) else (place,)
    if any(isinstance(p, int | np.integer) and p < 0 for p in places):
        raise IndexError(f"{places} is outside")


def call(made: Any, k: Rendered, given: Arrays, count: int, dtype: Real = np.float64) -> dict[str, Any]:
    """The outputs of a kernel by name; every array that it does not fill holds NaN."""
    results = {t.name: _empty(t, count, dtype) for t in k.outputs if t.axes}
    arguments = [_argument(given[t.name], t, dtype) for t in k.given]
    places = {(v.start, v.stop): _empty(v.tensor, count, dtype) for v in k.kernel.workspace}  # arrays may lie in the same memory
    arrays = [*arguments, *results.values(), *(places[v.start, v.stop] for v in k.kernel.workspace)]
    function = getattr(made, k.name)
    if not hasattr(function, "py_func"):
        arrays = [a.view(Checked) if a.ndim else a for a in arrays]
    scalars = function(dtype, count, *(a if a.ndim else a[()] for a in arrays))
    return {**results, **dict(zip((t.name for t in k.outputs if not t.axes), scalars, strict=True))}


def _empty(t: Tensor, count: int, dtype: Real) -> Array:
    return np.full(tuple(count if a.extent is None else a.extent for a in t.axes), np.nan, dtype)


def _argument(given: Array, t: Tensor, dtype: Real) -> Array:
    return given if t.values else given.astype(dtype)


def drawn(program: Program, count: int, seed: int = 0) -> dict[str, Array]:
    """Random arrays for the given tensors of a program: normal numbers, labels, positive ones where a sign says so."""
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for t in program.given:
        shape = tuple(count if a.extent is None else a.extent for a in t.axes)
        normal = np.asarray(rng.normal(size=shape))
        real = normal if t.sign == "real" else abs(normal) + 0.1
        found[t.name] = rng.integers(0, t.values.extent or 0, shape) if t.values else real
    return found
