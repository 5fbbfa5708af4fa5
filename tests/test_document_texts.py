"""Every formula of the four source texts stands in the document, in that text's own convention, and means what the text says.

A line of a checklist is a formula of the text: the tensor that it defines, how the document writes it, and the formula in NumPy as
the text has it. The numbers come from the evaluator's run of the derivation on random arrays; the matrix form that the document
prints is evaluated on them too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import derive
from derive import evaluate, matrix_value
from derive.build import Examples
from derive.derivation import Derivation
from derive.documents import render
from derive.documents.notation import notation
from derive.matrix_form import matrix_form
from derive.network import Convention

NETWORKS = Path(__file__).parent.parent / "networks"

Values = SimpleNamespace  # the arrays of a run, each with two axes, by the names of the tensors
Line = tuple[str, str, Callable[[Values], np.ndarray]]


def relu(a: np.ndarray) -> np.ndarray:
    return np.maximum(0, a)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def slope(z: np.ndarray) -> np.ndarray:
    """The derivative of the sigmoid."""
    return sigmoid(z) * (1 - sigmoid(z))


def softmax_rows(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def network(t: Values) -> np.ndarray:
    """The lecture's f(x) = sigma(max(0, x w_1) w_2 + b)."""
    return sigmoid(np.maximum(0, t.X @ t.W1) @ t.W2 + t.b2.T)


def ones(n: int) -> np.ndarray:
    return np.ones((n, 1))


TWO_LAYER: list[Line] = [  # two-layer-softmax-ce.md, in the notation of nn.Linear
    ("A1", r"A_1 &= X W_1^\top + \mathbf{1} b_1^\top", lambda t: t.X @ t.W1.T + ones(t.N) @ t.b1.T),
    ("H1", r"H_1 &= \operatorname{ReLU}\left(A_1\right)", lambda t: relu(t.A1)),
    ("Z", r"Z &= H_1 W_2^\top + \mathbf{1} b_2^\top", lambda t: t.H1 @ t.W2.T + ones(t.N) @ t.b2.T),
    ("P", r"P &= \operatorname{softmax}\left(Z\right)", lambda t: softmax_rows(t.Z)),
    ("L", r"L &= -\frac{1}{N} \sum_{n} \log P_{n,y_n}", lambda t: -np.log(t.P[np.arange(t.N), t.y.astype(int).ravel()]).mean()),
    ("L", r"L &= -\frac{1}{N} \sum_{nc} Y_{nc} \log P_{nc}", lambda t: -np.sum(t.Y * np.log(t.P)) / t.N),
    ("dZ", r"\frac{\partial L}{\partial Z} &= G_Z = \frac{1}{N} \left(P - Y\right)", lambda t: (t.P - t.Y) / t.N),
    ("dW2", r"\frac{\partial L}{\partial W_2} &= G_{W_2} = G_Z^\top H_1", lambda t: t.dZ.T @ t.H1),
    ("db2", r"\frac{\partial L}{\partial b_2} &= g_{b_2} = G_Z^\top \mathbf{1}", lambda t: t.dZ.sum(axis=0)),
    ("db2", r"\frac{\partial L}{\partial b_{2,c}} &= g_{b_2,c} = \sum_{n} G_{Z,nc}", lambda t: t.dZ.sum(axis=0)),
    ("dH1", r"\frac{\partial L}{\partial H_1} &= G_{H_1} = G_Z W_2", lambda t: t.dZ @ t.W2),
    ("dA1", r"\frac{\partial L}{\partial A_1} &= G_{A_1} = G_{H_1} \odot \mathbf{1}[A_1 > 0]", lambda t: t.dH1 * (t.A1 > 0)),
    ("dW1", r"\frac{\partial L}{\partial W_1} &= G_{W_1} = G_{A_1}^\top X", lambda t: t.dA1.T @ t.X),
    ("db1", r"\frac{\partial L}{\partial b_{1,j}} &= g_{b_1,j} = \sum_{n} G_{A_1,nj}", lambda t: t.dA1.sum(axis=0)),
    ("dX", r"\frac{\partial L}{\partial X} &= G_X = G_{A_1} W_1", lambda t: t.dA1 @ t.W1),
]

TWO_LAYER_ONE: list[Line] = [  # its setup: one example; its h is h_1 here
    ("a1", r"a_1 &= W_1 x + b_1", lambda t: t.W1 @ t.x + t.b1),
    ("h1", r"h_1 &= \operatorname{ReLU}\left(a_1\right)", lambda t: relu(t.a1)),
    ("z", r"z &= W_2 h_1 + b_2", lambda t: t.W2 @ t.h1 + t.b2),
]

LECTURE: list[Line] = [  # lecture-2-3-1-bce.md, X W
    ("P", r"P &= \sigma\left(\operatorname{ReLU}\left(X W_1\right) W_2 + \mathbf{1} b_2^\top\right)", network),
    ("A1", r"A_1 &= X W_1 ", lambda t: t.X @ t.W1),
    ("A1", r"A_{1,nj} &= \sum_{i} X_{ni} W_{1,ij}", lambda t: t.X @ t.W1),
    ("H1", r"= \max\left(0, A_1\right)", lambda t: relu(t.A1)),
    ("Z", r"Z &= H_1 W_2 + \mathbf{1} b_2^\top", lambda t: t.H1 @ t.W2 + ones(t.N) @ t.b2.T),
    ("Z", r"Z_{nc} &= \sum_{j} H_{1,nj} W_{2,jc} + b_{2,c}", lambda t: t.H1 @ t.W2 + t.b2.T),
    ("P", r"P &= \sigma\left(Z\right)", lambda t: sigmoid(t.Z)),
    ("P", r"P_{nc} &= \frac{1}{1 + e^{-Z_{nc}}}", lambda t: sigmoid(t.Z)),
    (
        "L",
        r"-\frac{1}{N} \sum_{nc} \left(Y_{nc} \log P_{nc} + \left(1 - Y_{nc}\right) \log\left(1 - P_{nc}\right)\right)",
        lambda t: -(t.Y * np.log(t.P) + (1 - t.Y) * np.log(1 - t.P)).mean(),
    ),
    ("dP", r"\frac{\partial L}{\partial P} &= G_P = ", lambda t: -(t.Y / t.P - (1 - t.Y) / (1 - t.P)) / t.N),
    ("dZ", r"\frac{\partial L}{\partial Z} &= G_Z = \frac{1}{N} \left(P - Y\right)", lambda t: t.dP * sigmoid(t.Z) * (1 - sigmoid(t.Z))),
    ("dW2", r"\frac{\partial L}{\partial W_2} &= G_{W_2} = H_1^\top G_Z", lambda t: t.H1.T @ t.dZ),
    ("db2", r"\frac{\partial L}{\partial b_2} &= g_{b_2} = G_Z^\top \mathbf{1}", lambda t: (ones(t.N).T @ t.dZ).T),
    ("dH1", r"\frac{\partial L}{\partial H_1} &= G_{H_1} = G_Z W_2^\top", lambda t: t.dZ @ t.W2.T),
    ("dA1", r"G_{H_1} \odot \mathbf{1}[A_1 > 0]", lambda t: t.dH1 * np.where(t.X @ t.W1 > 0, 1, 0)),
    ("dW1", r"\frac{\partial L}{\partial W_1} &= G_{W_1} = X^\top G_{A_1}", lambda t: t.X.T @ t.dA1),
    ("dW1", r"\frac{\partial L}{\partial W_{1,ij}} &= G_{W_1,ij} = \sum_{n} X_{ni} G_{A_1,nj}", lambda t: t.X.T @ t.dA1),
    ("dX", r"\frac{\partial L}{\partial X_{ni}} &= G_{X,ni} = \sum_{j} G_{A_1,nj} W_{1,ij}", lambda t: t.dA1 @ t.W1.T),
    ("dX", r"\frac{\partial L}{\partial X} &= G_X = G_{A_1} W_1^\top", lambda t: t.dA1 @ t.W1.T),
]

ONEHOT = r"y^{\mathrm{onehot}}"

NOTES_TWO: list[Line] = [  # notes-cs231n-style.md: one example, columns; its s is z here
    ("a1", r"a_1 &= W_1 x + b_1", lambda t: t.W1 @ t.x + t.b1),
    ("h1", r"= \max\left(0, a_1\right)", lambda t: relu(t.a1)),
    ("z", r"z &= W_2 h_1 + b_2", lambda t: t.W2 @ t.h1 + t.b2),
    ("p", r"p &= \operatorname{softmax}\left(z\right)", lambda t: softmax_rows(t.z.T).T),
    ("L", r"L &= -\log p_y", lambda t: -np.log(t.p[int(t.y.item())])),
    ("L", r"L &= -\sum_{c} y_c^{\mathrm{onehot}} \log p_c", lambda t: -np.sum(t.onehot_y * np.log(t.p))),
    ("L", rf"L &= -\log\left(\left({ONEHOT}\right)^\top p\right)", lambda t: -np.sum(t.onehot_y * np.log(t.p))),
    ("dz", rf"\frac{{\partial L}}{{\partial z}} &= g_z = p - {ONEHOT}", lambda t: t.p - t.onehot_y),
    ("dW2", r"\frac{\partial L}{\partial W_2} &= G_{W_2} = g_z h_1^\top", lambda t: t.dz @ t.h1.T),
    ("db2", r"\frac{\partial L}{\partial b_2} &= g_{b_2} = g_z", lambda t: t.dz),
    ("dh1", r"\frac{\partial L}{\partial h_1} &= g_{h_1} = W_2^\top g_z", lambda t: t.W2.T @ t.dz),
    ("da1", r"\frac{\partial L}{\partial a_1} &= g_{a_1} = g_{h_1} \odot \mathbf{1}[a_1 > 0]", lambda t: t.dh1 * (t.a1 > 0)),
    ("dW1", r"\frac{\partial L}{\partial W_1} &= G_{W_1} = g_{a_1} x^\top", lambda t: t.da1 @ t.x.T),
    ("db1", r"\frac{\partial L}{\partial b_1} &= g_{b_1} = g_{a_1}", lambda t: t.da1),
    ("dx", r"\frac{\partial L}{\partial x} &= g_x = W_1^\top g_{a_1}", lambda t: t.W1.T @ t.da1),
]

NOTES_THREE: list[Line] = [
    ("a1", r"a_1 &= W_1 x + b_1", lambda t: t.W1 @ t.x + t.b1),
    ("h1", r"h_1 &= \operatorname{ReLU}\left(a_1\right)", lambda t: relu(t.a1)),
    ("a2", r"a_2 &= W_2 h_1 + b_2", lambda t: t.W2 @ t.h1 + t.b2),
    ("h2", r"h_2 &= \operatorname{ReLU}\left(a_2\right)", lambda t: relu(t.a2)),
    ("z", r"z &= W_3 h_2 + b_3", lambda t: t.W3 @ t.h2 + t.b3),
]

TUTORIAL: list[Line] = [  # tutorial-numeric-example.md, one example; its z1, a1, z2 are a1, h1, z here and delta is g
    ("a1", r"a_1 &= W_1 x + b_1", lambda t: t.W1 @ t.x + t.b1),
    ("h1", r"h_1 &= \sigma\left(a_1\right)", lambda t: sigmoid(t.a1)),
    ("z", r"z &= W_2 h_1 + b_2", lambda t: t.W2 @ t.h1 + t.b2),
    ("yhat", r"\hat{y} &= \sigma\left(z\right)", lambda t: sigmoid(t.z)),
    ("L", r"L &= \frac{1}{2} \sum_{c} \left(\hat{y}_c - y_c\right)^{2}", lambda t: 0.5 * (t.yhat - t.y) ** 2),
    ("dyhat", r"\frac{\partial L}{\partial \hat{y}} &= g_{\hat{y}} = \hat{y} - y", lambda t: t.yhat - t.y),
    (
        "dz",
        r"&= g_{\hat{y}} \odot \sigma'\left(z\right) = \left(\hat{y} - y\right) \odot \sigma'\left(z\right)",
        lambda t: (t.yhat - t.y) * slope(t.z),
    ),
    ("dz", r"&= g_z = g_{\hat{y}} \odot \hat{y} \odot \left(1 - \hat{y}\right)", lambda t: (t.yhat - t.y) * t.yhat * (1 - t.yhat)),
    ("dW2", r"\frac{\partial L}{\partial W_2} &= G_{W_2} = g_z h_1^\top", lambda t: t.dz * t.h1.T),
    ("db2", r"\frac{\partial L}{\partial b_2} &= g_{b_2} = g_z", lambda t: t.dz),
    ("dh1", r"\frac{\partial L}{\partial h_1} &= g_{h_1} = W_2^\top g_z", lambda t: t.W2.T * t.dz),
    ("da1", r"= \left(W_2^\top g_z\right) \odot \sigma'\left(a_1\right)", lambda t: (t.W2.T @ t.dz) * slope(t.a1)),
    ("da1", r"&= g_{a_1} = g_{h_1} \odot h_1 \odot \left(1 - h_1\right)", lambda t: t.W2.T * t.dz * t.h1 * (1 - t.h1)),
    ("dW1", r"\frac{\partial L}{\partial W_1} &= G_{W_1} = g_{a_1} x^\top", lambda t: t.da1 @ t.x.T),
    ("dW1", r"\frac{\partial L}{\partial W_{1,ji}} &= G_{W_1,ji} = g_{a_1,j} x_i", lambda t: t.da1 * t.x.T),
    ("db1", r"\frac{\partial L}{\partial b_1} &= g_{b_1} = g_{a_1}", lambda t: t.da1),
]

XOR: list[Line] = [  # its training loop: columns, m examples; its dA1 is dH1 here
    ("A1", r"A_1 &= W_1 X + b_1 \mathbf{1}^\top", lambda t: t.W1 @ t.X + t.b1),
    ("L", r"\frac{1}{2 N} \sum_{cn} \left(\hat{Y}_{cn} - Y_{cn}\right)^{2}", lambda t: (0.5 * (t.Yhat - t.Y) ** 2).mean()),
    ("dZ", r"&= G_Z = G_{\hat{Y}} \odot \hat{Y} \odot \left(1 - \hat{Y}\right)", lambda t: (t.Yhat - t.Y) * t.Yhat * (1 - t.Yhat) / t.N),
    ("dW2", r"&= G_{W_2} = G_Z H_1^\top", lambda t: t.dZ @ t.H1.T),
    ("db2", r"&= g_{b_2} = G_Z \mathbf{1}", lambda t: np.sum(t.dZ, axis=1, keepdims=True)),
    ("dH1", r"&= G_{H_1} = W_2^\top G_Z", lambda t: t.W2.T @ t.dZ),
    ("dA1", r"&= G_{A_1} = G_{H_1} \odot H_1 \odot \left(1 - H_1\right)", lambda t: t.dH1 * t.H1 * (1 - t.H1)),
    ("dW1", r"&= G_{W_1} = G_{A_1} X^\top", lambda t: t.dA1 @ t.X.T),
    ("db1", r"&= g_{b_1} = G_{A_1} \mathbf{1}", lambda t: np.sum(t.dA1, axis=1, keepdims=True)),
]

CHECKLISTS: dict[str, tuple[str, Convention, Examples, list[Line]]] = {
    "two-layer softmax": ("two_layer_softmax", "rows", "batch", TWO_LAYER),
    "two-layer softmax, one example": ("two_layer_softmax", "columns", "single", TWO_LAYER_ONE),
    "lecture": ("lecture_bce", "xw", "batch", LECTURE),
    "notes, two layers": ("notes_two_layer", "columns", "single", NOTES_TWO),
    "notes, three layers": ("notes_three_layer", "columns", "single", NOTES_THREE),
    "tutorial": ("worked_example", "columns", "single", TUTORIAL),
    "tutorial, xor": ("xor", "columns", "batch", XOR),
}


def derivatives(*names: str) -> str:
    """A product of derivatives: L, P, Z is dL/dP dP/dZ."""
    return " ".join(rf"\frac{{\partial {above}}}{{\partial {below}}}" for above, below in pairwise(names))


def chained(*names: str) -> str:
    """A row of the chain, from the loss to what its gradient belongs to."""
    return f"{derivatives(names[0], names[-1])} &= {derivatives(*names)}"


# what the texts say besides: the chain rule, the derivatives of their activations, the gradient descent step
LOCAL: dict[str, list[str]] = {
    "two-layer softmax": [
        r"\begin{cases} 1 & A_{1,nj} > 0 \\ 0 & \text{otherwise, } A_{1,nj} \le 0 \end{cases}",
        r"Y_{nc} &:= \delta_{c,y_n}",
        r"G_T := \frac{\partial L}{\partial T}",
        r"\mathbb{R}^{N \times 2}",
        r"\mathbb{R}^{16 \times 2}",
        r"\mathbb{R}^{2 \times 16}",
        r"\frac{\partial P_{nc}}{\partial Z_{nc'}} &= P_{nc} \delta_{cc'} - P_{nc'} P_{nc}",
    ],
    "two-layer softmax, one example": [],
    "lecture": [
        r"\begin{cases} 1 & A_{1,nj} > 0 \\ 0 & \text{otherwise, } A_{1,nj} \le 0 \end{cases}",
        r"\frac{\partial P_{nc}}{\partial Z_{nc}} &= \sigma'\left(Z_{nc}\right) = "
        r"\sigma\left(Z_{nc}\right) \left(1 - \sigma\left(Z_{nc}\right)\right) = P_{nc} \left(1 - P_{nc}\right)",
        r"\frac{\partial Z_{nc}}{\partial H_{1,nj}} &= W_{2,jc}",
        r"\frac{\partial Z_{nc}}{\partial W_{2,jc}} &= H_{1,nj}",
        r"\frac{\partial Z_{nc}}{\partial b_{2,c}} &= 1",
        r"\frac{\partial A_{1,nj}}{\partial W_{1,ij}} &= X_{ni}",
        r"\frac{\partial A_{1,nj}}{\partial X_{ni}} &= W_{1,ij}",
        r"\frac{\partial L}{\partial A_{1,nj}} &= \sum_{n'j'} G_{H_1,n'j'} \frac{\partial H_{1,n'j'}}{\partial A_{1,nj}}",
        r"\mathbb{R}^{2 \times 3}",
        r"\mathbb{R}^{3 \times 1}",
        chained("L", "P", "Z", "W_2"),
        chained("L", "P", "Z", "b_2"),
        chained("L", "P", "Z", "H_1", "A_1", "W_1"),
    ],
    "notes, two layers": [r"\operatorname{ReLU}'(0) = 0", r"p_c &= \frac{e^{z_c}}{\sum_{c'} e^{z_{c'}}}", r"\sum_{c} p_c &= 1"],
    "notes, three layers": [r"\operatorname{ReLU}'(0) = 0"],
    "tutorial": [
        r"\frac{\partial \hat{y}_c}{\partial z_c} &= \sigma'\left(z_c\right) = "
        r"\sigma\left(z_c\right) \left(1 - \sigma\left(z_c\right)\right) = \hat{y}_c \left(1 - \hat{y}_c\right)",
        r"\frac{\partial h_{1,j}}{\partial a_{1,j}} &= \sigma'\left(a_{1,j}\right) = "
        r"\sigma\left(a_{1,j}\right) \left(1 - \sigma\left(a_{1,j}\right)\right) = h_{1,j} \left(1 - h_{1,j}\right)",
        r"\frac{\partial z_c}{\partial b_{2,c}} &= 1",
        r"\theta &\leftarrow \theta - \eta \frac{\partial L}{\partial \theta}",
        r"W_1 &\leftarrow W_1 - \eta G_{W_1}",
        chained("L", r"\hat{y}", "z"),
        chained("L", "z", "h_1"),
        chained("L", "h_1", "a_1"),
        chained("L", "a_1", "x"),
        chained("L", r"\hat{y}", "z", "h_1", "a_1", "W_1"),
    ],
    "tutorial, xor": [r"b_2 &\leftarrow b_2 - \eta g_{b_2}"],
}


@pytest.fixture(scope="module", params=list(CHECKLISTS))
def text(request: pytest.FixtureRequest) -> tuple[str, Derivation, str]:
    """A text's name, the derivation of its network in its convention, and the LaTeX document."""
    name, convention, examples, _ = CHECKLISTS[request.param]
    network = derive.load(NETWORKS / f"{name}.toml")
    derivation = derive.differentiate(network.program(convention, examples))
    return request.param, derivation, render(derivation, network, "latex")


def test_every_formula_of_the_text_stands_in_the_document(text: tuple[str, Derivation, str]) -> None:
    name, _, document = text
    for _, written, _ in CHECKLISTS[name][3]:
        assert written in document
    for written in LOCAL[name]:
        assert written in document


def test_every_formula_of_the_text_has_its_value(text: tuple[str, Derivation, str]) -> None:
    name, derivation, _ = text
    arrays, extents = run(derivation)
    how = notation(derivation)
    given = {**arrays, **onehots(derivation, arrays)}
    values = Values(N=extents["N"], **{key: array.reshape(-1, 1) if array.ndim < 2 else array for key, array in given.items()})
    equations = {e.tensor.name: e for e in (*derivation.forward.equations, *(d.equation for d in derivation.backward))}
    for tensor, written, formula in CHECKLISTS[name][3]:
        expected = np.asarray(formula(values)).reshape(getattr(values, tensor).shape)
        np.testing.assert_allclose(getattr(values, tensor), expected, rtol=1e-12, err_msg=written)
        tree = matrix_form(equations[tensor], how.onehots)
        assert tree is not None
        sizes = {a: a.extent or extents[a.size] for e in equations.values() for t in (e.tensor, *e.reads) for a in t.axes}
        np.testing.assert_allclose(matrix_value.value(tree, given, sizes), expected, rtol=1e-12, err_msg=written)


def run(derivation: Derivation) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Forward values and gradients on random arrays, computed by the evaluator."""
    generator = np.random.default_rng(7)
    extents = {"N": 6}
    given: dict[str, np.ndarray] = {}
    for tensor in derivation.forward.given:
        shape = tuple(a.extent or extents[a.size] for a in tensor.axes)
        labels = tensor.values is not None
        count = tensor.values.extent if tensor.values is not None else None
        given[tensor.name] = generator.integers(0, count or 1, size=shape) if labels else generator.uniform(-1, 1, size=shape)
    for target in derivation.forward.targets:
        if target.values is None:
            given[target.name] = np.abs(given[target.name])
    arrays = evaluate.evaluate(derivation.forward, given)
    for derived in derivation.backward:
        equation = derived.equation
        arrays[equation.tensor.name] = evaluate.value(equation.body, equation.indices, arrays, extents)
    return arrays, extents


def onehots(derivation: Derivation, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for labels, onehot in notation(derivation).onehots.items():
        rows = np.eye(labels.values.extent or 0)[arrays[labels.name]] if labels.values else np.zeros(0)
        found[onehot.name] = rows.T if onehot.axes[1:] == labels.axes else rows
    return found
