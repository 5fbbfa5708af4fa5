"""Products of matrices for kernels, where they are faster than calls of BLAS. A generated module holds a copy of those that it uses.

codegen/products.py says which product is computed by which, and when.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.floating[Any]]
Real = np.floating[Any] | float
FAST = {"contract", "arcp", "nsz"}


@njit(error_model="numpy", fastmath=FAST)
def _descend(keep: Real, add: Real, a: Array, b: Array, out: Array) -> None:
    """out <- keep out + add a.T b, a row of `out` after the other; the product is never stored. For few rows of a and b."""
    for i in range(out.shape[0]):
        factor = add * a[0, i]
        for j in range(out.shape[1]):
            out[i, j] = keep * out[i, j] + factor * b[0, j]
        for n in range(1, a.shape[0]):
            factor = add * a[n, i]
            for j in range(out.shape[1]):
                out[i, j] += factor * b[n, j]


@njit(error_model="numpy", fastmath=FAST | {"reassoc"})
def _dots(a: Array, b: Array, out: Array) -> None:
    """out <- a b.T: the sums of four rows of a with four rows of b at a time, 32 rows of a after the other."""
    real = out.dtype.type
    rows, columns = out.shape
    for block in range(0, rows - 3, 32):
        for j in range(0, columns - 3, 4):
            for i in range(block, min(block + 32, rows - 3), 4):
                s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = real(0)
                s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = real(0)
                for k in range(a.shape[1]):
                    a0, a1, a2, a3 = a[i, k], a[i + 1, k], a[i + 2, k], a[i + 3, k]
                    b0, b1, b2, b3 = b[j, k], b[j + 1, k], b[j + 2, k], b[j + 3, k]
                    s00, s01, s02, s03 = s00 + a0 * b0, s01 + a0 * b1, s02 + a0 * b2, s03 + a0 * b3
                    s10, s11, s12, s13 = s10 + a1 * b0, s11 + a1 * b1, s12 + a1 * b2, s13 + a1 * b3
                    s20, s21, s22, s23 = s20 + a2 * b0, s21 + a2 * b1, s22 + a2 * b2, s23 + a2 * b3
                    s30, s31, s32, s33 = s30 + a3 * b0, s31 + a3 * b1, s32 + a3 * b2, s33 + a3 * b3
                out[i, j], out[i, j + 1], out[i, j + 2], out[i, j + 3] = s00, s01, s02, s03
                out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2], out[i + 1, j + 3] = s10, s11, s12, s13
                out[i + 2, j], out[i + 2, j + 1], out[i + 2, j + 2], out[i + 2, j + 3] = s20, s21, s22, s23
                out[i + 3, j], out[i + 3, j + 1], out[i + 3, j + 2], out[i + 3, j + 3] = s30, s31, s32, s33
    for i in range(rows):  # what is left: up to three columns, and up to three rows
        for j in range(columns - columns % 4 if i < rows - rows % 4 else 0, columns):
            rest = real(0)
            for k in range(a.shape[1]):
                rest += a[i, k] * b[j, k]
            out[i, j] = rest
