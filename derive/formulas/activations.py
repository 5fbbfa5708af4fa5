"""Activations: forward formulas only. Everything else about an activation is derived from its line here.

Branches are ordered so that NaN falls into the one that passes it on. At a kink the derivative is that of the branch which
holds there, as in PyTorch, whose names, parameters and defaults these are.
"""

from __future__ import annotations

from derive.formulas.operation import Operation, Parameter

HALF = Parameter(0.5, least=0.0)  # of the interval around 0 that a shrinkage sends to 0
ONE = Parameter(1.0)
POSITIVE = Parameter(1.0, above=0.0)
NEEDED = Parameter()
ALONG = ("X[..., c]",)  # the features

ACTIVATIONS: dict[str, Operation] = {
    "identity": Operation("x", "torch.nn.Identity"),
    "relu": Operation("where(x <= 0, 0, x)", "Nair and Hinton 2010"),
    "leaky_relu": Operation("where(x <= 0, negative_slope * x, x)", "Maas et al. 2013", parameters={"negative_slope": Parameter(0.01)}),
    "prelu": Operation("where(x <= 0, a * x, x)", "He et al. 2015", learned={"a": 0.25}),
    "relu6": Operation("where(x <= 0, 0, where(x >= 6, 6, x))", "Krizhevsky 2010"),
    "elu": Operation("where(x <= 0, alpha * (exp(x) - 1), x)", "Clevert et al. 2016", parameters={"alpha": ONE}),
    "celu": Operation("where(x <= 0, alpha * (exp(x / alpha) - 1), x)", "Barron 2017", parameters={"alpha": POSITIVE}),
    "selu": Operation("1.0507009873554805 * where(x <= 0, 1.6732632423543772 * (exp(x) - 1), x)", "Klambauer et al. 2017"),
    "sigmoid": Operation("1 / (1 + exp(-x))", "torch.nn.Sigmoid"),
    "logsigmoid": Operation("log(1 / (1 + exp(-x)))", "torch.nn.LogSigmoid"),
    "hardsigmoid": Operation("where(x <= -3, 0, where(x >= 3, 1, x / 6 + 1 / 2))", "Courbariaux et al. 2015; torch.nn.Hardsigmoid"),
    "tanh": Operation("tanh(x)", "torch.nn.Tanh"),
    "hardtanh": Operation(
        "where(x <= min_val, min_val, where(x >= max_val, max_val, x))",
        "Collobert 2004", parameters={"min_val": Parameter(-1.0), "max_val": ONE},
    ),
    "tanhshrink": Operation("x - tanh(x)", "torch.nn.Tanhshrink"),
    "softsign": Operation("x / (1 + abs(x))", "Glorot and Bengio 2010"),
    "softplus": Operation(
        "where(beta * x > threshold, x, log(1 + exp(beta * x)) / beta)",
        "torch.nn.Softplus", parameters={"beta": POSITIVE, "threshold": Parameter(20.0)},
    ),
    "silu": Operation("x / (1 + exp(-x))", "Elfwing et al. 2018"),
    "hardswish": Operation("where(x <= -3, 0, where(x >= 3, x, x * (x + 3) / 6))", "Howard et al. 2019"),
    "mish": Operation("x * tanh(log(1 + exp(x)))", "Misra 2019"),
    "gelu": Operation("x * (1 + erf(x / sqrt(2))) / 2", "Hendrycks and Gimpel 2016"),
    "gelu_tanh": Operation("x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2", "Hendrycks and Gimpel 2016, equation (2)"),
    "hardshrink": Operation("where(x < -lambd, x, where(x <= lambd, 0, x))", "torch.nn.Hardshrink", parameters={"lambd": HALF}),
    "softshrink": Operation(
        "where(x < -lambd, x + lambd, where(x <= lambd, 0, x - lambd))", "Donoho 1995; torch.nn.Softshrink", parameters={"lambd": HALF}
    ),
    "threshold": Operation("where(x <= threshold, value, x)", "torch.nn.Threshold", parameters={"threshold": NEEDED, "value": NEEDED}),
    "softmax": Operation("Y[..., c] = exp(X[..., c]) / sum(k, exp(X[..., k]))", "Bridle 1990", ALONG),
    "softmin": Operation("Y[..., c] = exp(-X[..., c]) / sum(k, exp(-X[..., k]))", "torch.nn.Softmin", ALONG),
    "log_softmax": Operation("Y[..., c] = log(exp(X[..., c]) / sum(k, exp(X[..., k])))", "torch.nn.LogSoftmax", ALONG),
    "glu": Operation(
        "Y[..., j] = X[..., position(j)] / (1 + exp(-X[..., j + size(j)]))",
        "Dauphin et al. 2017", ("X[..., k]",), axes={"j": "size(k) / 2"},
    ),
    "maxout": Operation(
        "Y[..., j] = max(p, X[..., j * pieces + p])", "Goodfellow et al. 2013", ("X[..., k]",),
        parameters={"pieces": Parameter(kind="count")}, axes={"j": "size(k) / pieces", "p": "pieces"},
    ),
}  # fmt: skip
