"""What training and its loss do beside the gradient: masks, running statistics, weights of examples, ignored labels."""

from __future__ import annotations

import signal
import time
from typing import Any, cast

import numpy as np
import pytest

from codegen.cache import load_module
from tests.allocations import allocates_in_its_loop
from tests.module_cases import at, module, text
from tests.modules import interpreted, network


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_module("normalised", text("normalised"))


class Ended(Exception):
    pass


def _end(*_: object) -> None:
    raise Ended


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no timer that sends a signal")
def test_a_signal_ends_training(compiled: Any) -> None:
    """As Ctrl-C does, long before the last epoch; and nothing is left behind."""
    point, few, many = at("normalised"), 1000, 10**7
    data: Any = point.parameters, point.X, point.y
    options: Any = {"batch_size": 4, "learning_rate": 1e-3}
    before = compiled.train(*data, epochs=few, **options)[1]
    start = time.monotonic()
    compiled.train(*data, epochs=few, **options)
    took, kept = time.monotonic() - start, signal.signal(signal.SIGALRM, _end)
    try:
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Ended):
            compiled.train(*data, epochs=many, **options)
        assert time.monotonic() - start < took * many / few / 2
    finally:
        signal.signal(signal.SIGALRM, kept)
    assert np.array_equal(compiled.train(*data, epochs=few, **options)[1], before)


# -- masks and statistics ------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_masks_everywhere(compiled: Any) -> None:
    plain, point = module("normalised"), at("normalised")
    p, X, y = point.parameters, point.X, point.y
    masks = [m.masks(7, seed) for m in (plain, compiled) for seed in (0, 0, 1)]
    assert all((m["M"] == masks[0]["M"]).all() for k, m in enumerate(masks) if k not in (2, 5))
    assert (masks[2]["M"] == masks[5]["M"]).all()
    assert (masks[0]["M"] != masks[2]["M"]).any()
    assert 0.7 < plain.masks(4000)["M"].mean() < 0.8
    losses, other = plain.loss(p, X, y, seed=5), plain.loss(p, X, y, 6)
    assert losses.shape == (7,)
    assert (losses != other).any()
    assert plain.gradients(p, X, y, seed=5)[0] == pytest.approx(losses.sum(), rel=1e-14)
    assert compiled.gradients(p, X, y, seed=5)[0] == pytest.approx(losses.sum(), rel=1e-14)
    np.testing.assert_allclose(compiled.loss(p, X, y, seed=5), losses, rtol=1e-13)


def test_predictions_read_the_statistics_and_draw_nothing(compiled: Any) -> None:
    point = at("normalised")
    p, X = point.parameters, point.X
    normal = (X @ p.W1.T - p.running_mean) / np.sqrt(p.running_variance + 1e-5) * p.gamma
    hidden: Any = cast(Any, np.where)(normal <= 0, p.a * normal, normal)
    for found in (module("normalised").predict(p, X), compiled.predict(p, X)):
        np.testing.assert_allclose(found, hidden @ p.W2.T, rtol=1e-13)


def test_training_draws_anew_and_replaces_the_statistics(compiled: Any) -> None:
    """One epoch spelt out: the order, then for every batch its masks, a step on what is learned, and the next statistics."""
    point, plain = at("normalised"), module("normalised")
    rng, rate = np.random.default_rng(3), 0.01
    order = np.arange(7)
    plain._shuffle(rng, order)
    p, total = point.parameters, 0.0
    for batch in (order[:4], order[4:]):
        X, y = point.X[batch], point.y[batch]
        A = X @ p.W1.T
        loss, gradient = plain.gradients(p, X, y, seed=rng)
        total += loss
        assert not gradient.running_mean.any()
        assert not gradient.running_variance.any()
        p = plain.Parameters(*(a - rate * g for a, g in zip(p, gradient, strict=True)))
        p = p._replace(
            running_mean=0.9 * p.running_mean + 0.1 * A.mean(axis=0),
            running_variance=0.9 * p.running_variance + 0.1 * A.var(axis=0, ddof=1),
        )
    for m in (plain, compiled):
        found, losses = m.train(point.parameters, point.X, point.y, epochs=1, batch_size=4, learning_rate=rate, seed=3)
        assert losses[0] == pytest.approx(total, rel=1e-13)
        for name in p._fields:
            np.testing.assert_allclose(getattr(found, name), getattr(p, name), rtol=1e-11, err_msg=name)


def test_training_allocates_nothing_in_its_loop(compiled: Any) -> None:
    point = at("normalised", 8)
    assert not allocates_in_its_loop(compiled, point.parameters, point.X, point.y, 2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the statistics that gradients discards
def test_a_batch_of_one_is_refused_where_a_variance_divides_by_none() -> None:
    point, m = at("normalised"), module("normalised")
    with pytest.raises(ValueError, match=r"batch_size is 3: the last batch would hold 1 of 7 examples, at least 2 are needed"):
        m.train(point.parameters, point.X, point.y, epochs=1, batch_size=3, learning_rate=0.1)
    assert np.isfinite(m.gradients(point.parameters, point.X[:1], point.y[:1])[0])


# -- weights of examples -------------------------------------------------------------------------------------------------


def test_weights_are_those_of_repeated_examples() -> None:
    m, point = module("tokens"), at("tokens", 4)
    p, X, y = point.parameters, point.X, point.y
    twice = [0, 1, 1, 3]
    assert m.loss(p, X, y, [1, 2, 0, 1]) == pytest.approx(m.loss(p, X[twice], y[twice]), rel=1e-14)
    assert m.loss(p, X, y) == m.loss(p, X, y, np.ones(4))


def test_training_counts_examples_by_their_weights() -> None:
    """The loss of an epoch is that of all examples together; a batch of which nothing counts leaves the parameters alone."""
    m, point = module("tokens"), at("tokens", 6)
    weights = np.array([0.5, 3, 0, 0, 1, 1])
    p, losses = m.train(
        point.parameters, point.X, point.y, epochs=1, batch_size=2, learning_rate=1e-300, shuffle=False, sample_weight=weights
    )
    assert losses[0] == pytest.approx(m.loss(point.parameters, point.X, point.y, weights), rel=1e-14)
    p, _ = m.train(point.parameters, point.X, point.y, epochs=1, batch_size=2, learning_rate=0.1, shuffle=False, sample_weight=weights)
    assert all(np.isfinite(a).all() for a in p)


def test_ignored_labels_count_nothing() -> None:
    m = module("ignoring")
    p, X = m.init(), np.zeros((2, 4), int)
    y = np.array([[0, -100, 2, -100], [-100, -100, -100, -100]])
    assert m.loss(p, X, y) == m.loss(p, X[:1], y[:1])
    q, _ = m.train(p, X, y, epochs=1, batch_size=1, learning_rate=0.1)
    assert all(np.isfinite(a).all() for a in q)
    with pytest.raises(ValueError, match="no label counts: the mean of their losses is undefined"):
        m.gradients(p, X[1:], y[1:])
    wrong = y.copy()
    wrong[1, 2] = -1
    with pytest.raises(IndexError, match=r"y\[1, 2\] is -1: labels are 0 .. 2, or -100, which counts nothing"):
        m.loss(p, X, wrong)
    with pytest.raises(TypeError, match="sample_weight"):
        m.loss(p, X, y, sample_weight=np.ones((2, 4)))


def test_optimizers_of_large_layers_begin_at_rest_and_go_on_where_they_ended() -> None:
    """What an optimizer remembers is zeros at first: the first step of Momentum is that of SGD. Two runs of one epoch are one of two."""
    net = network(40, [(30, "tanh"), (2, "identity")], "mean_squared_error")
    module = interpreted(net)
    assert "_copied" in vars(module)
    rng = np.random.default_rng(0)
    p, X, y = module.init(1), rng.standard_normal((4, 40)), rng.standard_normal((4, 2))

    def trained(start: Any, optimizer: Any, epochs: int, state: Any = None) -> Any:
        taken = {"batch_size": 4, "learning_rate": 0.1, "shuffle": False, "optimizer": optimizer, "state": state}
        return module.train(start, X, y, epochs=epochs, **taken)[0]

    for mine, plain in zip(trained(p, module.Momentum(), 1), trained(p, module.SGD(), 1), strict=True):
        np.testing.assert_allclose(mine, plain, rtol=1e-13, atol=1e-15)
    state = module.State()
    twice = trained(trained(p, module.Adam(), 1, state), module.Adam(), 1, state)
    for mine, whole in zip(twice, trained(p, module.Adam(), 2), strict=True):
        np.testing.assert_array_equal(mine, whole)
