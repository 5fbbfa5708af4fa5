"""Newton's method in a module that has Hessian-vector products: what its template is handed."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.functions import Function
from codegen.training import Argument

# vectors like theta that the method itself works with, and the workspace
MEMORY = ("gradient", "trial", "step", "residual", "direction", "product")


def shown(kernels: Mapping[str, Function], values: Mapping[str, str], learned: int, work: str) -> dict[str, object]:
    """What the template shows.

    values: what the public function hands over for data and constants; learned: the number of entries that the method changes;
    work: the length of a workspace for all kernels.
    """
    loss, product = kernels["gradients"], kernels["hvp"]
    taken = {**loss.arguments, **product.arguments}
    vectors = {"theta", "statistics", "work", *MEMORY}
    data = [Argument(name, kind, values.get(name, name)) for name, kind in taken.items() if name not in vectors]
    step_data = [a for a in data if a.name in product.arguments]
    memory = [Argument(name, "Array", "np.zeros_like(theta)") for name in ("candidate", *MEMORY)]
    memory += [Argument("work", "Array", f"np.empty({work}, theta.dtype)")] if work else []
    inside = ["theta", *(a.name for a in step_data), *MEMORY, *(["work"] if work else [])]
    return {
        "data": data,
        "step_data": step_data,
        "memory": memory,
        "size": learned,
        "work": work,
        "step": ", ".join(inside),
        "product": product.call({"gradient": "trial"}),
        "start": loss.call({}),
        "trial": loss.call({"theta": "candidate", "gradient": "trial"}),
    }
