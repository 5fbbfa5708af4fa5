"""A derivation and its network to the text of a standalone module. Templates hold the layout, never mathematics."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codegen import data, wide
from codegen.about import About, about
from codegen.arguments import Rows
from codegen.block_functions import TURNED
from codegen.elementary import PRODUCTS, copies
from codegen.fixed import constants
from codegen.functions import fitted
from codegen.lines import FREE, INDENT, WIDTH
from codegen.module import Module
from codegen.products import ADD_PRODUCT, FEWEST, PRODUCT, THREADED
from codegen.training import arranged, gathered
from derive.derivation import Derivation
from derive.index import Axis
from derive.network import Network
from derive.program import Program

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
TEMPLATES.filters["fitted"] = fitted

THREADS = (
    "Large batches are computed by several threads of Numba: NUMBA_NUM_THREADS, or numba.set_num_threads in the thread that calls. Where "
    "that is 1, forked processes and several threads of Python may call at the same time. Where it is more, Numba with OpenMP ends a "
    "process that was forked after such a call, and Numba with its own scheduler one that calls from two threads."
)
VIEWS = "What init and train give is one vector in several views, and taken as it is. Parameters of other arrays are copied at every call."
JOINED = 2**19  # numbers from which on parameters are joined by NumPy alone, which asks for large pages of memory
SHARED = 1500  # numbers for each array from which on it takes longer to copy parameters than to see that they are views of one vector
LINE = 64  # bytes of a line of the cache, and of the longest vectors
LOOK = 2**26  # parameters times examples, which take a few hundredths of a second, after which training heeds signals
LISTED = 32  # arrays of parameters that are checked one by one without a loop


def render(derivation: Derivation, network: Network) -> str:
    """The module of a network: parameters, kernels, public functions, as text.

    Raises ValueError when the program has no axis of run-time extent, or a name that the module needs for itself (ModuleError).
    """
    return module_text(derivation, network.program(mode="inference"), about(network))


def module_text(derivation: Derivation, inference: Program, words: About) -> str:
    """The module of a derivation.

    inference: the program whose first output `predict` computes, of the same parameters and statistics, without random data.
    Raises ValueError as `render` does.
    """
    return TEMPLATES.get_template("module.py.j2").render(_shown(Module(derivation, inference, words)))


def _shown(module: Module) -> dict[str, object]:
    """What the template shows."""
    every = [line for k in module.kernels.values() for line in k.lines]
    X, y, *weights = (d.rows for d in module.data)
    return {
        "about": module.about,
        "notes": _notes(module),
        "axes": "\n".join(["Axes:", *(f"{INDENT}{_axis(a)}" for a in module.computed.axes)]),
        "X": data.examples(X),
        "y": data.targets(y, module.about, module.forward),
        "weights": data.weights(weights[0]) if weights else None,
        "ready": data.ready(X, y, module.about, module.fewest["loss"]),
        "weighted": module.weighted,
        "prediction": _array(module.prediction, module.in_blocks("predict")) | {"meaning": _meaning(module)},
        "losses": _array(module.losses, module.in_blocks("loss")) if module.losses else None,
        "constants": constants(module.forward),
        "parameters": list(module.stored.fields()),
        "size": module.stored.size,
        "unpacked": _unpacked(len(module.stored.views)),
        "joined": len(module.stored.views) <= LISTED and module.stored.size < JOINED,
        "arrays": "".join(f"a{k}: Array, " for k in range(len(module.stored.views))),
        "shares": _shares(module),
        "aligned": module.aligned,
        "line": LINE,
        "empty": "_empty" if module.aligned and _shares(module) else "np.empty",
        "start": _start(module),
        "newton": module.newton,
        "derivatives": module.products.shown(),
        "whole": _array(module.prediction, False),
        "optimisers": module.optimisers,
        "draws": module.draws,
        "statistics": _statistics(module),
        "kernels": list(module.kernels.values()),
        "calls": module.calls,
        "work": module.work,
        "elementary": copies(every),
        "own_products": copies(every, PRODUCTS),
        "descent": module.descent,
        "adds": any(f" {FREE['sum']}(" in line for line in every),
        "multiplies": any(f" {FREE['product']}(" in line for line in every),
        "products": _tiles(module) if any(f"{PRODUCT}(" in line for line in every) else None,
        "adds_products": any(f"{ADD_PRODUCT}(" in line for line in every),
        "weight": "weighed" if module.weighed else "sum" if module.weight == 1 else "examples",
        "fewest": module.fewest,
        "wide": any(line.strip() == wide.CALL for line in every),
        "turned": any(f"{TURNED}()" in line for line in every),
        "blocks": any(name.endswith("_block") for name in module.kernels),
        "alone": "gradients_example" in module.kernels,
        "train": {
            "blocks": module.in_blocks("gradients"),
            "threads": module.threads,
            "arguments": module.training_arguments,
            "look": max(1, LOOK // module.stored.learned),
            "gather": arranged(module.data) if module.in_blocks("gradients") else gathered(module.data),
            **module.training_calls,
        },
        **_signatures(module),
    }


def _tiles(module: Module) -> Mapping[str, int]:
    """From how many rows and columns on products are computed in tiles; fewest is 0 where none is, log2_threaded where one thread does."""
    threaded = THREADED.bit_length() - 1 if module.product_threads else 0
    return {"fewest": FEWEST if module.tiles else 0, "log2_threaded": threaded}


def _shares(module: Module) -> bool:
    """Whether functions take parameters that are views of one vector as that vector."""
    return module.stored.size >= SHARED * len(module.stored.views)


def _notes(module: Module) -> str:
    """What is to be known of parameters, of products, of random data, of running statistics and of threads."""
    notes = [VIEWS] if _shares(module) else []
    if "hvp" in module.kernels:
        newton = "; newton minimises the loss with them" if module.newton else ""
        notes.append(f"hessian_vector_product gives products of the Hessian of the loss and a vector{newton}.")
    if module.forward.draws:
        text = f"loss, gradients and train draw {module.draws.names} at random, predict does not."
        notes.append(f"{text} The same seed gives the same numbers: `masks` shows them.")
    if module.forward.statistics:
        names = ", ".join(s.tensor.name for s in module.forward.statistics)
        text = f"Parameters end with running statistics ({names}): predict reads them, train replaces them after every step."
        notes.append(f"{text} Their gradient is 0, since loss and gradients use those of the batch.")
    if module.threads or module.product_threads:
        notes.append(THREADS)
    return "".join(f"{line}\n" for note in notes for line in textwrap.wrap(note, WIDTH - 10))


def _array(rows: Rows, outside: bool) -> dict[str, str]:
    """An array that a function gives. outside: whether the kernel writes it as it is given."""
    name = rows.tensor.name
    allocated, returned = (rows.shape_code, name) if outside else (rows.allocated, rows.outside(name))
    return {"name": name, "shape": rows.shape, "allocated": allocated, "returned": returned}


def _meaning(module: Module) -> str:
    equation = module.inference.defining(module.prediction.tensor)
    meaning = equation.note.removeprefix("prediction: ") if equation else ""
    return f", {meaning}" if meaning else ""


def _start(module: Module) -> Mapping[str, str]:
    """What Parameters hold and how they start."""
    held, start = "The weights and biases", "Random weights and zero biases"
    if not module.stored.ordinary:
        held, start = "What is learned", "Random weights, and numbers for the rest"
    return {"held": held + (", then the running statistics" if module.forward.statistics else ""), "text": start}


def _unpacked(count: int) -> str:
    """The statement that gives every array of p a name of its own, which no parameter has; empty where they are too many to list."""
    if count > LISTED:
        return ""
    names = ", ".join(f"a{k}" for k in range(count)) + ("," if count == 1 else "")
    line = f"{INDENT}{names} = every"
    return line if len(line) <= WIDTH else fitted(f"{INDENT}({names}) = every")


def _statistics(module: Module) -> Mapping[str, int] | None:
    if not module.forward.statistics:
        return None
    return {"size": module.stored.statistics, "start": module.stored.learned}


def _signatures(module: Module) -> Mapping[str, str]:
    """The arguments of loss and gradients beside p, X and y, and the check that they share with train."""
    weighted, arrays = module.weighted, ", ".join(["theta", *(d.checked for d in module.data)])
    kinds = ", ".join(["Array", *(d.rows.type for d in module.data)])
    taken = "p: Parameters, X: npt.ArrayLike, y: npt.ArrayLike"
    declared = taken + (", sample_weight: npt.ArrayLike | None" if weighted else "")
    options = ", sample_weight: npt.ArrayLike | None = None" if weighted else ""
    return {
        "taken": taken,
        "options": options + (", seed: int | np.random.Generator = 0" if module.forward.draws else ""),
        "checked": f"{arrays} = _batch(p, X, y{', sample_weight' if weighted else ''})",
        "batch": f"def _batch({declared}) -> tuple[{kinds}]:",
    }


def _axis(axis: Axis) -> str:
    extent = axis.size if axis.extent is None else f"{axis.size} = {axis.extent}"
    return f"{axis.name}  {axis.meaning} ({extent})"
