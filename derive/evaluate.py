"""The plain NumPy meaning of a program: slow and obvious, the judge of everything that is faster.

An expression is evaluated for all values of its indices at once. Its value is an array with one axis for each index in scope,
of extent 1 where the expression does not depend on that index, so that NumPy's broadcasting lines the indices up. A sum is the
body over all positions of its bound indices, added up: memory grows with the product of all extents involved.

An indicator is strongly zero: where it is 0 the whole product is 0, whatever the other factors are (Knuth, "Two notes on
notation", 1992). An entry read outside its tensor is NaN, so such a read shows unless an indicator or a branch that is not taken
stands before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import mpmath
import numpy as np
import numpy.typing as npt
import sympy as sp
from scipy import special
from sympy import Basic, Expr
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean

from derive.functions import AtLeast, Erfc, Expm1, Log1p, Sigmoid
from derive.index import ArgMax, AtMost, Axis, Delta, Entry, Index, Indicator, InRange, Max, Size, Sum, Tensor
from derive.program import Program

Array = npt.NDArray[np.floating]
Given = npt.NDArray[np.number]  # real numbers, or integers where the tensor holds labels


def evaluate(program: Program, given: Mapping[str, npt.ArrayLike]) -> dict[str, Given]:
    """Every tensor of the program by name: the given arrays, then the value of each equation, in the order of computation.

    An array has one axis for each axis of its tensor, in that order; a tensor of no axes is a 0-d array. Real arrays become
    float64, or longdouble when one of them is. Equations are evaluated as they stand: declared floors are not applied.
    Raises ValueError when an array is missing, not wanted, of the wrong rank, of an extent that contradicts another array or
    the axis' own, or when a label is not a position on the axis that it points into.
    """
    arrays = _arrays(program, given)
    extents = _extents(program.given, arrays)
    for tensor in program.given:
        if tensor.values is not None:
            _check_labels(tensor, arrays[tensor.name], _extent(tensor.values, extents))
    for equation in program.equations:
        arrays[equation.tensor.name] = value(equation.body, equation.indices, arrays, extents)
    return arrays


def value(
    e: Expr, indices: Sequence[Index], arrays: Mapping[str, Given], extents: Mapping[str, int], dtype: type[np.floating] | None = None
) -> Array:
    """The value of an expression for all values of `indices`: one array axis for each, in that order.

    `arrays` holds the tensors that it reads, by name; `extents` the number of positions of each axis, by the axis' size symbol
    (an axis that is absent must know its own extent). dtype: the type to compute in, by default float64, or longdouble when one of the
    arrays is. Raises ValueError for an unknown tensor, index, extent or kind of node.
    """
    wide = any(a.dtype == np.longdouble for a in arrays.values())
    scope = _Scope(tuple(indices), arrays, extents, np.dtype(dtype or (np.longdouble if wide else np.float64)))
    with np.errstate(all="ignore"):
        found = _value(e, scope)
    return np.array(np.broadcast_to(found, tuple(_extent(i.axis, extents) for i in indices)), dtype=scope.dtype)


@dataclass(frozen=True)
class _Scope:
    """What an expression may refer to: its indices (one array axis each), the arrays, the extents; and the type to compute in."""

    indices: tuple[Index, ...]
    arrays: Mapping[str, Given]
    extents: Mapping[str, int]
    dtype: np.dtype[np.floating]


def _value(e: Expr, scope: _Scope) -> Array:
    if isinstance(e, sp.Number | sp.NumberSymbol):
        return _constant(e, scope)
    if isinstance(e, Index):
        return _positions(e, scope)
    if isinstance(e, Size):
        return np.asarray(_extent(e.axis, scope.extents), dtype=scope.dtype)
    if isinstance(e, Entry):
        return _entry(e, scope)
    if isinstance(e, Indicator):
        return _indicator(e, scope).astype(scope.dtype)
    if isinstance(e, Sum | Max | ArgMax):
        return _binder(e, scope)
    if isinstance(e, sp.Piecewise):
        return _piecewise(e, scope)
    if isinstance(e, sp.Mul):
        return _product(e, scope)
    arguments = [_value(a, scope) for a in e.args]
    if isinstance(e, sp.Add):
        return sum(arguments[1:], arguments[0])
    if isinstance(e, sp.Pow):
        return np.power(*arguments)
    if type(e) in FUNCTIONS:
        return FUNCTIONS[type(e)](*arguments)
    raise ValueError(f"an expression of kind {type(e).__name__} has no numerical value: {e}")


def _constant(e: Expr, scope: _Scope) -> Array:
    """A number, rounded once."""
    digits = str(e.evalf(40)) if e.is_finite else str(float(e))
    return np.asarray(scope.dtype.type(digits))


def _positions(index: Index, scope: _Scope) -> Array:
    """0, 1, ... along the array axis of the index."""
    if index not in scope.indices:
        raise ValueError(f"the index {index} is not bound and not among the indices of the value")
    shape = [1] * len(scope.indices)
    shape[scope.indices.index(index)] = -1
    return np.arange(_extent(index.axis, scope.extents), dtype=scope.dtype).reshape(shape)


def _entry(e: Entry, scope: _Scope) -> Array:
    """The array at the positions that the index expressions give; NaN where they lie outside of it."""
    if e.tensor.name not in scope.arrays:
        raise ValueError(f"there is no array for the tensor {e.tensor.name}")
    array = scope.arrays[e.tensor.name].astype(scope.dtype)
    inside = np.asarray(True)
    positions: list[npt.NDArray[np.intp]] = []
    for index, extent in zip(e.indices, array.shape, strict=True):
        position = _value(index, scope)
        good = (position >= 0) & (position < extent) & (position == np.floor(position))
        positions.append(np.where(good, position, 0).astype(np.intp))
        inside = inside & good
    return np.where(inside, array[tuple(positions)], scope.dtype.type("nan"))


def _indicator(e: Indicator, scope: _Scope) -> npt.NDArray[np.bool_]:
    left, right = (_value(a, scope) for a in e.args)
    match e:
        case Delta():
            return np.asarray(left == right)
        case InRange():
            return np.asarray((left >= 0) & (left < right))
        case AtMost():
            return np.asarray(left <= right)
        case _:
            raise ValueError(f"an indicator of kind {type(e).__name__} has no numerical value")


def _binder(e: Sum | Max | ArgMax, scope: _Scope) -> Array:
    """Evaluate the body with one more array axis for each bound index, then take these axes together and reduce them."""
    body, bound = e.open()
    found = _value(body, replace(scope, indices=scope.indices + bound))
    extents = tuple(_extent(i.axis, scope.extents) for i in bound)
    outer = found.shape[: len(scope.indices)] if found.ndim else (1,) * len(scope.indices)
    flat = np.broadcast_to(found, outer + extents).reshape(*outer, int(np.prod(extents)))
    if isinstance(e, Sum):
        return flat.sum(axis=-1)
    if isinstance(e, Max):
        return flat.max(axis=-1)  # NaN where one of the values is NaN
    first = flat.argmax(axis=-1)  # of equal maxima
    return np.asarray(np.unravel_index(first, extents)[e.place], dtype=scope.dtype)


def _piecewise(e: sp.Piecewise, scope: _Scope) -> Array:
    """The first branch whose condition holds; NaN where none does."""
    found = np.asarray(np.nan, dtype=scope.dtype)
    for branch, condition in reversed(e.args):
        found = np.where(_condition(condition, scope), _value(branch, scope), found)
    return found


def _condition(condition: Boolean, scope: _Scope) -> npt.NDArray[np.bool_]:
    """Where a condition holds: nowhere on NaN."""
    if condition in (sp.true, sp.false):
        return np.asarray(condition == sp.true)
    if not isinstance(condition, Relational):
        raise ValueError(f"a condition of kind {type(condition).__name__} has no numerical value: {condition}")
    left, right = (_value(side, scope) for side in condition.args)
    return np.asarray(RELATIONS[type(condition)](left, right)) & ~np.isnan(left) & ~np.isnan(right)


def _product(e: sp.Mul, scope: _Scope) -> Array:
    holds, found = np.asarray(True), np.asarray(1, dtype=scope.dtype)
    for factor in e.args:
        if isinstance(factor, Indicator):
            holds = holds & _indicator(factor, scope)
        else:
            found = found * _value(factor, scope)
    return np.where(holds, found, 0)


def _erf(x: Array) -> Array:
    return _wide(mpmath.erf, x) if x.dtype == np.longdouble else special.erf(x)


def _erfc(x: Array) -> Array:
    return _wide(mpmath.erfc, x) if x.dtype == np.longdouble else special.erfc(x)


def _wide(function: Callable[[mpmath.mpf], mpmath.mpf], x: Array) -> Array:
    """A function that SciPy has not for numbers of this width."""
    with mpmath.workdps(30):
        exact = [function(mpmath.mpf(str(v))) for v in x.flat]
        return np.array([np.longdouble(mpmath.nstr(v if abs(v) > TINY else mpmath.mpf(0), 25)) for v in exact]).reshape(x.shape)


TINY = mpmath.mpf("1e-4940")  # less is 0 as a longdouble

FUNCTIONS: Mapping[type[Basic], Callable[..., Array]] = {
    sp.exp: np.exp, sp.log: np.log, sp.tanh: np.tanh, sp.erf: _erf, sp.Abs: np.abs, sp.sign: np.sign,
    AtLeast: np.maximum, Sigmoid: special.expit, Log1p: np.log1p, Expm1: np.expm1, Erfc: _erfc,
}  # fmt: skip

RELATIONS: Mapping[type[Basic], Callable[[Array, Array], npt.NDArray[np.bool_]]] = {
    sp.Lt: np.less, sp.Le: np.less_equal, sp.Gt: np.greater, sp.Ge: np.greater_equal, sp.Eq: np.equal, sp.Ne: np.not_equal,
}  # fmt: skip


def _arrays(program: Program, given: Mapping[str, npt.ArrayLike]) -> dict[str, Given]:
    """The given arrays in the type of the computation; labels stay as they are."""
    names = [t.name for t in program.given]
    missing, unknown = [n for n in names if n not in given], [n for n in given if n not in names]
    if missing or unknown:
        raise ValueError(f"{program.name}: arrays are missing for {missing}, and there is no given tensor for {unknown}")
    arrays = {n: np.asarray(given[n]) for n in names}
    wide = any(a.dtype == np.longdouble for a in arrays.values())
    real = np.longdouble if wide else np.float64
    return {t.name: arrays[t.name] if t.values else arrays[t.name].astype(real) for t in program.given}


def _extents(tensors: Sequence[Tensor], arrays: Mapping[str, Given]) -> dict[str, int]:
    """The extent of every axis by its size symbol, from the shapes of the arrays and from the axes themselves."""
    found: dict[str, tuple[int, str]] = {}
    for tensor in tensors:
        shape = arrays[tensor.name].shape
        if len(shape) != len(tensor.axes):
            raise ValueError(f"{tensor.name} has {len(tensor.axes)} axes, but its array has shape {shape}")
        for axis, extent in zip(tensor.axes, shape, strict=True):
            declared = (axis.extent, "its declaration") if axis.extent is not None else (extent, tensor.name)
            known, source = found.setdefault(axis.size, declared)
            if extent != known:
                raise ValueError(f"{axis.size} is {extent} in the shape {shape} of {tensor.name}, but {known} by {source}")
    return {size: extent for size, (extent, _) in found.items()}


def _extent(axis: Axis, extents: Mapping[str, int]) -> int:
    extent = extents.get(axis.size, axis.extent)
    if extent is None:
        raise ValueError(f"the extent {axis.size} of axis {axis.name} is unknown: no given array has that axis")
    return extent


def _check_labels(tensor: Tensor, labels: Given, count: int) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{tensor.name} holds labels: integers, not {labels.dtype}")
    if labels.size and not (labels.min() >= 0 and labels.max() < count):
        raise ValueError(f"{tensor.name} holds labels from 0 to {count - 1}; found {labels.min()} to {labels.max()}")
