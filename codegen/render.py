"""A derivation and its network to the text of a standalone module. Templates hold the layout, never mathematics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sympy import Expr

from codegen.initial import starts
from codegen.lines import ADD, INDENT, WIDTH, comment, lines
from codegen.loops import Assign, nested
from codegen.schedule import Kernel, Range, kernel, run_time_axis
from codegen.views import Size, batch_view, laid_out, shape, size_text, tuple_text, view_text
from derive.formulas.optimisers import OPTIMISERS, Optimiser
from derive.functions import Sigmoid
from derive.index import Axis, Tensor
from derive.network import Network
from derive.program import Derivation, Equation, Program
from derive.text import text

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)

OWN_NAMES = frozenset(
    {
        *(
            "theta",
            "gradient",
            "work",
            "real",
            "math",
            "np",
            "npt",
            "njit",
            "Array",
            "Labels",
            "FAST",
            "OPTIMIZERS",
            "Parameters",
            "NamedTuple",
            "Any",
        ),
        *("init", "predict", "loss", "gradients", "train", "max", "min", "abs", "range", "float", "int"),
    }
)

MEANINGS = {
    "labels": "a label for each example, [N]",
    "values": "a row of values for each example, [N, {columns}]",
    "unit": "a row of numbers in [0, 1] for each example, [N, {columns}]",
    "probabilities": "a row of probabilities for each example, [N, {columns}]",
}


def render(derivation: Derivation, network: Network) -> str:
    """The module of a network: parameters, kernels, public functions, as text.

    Raises ValueError when the program has no axis of run-time extent, or a name that the module needs for itself.
    """
    return TEMPLATES.get_template("module.py.j2").render(_Module(derivation, network).values())


@dataclass(frozen=True)
class _Module:
    """What the template shows of one network."""

    derivation: Derivation
    network: Network

    @property
    def program(self) -> Program:
        return self.derivation.computed

    def values(self) -> dict[str, object]:
        program, network = self.program, self.network
        run_time_axis(program)
        _check_names(program)
        prediction, loss, *derivatives = program.outputs
        ranges = self._ranges(prediction)
        kernels = {
            "predict": kernel(program, [prediction], {}),
            "loss": kernel(program, [loss], ranges),
            "gradients": kernel(program, [loss, *derivatives], ranges),
        }
        shown = [
            self._kernel(kernels["predict"], "predict", f"{prediction.name} for a batch of examples.", [prediction]),
            self._kernel(kernels["loss"], "loss", "The loss of a batch.", []),
            self._kernel(kernels["gradients"], "gradients", "The loss of a batch; its derivatives go into `gradient`.", derivatives),
        ]
        return {
            "name": network.name,
            "summary": self._summary(),
            "axes": "\n".join(["Axes:", *(f"{INDENT}{_axis(a)}" for a in program.axes)]),
            "inputs": network.inputs,
            "classes": network.outputs,
            "columns": network.outputs,
            "mean": network.loss.reduction == "mean",
            "prediction": self._prediction(prediction),
            "parameters": self._parameters(),
            "kernels": shown,
            "reorders": any(f" {ADD}(" in line for k in kernels.values() for line in lines(k.body, set())),
            "products": any("np.dot(" in line for k in kernels.values() for line in lines(k.body, set())),
            "optimisers": [_optimiser(name, o, program.parameters) for name, o in OPTIMISERS.items()],
            "work": {name: size_text(k.work) if k.workspace else "" for name, k in kernels.items()},
            "inside": {"examples": self._inside("examples", program.inputs[0]), "targets": self._inside("targets", program.targets[0])},
            "targets": self._targets(),
            "gather": self._gather(),
        }

    # -- prose ---------------------------------------------------------------------------------------------------------

    def _summary(self) -> str:
        network = self.network
        layers = [layer.words for layer in network.layers]
        options = f", {network.loss.described}" if network.loss.described else ""
        summary = f"{network.name}: {' - '.join([str(network.inputs), *layers])}, {network.loss.kind} ({network.loss.reduction}{options})."
        return summary if len(summary) + 3 <= WIDTH else f"{network.name}: {len(layers)} layers, {network.loss.kind}."

    def _prediction(self, tensor: Tensor) -> dict[str, object]:
        equation = next(e for e in self.derivation.forward.equations if e.tensor == tensor)
        columns = self.network.outputs
        flipped = self._flipped(tensor)
        return {
            "name": tensor.name,
            "meaning": equation.note.removeprefix("prediction: "),
            "columns": columns,
            "allocated": f"({columns}, N)" if flipped else f"(N, {columns})",
            "returned": f"np.ascontiguousarray({tensor.name}.T)" if flipped else tensor.name,
        }

    # -- arrays --------------------------------------------------------------------------------------------------------

    def _flipped(self, tensor: Tensor) -> bool:
        """Whether the program holds one example in a column of this tensor."""
        return len(tensor.axes) == 2 and tensor.axes[1] == run_time_axis(self.program)

    def _inside(self, name: str, tensor: Tensor) -> str:
        return f"np.ascontiguousarray({name}.T)" if self._flipped(tensor) else name

    def _parameters(self) -> list[dict[str, object]]:
        first = {s.tensor: s for s in starts(self.derivation.forward)}
        return [
            {
                "name": v.tensor.name,
                "shape": ", ".join(shape(v.tensor)),
                "tuple": tuple_text(shape(v.tensor)),
                "view": view_text("theta", v),
                "start": first[v.tensor].text,
                "why": first[v.tensor].why,
            }
            for v in laid_out(self.program.parameters)
        ]

    def _targets(self) -> dict[str, object]:
        tensor, kind = self.program.targets[0], self.network.loss.targets
        return {
            "kind": kind,
            "name": tensor.name,
            "type": "Labels" if tensor.values else "Array",
            "columns": 0 if tensor.values else self.network.outputs,
            "meaning": MEANINGS[kind].format(columns=self.network.outputs),
            "converted": "" if tensor.values else " and y",
        }

    def _gather(self) -> dict[str, str]:
        x, y = self.program.inputs[0], self.program.targets[0]
        return {
            "examples": batch_view("X_batch", self.network.inputs, self._flipped(x)),
            "place": "i, n" if self._flipped(x) else "n, i",
            "examples_size": size_text(Size(each=self.network.inputs)),
            "targets": f"{y.name}_batch[0:N]" if y.values else batch_view(f"{y.name}_batch", self.network.outputs, self._flipped(y)),
            "target_place": "c, n" if self._flipped(y) else "n, c",
            "targets_size": size_text(Size(each=1 if y.values else self.network.outputs)),
        }

    def _ranges(self, prediction: Tensor) -> Mapping[Tensor, Range]:
        """A loss of probabilities demands predictions in [0, 1], unless they come from the logistic function."""
        loss = self.network.loss.formula
        equation = self.program.defining(prediction)
        if not loss.unit_prediction or equation is None or isinstance(equation.body, Sigmoid):
            return {}
        return {prediction: Range(0, 1, f"{self.network.loss.kind} takes probabilities")}

    # -- kernels -------------------------------------------------------------------------------------------------------

    def _kernel(self, k: Kernel, name: str, purpose: str, results: Sequence[Tensor]) -> dict[str, object]:
        gradients = results if name == "gradients" else ()
        arrays = {t.name: "Labels" if t.values else "Array" for t in k.inputs}
        arguments = ["theta: Array", *(f"{n}: {kind}" for n, kind in arrays.items())]
        arguments += ["gradient: Array"] if gradients else [f"{t.name}: Array" for t in results]
        arguments += ["work: Array"] if k.workspace else []
        taken = {*OWN_NAMES, *(t.name for t in self.program.given), *(e.tensor.name for e in self.program.equations)}
        body = lines(k.body, taken)
        views = [f"{v.tensor.name} = {view_text('theta', v)}" for v in laid_out(self.program.parameters) if v.tensor in k.parameters]
        views += [f"{v.tensor.name} = {view_text('gradient', v)}" for v in laid_out(gradients)]
        views += [f"{v.tensor.name} = {view_text('work', v)}" for v in k.workspace]
        head: list[str] = []
        if any(re.search(r"\breal\(", line) for line in body):
            head.append("real = theta.dtype.type")
        if any(re.search(r"\bN\b", line) for line in (*views, *(b for b in body if not b.strip().startswith("#")))):
            x = self.program.inputs[0]
            head.append(f"N = {x.name}.shape[{1 if self._flipped(x) else 0}]")
        returned = [] if name == "predict" else [f"return float({self.program.outputs[1].name})"]
        return {
            "name": f"_{name}",
            "signature": ", ".join(arguments),
            "returns": "float" if returned else "None",
            "purpose": purpose,
            "lines": [*(INDENT + line for line in (*head, *views)), *body, *(INDENT + line for line in returned)],
        }


def _optimiser(name: str, optimiser: Optimiser, parameters: Sequence[Tensor]) -> dict[str, object]:
    total = laid_out(parameters)[-1].stop.fixed
    axis = Axis("k", "K", total)
    k = axis.index()
    theta, gradient, rate = Tensor("theta", [axis])[k], Tensor("gradient", [axis])[k], Tensor("rate")[()]
    body: Expr = optimiser.formula(theta, gradient, rate)
    update = Assign(Equation(theta.tensor, (k,), body), theta, body)
    shown = comment(f"theta[k] <- {text(body)}", 1)
    return {"name": name, "source": optimiser.source, "lines": [*shown, *_without_comments(lines(nested([k], update), set()))]}


def _without_comments(rows: Sequence[str]) -> list[str]:
    return [row for row in rows if not row.strip().startswith("#")]


def _check_names(program: Program) -> None:
    for tensor in (*program.given, *(e.tensor for e in program.equations)):
        if tensor.name in OWN_NAMES or not tensor.name.isidentifier():
            raise ValueError(f"{program.name}: a generated module has another use for the name {tensor.name}")


def _axis(axis: Axis) -> str:
    extent = axis.size if axis.extent is None else f"{axis.size} = {axis.extent}"
    return f"{axis.name}  {axis.meaning} ({extent})"
