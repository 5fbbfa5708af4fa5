"""A kernel before it is text: what it computes, and the statements that the scheduler made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codegen.blocks import BlockKernel, block_kernel
from codegen.functions import Results
from codegen.layout import NotInBlocksError
from codegen.schedule import Kernel, Range, block_finished, run_time_axis
from derive.compute import computed_program
from derive.derivation import Derivation
from derive.functions import Sigmoid
from derive.index import Tensor
from derive.program import Program, needed

WHOLE = "blocks are for gradients, predictions and losses"  # why the other kernels compute whole batches


@dataclass(frozen=True)
class Planned:
    """A kernel of a module.

    name: that of its function. whole: why it computes whole batches; empty where it computes examples in blocks.
    """

    name: str
    purpose: str
    program: Program
    results: Results
    kernel: Kernel | BlockKernel
    whole: str = ""


def in_blocks(forward: Program, program: Program, results: Results, ranges: Mapping[Tensor, Range]) -> BlockKernel:
    """A kernel of a network that computes examples in blocks. Raises NotInBlocksError where that cannot be done or does not pay.

    forward: the program of the network. ranges: what the entries of some tensors must lie in.
    """
    if forward.draws or forward.statistics or ranges:
        raise NotInBlocksError("random data, running statistics or demands on predictions need whole batches")
    return block_kernel(program, results.tensors, run_time_axis(forward), block_finished)


def predicting(derivation: Derivation, inference: Program) -> Program:
    """The computed program of the prediction: the derivation's own where inference is no other than training."""
    outputs = inference.outputs[:1]
    alone, own = (needed(program.equations, outputs) for program in (inference, derivation.forward))
    if alone == own:
        return derivation.computed
    return computed_program(replace(inference, equations=alone, outputs=outputs, facts=(), floors={}))[1]


def ranges(derivation: Derivation, predictions: Range | None) -> Mapping[Tensor, Range]:
    """What the loss demands of predictions, unless they come from the logistic function."""
    prediction = derivation.forward.outputs[0]
    equation = derivation.computed.defining(prediction)
    if predictions is None or equation is None or isinstance(equation.body, Sigmoid):
        return {}
    return {prediction: predictions}
