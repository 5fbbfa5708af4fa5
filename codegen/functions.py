"""A kernel as a function of the module: its arguments, the views of its vectors, its lines."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.arguments import Rows
from codegen.flat import unused
from codegen.lines import INDENT, WIDTH, lines
from codegen.loops import Loop, Statement, accesses, renamed
from codegen.printer import identifier
from codegen.schedule import Kernel, Range, run_time_axis
from codegen.views import Size, View, laid_out, size_text, view_text
from codegen.wide import CALL, any_wide
from derive.index import Tensor
from derive.program import Program

Ranges = Mapping[Tensor, Range]  # what the entries of some tensors must lie in


@dataclass(frozen=True)
class Function:
    """A compiled function: its arguments with their types, in order, and its lines below the docstring."""

    name: str
    purpose: str
    arguments: Mapping[str, str]
    returns: str
    lines: Sequence[str]
    work: Size  # the length of its workspace
    options: str = ""  # more arguments of the compiler

    @property
    def signature(self) -> str:
        return ", ".join(f"{name}: {kind}" for name, kind in self.arguments.items())

    def call(self, values: Mapping[str, str]) -> str:
        """A call with other expressions in place of some of the arguments."""
        return f"{self.name}({', '.join(values.get(name, name) for name in self.arguments)})"


@dataclass(frozen=True)
class Results:
    """What a kernel computes: arrays that the caller hands over, tensors in vectors of the caller's, and the number that it returns."""

    arrays: Sequence[Tensor] = ()
    vectors: Mapping[str, Sequence[Tensor]] = field(default_factory=dict[str, Sequence[Tensor]])
    number: Tensor | None = None

    @property
    def tensors(self) -> list[Tensor]:
        number = [] if self.number is None else [self.number]
        return [*number, *self.arrays, *(t for tensors in self.vectors.values() for t in tensors)]


@dataclass(frozen=True)
class Functions:
    """Writes the kernels of one module.

    vectors: given tensors that lie one after the other in a vector (the parameters in theta), by the vector's name.
    reserved: names that no variable of a kernel may have.
    """

    vectors: Mapping[str, Sequence[View]]
    reserved: frozenset[str]

    def function(self, name: str, purpose: str, program: Program, results: Results, k: Kernel) -> Function:
        """The kernel `k`, which computes some outputs of a program, as a function."""
        taken = {*self.reserved, *(t.name for t in program.given), *(e.tensor.name for e in program.equations)}
        body = lines([apart(s, taken) for s in k.body], taken)
        read = {t.name for t in k.given}
        touched = {a.tensor.name for s in k.body for a in accesses(s)}
        head = [line for vector, views in self.vectors.items() for line in viewed(vector, [v for v in views if v.tensor.name in read])]
        tail: list[str] = []
        for vector, tensors in results.vectors.items():
            views = [v for v in laid_out(tensors) if v.tensor.name in touched]
            head += viewed(vector, [v for v in views if v.tensor.axes])
            tail += [f"{place(vector, v)} = {v.tensor.name}" for v in views if not v.tensor.axes]
        used = [v for v in k.workspace if v.tensor.name in touched]
        head += viewed("work", used)
        tail += [f"return float({results.number.name})"] if results.number else []
        in_vectors = {v.tensor.name for views in self.vectors.values() for v in views}
        arrays = [t for t in k.given if t.name not in in_vectors]
        code = [line for line in (*head, *body) if not line.strip().startswith("#")]
        if any(re.search(r"\bN\b", line) for line in code):
            head.insert(0, f"N = {_count(arrays, program)}")
        if any_wide(k.body):
            head.insert(0, CALL)
        if any(re.search(r"\breal\(", line) for line in body):
            head.insert(0, "real = theta.dtype.type")
        named = {vector for vector in self.vectors if any(re.search(rf"\b{vector}\b", line) for line in head)}
        first, *others = [vector if vector in named else "" for vector in self.vectors]
        kinds = {t.name: "Labels" if t.values else "Array" for t in arrays}
        written = [*(t.name for t in results.arrays), *results.vectors]
        every_name = [first, *kinds, *others, *written, "work" if used else ""]
        arguments = {name: kinds.get(name, "Array") for name in every_name if name}
        every = [*(INDENT + line for line in head), *body, *(INDENT + line for line in tail)]
        return Function(name, purpose, arguments, "float" if results.number else "None", every, k.work)


def apart(statement: Statement, taken: set[str]) -> Statement:
    """The statement with loops over other variables where a tensor has the name of an index."""
    if not isinstance(statement, Loop):
        return statement
    index, body = statement.index, statement.body
    if identifier(index) in taken:
        new = index.axis.index(unused(index.label, set(taken), index.label))
        body, index = tuple(renamed(s, index, new) for s in body), new
    return replace(statement, index=index, body=tuple(apart(s, taken) for s in body))


def viewed(vector: str, views: Sequence[View]) -> list[str]:
    """The statements that name the tensors in a vector: arrays are views of it, numbers its entries.

    What shares its place has one view, with several names: `A1 = H1 = work[...]`.
    """
    found: dict[str, list[str]] = {}
    for v in views:
        found.setdefault(view_text(vector, v) if v.tensor.axes else place(vector, v), []).append(v.tensor.name)
    return [f"{' = '.join(names)} = {text}" for text, names in found.items()]


def place(vector: str, view: View) -> str:
    """The entry of a vector that holds a tensor of no axes."""
    return f"{vector}[{size_text(view.start)}]"


def fitted(statement: str) -> str:
    """A statement with one call, or the head of a function, on as many lines as its width demands."""
    if len(statement) <= WIDTH:
        return statement
    start, stop = _parentheses(statement)
    indent = INDENT * (1 + (len(statement) - len(statement.lstrip())) // len(INDENT))
    arguments = _separated(statement[start + 1 : stop])
    inside = [f"{indent}{', '.join(arguments)}"]
    if len(inside[0]) > WIDTH:
        inside = [f"{indent}{argument}," for argument in arguments]
    return "\n".join([statement[: start + 1], *inside, indent[len(INDENT) :] + statement[stop:]])


def _parentheses(text: str) -> tuple[int, int]:
    """The places of the first parenthesis and of the one that closes it."""
    start = text.index("(")
    depths = itertools.accumulate({"(": 1, ")": -1}.get(c, 0) for c in text[start:])
    return start, start + next(k for k, depth in enumerate(depths) if depth == 0)


def _separated(arguments: str) -> list[str]:
    """The arguments of a call, apart at the commas that stand in no parentheses or brackets."""
    found, depth = [""], 0
    for c in arguments:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(c, 0)
        if c == "," and depth == 0:
            found.append("")
        else:
            found[-1] += c
    return [argument.strip() for argument in found]


def _count(arrays: Sequence[Tensor], program: Program) -> str:
    """The number of examples, as a kernel finds it."""
    examples = run_time_axis(program)
    return next(Rows(t, examples).count(t.name) for t in arrays if examples in t.axes)
