"""Products of matrices in tiles: every remainder, on processors of several kinds, and networks that would not have used them."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from codegen.cache import imported
from codegen.explain import explanation
from codegen.loops import MatrixProduct
from codegen.nests import statements
from codegen.products import FEWEST, PRODUCT_EXTENTS, tiled_from
from codegen.schedule import kernel
from derive import Network, differentiate
from tests.modules import interpreted, network, text_of
from tests.random_networks import autograd, networks, point, worst_error

WIDE = network(256, [(20, "tanh"), (3, "identity")], "softmax_cross_entropy")
RIGHT = ((31, 32, 37), (512, 513, 545, 560), (1, 9, 161))  # rows, columns and terms where parts of the right factor are copied
LEFT = ((257, 512, 530), (63, 64, 129), (1, 9, 161))  # and of the left one, which has too many rows for one time
NEIGHBOURS = 7.0  # what stands before and after a matrix in memory


@functools.cache
def module(convention: str = "rows") -> Any:
    return imported(f"tiles_{convention}", text_of(WIDE.model_copy(update={"convention": convention})), "<tiles>")


@functools.cache
def forms(name: str = "_in_tiles") -> dict[str, Any]:
    """out <- keep out + add a b by a function of the module, with the factors as they may lie in memory."""
    compute = getattr(module(), name)

    @njit
    def straight(keep: Any, add: Any, a: Any, b: Any, out: Any) -> None:
        compute(keep, add, a, b, out)

    @njit
    def left(keep: Any, add: Any, a: Any, b: Any, out: Any) -> None:
        compute(keep, add, a.T, b, out)

    @njit
    def right(keep: Any, add: Any, a: Any, b: Any, out: Any) -> None:
        compute(keep, add, a, b.T, out)

    return {"straight": straight, "left": left, "right": right}


def product(form: str, a: Any, b: Any, out: Any, keep: float = 0.0, add: float = 1.0, by: str = "_in_tiles") -> Any:
    """The product by a function of the module; around the factors there is NaN in memory, and what is around the result must stay."""
    given = (a.T if form == "left" else a), (b.T if form == "right" else b)
    around = np.full(out.size + 200, NEIGHBOURS, out.dtype)
    inside = around[100:-100].reshape(out.shape)
    inside[:] = out
    forms(by)[form](out.dtype.type(keep), out.dtype.type(add), *(amid_nan(x) for x in given), inside)
    assert (around[:100] == NEIGHBOURS).all()
    assert (around[-100:] == NEIGHBOURS).all()
    return inside


def amid_nan(x: Any) -> Any:
    around = np.full(x.size + 200, np.nan, x.dtype)
    around[100:-100] = x.ravel()
    return around[100:-100].reshape(x.shape)


def check_every_remainder(types: Any) -> None:
    """Of rows, columns and terms, by the tiles' and the squares' sides and by how many terms are added up at a time; the sums are exact."""
    rng = np.random.default_rng(0)
    small = ((1, 2, 3, 5, 8, 9, 13, 16), (1, 7, 16, 17, 31, 32, 33, 70), (1, 3, 8, 9, 16, 21, 160, 161, 350))
    for rows, columns, terms in (*itertools.product(*small), *itertools.product(*RIGHT), *itertools.product(*LEFT)):
        a, b = (rng.integers(-4, 5, shape).astype(types) for shape in ((rows, terms), (terms, columns)))
        for form in forms():
            assert np.array_equal(product(form, a, b, np.full((rows, columns), np.nan, types)), a @ b), (form, rows, columns, terms)
        added = product("right", a, b, np.full((rows, columns), 6, types), 0.5, 2.0)
        assert np.array_equal(added, 3 + 2 * (a @ b)), (rows, columns, terms)


@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_every_remainder(types: Any) -> None:
    check_every_remainder(types)


def check_what_is_read() -> None:
    """With memory after every matrix that nobody may touch."""
    for types in (np.float64, np.float32):
        small = itertools.product((1, 9, 20), (1, 15, 32, 37), (1, 9, 21, 165))
        for rows, columns, terms in (*small, *itertools.product(*RIGHT), *itertools.product(*LEFT)):
            a, b = np.ones((rows, terms), types), np.ones((terms, columns), types)
            for form, compute in forms().items():
                given = (a.T if form == "left" else a), (b.T if form == "right" else b)
                out = before_a_wall(np.zeros((rows, columns), types))
                compute(types(0), types(1), *map(before_a_wall, given), out)
                assert (out == terms).all()


def before_a_wall(x: Any) -> Any:
    size = -(-x.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    end = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + size
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    array = np.frombuffer(memory, x.dtype, x.size, size - x.nbytes).reshape(x.shape)
    array[:] = x
    return array


@pytest.mark.skipif(sys.platform == "win32", reason="memory is protected by a function of POSIX")
def test_nothing_beyond_a_matrix_is_read() -> None:
    code = "import tests.test_own_products as t; t.check_what_is_read(); print('right')"
    run = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "right", run.stderr


@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_products_that_are_left_to_blas(types: Any) -> None:
    rng = np.random.default_rng(0)
    for rows in (1, 2, 9):
        for columns in (1, 3, 8):
            for terms in (1, 2, 19):
                a, b = (rng.integers(-4, 5, shape).astype(types) for shape in ((rows, terms), (terms, columns)))
                for form in forms("_multiply"):
                    found = product(form, a, b, np.full((rows, columns), np.nan, types), by="_multiply")
                    assert np.array_equal(found, a @ b), (form, rows, columns, terms)
                    found = product(form, a, b, np.full((rows, columns), 6, types), 0.5, 2.0, "_multiply")
                    assert np.array_equal(found, 3 + 2 * (a @ b)), (form, rows, columns, terms)


def digest_of_few_rows_and_columns() -> str:
    rng, found = np.random.default_rng(0), hashlib.sha256()
    for rows, columns, terms in ((3, 512, 784), (512, 5, 784), (1, 3000, 784), (7, 40, 20000)):
        a, b = rng.standard_normal((rows, terms)), rng.standard_normal((terms, columns))
        out = product("right", a, b, np.zeros((rows, columns)), by="_multiply")
        np.testing.assert_allclose(out, a @ b, atol=1e-10)
        found.update(out.tobytes())
    return found.hexdigest()


def test_the_number_of_blas_threads_changes_no_bit() -> None:
    """OpenBLAS divides these products among threads where it is given them whole."""
    code = "import tests.test_own_products as t; print(t.digest_of_few_rows_and_columns())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(digests) == 1


@pytest.mark.parametrize("features", ["+avx,+avx2,+fma", ""])
def test_on_processors_with_shorter_vectors(features: str) -> None:
    """Compiled for them, in a process of its own: Numba reads these variables when it is imported."""
    code = (
        "import numpy as np, tests.test_own_products as t; [t.check_every_remainder(x) for x in (np.float64, np.float32)]; print('right')"
    )
    chosen = {"NUMBA_CPU_NAME": "haswell" if features else "generic", "NUMBA_CPU_FEATURES": features}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **chosen},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.strip() == "right", run.stderr


@pytest.mark.parametrize("form", ["straight", "left", "right"])
@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_nan_and_infinity_stay_in_their_row_and_their_column(form: str, types: Any) -> None:
    a, b = np.ones((19, 40), types), np.ones((40, 37), types)
    a[1, 3], a[6, 39], a[18, 0] = np.nan, np.inf, np.inf
    found = product(form, a, b, np.zeros((19, 37), types))
    assert np.isnan(found[1]).all()
    assert (found[[6, 18]] == np.inf).all()
    assert (np.delete(found, [1, 6, 18], axis=0) == 40).all()
    a, b[39, 36], b[0, 20] = np.ones_like(a), np.nan, -np.inf
    found = product(form, a, b, np.zeros((19, 37), types))
    assert np.isnan(found[:, 36]).all()
    assert (found[:, 20] == -np.inf).all()
    assert (np.delete(found, [20, 36], axis=1) == 40).all()


def test_a_row_has_the_same_bits_whatever_the_other_rows_are() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((33, 150)), rng.standard_normal((150, 40))
    whole = product("right", a, b, np.zeros((33, 40)))
    for rows in (1, 8, 12, 31):
        assert np.array_equal(product("right", a[:rows], b, np.zeros((rows, 40))), whole[:rows])


@pytest.mark.parametrize("types", [np.float64, np.float32])
def test_factors_that_lie_along_memory_neither_way(types: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-4, 5, shape).astype(types) for shape in ((600, 3000), (3000, 300)))
    a, b = a[::2, ::600], b[::600, ::2]
    out = np.zeros((300, 150), types)
    forms()["straight"](types(0), types(1), a, b, out)
    assert np.array_equal(out, a @ b)


@pytest.mark.parametrize("convention", ["rows", *(pytest.param(c, marks=pytest.mark.slow) for c in ("columns", "xw"))])
@pytest.mark.parametrize("examples", [7, 21])
def test_compiled_networks(convention: str, examples: int) -> None:
    """Of few examples, of which BLAS computes the products, and of more."""
    net, compiled = WIDE.model_copy(update={"convention": convention}), module(convention)
    at = point(net, examples, 1)
    p = compiled.Parameters(*(at.parameters[name] for name in compiled.Parameters._fields))
    _, gradient = compiled.gradients(p, at.X, at.y)
    _, expected, _ = autograd(net, at)
    assert worst_error(dict(zip(compiled.Parameters._fields, gradient, strict=True)), expected) < 1e-12


@settings(max_examples=5, deadline=None, derandomize=True)
@given(networks(max_layers=3), st.integers(1, 9), st.integers(0, 10**6))
def test_networks_that_would_not_have_used_them(net: Network, examples: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.blocks.CALL_PAYS", 0)
        patch.setattr("codegen.schedule.statements", functools.partial(statements, extents=1))
        patch.setattr("codegen.products.FEWEST", 1)
        made = interpreted(net)
    at = point(net, examples, seed)
    p = made.Parameters(*(at.parameters[name] for name in made.Parameters._fields))
    _, gradient = made.gradients(p, at.X, at.y, **({} if at.weights is None else {"sample_weight": at.weights}))
    _, expected, _ = autograd(net, at)
    assert worst_error(dict(zip(made.Parameters._fields, gradient, strict=True)), expected) < 1e-10


# -- which products ------------------------------------------------------------------------------------------------------


def test_the_rule_is_that_of_the_module() -> None:
    """The condition in a module's text, on the shapes of a product, holds for the examples that `--explain` names."""
    assert f"if rows < {FEWEST} or columns < {FEWEST}:\n        _by_blas(" in text_of(WIDE)
    program = differentiate(WIDE.program()).computed
    found = {s.out.tensor.name: s for s in kernel(program, program.outputs, {}).body if isinstance(s, MatrixProduct)}
    assert tiled_from(found["A1"]) == FEWEST
    assert tiled_from(found["dW1"]) == 1
    assert not any(tiled_from(product) for name, product in found.items() if name not in ("A1", "dW1"))


@pytest.mark.parametrize(("convention", "factors"), [("rows", "X, W1.T"), ("columns", "W1, X"), ("xw", "X, W1")])
def test_where_they_are_chosen(convention: str, factors: str) -> None:
    net = WIDE.model_copy(update={"convention": convention})
    assert f"    _product({factors}, A1)" in text_of(net)
    gradients: Any = explanation(differentiate(net.program()), net)[0]
    said = [e.number for e in gradients.equations if any(f"in tiles from {FEWEST} examples on" in why for why in e.why)]
    assert said == ["1"]
    assert [e.tensor for e in gradients.equations if any(why.startswith("in tiles: ") for why in e.why)] == ["dW1"]


def test_what_is_always_small_is_for_blas() -> None:
    few = network(300, [(FEWEST - 1, "tanh"), (3, "identity")], "softmax_cross_entropy")
    assert "_product(X, W1.T, A1)" in text_of(few)
    assert "_by_blas(" not in text_of(few)  # nor anything of tiles: `_multiply` itself calls BLAS
    assert "_in_tiles(" not in text_of(few)
    assert FEWEST * 300 > PRODUCT_EXTENTS
