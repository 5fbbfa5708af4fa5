"""Where a module computes each equation: the lines of the comments that name them."""

from __future__ import annotations

import re
from collections.abc import Mapping

NAMED = re.compile(r"\s*# \((\d+[a-z]*)\)  ")
STARTED = re.compile(r"\s*# start of (\(.*\))$")
NUMBER = re.compile(r"\((\d+[a-z]*)\)")
FUNCTION = re.compile(r"def (\w+)\(")
PART = re.compile(r"_(block|batch|sweep|products)$")  # of a kernel in blocks, or of one in two parts
FIRST = "_gradients"  # the kernel that is looked at first: training runs it, and it holds forward and backward pass


def places(module: str) -> Mapping[str, int]:
    """The line, from 1, at which a module's text begins to compute an equation, by the equation's number.

    An equation that several kernels compute is found in `_gradients` or its parts, or else in the first of them. One that is computed
    along with another, under the comment of that one, is found where its sum starts.
    """
    found: dict[tuple[str, str], int] = {}
    started: dict[tuple[str, str], int] = {}
    function = ""
    for line, text in enumerate(module.splitlines(), 1):
        if starts := FUNCTION.match(text):
            function = PART.sub("", starts[1])
        if names := NAMED.match(text):
            found.setdefault((function, names[1]), line)
        elif starts := STARTED.match(text):
            for number in NUMBER.findall(starts[1]):
                started.setdefault((function, number), line)
    found = {**started, **found}
    first = {number: line for (kernel, number), line in found.items() if kernel == FIRST}
    others = {number: line for (kernel, number), line in reversed(found.items()) if kernel != FIRST}
    return others | first
