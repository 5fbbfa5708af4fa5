"""The names that a generated module needs for itself."""

from __future__ import annotations

import keyword

from derive.formulas.optimisers import OPTIMISERS
from derive.program import Program

OWN = frozenset(
    {
        *("theta", "gradient", "draws", "statistics", "work", "real", "math", "np", "npt", "njit", "Array", "Labels", "Real"),
        *("FAST", "Optimizer", "State", "Parameters", "NamedTuple", "Any", "batch_weight", "sample_weight"),
        *("max", "min", "abs", "range", "float", "int"),
        *(
            "out",
            "example",
            "examples",
            "targets",
            "order",
            "start",
            "stop",
            "at",
            "block",
            "prange",
            "wide",
            "long",
            "so_far",
        ),
        *("N", "init", "predict", "loss", "gradients", "train", "masks", "direction", "product"),
        *(
            "types",
            "cgutils",
            "intrinsic",
            "lower_builtin",
            "type_callable",
            "make_array",
            "populate_array",
            "check_blas_return",
            "ensure_blas",
        ),
        *("jacobian_vector_product", "jacobian", "hessian_vector_product", "newton", "Float32", "REAL_TYPES", "INTEGER"),
    }
)

# variables of the functions that gather and check data, whose tensors and indices stand beside them
LOCAL = frozenset(
    {
        *("epochs", "batch_size", "optimizer", "rate", "shuffle", "rng", "order", "losses", "epoch", "total", "whole", "start"),
        *("examples", "targets", "weights", "array", "values", "labels", "sums", "wrong", "dtype", "seed", "p"),
        *("counted", "last", "chosen", "state", "memory", "settings", "since"),
        *(name.lower() for name in OPTIMISERS),
        *("along", "moved", "steps", "cg_steps", "damping", "most", "step", "residual", "trial", "candidate"),
        *("square", "goal", "curvature", "length", "before", "falls"),
    }
)
COUNTERS = frozenset({"k"})  # of loops in those functions


class ModuleError(ValueError):
    """A program of which no module can be made, and why."""


def check(program: Program) -> None:
    """Raise ModuleError where a tensor has a name that the module has another use for."""
    data = {*program.inputs, *program.targets, *(c.tensor for c in program.constants)}
    for tensor in (*program.given, *(e.tensor for e in program.equations)):
        name = tensor.name
        used = name in OWN or (name in LOCAL | COUNTERS and tensor in data)
        if used or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
            raise ModuleError(f"{program.name}: a generated module has another use for the name {name}: choose another one")
