"""From equations to loops: every kind of node and equation against the plain evaluator, and what the loops look like."""

from __future__ import annotations

import ast
import cProfile
import math
import re
from typing import Any

import numpy as np
import pytest
import sympy as sp

from codegen.cache import imported
from codegen.elementary import copies
from codegen.lines import lines
from codegen.loops import MatrixProduct
from codegen.printer import code
from codegen.render import render
from codegen.schedule import kernel
from codegen.views import Size, laid_out
from derive import Network, differentiate
from derive.evaluate import evaluate
from derive.functions import AtLeast, Expm1, Log1p, Sigmoid, where
from derive.index import ArgMax, AtMost, Axis, Delta, Entry, Index, InRange, Max, Sum, Tensor
from derive.program import Equation, Program
from derive.text import equation_text
from tests.modules import NUMPY_MATH, network, text_of

N, D, H = Axis("n", "N"), Axis("i", "D", 3), Axis("j", "H", 4)
n, i, j = N.index(), D.index(), H.index()
X, W, V, y = Tensor("X", [N, D]), Tensor("W", [H, D]), Tensor("V", [D, D]), Tensor("y", [N], values=H)
I2 = D.index("i'")
m, K, q = D.fresh(), D.fresh(), H.fresh()


def made(name: str, indices: tuple[Index, ...], body: sp.Expr, number: str = "1") -> Equation:
    return Equation(Tensor(name, [k.axis for k in indices]), indices, body, number)


def programme(*equations: Equation) -> Program:
    return Program("hand", (X,), (y,), (W, V), equations, (equations[-1].tensor,))


def run(program: Program, given: dict[str, Any]) -> Any:
    """The kernel's statements, run by Python on arrays of their own."""
    out = program.outputs[0]
    scheduled = kernel(program, [out], {})
    body = lines(scheduled.body, {t.name for t in program.given})
    arrays = ", ".join([*given, *(v.tensor.name for v in scheduled.workspace), *([out.name] if out.axes else [])])
    shown = [f"def kernel(real, N, {arrays}):", *body, f"    return {out.name}", "def _add(total, x):", "    return total + x"]
    head = ["import math", "from typing import Any", "import numpy as np", "Float32, Real = np.float32, Any"]
    functions = re.sub(r"@njit.*", "", "\n\n".join(copies(body)))
    module: Any = imported("hand", "\n".join([*head, functions, *shown]), "<hand>")
    module.math = NUMPY_MATH
    count = given["X"].shape[0]
    shapes = [tuple(a.extent or count for a in t.axes) for t in (*(v.tensor for v in scheduled.workspace), *([out] if out.axes else []))]
    return module.kernel(np.float64, count, *given.values(), *(np.full(s, np.nan) for s in shapes))


def x(at: sp.Expr = i) -> Entry:
    return Entry(X, n, at)


BODIES: dict[str, tuple[tuple[Index, ...], sp.Expr]] = {
    "a product": ((n, j), Sum(X[n, m] * W[j, m], m)),
    "a sum plus a rest": ((n, i), Sum(X[n, m] * V[m, i], m) + X[n, i] ** 2),
    "a sum in a function": ((n, j), sp.tanh(Sum(X[n, m] * W[j, m], m)) / 3),
    "two sums": ((n, i), Sum(X[n, m] * V[m, i], m) - 2 * Sum(W[q, i], q) + 1),
    "a product of sums": ((n,), Sum(X[n, m], m) * Sum(X[n, m] ** 2, m)),
    "a sum in a sum": ((n,), Sum(sp.exp(X[n, m] - Sum(X[n, K] * V[K, m], K)), m)),
    "a largest value in a sum": ((n,), Sum(sp.exp(X[n, m] - Max(X[n, K], K)), m)),
    "a largest value": ((n,), Max(X[n, m], m)),
    "a largest value below zero": ((n,), Max(X[n, m] - 2, m)),
    "the place of a largest value below zero": ((n,), V[0, ArgMax(X[n, m] - 2, 0, m)]),
    "the place of the largest": ((n,), sp.Integer(2) * V[ArgMax(X[n, m], 0, m), ArgMax(X[n, m], 0, m)]),
    "no axes": ((), Sum(X[n, m] * V[m, m], n, m) / N.count),
    "a delta of a label": ((n, j), (sp.exp(W[j, 0]) - Delta(j, Entry(y, n))) / N.count),
    "a delta of two indices": ((i, I2), V[i, I2] * Delta(i, I2) + 1),
    "deltas that multiply": ((n, j), Delta(j, Entry(y, n)) * Sum(X[n, m], m)),
    "a gathered entry": ((n,), W[Entry(y, n), 1]),
    "a causal mask": ((i, I2), V[i, I2] * AtMost(i, I2)),
    "a range": ((i,), InRange(i - 1, D.count) * V[0, i]),
    "an index as a number": ((n, i), X[n, i] * i),
    "powers": ((n, i), (1 + x() ** 2) ** sp.Rational(3, 2) + 1 / (2 + x()) ** 2 + sp.sqrt(x() ** 2 + 1)),
    "constants": ((n, i), sp.sqrt(2 / sp.pi) * x() + sp.Rational(1, 3) - sp.Rational(44715, 1000000) * x() ** 3 / (D.count * N.count)),
    "functions": ((n, i), sp.exp(-x()) + sp.log(2 + x()) - sp.erf(x()) + sp.Abs(x()) * sp.sign(x()) + Log1p(x() ** 2) * Expm1(x())),
    "stable functions": ((n, i), Sigmoid(-x()) / Sigmoid(x()) - AtLeast(x(), sp.Rational(1, 2))),
    "branches": ((n, i), x() * where(x() <= 0, 0, 1) - where(x() > sp.Rational(1, 2), x(), sp.exp(x())) + where(x() <= 0, 0, x())),
    "a long formula": ((n, i), sp.Mul(*[sp.exp(x()) + k * x() ** 2 + sp.tanh(x() / k) + 1 for k in range(2, 9)])),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_kind_of_equation_means_what_the_evaluator_says(name: str) -> None:
    indices, body = BODIES[name]
    program = programme(made("T", indices, body))
    rng = np.random.default_rng(0)
    given = {"X": rng.uniform(-1, 1, (5, 3)), "W": rng.normal(size=(4, 3)), "V": rng.normal(size=(3, 3)), "y": rng.integers(0, 4, 5)}
    np.testing.assert_allclose(run(program, given), evaluate(program, given)["T"], rtol=1e-13)


def test_lines_stay_within_the_width() -> None:
    indices, body = BODIES["a long formula"]
    shown = lines(kernel(programme(made("T", indices, body)), [Tensor("T", [N, D])], {}).body, set())
    assert max(map(len, shown)) <= 140


def bare_numbers(node: ast.AST) -> list[int | float]:
    """The numbers in an expression that are not arguments of `real`, exponents or places in an array."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return [value]
        case ast.Call(func=ast.Name(id="real")) | ast.Subscript():
            return []
        case ast.BinOp(op=ast.Pow()):
            return bare_numbers(node.left)
        case _:
            return [number for child in ast.iter_child_nodes(node) for number in bare_numbers(child)]


@pytest.mark.parametrize("name", [name for name, (_, body) in BODIES.items() if not body.has(Sum, Max, ArgMax, InRange)])
def test_no_printed_number_widens_float32(name: str) -> None:
    assert bare_numbers(ast.parse(code(BODIES[name][1]))) == []


def test_loops_over_one_axis_are_merged_and_arrays_shrink() -> None:
    a, b = Tensor("A", [N, H]), Tensor("B", [N, H])
    first = Equation(a, (n, j), Sum(X[n, m] * W[j, m], m), "1")
    second = Equation(b, (n, j), sp.tanh(a[n, j]), "2")
    third = made("T", (n,), Sum(b[n, q], q), "3")
    scheduled = kernel(programme(first, second, third), [third.tensor], {})
    assert [line.strip() for line in lines(scheduled.body, set()) if line.strip().startswith("for")] == [
        "for n in range(N):",
        "for j in range(4):",
        "for i in range(3):",
    ]
    assert scheduled.workspace == ()  # all of A and B lives in variables


def test_only_sums_along_a_long_innermost_loop_may_be_reordered() -> None:
    """Reordered, (a - b) + c of a stable form could lose all of its digits; the terms of a sum are computed as they are written."""
    transposed = Tensor("F", [D, N])
    feature = Equation(transposed, (i, n), X[n, i] - sp.exp(X[n, i]), "1")
    long, short = made("T", (i,), Sum(transposed[i, n], n)), made("T", (n,), Sum(X[n, m] * V[m, m], m))
    assert "sum_T = _add(sum_T, " in "\n".join(lines(kernel(programme(feature, long), [long.tensor], {}).body, set()))
    assert "_add" not in "\n".join(lines(kernel(programme(short), [short.tensor], {}).body, set()))
    assert 'FAST = {"contract", "arcp", "nsz"}' in text_of(NETS["rows"])


def test_a_loop_that_needs_the_whole_of_an_earlier_one_stays_apart() -> None:
    total = Tensor("S", [D])
    first = Equation(total, (i,), Sum(X[n, i], n), "1")
    second = made("T", (n, i), X[n, i] / total[i], "2")
    shown = "\n".join(lines(kernel(programme(first, second), [second.tensor], {}).body, set()))
    assert shown.count("for n in range(N):") == 2


@pytest.mark.parametrize(("widths", "products"), [((16, 15), 0), ((16, 16), 1), ((784, 10), 1)])
def test_matrix_products_where_the_extents_are_large(widths: tuple[int, int], products: int) -> None:
    inputs, outputs = widths
    net = network(inputs, [(outputs, "relu")], "mean_squared_error")
    program = differentiate(net.program()).computed
    body = kernel(program, program.outputs[:1], {}).body
    assert sum(isinstance(s, MatrixProduct) for s in body) == products


def test_the_workspace_has_contiguous_parts_for_every_batch() -> None:
    views = laid_out([Tensor("A", [N, H]), Tensor("B", [D]), Tensor("C", [N])])
    assert [(v.tensor.name, v.start, v.stop) for v in views] == [
        ("B", Size(0), Size(3)),
        ("A", Size(3), Size(3, 4)),
        ("C", Size(3, 4), Size(3, 5)),
    ]


def test_what_can_begin_with_a_whole_line_does() -> None:
    wide = Axis("m", "M", 32)
    views = laid_out([Tensor("Z", [N, H]), Tensor("B", [D]), Tensor("A", [N, wide]), Tensor("C", [H])], {}, 16)
    assert [(v.tensor.name, v.start, v.stop) for v in views] == [
        ("B", Size(0), Size(3)),
        ("C", Size(16), Size(20)),
        ("A", Size(32), Size(32, 32)),
        ("Z", Size(32, 32), Size(32, 36)),
    ]


NETS = {
    "rows": network(3, [(20, "relu"), (3, "identity")], "softmax_cross_entropy"),
    "columns": network(3, [(4, "gelu_tanh"), (3, "softmax"), (2, "silu")], "mean_squared_error", "columns"),
    "xw": network(3, [(4, "elu"), (1, "sigmoid")], "binary_cross_entropy", "xw"),
}


@pytest.mark.parametrize("net", NETS.values(), ids=list(NETS))
def test_every_equation_stands_over_its_code(net: Network) -> None:
    computed = differentiate(net.program()).computed
    module = re.sub(r"\n +#     ", " ", text_of(net))  # comments that go on in a second line
    for equation in computed.equations:
        assert f"# ({equation.number})  {equation_text(equation)}\n" in module


def test_numbers_of_the_gradients_kernel_are_each_shown_in_full_once() -> None:
    text = text_of(NETS["rows"])
    part = text[text.index("def _gradients") : text.index("# -- optimizers")]
    full = re.findall(r"# \((\w+)\)  ", part)
    assert len(full) == len(set(full)) == len(differentiate(NETS["rows"].program()).computed.equations)


def calls(layers: int) -> int:
    """The functions that are called while a network of so many layers becomes a module."""
    net = network(4, [(4, "relu")] * layers, "mean_squared_error")
    profile = cProfile.Profile(builtins=False)
    profile.runcall(lambda: render(differentiate(net.program()), net))
    return sum(entry.callcount for entry in profile.getstats())


def test_work_is_in_proportion_to_depth() -> None:
    """What grows with the square of the depth would take four times as much from 16 layers to 32 as from 8 to 16."""
    calls(4)  # fills caches
    short, middle, long = map(calls, (8, 16, 32))
    assert long - middle < 2.5 * (middle - short)


def test_a_program_of_a_single_example_is_no_module() -> None:
    with pytest.raises(ValueError, match="one axis with an extent known only at run time, found \\[\\]"):
        render(differentiate(NETS["rows"].program(examples="single")), NETS["rows"])


def test_math_of_constants() -> None:
    assert code(sp.sqrt(2) / (2 * sp.sqrt(sp.pi)) * x()) == "real(math.sqrt(2) / (2 * math.sqrt(math.pi))) * X[n, i]"
    assert math.isclose(eval_constant("math.sqrt(2) / (2 * math.sqrt(math.pi))"), 1 / math.sqrt(2 * math.pi))


def eval_constant(text: str) -> float:
    module: Any = imported("constant", f"import math\nvalue = {text}\n", "<constant>")
    return module.value
