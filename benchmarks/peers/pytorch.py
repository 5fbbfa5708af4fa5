"""PyTorch in three ways: autograd step by step, a backward pass by hand, and the whole step compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.environment import threads
from benchmarks.peers import Array, Run, mean_losses
from benchmarks.problem import Problem

torch: Any = import_module("torch")
F: Any = import_module("torch.nn.functional")
func: Any = import_module("torch.func")

torch.set_num_threads(threads())
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
HIDDEN: dict[str, Callable[[Any], Any]] = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu}


@dataclass(frozen=True)
class Form:
    """The network without its numbers, which torch.compile would guard. biased: of each layer, whether it has a bias."""

    hidden: str
    loss: str
    output: str
    biased: tuple[bool, ...]

    def layers(self, parameters: list[Any]) -> list[tuple[Any, Any]]:
        """A weight and a bias or None for each layer."""
        left = iter(parameters)
        return [(next(left), next(left) if bias else None) for bias in self.biased]

    def logits(self, parameters: list[Any], X: Any) -> Any:
        """The last layer's output before its activation."""
        *hidden, (W, b) = self.layers(parameters)
        values = X
        for layer in hidden:
            values = HIDDEN[self.hidden](F.linear(values, *layer))
        return F.linear(values, W, b)

    def prediction(self, parameters: list[Any], X: Any) -> Any:
        """Probabilities, or what the network gives."""
        Z = self.logits(parameters, X)
        if self.loss == "cross_entropy":
            return torch.softmax(Z, 1)
        return Z if self.output == "identity" else torch.sigmoid(Z)

    def mean_loss(self, parameters: list[Any], X: Any, Y: Any) -> Any:
        """Of a batch."""
        Z = self.logits(parameters, X)
        if self.loss == "cross_entropy":
            return F.cross_entropy(Z, Y)
        if self.loss == "binary_cross_entropy":
            return F.binary_cross_entropy_with_logits(Z, Y)
        return F.mse_loss(torch.sigmoid(Z), Y) / 2 if self.loss == "half_squared_error" else F.mse_loss(Z, Y)


class Torch:
    """What the three share: parameters as a list, a step to be filled in, and the forward pass without autograd."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        work = problem.workload
        self.form = Form(work.hidden, work.loss, work.output, tuple(b is not None for b in problem.biases))
        self.X = [torch.from_numpy(X) for X in problem.X]
        self.Y = [torch.from_numpy(Y) for Y in problem.Y]
        self.now: list[Any] = [torch.from_numpy(a.copy()) for a in problem.parameters]
        self.forward: Any = self.form.prediction

    def reset(self) -> None:
        with torch.no_grad():
            for now, start in zip(self.now, self.problem.parameters, strict=True):
                now.copy_(torch.from_numpy(start))

    def train(self, epochs: int) -> Array:
        losses: list[Any] = []
        for _ in range(epochs):
            for X, Y in zip(self.X, self.Y, strict=True):
                losses.append(self.step(X, Y))
        return mean_losses(torch.stack(losses).numpy(), epochs)

    def step(self, X: Any, Y: Any) -> Any:
        """One step; gives the loss before it."""
        raise NotImplementedError

    def parameters(self) -> list[Array]:
        return [a.detach().numpy() for a in self.now]

    def predict(self) -> Array:
        with torch.inference_mode():
            return self.forward(self.now, self.X[0]).numpy()


class Eager(Torch):
    """Autograd; SGD by one `_foreach` call for all parameters, Adam by torch.optim's fused one."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        for a in self.now:
            a.requires_grad_()
        self.optimizer: Any = None

    def reset(self) -> None:
        super().reset()
        if self.problem.workload.optimizer == "adam":
            self.optimizer = torch.optim.Adam(self.now, lr=self.problem.workload.rate, fused=True)

    def step(self, X: Any, Y: Any) -> Any:
        loss = self.form.mean_loss(self.now, X, Y)
        gradients = torch.autograd.grad(loss, self.now)
        if self.optimizer is None:
            with torch.no_grad():
                torch._foreach_add_(self.now, gradients, alpha=-self.problem.workload.rate)
        else:
            for a, gradient in zip(self.now, gradients, strict=True):
                a.grad = gradient
            self.optimizer.step()
        return loss.detach()


class Manual(Torch):
    """Forward and backward pass by hand, as the NumPy peer's; W += -rate dZ^T H is one call of the BLAS."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.optimizer: Any = None

    def reset(self) -> None:
        super().reset()
        if self.problem.workload.optimizer == "adam":
            self.optimizer = torch.optim.Adam([a.requires_grad_() for a in self.now], lr=self.problem.workload.rate, fused=True)

    def step(self, X: Any, Y: Any) -> Any:
        with torch.inference_mode() if self.optimizer is None else torch.no_grad():
            return self._step(X, Y)

    def _step(self, X: Any, Y: Any) -> Any:
        work = self.problem.workload
        layers = self.form.layers(self.now)
        H: list[Any] = [X]
        Z: list[Any] = []
        for layer in layers:
            Z.append(F.linear(H[-1], *layer))
            if len(Z) < len(layers):
                H.append(HIDDEN[work.hidden](Z[-1]))
        loss, dZ = derivative_of_loss(work.loss, Z[-1], Y)
        gradients: list[Any] = []
        for number in range(len(layers) - 1, -1, -1):
            W, b = layers[number]  # pyright: ignore[reportConstantRedefinition]
            dH = dZ @ W if number else None
            if self.optimizer is None:
                W.addmm_(dZ.T, H[number], alpha=-work.rate)
                if b is not None:
                    b.sub_(dZ.sum(0), alpha=work.rate)
            else:
                gradients = [dZ.T @ H[number], *([] if b is None else [dZ.sum(0)]), *gradients]
            if number:
                dZ = BACKWARD[work.hidden](dH, Z[number - 1], H[number])
        if self.optimizer is not None:
            for a, gradient in zip(self.now, gradients, strict=True):
                a.grad = gradient
            self.optimizer.step()
        return loss


class Compiled(Torch):
    """torch.compile of forward pass, backward pass and update in one graph of static shapes."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        torch._dynamo.reset()
        settings = {"dynamic": False, "fullgraph": True, "options": {"cpp_wrapper": True}}
        self.compiled: Any = torch.compile(partial(whole_step, self.form, problem.workload.rate), **settings)
        self.forward = torch.compile(partial(Form.prediction, self.form), **settings)
        self.moments: list[Any] = []
        if problem.workload.optimizer == "adam":
            self.moments = [torch.zeros_like(a) for a in (*self.now, *self.now)] + [torch.zeros((), dtype=self.now[0].dtype)]

    def reset(self) -> None:
        super().reset()
        for moment in self.moments:
            moment.zero_()

    def step(self, X: Any, Y: Any) -> Any:
        with torch.no_grad():
            return self.compiled(self.now, self.moments, X, Y)


def whole_step(form: Form, rate: float, parameters: list[Any], moments: list[Any], X: Any, Y: Any) -> Any:
    """A step of SGD, or of Adam where there are moments, in place; the loss before it."""
    gradients, loss = func.grad_and_value(form.mean_loss)(parameters, X, Y)
    if not moments:
        for a, gradient in zip(parameters, gradients, strict=True):
            a.sub_(gradient, alpha=rate)
        return loss
    steps = moments[-1].add_(1)
    scale, root = rate / (1 - BETA1**steps), torch.sqrt(1 - BETA2**steps)
    count = len(parameters)
    for a, gradient, m, v in zip(parameters, gradients, moments[:count], moments[count:-1], strict=True):
        m.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
        v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        a.sub_(scale * m / (v.sqrt() / root + EPSILON))
    return loss


def derivative_of_loss(kind: str, Z: Any, Y: Any) -> tuple[Any, Any]:
    """The loss and its derivative by Z."""
    if kind == "cross_entropy":
        log_P = torch.log_softmax(Z, 1)
        loss = F.nll_loss(log_P, Y)
        dZ = log_P.exp_()
        dZ[torch.arange(len(Z)), Y] -= 1
        return loss, dZ.div_(len(Z))
    if kind == "binary_cross_entropy":
        return F.binary_cross_entropy_with_logits(Z, Y), (torch.sigmoid(Z) - Y).div_(Z.numel())
    P = Z if kind == "squared_error" else torch.sigmoid(Z)
    dP = P - Y
    squares = dP.square().mean()
    if kind == "squared_error":
        return squares, dP.mul_(2 / Z.numel())
    return squares / 2, torch.ops.aten.sigmoid_backward(dP.div_(Z.numel()), P)


BACKWARD: dict[str, Callable[[Any, Any, Any], Any]] = {
    "relu": lambda dH, _Z, H: torch.ops.aten.threshold_backward(dH, H, 0),
    "tanh": lambda dH, _Z, H: torch.ops.aten.tanh_backward(dH, H),
    "sigmoid": lambda dH, _Z, H: torch.ops.aten.sigmoid_backward(dH, H),
    "gelu": lambda dH, Z, _H: torch.ops.aten.gelu_backward(dH, Z),
}
RUNS: dict[str, Callable[[Problem], Run]] = {"torch_eager": Eager, "torch_manual": Manual, "torch_compile": Compiled}
