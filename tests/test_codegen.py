"""Generated modules: their numbers against autograd, their training, extreme values, what they refuse."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codegen
from codegen.cache import imported
from derive import Network
from tests import random_networks
from tests.allocations import allocates_in_its_loop
from tests.modules import interpreted, network, parameters, text_of

Case = tuple[Any, random_networks.Point, Network]
CROSS_ENTROPY = "softmax_cross_entropy"
HALF_SQUARES = {"kind": "mean_squared_error", "half": True}

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of overflow in modules that Python runs


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def compiled(net: Network, cache: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        return codegen.build(net)


UNITS = {
    "rows": (9, 5),
    "columns": (90, 15),
}  # rows: in blocks; columns: in whole batches, with products of matrices (15 x 90) and with loops


@pytest.fixture(scope="session", params=list(UNITS))
def case(request: pytest.FixtureRequest, cache: Path) -> Case:
    """A compiled module and 7 examples."""
    first, second = UNITS[request.param]
    net = network(3, [(first, "relu"), (second, "tanh"), (3, "identity")], CROSS_ENTROPY, request.param)
    module = compiled(net, cache)
    assert hasattr(module, "_gradients_block") == (request.param == "rows")
    return module, random_networks.point(net, 7, seed=3), net


def at_point(module: Any, point: random_networks.Point, dtype: type = np.float64) -> Any:
    return module.Parameters(*(point.parameters[name].astype(dtype) for name in module.Parameters._fields))


# -- numbers -------------------------------------------------------------------------------------------------------------


def test_gradients_agree_with_autograd(case: Case) -> None:
    module, point, net = case
    loss, expected, _ = random_networks.autograd(net, point)
    value, found = module.gradients(at_point(module, point), point.X, point.y)
    assert value == pytest.approx(loss, rel=1e-14)
    assert module.loss(at_point(module, point), point.X, point.y) == pytest.approx(loss, rel=1e-14)
    assert random_networks.worst_error(found._asdict(), expected) < 1e-12


def test_float32_stays_float32(case: Case) -> None:
    module, point, net = case
    _, expected, _ = random_networks.autograd(net, point)
    p = at_point(module, point, np.float32)
    _, found = module.gradients(p, point.X, point.y)
    assert {a.dtype for a in (*found, module.predict(p, point.X))} == {np.dtype(np.float32)}
    assert random_networks.worst_error(found._asdict(), expected) < 1e-5
    if hasattr(module, "_gradients_block"):  # the product under the one logarithm of a block is all that is float64
        text = text_of(net)
        assert text.count("product = np.float64(1)") == 2  # loss and gradients
        module = imported("single", text.replace("product = np.float64(1)", "product = real(1)"), "<single>")
        module.gradients(at_point(module, point, np.float32), point.X, point.y)
    kernel = module._gradients
    single = next(s for s in kernel.signatures if "float32" in str(s))
    assert not re.findall(r"f(?:mul|exp)\b.* double", kernel.inspect_llvm(single))


def test_predict_gives_an_example_a_row(case: Case) -> None:
    module, point, _ = case
    P = module.predict(at_point(module, point), point.X)
    assert P.shape == (7, 3)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(module.predict(at_point(module, point), point.X[2:3]), P[2:3], rtol=1e-13)
    assert module.predict(at_point(module, point), point.X[:0]).shape == (0, 3)


def test_a_spoilt_example_spoils_its_own_prediction_only(case: Case) -> None:
    module, point, _ = case
    good = module.predict(at_point(module, point), point.X)
    X = point.X.copy()
    X[1, 0], X[4, 2] = np.nan, np.inf
    found = module.predict(at_point(module, point), X)
    assert np.isnan(found[1]).all()
    others = [0, 2, 3, 5, 6]
    np.testing.assert_allclose(found[others], good[others], rtol=1e-13)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(random_networks.networks(), st.integers(1, 7), st.integers(0, 1000))
def test_any_network(net: Network, examples: int, seed: int) -> None:
    module, point = interpreted(net), random_networks.point(net, examples, seed)
    loss, expected, _ = random_networks.autograd(net, point)
    weights = {} if point.weights is None else {"sample_weight": point.weights}
    value, found = module.gradients(at_point(module, point), point.X, point.y, **weights)
    assert value == pytest.approx(loss, rel=1e-12, abs=1e-14)
    losses = module.loss(at_point(module, point), point.X, point.y, **weights)  # one by one without a reduction
    assert float(np.sum(losses)) == pytest.approx(loss, rel=1e-12, abs=1e-14)
    assert random_networks.worst_error(found._asdict(), expected) < 1e-12
    assert module.predict(at_point(module, point), point.X).shape == (examples, net.outputs)


# -- training ------------------------------------------------------------------------------------------------------------


def descended(module: Any, p: Any, X: Any, y: Any, order: list[list[int]], batch: int, rate: float) -> tuple[Any, list[float]]:
    """Stochastic gradient descent spelt out."""
    losses: list[float] = []
    for epoch in order:
        total = 0.0
        for start in range(0, len(epoch), batch):
            chosen = epoch[start : start + batch]
            loss, gradient = module.gradients(p, X[chosen], y[chosen])
            p = module.Parameters(*(a - rate * g for a, g in zip(p, gradient, strict=True)))
            total += loss * len(chosen)
        losses.append(total / len(epoch))
    return p, losses


def shuffled(rng: np.random.Generator, size: int) -> list[int]:
    order = list(range(size))
    for k in range(size - 1, 0, -1):
        other = int(rng.random() * (k + 1))
        order[k], order[other] = order[other], order[k]
    return order


@pytest.mark.parametrize("shuffle", [True, False])
def test_training_is_repeated_descent(case: Case, shuffle: bool) -> None:
    module, point, _ = case
    p, rng = at_point(module, point), np.random.default_rng(5)
    before = [a.copy() for a in p]
    order = [shuffled(rng, 7) if shuffle else list(range(7)) for _ in range(3)]
    expected, losses = descended(module, p, point.X, point.y, order, 3, 0.2)
    found, history = module.train(p, point.X, point.y, epochs=3, batch_size=3, learning_rate=0.2, seed=5, shuffle=shuffle)
    assert all((a == b).all() for a, b in zip(p, before, strict=True))
    assert random_networks.worst_error(found._asdict(), expected._asdict()) < 1e-13
    np.testing.assert_allclose(history, losses, rtol=1e-12)


def test_training_is_reproducible_and_goes_on(case: Case) -> None:
    module, point, _ = case
    p, at = at_point(module, point), {"batch_size": 3, "learning_rate": 0.1}
    once, losses = module.train(p, point.X, point.y, epochs=4, seed=1, **at)
    again, _ = module.train(p, point.X, point.y, epochs=4, seed=1, **at)
    rng = np.random.default_rng(1)
    first, start = module.train(p, point.X, point.y, epochs=1, seed=rng, **at)
    parts, rest = module.train(first, point.X, point.y, epochs=3, seed=rng, **at)
    assert all((a == b).all() and (a == c).all() for a, b, c in zip(once, again, parts, strict=True))
    assert list(losses) == [*start, *rest]


def test_training_allocates_nothing_in_its_loop(case: Case) -> None:
    module, point, _ = case
    assert not allocates_in_its_loop(module, at_point(module, point), point.X, point.y, 2)


@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
def test_training_with_a_summed_loss_of_values(convention: str) -> None:
    net = network(2, [(3, "sigmoid"), (2, "identity")], {"kind": "mean_squared_error", "reduction": "sum"}, convention)
    module, point = interpreted(net), random_networks.point(net, 5, 0)
    p = at_point(module, point)
    q, losses = module.train(p, point.X, point.y, epochs=1, batch_size=5, learning_rate=0.01, shuffle=False)
    loss, gradient = module.gradients(p, point.X, point.y)
    assert losses[0] == pytest.approx(loss)
    np.testing.assert_allclose(q.W1, p.W1 - 0.01 * gradient.W1, rtol=1e-13)


# -- starting values -----------------------------------------------------------------------------------------------------


def test_init_follows_the_activation() -> None:
    module = interpreted(network(400, [(300, "relu"), (200, "tanh"), (100, "leaky_relu")], HALF_SQUARES))
    p = module.init(seed=2)
    assert p.W1.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)  # He
    assert np.abs(p.W2).max() == pytest.approx(np.sqrt(6 / 500), rel=0.01)  # Glorot, uniform
    assert p.W3.std() == pytest.approx(np.sqrt(2 / (1 + 0.01**2) / 200), rel=0.02)
    assert not p.b1.any()
    assert (module.init(seed=2).W1 == p.W1).all()
    assert module.init(seed=2, dtype=np.float32).W1.dtype == np.float32
    with pytest.raises(TypeError, match="float32 or float64"):
        module.init(dtype=np.int64)


# -- extremes ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def logits(cache: Path) -> Any:
    """Softmax cross-entropy of three logits: with W1 zero, the logits are b1 and dL/dlogits of one example is db1."""
    return compiled(network(3, [(3, "identity")], CROSS_ENTROPY), cache)


INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("z", "y", "loss", "gradient"),
    [
        ([1e4, 0, -1e4], 2, 2e4, [1, 0, -1]),
        ([0, 0, 0], 0, np.log(3), [-2 / 3, 1 / 3, 1 / 3]),
        ([1e4, 1e4, 1e4], 1, np.log(3), [1 / 3, -2 / 3, 1 / 3]),
        ([-1e4, -1e4, -1e4], 1, np.log(3), [1 / 3, -2 / 3, 1 / 3]),
        ([NAN, 0, 1], 1, NAN, [NAN, NAN, NAN]),
        ([0, 1, NAN], 1, NAN, [NAN, NAN, NAN]),
    ],
)
def test_softmax_cross_entropy_of_extremes(logits: Any, dtype: type, z: list[float], y: int, loss: float, gradient: list[float]) -> None:
    p = parameters(logits, np.zeros((3, 3)), z, dtype=dtype)
    value, found = logits.gradients(p, np.zeros((1, 3)), np.array([y]))
    rtol = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(value, loss, rtol=rtol)
    np.testing.assert_allclose(found.b1, gradient, rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_infinite_logits(logits: Any, dtype: type) -> None:
    """A logit of +inf, or all of -inf, is NaN for its own row; one of -inf is a probability of 0, and an infinite loss for its label."""
    p = parameters(logits, np.zeros((3, 3)), [-INF, 0, 0], dtype=dtype)
    X = np.zeros((1, 3))
    np.testing.assert_allclose(logits.predict(p, X), [[0, 0.5, 0.5]])
    value, found = logits.gradients(p, X, np.array([0]))
    assert value == INF
    np.testing.assert_allclose(found.b1, [-1, 0.5, 0.5])
    for bias in ([INF, 0, 0], [-INF, -INF, -INF]):
        assert np.isnan(logits.predict(parameters(logits, np.zeros((3, 3)), bias, dtype=dtype), X)).all()


@functools.cache
def one_unit(kind: str, activation: str) -> Any:
    return interpreted(network(1, [(1, activation)], kind))


@pytest.mark.parametrize(
    ("kind", "activation", "z", "y", "loss", "gradient"),
    [
        ("binary_cross_entropy_with_logits", "identity", 1e4, 1, 0, 0),
        ("binary_cross_entropy_with_logits", "identity", 1e4, 0, 1e4, 1),
        ("binary_cross_entropy_with_logits", "identity", -1e4, 0, 0, 0),
        ("binary_cross_entropy_with_logits", "identity", -1e4, 1, 1e4, -1),
        ("binary_cross_entropy", "sigmoid", 1e4, 0, 100, 1),  # the logarithm is clamped at -100, as PyTorch does
        ("binary_cross_entropy", "sigmoid", -1e4, 1, 100, -1),
        ("binary_cross_entropy", "sigmoid", 1e4, 1, 0, 0),
        ("binary_cross_entropy", "sigmoid", -60, 1, 60, -1),  # PyTorch takes the logarithm of a rounded probability
        ("binary_cross_entropy", "sigmoid", NAN, 1, NAN, NAN),
        ("binary_cross_entropy", "identity", 1, 0, 100, 1e12),
        ("mean_squared_error", "relu", 0, -1, 1, 0),  # the derivative of ReLU at 0 is 0
        ("mean_squared_error", "leaky_relu", 0, -1, 1, 0.02),
        ("mean_squared_error", "relu", NAN, 0, NAN, NAN),
        ("mean_squared_error", "softplus", 1e4, 0, 1e8, 2e4),
        ("mean_squared_error", "silu", -1e4, 1, 1, 0),
        ("mean_squared_error", "elu", -1e4, 0, 1, 0),
        ("mean_squared_error", "gelu_tanh", -1e4, 1, 1, 0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_unit_at_extremes(kind: str, activation: str, z: float, y: float, loss: float, gradient: float, dtype: type) -> None:
    module = one_unit(kind, activation)
    value, found = module.gradients(parameters(module, [[0]], [z], dtype=dtype), np.zeros((1, 1)), np.array([y]))
    np.testing.assert_allclose(value, loss, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(found.b1, [gradient], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", {"formula": "-target * log(prediction) - (1 - target) * log(1 - prediction)"}])
def test_the_loss_of_a_probability_is_that_of_its_logit(loss: object, dtype: type[np.float64] | type[np.float32]) -> None:
    """To the last digits, also where the probability is rounded; the built-in loss is clamped at 100, the formula is not."""
    module = interpreted(network(1, [(1, "sigmoid")], loss))
    z = np.array([-1e4, -101, -99, -60, -38, -36, -18, -5, -0.5, -1e-9, 0, 1e-9, 0.7, 3, 17, 20, 37, 45, 99, 101, 1e4], dtype)
    p = parameters(module, [[1]], [0], dtype=dtype)
    limits = np.finfo(dtype)
    for y in (0.0, 1.0, 0.25):
        expected = [float(y * exact_loss(-v, loss) + (1 - y) * exact_loss(v, loss)) for v in z]
        found = [module.loss(p, np.array([[v]]), np.array([[y]])) for v in z]
        np.testing.assert_allclose(found, expected, rtol=float(4 * limits.eps), atol=float(2 * limits.smallest_subnormal))


def exact_loss(x: float, loss: object) -> mpmath.mpf:
    """-log(1 - sigmoid(x)) with 50 digits."""
    with mpmath.workdps(50):
        value = mpmath.log1p(mpmath.exp(mpmath.mpf(float(x))))
        return min(value, mpmath.mpf(100)) if loss == "binary_cross_entropy" else value


# -- what X may be -------------------------------------------------------------------------------------------------------


def test_any_layout_and_any_real_type_is_taken(case: Case, tmp_path: Path) -> None:
    module, point, _ = case
    p = at_point(module, point)
    X = np.round(8 * point.X)
    expected = module.gradients(p, X, point.y)[1]
    mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    mapped[:] = X
    frozen = X.copy()
    frozen.flags.writeable = False
    wide = np.zeros((14, 6))
    wide[::2, ::2] = X
    forms: list[Any] = [
        np.asfortranarray(X),
        wide[::2, ::2],
        X[::-1][::-1],
        frozen,
        mapped,
        X.astype(">f8"),
        X.astype(int),
        X.astype("f4"),
        X.tolist(),
    ]
    for form in forms:
        found = module.gradients(p, form, point.y)[1]
        assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    for labels in (point.y.astype(np.uint8), point.y[::-1][::-1], point.y.astype(">i4"), point.y.tolist()):
        assert (module.gradients(p, X, labels)[1].b1 == expected.b1).all()


@pytest.mark.parametrize(
    ("kind", "x", "y", "loss"),
    [
        ("binary_cross_entropy", 1e-10, 0, 1.00000000005e-10),
        ("binary_cross_entropy_with_logits", 17.0, 1, 4.139937633089748e-08),
        ("binary_cross_entropy_with_logits", -17.0, 0, 4.139937633089748e-08),
        ("binary_cross_entropy_with_logits", 40.0, 1, 4.248354255291589e-18),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_small_loss_keeps_its_digits(kind: str, x: float, y: float, loss: float, dtype: type) -> None:
    module = one_unit(kind, "identity")
    found = module.loss(parameters(module, [[1]], [0], dtype=dtype), np.array([[x]], dtype), [y])
    assert abs(found / loss - 1) < 8 * (2.0**-52 if dtype is np.float64 else 2.0**-23)


# -- what is refused -----------------------------------------------------------------------------------------------------

X = np.zeros((4, 2))
Y = np.array([0, 1, 2, 0])


@pytest.fixture(scope="session")
def labelled() -> Any:
    return interpreted(network(2, [(3, "identity")], CROSS_ENTROPY))


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros((4, 3)), Y, ValueError, r"X has shape \(4, 3\): \[N, 2\] is needed"),
        (np.zeros(2), Y, ValueError, r"X has shape \(2,\)"),
        (np.zeros((0, 2)), Y[:0], ValueError, "empty batch"),
        (X + 0j, Y, TypeError, "X has dtype complex128"),
        (X.astype(object), Y, TypeError, "X has dtype object"),
        (np.full((4, 2), "1"), Y, TypeError, "X has dtype <U1"),
        (np.ma.masked_array(X, mask=X == 0), Y, TypeError, "X is a masked array"),
        (list(np.ma.masked_array(X, mask=X == 0)), Y, TypeError, "X is a masked array"),
        (X, np.ma.masked_array(Y, mask=Y == 0), TypeError, "y is a masked array"),
        (np.full((4, 2), np.longdouble("1e400")), Y, ValueError, "X holds a number that float64 cannot"),
        (X, Y[:3], ValueError, r"y has shape \(3,\): \(4,\) is needed"),
        (X, Y.reshape(4, 1), ValueError, r"y has shape \(4, 1\)"),
        (X, Y.astype(float), TypeError, "y has dtype float64: labels are integers"),
        (X, np.array([0, 1, 3, 9]), IndexError, r"y\[2\] is 3: labels are 0 .. 2"),
        (X, np.array([0, -1, 3, 9]), IndexError, r"y\[1\] is -1"),
        (X, np.array([0, 1, 2, 2**64 - 1], np.uint64), IndexError, r"y\[3\] is 18446744073709551615"),
    ],
)
def test_wrong_examples_and_labels_are_refused(labelled: Any, x: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        labelled.gradients(labelled.init(), x, y)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"W1": np.zeros((2, 3))}, ValueError, r"W1 has shape \(2, 3\): an array of shape \(3, 2\) is needed"),
        ({"b1": np.zeros(3, np.float32)}, TypeError, "b1 has dtype float32, and the first array has float64"),
        ({"W1": np.zeros((3, 2), int)}, TypeError, "float32 or float64 is needed"),
        ({"W1": np.ma.masked_array(np.zeros((3, 2)), mask=True)}, ValueError, "without a mask"),
    ],
)
def test_wrong_parameters_are_refused(labelled: Any, change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        labelled.predict(labelled.init()._replace(**change), X)


@pytest.mark.parametrize("p", [None, {"W1": 1, "b1": 2}, (x for x in "ab"), np.zeros((2, 3))])
def test_what_is_no_list_of_parameters_is_refused(labelled: Any, p: Any) -> None:
    with pytest.raises(TypeError, match=r"p has type \w+: Parameters\(W1, b1\) is needed"):
        labelled.predict(p, X)


def test_numbers_too_large_for_float32_are_refused() -> None:
    """They would become infinity, and infinity NaN."""
    module = interpreted(network(2, [(1, "identity")], "mean_squared_error"))
    p = module.init(dtype=np.float32)
    for x, y, name in ((X + 1e39, np.zeros(4), "X"), (X, np.full(4, 1e39), "y")):
        with pytest.raises(ValueError, match=f"{name} holds a number that float32 cannot"):
            module.loss(p, x, y)
    for rate in (1e39, 1e-50):
        with pytest.raises(
            ValueError, match=f"learning_rate is {rate}: a finite number above 0 is needed, of type float32".replace("+", r"\+")
        ):
            module.train(p, X, np.zeros(4), epochs=1, batch_size=2, learning_rate=rate)
    assert np.isinf(module.loss(p, X, np.full(4, INF)))


def test_a_choice_is_true_or_false(labelled: Any) -> None:
    with pytest.raises(TypeError, match="shuffle has type str: True or False is needed"):
        labelled.train(labelled.init(), X, Y, epochs=1, batch_size=2, learning_rate=0.1, shuffle="no")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"learning_rate": "0.1"}, "learning_rate is '0.1'"),
        ({"learning_rate": 10**400}, "learning_rate is 1000"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": True}, "epochs is True"),
        ({"batch_size": 2.0}, "batch_size is 2.0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": NAN}, "learning_rate is nan"),
        ({"learning_rate": INF}, "learning_rate is inf"),
    ],
)
def test_wrong_settings_are_refused(labelled: Any, setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled.train(labelled.init(), X, Y, **{"epochs": 1, "batch_size": 2, "learning_rate": 0.1, **setting})


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("binary_cross_entropy_with_logits", [[0.5, 1], [0, 1.5]], r"y\[1, 1\] is 1.5: a number in \[0, 1\]"),
        ("binary_cross_entropy_with_logits", [[NAN, 1], [0, 1]], r"y\[0, 0\] is nan"),
        ({"kind": CROSS_ENTROPY, "targets": "probabilities"}, [[0.5, 0.5], [0.5, 0.4]], r"y\[1\] sums to 0.9"),
        ({"kind": CROSS_ENTROPY, "targets": "probabilities"}, [[0.5, 0.5], [1.5, -0.5]], r"y\[1, 1\] is -0.5"),
        ({"kind": CROSS_ENTROPY, "targets": "probabilities"}, [[0.5, NAN], [1, 0]], r"y\[0, 1\] is nan"),
        ("mean_squared_error", [[0.5, 1], [1, NAN]], r"y\[1, 1\] is nan: numbers are needed"),
        ("mean_squared_error", [[0.5], [1]], r"y has shape \(2, 1\): \(2, 2\) is needed"),
    ],
)
def test_wrong_targets_are_refused(loss: object, y: Any, message: str) -> None:
    module = interpreted(network(2, [(2, "identity")], loss))
    with pytest.raises(ValueError, match=message):
        module.gradients(module.init(), X[:2], np.array(y))


def test_nan_is_refused_where_there_is_a_loss() -> None:
    module = interpreted(network(2, [(2, "identity")], "mean_squared_error"))
    x = np.array([[1, 2], [np.inf, NAN], [NAN, 0]])
    assert np.isnan(module.predict(module.init(), x)[1:]).all()
    for call in (module.loss, module.gradients):
        with pytest.raises(ValueError, match=r"X\[1, 1\] is nan: numbers are needed"):
            call(module.init(), x, x)
    with pytest.raises(ValueError, match=r"X\[1, 1\] is nan"):
        module.train(module.init(), x, np.zeros((3, 2)), epochs=1, batch_size=2, learning_rate=0.1)


def test_one_output_takes_targets_without_an_axis() -> None:
    module = interpreted(network(2, [(1, "identity")], "mean_squared_error"))
    p = module.init()
    assert module.loss(p, X, np.arange(4)) == module.loss(p, X, np.arange(4).reshape(4, 1))


def test_predictions_that_are_no_probabilities_are_refused(cache: Path) -> None:
    module = compiled(network(1, [(1, "identity")], "binary_cross_entropy"), cache)
    p, x, y = parameters(module, [[1]], [0]), np.array([[0.5], [0.2], [1.5]]), np.array([0, 1, 1])
    with pytest.raises(ValueError, match=r"P\[2, 0\] lies outside \[0, 1\]: binary_cross_entropy takes probabilities"):
        module.gradients(p, x, y)
    with pytest.raises(ValueError, match="lies outside"):
        module.train(p, x, y, epochs=1, batch_size=3, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"X\[0, 0\] is nan"):
        module.loss(p, np.array([[NAN]]), y[:1])
