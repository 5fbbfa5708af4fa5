"""Sums of logarithms as one logarithm of a product: where this is done, and that nothing overflows or is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import special
from sympy import Expr

from codegen.flat import flattened
from codegen.logarithms import at_least_one
from derive import Network, differentiate
from derive.index import Axis, Max, Sum, Tensor
from derive.program import Equation
from tests.modules import interpreted, network, text_of

N, C, K = (Axis(name, size, extent) for name, size, extent in (("n", "N", None), ("c", "C", 3), ("k", "K", 3)))
Z, OTHER = Tensor("Z", [N, C]), Tensor("other", [N, C])
BLOCK = 128  # examples of the largest block


def summed(exponent: Expr) -> list[Equation]:
    """S[n] = sum_c exp(exponent)."""
    n, c = N.index(), C.index()
    return [Equation(Tensor("S", [N]), (n,), Sum(sp.exp(exponent), c))]


def test_a_sum_of_exponentials_below_its_largest_is_found() -> None:
    n, c, other = N.index(), C.index(), C.index("'")
    assert at_least_one(summed(Z[n, c] - Max(Z[n, other], other)), BLOCK) == {"S"}


@pytest.mark.parametrize("case", ["not shifted", "by another tensor", "not all of it", "by more"])
def test_other_sums_are_not(case: str) -> None:
    n, c, other = N.index(), C.index(), C.index("'")
    exponent = {
        "not shifted": Z[n, c],
        "by another tensor": Z[n, c] - Max(OTHER[n, other], other),
        "not all of it": Z[n, c] / 2 - Max(Z[n, other], other),
        "by more": Z[n, c] - Max(Z[n, other], other) - 1,
    }[case]
    assert at_least_one(summed(exponent), BLOCK) == set()


@pytest.mark.parametrize(("classes", "found"), [(2, True), (200, True), (240, False)])
def test_a_product_that_could_overflow_is_not_taken(classes: int, found: bool) -> None:
    net = network(2, [(classes, "identity")], "softmax_cross_entropy")
    equations = flattened(differentiate(net.program()).computed)
    assert ("sum_exp_Z" in at_least_one(equations, BLOCK)) == found


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float32, 2.0**-22), (np.float64, 2.0**-50)])
def test_the_largest_product(dtype: Any, rounding: float) -> None:
    """Parameters of zero: every example's sum is the number of classes. Blocks of 128 and 64 multiply as many of them."""
    net = network(2, [(20, "identity")], "softmax_cross_entropy")
    module = interpreted(net)
    assert "_times(product" in text_of(net)
    p = module.Parameters(*(np.zeros_like(a, dtype) for a in module.init(0)))
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((BLOCK + 5, 2)).astype(dtype), rng.integers(0, 20, BLOCK + 5)
    assert module.loss(p, X, y) == pytest.approx(np.log(20), rel=rounding)
    assert module.gradients(p, X, y)[0] == pytest.approx(np.log(20), rel=rounding)


@pytest.mark.parametrize("targets", ["labels", "probabilities"])
def test_losses_of_examples_that_the_network_is_sure_of(targets: str) -> None:
    """Rightly and wrongly, in blocks of every size, against SciPy."""
    net = Network(
        name="tested", inputs=2, layers=[{"kind": "dense", "units": 3}], loss={"kind": "softmax_cross_entropy", "targets": targets}
    )
    module = interpreted(net)
    p = module.Parameters(*(30 * a for a in module.init(1)))
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((101, 2)), rng.integers(0, 3, 101)
    given = y if targets == "labels" else np.eye(3)[y]
    Z = X @ p.W1.T + p.b1
    each = special.logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]
    assert each.max() > 20
    assert each.min() < 1e-9
    assert module.loss(p, X, given) == pytest.approx(each.mean(), rel=1e-13)
    assert module.gradients(p, X, given)[0] == pytest.approx(each.mean(), rel=1e-13)
