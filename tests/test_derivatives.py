"""Products in generated modules: against torch.func, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive import Network
from tests.modules import interpreted, network
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


@pytest.mark.parametrize("activation", ["sigmoid", "gelu", "gelu_tanh", "silu", "softplus", "elu", "softmax"])
def test_saturated_units_have_finite_products(activation: str) -> None:
    """Far from zero no second derivative may be 0 times infinity."""
    net = with_products(network(2, [(3, activation), (2, "identity")], "softmax_cross_entropy"), "jacobian", "hvp")
    module, at = interpreted(net), point(net, 4, seed=0)
    p = module.init(0)
    for size in (1e2, 1e4):
        _, _, product = module.hessian_vector_product(p._replace(W1=p.W1 * size), at.X, at.y, p)
        _, jacobian = module.jacobian(p._replace(W1=p.W1 * size, W2=p.W2 * size), at.X)
        assert all(np.isfinite(a).all() for a in (*product, jacobian))
