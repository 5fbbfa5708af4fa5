"""Layers: forward formulas only. Everything else about a layer is derived from its lines here.

`...` stands for the axes that a formula does not name: the examples, and whatever else comes before (a sequence of positions).
"""

from __future__ import annotations

from derive.formulas.operation import Operation, Parameter, Start

UNITS = {"units": Parameter(kind="count")}
BIAS = {"bias": Parameter(True, "switch")}
WINDOW = {"kernel_size": Parameter(kind="count"), "stride": Parameter("kernel_size", "count")}
CONVOLUTION = {
    "out_channels": Parameter(kind="count"),
    "kernel_size": Parameter(kind="count"),
    "stride": Parameter(1, "count"),
    "padding": Parameter(0, "count", least=0),
    "dilation": Parameter(1, "count"),
    "groups": Parameter(1, "count"),
    **BIAS,
}


def _convolved(size: str) -> str:
    return f"({size} + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1"


def _pooled(size: str) -> str:
    return f"({size} - kernel_size) // stride + 1"


def _gates(letters: str) -> dict[str, Start]:
    """The learned tensors of a recurrent layer's gates."""
    found: dict[str, Start] = {}
    for gate in letters:
        found |= {f"W{gate}[j, k]": "weight", f"U{gate}[j, j]": "weight", f"b{gate}[j]": 0}
    return found


LAYERS: dict[str, Operation] = {
    "dense": Operation(
        "Y[..., j] = sum(k, X[..., k] * W[j, k]) + where(bias, b[j], 0)",
        "torch.nn.Linear",
        reads=("X[..., k]",),
        parameters=UNITS | BIAS,
        axes={"j": "units"},
        learned={"W[j, k]": "weight", "b[j]": 0},
    ),
    "add": Operation("Y[...] = A[...] + B[...]", "He et al. 2016", reads=("A[...]", "B[...]")),
    "multiply": Operation("Y[...] = A[...] * B[...]", "gating", reads=("A[...]", "B[...]")),
    "concatenate": Operation(
        "Y[..., m] = A[..., position(m)] + B[..., m - size(j)]",
        "torch.cat",
        reads=("A[..., j]", "B[..., k]"),
        axes={"m": "size(j) + size(k)"},
    ),
    "flatten": Operation(
        "Y[n, f] = sum(..., X[n, ...] * delta(f, position(...)))",
        "torch.nn.Flatten",
        reads=("X[n, ...]",),
        axes={"f": "size(...)"},
    ),
    "reshape": Operation(
        """F[n, f] = sum(..., X[n, ...] * delta(f, position(...)))
        Y[n, shape] = F[n, position(shape)]""",
        "torch.Tensor.view",
        reads=("X[n, ...]",),
        parameters={"shape": Parameter(kind="counts", meaning="the axes of an example")},
        axes={"f": "size(...)"},
    ),
    "embedding": Operation(
        "Y[..., d] = E[X[...], d]",
        "torch.nn.Embedding",
        reads=("X[...]: v",),
        parameters={"embedding_dim": Parameter(kind="count")},
        axes={"d": "embedding_dim"},
        learned={"E[v, d]": "normal"},
    ),
    "positional_embedding": Operation(
        "Y[..., t, d] = X[..., t, d] + E[t, d]",
        "Gehring et al. 2017",
        reads=("X[..., t, d]",),
        learned={"E[t, d]": "normal"},
    ),
    "layer_norm": Operation(
        """mean[...] = mean(j, X[..., j])
        variance[...] = mean(j, (X[..., j] - mean[...])**2)
        Y[..., j] = (X[..., j] - mean[...]) / sqrt(variance[...] + eps) * where(affine, gamma[j], 1) + where(affine, beta[j], 0)""",
        "Ba et al. 2016",
        reads=("X[..., j]",),
        parameters={"eps": Parameter(1e-5, above=0), "affine": Parameter(True, "switch")},
        learned={"gamma[j]": 1, "beta[j]": 0},
    ),
    "rms_norm": Operation(
        """mean_square[...] = mean(j, X[..., j]**2)
        Y[..., j] = X[..., j] / sqrt(mean_square[...] + eps) * where(affine, gamma[j], 1)""",
        "Zhang and Sennrich 2019",
        reads=("X[..., j]",),
        parameters={"eps": Parameter(1e-6, above=0), "affine": Parameter(True, "switch")},
        learned={"gamma[j]": 1},
    ),
    "group_norm": Operation(
        """mean[n, g] = mean(m, ..., X[n, position(g, m), ...])
        variance[n, g] = mean(m, ..., (X[n, position(g, m), ...] - mean[n, g])**2)
        Xhat[n, i, ...] = sum(g, m, delta(i, position(g, m)) * (X[n, i, ...] - mean[n, g]) / sqrt(variance[n, g] + eps))
        Y[n, i, ...] = Xhat[n, i, ...] * where(affine, gamma[i], 1) + where(affine, beta[i], 0)""",
        "Wu and He 2018",
        reads=("X[n, i, ...]",),
        parameters={"groups": Parameter(kind="count"), "eps": Parameter(1e-5, above=0), "affine": Parameter(True, "switch")},
        axes={"g": "groups", "m": "size(i) / groups"},
        learned={"gamma[i]": 1, "beta[i]": 0},
    ),
    "batch_norm": Operation(
        """mean[i] = mean(n, ..., X[n, i, ...])
        variance[i] = mean(n, ..., (X[n, i, ...] - mean[i])**2)
        new_running_mean[i] = (1 - momentum) * running_mean[i] + momentum * mean[i]
        new_running_variance[i] = (1 - momentum) * running_variance[i] + momentum * variance[i] * size(n, ...) / (size(n, ...) - 1)
        Y[n, i, ...] = (X[n, i, ...] - mean[i]) / sqrt(variance[i] + eps) * where(affine, gamma[i], 1) + where(affine, beta[i], 0)""",
        "Ioffe and Szegedy 2015",
        reads=("X[n, i, ...]",),
        parameters={
            "eps": Parameter(1e-5, above=0),
            "momentum": Parameter(0.1, above=0, most=1),
            "affine": Parameter(True, "switch"),
        },
        learned={"gamma[i]": 1, "beta[i]": 0},
        statistics={"running_mean[i]": 0, "running_variance[i]": 1},
        inference="""Y[n, i, ...] = ((X[n, i, ...] - running_mean[i]) / sqrt(running_variance[i] + eps) * where(affine, gamma[i], 1)
            + where(affine, beta[i], 0))""",
    ),
    "dropout": Operation(
        "Y[...] = X[...] * M[...] / (1 - p)",
        "Srivastava et al. 2014",
        reads=("X[...]",),
        parameters={"p": Parameter(0.5, least=0, most=0.99)},
        draws={"M[...]": "1 - p"},
        inference="Y[...] = X[...]",
    ),
    "conv1d": Operation(
        """Y[..., o, t] = where(groups > 1,
            sum(g, q, m, r, delta(o, position(g, q)) * X[..., position(g, m), stride * t + dilation * r - padding] * V[o, m, r]),
            sum(i, r, X[..., i, stride * t + dilation * r - padding] * W[o, i, r])) + where(bias, b[o], 0)""",
        "torch.nn.Conv1d",
        reads=("X[..., i, l]",),
        parameters=CONVOLUTION,
        axes={
            "o": "out_channels",
            "r": "kernel_size",
            "t": _convolved("size(l)"),
            "g": "groups",
            "m": "size(i) / groups",
            "q": "out_channels / groups",
        },
        learned={"W[o, i, r]": "weight", "V[o, m, r]": "weight", "b[o]": 0},
    ),
    "conv2d": Operation(
        """Y[..., o, t, u] = where(groups > 1,
            sum(g, q, m, r, s, delta(o, position(g, q))
                * X[..., position(g, m), stride * t + dilation * r - padding, stride * u + dilation * s - padding] * V[o, m, r, s]),
            sum(i, r, s, X[..., i, stride * t + dilation * r - padding, stride * u + dilation * s - padding] * W[o, i, r, s])
        ) + where(bias, b[o], 0)""",
        "torch.nn.Conv2d",
        reads=("X[..., i, h, w]",),
        parameters=CONVOLUTION,
        axes={
            "o": "out_channels",
            "r": "kernel_size",
            "s": "kernel_size",
            "t": _convolved("size(h)"),
            "u": _convolved("size(w)"),
            "g": "groups",
            "m": "size(i) / groups",
            "q": "out_channels / groups",
        },
        learned={"W[o, i, r, s]": "weight", "V[o, m, r, s]": "weight", "b[o]": 0},
    ),
    "max_pool1d": Operation(
        "Y[..., t] = max(r, X[..., stride * t + r])",
        "torch.nn.MaxPool1d",
        reads=("X[..., l]",),
        parameters=WINDOW,
        axes={"t": _pooled("size(l)"), "r": "kernel_size"},
    ),
    "max_pool2d": Operation(
        "Y[..., t, u] = max(r, s, X[..., stride * t + r, stride * u + s])",
        "torch.nn.MaxPool2d",
        reads=("X[..., h, w]",),
        parameters=WINDOW,
        axes={"t": _pooled("size(h)"), "u": _pooled("size(w)"), "r": "kernel_size", "s": "kernel_size"},
    ),
    "avg_pool1d": Operation(
        "Y[..., t] = mean(r, X[..., stride * t + r])",
        "torch.nn.AvgPool1d",
        reads=("X[..., l]",),
        parameters=WINDOW,
        axes={"t": _pooled("size(l)"), "r": "kernel_size"},
    ),
    "avg_pool2d": Operation(
        "Y[..., t, u] = mean(r, s, X[..., stride * t + r, stride * u + s])",
        "torch.nn.AvgPool2d",
        reads=("X[..., h, w]",),
        parameters=WINDOW,
        axes={"t": _pooled("size(h)"), "u": _pooled("size(w)"), "r": "kernel_size", "s": "kernel_size"},
    ),
    "mean_over_positions": Operation("Y[..., d] = mean(t, X[..., t, d])", "the mean of a sequence", reads=("X[..., t, d]",)),
    "scaled_dot_product_attention": Operation(
        """S[..., t, s] = sum(e, Q[..., t, e] * K[..., s, e]) / sqrt(size(e))
        P[..., t, s] = where(causal, at_most(s, t), 1) * exp(S[..., t, s]) / sum(r, where(causal, at_most(r, t), 1) * exp(S[..., t, r]))
        Y[..., t, d] = sum(s, P[..., t, s] * V[..., s, d])""",
        "Vaswani et al. 2017, equation (1)",
        reads=("Q[..., t, e]", "K[..., s, e]", "V[..., s, d]"),
        parameters={"causal": Parameter(False, "switch")},
    ),
    "attention": Operation(
        """Q[..., t, f] = sum(d, X[..., t, d] * Wq[f, d]) + where(bias, bq[f], 0)
        K[..., t, f] = sum(d, X[..., t, d] * Wk[f, d]) + where(bias, bk[f], 0)
        V[..., t, f] = sum(d, X[..., t, d] * Wv[f, d]) + where(bias, bv[f], 0)
        S[..., h, t, s] = sum(e, Q[..., t, position(h, e)] * K[..., s, position(h, e)]) / sqrt(size(e))
        P[..., h, t, s] = (where(causal, at_most(s, t), 1) * exp(S[..., h, t, s])
            / sum(r, where(causal, at_most(r, t), 1) * exp(S[..., h, t, r])))
        O[..., t, h, e] = sum(s, P[..., h, t, s] * V[..., s, position(h, e)])
        Y[..., t, g] = sum(h, e, O[..., t, h, e] * Wo[g, position(h, e)]) + where(bias, bo[g], 0)""",
        "Vaswani et al. 2017, section 3.2.2; torch.nn.MultiheadAttention",
        reads=("X[..., t, d]",),
        parameters={"heads": Parameter(1, "count"), "causal": Parameter(False, "switch")} | BIAS,
        axes={"f": "size(d)", "h": "heads", "e": "size(d) / heads", "g": "size(d)"},
        learned={
            "Wq[f, d]": "weight",
            "bq[f]": 0,
            "Wk[f, d]": "weight",
            "bk[f]": 0,
            "Wv[f, d]": "weight",
            "bv[f]": 0,
            "Wo[g, f]": "weight",
            "bo[g]": 0,
        },
    ),
    "rnn": Operation(
        "H[..., j] = tanh(sum(k, X[..., t, k] * W[j, k]) + sum(m, H_before[..., m] * U[j, m]) + where(bias, b[j], 0))",
        "Elman 1990; torch.nn.RNN",
        reads=("X[..., t, k]",),
        parameters=UNITS | BIAS | {"sequence": Parameter(False, "switch")},
        axes={"j": "units"},
        learned={"W[j, k]": "weight", "U[j, j]": "weight", "b[j]": 0},
        state=("H",),
        steps="t",
    ),
    "lstm": Operation(
        """I[..., j] = sigmoid(sum(k, X[..., t, k] * Wi[j, k]) + sum(m, H_before[..., m] * Ui[j, m]) + where(bias, bi[j], 0))
        F[..., j] = sigmoid(sum(k, X[..., t, k] * Wf[j, k]) + sum(m, H_before[..., m] * Uf[j, m]) + where(bias, bf[j], 0))
        G[..., j] = tanh(sum(k, X[..., t, k] * Wg[j, k]) + sum(m, H_before[..., m] * Ug[j, m]) + where(bias, bg[j], 0))
        O[..., j] = sigmoid(sum(k, X[..., t, k] * Wo[j, k]) + sum(m, H_before[..., m] * Uo[j, m]) + where(bias, bo[j], 0))
        C[..., j] = F[..., j] * C_before[..., j] + I[..., j] * G[..., j]
        H[..., j] = O[..., j] * tanh(C[..., j])""",
        "Hochreiter and Schmidhuber 1997; torch.nn.LSTM",
        reads=("X[..., t, k]",),
        parameters=UNITS | BIAS | {"sequence": Parameter(False, "switch")},
        axes={"j": "units"},
        learned=_gates("ifgo"),
        state=("C", "H"),
        steps="t",
    ),
    "gru": Operation(
        """R[..., j] = sigmoid(sum(k, X[..., t, k] * Wr[j, k]) + sum(m, H_before[..., m] * Ur[j, m]) + where(bias, br[j], 0))
        Z[..., j] = sigmoid(sum(k, X[..., t, k] * Wz[j, k]) + sum(m, H_before[..., m] * Uz[j, m]) + where(bias, bz[j], 0))
        G[..., j] = tanh(sum(k, X[..., t, k] * Wg[j, k]) + where(bias, bg[j], 0)
            + R[..., j] * (sum(m, H_before[..., m] * Ug[j, m]) + where(bias, bh[j], 0)))
        H[..., j] = (1 - Z[..., j]) * G[..., j] + Z[..., j] * H_before[..., j]""",
        "Cho et al. 2014; torch.nn.GRU",
        reads=("X[..., t, k]",),
        parameters=UNITS | BIAS | {"sequence": Parameter(False, "switch")},
        axes={"j": "units"},
        learned={**_gates("rzg"), "bh[j]": 0},
        state=("H",),
        steps="t",
    ),
}
