"""That nothing is missing: every gradient is derived, and the computed program holds derived equations only, for what it promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derive.derivation import Derivation, Product
from derive.family import gradient_of
from derive.index import Tensor, tensors
from derive.program import Equation, Program
from derive.proof.verdict import Verdict


def check_complete(derivation: Derivation) -> Iterator[Verdict]:
    """Verdicts by inspection: on the gradients, on the products where there are any, on the declared facts, on the computed program."""
    name = derivation.forward.name
    for rule, wrong in (
        ("all gradients", _underived(derivation)),
        *([("all products", _products(derivation))] if derivation.products or derivation.forward.products else []),
        ("declared facts", _facts(derivation.forward)),
        ("computed program", _computed(derivation)),
    ):
        yield Verdict("", rule, "inspection", wrong is None, wrong or "complete", name)


def leading(program: Program, loss: Tensor) -> frozenset[str]:
    """The names of the tensors that the loss depends on, itself included."""
    found = {loss.name}
    for equation in reversed(program.equations):
        if equation.tensor.name in found:
            found.update(t.name for t in equation.reads)
    return frozenset(found)


def _moving(program: Program) -> frozenset[str]:
    """The names of the tensors that depend on an input or a parameter."""
    found = {t.name for t in (*program.inputs, *program.parameters)}
    for equation in program.equations:
        if found & {t.name for t in equation.reads}:
            found.add(equation.tensor.name)
    return frozenset(found)


def _underived(derivation: Derivation) -> str | None:
    """The values, parameters and inputs that the loss depends on and that have no gradient, or more than one."""
    forward = derivation.forward
    loss = forward.outputs[-1]
    relevant = leading(forward, loss)
    candidates = (*forward.inputs, *forward.parameters, *(e.tensor for e in forward.equations))
    moving = _moving(forward)
    wanted = [t.name for t in candidates if t.name in relevant and t.name in moving and t != loss and not t.values]
    derived = [d.of.name for d in derivation.backward if d.of is not None]
    missing = [name for name in wanted if name not in derived]
    twice = [name for name in dict.fromkeys(derived) if derived.count(name) > 1]
    if missing:
        return f"no gradient is derived for {', '.join(missing)}"
    return f"more than one gradient is derived for {', '.join(twice)}" if twice else None


def _products(derivation: Derivation) -> str | None:
    """What is wrong with the products as a list: which there are, what they are of and by, whether their results are derived."""
    forward = derivation.forward
    kinds = [p.kind for p in derivation.products]
    if set(kinds) != set(forward.products) or len(set(kinds)) < len(kinds):
        return f"{', '.join(kinds) or 'none'} derived, {', '.join(forward.products) or 'none'} asked for"
    for product in derivation.products:
        if product.moved != _moved(product, forward) or product.ends != _ends(product, forward) or not _sized(product):
            return f"{product.kind} is the derivative of something else, or by something else"
        derived = [d.equation.tensor for d in product.derived]
        for result in product.results:
            if derived.count(result) != 1:
                return f"{product.kind} has {derived.count(result)} equations for {result.name}"
    return None


def _moved(product: Product, forward: Program) -> tuple[Tensor, ...]:
    inputs = tuple(t for t in forward.inputs if not t.values)
    return {"jvp": (*forward.parameters, *inputs), "hvp": forward.parameters, "jacobian": inputs}[product.kind]


def _ends(product: Product, forward: Program) -> tuple[Tensor, ...]:
    return tuple(map(gradient_of, forward.parameters)) if product.kind == "hvp" else forward.outputs[:1]


def _sized(product: Product) -> bool:
    """Whether a Jacobian has a further axis for each of the outputs' or the inputs', and other products have none."""
    if product.kind != "jacobian":
        return product.way == "forward" and not product.family.along
    over = (product.ends if product.way == "reverse" else product.moved)[0]
    return product.family.along == tuple(a for a in over.axes if a != product.family.examples)


def _facts(forward: Program) -> str | None:
    """A fact is a property of the data: one about anything else would have to be proved."""
    data = (*forward.inputs, *forward.targets)
    for fact in forward.facts:
        for tensor in tensors(fact.left - fact.right):
            if tensor not in data:
                return f"the fact that {fact.meaning} is about {tensor.name}, which is no input and no target"
    return None


def _computed(derivation: Derivation) -> str | None:
    """What is wrong with the computed program as a list: with what it takes, with what it gives, with where its equations come from."""
    forward, computed = derivation.forward, derivation.computed
    if computed.given != derivation.given or computed.parameters != forward.parameters:
        return "it takes other tensors than the forward program"
    results = tuple(t for product in derivation.products for t in product.results)
    promised = (*forward.outputs, *(gradient_of(p) for p in forward.parameters), *results)
    if computed.outputs != promised:
        return f"its outputs are {_names(computed.outputs)}, not {_names(promised)}"
    mathematical = {e.tensor: e for e in derivation.equations}
    stable = [d.equation for d in derivation.stable]
    for equation in computed.equations:
        if equation not in stable and not _same(mathematical.get(equation.tensor), equation):
            return f"no step leads to its equation for {equation.tensor.name}"
    return None


def _same(known: Equation | None, equation: Equation) -> bool:
    return known is not None and known.body.xreplace(dict(zip(known.indices, equation.indices, strict=True))) == equation.body


def _names(found: Iterable[Tensor]) -> str:
    return ", ".join(t.name for t in found) or "none"
