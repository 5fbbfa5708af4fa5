"""Products in generated modules: against torch.func, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
import derive
from chainrule.sample import sample, sample_of
from chainrule.verify import Verification, verify_at
from codegen.render import module_text
from derive import Network
from derive.derivation import Derivation
from derive.program import ProductKind
from tests import module_cases
from tests.modules import interpreted, interpreted_text, network
from tests.random_networks import Point, point
from tests.test_products import CASES
from tests.torch_products import Reference, directions

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of overflow in modules that Python runs


def with_products(net: Network, *products: str) -> Network:
    return net.model_copy(update={"products": products or ("jvp", "jacobian", "hvp")})


def at_point(module: Any, arrays: dict[str, np.ndarray], dtype: type = np.float64) -> Any:
    return module.Parameters(*(arrays[name].astype(dtype) for name in module.Parameters._fields))


def close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return found.shape == wanted.shape and bool(np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("case", CASES)
def test_products_agree_with_torch(case: str) -> None:
    net = with_products(network(*CASES[case]))
    module, at = interpreted(net), point(net, 6, seed=1)
    p, along, reference = at_point(module, at.parameters), directions(at, 2), Reference(net, at)
    v = at_point(module, along.parameters)

    prediction, tangent = module.jacobian_vector_product(p, at.X, v, along.X)
    assert close(prediction, module.predict(p, at.X))
    assert close(tangent, reference.jvp(along))

    prediction, jacobian = module.jacobian(p, at.X)
    assert close(prediction, module.predict(p, at.X))
    assert close(jacobian, reference.jacobian())

    loss, gradient, product = module.hessian_vector_product(p, at.X, at.y, v)
    expected, expected_gradient = module.gradients(p, at.X, at.y)
    wanted = reference.hvp(along.parameters)
    assert loss == pytest.approx(expected, rel=1e-14)
    assert all(close(a, b) for a, b in zip(gradient, expected_gradient, strict=True))
    largest = max(np.abs(h).max() for h in wanted.values())
    assert max(np.abs(product._asdict()[name] - h).max() for name, h in wanted.items()) <= 1e-12 * largest


@pytest.fixture(scope="session")
def classifier() -> tuple[Any, Point]:
    net = with_products(network(*CASES["tanh, softmax cross-entropy"]))
    return interpreted(net), point(net, 6, seed=1)


def test_a_direction_that_is_left_out_does_not_move(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    p, along = at_point(module, at.parameters), directions(at, 2)
    v = at_point(module, along.parameters)
    tangents = [module.jacobian_vector_product(p, at.X, *part)[1] for part in ((v, along.X), (v,), (None, along.X), ())]
    np.testing.assert_allclose(tangents[0], tangents[1] + tangents[2], rtol=1e-12)
    assert not tangents[3].any()
    _, jacobian = module.jacobian(p, at.X)
    np.testing.assert_allclose(tangents[2], np.einsum("nci,ni->nc", jacobian, along.X), rtol=1e-11)


def test_no_examples_have_no_derivatives(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    p = at_point(module, at.parameters)
    assert module.jacobian(p, at.X[:0])[1].shape == (0, 4, 3)
    assert module.jacobian_vector_product(p, at.X[:0], p)[1].shape == (0, 4)


def test_a_spoilt_example_spoils_its_own_jacobian_only(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    p, X = at_point(module, at.parameters), at.X.copy()
    X[1, 0] = np.nan
    _, good = module.jacobian(p, at.X)
    _, found = module.jacobian(p, X)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(np.delete(found, 1, 0), np.delete(good, 1, 0))


def test_nothing_that_is_handed_over_changes(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    p, along = at_point(module, at.parameters), directions(at, 2)
    v = at_point(module, along.parameters)
    before = [a.copy() for a in (*p, *v, at.X, along.X)]
    module.jacobian_vector_product(p, at.X, v, along.X)
    module.hessian_vector_product(p, at.X, at.y, v)
    module.jacobian(p, at.X)
    assert all((a == b).all() for a, b in zip((*p, *v, at.X, along.X), before, strict=True))


@pytest.mark.parametrize("product", ["jvp", "jacobian", "hvp"])
def test_a_module_has_what_its_spec_asks_for(product: str) -> None:
    module = interpreted(with_products(network(2, [(3, "tanh"), (1, "identity")], "mean_squared_error"), product))
    names = {"jvp": "jacobian_vector_product", "jacobian": "jacobian", "hvp": "hessian_vector_product"}
    assert [name for name in names.values() if hasattr(module, name)] == [names[product]]


def test_wrong_directions_are_refused(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    p = at_point(module, at.parameters)
    with pytest.raises(ValueError, match=r"v: W1 has shape \(2, 5\): an array of shape \(5, 3\) is needed"):
        module.hessian_vector_product(p, at.X, at.y, p._replace(W1=np.zeros((2, 5))))
    with pytest.raises(TypeError, match="v has dtype float32, and p has float64"):
        module.hessian_vector_product(p, at.X, at.y, at_point(module, at.parameters, np.float32))
    with pytest.raises(TypeError, match="direction: p has type float: Parameters"):
        module.jacobian_vector_product(p, at.X, 1.0)
    with pytest.raises(ValueError, match=r"X_direction has shape \(5, 3\): \(6, 3\) is needed, as X has"):
        module.jacobian_vector_product(p, at.X, None, at.X[:5])
    with pytest.raises(TypeError, match="X_direction has dtype complex128"):
        module.jacobian_vector_product(p, at.X, None, at.X + 0j)


MORE = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("gelu", "silu", "elu")]


@pytest.mark.parametrize("activation", ["sigmoid", "gelu_tanh", "softplus", "softmax", *MORE])
def test_saturated_units_have_finite_products(activation: str) -> None:
    """Far from zero no second derivative may be 0 times infinity."""
    net = with_products(network(2, [(3, activation), (2, "identity")], "softmax_cross_entropy"), "jacobian", "hvp")
    module, at = interpreted(net), point(net, 4, seed=0)
    p = module.init(0)
    for size in (1e2, 1e4):
        _, _, product = module.hessian_vector_product(p._replace(W1=p.W1 * size), at.X, at.y, p)
        _, jacobian = module.jacobian(p._replace(W1=p.W1 * size, W2=p.W2 * size), at.X)
        assert all(np.isfinite(a).all() for a in (*product, jacobian))


# -- Newton's method -----------------------------------------------------------------------------------------------------

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
FITTED = np.array([[0.1, 0.2], [0.7, -0.4], [1.0, 0.3], [0.2, 0.9]]), np.array([[0.3], [0.6], [0.2], [0.8]])


def shipped(name: str) -> Any:
    return interpreted(with_products(derive.load(Path(__file__).parent.parent / "networks" / f"{name}.toml"), "hvp"))


@pytest.fixture(scope="session")
def xor() -> Any:
    return shipped("xor")


def counted(module: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Counts the calls of the kernels of gradients and of Hessian-vector products."""
    calls = {"_gradients": 0, "_hessian_vector": 0}

    def counting(name: str, kernel: Any) -> Any:
        def called(*args: Any) -> Any:
            calls[name] += 1
            return kernel(*args)

        return called

    for name in calls:
        monkeypatch.setattr(module, name, counting(name, getattr(module, name)))
    return calls


@pytest.mark.parametrize("seed", [0, 3])
def test_newton_goes_much_further_than_gradient_descent(xor: Any, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Exclusive or, from a plateau with directions of negative curvature, for the same work: a product counts as three gradients."""
    X, y = XOR
    calls = counted(xor, monkeypatch)
    _, losses = xor.newton(xor.init(seed), X, y, steps=40)
    work = calls["_gradients"] + 3 * calls["_hessian_vector"]
    _, descended = xor.train(xor.init(seed), X, y, epochs=work, batch_size=4, learning_rate=2.0, shuffle=False)
    assert losses[-1] < 1e-9
    assert descended[-1] > 1e-4
    assert (np.diff(losses) <= 0).all()


def test_newton_finds_the_minimum_of_the_worked_example() -> None:
    module = shipped("worked_example")
    X, y = FITTED
    p, losses = module.newton(module.init(0), X, y, steps=60)
    _, gradient = module.gradients(p, X, y)
    assert max(np.abs(g).max() for g in gradient) < 1e-6  # the loss shows no smaller ones in float64
    assert (np.diff(losses) <= 0).all()
    assert module.loss(p, X, y) == pytest.approx(losses[-1], rel=1e-14)
    assert module.loss(module.init(0), X, y) == pytest.approx(losses[0], rel=1e-14)


@pytest.mark.parametrize("damping", [1e-12, 1e12])
def test_newton_never_diverges(xor: Any, damping: float) -> None:
    """Whatever the damping starts from, and from wherever the parameters start."""
    X, y = XOR
    for scale in (0.0, 1.0, 50.0):
        p = xor.Parameters(*(scale * a for a in xor.init(1)))
        q, losses = xor.newton(p, X, y, steps=8, damping=damping, cg_steps=5)
        assert np.isfinite(losses).all()
        assert (np.diff(losses) <= 0).all()
        assert all(np.isfinite(a).all() for a in q)


def test_one_step_solves_a_quadratic() -> None:
    """A linear layer under squares: the Newton step is the solution of the normal equations."""
    module = interpreted(with_products(network(3, [(1, "identity")], "mean_squared_error"), "hvp"))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    p, losses = module.newton(module.init(0), X, y, steps=4, damping=1e-14)
    design = np.column_stack([X, np.ones(8)])
    solution, residual = np.linalg.lstsq(design, y, rcond=None)[:2]
    np.testing.assert_allclose(np.concatenate([p.W1.ravel(), p.b1]), solution.ravel(), rtol=1e-9)
    assert losses[-1] == pytest.approx(residual[0] / 8, rel=1e-12)


def test_newton_leaves_what_it_is_handed(xor: Any) -> None:
    X, y = XOR
    p = xor.init(0)
    before = [a.copy() for a in p]
    xor.newton(p, X, y, steps=2)
    assert all((a == b).all() for a, b in zip(p, before, strict=True))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"steps": 0}, "steps is 0: a whole number of at least 1"),
        ({"cg_steps": 1.5}, "cg_steps is 1.5"),
        ({"damping": 0.0}, "damping is 0.0: a finite number above 0"),
        ({"damping": float("nan")}, "damping is nan"),
        ({"damping": "1"}, "damping is '1'"),
    ],
)
def test_wrong_settings_of_newton_are_refused(xor: Any, setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        xor.newton(xor.init(0), *XOR, **{"steps": 1, **setting})


# -- compiled ------------------------------------------------------------------------------------------------------------


def test_a_compiled_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Numba makes of the kernels, matrix products among them, and of Newton's method."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    net = with_products(network(3, [(90, "tanh"), (5, "identity")], "softmax_cross_entropy", "columns"), "jacobian", "hvp")
    module: Any = codegen.build(net)
    at = point(net, 7, seed=3)
    along, reference = directions(at, 2), Reference(net, at)
    p, v = at_point(module, at.parameters), at_point(module, along.parameters)
    wanted = reference.hvp(along.parameters)
    _, _, product = module.hessian_vector_product(p, at.X, at.y, v)
    assert max(np.abs(product._asdict()[n] - h).max() for n, h in wanted.items()) <= 1e-12 * max(np.abs(h).max() for h in wanted.values())
    assert close(module.jacobian(p, at.X)[1], reference.jacobian())
    _, losses = module.newton(p, at.X, at.y, steps=20)
    assert (np.diff(losses) <= 0).all()
    assert losses[-1] < 1e-3 * losses[0]


def test_float32_stays_float32(classifier: tuple[Any, Point]) -> None:
    module, at = classifier
    along = directions(at, 2)
    p, v = at_point(module, at.parameters, np.float32), at_point(module, along.parameters, np.float32)
    _, tangent = module.jacobian_vector_product(p, at.X, v, along.X)
    _, jacobian = module.jacobian(p, at.X)
    _, gradient, product = module.hessian_vector_product(p, at.X, at.y, v)
    q, losses = module.newton(p, at.X, at.y, steps=3)
    assert {a.dtype for a in (tangent, jacobian, *gradient, *product, *q)} == {np.dtype(np.float32)}
    assert losses[-1] < losses[0]
    reference = Reference(with_products(network(*CASES["tanh, softmax cross-entropy"])), at)
    assert np.abs(tangent - reference.jvp(along)).max() <= 1e-5 * np.abs(tangent).max()


# -- chainrule verify ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=["kinks", "more outputs than inputs"])
def verified(request: pytest.FixtureRequest) -> tuple[Network, Derivation, Any]:
    net = with_products(network(*CASES[request.param]))
    return net, derive.differentiate(net.program()), interpreted(net)


def verification(net: Network, derivation: Derivation, module: Any) -> Verification:
    return verify_at(derivation, net.program(mode="inference"), module, sample(net, module, 5, 0))


def test_verify_covers_products(verified: tuple[Network, Derivation, Any]) -> None:
    found = verification(*verified)
    assert [row.product for row in found.products] == ["jvp", "jacobian", "hvp"]
    assert found.holds
    assert all(row.naive < 1e-13 and row.difference < 1e-7 for row in found.products if not row.kinks)


def scaled(part: Any, factor: float) -> Any:
    """An array, or Parameters, times a number."""
    return factor * part if isinstance(part, np.ndarray) else type(part)(*(factor * a for a in part))


@pytest.mark.parametrize("function", ["jacobian_vector_product", "jacobian", "hessian_vector_product"])
@pytest.mark.parametrize("factor", [1 + 1e-9, -1.0])
def test_verify_sees_a_wrong_product(
    verified: tuple[Network, Derivation, Any], monkeypatch: pytest.MonkeyPatch, function: str, factor: float
) -> None:
    net, derivation, module = verified
    right = getattr(module, function)

    def wrong(*args: Any, **options: Any) -> Any:
        *others, last = right(*args, **options)
        return (*others, scaled(last, factor))

    monkeypatch.setattr(module, function, wrong)
    found = verification(net, derivation, module)
    assert [row.product for row in found.products if not row.holds] == [{"jacobian": "jacobian"}.get(function, f"{function[0]}vp")]
    assert not found.holds


# -- modules of every kind -----------------------------------------------------------------------------------------------

KINDS: dict[str, tuple[ProductKind, ...]] = {
    "images": ("jvp", "jacobian", "hvp"),
    "images in columns": ("jvp", "jacobian", "hvp"),
    "tokens": ("jvp", "hvp"),
    "ignoring": ("hvp",),
    "normalised": ("hvp",),
    "pooled": ("jvp", "jacobian", "hvp"),
}


@pytest.mark.parametrize("name", KINDS)
def test_images_tokens_weights_masks_and_statistics(name: str) -> None:
    case = module_cases.CASES[name]
    derivation = derive.differentiate(replace(case.forward, products=KINDS[name]))
    module = interpreted_text(case.words.name, module_text(derivation, case.inference, case.words))
    at = sample_of(case.forward, case.words, module, 5, 0)
    found = verify_at(derivation, case.inference, module, at)
    assert [row.product for row in found.products] == list(KINDS[name])
    assert found.holds, found.products
    assert hasattr(module, "newton") == (name != "normalised")
    if name != "normalised":
        _, losses = module.newton(at.parameters, at.X, at.y, steps=6, **at.options)
        assert (np.diff(losses) <= 0).all()
        assert losses[-1] < losses[0]


def test_newton_keeps_running_statistics() -> None:
    """They come close to those of the examples, which are the only batch."""
    layers: Any = [{"kind": "dense", "units": 3}, {"kind": "batch_norm"}, {"kind": "dense", "units": 1}]
    module = interpreted(Network(name="x", inputs=2, layers=layers, loss="mean_squared_error", products=["hvp"]))
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    p, losses = module.newton(module.init(0), X, y, steps=60)
    (mean,) = [getattr(p, name) for name in module.Parameters._fields if "mean" in name]
    taken = np.count_nonzero(np.diff(losses))
    assert taken > 3
    assert np.abs(mean).max() > 0
    assert (np.diff(losses) <= 0).all()
