"""Why a module computes as it does: for every equation of every kernel what the scheduler chose, as values and as text."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from codegen.about import about
from codegen.alone import FEATURES, written_alone
from codegen.block_functions import in_words
from codegen.blocks import CALL_PAYS, CHUNK, SIZES, BlockKernel
from codegen.loops import Track
from codegen.module import WORTH, Module
from codegen.placed import Key, Placed, placed, sharing, tactic
from codegen.planned import Planned
from codegen.schedule import Kernel
from codegen.tactics import reasons
from derive.derivation import Derivation
from derive.network import Network
from derive.program import Equation
from derive.text import equation_text

FIRST = ("gradients", "predict", "loss")
WIDTH = 120


@dataclass(frozen=True)
class EquationPlan:
    """One equation: what computes it, and why so. A sum inside of an equation may have a plan of its own, under the same number."""

    number: str
    tensor: str
    equation: str
    tactic: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class KernelPlan:
    """One kernel: how it takes the examples, why so, and its equations in the order of the derivation."""

    kernel: str
    examples: str
    why: str
    threads: str
    equations: tuple[EquationPlan, ...]


def explanation(derivation: Derivation, network: Network) -> tuple[KernelPlan, ...]:
    """The plans of all kernels of a network's module, that of the gradients first.

    Raises ValueError as `render` does.
    """
    module = Module(derivation, network.program(mode="inference"), about(network))
    planned = {**module.planned, **module.products.planned}
    order = sorted(planned, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    return tuple(_kernel(name, planned[name], module) for name in order)


def text(plans: Sequence[KernelPlan]) -> str:
    """The plans as plain text."""
    return "\n".join("\n".join(_lines(plan)) + "\n" for plan in plans)


def _lines(plan: KernelPlan) -> list[str]:
    lines = [f"{plan.kernel}: {plan.examples}", *_wrapped(plan.why, "    ")]
    lines += _wrapped(plan.threads, "    ") if plan.threads else []
    for e in plan.equations:
        lines += ["", *_wrapped(f"({e.number})  {e.equation}", "  "), f"      {e.tactic}"]
        lines += [line for why in e.why for line in _wrapped(f"- {why}", "      ")]
    return lines


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False, break_on_hyphens=False
    )


def _kernel(name: str, planned: Planned, module: Module) -> KernelPlan:
    kernel = planned.kernel
    if isinstance(kernel, BlockKernel):
        parts = {"before": kernel.before, "block": kernel.block, "after": kernel.after}
        every = [p for part, statements in parts.items() for p in placed(statements, part)]
        every += [p for k in kernel.wide for p in _turned(kernel, k)]
        examples = f"examples in blocks of {in_words(SIZES)}"
        examples += f", of {kernel.long} first, in float32 of {2 * kernel.long}" if kernel.long > SIZES[0] else ""
        why = f"in blocks: every value is an example's own or a sum over examples, and no product of matrices has {CALL_PAYS} known entries"
        if written_alone(kernel, planned.results.vectors.get("gradient", ())) is not None:
            examples += "; single examples in a function of their own"
            why += (
                f"; single ones by their features: the loops over these, of {FEATURES} or more, hold no others and no elementary functions,"
                " sums over them have any order, and one example alone writes its gradients"
            )
    else:
        every = list(placed(kernel.body, ""))
        examples, why = "whole batches", f"not in blocks: {planned.whole}"
    numbers = [e.number for e in planned.program.equations]
    every.sort(key=lambda place: numbers.index(place.key[0]))
    shared, own = sharing(every), _by_equation(every)
    plans = tuple(_equation(equation, places, shared, isinstance(kernel, BlockKernel)) for equation, places in own)
    if isinstance(kernel, Kernel):
        plans = tuple(replace(plan, why=(*plan.why, *_memory(plan.tensor, kernel))) for plan in plans)
    if name == "gradients" and module.descent is not None:
        plans = tuple(replace(plan, why=(*plan.why, *module.descent.reasons(plan.tensor))) for plan in plans)
    return KernelPlan(name, examples, why, _threads(module) if name == "gradients" else "", plans)


def _turned(kernel: BlockKernel, k: int) -> Iterator[Placed]:
    """What stands in place of a statement where blocks fill wide vectors: its own equations, and what is computed again for them."""
    same = {p.key for p in placed(kernel.block[k : k + 1], "")}
    for p in placed(kernel.wide[k], "wide"):
        yield p if p.key in same else replace(p, part="again")


def _memory(name: str, kernel: Kernel) -> Iterator[str]:
    """Whose memory an array takes."""
    for old, new in itertools.pairwise(kernel.workspace):
        if new.tensor.name == name and new.start == old.start:
            yield f"in the memory of {old.tensor.name}, entry by entry: nothing reads that afterwards"


def _by_equation(every: Sequence[Placed]) -> list[tuple[Equation, list[Placed]]]:
    """The equations in their order, each with its leaves.

    Searches for the largest of the same values are one, which is a leaf of every equation that it finds the position for.
    """
    found: dict[Key, tuple[Equation, list[Placed]]] = {}
    started: dict[str, Key] = {}
    for place in every:
        found.setdefault(place.key, (place.leaf.equation, []))[1].append(place)
        leaf = place.leaf
        if isinstance(leaf, Track):
            keys = [started[t.tensor.name] for t in leaf.targets if t.tensor.name in started]
            for key in dict.fromkeys(keys):
                if key != place.key:
                    found[key][1].append(place)
        elif place.starts:
            started |= {access.tensor.name: place.key for access in leaf.touched if access.kind == "write"}
    return list(found.values())


def _equation(equation: Equation, places: Sequence[Placed], shared: dict[int, list[Key]], blocks: bool) -> EquationPlan:
    why = reasons(equation, places, shared, blocks)
    return EquationPlan(equation.number, equation.tensor.name, equation_text(equation), tactic(places), why)


def _threads(module: Module) -> str:
    threads = module.threads
    if threads is None:
        return "not by several threads: the parts of a batch must be blocks of examples whose results add up"
    size = module.stored.learned
    return (
        f"by several threads from {threads['fewest']} examples on, {CHUNK} at a time: at least 4 x {CHUNK} examples,"
        f" and {size} parameters times the examples at least {WORTH}"
    )
