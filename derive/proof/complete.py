"""That nothing is missing: every gradient is derived, and the computed program holds derived equations only, for what it promises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derive.index import Tensor, tensors
from derive.program import Derivation, Equation, Program, gradient_of
from derive.proof.verdict import Verdict


def check_complete(derivation: Derivation) -> Iterator[Verdict]:
    """Three verdicts by inspection: on the gradients, on the declared facts, on the computed program."""
    name = derivation.forward.name
    for rule, wrong in (
        ("all gradients", _underived(derivation)),
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
    if (computed.inputs, computed.targets, computed.parameters) != (forward.inputs, forward.targets, forward.parameters):
        return "it takes other tensors than the forward program"
    promised = (*forward.outputs, *(gradient_of(p) for p in forward.parameters))
    if computed.outputs != promised:
        return f"its outputs are {_names(computed.outputs)}, not {_names(promised)}"
    mathematical = {e.tensor: e for e in (*forward.equations, *(d.equation for d in derivation.backward))}
    stable = [d.equation for d in derivation.stable]
    for equation in computed.equations:
        if equation not in stable and not _same(mathematical.get(equation.tensor), equation):
            return f"no step leads to its equation for {equation.tensor.name}"
    return None


def _same(known: Equation | None, equation: Equation) -> bool:
    return known is not None and known.body.xreplace(dict(zip(known.indices, equation.indices, strict=True))) == equation.body


def _names(found: Iterable[Tensor]) -> str:
    return ", ".join(t.name for t in found) or "none"
