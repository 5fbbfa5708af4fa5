"""The products of a derivation in a module: their kernels, and what the template shows of the functions that call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from codegen.arguments import Rows
from codegen.functions import Function, Functions, Ranges, Results
from codegen.planned import WHOLE, Planned
from codegen.schedule import Kernel, kernel, run_time_axis
from codegen.views import View, tuple_text
from derive.derivation import Derivation, Product
from derive.family import gradient_of
from derive.index import Axis, Index, Tensor

DIRECTION, PRODUCT = "direction", "product"  # vectors like theta: the parts of a direction, and of the Hessian times it


@dataclass(frozen=True)
class Products:
    """The products of a derivation.

    vectors: given tensors that lie in vectors, the parameters in theta among them; reserved: names that the module needs for itself.
    ranges: what the loss demands of the entries of some tensors.
    """

    derivation: Derivation
    vectors: Mapping[str, tuple[View, ...]]
    reserved: frozenset[str]
    ranges: Ranges

    @cached_property
    def planned(self) -> dict[str, Planned]:
        """The kernel of every product, by its kind, before it is text."""
        return {product.kind: self._planned(product) for product in self.derivation.products}

    def kernels(self) -> dict[str, Function]:
        """The function of every kernel."""
        return {product.kind: self._kernel(self.planned[product.kind], product) for product in self.derivation.products}

    def shown(self) -> dict[str, object]:
        """What the template shows of every product, by its kind."""
        return {product.kind: self._shown(product) for product in self.derivation.products}

    def moved(self) -> Rows | None:
        """The direction of the inputs, where a product takes one."""
        examples = run_time_axis(self.derivation.forward)
        inputs = self.derivation.forward.inputs
        directions = [p.family.of(t) for p in self.derivation.products if p.directions for t in p.moved if t in inputs]
        return Rows(directions[0], examples) if directions else None

    # -- kernels -------------------------------------------------------------------------------------------------------

    def _kernel(self, plan: Planned, product: Product) -> Function:
        assert isinstance(plan.kernel, Kernel)
        write = Functions({**self.vectors, DIRECTION: self._direction(product)}, self.reserved)
        return write.function(plan.name, plan.purpose, plan.program, plan.results, plan.kernel)

    def _planned(self, product: Product) -> Planned:
        forward, computed = self.derivation.forward, self.derivation.computed
        prediction, loss = forward.outputs[0], forward.outputs[-1]
        if product.kind == "hvp":
            gradients = [gradient_of(t) for t in forward.parameters]
            results = Results(vectors={"gradient": gradients, PRODUCT: product.results}, number=loss)
            purpose = "The loss of a batch; its derivatives go into `gradient`, their derivatives along `direction` into `product`."
            whole = kernel(computed, results.tensors, self.ranges)
            return Planned("_hessian_vector", purpose, computed, results, whole, WHOLE)
        results = Results([prediction, *product.results])
        whole = kernel(computed, results.tensors, {})
        if product.kind == "jvp":
            purpose = f"{prediction.name} for a batch of examples, and its derivative along a direction."
            return Planned("_jacobian_vector", purpose, computed, results, whole, WHOLE)
        return Planned(
            "_jacobian", f"{prediction.name} for a batch of examples, and its derivatives by X.", computed, results, whole, WHOLE
        )

    def _direction(self, product: Product) -> tuple[View, ...]:
        """The parts of a direction, as the parameters lie in theta."""
        parameters, directions = self.derivation.forward.parameters, product.directions
        parts = [(v, product.family.of(v.tensor)) for v in self.vectors["theta"] if v.tensor in parameters]
        return tuple(View(part, v.start, v.stop) for v, part in parts if part in directions)

    # -- what the template shows ---------------------------------------------------------------------------------------

    def _shown(self, product: Product) -> dict[str, object]:
        program = self.derivation.forward
        if product.kind == "hvp":
            return {}
        result = product.results[0]
        if product.kind == "jvp":
            rows = Rows(result, run_time_axis(program))
            return {"name": result.name, "allocated": rows.allocated, "returned": rows.outside(result.name)}
        return {"name": result.name, "allocated": _allocated(result), **_jacobian(result, product)}


def _allocated(tensor: Tensor) -> str:
    return tuple_text([a.size if a.extent is None else str(a.extent) for a in tensor.axes])


def jacobian_order(product: Product) -> tuple[Index, ...]:
    """The indices of a Jacobian in the order of the array that a module gives: the example, the outputs, the inputs."""
    family = product.family
    own = product.moved[0] if product.way == "reverse" else product.ends[0]
    indices, along = family.indices(own)
    examples = [i for i in indices if i.axis == family.examples]
    features = [i for i in indices if i.axis != family.examples]
    return (*examples, *along, *features) if product.way == "reverse" else (*examples, *features, *along)


def _jacobian(result: Tensor, product: Product) -> dict[str, str]:
    """The shape of Jacobians outside, and the array in that order."""
    order = jacobian_order(product)
    places = [result.indices().index(i) for i in order]
    turned = f"np.ascontiguousarray({result.name}.transpose({', '.join(map(str, places))}))"
    return {
        "shape": f"[{', '.join(_extent(i.axis) for i in order)}]",
        "returned": result.name if places == sorted(places) else turned,
    }


def _extent(axis: Axis) -> str:
    return "N" if axis.extent is None else str(axis.extent)
