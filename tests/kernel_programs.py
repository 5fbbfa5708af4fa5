"""Programs with every shape of equation that operations have, written by hand: what kernels are held to.

The loss of each is the sum of its last value times given weights G, so that its gradients are whole vector-Jacobian products. What
a program is differentiated by stands among its parameters, the examples X too. The axis of examples, n, has no extent.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Expr

from derive.functions import where
from derive.index import AtMost, Axis, Delta, Index, InRange, Max, Sum, Tensor
from derive.program import Equation, Program, renumber

N, C, T, D, H, F = (
    Axis("n", "N"),
    Axis("c", "C", 2),
    Axis("t", "T", 4),
    Axis("i", "D", 3),
    Axis("j", "H", 3),
    Axis("f", "F", 6),
)
n, c, t, i, j, f = N.index(), C.index(), T.index(), D.index(), H.index(), F.index()
s = T.index("s")
EPSILON = sp.Rational(1, 100000)


def axis(letter: str, extent: int) -> Axis:
    return Axis(letter, f"N_{letter}", extent)


def program(name: str, parameters: list[Tensor], equations: list[Equation], labels: tuple[Tensor, ...] = ()) -> Program:
    last = equations[-1].tensor
    weights = Tensor("G", last.axes)
    loss = Equation(Tensor("L"), (), Sum(weights.entry() * last.entry(), *last.indices()))
    return Program(name, (), (weights, *labels), tuple(parameters), renumber((*equations, loss)), (last, loss.tensor))


def define(tensor: Tensor, body: Expr, *indices: Index) -> Equation:
    return Equation(tensor, indices or tensor.indices(), body)


# -- convolutions and pooling ------------------------------------------------------------------------------------------------


def conv1d() -> Program:
    """Stride 2, padding 2, dilation 2."""
    p, o, t = axis("p", 3), axis("o", 2), axis("t", 4)
    x, w, b, y = Tensor("X", (N, C, axis("l", 7))), Tensor("W", (o, C, p)), Tensor("b", (o,)), Tensor("Y", (N, o, t))
    at = 2 * t.index() + 2 * p.index() - 2
    body = Sum(x[n, c, at] * w[o.index(), c, p.index()] * InRange(at, x.axes[2].count), c, p.index()) + b[o.index()]
    return program("conv1d", [x, w, b], [define(y, body)])


def conv2d(stride: int, padding: int, image: tuple[int, int], kernel: tuple[int, int], channels: tuple[int, int]) -> Program:
    h, w, p, q = axis("y", image[0]), axis("x", image[1]), axis("p", kernel[0]), axis("q", kernel[1])
    k, o = axis("k", channels[0]), axis("o", channels[1])
    rows, columns = (Axis(a, a.upper(), (e + 2 * padding - m) // stride + 1) for a, e, m in zip("hw", image, kernel, strict=True))
    x, weight, b, y = Tensor("X", (N, k, h, w)), Tensor("W", (o, k, p, q)), Tensor("b", (o,)), Tensor("Y", (N, o, rows, columns))
    down, right = stride * rows.index() + p.index() - padding, stride * columns.index() + q.index() - padding
    body = x[n, k.index(), down, right] * weight[o.index(), k.index(), p.index(), q.index()]
    if padding:
        body = body * InRange(down, h.count) * InRange(right, w.count)
    return program("conv2d", [x, weight, b], [define(y, Sum(body, k.index(), p.index(), q.index()) + b[o.index()])])


def grouped_convolution() -> Program:
    """Two groups: the value of group g and channel o stands at channel 2 g + o."""
    g, k, o, p, x_axis, t = axis("g", 2), axis("k", 3), axis("o", 2), axis("p", 2), axis("x", 6), axis("t", 5)
    f = axis("f", 4)
    x, w, y = Tensor("X", (N, axis("c", 6), x_axis)), Tensor("W", (f, k, p)), Tensor("Y", (N, f, t))
    gi, ki, oi, pi, ti = (a.index() for a in (g, k, o, p, t))
    value = Sum(x[n, 3 * gi + ki, ti + pi] * w[2 * gi + oi, ki, pi], ki, pi)
    return program("groups", [x, w], [define(y, Sum(value * Delta(f.index(), 2 * gi + oi), gi, oi))])


def max_pool() -> Program:
    """Windows of 3 x 2 at stride 2 x 1, which overlap."""
    h, w, p, q = axis("h", 2), axis("w", 3), axis("p", 3), axis("q", 2)
    x, y = Tensor("X", (N, C, axis("y", 5), axis("x", 4))), Tensor("Y", (N, C, h, w))
    body = Max(x[n, c, 2 * h.index() + p.index(), w.index() + q.index()], p.index(), q.index())
    return program("max_pool", [x], [define(y, body)])


def max_pool_in_columns() -> Program:
    """One example a column: the positions of the maxima of all examples are kept."""
    o, p = axis("o", 3), axis("p", 3)
    x, y = Tensor("X", (axis("l", 7), N)), Tensor("Y", (o, N))
    return program("columns", [x], [define(y, Max(sp.tanh(x[2 * o.index() + p.index(), n]), p.index()))])


def average_pool() -> Program:
    """Windows of 3 at stride 2 with padding 1."""
    o, p = axis("o", 3), axis("p", 3)
    x, y = Tensor("X", (N, C, axis("l", 5))), Tensor("Y", (N, C, o))
    at = 2 * o.index() + p.index() - 1
    return program("average_pool", [x], [define(y, Sum(x[n, c, at] * InRange(at, x.axes[2].count), p.index()) / 3)])


# -- positions ---------------------------------------------------------------------------------------------------------------


def embedding() -> Program:
    table, ids, y = Tensor("E", (axis("v", 7), D)), Tensor("ids", (N, T), values=axis("v", 7)), Tensor("Y", (N, T, D))
    return program("embedding", [table], [define(y, sp.tanh(table[ids[n, t], i]))], (ids,))


def flatten_and_dense() -> Program:
    h, w, o = axis("h", 2), axis("w", 4), axis("o", 3)
    x, y = Tensor("X", (N, C, h, w)), Tensor("A", (N, axis("f", 16)))
    weight, z = Tensor("W", (o, y.axes[1])), Tensor("Z", (N, o))
    place = (c * h.count + h.index()) * w.count + w.index()
    flat = Sum(sp.tanh(x[n, c, h.index(), w.index()]) * Delta(y.axes[1].index(), place), c, h.index(), w.index())
    k = y.axes[1].index()
    return program("flatten", [x, weight], [define(y, flat), define(z, Sum(y[n, k] * weight[o.index(), k], k))])


def heads() -> Program:
    """Split F = 6 features into 2 heads of 3, square them, and merge them in another order."""
    h, e = axis("h", 2), axis("e", 3)
    x, split, merged = Tensor("X", (N, T, F)), Tensor("A", (N, T, h, e)), Tensor("Y", (N, T, F))
    hi, ei = h.index(), e.index()
    return program(
        "heads",
        [x],
        [
            define(split, x[n, t, 3 * hi + ei] ** 2),
            define(merged, Sum(split[n, t, hi, ei] * Delta(f, 2 * ei + hi), hi, ei)),
        ],
    )


def concatenation() -> Program:
    """Y = (A, B, tanh A), the first part by a delta, the others by guards."""
    a, b, whole = Tensor("A", (N, D)), Tensor("B", (N, C)), Axis("f", "F", 8)
    y, k = Tensor("Y", (N, whole)), whole.index()
    body = Sum(a[n, i] * Delta(k, i), i) + b[n, k - 3] * InRange(k - 3, C.count) + sp.tanh(a[n, k - 5]) * InRange(k - 5, D.count)
    return program("concatenation", [a, b], [define(y, body)])


def gated() -> Program:
    """GLU of interleaved halves and of halves side by side."""
    x, y, z = Tensor("X", (N, F)), Tensor("A", (N, H)), Tensor("Y", (N, H))
    return program(
        "gated",
        [x],
        [
            define(y, x[n, 2 * j] / (1 + sp.exp(-x[n, 2 * j + 1]))),
            define(z, y[n, j] * sp.tanh(x[n, j + 3])),
        ],
    )


def reversal() -> Program:
    """Positions that fall as the index grows, and a diagonal."""
    x, y = Tensor("X", (N, T)), Tensor("Y", (N, T))
    return program(
        "reversal", [x], [define(y, x[n, 3 - t] ** 2 * InRange(3 - t, T.count) + Sum(x[n, t - s] * x[n, s] * InRange(t - s, T.count), s))]
    )


# -- attention ---------------------------------------------------------------------------------------------------------------


def attention() -> Program:
    """Two heads of three features; position t sees s <= t."""
    h, e = axis("h", 2), axis("e", 3)
    q, k, v = (Tensor(name, (N, T, F)) for name in ("Q", "K", "V"))
    scores, weights, out = Tensor("S", (N, h, T, T)), Tensor("P", (N, h, T, T)), Tensor("Y", (N, T, F))
    hi, ei = h.index(), e.index()
    place = 3 * hi + ei
    score = Sum(q[n, t, place] * k[n, s, place], ei) / sp.sqrt(3)
    r = T.index("r")
    weight = AtMost(s, t) * sp.exp(scores[n, hi, t, s]) / Sum(AtMost(r, t) * sp.exp(scores[n, hi, t, r]), r)
    merged = Sum(weights[n, hi, t, s] * v[n, s, place] * Delta(f, place), hi, ei, s)
    return program(
        "attention",
        [q, k, v],
        [define(scores, score, n, hi, t, s), define(weights, weight, n, hi, t, s), define(out, merged)],
    )


# -- normalisation -----------------------------------------------------------------------------------------------------------


def layer_norm() -> Program:
    x, mean, variance = Tensor("X", (N, T, H)), Tensor("mean", (N, T)), Tensor("variance", (N, T), sign="nonnegative")
    scale, shift, y = Tensor("g", (H,)), Tensor("b", (H,)), Tensor("Y", (N, T, H))
    return program(
        "layer_norm",
        [x, scale, shift],
        [
            define(mean, Sum(x[n, t, j], j) / H.count),
            define(variance, Sum((x[n, t, j] - mean[n, t]) ** 2, j) / H.count),
            define(y, (x[n, t, j] - mean[n, t]) / sp.sqrt(variance[n, t] + EPSILON) * scale[j] + shift[j]),
        ],
    )


def root_mean_square_norm() -> Program:
    x, scale, y = Tensor("X", (N, H)), Tensor("g", (H,)), Tensor("Y", (N, H))
    k = H.index("k")
    return program("rms_norm", [x, scale], [define(y, x[n, j] * scale[j] / sp.sqrt(Sum(x[n, k] ** 2, k) / H.count + EPSILON))])


def batch_norm() -> Program:
    x, mean, variance = Tensor("X", (N, C, T)), Tensor("mean", (C,)), Tensor("variance", (C,), sign="nonnegative")
    scale, shift, y = Tensor("g", (C,)), Tensor("b", (C,)), Tensor("Y", (N, C, T))
    return program(
        "batch_norm",
        [x, scale, shift],
        [
            define(mean, Sum(x[n, c, t], n, t) / (N.count * T.count)),
            define(variance, Sum((x[n, c, t] - mean[c]) ** 2, n, t) / (N.count * T.count)),
            define(y, (x[n, c, t] - mean[c]) / sp.sqrt(variance[c] + EPSILON) * scale[c] + shift[c]),
        ],
    )


def group_norm() -> Program:
    """Two groups of two channels; the mean of a group is read at channel by channel by a sum over deltas."""
    g, k, channel = axis("g", 2), axis("k", 2), axis("c", 4)
    x, y = Tensor("X", (N, channel, T)), Tensor("Y", (N, channel, T))
    mean, variance = Tensor("mean", (N, g)), Tensor("variance", (N, g), sign="nonnegative")
    gi, ki, ci = g.index(), k.index(), channel.index()
    value = x[n, 2 * gi + ki, t]
    normal = (x[n, 2 * gi + ki, t] - mean[n, gi]) / sp.sqrt(variance[n, gi] + EPSILON)
    return program(
        "group_norm",
        [x],
        [
            define(mean, Sum(value, ki, t) / (k.count * T.count)),
            define(variance, Sum((value - mean[n, gi]) ** 2, ki, t) / (k.count * T.count)),
            define(y, Sum(normal * Delta(ci, 2 * gi + ki), gi, ki)),
        ],
    )


# -- cells and units ---------------------------------------------------------------------------------------------------------


def recurrent_cell() -> Program:
    """Two steps of a cell with one gate, whose matrices stand side by side in one; the outputs of the steps are stacked."""
    x, w, u = Tensor("X", (N, C, D)), Tensor("W", (F, D)), Tensor("U", (F, H))
    y = Tensor("Y", (N, C, H))
    k = H.index("k")
    before: Tensor | None = None
    equations: list[Equation] = []
    outputs: list[Expr] = []
    for step in range(2):
        gate, new, out = (Tensor(f"{name}{step}", (N, H)) for name in ("A", "B", "h"))
        for tensor, row in ((gate, 3 + j), (new, 2 - j)):
            below = 0 if before is None else Sum(before[n, k] * u[row, k], k)
            equations.append(define(tensor, Sum(x[n, step, i] * w[row, i], i) + below))
        kept = 0 if before is None else before[n, j]
        equations.append(define(out, kept + sp.tanh(new[n, j]) / (1 + sp.exp(-gate[n, j]))))
        before = out
        outputs.append(out[n, j] * Delta(c, sp.Integer(step)))
    return program("recurrent_cell", [x, w, u], [*equations, define(y, sp.Add(*outputs))])


def prelu() -> Program:
    x, slope, y = Tensor("X", (N, T, H)), Tensor("slope"), Tensor("Y", (N, T, H))
    return program("prelu", [x, slope], [define(y, where(x[n, t, j] <= 0, slope[()] * x[n, t, j], x[n, t, j]))])


def maxout() -> Program:
    p = axis("p", 2)
    x, w, z, y = Tensor("X", (N, D)), Tensor("W", (F, D)), Tensor("Z", (N, F)), Tensor("Y", (N, H))
    return program("maxout", [x, w], [define(z, Sum(x[n, i] * w[f, i], i)), define(y, Max(z[n, 2 * j + p.index()], p.index()))])


def dense_over_tokens() -> Program:
    """A dense layer over the last axis of three, wide enough for a matrix product."""
    wide, out = axis("k", 20), axis("o", 16)
    x, w, y = Tensor("X", (N, T, wide)), Tensor("W", (out, wide)), Tensor("Y", (N, T, out))
    k = wide.index()
    return program("dense", [x, w], [define(y, sp.tanh(Sum(x[n, t, k] * w[out.index(), k], k)))])


# -- losses ------------------------------------------------------------------------------------------------------------------


def cosine() -> Program:
    """A loss of several reads for every example: cosine similarity."""
    a, b, y = Tensor("A", (N, D)), Tensor("B", (N, D)), Tensor("Y", (N,))
    norms = sp.sqrt(Sum(a[n, i] ** 2, i) + EPSILON) * sp.sqrt(Sum(b[n, i] ** 2, i) + EPSILON)
    return program("cosine", [a, b], [define(y, 1 - Sum(a[n, i] * b[n, i], i) / norms)])


def weighted_cross_entropy() -> Program:
    """Class weights, labels, sample weights; a mean that divides by a sum of entries at labels."""
    z, y, weight, share = Tensor("Z", (N, D)), Tensor("y", (N,), values=D), Tensor("w", (D,)), Tensor("s", (N,))
    p, each, out = Tensor("P", (N, D), sign="positive"), Tensor("l", (N,)), Tensor("M", ())
    m, k = N.index("m"), D.index("k")
    label = y[n]
    loss = -weight[label] * sp.log(p[n, label])
    mean = Sum(share[m] * each[m], m) / Sum(share[m] * weight[y[m]], m)
    equations = [define(p, sp.exp(z[n, i]) / Sum(sp.exp(z[n, k]), k)), define(each, loss), define(out, mean)]
    return program("weighted", [z], equations, (y, weight, share))


def functions() -> Program:
    """Half-integer powers, nested branches, signs, in one formula."""
    x, y = Tensor("X", (N, T)), Tensor("Y", (N, T))
    v = x[n, t]
    shape = where(v > 1, sp.log(v), where(v < -1, -v, v**3 / 3)) + sp.Abs(v) * sp.erf(v) + (v**2 + 1) ** sp.Rational(-3, 2)
    return program("functions", [x], [define(y, shape + sp.sqrt(v**2 + 2) * sp.sign(v))])


PROGRAMS: dict[str, Callable[[], Program]] = {
    "conv1d": conv1d,
    "conv2d": lambda: conv2d(1, 0, (5, 4), (3, 2), (2, 3)),
    "conv2d, stride and padding": lambda: conv2d(2, 1, (5, 6), (3, 3), (1, 2)),
    "groups": grouped_convolution,
    "max pooling": max_pool,
    "max pooling in columns": max_pool_in_columns,
    "average pooling": average_pool,
    "embedding": embedding,
    "flatten and dense": flatten_and_dense,
    "heads": heads,
    "concatenation": concatenation,
    "gated": gated,
    "reversal": reversal,
    "attention": attention,
    "layer norm": layer_norm,
    "root mean square norm": root_mean_square_norm,
    "batch norm": batch_norm,
    "group norm": group_norm,
    "recurrent cell": recurrent_cell,
    "prelu": prelu,
    "maxout": maxout,
    "dense over tokens": dense_over_tokens,
    "cosine": cosine,
    "weighted cross-entropy": weighted_cross_entropy,
    "functions": functions,
}
