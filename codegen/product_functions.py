"""Products of matrices that are added to a matrix, for few examples. A generated module holds a copy.

codegen/descent.py says when. Other products: templates/products.py.j2.
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
