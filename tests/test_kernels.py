"""Kernels of equations of all shapes: against the plain meaning of their programs, interpreted and compiled, and what their loops are."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

from codegen.cover import partition
from codegen.positions import dense, in_row_major_order, limits
from codegen.summands import summands
from derive import differentiate
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.index import AtMost, Axis, Delta, InRange, Tensor
from derive.program import Equation
from tests.kernel_programs import PROGRAMS, conv2d
from tests.kernels import Rendered, call, compiled, drawn, interpreted, rendered
from tests.random_programs import random_program

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@functools.cache
def derivation(name: str) -> Derivation:
    return differentiate(PROGRAMS[name]())


@functools.cache
def kernel_of(name: str) -> Rendered:
    computed = derivation(name).computed
    return rendered("".join(c if c.isalnum() else "_" for c in name), computed, computed.outputs)


def text(name: str) -> str:
    """The lines of a kernel without comments."""
    return "\n".join(line for line in kernel_of(name).text.splitlines() if not line.strip().startswith("#"))


# -- numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_compute_what_the_mathematics_says(name: str) -> None:
    made, k = interpreted([kernel_of(name)]), kernel_of(name)
    for count in (1, 2, 5):
        given = drawn(derivation(name).computed, count)
        assert worst(call(made, k, given, count), evaluate(derivation(name).mathematical, given)) < 1e-12


COMPILED = (
    "conv2d, stride and padding",
    "max pooling in columns",
    "embedding",
    "attention",
    "weighted cross-entropy",
    "concatenation",
    "functions",
)


@pytest.fixture(scope="session")
def machine_code() -> Any:
    return compiled([kernel_of(name) for name in COMPILED])


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_kernels_in_both_types(name: str, machine_code: Any) -> None:
    k, given = kernel_of(name), drawn(derivation(name).computed, 3)
    wanted = evaluate(derivation(name).mathematical, given)
    assert worst(call(machine_code, k, given, 3), wanted) < 1e-12
    found = call(machine_code, k, given, 3, np.float32)
    assert all(np.asarray(a).dtype == np.float32 for n, a in found.items() if wanted[n].ndim)
    assert worst(found, wanted) < 2e-6
    if name != "weighted cross-entropy":  # sums over all examples are kept in float64; its gradient is divided by one
        compiled_kernel = getattr(machine_code, k.name)
        single = next(s for s in compiled_kernel.signatures if "float32" in str(s))
        assert not re.findall(r"f(?:mul|div|exp)\b.* double", compiled_kernel.inspect_llvm(single))


@pytest.mark.parametrize("seed", range(80))
def test_random_programs(seed: int) -> None:
    program = random_program(seed)
    k = rendered("kernel", program, program.outputs)
    made = interpreted([k])
    for count in (1, 3):
        given = drawn(program, count, seed)
        wanted = evaluate(program, given)
        for name, found in call(made, k, given, count).items():
            np.testing.assert_allclose(found, wanted[name], rtol=1e-10, atol=1e-12)


def worst(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    """The largest difference, relative to the largest entry of all arrays."""
    largest = max(float(np.abs(wanted[name]).max()) for name in found)
    differences = [float(np.abs(a - wanted[name]).max()) for name, a in found.items()]
    return max(d if d == d else np.inf for d in differences) / largest


# -- loops ---------------------------------------------------------------------------------------------------------------


def test_a_table_gets_its_gradient_at_the_labels() -> None:
    assert "dE[ids[n, t], i] += " in text("embedding")
    assert "dE[:, :] = real(0)" in text("embedding")
    assert "==" not in text("embedding")


def test_flattening_assigns_every_entry_once() -> None:
    assert "A[8 * c + 4 * h + w] = tanh_X[c, h, w]" in text("flatten and dense")
    assert " = (real(1) - tanh_X[c, h, w]) * (real(1) + tanh_X[c, h, w]) * dA[8 * c + 4 * h + w]" in text("flatten and dense")


def test_parts_side_by_side_are_assigned() -> None:
    shown = text("concatenation")
    assert "Y[n, i] = A[n, i]" in shown
    assert "Y[n, c + 3] = B[n, c]" in shown
    assert "Y[n, i + 5] = _tanh(A[n, i])" in shown
    assert "if" not in shown


def test_a_largest_entry_adds_its_gradient_at_its_place() -> None:
    shown = text("max pooling")
    assert "dX[n, c, 2 * h + argmax_X, argmax_X_2 + w] += dY" in shown
    assert shown.count(" > best_argmax_X:") == 1  # one search for its row and its column


def test_positions_that_all_examples_keep_are_stored_as_numbers() -> None:
    assert "int(argmax_tanh_X[n, o])" in text("max pooling in columns")


def test_a_causal_mask_ends_the_loop() -> None:
    assert re.search(r"for \w+ in range\(t \+ 1\):\n +\w+ \+= _exp", text("attention"))
    assert " if " not in text("attention")


def test_an_unpadded_convolution_has_no_condition_and_no_bound() -> None:
    shown = text("conv2d")
    assert not re.search(r"\bif\b|max\(|min\(|//|%", shown)
    assert "dX[n, k, h + p, q + w] += " in shown


def test_padding_and_stride_bound_the_loops() -> None:
    shown = text("conv2d, stride and padding")
    assert " if " not in shown
    innermost = [line for line in shown.splitlines() if "+=" in line]
    assert len(innermost) > 2
    assert not any("//" in line or "max(" in line for line in innermost)


def test_a_guard_is_tested_before_the_read() -> None:
    x, y, t = Tensor("X", (Axis("n", "N"), T)), Tensor("Y", (Axis("n", "N"), T)), T.index()
    n = x.axes[0].index()
    body = sp.exp(x[n, t - 1] * InRange(t - 1, T.count)) + sp.tanh(x[n, t - 1] * x[n, t])
    program = replace(random_program(0), inputs=(x,), targets=(), equations=(), outputs=())
    program = replace(program, equations=(Equation(y, (n, t), body, "1"),), outputs=(y,))
    shown = rendered("kernel", program, [y]).text
    assert "_exp(X[n, t - 1] if 0 <= t - 1 < 4 else real(0))" in shown
    assert "for t in range(1, 4):" in shown  # what nothing protects is left out where it would be read outside


def test_merged_axes_are_matrix_products() -> None:
    assert "_product(X.reshape(4 * N, 20), W.T, sum_W_X.reshape(4 * N, 16))" in text("dense over tokens")
    assert "_product" not in text("flatten and dense")  # too small to pay


def test_small_windows_are_summed_in_a_variable() -> None:
    program = conv2d(1, 0, (8, 8), (3, 3), (1, 2))
    shown = rendered("kernel", program, [program.equations[0].tensor]).text
    assert "sum_Y += W[o, k, p, q] * X[n, k, h + p, q + w]" in shown
    assert shown.rindex("for w in range(6)") < shown.index("for k in range(1)")


def test_wide_windows_run_along_the_rows() -> None:
    program = conv2d(1, 0, (12, 12), (5, 5), (6, 2))
    shown = rendered("kernel", program, [program.equations[0].tensor]).text
    assert shown.rindex("for w in range(8)") > shown.index("for q in range(5)")


# -- positions -----------------------------------------------------------------------------------------------------------

T, F, H, E = Axis("t", "T", 4), Axis("f", "F", 6), Axis("h", "H", 2), Axis("e", "E", 3)
t, f, h, e = T.index(), F.index(), H.index(), E.index()


@pytest.mark.parametrize(
    ("guard", "least", "past"),
    [
        (InRange(t - 1, T.count), 1, 5),
        (InRange(2 - t, E.count), 0, 3),
        (InRange(2 * t - 3, T.count), 2, 4),  # 3 <= 2 t <= 6
        (InRange(5 - 2 * t, E.count), 2, 3),  # 3 <= 2 t <= 5
        (InRange(2 * t - 2, F.count), 1, 4),
        (AtMost(t, sp.Integer(2)), None, 3),
        (AtMost(sp.Integer(2), t), 2, None),
        (AtMost(2 * t, sp.Integer(5)), None, 3),
    ],
)
def test_a_guard_is_an_interval(guard: sp.Expr, least: int | None, past: int | None) -> None:
    assert limits(guard, t) == (least, past)
    admitted = [k for k in range(-9, 9) if guard.xreplace({t: sp.Integer(k)}) == 1 or _holds(guard, k)]
    assert admitted == [k for k in range(-9, 9) if (least is None or k >= least) and (past is None or k < past)]


def _holds(guard: sp.Expr, k: int) -> bool:
    sizes = {axis.count: sp.Integer(axis.extent or 0) for axis in (T, E, F)}
    a, b = (int(p.xreplace({t: sp.Integer(k), **sizes})) for p in guard.args)
    return 0 <= a < b if isinstance(guard, InRange) else a <= b


def test_guards_of_labels_are_no_interval() -> None:
    label = Tensor("y", (H,), values=T)[h]
    assert limits(InRange(t + label, T.count), t) is None
    assert limits(InRange(t * t, T.count), t) is None


def test_dense_positions() -> None:
    assert dense(3 * h + e) == (h, e)
    assert dense(2 * e + h + 5) == (e, h)
    assert dense(3 * h + t) is None
    assert dense(2 * h) is None
    assert in_row_major_order(Tensor("W", (T, F))[t, 3 * h + e]) == (t, h, e)
    assert in_row_major_order(Tensor("W", (T, F))[t, e]) is None


def test_a_partition_has_no_gap_and_no_overlap() -> None:
    target = Tensor("Y", (T, F))[t, f]

    def parts(*values: sp.Expr) -> bool:
        return partition([p for v in values for p in summands(target, v, (t, f, e))])

    a, b = Delta(f, e), Delta(f, e + 3)
    assert parts(a, b)
    assert not parts(a)
    assert not parts(a, a)
    assert not parts(a, Delta(f, e + 2))
