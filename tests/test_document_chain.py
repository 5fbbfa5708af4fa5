"""The chain: the ways from the loss to a parameter, and that the sum of their products is its gradient."""

from __future__ import annotations

from itertools import pairwise

import handmade
import numpy as np
import pytest
import sympy as sp
from sympy import Expr

import derive
from derive import evaluate
from derive.derivation import Derivation
from derive.documents.chain import LONG, SHOWN, chain, trails, way_counts, ways
from derive.documents.document import Formula, Paragraph, Row, Section
from derive.documents.notation import notation
from derive.index import Axis, Sum, Tensor
from derive.network import Network
from derive.program import Equation, Program, renumber
from derive.terms import derivative, total

N = Axis("n", "N")


def shortcuts(number: int) -> Program:
    """Blocks H = A^2 + A, one after the other: two ways through each."""
    first, weight = Tensor("X", (N,)), Tensor("W")
    value, n = Tensor("H0", (N,)), N.index()
    equations = [Equation(value, (n,), first[n] * weight.entry())]
    for k in range(1, number + 1):
        around, after = Tensor(f"A{k}", (N,)), Tensor(f"H{k}", (N,))
        equations += [Equation(around, (n,), value[n] ** 2), Equation(after, (n,), around[n] + value[n])]
        value = after
    loss = Equation(Tensor("L"), (), Sum(value[n], n))
    return Program("shortcuts", (first,), (), (weight,), renumber((*equations, loss)), (value, loss.tensor))


def shown(derivation: Derivation) -> tuple[str, dict[str, Row]]:
    """The first sentence of the section, and its rows by what they start with."""
    (section,) = chain(derivation, notation(derivation))
    return sentence(section), {row.left: row for block in section.blocks if isinstance(block, Formula) for row in block.rows}


def sentence(section: Section, number: int = 0) -> str:
    """The words of a paragraph, without its formulas."""
    paragraph = section.blocks[number]
    assert isinstance(paragraph, Paragraph)
    return "".join(part for part in paragraph.text if isinstance(part, str))


def gradient(name: str) -> str:
    return rf"\frac{{\partial L}}{{\partial {name}}}"


def test_one_product_for_each_parameter() -> None:
    words, rows = shown(handmade.classifier())
    front = r"\frac{\partial L}{\partial P} \frac{\partial P}{\partial Z}"
    back = r"\frac{\partial Z}{\partial H_1} \frac{\partial H_1}{\partial A_1}"
    assert rows[gradient("W_1")].right == rf"{front} {back} \frac{{\partial A_1}}{{\partial W_1}}"
    assert rows[gradient("b_2")].right == rf"{front} \frac{{\partial Z}}{{\partial b_2}}"
    assert rows[gradient("A_1")].right == r"\frac{\partial L}{\partial H_1} \frac{\partial H_1}{\partial A_1}"
    assert gradient("P") not in rows
    assert "several" not in words


def test_a_sum_of_products_where_there_are_several_ways() -> None:
    words, rows = shown(handmade.two_readers())
    right = r"\frac{\partial L}{\partial A} \frac{\partial A}{\partial B} \frac{\partial B}{\partial H_1}"
    right += r" + \frac{\partial L}{\partial A} \frac{\partial A}{\partial H_1}"
    assert rows[gradient("H_1")].right == right
    assert "several" in words


def test_many_ways_are_counted_and_not_written() -> None:
    """A row of a sum of many products says less than its last step and where that leads on."""
    for blocks in (2, 10, 40):
        program = shortcuts(blocks)
        assert way_counts(program)[program.parameters[0]] == 2**blocks
        derivation = Derivation(program, (), (), program)
        (section,) = chain(derivation, notation(derivation))
        right = shown(derivation)[1][gradient("W")].right
        assert right == rf"{gradient('H_0')} \frac{{\partial H_0}}{{\partial W}}"
        assert sentence(section, 2).startswith(f"{2**blocks} ways lead back to ")


def test_two_ways_are_written_out() -> None:
    program = shortcuts(1)
    derivation = Derivation(program, (), (), program)
    right = shown(derivation)[1][gradient("W")].right
    assert right.count(" + ") == 1
    assert right.count(gradient("H_1")) == 2


def test_a_long_product_is_written_without_its_middle() -> None:
    layers = [{"kind": "dense", "units": 2, "activation": "tanh"}] * LONG
    network = Network(name="deep", inputs=2, layers=layers, loss="mean_squared_error")
    _, rows = shown(derive.differentiate(network.program()))
    first, *_, last = rows[gradient("W_1")].right.split(r" \cdots ")
    assert first.startswith(r"\frac{\partial L}{\partial \hat{Y}}")
    assert last.endswith(r"\frac{\partial A_1}{\partial W_1}")
    assert (first + last).count(r"\frac") == 6
    assert r"\cdots" not in rows[gradient(rf"W_{{{LONG}}}")].right


def test_trails_are_the_first_ways() -> None:
    program = shortcuts(3)
    for tensor, found in trails(program).items():
        every = list(ways(program, tensor))
        assert [trail.last(trail.length) for trail in found] == every[:SHOWN]
        assert all(trail.first == way[: LONG + 1] for trail, way in zip(found, every, strict=False))


def test_the_chain_grows_with_the_depth_and_no_faster() -> None:
    lengths: list[int] = []
    for depth in (100, 200, 300):
        layers = [{"kind": "dense", "units": 2, "activation": "relu"}] * depth
        program = Network(name="deep", inputs=2, layers=layers, loss="mean_squared_error").program()
        rows = shown(Derivation(program, (), (), program))[1]
        lengths.append(sum(len(row.right) for row in rows.values()))
    assert lengths[2] - lengths[1] < 1.1 * (lengths[1] - lengths[0])


def test_no_section_where_nothing_stands_between() -> None:
    weight = Tensor("W")
    loss = Equation(Tensor("L"), (), weight.entry() ** 2, "1")
    program = Program("square", (), (), (weight,), (loss,), (weight, loss.tensor))
    assert list(chain(Derivation(program, (), (), program), notation(Derivation(program, (), (), program)))) == []


def softmax_network() -> Derivation:
    layers = [{"kind": "dense", "units": 3, "activation": "softmax"}, {"kind": "dense", "units": 2, "activation": "tanh"}]
    network = Network(name="net", inputs=2, layers=[*layers, {"kind": "dense", "units": 3}], loss="softmax_cross_entropy")
    return derive.differentiate(network.program())


@pytest.mark.parametrize(
    "derivation", [softmax_network(), handmade.two_readers(), derive.differentiate(shortcuts(2))], ids=lambda d: d.forward.name
)
def test_the_sum_of_the_products_is_the_gradient(derivation: Derivation) -> None:
    forward = derivation.forward
    generator = np.random.default_rng(3)
    extents = {"N": 4, "H": 3, "K": 2}
    given: dict[str, np.ndarray] = {}
    for tensor in forward.given:
        shape = tuple(a.extent or extents[a.size] for a in tensor.axes)
        labels = tensor.values is not None
        given[tensor.name] = generator.integers(0, 3, size=shape) if labels else generator.uniform(-1, 1, size=shape)
    arrays = evaluate.evaluate(forward, given)
    for derived in derivation.backward:
        equation, of = derived.equation, derived.of
        arrays[equation.tensor.name] = evaluate.value(equation.body, equation.indices, arrays, extents)
        if of is not None and of in forward.parameters:
            products = sp.Add(*(product(forward, way, equation) for way in ways(forward, of)))
            found = evaluate.value(products, equation.indices, arrays, extents)
            np.testing.assert_allclose(found, arrays[equation.tensor.name], rtol=1e-12, atol=1e-15)


def product(program: Program, way: tuple[Tensor, ...], gradient: Equation) -> Expr:
    """The product along a way, summed over the indices of what stands between its factors; put together from the right."""
    e: Expr = sp.S.One
    inner, summed = gradient.indices, ()
    for tensor, by in reversed(list(pairwise(way))):
        equation = program.defining(tensor)
        assert equation is not None
        at = tuple(i.axis.fresh() for i in equation.indices)
        body = equation.body.xreplace(dict(zip(equation.indices, at, strict=True)))
        e = Sum(e * total(derivative(body, by, inner)), *summed)
        inner = summed = at
    return e
