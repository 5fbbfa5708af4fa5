"""Matrix forms: what is recognised means what the index expression means, in every convention."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from sympy import Expr

import derive
from derive import evaluate, matrix, matrix_value
from derive.derivation import Derivation
from derive.documents.notation import Notation, notation
from derive.functions import where
from derive.index import AtMost, Axis, Delta, Entry, Index, InRange, Max, Sum, Tensor
from derive.matrix import Diagonal, Leaf, Maximum, Ones, Plus, Product, Transpose, Tree, Where
from derive.matrix_form import matrix_form, matrix_of
from derive.program import Equation

N, D, H, C = Axis("n", "N", 3), Axis("i", "D", 2), Axis("j", "H", 4), Axis("c", "C", 5)
n, i, j, c = N.index(), D.index(), H.index(), C.index()
y, Y = Tensor("y", (N,), values=C), Tensor("Y", (N, C))
P, G, Z = Tensor("P", (N, C), sign="positive"), Tensor("G", (N, C)), Tensor("Z", (N, C))
A, b, u, v = Tensor("A", (N, H)), Tensor("b", (H,)), Tensor("u", (N,)), Tensor("v", (C,))
NETWORKS = Path(__file__).parent.parent / "networks"


def arrays(tensors: Sequence[Tensor], extents: Mapping[Axis, int], seed: int = 0) -> dict[str, np.ndarray]:
    """Random arrays, labels and their one-hot rows."""
    generator = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for tensor in tensors:
        shape = tuple(extents[a] for a in tensor.axes)
        drawn = generator.normal(size=shape)
        found[tensor.name] = np.abs(drawn) + 0.5 if tensor.sign == "positive" else drawn
        if tensor.values is not None:
            found[tensor.name] = generator.integers(0, extents[tensor.values], size=shape)
    return found


def assert_same(tree: Tree, e: Expr, indices: Sequence[Index], given: dict[str, np.ndarray], extents: Mapping[Axis, int]) -> None:
    """The tree's matrix is the array of the expression's values, with the indices as its rows and columns."""
    expected = evaluate.value(e, indices, given, {a.size: x for a, x in extents.items()})
    found = matrix_value.value(tree, given, extents)
    rows, columns = (*expected.shape, 1, 1)[:2]
    assert found.shape == (rows, columns)
    assert matrix.shape(tree) == (*(k.axis for k in indices), None, None)[:2]
    np.testing.assert_allclose(found, expected.reshape(rows, columns), rtol=1e-11, atol=1e-12)


EXTENTS = {N: 3, D: 2, H: 4, C: 5}
GIVEN = arrays((y, P, G, Z, A, b, u, v), EXTENTS)
GIVEN["Y"] = (np.arange(5) == GIVEN["y"][:, None]).astype(np.float64)


@pytest.mark.parametrize(
    ("e", "indices", "expected"),
    [
        (Sum(G[n, c] * A[n, j], n), (c, j), Product((Transpose(Leaf(G)), Leaf(A)))),
        (Sum(G[n, c], n), (c,), Product((Transpose(Leaf(G)), Ones(N)))),
        (u[n] * v[c], (n, c), Product((Leaf(u), Transpose(Leaf(v))))),
        (u[n] * v[c], (c, n), Product((Leaf(v), Transpose(Leaf(u))))),
        (u[n] * G[n, c], (n, c), Product((Diagonal(Leaf(u)), Leaf(G)))),
        (u[n] * G[n, c] * v[c], (n, c), Product((Diagonal(Leaf(u)), Leaf(G), Diagonal(Leaf(v))))),
        (Sum(u[n] * G[n, c] * A[n, j], n), (c, j), Product((Transpose(Leaf(G)), Diagonal(Leaf(u)), Leaf(A)))),
        (Sum(u[n] ** 2 * G[n, c], n), (c,), None),
        (Sum(v[c] * G[n, c], c), (n,), Product((Leaf(G), Leaf(v)))),
        (b[j], (n, j), Product((Ones(N), Transpose(Leaf(b))))),
        (u[n] + A[n, j], (j, n), None),
        (Sum(G[n, c] * Z[n, c], c), (n,), None),
        (P[n, c] * (G[n, c] - Sum(G[n, C.index("k")] * P[n, C.index("k")], C.index("k"))), (n, c), None),
        ((P[n, c] - Delta(c, y[n])) / N.count, (n, c), None),
        (-Sum(sp.log(P[n, y[n]]), n) / N.count, (), None),
        (sp.exp(Z[n, c]) / Sum(sp.exp(Z[n, C.index("k")]), C.index("k")), (n, c), None),
        (where(A[n, j] <= 0, 0, A[n, j]), (n, j), None),
        (where(A[n, j] <= 0, 0, 1), (n, j), None),
        (where(A[n, j] > 1, A[n, j] ** 2, where(A[n, j] > 0, -1, b[j])), (n, j), None),
        (where(u[n] <= 0, 0, 1) * A[n, j], (n, j), None),
        (Sum(Delta(c, y[n]) * G[n, c] * A[n, j], n), (c, j), None),
        (sp.Integer(3), (n, c), None),
        (1 - G[n, c], (c, n), None),
        (Sum(G[n, c] * Z[n, c], n, c), (), None),
        (Sum(u[n] ** 2, n) * A[n, j], (n, j), None),
        (A[n, j] / (2 + Sum(u[n] ** 2, n)) ** 2, (j, n), None),
        (sp.tanh(G[n, c]) * sp.Abs(v[c]), (n, c), None),
    ],
)
def test_an_expression_and_its_matrix_form_agree(e: Expr, indices: tuple[Index, ...], expected: Tree | None) -> None:
    tree = matrix_of(e, indices, {y: Y})
    assert tree is not None
    assert expected in (None, tree)
    assert_same(tree, e, indices, GIVEN, EXTENTS)


def test_the_diagonal_of_a_matrix_and_the_identity() -> None:
    square = Tensor("S", (C, C))
    given = arrays((square,), EXTENTS)
    d = C.index("d")
    for e, indices in ((square[c, c], (c,)), (Delta(c, d), (c, d)), (Sum(square[c, c], c), ()), (square[c, d] * Delta(c, d), (c, d))):
        tree = matrix_of(e, indices)
        assert tree is not None
        assert_same(tree, e, indices, given, EXTENTS)


def test_dense_layers_in_the_three_conventions() -> None:
    out, into, one = H, D, Ones(N)
    w, wt, x, xt = Tensor("W", (out, into)), Tensor("W", (into, out)), Tensor("X", (N, into)), Tensor("X", (into, N))
    column = Tensor("x", (into,))
    cases: list[tuple[Expr, tuple[Index, ...], Tree]] = [
        (Sum(x[n, i] * w[j, i], i) + b[j], (n, j), Plus((Product((Leaf(x), Transpose(Leaf(w)))), Product((one, Transpose(Leaf(b))))))),
        (Sum(xt[i, n] * w[j, i], i) + b[j], (j, n), Plus((Product((Leaf(w), Leaf(xt))), Product((Leaf(b), Transpose(one)))))),
        (Sum(x[n, i] * wt[i, j], i) + b[j], (n, j), Plus((Product((Leaf(x), Leaf(wt))), Product((one, Transpose(Leaf(b))))))),
        (Sum(column[i] * w[j, i], i) + b[j], (j,), Plus((Product((Leaf(w), Leaf(column))), Leaf(b)))),
    ]
    for e, indices, expected in cases:
        tree = matrix_of(e, indices)
        assert isinstance(tree, Plus)
        assert isinstance(expected, Plus)
        assert set(tree.terms) == set(expected.terms)


def test_an_indicator_and_a_maximum_are_recognised() -> None:
    mask = matrix_of(where(A[n, j] <= 0, 0, 1), (n, j))
    assert isinstance(mask, Where)
    assert mask.condition.relation == ">"
    assert isinstance(matrix_of(where(A[n, j] <= 0, 0, A[n, j]), (n, j)), Maximum)


@pytest.mark.parametrize(
    ("e", "indices"),
    [
        (Tensor("T", (N, H, C))[n, j, c], (n, j, c)),
        (Sum(Tensor("T", (N, H, C))[n, j, c], j), (n, c)),
        (u[n] * b[j] * v[c], (n, j, c)),
        (Max(Z[n, c], c), (n,)),
        (P[n, y[n]], (n,)),
        (Z[0, c], (c,)),
    ],
)
def test_what_has_no_matrix_form_is_refused(e: Expr, indices: tuple[Index, ...]) -> None:
    assert matrix_form(Equation(Tensor("R", tuple(k.axis for k in indices)), indices, e)) is None


def random_expression(draw: random.Random, free: list[Index], depth: int) -> Expr:
    """An expression over at most these free indices; sums bind fresh ones."""
    kind = draw.choice(["entry", "entry", "product", "product", "plus", "sum", "function", "where", "scale"]) if depth else "entry"
    if kind == "entry":
        chosen = draw.sample(free, min(len(free), draw.choice([1, 2, 2])))
        return Entry(Tensor("T" + "".join(k.axis.name for k in chosen), tuple(k.axis for k in chosen)), *chosen)
    if kind == "sum":
        fresh = draw.choice([N, H, C]).fresh()
        body = random_expression(draw, [*draw.sample(free, min(len(free), 2)), fresh], depth - 1)
        return Sum(body * random_expression(draw, [fresh, *free], depth - 1), fresh)
    below = [random_expression(draw, free, depth - 1) for _ in range(2)]
    if kind == "function":
        return draw.choice([sp.tanh(below[0]), sp.Abs(below[0]), 1 / (2 + below[0] ** 2), sp.exp(sp.tanh(below[0]))])
    if kind == "where":
        left = random_expression(draw, free, 0)  # SymPy does not take a Piecewise in a condition
        return where(
            left <= draw.choice([sp.S.Zero, random_expression(draw, free, 0)]),
            draw.choice([sp.S.Zero, below[1]]),
            draw.choice([sp.S.One, below[0]]),
        )
    if kind == "scale":
        return draw.choice([-1, sp.Rational(1, 3), N.count, 1 / C.count]) * below[0]
    return below[0] * below[1] if kind == "product" else below[0] + below[1]


def test_no_form_of_a_random_expression_is_wrong() -> None:
    axes = (N, H, C)
    tensors = [Tensor("T" + "".join(a.name for a in chosen), chosen) for r in (1, 2) for chosen in itertools.product(axes, repeat=r)]
    given = arrays(tensors, EXTENTS)
    recognised = 0
    for seed in range(400):
        draw = random.Random(seed)
        indices = tuple(draw.sample([n, j, c], draw.choice([0, 1, 2, 2])))
        e = random_expression(draw, list(indices) or [n], 3)
        e = Sum(e, n) if not indices else e
        tree = matrix_of(e, indices)
        if tree is not None:
            recognised += 1
            assert_same(tree, e, indices, given, EXTENTS)
    assert recognised > 200


@pytest.fixture(scope="module", params=["rows", "columns", "xw", "single"])
def derivations(request: pytest.FixtureRequest) -> list[Derivation]:
    """The derivations of all shipped networks in one convention, or for one example."""
    found: list[Derivation] = []
    for path in sorted(NETWORKS.glob("*.toml")):
        network = derive.load(path)
        single = request.param == "single"
        program = network.program("columns", "single") if single else network.program(request.param)
        found.append(derive.differentiate(program))
    return found


def test_every_equation_of_the_shipped_networks_has_a_right_matrix_form(derivations: list[Derivation]) -> None:
    for derivation in derivations:
        how = notation(derivation)
        steps = (*derivation.backward, *derivation.stable)
        equations = (*derivation.forward.equations, *(d.equation for d in steps))
        for equation in equations:
            check_equation(equation, how)


def has_none(equation: Equation, how: Notation) -> bool:
    """Whether there is no matrix form: maxima, tensors of more than two axes or of two like ones, positions that are computed."""
    read = (equation.tensor, *equation.reads)
    positions = [i for e in equation.body.atoms(Entry) for i in e.indices] + [i for d in equation.body.atoms(Delta) for i in d.args]
    computed = any(i.tensor not in how.onehots if isinstance(i, Entry) else not isinstance(i, Index) for i in positions)
    places = [(i, axis) for e in equation.body.atoms(Entry) for i, axis in zip(e.indices, e.tensor.axes, strict=True)]
    computed |= any(isinstance(i, Index) and i.axis != axis for i, axis in places)
    return computed or equation.body.has(Max, InRange, AtMost) or any(len(t.axes) > 2 or len(set(t.axes)) < len(t.axes) for t in read)


def check_equation(equation: Equation, how: Notation) -> None:
    tree = matrix_form(equation, how.onehots)
    if tree is None:
        assert has_none(equation, how), f"({equation.number}) {equation.tensor}"
        return
    axes = dict.fromkeys(a for t in (*equation.reads, equation.tensor, *how.onehots) for a in (*t.axes, *([t.values] if t.values else [])))
    extents = {a: a.extent or 7 for a in axes}
    given = arrays(equation.reads, extents)
    if equation.body.has(sp.log):  # probabilities
        given = {name: 0.1 + np.abs(a) % 0.8 if a.dtype == np.float64 else a for name, a in given.items()}
    for labels, onehot in how.onehots.items():
        if labels.name in given and labels.values is not None:
            rows = (np.arange(extents[labels.values]) == given[labels.name][..., None]).astype(np.float64)
            given[onehot.name] = rows if onehot.axes == (*labels.axes, labels.values) else rows.T
    assert_same(tree, equation.body, equation.indices, given, extents)
