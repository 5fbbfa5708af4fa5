"""Modules of programs by hand: images, tokens, weights, masks and running statistics, against autograd and against repeated descent."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor as Torch

from chainrule import cli
from chainrule.kinks import kinks
from chainrule.sample import sample, sample_of
from chainrule.verify import verify_at
from codegen.about import About
from codegen.cache import load_module
from codegen.render import module_text, render
from derive import Network, differentiate, prove
from derive.formulas.losses import Target
from derive.program import Derivation, Program
from tests import handmade_modules as hand
from tests.modules import interpreted, interpreted_text

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A program with what its module needs to be rendered, and PyTorch's losses of the same arrays."""

    forward: Program
    inference: Program
    words: About
    reference: Callable[[Arrays, Arrays], Torch]  # of leaves, and of data with masks and weights


def images_torch(a: Arrays, data: Arrays) -> Torch:
    hidden = F.conv2d(data["X"], a["W1"], a["b1"], stride=(1, 2), padding=1).relu()
    return F.cross_entropy(torch.einsum("notu,cotu->nc", hidden, a["W2"]), data["y"])


def tokens_torch(a: Arrays, data: Arrays) -> Torch:
    z = a["E1"][data["X"]] @ a["W2"].T + a["b2"]
    weight = torch.tensor([1, 1 / 2, 1 / 3], dtype=torch.float64)[data["y"]] * data["s"][:, None]
    return (weight * F.cross_entropy(z.permute(0, 2, 1), data["y"], reduction="none")).sum() / weight.sum()


def ignoring_torch(a: Arrays, data: Arrays) -> Torch:
    z = a["E1"][data["X"]] @ a["W2"].T + a["b2"]
    weight = torch.tensor([1, 1 / 2, 1 / 3], dtype=torch.float64)
    return F.cross_entropy(z.permute(0, 2, 1), data["y"], weight, ignore_index=-100)


def normalised_torch(a: Arrays, data: Arrays) -> Torch:
    normal = F.batch_norm(data["X"] @ a["W1"].T, None, None, a["gamma"], training=True)
    hidden = F.prelu(normal, a["a"].reshape(1)) * data["M"] / 0.75
    return ((hidden @ a["W2"].T - data["Y"]) ** 2).sum()


def pooled_torch(a: Arrays, data: Arrays) -> Torch:
    found = (data["X"].reshape(-1, 2, 3) * a["W1"][:, None]).amax(dim=2).sum(dim=1)
    return ((found - data["y"]) ** 2).mean()


NUMBER = About("pooled", "pooled: a maximum.", "values")
CASES = {
    "images": Case(hand.images(), hand.images(), hand.IMAGES, images_torch),
    "images in columns": Case(hand.images(last=True), hand.images(last=True), hand.IMAGES, images_torch),
    "tokens": Case(hand.tokens(), hand.tokens(), hand.TOKENS, tokens_torch),
    "ignoring": Case(hand.tokens(each=True), hand.tokens(each=True), hand.IGNORING, ignoring_torch),
    "normalised": Case(hand.normalised(), hand.normalised(training=False), hand.NORMALISED, normalised_torch),
    "pooled": Case(hand.pooled(), hand.pooled(), NUMBER, pooled_torch),
}


@functools.cache
def derivation(name: str) -> Derivation:
    return differentiate(CASES[name].forward)


@functools.cache
def text(name: str) -> str:
    return module_text(derivation(name), CASES[name].inference, CASES[name].words)


@functools.cache
def module(name: str) -> Any:
    return interpreted_text(CASES[name].words.name, text(name))


def at(name: str, examples: int = 7, seed: int = 0) -> Any:
    case = CASES[name]
    return sample_of(case.forward, case.words, module(name), examples, seed)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_module("normalised", text("normalised"))


# -- numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd(name: str) -> None:
    case, point = CASES[name], at(name)
    forward = case.forward
    leaves: Arrays = {t.name: torch.tensor(getattr(point.parameters, t.name), requires_grad=True) for t in forward.parameters}
    rows = [point.X, point.y, *([] if point.weights is None else [point.weights])]
    data = {t.name: torch.tensor(a) for t, a in zip((*forward.inputs, *forward.targets), rows, strict=False)}
    expected = case.reference(leaves, {**data, **{k: torch.tensor(m) for k, m in point.masks.items()}})
    wanted = torch.autograd.grad(expected, list(leaves.values()))
    value, found = module(name).gradients(point.parameters, point.X, point.y, **point.options)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    size = max(float(g.abs().max()) for g in wanted)
    for tensor, gradient in zip(leaves, wanted, strict=True):
        np.testing.assert_allclose(getattr(found, tensor), gradient.numpy(), rtol=0, atol=1e-12 * size, err_msg=tensor)


@pytest.mark.parametrize("name", CASES)
def test_modules_are_verified_and_their_steps_proved(name: str) -> None:
    done = verify_at(derivation(name), CASES[name].inference, module(name), at(name))
    assert done.holds, done
    assert [v for v in prove(derivation(name)) if not v.holds] == []


def test_a_wrong_prediction_is_found() -> None:
    done = verify_at(derivation("normalised"), hand.normalised(), module("normalised"), at("normalised"))
    assert not done.prediction_holds
    assert not done.holds


def test_the_place_of_a_maximum_is_a_kink() -> None:
    found = kinks(hand.pooled())
    point = at("pooled").given(hand.pooled())
    X, point["W1"] = point["X"].copy(), np.ones(2)
    X[2, 3], X[2, 4], X[2, 5] = 0, 1, 1 + 1e-9
    other = X.copy()
    other[2, 4] += 1e-6
    assert found.between([{**point, "X": X}, {**point, "X": X}]) == ()
    assert len(found.between([{**point, "X": X}, {**point, "X": other}])) == 1


def test_columns_take_and_give_the_same_as_rows() -> None:
    point, rows, columns = at("images"), module("images"), module("images in columns")
    np.testing.assert_allclose(columns.predict(point.parameters, point.X), rows.predict(point.parameters, point.X), rtol=1e-14)
    settings = {"epochs": 2, "batch_size": 3, "learning_rate": 0.1}
    (p, _), (q, _) = (m.train(point.parameters, point.X, point.y, **settings) for m in (rows, columns))
    np.testing.assert_allclose(p.W1, q.W1, rtol=1e-13)


# -- starts --------------------------------------------------------------------------------------------------------------


def test_starts_are_as_declared() -> None:
    p = module("normalised").init(3)
    assert (p.a, p.a.shape) == (0.25, ())
    assert (p.gamma == 1).all()
    assert (p.running_variance == 1).all()
    assert not p.running_mean.any()
    assert module("normalised").init(3, np.float32).a.dtype == np.float32


def test_the_fans_of_a_convolution_are_those_of_its_equation() -> None:
    """18 terms in a sum; a PReLU that starts at a slope of 0.25 is taken for a leaky ReLU."""
    assert "rng.standard_normal((3, 2, 3, 3)) * math.sqrt(2 / 18),  # He" in text("images")
    assert "rng.uniform(-1, 1, (3, 3, 4, 3)) * math.sqrt(6 / (36 + 3)),  # Glorot" in text("images")
    assert "E1=rng.standard_normal((7, 2))," in text("tokens")


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
    runtime: Any = importlib.import_module("numba.core.runtime")
    runtime._nrt_python.memsys_enable_stats()

    def allocations(epochs: int) -> int:
        before = runtime.rtsys.get_allocation_stats().alloc
        compiled.train(point.parameters, point.X, point.y, epochs=epochs, batch_size=2, learning_rate=0.1)
        return runtime.rtsys.get_allocation_stats().alloc - before

    allocations(1)  # compiles
    assert allocations(1) == allocations(50)


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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": [[0, 1, 2, 7]]}, IndexError, r"X\[0, 3\] is 7: tokens are 0 .. 6"),
        ({"X": [[0, -1, 2, 3]]}, IndexError, r"X\[0, 1\] is -1: tokens are 0 .. 6"),
        ({"X": [[0, 1, 2, 3.0]]}, TypeError, "X has dtype float64: tokens are integers"),
        ({"X": [[0, 1, 2]]}, ValueError, r"X has shape \(1, 3\): \[N, 4\] is needed"),
        ({"y": [[0, 1, 2, 3]]}, IndexError, r"y\[0, 3\] is 3: labels are 0 .. 2"),
        ({"y": [0]}, ValueError, r"y has shape \(1,\): \(1, 4\) is needed, a row for each example"),
        ({"sample_weight": [-1]}, ValueError, r"sample_weight\[0\] is -1: a finite number of at least 0 is needed"),
        ({"sample_weight": [np.inf]}, ValueError, r"sample_weight\[0\] is inf"),
        ({"sample_weight": [np.nan]}, ValueError, r"sample_weight\[0\] is nan"),
        ({"sample_weight": [[1]]}, ValueError, r"sample_weight has shape \(1, 1\): \(1,\) is needed, a weight for each example"),
        ({"sample_weight": [0]}, ValueError, "no example has a weight above 0: the mean of their losses is undefined"),
        ({"sample_weight": np.ma.masked_array([1.0], mask=True)}, TypeError, "sample_weight is a masked array"),
    ],
)
def test_wrong_tokens_labels_and_weights_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    m = module("tokens")
    with pytest.raises(error, match=message):
        m.gradients(m.init(), **{"X": [[0, 1, 2, 3]], "y": [[0, 1, 2, 0]], **change})


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "needed"), [((7, 40), r"\[N, 2, 4, 5\]"), ((7, 4, 5, 2), "an example along the first axis")])
def test_wrong_images_are_refused(shape: tuple[int, ...], needed: str) -> None:
    with pytest.raises(ValueError, match=f"X has shape .*{needed}"):
        module("images").predict(module("images").init(), np.zeros(shape))


def test_nan_in_an_image_is_named_by_its_place() -> None:
    point = at("images")
    X = point.X.copy()
    X[3, 1, 0, 4] = np.nan
    with pytest.raises(ValueError, match=r"X\[3, 1, 0, 4\] is nan"):
        module("images").loss(point.parameters, X, point.y)


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


TARGETS: dict[Target, tuple[float, str]] = {
    "values": (np.nan, "is nan: numbers are needed"),
    "unit": (1.5, r"is 1.5: a number in \[0, 1\] is needed"),
    "probabilities": (-0.5, "is -0.5: a probability is needed"),
    "log_probabilities": (0.5, "is 0.5: a finite number of at most 0 is needed"),
    "signs": (0, r"is 0.0: \+1 or -1 is needed"),
    "counts": (-1, "is -1.0: a number of at least 0 is needed"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_wrong_targets_of_any_shape_are_refused(kind: Target) -> None:
    program, words, (wrong, message) = hand.targets(kind == "probabilities"), About("targets", "targets.", kind), TARGETS[kind]
    m = interpreted_text("targets", module_text(differentiate(program), program, words))
    point = sample_of(program, words, m, 4, 0)
    assert verify_at(differentiate(program), program, m, point).holds
    y = point.y.copy()
    y[3, 1, 2] = wrong
    with pytest.raises(ValueError, match=r"y\[3, 1, 2\] " + message):
        m.loss(point.parameters, point.X, y)
    with pytest.raises(ValueError, match=r"y has shape \(4, 2\): \(4, 2, 3\) is needed"):
        m.loss(point.parameters, point.X, y[:, :, 0])
    if "probabilities" in kind:
        y = point.y.copy()
        y[2, :, 1] -= 0.01
        with pytest.raises(ValueError, match=r"y\[2, 1\] sums to 0.9" if kind == "probabilities" else r"y\[2, 0\] sums to 0.9"):
            m.loss(point.parameters, point.X, y)


@pytest.mark.parametrize("name", CASES)
def test_the_text_keeps_to_the_width(name: str) -> None:
    assert [line for line in text(name).splitlines() if len(line) > 140] == []


def test_everything_at_once() -> None:
    """Images in columns, statistics, masks, weights of examples and of outputs, losses one by one; an index has the letter of a tensor."""
    layers = [
        {"kind": "conv2d", "out_channels": 2, "kernel_size": 2},
        {"kind": "batch_norm", "activation": "relu"},
        {"kind": "dropout"},
        {"kind": "flatten"},
        {"kind": "dense", "units": 3},
    ]
    loss = {"kind": "binary_cross_entropy_with_logits", "weight": [1, 2, 0.5], "pos_weight": [3, 1, 1.25], "sample_weights": True}
    fields: dict[str, Any] = {"name": "everything", "inputs": [1, 3, 3], "layers": layers, "loss": {**loss, "reduction": "none"}}
    network = Network(**fields, convention="columns")
    found, m = differentiate(network.program()), interpreted(network)
    point = sample(network, m, 5, 0)
    assert verify_at(found, network.program(mode="inference"), m, point).holds
    assert m.loss(point.parameters, point.X, point.y, point.weights).shape == (5, 3)
    _, losses = m.train(point.parameters, point.X, point.y, epochs=2, batch_size=3, learning_rate=0.01, sample_weight=point.weights)
    assert losses[1] < losses[0]
    assert [line for line in render(found, network).splitlines() if len(line) > 140] == []


@pytest.mark.parametrize(("table", "name"), [("learned", "lambda"), ("learned", "theta"), ("learned", "N"), ("parameters", "order")])
def test_a_name_that_a_module_has_another_use_for_is_wrong_input(
    table: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a traceback, and no module that cannot be imported."""
    formula, value = (
        (f"{name} * (prediction - target)**2", "0.3") if table == "learned" else (f"sum(c, {name}[c] * prediction[c])", "[1, 2]")
    )
    loss = f'{{ formula = "{formula}", {table} = {{ {name} = {value} }} }}'
    (tmp_path / "own.toml").write_text(f'name = "own"\ninputs = 3\nloss = {loss}\nlayers = [{{ kind = "dense", units = 2 }}]\n')
    monkeypatch.setattr(sys, "argv", ["chainrule", "generate", str(tmp_path / "own.toml")])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert f"own: a generated module has another use for the name {name}: choose another one" in capsys.readouterr().err
