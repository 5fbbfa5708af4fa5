"""What a document says beside the steps: local derivatives, one-hot sums, sums to 1, the network as one formula."""

from __future__ import annotations

from collections.abc import Iterator

import handmade
import numpy as np
import pytest
import sympy as sp

import derive
from derive import evaluate
from derive.derivation import Derivation
from derive.documents.compose import compose
from derive.documents.document import Formula, Row
from derive.documents.forward import composition, with_all_positions
from derive.documents.local import slope
from derive.documents.notation import notation
from derive.index import Axis, Delta, Entry, Sum, Tensor
from derive.network import Network
from derive.program import Program
from derive.terms import derivative, total

HIDDEN = ["leaky_relu", "elu", "softplus", "silu", "gelu", "softmax", "tanh", "sigmoid"]


def net(*activations: str, outputs: int = 3, loss: str = "softmax_cross_entropy") -> Network:
    layers = [{"kind": "dense", "units": 2 + k, "activation": kind} for k, kind in enumerate(activations)]
    return Network(name="net", inputs=2, layers=[*layers, {"kind": "dense", "units": outputs}], loss=loss)


def arrays_of(program: Program, extents: dict[str, int]) -> dict[str, np.ndarray]:
    """Random arrays for what is given, and the values of all equations."""
    generator = np.random.default_rng(11)
    given: dict[str, np.ndarray] = {}
    for tensor in program.given:
        shape = tuple(a.extent or extents[a.size] for a in tensor.axes)
        labels = tensor.values is not None
        given[tensor.name] = generator.integers(0, 2, size=shape) if labels else generator.uniform(-1, 1, size=shape)
    return evaluate.evaluate(program, given)


SLOPES: list[tuple[str, Program]] = [
    ("dense network", net(*HIDDEN).program()),
    ("columns", net("softmax", "relu").program("columns", "single")),
    ("embedding", handmade.embedding().forward),
    ("attention", handmade.causal_softmax().forward),
    ("convolution", handmade.strided_convolution().forward),
    ("two readers", handmade.two_readers().forward),
]


@pytest.mark.parametrize("program", [p for _, p in SLOPES], ids=[name for name, _ in SLOPES])
def test_local_derivatives_are_right_at_all_positions(program: Program) -> None:
    """With the deltas that a letter on both sides stands for put back, they are the derivatives without any simplification."""
    extents = {"N": 3, "T": 4, "H": 2, "K": 2, "V": 5, "S": 9, "R": 3}
    arrays = arrays_of(program, extents)
    for equation in program.equations[:-1]:
        for tensor in equation.reads:
            if tensor.values is not None:
                continue
            at = tuple(a.fresh() for a in tensor.axes)
            found = slope(equation, tensor)
            deltas = [Delta(there, here) for there, here in zip(at, found.at, strict=True) if here in equation.indices]
            rule = {here: there for there, here in zip(at, found.at, strict=True) if here not in equation.indices}
            claimed = found.value.xreplace(rule) * sp.Mul(*deltas)
            exact = total(derivative(equation.body, tensor, at))
            everywhere = (*equation.indices, *at)
            np.testing.assert_allclose(
                evaluate.value(claimed, everywhere, arrays, extents),
                evaluate.value(exact, everywhere, arrays, extents),
                rtol=1e-12,
                atol=1e-14,
                err_msg=f"{equation.tensor.name} by {tensor.name}",
            )


def test_what_is_elementwise() -> None:
    program = net("softmax", "tanh").program()
    found = {(e.tensor.name, t.name): slope(e, t).elementwise for e in program.equations[:-1] for t in e.reads}
    assert [names for names, elementwise in found.items() if elementwise] == [("H2", "A2")]


def rows_of(derivation: Derivation, network: Network) -> Iterator[Row]:
    for section in compose(derivation, network).sections:
        for block in section.blocks:
            if isinstance(block, Formula):
                yield from block.rows


def test_only_an_elementwise_activation_is_passed_entry_by_entry() -> None:
    network = net("softmax", "tanh")
    rows = list(rows_of(derive.differentiate(network.program()), network))
    passed = [row for row in rows if r"'\left(A" in row.right and row.left.startswith(r"\frac{\partial L}")]
    assert [row.left for row in passed] == [r"\frac{\partial L}{\partial A_2}"]
    assert passed[0].right == r"G_{H_2} \odot \tanh'\left(A_2\right) = \left(G_Z W_3\right) \odot \tanh'\left(A_2\right)"


def test_softmax_alone_sums_to_1() -> None:
    network = net("softmax", "sigmoid")
    rows = rows_of(derive.differentiate(network.program()), network)
    assert [row.left for row in rows if row.right == "1" and r"\sum" in row.left] == [r"\sum_{j} H_{1,nj}", r"\sum_{c} P_{nc}"]


N, C, K = Axis("n", "N"), Axis("c", "C"), Axis("k", "K")
P, R, W, y, t = Tensor("P", (N, C)), Tensor("R", (N, C)), Tensor("W", (N,)), Tensor("y", (N,), values=C), Tensor("t", (N,), values=C)
n = N.index()
ONEHOTS = {y: Tensor("Y", (N, C)), t: Tensor("T", (N, C))}


@pytest.mark.parametrize(
    ("e", "spread"),
    [
        (-Sum(sp.log(P[n, y[n]]), n) / N.count, True),
        (Sum(W[n] * sp.log(P[n, y[n]]) * R[n, y[n]] + W[n], n), True),
        (Sum(P[n, y[n]] * R[n, t[n]], n), True),
        (sp.log(Sum(sp.exp(P[n, y[n]]), n)), False),
        (Sum(W[n] ** 2, n), False),
    ],
)
def test_what_a_label_picks_is_a_sum_with_the_onehot_tensor(e: sp.Expr, spread: bool) -> None:
    found = with_all_positions(e, ONEHOTS)
    assert (found != e) is spread
    labels = [a for a in found.atoms(Entry) if any(isinstance(at, Entry) for at in a.indices)]
    assert bool(labels) is (not spread and e.has(y))
    extents = {"N": 5, "C": 3}
    generator = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {x.name: generator.uniform(0.1, 1, size=(5, 3)) for x in (P, R)}
    arrays |= {"W": generator.uniform(size=5), "y": generator.integers(0, 3, size=5), "t": generator.integers(0, 3, size=5)}
    np.testing.assert_allclose(evaluate.value(found, (), arrays, extents), evaluate.value(e, (), arrays, extents), rtol=1e-13)


def test_the_network_as_one_formula() -> None:
    def written(network: Network) -> str | None:
        derivation = derive.differentiate(network.program("xw"))
        return composition(derivation.forward, notation(derivation))

    linear = r"\left(X W_1 + \mathbf{1} b_1^\top\right) W_2 + \mathbf{1} b_2^\top"
    assert written(net("identity", loss="mean_squared_error")) == linear
    assert written(net("identity")) == rf"\operatorname{{softmax}}\left({linear}\right)"
    assert written(net(loss="mean_squared_error")) is None


def test_roots_stand_below_the_fraction_bar() -> None:
    """The GELU as books write it: A/sqrt(2) in the error function, 1/sqrt(2 pi) before the exponential; 0.00001 as a power of ten."""
    network = net("gelu")
    how = notation(derive.differentiate(network.program()))
    assert how.index(sp.sqrt(2) / 2, ()) == r"\frac{1}{\sqrt{2}}"
    assert how.index(3 * sp.sqrt(2) / (2 * sp.sqrt(sp.pi)), ()) == r"\frac{3}{\sqrt{2 \pi}}"
    assert how.index(sp.sqrt(2) / 3, ()) == r"\frac{\sqrt{2}}{3}"
    assert how.index(sp.Rational(1, 10**5), ()) == "10^{-5}"
    assert how.index(sp.Rational(1, 1000), ()) == "0.001"
