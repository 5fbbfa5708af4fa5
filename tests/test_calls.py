"""Arrays that are as they should be take a short way through the checks: it lets nothing pass that the long way would refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from codegen.about import About
from codegen.data import SUMS
from codegen.render import VIEWS, module_text
from derive import differentiate
from derive.formulas.losses import Target
from tests import handmade_modules as hand
from tests.module_cases import at, module
from tests.modules import interpreted, interpreted_text, network

Array = npt.NDArray[Any]

NUMBERS = (np.nan, np.inf, -np.inf, -1.0, -0.0, 0.0, 5e-324, 0.5, 1.0, np.nextafter(1, 2), 1.5, 2.0, 3.0)
WHOLE = (-(2**63), -101, -100, -99, -1, 0, 1, 2, 3, 6, 7, 2**63 - 1)
KINDS: tuple[Target, ...] = ("values", "unit", "signs", "counts")


def of_kind(kind: Target) -> Any:
    program, words = hand.targets(kind == "probabilities"), About("targets", "targets.", kind)
    return interpreted_text("targets", module_text(differentiate(program), program, words))


def refused(m: Any, X: Any, y: Any) -> bool:
    """Whether the long way refuses the data."""
    try:
        types = [np.dtype(np.float64)] if "dtype" in m._examined.__annotations__ else []
        m._examined(X, y, *types)
    except (ValueError, IndexError):
        return True
    return False


def ready(m: Any, X: Any, y: Any, dtype: Any = np.float64) -> bool:
    return m._ready(X, y, *([np.dtype(dtype)] if "dtype" in m._ready.__annotations__ else [])) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_refuse_the_same_numbers(kind: Target) -> None:
    m, X, fine = of_kind(kind), np.zeros((4, 2)), np.ones((4, 2, 3))
    for number in NUMBERS:
        y, x = fine.copy(), X.copy()
        y[3, 1, 2] = x[3, 1] = number
        assert ready(m, X, y) is not refused(m, X, y), number
        assert ready(m, x, fine) is not refused(m, x, fine), number


@pytest.mark.parametrize("name", ["tokens", "ignoring", "images"])
def test_both_ways_refuse_the_same_tokens_and_labels(name: str) -> None:
    m, point = module(name), at(name)
    seen = set[bool]()
    for array in (point.X, point.y):
        kept = array.flat[-1]
        for number in WHOLE if array.dtype == np.int64 else NUMBERS:
            array.flat[-1] = number
            assert ready(m, point.X, point.y) is not refused(m, point.X, point.y), number
            seen.add(ready(m, point.X, point.y))
        array.flat[-1] = kept
    assert seen == {True, False}


def test_rows_that_are_to_sum_to_one_always_take_the_long_way() -> None:
    assert all(not hasattr(of_kind(kind), "_ready") for kind in SUMS)


class Own(np.ndarray[Any, Any]):
    """A class whose arrays may mean anything."""


@pytest.fixture(scope="module")
def labelled() -> Any:
    return interpreted(network(2, [(3, "identity")], "softmax_cross_entropy"))


X, Y = np.array([[0.5, 1], [2, 3], [-4, 5], [6, 7]]), np.array([0, 1, 2, 0])
FROZEN = X.copy()
FROZEN.flags.writeable = False


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X.tolist(), Y),
        (X, Y.tolist()),
        (np.asfortranarray(X), Y),
        (np.repeat(X, 2, axis=0)[::2], Y),
        (X, np.repeat(Y, 2)[::2]),
        (X[:, ::-1], Y),
        (X.astype(np.float32), Y),
        (X.astype(">f8"), Y),
        (X, Y.astype(np.int32)),
        (X, Y.astype(np.uint64)),
        (X, Y.astype(">i8")),
        (FROZEN, Y),
        (X.view(Own), Y),
        (X, Y.view(Own)),
    ],
)
def test_arrays_that_kernels_cannot_read_are_converted(labelled: Any, x: Any, y: Any) -> None:
    p = labelled.init()
    assert not ready(labelled, x, y)
    found, right = labelled.gradients(p, x, y), labelled.gradients(p, np.array(x, np.float64), Y)
    assert found[0] == right[0]
    assert all(np.array_equal(a, b) for a, b in zip(found[1], right[1], strict=True))


@pytest.mark.parametrize("x", [np.zeros((0, 2)), np.zeros((4, 3)), np.zeros(2), np.zeros((4, 2, 1)), np.array(1.0)])
@pytest.mark.parametrize("y", [Y, Y[:0], np.array(0), Y[:, None]])
def test_other_shapes_are_not_ready(labelled: Any, x: Any, y: Any) -> None:
    assert not ready(labelled, x, y)


def test_what_is_ready_is_passed_on_itself(labelled: Any) -> None:
    taken = labelled._ready(X, Y, np.dtype(np.float64))
    assert taken[0] is X
    assert taken[1] is Y


def same(array: Array) -> Array:
    return array


def in_columns(array: Array) -> Array:
    return np.asfortranarray(array)


def with_gaps(array: Array) -> Array:
    return np.repeat(array, 2, axis=-1)[..., ::2]


def masked(array: Array) -> Array:
    return np.ma.masked_array(array)


def swapped(array: Array) -> Array:
    return array.astype(">f8")


def halved(array: Array) -> Array:
    return array.astype(np.float16)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("change", [same, in_columns, with_gaps])
def test_parameters_of_any_layout_become_one_new_vector(labelled: Any, dtype: Any, change: Any) -> None:
    p = labelled.init(1, dtype)
    theta = labelled._pack([change(a) for a in p])
    assert np.array_equal(theta, np.concatenate(p, axis=None))
    assert theta.dtype == dtype
    assert theta.dtype.isnative
    assert theta.flags.carray
    theta[:] = 0
    assert np.any(p.W1 != 0)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (masked, ValueError, "without a mask"),
        (swapped, TypeError, "dtype >f8: float32 or float64 is needed"),
        (halved, TypeError, "dtype float16: float32 or float64 is needed"),
    ],
)
def test_parameters_whose_bytes_are_not_those_of_theta_are_refused(
    labelled: Any, change: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        labelled._pack([change(a) for a in labelled.init()])


@pytest.mark.parametrize(("inputs", "layers"), [(600, [900]), (3, [3] * 20)])
def test_large_and_many_parameters_become_one_new_vector(inputs: int, layers: list[int]) -> None:
    m = interpreted(network(inputs, [(units, "identity") for units in layers], "mean_squared_error"))
    assert "frombuffer" not in m._pack.__code__.co_names
    assert np.array_equal(m._pack(m.init()), np.concatenate(m.init(), axis=None))


def taken_in_place(m: Any, p: Any) -> bool:
    vector = m._pack(p)
    np.testing.assert_array_equal(vector, np.concatenate([np.ravel(a) for a in p]))
    return np.shares_memory(vector, p[0])


def test_parameters_that_are_views_of_one_vector_are_not_copied() -> None:
    """Where they are large; whatever else they are, their values are what counts, and `train` leaves them as they are."""
    m = interpreted(network(300, [(100, "relu"), (60, "relu"), (60, "relu")], "mean_squared_error"))
    p, X, y = m.init(1), np.ones((2, 300)), np.zeros((2, 60))
    theta = m._pack(p)
    assert taken_in_place(m, p)
    before = theta.copy()
    trained, _ = m.train(p, X, y, epochs=1, batch_size=2, learning_rate=0.1)
    np.testing.assert_array_equal(theta, before)
    assert (trained.W1 != p.W1).any()
    for other in (
        p._replace(W1=p.W1.copy()),
        p._replace(b3=p.b2),  # of the same shape, in another place
        m.Parameters(*(a.copy() for a in p)),
        p._replace(W1=np.asfortranarray(p.W1)),
        p._replace(W1=p.W1[::-1][::-1].copy()),
        p._replace(W1=p.W1[::-1]),
        m.Parameters(*(a.tolist() for a in p)),
    ):
        vector = m._pack(other)
        assert not np.shares_memory(vector, theta)
        np.testing.assert_array_equal(vector, np.concatenate([np.ravel(a) for a in other]))
    every = np.linspace(0, 1, 3 + int(theta.size))
    assert taken_in_place(m, m._unpack(every[2:-1]))  # anywhere in one vector
    assert not taken_in_place(m, m._unpack(np.zeros((1, theta.size))[0]))
    p[0].base.flags.writeable = False  # kernels are compiled for arrays that may be written to
    assert not taken_in_place(m, p)
    small = interpreted(network(2, [(3, "relu")], "mean_squared_error"))
    assert "_shared" not in vars(small)
    assert VIEWS in " ".join(m.__doc__.split())
    assert VIEWS not in " ".join(small.__doc__.split())


def test_many_large_parameters_are_seen_in_their_vector() -> None:
    m = interpreted(network(60, [(60, "identity")] * 17, "mean_squared_error"))
    p = m.init(1)
    every = np.linspace(0, 1, 2 + sum(int(a.size) for a in p))
    assert taken_in_place(m, p)
    assert taken_in_place(m, m._unpack(every[2:]))
    assert not taken_in_place(m, p._replace(b3=p.b2))
    assert not taken_in_place(m, p._replace(W1=p.W1.copy()))
    assert not taken_in_place(m, m.Parameters(*every[-3600:].reshape(1, 60, 60), *p[1:]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_vectors_of_products_begin_with_a_line_of_the_cache(dtype: Any) -> None:
    m = interpreted(network(300, [(100, "relu"), (60, "relu")], "mean_squared_error"))
    p, X, y = m.init(1, dtype), np.ones((2, 300), dtype), np.zeros((2, 60), dtype)
    trained, _ = m.train(p, X, y, epochs=1, batch_size=2, learning_rate=0.1)
    for found in (p, trained, m.gradients(p, X, y)[1], m.Parameters(*(a.copy() for a in p))):
        assert m._pack(found).ctypes.data % 64 == 0
    for size in range(1, 40):
        vector = m._empty(size, np.dtype(dtype))
        assert (vector.shape, vector.dtype, vector.ctypes.data % 64) == ((size,), dtype, 0)
