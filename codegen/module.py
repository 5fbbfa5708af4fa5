"""The parts of a module: its data, its vectors, its kernels and how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from codegen import batch, names, newton, optimisers
from codegen.about import About
from codegen.arguments import Rows
from codegen.block_functions import BlockFunctions
from codegen.blocks import CHUNK, BlockKernel
from codegen.derivatives import Products
from codegen.descent import Descent
from codegen.fixed import Draws
from codegen.functions import Function, Functions, Results
from codegen.layout import NotInBlocksError
from codegen.loops import MatrixProduct, leaves
from codegen.parameters import Stored
from codegen.planned import WHOLE, Planned, in_blocks, predicting, ranges
from codegen.products import threaded_from, tiled_from
from codegen.schedule import Range, kernel, run_time_axis
from codegen.training import Argument, Taken, arguments
from codegen.views import Size, size_text
from derive.derivation import Derivation
from derive.family import gradient_of
from derive.index import Binder, Entry, Tensor
from derive.program import Program

WORTH = 2**21  # parameters times examples of a batch from which on threads pay


@dataclass(frozen=True)
class Module:
    """The parts of the module of a derivation.

    inference: the program whose first output `predict` computes.
    Raises ValueError when no module can be made of the programs.
    """

    derivation: Derivation
    inference: Program
    about: About

    def __post_init__(self) -> None:
        given = (*self.forward.inputs, *self.forward.targets)
        run_time_axis(self.forward)
        if len(self.forward.inputs) != 1 or len(self.forward.targets) not in (1, 2):
            raise names.ModuleError(f"{self.forward.name}: a module takes X, y and at most weights, not {', '.join(t.name for t in given)}")
        if not self.forward.parameters:
            raise names.ModuleError(f"{self.forward.name}: a module needs parameters that training can change")
        names.check(self.computed)
        names.check(self.inference)

    # -- data and vectors ----------------------------------------------------------------------------------------------

    @property
    def forward(self) -> Program:
        return self.derivation.forward

    @property
    def computed(self) -> Program:
        return self.derivation.computed

    @cached_property
    def stored(self) -> Stored:
        """The parameters and statistics."""
        return Stored(self.forward)

    @cached_property
    def draws(self) -> Draws:
        """The random data."""
        return Draws(self.forward)

    @cached_property
    def data(self) -> list[Taken]:
        """X, y and, where the loss has them, the weights of the examples."""
        tensors = (*self.forward.inputs, *self.forward.targets)
        return [Taken(self.rows(t), checked) for t, checked in zip(tensors, ("examples", "targets", "weights"), strict=False)]

    @property
    def weighted(self) -> bool:
        """Whether the caller may weigh the examples."""
        return len(self.data) > 2 and self.about.weighted

    @cached_property
    def prediction(self) -> Rows:
        return self.rows(self.inference.outputs[0])

    @cached_property
    def losses(self) -> Rows | None:
        """The losses that the loss sums up, where they are an output of the program: `loss` gives them one by one."""
        between = self.forward.outputs[1:-1]
        return self.rows(between[0]) if between else None

    @cached_property
    def weight(self) -> sp.Expr:
        """What the loss of a batch counts by in that of an epoch."""
        return batch.weight(self.forward)

    @property
    def weighed(self) -> bool:
        """Whether that depends on more than the number of examples."""
        return self.weight.has(Entry, Binder)

    @property
    def fewest(self) -> dict[str, int]:
        """The fewest examples that a loss with its gradients, and a step of training, can do with."""
        return {"loss": batch.fewest(self.computed, self.computed.outputs), "step": batch.fewest(self.computed, self.computed.results)}

    def rows(self, tensor: Tensor) -> Rows:
        return Rows(tensor, run_time_axis(self.forward), names.LOCAL | {t.name for t in self.forward.given})

    # -- kernels -------------------------------------------------------------------------------------------------------

    @cached_property
    def planned(self) -> Mapping[str, Planned]:
        """The kernels by name, before they are text."""
        prediction, loss = self.inference.outputs[0], self.forward.outputs[-1]
        losses = Results(number=loss) if self.losses is None else Results([self.losses.tensor])
        vectors = {"gradient": tuple(map(gradient_of, self.forward.parameters))}
        vectors |= {"statistics": tuple(self.stored.updates)} if self.forward.statistics else {}
        predicts, finds = f"{prediction.name} for a batch of examples.", "The loss of a batch"
        found: dict[str, Planned] = {}
        for name, purpose, program, results in (
            ("predict", predicts, predicting(self.derivation, self.inference), Results([prediction])),
            ("loss", f"{finds}.", self.computed, losses),
            ("gradients", f"{finds}; its derivatives go into `gradient`.", self.computed, Results(vectors=vectors, number=loss)),
        ):
            try:
                found[name] = Planned(f"_{name}", purpose, program, results, in_blocks(self.forward, program, results, self._ranges))
            except NotInBlocksError as why:
                whole = kernel(program, results.tensors, {} if name == "predict" else self._ranges)
                found[name] = Planned(f"_{name}", purpose, program, results, whole, str(why))
        if self.weighed:
            program, purpose = batch.weighing(self.forward, self.weight), "What the mean of the losses of a batch divides by."
            whole, results = kernel(program, program.outputs, {}), Results(number=program.outputs[0])
            found["weight"] = Planned(f"_{batch.WEIGHT.name}", purpose, program, results, whole, WHOLE)
        return found

    @cached_property
    def kernels(self) -> Mapping[str, Function]:
        """The functions of the kernels by name."""
        write = Functions({"theta": self.stored.views, "draws": self.draws.views}, names.OWN)
        found: dict[str, Function] = {}
        for name, p in self.planned.items():
            if isinstance(p.kernel, BlockKernel):
                functions = BlockFunctions(p.name, p.purpose, p.kernel, p.results, self.stored.views, self.data).functions()
                found |= {f.name.removeprefix("_"): f for f in functions}
            elif name == "gradients" and self.descent is not None:
                found |= self.descent.functions(write)
            else:
                found[name] = write.function(p.name, p.purpose, p.program, p.results, p.kernel)
        return found | self.products.kernels()

    @cached_property
    def descent(self) -> Descent | None:
        """The step that stores no gradients of large matrices; None where it does not pay."""
        return Descent.chosen(self.planned["gradients"], self.stored, self.optimisers)

    def in_blocks(self, name: str) -> bool:
        """Whether a kernel computes examples in blocks."""
        return f"{name}_block" in self.kernels

    @cached_property
    def products(self) -> Products:
        """The derivatives beside the gradients."""
        vectors = {"theta": self.stored.views, "draws": self.draws.views}
        return Products(self.derivation, vectors, names.OWN, self._ranges)

    @property
    def _ranges(self) -> Mapping[Tensor, Range]:
        return ranges(self.derivation, self.about.predictions)

    # -- calls ---------------------------------------------------------------------------------------------------------

    @property
    def calls(self) -> dict[str, str]:
        """The calls of the kernels in the public functions, where arrays are as they have been checked."""
        moved = self.products.moved()
        values = {**self._values, "direction": "along", **({moved.tensor.name: moved.inside("moved")} if moved else {})}
        outs = {"predict": self.prediction.tensor.name, "loss": self.losses.tensor.name if self.losses else ""}
        return {name: k.call({**values, "out": outs.get(name, "")}) for name, k in self.kernels.items()}

    @property
    def _values(self) -> dict[str, str]:
        """Data and constants as the public functions hand them to kernels."""
        constants = {c.tensor.name: f"{c.tensor.name}.astype(theta.dtype)" for c in self.forward.constants}
        return {**{d.name: d.inside for d in self.data}, **constants}

    @property
    def newton(self) -> dict[str, object] | None:
        """What the template shows of Newton's method: it needs products of the Hessian, and a loss that is no random number."""
        if "hvp" not in self.kernels or self.forward.draws:
            return None
        return newton.shown(self.kernels, self._values, self.stored.learned, _text(self._longest("gradients", "hvp")))

    @property
    def work(self) -> dict[str, str]:
        """The lengths of the workspaces of the kernels; empty where there is none."""
        return {name: _text(k.work) for name, k in self.kernels.items()}

    @property
    def training_calls(self) -> dict[str, str]:
        """The calls of the kernels in the training loop."""
        values = {d.name: d.checked for d in self.data} | ({"options": self.descent.optimiser.variable} if self.descent else {})
        calls = {name: k.call(values) for name, k in self.kernels.items()}
        if not self.in_blocks("gradients"):
            return calls
        return calls | {"gradients": self.kernels["gradients_batch"].call({"stop": "start + N"})}

    @cached_property
    def optimisers(self) -> list[optimisers.Shown]:
        """What training may choose from."""
        return optimisers.shown(self.stored.learned)

    @property
    def training_arguments(self) -> list[Argument]:
        constants = [Argument(c.tensor.name, "Array", f"{c.tensor.name}.astype(dtype)") for c in self.forward.constants]
        sizes = {
            "draws": self.draws.size,
            "statistics": str(self.stored.statistics or ""),
            "work": _text(self._longest("gradients", "weight")),
        }
        memory = [Argument(name, "Array", f"{self.empty}({size}, dtype)") for name, size in sizes.items() if size]
        gradient = Argument("gradient", "Array", f"{self.empty}(theta.size, dtype)" if self.aligned else "np.empty_like(theta)")
        if self.threads:
            memory += [Argument("threads", "tuple[Array, Array] | None", "threads"), Argument("settings", "int", "settings")]
        chosen = optimisers.arguments(self.optimisers)
        return arguments(self.data, chosen, [gradient, *memory], constants, None if self.in_blocks("gradients") else self.empty)

    @property
    def threads(self) -> dict[str, object] | None:
        """What the template shows of a step by several threads, which pays from a number of examples on."""
        function = self.kernels.get("gradients_chunks")
        if function is None:
            return None
        fewest = max(4 * CHUNK, -(-WORTH // self.stored.learned))
        return {"fewest": fewest, "chunk": CHUNK, "size": self.stored.learned, "call": function.call({})}

    @property
    def product_threads(self) -> bool:
        """Whether several threads pay for a product of matrices."""
        return any(threaded_from(product) is not None for product in self._matrix_products)

    @property
    def tiles(self) -> bool:
        """Whether any product of matrices is computed in tiles."""
        blocks = [p.kernel for p in self.planned.values() if isinstance(p.kernel, BlockKernel)]
        others = [leaf for k in blocks for s in (*k.before, *k.after) for leaf in leaves(s) if isinstance(leaf, MatrixProduct)]
        return any(tiled_from(product) is not None for product in (*self._matrix_products, *others))

    @property
    def aligned(self) -> bool:
        """Whether vectors are to begin with a line of the cache: products of matrices read and write whole lines."""
        return bool(self._matrix_products)

    @property
    def empty(self) -> str:
        """The function that gives new vectors to training."""
        return "_empty" if self.aligned else "np.empty"

    @cached_property
    def _matrix_products(self) -> list[MatrixProduct]:
        """Those of kernels of whole batches."""
        every = [s for p in self.planned.values() if not isinstance(p.kernel, BlockKernel) for s in p.kernel.body]
        return [leaf for s in every for leaf in leaves(s) if isinstance(leaf, MatrixProduct)]

    def _longest(self, *names: str) -> Size:
        """A workspace that is long enough for several kernels."""
        used = [k.work for name, k in self.kernels.items() if name in names]
        return Size(max(w.fixed for w in used), max(w.each for w in used))


def _text(size: Size) -> str:
    """A length as Python; empty for none."""
    return "" if size == Size() else size_text(size)
