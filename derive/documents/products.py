"""The products of a derivation: what they are, and every equation with the steps that lead to it."""

from __future__ import annotations

from collections.abc import Iterator

from derive.derivation import Derivation, Derived, Product
from derive.documents.document import Block, Code, Formula, Math, Paragraph, Row, Section, Table, Text
from derive.documents.notation import Notation, in_shape
from derive.documents.words import explain
from derive.index import Partial, Tensor

TITLES = {"jvp": "Derivatives along a direction", "jacobian": "Jacobian of an example", "hvp": "Hessian times a direction"}


def products(derivation: Derivation, how: Notation) -> Iterator[Section]:
    """For each product a section that says what it is, and a subsection for each of its equations."""
    for product in derivation.products:
        blocks = (*map(Paragraph, _words(product, how)), _table(product, how))
        yield Section((TITLES[product.kind],), blocks)
        for derived in product.derived:
            if derived.of is not None:
                title = "Derivative by " if product.way == "reverse" else "Derivative of "
                yield Section((title, Math(how.name(derived.of))), tuple(_equation(derived, how)), level=2)


def _words(product: Product, how: Notation) -> Iterator[Text]:
    end = how.name(product.ends[0])
    result = how.name(product.results[0])
    if product.kind == "jvp":
        yield (
            "The parameters and the inputs move in a direction, one part of which belongs to each of them, and the prediction moves with "
            "them. A dot marks the derivative along this direction: ",
            Math(rf"{result} = \lim_{{h \to 0}} \frac{{1}}{{h}} \left({end}(h) - {end}(0)\right)"),
            ", where ",
            Math(rf"{end}(h)"),
            " is computed from every parameter and input plus ",
            Math("h"),
            " times its part of the direction. Every equation of the forward pass is differentiated by all that it reads.",
        )
    elif product.kind == "hvp":
        yield (
            "The Hessian ",
            Math("H"),
            " of the loss by all parameters, times a direction ",
            Math("v"),
            " of the parameters, is the derivative of the gradient along ",
            Math("v"),
            " (Pearlmutter 1994). A ring marks derivatives along ",
            Math("v"),
            "; inputs and targets do not move. The equations of the forward and of the backward pass are differentiated by all that they "
            "read, from the first to the last. The Hessian itself is never formed.",
        )
    elif product.way == "reverse":
        yield (
            "The derivatives of every output of an example, by the inputs of the same example and by all values in between: ",
            Math(_jacobian(product, how)),
            ". They are the gradients of one output, computed for all outputs at once, from the prediction back to the inputs.",
        )
    else:
        yield (
            "The derivatives by every input of an example, of its outputs and of all values in between: ",
            Math(_jacobian(product, how)),
            ". They are the derivatives along the direction of one input, computed for all inputs at once, from the inputs on.",
        )


def _jacobian(product: Product, how: Notation) -> str:
    """What the result stands for: J_X,nci is dP_nc / dX_ni."""
    family, result = product.family, product.results[0]
    own, other = (product.moved[0], product.ends[0]) if product.way == "reverse" else (product.ends[0], product.moved[0])
    indices, along = family.indices(own)
    rest = iter(along)
    example = next((i for i in indices if i.axis == family.examples), None)
    there = other[tuple(example if axis == family.examples and example is not None else next(rest) for axis in other.axes)]
    of, by = (there, own[indices]) if product.way == "reverse" else (own[indices], there)
    return f"{how.entry(result, result.indices())} = {how.index(Partial(of, by), result.indices())}"


def _table(product: Product, how: Notation) -> Table:
    """The symbols of what is given and of what comes of it, with their names in the code."""
    rows = [_row(product.family.of(t), ("direction of ", Math(how.name(t))), how) for t in product.moved if product.directions]
    for end, result in zip(product.ends if product.way == "forward" else product.moved, product.results, strict=True):
        along: Text = ("derivative of ", Math(how.name(end)), " along the direction")
        rows.append(_row(result, ("derivatives of every output by every input",) if product.kind == "jacobian" else along, how))
    return Table((("Symbol",), ("In code",), ("Meaning",)), tuple(rows), 2)


def _row(tensor: Tensor, meaning: Text, how: Notation) -> tuple[Text, ...]:
    return ((Math(how.name(tensor)),), (Code(tensor.name),), meaning)


def _equation(derived: Derived, how: Notation) -> Iterator[Block]:
    """The chain rule, every step, and the result for one entry and for whole matrices."""
    equation, steps = derived.equation, derived.steps
    left = how.entry(equation.tensor, equation.indices)
    if steps:
        yield Paragraph(("The chain rule:",))
        yield Formula((Row(left, how.index(steps[0].before, equation.indices)),))
    for step in steps:
        yield Paragraph(explain(step, how))
        if step is not steps[-1]:
            yield Formula((Row(left, how.index(step.after, equation.indices)),))
    rows = [how.index_row(equation)]
    form = how.matrix(equation.body, equation.indices)
    if form is not None and equation.indices:
        rows.append(Row(how.name(equation.tensor), in_shape(form, equation.tensor)))
    yield Formula(tuple(rows), equation.number)
