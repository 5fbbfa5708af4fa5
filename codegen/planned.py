"""A kernel before it is text: what it computes, and the statements that the scheduler made of it."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.blocks import BlockKernel
from codegen.functions import Results
from codegen.schedule import Kernel
from derive.program import Program

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
