"""Differentiation: a forward program to its gradients and to what else it asks for, each with the steps that lead to it."""

from __future__ import annotations

from derive.compute import computed_program
from derive.derivation import Derivation, with_gradients, with_products
from derive.family import GRADIENT
from derive.products import products
from derive.program import Program
from derive.reverse import Sweep


def differentiate(program: Program) -> Derivation:
    """Derive dL/dT for every value, parameter and input that the loss depends on, and the products that the program asks for.

    The loss is the program's last output. Every gradient comes with its steps: the chain rule, the local derivative of the equations
    that read T, its form in stored values, the deltas eliminated, and where it shortens the result, the upstream gradient put in.
    Equations that differ only in names are differentiated once. Raises ProgramError where a tensor has the name of a derivative, and
    for a product that the program cannot have.
    """
    sweep = Sweep(program, program.outputs[-1], GRADIENT, len(program.equations) + 1)
    backward = sweep.run((*sweep.order(), *sweep.unused()))
    derived = products(program, backward)
    stable, computed = computed_program(with_products(with_gradients(program, backward), derived))
    return Derivation(program, backward, stable, computed, derived)
