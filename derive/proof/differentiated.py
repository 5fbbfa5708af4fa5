"""What is true of a program's derivatives: the forward equations run on dual numbers, and on dual numbers of dual numbers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from derive.derivation import Product
from derive.domains.dual import MOTION, Dual
from derive.domains.number import Number
from derive.family import Family
from derive.index import Tensor
from derive.program import Program
from derive.proof.interpret import Interpreter, Table
from derive.proof.meaning import Place


def slopes(given: Interpreter, forward: Program) -> Mapping[str, Table]:
    """The gradient of the loss by every parameter, from one run of the forward program."""
    names = [t.name for t in forward.parameters]
    loss = _run(given.differentiated(names), forward, forward.outputs[-1])[()]
    zero = given.domain.constant(Fraction(0))
    return {name: {p: _dual(loss).tangents.get((name, p), zero) for p in given.tables[name]} for name in names}


def true_product(given: Interpreter, forward: Program, product: Product) -> Mapping[str, Table]:
    """The results of a product by name, where `given` holds the direction, if it takes one."""
    if product.kind == "jacobian":
        return _jacobian(given, forward, product)
    motion = given.moved({t.name: given.tables[product.family.of(t).name] for t in product.moved})
    if product.kind == "hvp":
        moving = {product.ends[k].name: table for k, table in enumerate(slopes(motion, forward).values())}
    else:
        moving = {t.name: _run(motion, forward, t) for t in product.ends}
    return {result.name: _slope(given, moving[end.name]) for result, end in zip(product.results, product.ends, strict=True)}


def _slope(given: Interpreter, table: Table) -> Table:
    """The derivatives of a table's numbers along the direction."""
    zero = given.domain.constant(Fraction(0))
    return {place: _dual(number).tangents.get(MOTION, zero) for place, number in table.items()}


def _jacobian(given: Interpreter, forward: Program, product: Product) -> Mapping[str, Table]:
    """The derivatives of each example's outputs by its own inputs."""
    (moved,), (end,), (result,) = product.moved, product.ends, product.results
    outputs = _run(given.differentiated([moved.name]), forward, end)
    zero = given.domain.constant(Fraction(0))
    own, other = (moved, end) if product.way == "reverse" else (end, moved)
    found: Table = {}
    for place in given.places(result.indices()):
        here, there = _places(product.family, own, other, place)
        by, of = (here, there) if product.way == "reverse" else (there, here)
        found[place] = _dual(outputs[of]).tangents.get((moved.name, by), zero)
    return {result.name: found}


def _places(family: Family, own: Tensor, other: Tensor, place: Place) -> tuple[Place, Place]:
    """Where an entry of a family's tensor belongs: in the tensor itself, and in the one that the further axes are of."""
    indices, along = family.indices(own)
    at = dict(zip(family.of(own).indices(), place, strict=True))
    example = [at[i] for i in indices if i.axis == family.examples]
    rest = iter([at[i] for i in along])
    return tuple(at[i] for i in indices), tuple(example[0] if axis == family.examples else next(rest) for axis in other.axes)


def _run(dual: Interpreter, forward: Program, wanted: Tensor) -> Table:
    run = dual.copy()
    for equation in forward.equations:
        run.define(equation)
    return run.tables[wanted.name]


def _dual(number: Number) -> Dual:
    assert isinstance(number, Dual)
    return number
