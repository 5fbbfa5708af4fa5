"""Derivatives beside the gradients: along directions, and of outputs by inputs. The equations are differentiated again, forward or back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from derive.derivation import Derived, Product
from derive.family import Family, gradient_of
from derive.index import Axis, Entry, Tensor
from derive.program import Equation, ProductKind, Program, ProgramError
from derive.reverse import Sweep
from derive.tangents import Tangents, moving

ORDER: tuple[ProductKind, ...] = ("jvp", "jacobian", "hvp")  # of derivation; the last one differentiates the gradients too


def products(program: Program, backward: Sequence[Derived]) -> tuple[Product, ...]:
    """The products that a program asks for, each with its equations; these are numbered on from those of the gradients.

    Raises ProgramError for a product that the program does not have.
    """
    derived: list[Product] = []
    number = len(program.equations) + len(backward) + 1
    wanted: tuple[ProductKind, ...] = tuple(k for k in ORDER if k in program.products)
    for kind in wanted:
        product = _product(kind, program)
        derived.append(replace(product, derived=_derived(product, program, backward, number)))
        number += len(derived[-1].derived)
    return tuple(derived)


def _product(kind: ProductKind, program: Program) -> Product:
    """A product before it is derived: what moves, whose derivative is taken, and which way."""
    demand(kind, program)
    prediction = program.outputs[0]
    inputs = tuple(t for t in program.inputs if not t.values)
    if kind == "jvp":
        return Product(kind, "forward", Family("t"), (*program.parameters, *inputs), (prediction,))
    if kind == "hvp":
        return Product(kind, "forward", Family("r"), program.parameters, tuple(map(gradient_of, program.parameters)))
    examples = examples_axis(program)
    features, outputs = (tuple(a for a in t.axes if a != examples) for t in (inputs[0], prediction))
    if _count(features) < _count(outputs):
        return Product(kind, "forward", Family("j", features, examples), inputs, (prediction,))
    return Product(kind, "reverse", Family("j", outputs, examples), inputs, (prediction,))


def _derived(product: Product, program: Program, backward: Sequence[Derived], first: int) -> tuple[Derived, ...]:
    if product.way == "reverse":
        sweep = Sweep(program, product.ends[0], product.family, first)
        moves = moving(program.equations, product.moved)
        return sweep.run(t for t in sweep.order() if t in moves)
    equations = (*program.equations, *(d.equation for d in backward))
    units = () if product.directions else product.moved
    return Tangents(equations, product.moved, product.family, first, units).run(product.ends)


# -- Jacobians of one example ------------------------------------------------------------------------------------------


def examples_axis(program: Program) -> Axis | None:
    """The axis of examples: the one whose extent is known only at run time; None in a program of a single example."""
    open_axes = [a for a in program.outputs[0].axes if a.extent is None]
    if len(open_axes) > 1:
        raise ProgramError(f"{program.name}: which axis is that of examples? {', '.join(a.name for a in open_axes)} have no extent")
    return open_axes[0] if open_axes else None


def demand(kind: ProductKind, program: Program) -> None:
    """Raise ProgramError, with the reason, where a program has no such product.

    A derivative of the prediction is that of what `predict` computes: training may not compute it otherwise. A Jacobian of one example
    takes inputs that are one tensor of numbers, and values of an example that do not depend on other examples' inputs.
    """
    if kind != "hvp" and (program.draws or program.statistics):
        names = ", ".join(given.tensor.name for given in (*program.draws, *program.statistics))
        raise ProgramError(f"{program.name}: training computes the prediction otherwise than predict does ({names})")
    if kind == "jacobian":
        _demand_jacobian(program)


def _demand_jacobian(program: Program) -> None:
    examples = examples_axis(program)
    if len(program.inputs) != 1 or program.inputs[0].values:
        raise ProgramError(f"{program.name}: there is no Jacobian by {', '.join(t.name for t in program.inputs)}, which holds labels")
    moves, needed = moving(program.equations, program.inputs), {program.outputs[0]}
    for equation in reversed(program.equations):
        if equation.tensor in needed and equation.tensor in moves:
            needed.update(equation.reads)
            if examples is not None and not _is_apart(equation, moves, examples):
                where = f"equation ({equation.number}) for {equation.tensor.name}"
                raise ProgramError(f"{program.name}: there is no Jacobian of one example, since {where} depends on the others")


def _is_apart(equation: Equation, moves: dict[Tensor, None], examples: Axis) -> bool:
    """Whether an equation reads, of what moves, the entries of its own example alone."""
    own = [i for i in equation.indices if i.axis == examples]
    read = [e for e in sp.preorder_traversal(equation.body) if isinstance(e, Entry) and e.tensor in moves]
    return len(own) == 1 and all(own == [p for p, a in zip(e.indices, e.tensor.axes, strict=True) if a == examples] for e in read)


def _count(axes: Sequence[Axis]) -> int:
    return math.prod(a.extent or 1 for a in axes)
