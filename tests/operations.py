"""Operations that are given by forward formulas alone: programs of them, PyTorch's gradients, and what the proof says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp
import torch

from derive.adjoint import differentiate
from derive.derivation import Derivation
from derive.evaluate import evaluate
from derive.index import Sum, Tensor
from derive.program import Equation, Program, renumber
from derive.proof import prove

Arrays = dict[str, np.ndarray]
Leaves = dict[str, torch.Tensor]
Reference = Callable[[Leaves, Arrays], torch.Tensor]


def program(name: str, given: Sequence[Tensor], labels: Sequence[Tensor], equations: Sequence[Equation]) -> Program:
    """A program whose loss is the product of its last value with given weights G, summed: its gradient is the whole VJP."""
    last = equations[-1].tensor
    weights = Tensor("G", last.axes)
    loss = Equation(Tensor("L"), (), Sum(weights.entry() * last.entry(), *last.indices()))
    return Program(name, (), (weights, *labels), tuple(given), renumber((*equations, loss)), (last, loss.tensor))


def define(tensor: Tensor, body: sp.Expr) -> Equation:
    return Equation(tensor, tensor.indices(), body)


def drawn(forward: Program, seed: int = 0) -> Arrays:
    """Normal numbers for the given tensors, absolute values where they have a sign, and labels."""
    rng = np.random.default_rng(seed)
    given: Arrays = {}
    for tensor in forward.given:
        shape = tuple(a.extent or 0 for a in tensor.axes)
        if tensor.values:
            given[tensor.name] = rng.integers(0, tensor.values.extent or 0, shape)
        else:
            given[tensor.name] = rng.normal(size=shape) if tensor.sign == "real" else rng.uniform(0.1, 2.0, shape)
    return given


def check(forward: Program, reference: Reference) -> Derivation:
    """The derivation of a program: its gradients are autograd's in mathematical and in computed form, and it is proved."""
    derivation = differentiate(forward)
    given = drawn(forward)
    leaves = {t.name: torch.tensor(given[t.name], requires_grad=True) for t in forward.parameters}
    loss = (torch.tensor(given["G"]) * reference(leaves, given)).sum()
    wanted = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    for computed in (derivation.mathematical, derivation.computed):
        values = evaluate(computed, given)
        assert abs(float(values["L"]) - loss.item()) <= 1e-12 * abs(loss.item())
        largest = max(float(g.abs().max()) for g in wanted)
        for tensor, gradient in zip(forward.parameters, wanted, strict=True):
            assert np.abs(values["d" + tensor.name] - gradient.numpy()).max() <= 1e-12 * largest, tensor.name
    failed = [v for v in prove(derivation) if not v.holds]
    assert not failed, failed[0]
    return derivation
