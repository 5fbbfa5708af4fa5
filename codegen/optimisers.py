"""The optimisers of a module: the class with the options of each, and one step as a compiled function, from the formulas."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import sympy as sp
from sympy import Basic, Expr

from codegen import names
from codegen.constants import constant
from codegen.flat import unused
from codegen.lines import INDENT, comment, lines
from codegen.loops import Assign
from codegen.training import Argument
from codegen.views import Size, View, tuple_text, view_text
from derive.formulas.operation import Parameter
from derive.formulas.optimisers import OPTIMISERS, Optimiser
from derive.index import Axis, Entry, Index, Tensor
from derive.program import Equation
from derive.text import equation_text
from derive.update import Step, step

RESERVED = frozenset({"real", "memory", "options", "math", "np", "theta", "gradient", "rate", "t", "k"})
BOUNDS = {"above": "above", "least": "at least", "below": "below", "most": "at most"}  # of a Parameter, as words


@dataclass(frozen=True)
class Shown:
    """What the templates show of an optimiser.

    learned: the number of entries of theta that it changes.
    Raises ModuleError where a name in its formula, or its own, is one that modules need for something else.
    """

    name: str
    optimiser: Optimiser
    learned: int

    def __post_init__(self) -> None:
        own = [e.tensor.name for e in self.step.equations if e.tensor not in self.step.kept]
        for name in (*own, *self.optimiser.state, *self.optimiser.parameters):
            if name in RESERVED or keyword.iskeyword(name):
                raise names.ModuleError(f"{self.name}: its step has another use for the name {name}: choose another one")
        if not self.name.isidentifier() or {self.name, self.variable} & names.OWN:
            raise names.ModuleError(f"{self.name}: a generated module has another use for the name: choose another one")

    @property
    def function(self) -> str:
        return f"_{self.variable}"

    @property
    def variable(self) -> str:
        """Its name among the arguments of the training loop."""
        return self.name.lower()

    @property
    def source(self) -> str:
        return self.optimiser.source

    @property
    def options(self) -> list[dict[str, str]]:
        return [
            {"name": name, "default": repr(p.default), "range": _range(p), "bounds": _keywords(p)}
            for name, p in self.optimiser.parameters.items()
        ]

    @property
    def call(self) -> str:
        """`Adam(beta1=0.9, ...)`: the class with all options at their defaults."""
        options = ", ".join(f"{o['name']}={o['default']}" for o in self.options)
        return f"{self.name}({options})"

    @cached_property
    def step(self) -> Step:
        return step(self.optimiser, Axis("k", "K", self.learned))

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The arguments of a step with their types: those that it needs."""
        read = {t.name for equation in self.step.equations for t in equation.reads}
        every = {"memory": "Array", "options": self.name, "rate": "float", "t": "int"}
        needed = {"memory": bool(self.optimiser.state), "options": bool(self.optimiser.parameters)}
        return {"theta": "Array", "gradient": "Array", **{a: kind for a, kind in every.items() if needed.get(a, a in read)}}

    @property
    def signature(self) -> str:
        return ", ".join(f"{name}: {kind}" for name, kind in self.arguments.items())

    @property
    def training_call(self) -> str:
        values = {"options": self.variable, "t": "steps"}
        return f"{self.function}({', '.join(values.get(a, a) for a in self.arguments)})"

    @property
    def lines(self) -> list[str]:
        """The body of the step."""
        views = [View(t, Size(self.learned * n), Size(self.learned * (n + 1))) for n, t in enumerate(self.step.kept[1:])]
        options, body = list(self.optimiser.parameters), _body(self.step)
        head = ["real = theta.dtype.type"] if any("real(" in line for line in body) else []
        if options:
            head.append(f"{tuple_text(options) if len(options) == 1 else ', '.join(options)} = options")
        head += [f"{v.tensor.name} = {view_text('memory', v)}" for v in views]
        return [*(INDENT + line for line in head), *body]


def shown(learned: int) -> list[Shown]:
    """All optimisers, the first of them that of `train` where no other is chosen."""
    return [Shown(name, optimiser, learned) for name, optimiser in OPTIMISERS.items()]


def arguments(every: list[Shown]) -> list[Argument]:
    """What the training loop takes: for each optimiser its options, or None where another one is chosen."""
    chosen = [Argument(o.variable, f"{o.name} | None", f"chosen if isinstance(chosen, {o.name}) else None") for o in every]
    return [*chosen, Argument("memory", "Array", "memory"), Argument("steps", "int", "steps")]


def _bounds(parameter: Parameter) -> dict[str, float]:
    """The bounds that a parameter has, by their names."""
    every = {name: getattr(parameter, name) for name in BOUNDS}
    return {name: bound for name, bound in every.items() if bound is not None}


def _keywords(parameter: Parameter) -> str:
    """`least=0, below=1`."""
    return ", ".join(f"{name}={bound:g}" for name, bound in _bounds(parameter).items())


def _range(parameter: Parameter) -> str:
    """`at least 0 and below 1`."""
    return " and ".join(f"{BOUNDS[name]} {bound:g}" for name, bound in _bounds(parameter).items())


# -- the loop ------------------------------------------------------------------------------------------------------------


def _body(made: Step) -> list[str]:
    """The equations: those of numbers first, what is the same for all k once, then one loop."""
    own = {e.tensor for e in made.equations if e.indices} - {*made.kept}
    invariants = _Invariants({*RESERVED, *(t.name for e in made.equations for t in (e.tensor, *e.reads))})
    numbers = [line for e in made.equations if not e.indices for line in _number(e)]
    loop: list[str] = []
    for equation in (e for e in made.equations if e.indices):
        sign = "<-" if equation.tensor in made.kept else "="
        loop += comment(equation_text(equation).replace(" = ", f" {sign} ", 1), 2)
        target, value = (_scalars(e, own) for e in (equation.entry, invariants.out_of(equation.body)))
        assert isinstance(target, Entry)
        written = lines([Assign(equation, target, value)], invariants.taken, 2)
        loop += [line for line in written if not line.strip().startswith("#")]
    k = next(e.indices[0] for e in made.equations if e.indices)
    assert isinstance(k, Index)
    return [*numbers, *invariants.lines, f"{INDENT}for k in range({k.axis.extent}):", *loop]


def _number(equation: Equation) -> Iterator[str]:
    yield from comment(equation_text(equation), 1)
    yield f"{INDENT}{equation.tensor.name} = {constant(equation.body)}"


def _scalars(e: Expr, own: set[Tensor]) -> Expr:
    """The expression with a variable for each entry of a vector that the loop alone reads."""
    return e.xreplace({entry: Tensor(entry.tensor.name).entry() for entry in e.atoms(Entry) if entry.tensor in own})


@dataclass
class _Invariants:
    """Takes what does not depend on k out of expressions: it is computed in float64, once a step, and then rounded as theta is.

    In float32, 1 - 0.999 would have five digits.
    """

    taken: set[str]
    lines: list[str] = field(default_factory=list[str])
    found: dict[Expr, Entry] = field(default_factory=dict[Expr, Entry])

    def out_of(self, e: Expr) -> Expr:
        """The expression with variables for its largest parts without k."""
        if e.is_number or (isinstance(e, Entry) and e.indices):
            return e
        if not e.has(Index):
            return self.variable(e)
        if isinstance(e, sp.Add | sp.Mul):
            alone = [a for a in e.args if not a.has(Index) and a != -1]
            if len(alone) > 1:
                return e.func(self.variable(e.func(*alone)), *[self.out_of(a) for a in e.args if a not in alone])
        return e.func(*[self.below(a) for a in e.args])

    def below(self, node: Basic) -> Basic:
        """The same for what may be a condition or a branch."""
        if isinstance(node, Expr):
            return self.out_of(node)
        return node.func(*[self.below(a) for a in node.args]) if node.args else node

    def variable(self, e: Expr) -> Entry:
        if isinstance(e, Entry):
            return Tensor(f"real({e.tensor.name})").entry()
        if not self.lines:
            self.lines += comment("what is the same for all k, in float64 before it is rounded", 1)
        if e not in self.found:
            name = unused(f"c{len(self.found) + 1}", self.taken)
            self.found[e] = Tensor(name).entry()
            self.lines.append(f"{INDENT}{name} = real({constant(e)})")
        return self.found[e]
