"""The evaluator against plain loops and NumPy: it judges everything else, so nothing else judges it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special
import sympy as sp
from sympy import Expr

from derive.evaluate import evaluate, value
from derive.functions import AtLeast, Expm1, Log1p, Sigmoid, where
from derive.index import ArgMax, AtMost, Axis, Delta, InRange, Max, Partial, Sum, Tensor
from derive.program import Equation, Program

Array = npt.NDArray[np.float64]

N = Axis("n", "N")
D = Axis("i", "D")
J = Axis("j", "H")
C = Axis("c", "C", 5)
n, i, j, c = N.index(), D.index(), J.index(), C.index()


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def run(tensor: Tensor, body: Expr, given: Mapping[Tensor, npt.ArrayLike]) -> npt.NDArray[np.number]:
    """The value of one equation `tensor = body`."""
    program = Program("one equation", tuple(given), (), (), (Equation(tensor, tensor.indices(), body, "1"),), (tensor,))
    return evaluate(program, {t.name: a for t, a in given.items()})[tensor.name]


def pointwise(body: Callable[[Expr], Expr], x: npt.ArrayLike) -> npt.NDArray[np.number]:
    tensor = Tensor("X", (N,))
    return run(Tensor("Y", (N,)), body(tensor[n]), {tensor: x})


@pytest.mark.parametrize(
    ("x_axes", "w_axes", "a_axes"),
    [((N, D), (J, D), (N, J)), ((D, N), (J, D), (J, N)), ((N, D), (D, J), (N, J))],
    ids=["rows", "columns", "xw"],
)
def test_dense(x_axes: tuple[Axis, Axis], w_axes: tuple[Axis, Axis], a_axes: tuple[Axis, Axis]) -> None:
    x, w, b = Tensor("X", x_axes), Tensor("W", w_axes), Tensor("b", (J,))
    examples, weights, bias = draw(4, 3), draw(6, 3, seed=1), draw(6, seed=2)
    given = {x: examples if x_axes == (N, D) else examples.T, w: weights if w_axes == (J, D) else weights.T, b: bias}
    found = run(Tensor("A", a_axes), Sum(x.entry() * w.entry(), i) + b[j], given)
    expected = np.array([[sum(row * column) + shift for column, shift in zip(weights, bias, strict=True)] for row in examples])
    np.testing.assert_allclose(found, expected if a_axes == (N, J) else expected.T, rtol=1e-14)


def test_every_tensor_is_returned_in_the_order_of_computation() -> None:
    x, s, m = Tensor("X", (N, D)), Tensor("S", (N,)), Tensor("m")
    sums = Equation(s, (n,), Sum(x[n, i], i), "1")
    mean = Equation(m, (), Sum(s[n], n) / N.count, "2")
    arrays = evaluate(Program("mean", (x,), (), (), (sums, mean), (m,)), {"X": [[1, 2], [3, 5]]})
    assert list(arrays) == ["X", "S", "m"]
    assert [a.shape for a in arrays.values()] == [(2, 2), (2,), ()]
    assert arrays["m"] == 5.5
    assert all(a.dtype == np.float64 for a in arrays.values())


def test_softmax_and_the_log_likelihood_of_labels() -> None:
    z, y = Tensor("Z", (N, C)), Tensor("y", (N,), values=C)
    p, loss = Tensor("P", (N, C), sign="positive"), Tensor("L")
    k = C.fresh()
    softmax = Equation(p, (n, c), sp.exp(z[n, c]) / Sum(sp.exp(z[n, k]), k), "1")
    mean = Equation(loss, (), -Sum(sp.log(p[n, y[n]]), n) / N.count, "2")
    scores, labels = draw(7, 5), np.array([0, 4, 2, 2, 1, 3, 0])
    found = evaluate(Program("softmax", (z,), (y,), (), (softmax, mean), (p, loss)), {"Z": scores, "y": labels})
    np.testing.assert_allclose(found["P"], scipy.special.softmax(scores, axis=1), rtol=1e-14)
    expected = -sum(scipy.special.log_softmax(scores, axis=1)[e, labels[e]] for e in range(7)) / 7
    np.testing.assert_allclose(found["L"], expected, rtol=1e-14)
    assert found["L"].shape == ()


def test_embedding_and_its_one_hot_form() -> None:
    tokens, table = Tensor("t", (N,), values=C), Tensor("E", (C, D))
    ids, rows = np.array([4, 0, 0, 3]), draw(5, 3)
    given = {tokens: ids, table: rows}
    np.testing.assert_array_equal(run(Tensor("X", (N, D)), table[tokens[n], i], given), rows[ids])
    np.testing.assert_allclose(run(Tensor("X", (N, D)), Sum(Delta(c, tokens[n]) * table[c, i], c), given), rows[ids])


def test_strided_convolution_with_padding() -> None:
    time, tap, out = Axis("t", "T"), Axis("k", "K"), Axis("p", "P", 5)
    x, w = Tensor("X", (time,)), Tensor("w", (tap,))
    p, k = out.index(), tap.fresh()
    position = 2 * p + k - 2  # stride 2, padding 2
    signal, taps = draw(8), draw(4, seed=1)
    found = run(Tensor("Y", (out,)), Sum(InRange(position, time.count) * x[position] * w[k], k), {x: signal, w: taps})
    padded = np.concatenate([np.zeros(2), signal, np.zeros(2)])
    np.testing.assert_allclose(found, [padded[2 * q : 2 * q + 4] @ taps for q in range(5)], rtol=1e-14)


def test_a_read_outside_without_a_guard_shows() -> None:
    x = Tensor("X", (N,))
    np.testing.assert_array_equal(run(Tensor("Y", (N,)), x[n + 1], {x: [1.0, 2.0, 3.0]}), [2, 3, np.nan])


def test_causal_attention() -> None:
    past = Axis("s", "T")
    now, width = Axis("t", "T"), Axis("d", "E")
    q, k, v = (Tensor(name, (axis, width)) for name, axis in (("Q", now), ("K", past), ("V", past)))
    weights, out = Tensor("A", (now, past)), Tensor("O", (now, width))
    t, s, s2, d = now.index(), past.index(), past.fresh(), width.index()

    def scores(u: Expr) -> Expr:
        return AtMost(u, t) * sp.exp(Sum(q[t, d] * k[u, d], d) / sp.sqrt(width.count))

    equations = (
        Equation(weights, (t, s), scores(s) / Sum(scores(s2), s2), "1"),
        Equation(out, (t, d), Sum(weights[t, s] * v[s, d], s), "2"),
    )
    arrays = {name: draw(6, 4, seed=e) for e, name in enumerate("QKV")}
    found = evaluate(Program("attention", (q, k, v), (), (), equations, (out,)), arrays)
    for row in range(6):
        score = [arrays["Q"][row] @ arrays["K"][e] / math.sqrt(4) for e in range(row + 1)]
        np.testing.assert_allclose(found["O"][row], scipy.special.softmax(score) @ arrays["V"][: row + 1], rtol=1e-13)


def test_max_pool_and_the_first_argmax() -> None:
    time, window = Axis("t", "T"), Axis("k", "K", 3)
    out = Axis("p", "P", 4)
    x, p, k = Tensor("X", (time,)), out.index(), window.fresh()
    signal = np.array([1.0, 5, 5, 2, 7, 0, 3, 3, 3, -1, -2, -2])
    np.testing.assert_array_equal(run(Tensor("M", (out,)), Max(x[3 * p + k], k), {x: signal}), [5, 7, 3, -1])
    first = ArgMax(x[3 * p + k], 0, k)
    np.testing.assert_array_equal(run(Tensor("F", (out,)), first, {x: signal}), [1, 1, 0, 0])
    np.testing.assert_array_equal(run(Tensor("M", (out,)), x[3 * p + first], {x: signal}), [5, 7, 3, -1])


def test_argmax_over_two_axes_is_the_first_in_row_major_order() -> None:
    x, a, b = Tensor("X", (N, D)), N.fresh(), D.fresh()
    grid = np.array([[0.0, 3.0, 1.0], [3.0, 2.0, 3.0]])
    assert [int(run(Tensor("F"), ArgMax(x[a, b], place, a, b), {x: grid})) for place in (0, 1)] == [0, 1]


def test_max_passes_nan_on() -> None:
    x, k = Tensor("X", (N,)), N.fresh()
    assert np.isnan(run(Tensor("M"), Max(x[k], k), {x: [1.0, np.nan, 2.0]}))


def test_a_branch_that_is_not_taken_may_overflow() -> None:
    found = pointwise(lambda x: where(x > 20, x, sp.log(1 + sp.exp(x))), [1e4, -1e4, 0.0, np.nan])
    np.testing.assert_array_equal(found, [1e4, 0, math.log(2), np.nan])


def test_conditions_on_nan_do_not_hold() -> None:
    x = [np.nan, 1.0]
    for relation in (sp.Lt, sp.Le, sp.Gt, sp.Ge, sp.Eq, sp.Ne):
        found = pointwise(lambda v, relation=relation: sp.Piecewise((1, relation(v, 2)), (7, True)), x)
        assert found[0] == 7, relation
    np.testing.assert_array_equal(pointwise(lambda v: AtLeast(v, sp.Integer(3)), x), [np.nan, 3])


def test_an_indicator_of_zero_beats_infinity() -> None:
    x = Tensor("X", (N,))
    found = run(Tensor("Y", (N,)), Delta(n, sp.Integer(1)) / x[n], {x: [0.0, 2.0]})
    np.testing.assert_array_equal(found, [0, 0.5])


def inverse_cube(x: Expr) -> Expr:
    return x**-3


def numbers(x: Expr) -> Expr:
    return x / 3 + sp.pi + sp.Rational(1, 10)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (Sigmoid, [-1e4, -40.0, 0.0, 1e4], [0, 1 / (1 + math.exp(40)), 0.5, 1]),
        (Log1p, [1e-20, 1.0], [1e-20, math.log(2)]),
        (Expm1, [1e-20, 1.0], [1e-20, math.e - 1]),
        (sp.erf, [0.5, -3.0], [math.erf(0.5), math.erf(-3)]),
        (sp.tanh, [0.5, 1e4], [math.tanh(0.5), 1]),
        (sp.Abs, [-2.0, 0.0], [2, 0]),
        (sp.sign, [-2.0, 0.0], [-1, 0]),
        (sp.sqrt, [2.0, 0.25], [math.sqrt(2), 0.5]),
        (inverse_cube, [2.0, -2.0], [0.125, -0.125]),
        (numbers, [3.0, 0.0], [1.1 + math.pi, 0.1 + math.pi]),
    ],
)  # fmt: skip
def test_functions(function: Callable[[Expr], Expr], x: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(pointwise(function, x), expected, rtol=1e-15)


@pytest.mark.parametrize("function", [sp.erf, sp.exp, Sigmoid, numbers])
def test_longdouble_stays_longdouble(function: Callable[[Expr], Expr]) -> None:
    x = np.array([0.3, -1.7], dtype=np.longdouble)
    found = pointwise(function, x)
    assert found.dtype == np.longdouble
    definition = Sigmoid.definition if function is Sigmoid else function
    for entry, point in zip(found, x, strict=True):
        exact = definition(sp.Float(str(point), 40)).evalf(40)
        assert abs(sp.Float(str(entry), 40) - exact) < abs(exact) * sp.Float("4e-19")


def test_indices_and_sizes_are_values() -> None:
    found = value(n * C.count + c, (c, n), {}, {"N": 2})
    np.testing.assert_array_equal(found, [[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]])


def test_the_empty_sum_is_zero() -> None:
    x = Tensor("X", (N,))
    assert run(Tensor("S"), Sum(x[n], n), {x: np.zeros(0)}) == 0


X, W, Y = Tensor("X", (N, D)), Tensor("W", (J, D)), Tensor("y", (N,), values=C)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X": draw(4, 3), "y": [0] * 4}, r"missing for \['W'\]"),
        ({"X": draw(4, 3), "W": draw(2, 3), "y": [0] * 4, "b": 1}, r"no given tensor for \['b'\]"),
        ({"X": draw(4, 3), "W": draw(2, 4), "y": [0] * 4}, r"D is 4 in the shape \(2, 4\) of W, but 3 by X"),
        ({"X": draw(4), "W": draw(2, 3), "y": [0] * 4}, r"X has 2 axes, but its array has shape \(4,\)"),
        ({"X": draw(4, 3), "W": draw(2, 3), "y": [0, 1, 2, 5]}, "labels from 0 to 4; found 0 to 5"),
        ({"X": draw(4, 3), "W": draw(2, 3), "y": [0.0, 1.0, 2.0, 4.0]}, "labels: integers, not float64"),
    ],
)
def test_arrays_that_do_not_fit(given: Mapping[str, npt.ArrayLike], message: str) -> None:
    a = Tensor("A", (N, J))
    product = Equation(a, (n, j), Sum(X[n, i] * W[j, i], i), "1")
    with pytest.raises(ValueError, match=message):
        evaluate(Program("dense", (X,), (Y,), (W,), (product,), (a,)), given)


def test_a_declared_extent_binds() -> None:
    z = Tensor("Z", (C,))
    with pytest.raises(ValueError, match=r"C is 4 in the shape .* of Z, but 5 by its declaration"):
        run(Tensor("S"), Sum(z[c], c), {z: draw(4)})


def test_an_unknown_extent_is_named() -> None:
    with pytest.raises(ValueError, match="the extent H of axis j is unknown"):
        run(Tensor("S"), Sum(j, j), {})


def test_what_has_no_value_is_named() -> None:
    x = Tensor("X", (N,))
    with pytest.raises(ValueError, match="kind Partial has no numerical value"):
        value(Partial(x[n], x[n]), (n,), {"X": draw(3)}, {"N": 3})
    with pytest.raises(ValueError, match="index i is not bound"):
        value(i + n, (n,), {}, {"N": 3, "D": 2})
