"""The elementary functions of kernels: errors in units in the last place, ends and special values, coefficients, vectorisation."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy as sp
from scipy import special

from codegen.cache import imported
from codegen.elementary import CALLS, SOFTPLUS, SOURCE, copies
from codegen.printer import code
from derive.index import Axis, Tensor
from tests.modules import network, text_of

Array = npt.NDArray[Any]
Real = type[np.float64] | type[np.float32]
Exact = Callable[[mpmath.mpf], mpmath.mpf]

NAMES = sorted([*CALLS.values(), SOFTPLUS])
MP = mpmath.mp.clone()
MP.dps = 50

LOOPS = """
@njit(error_model="numpy", fastmath={"contract", "arcp", "nsz"})
def every(x, values):
""" + "\n".join(f"    for k in range(x.size):\n        values[{i}, k] = {name}(x[k])" for i, name in enumerate(NAMES))


@pytest.fixture(scope="module")
def compiled() -> Any:
    """A module with a loop over each of the functions."""
    return imported("elementary", SOURCE.read_text() + LOOPS, "<elementary>")


def computed(module: Any, x: Array) -> dict[str, Array]:
    values = np.empty((len(NAMES), x.size), x.dtype)
    module.every(x, values)
    return dict(zip(NAMES, values, strict=True))


# -- errors --------------------------------------------------------------------------------------------------------------

EXACT: dict[str, Exact] = {
    "_exp": MP.exp,
    "_expm1": MP.expm1,
    "_sigmoid": lambda x: 1 / (1 + MP.exp(-x)),
    "_softplus": lambda x: MP.log1p(MP.exp(x)),
    "_tanh": MP.tanh,
    "_log": MP.log,
    "_log1p": MP.log1p,
    "_erf": MP.erf,
    "_erfc": MP.erfc,
}
RANGES = {  # of float64; the logarithms take any positive number
    "_exp": (-745.5, 709.9),
    "_expm1": (-45.0, 709.9),
    "_sigmoid": (-745.1, 45.0),
    "_softplus": (-745.1, 0.0),
    "_tanh": (-25.0, 25.0),
    "_erf": (-7.0, 7.0),
    "_erfc": (-7.0, 27.3),
}
RANGES_32 = {"_exp": (-104.0, 88.8), "_expm1": (-25.0, 88.8), "_sigmoid": (-103.2, 25.0), "_softplus": (-103.2, 0.0), "_erfc": (-5.0, 10.1)}


def points(name: str, dtype: Real) -> Array:
    """Numbers all over the range, many near zero and where the reduction of the argument changes."""
    rng = np.random.default_rng(7)
    tiny, most = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    around = np.concatenate([rng.uniform(-1, 1, 1000), rng.choice([-1, 1], 500) * np.exp(rng.uniform(-45, 1, 500))])
    if name.startswith("_log"):
        wide = np.exp(rng.uniform(np.log(tiny) - 10, np.log(most), 1000))
        edges = np.sqrt(0.5) * 2.0 ** rng.integers(-20, 20, 500) * (1 + rng.uniform(-1e-3, 1e-3, 500))
        x = np.concatenate([wide, edges, 1 + around, edges - 1, around])
        x = x[x > (0 if name == "_log" else -1)]
    else:
        low, high = {**RANGES, **(RANGES_32 if dtype == np.float32 else {})}[name]
        halves = (rng.integers(-60, 60, 1000) + 0.5) * np.log(2) * (1 + rng.uniform(-1e-3, 1e-3, 1000))
        roots = np.sign(halves) * np.sqrt(abs(halves))
        x = np.concatenate([rng.uniform(low, high, 1000), around, halves, halves / 2, roots])
        x = x[(x >= low) & (x <= high)]
    return x.astype(dtype)


def ulps(found: Array, exact: list[mpmath.mpf]) -> Array:
    """The errors in units in the last place of the exact values."""
    units = np.spacing(abs(np.array([float(v) for v in exact]).astype(found.dtype)))
    pairs = zip(found, exact, units, strict=True)
    return np.array([float(abs(MP.mpf(float(f)) - e) / float(u)) if np.isfinite(u) else float(f != np.inf) * 1e9 for f, e, u in pairs])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_errors_are_as_stated(compiled: Any, name: str, dtype: Real) -> None:
    """And at most 2 units in the last place."""
    stated = float(re.findall(r"within ([\d.]+) ulp", getattr(compiled, name).__doc__)[0])
    x = points(name, dtype)
    errors = ulps(computed(compiled, x)[name], [EXACT[name](MP.mpf(float(v))) for v in x])
    worst = int(errors.argmax())
    assert errors[worst] <= stated <= 2, (x[worst], errors[worst])


SWEPT: dict[str, Callable[[Array], Array]] = {  # in float64, whose errors are a thousandth of a unit of float32 at most
    "_exp": np.exp,
    "_expm1": np.expm1,
    "_sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "_softplus": lambda x: np.log1p(np.exp(x)),
    "_tanh": np.tanh,
    "_log": np.log,
    "_log1p": np.log1p,
    "_erf": special.erf,
    "_erfc": special.erfc,
}
STEP = 7  # of all numbers of float32 from 2^-40 on, and of all positive ones for the logarithms


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_errors_all_over_float32(compiled: Any, name: str) -> None:
    """A hundred million numbers: the worst one is rare."""
    stated = float(re.findall(r"within ([\d.]+) ulp", getattr(compiled, name).__doc__)[0])
    most = float(np.finfo(np.float32).max)
    low, high = (0.0 if name == "_log" else -1.0, most) if name.startswith("_log") else {**RANGES, **RANGES_32}[name]
    for sign, end in ((1, high), (-1, -low)):
        first, last = np.array([1e-45 if name == "_log" else 2.0**-40, max(end, 0)], np.float32).view(np.int32)
        for start in range(int(first), int(last), STEP << 20):
            x = sign * np.arange(start, min(start + (STEP << 20), int(last)), STEP, dtype=np.int32).view(np.float32)
            exact = SWEPT[name](x.astype(np.float64))
            inside = abs(exact) < most
            units = np.spacing(abs(exact[inside].astype(np.float32)))
            errors = abs(computed(compiled, x)[name][inside].astype(np.float64) - exact[inside]) / units
            assert errors.max() <= stated, (name, float(x[inside][errors.argmax()]), errors.max())


INF, NAN = np.inf, np.nan
ENDS: dict[str, list[tuple[float, float]]] = {
    "_exp": [(-INF, 0), (-1e4, 0), (0, 1), (1e4, INF), (3e38, INF), (INF, INF)],
    "_expm1": [(-INF, -1), (-1e4, -1), (0, 0), (1e4, INF), (INF, INF)],
    "_sigmoid": [(-INF, 0), (-1e4, 0), (0, 0.5), (1e4, 1), (INF, 1)],
    "_softplus": [(-INF, 0), (-1e4, 0), (-3e38, 0), (-0.0, np.log(2)), (0, np.log(2))],
    "_tanh": [(-INF, -1), (-1e4, -1), (0, 0), (1e4, 1), (INF, 1)],
    "_log": [(-INF, NAN), (-1, NAN), (-0.0, -INF), (0, -INF), (1, 0), (INF, INF)],
    "_log1p": [(-INF, NAN), (-2, NAN), (-1, -INF), (0, 0), (INF, INF)],
    "_erf": [(-INF, -1), (-1e4, -1), (0, 0), (1e4, 1), (INF, 1)],
    "_erfc": [(-INF, 2), (-1e4, 2), (0, 1), (1e4, 0), (INF, 0)],
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", NAMES)
def test_ends_and_nan(compiled: Any, name: str, dtype: Real) -> None:
    x, expected = np.array([*ENDS[name], (NAN, NAN)], dtype).T
    np.testing.assert_array_equal(computed(compiled, np.ascontiguousarray(x))[name], expected)


@pytest.mark.parametrize(("dtype", "over", "under"), [(np.float64, 709.79, -745.2), (np.float32, 88.73, -104.0)])
def test_overflow_and_subnormal_numbers(compiled: Any, dtype: Real, over: float, under: float) -> None:
    smallest = np.finfo(dtype).smallest_subnormal
    found = computed(compiled, np.array([over, over - 0.02, under, under + 1.1, smallest], dtype))
    assert found["_exp"][0] == found["_expm1"][0] == np.inf
    assert np.isfinite([found["_exp"][1], found["_expm1"][1]]).all()
    assert found["_exp"][2] == 0
    assert 0 < found["_exp"][3] < np.finfo(dtype).tiny
    assert found["_log"][4] == pytest.approx(np.log(float(smallest)), rel=1e-7)
    assert found["_tanh"][4] == found["_log1p"][4] == smallest


# -- text ----------------------------------------------------------------------------------------------------------------


def near_zero(f: Exact, limit: Exact) -> Exact:
    """A quotient that is 0 / 0 at zero, by the start of its series there."""
    return lambda x: f(x) if abs(x) > MP.mpf(10) ** -15 else limit(x)


def scaled_erfc(u: mpmath.mpf) -> mpmath.mpf:
    """((1 + 2x) exp(x^2) erfc(x) - 1) (x + 4) / x, where u = (x - 4) / (x + 4)."""
    x = 4 * (1 + u) / (1 - u)
    if x < MP.mpf(10) ** -20:
        return 8 - 8 / MP.sqrt(MP.pi)
    return ((1 + 2 * x) * MP.exp(x * x) * MP.erfc(x) - 1) * (x + 4) / x


def root(z: mpmath.mpf) -> mpmath.mpf:
    return MP.sqrt(z)


HALF = MP.log(2) / 2
POLYNOMIALS: dict[str, tuple[Exact, tuple[Any, Any], tuple[Any, Any], int, int]] = {
    # of what, between where (float32, float64), with how many coefficients (float32, float64)
    "_reduced": (near_zero(lambda r: (MP.exp(r) - 1 - r) / r**2, lambda r: r / 6 + 0.5), (-HALF, HALF), (-HALF, HALF), 5, 10),
    "_logarithm": (
        near_zero(lambda z: (MP.atanh(root(z)) / root(z) - 1) * 2 / z, lambda z: 2 * z / 5 + MP.mpf(2) / 3),
        (MP.mpf(0), (3 - 2 * root(MP.mpf(2))) ** 2),
        (MP.mpf(0), (3 - 2 * root(MP.mpf(2))) ** 2),
        4,
        7,
    ),
    "_tanh": (
        near_zero(lambda z: (MP.tanh(root(z)) / root(z) - 1) / z, lambda z: 2 * z / 15 - MP.mpf(1) / 3),
        (MP.mpf(0), MP.mpf("0.55") ** 2),
        (MP.mpf(0), MP.mpf("0.55") ** 2),
        5,
        10,
    ),
    "_softplus": (
        near_zero(lambda z: (MP.atanh(root(z)) / root(z) - 1) * 2 / z, lambda z: 2 * z / 5 + MP.mpf(2) / 3),
        (MP.mpf(0), MP.mpf(1) / 9),
        (MP.mpf(0), MP.mpf(1) / 9),
        5,
        10,
    ),
    "_erfc": (scaled_erfc, (MP.mpf(-1), MP.mpf(1) / 2), (MP.mpf(-1), MP.mpf(3) / 4), 11, 22),
    "_erf": (
        near_zero(lambda z: MP.erf(root(z)) / root(z) - 1, lambda z: 2 / root(MP.pi) * (1 - z / 3) - 1),
        (MP.mpf(0), MP.mpf(1)),
        (MP.mpf(0), MP.mpf(1)),
        7,
        12,
    ),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_coefficients(name: str) -> None:
    """They are those of Chebyshev's interpolation, rounded."""
    f, narrow, wide, few, many = POLYNOMIALS[name]
    written = [[float(c) for c in found] for found in coefficients(name)]
    assert written[0] == [float(str(np.float32(float(c)))) for c in MP.chebyfit(f, list(narrow), few)]
    assert written[1] == [float(c) for c in MP.chebyfit(f, list(wide), many)]


def coefficients(name: str) -> list[list[str]]:
    """The numbers of a function's polynomials, of float32 and of float64, as they are written."""
    tree = ast.parse(SOURCE.read_text())
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    branches = [part for node in function.body if isinstance(node, ast.If) for part in (node.body, node.orelse)]
    texts = ["\n".join(ast.unparse(s) for s in part if ast.unparse(s).startswith("q = ")) for part in branches]
    return [re.findall(r"real\((-?[\d.e-]+)\)", text) for text in texts if text]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_loops_are_vectorised(compiled: Any, dtype: Real) -> None:
    """Every loop has a body for several numbers at once, and nothing in it calls a library."""
    computed(compiled, np.ones(3, dtype))
    types = next(s for s in compiled.every.signatures if s[0].dtype.name == np.dtype(dtype).name)
    text = compiled.every.inspect_llvm(types)
    assert len(re.findall(r"^vector\.body\d*:", text, re.MULTILINE)) >= len(NAMES)
    assert not re.search(r"call (?:double|float)[^\n]*@(?!llvm)", text)


def test_a_module_holds_the_functions_that_it_calls_and_no_others() -> None:
    def held(*lines: str) -> list[str]:
        return re.findall(r"^def (\w+)", "\n".join(copies(lines)), re.MULTILINE)

    assert held("y = x + real(1)") == []
    assert held("y = _exp(x)") == ["_bias", "_scaled", "_reduced", "_exp"]
    assert held("y = _log(x) + _tanh(x)") == ["_bias", "_power", "_tanh", "_split", "_logarithm", "_log"]
    assert "Float32" not in text_of(network(40, [(30, "relu")], "mean_squared_error"))  # neither a function of its own nor blocks


def test_functions_of_numbers_are_those_of_the_standard_library() -> None:
    x = Tensor("x", (Axis("n", "N"),)).entry()
    assert code(sp.exp(x) + sp.log(3)) == "_exp(x[n]) + real(math.log(3))"


def test_every_function_is_documented() -> None:
    functions = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.FunctionDef)]
    assert all(ast.get_docstring(node) for node in functions)
