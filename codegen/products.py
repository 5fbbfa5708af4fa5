"""Sums that are products of whole matrices, after merging axes that lie side by side in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import sympy as sp

from codegen.loops import MatrixProduct
from codegen.positions import in_row_major_order
from codegen.summands import Summand
from derive.index import Entry
from derive.program import Equation

PRODUCT_EXTENTS = 256
PRODUCT = "_product"  # functions of a module (templates/products.py.j2)
ADD_PRODUCT = "_add_product"

# In tiles (templates/products.py.j2) or by BLAS, microseconds in float64 and one thread: X W.T with 784 x 128 takes 26 in tiles against 19
# for 4 examples, 34 against 40 for 8, 85 against 140 for 32, 620 against 900 for 256; 784 x 512 for 1024 examples 10700 against 11800.
FEWEST = 8  # rows and columns of the result

# Several threads compute the tiles of a product, each those of other columns. A step of 784-128-10 with 256 examples in float64 takes 940
# us with two threads, 1400 with one. Compiling that takes a second, so a module has it where a product gets so large with few examples.
THREADED = 2**22  # multiplications from which on it pays
BATCH = 256  # examples

# out <- keep out + add a.T b, where a and b have a row for each example: for so few examples by `_descend`, for more as other products,
# which is the faster from 4 on, for 64 x 64 from 3 on.
LOOPED = 2


def matrix_product(equation: Equation, part: Summand, extents: int = PRODUCT_EXTENTS) -> MatrixProduct | None:
    """The product out[a,b] = sum_k left[a,k] right[k,b], either factor possibly transposed, where that is what a part of an equation is.

    Each of a, b and k may be several indices, which stand side by side and in the same order wherever they occur: in memory, they are
    one. None where a loop nest is better: where the product of the two smallest known extents is below `extents`.
    """
    factors, out = sp.Mul.make_args(part.value), in_row_major_order(part.target)
    if len(factors) != 2 or part.guards or out is None:
        return None
    for left, right in (factors, factors[::-1]):
        if not isinstance(left, Entry) or not isinstance(right, Entry):
            return None
        first, second = in_row_major_order(left), in_row_major_order(right)
        if first is None or second is None:
            return None
        rows, columns = (tuple(i for i in out if i in held) for held in (first, second))
        inner = tuple(i for i in first if i not in out)
        if not (rows and columns and inner) or out != rows + columns:
            continue
        if first in (rows + inner, inner + rows) and second in (inner + columns, columns + inner):
            product = MatrixProduct(equation, part.target, left, right, len(rows), len(inner))
            return product if math.prod(known_extents(product)) >= extents else None
    return None


def along_examples(product: MatrixProduct) -> bool:
    """Whether a product sums over the examples alone, and both factors hold a row for each of them, as X.T G does."""
    out, left, right = (in_row_major_order(entry) or () for entry in (product.out, product.left, product.right))
    inner = left[: product.inner]
    return [i.axis.extent for i in inner] == [None] and left == inner + out[: product.rows] and right == inner + out[product.rows :]


def tiled_from(product: MatrixProduct) -> int | None:
    """The number of examples from which on a product is computed in tiles; None where BLAS always is the faster."""
    out, fewest = in_row_major_order(product.out) or (), 1
    for group in (out[: product.rows], out[product.rows :]):
        known = math.prod(i.axis.extent or 1 for i in group)
        if known < FEWEST:
            if all(i.axis.extent is not None for i in group):
                return None
            fewest = max(fewest, -(-FEWEST // known))
    return fewest


def threaded_from(product: MatrixProduct) -> int | None:
    """That from which on several threads compute the tiles; None where there are none, or where it takes large batches."""
    tiled, out, left = tiled_from(product), *(in_row_major_order(entry) or () for entry in (product.out, product.left))
    fewest = -(-THREADED // math.prod(i.axis.extent or 1 for i in dict.fromkeys((*out, *left))))
    return None if tiled is None or fewest > BATCH else max(tiled, fewest)


def calls(product: MatrixProduct, left: str, right: str, out: str) -> Iterator[tuple[str, str]]:
    """The call that computes a product, with an empty condition; before it those that stand in its place where a condition holds.

    left, right, out: the matrices as text, factors transposed (`.T`) where they lie so.
    """
    examples = product.left.tensor.axes[0].size
    if product.descends:
        if along_examples(product):
            yield f"{examples} <= {LOOPED}", f"_descend(keep, add, {left.removesuffix('.T')}, {right}, {out})"
        yield "", f"{ADD_PRODUCT}(keep, add, {left}, {right}, {out})"
        return
    yield "", f"{PRODUCT}({left}, {right}, {out})"


def known_extents(product: MatrixProduct) -> tuple[int, ...]:
    """The smallest two of the extents of a matrix product that are known now, or the only one; axes that are merged count as one."""
    out, left = (in_row_major_order(entry) or () for entry in (product.out, product.left))
    groups = (out[: product.rows], out[product.rows :], [i for i in left if i not in out])
    known = [math.prod(i.axis.extent or 0 for i in group) for group in groups if all(i.axis.extent is not None for i in group)]
    return tuple(sorted(known)[:2])
