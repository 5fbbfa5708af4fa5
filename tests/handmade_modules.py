"""Programs by hand that have what a module may have to deal with: images, tokens, masks, running statistics, weights of examples."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from codegen.about import About
from derive.functions import where
from derive.index import Axis, Index, InRange, Max, Sum, Tensor
from derive.program import Constant, Draw, Equation, Fact, Program, Start, Statistic, renumber

N = Axis("n", "N", None, "examples")
C = Axis("c", "C", 3, "classes")
n, c = N.index(), C.index()

IMAGES = About("images", "images: a convolution.", "labels")
TOKENS = About("tokens", "tokens: an embedding.", "labels")
IGNORING = About("ignoring", "tokens, of which one counts nothing.", "labels", ignored=-100, weighted=False)
NORMALISED = About("normalised", "normalised: batch norm and dropout.", "values")


def define(tensor: Tensor, body: Expr, note: str = "") -> Equation:
    return Equation(tensor, tensor.indices(), body, note=note)


def softmax(z: Tensor, p: Tensor) -> Equation:
    """Along the axis of classes."""
    return define(p, sp.exp(z.entry()) / Sum(sp.exp(z.entry()), c), "prediction: softmax")


def images(last: bool = False) -> Program:
    """A convolution with a border of zeros: X [N, 2, 4, 5] to three classes; `last` holds the examples last."""
    i, h, w = Axis("i", "D", 2, "channels"), Axis("h", "H", 4, "rows"), Axis("w", "W", 5, "columns")
    o, t, u, r, s = Axis("o", "O", 3), Axis("t", "T", 4), Axis("u", "U", 3), Axis("r", "R", 3), Axis("s", "S", 3)

    def held(name: str, *axes: Axis) -> Tensor:
        return Tensor(name, (*axes, N) if last else (N, *axes))

    def at(tensor: Tensor, *positions: Expr) -> Expr:
        return tensor[(*positions, n) if last else (n, *positions)]

    x, a, hidden, z, p = held("X", i, h, w), held("A", o, t, u), held("H", o, t, u), held("Z", C), held("P", C)
    weight, bias = Tensor("W1", (o, i, r, s)), Tensor("b1", (o,))
    dense, y = Tensor("W2", (C, o, t, u)), Tensor("y", (N,), values=C)
    row, column = t.index() + r.index() - 1, 2 * u.index() + s.index() - 1
    inside = InRange(row, h.count) * InRange(column, w.count)
    convolved = Sum(inside * at(x, i.index(), row, column) * weight.entry(), i.index(), r.index(), s.index()) + bias.entry()
    equations = [
        define(a, convolved),
        define(hidden, where(a.entry() <= 0, 0, a.entry())),
        define(z, Sum(hidden.entry() * dense.entry(), o.index(), t.index(), u.index())),
        softmax(z, p),
        define(Tensor("L"), -Sum(sp.log(at(p, y.entry())), n) / N.count),
    ]
    starts: dict[Tensor, Start] = {bias: sp.S.Zero}
    return Program("images", (x,), (y,), (weight, bias, dense), renumber(tuple(equations)), (p, Tensor("L")), starts=starts)


def tokens(each: bool = False) -> Program:
    """A class for every position of a row of tokens, with weights of the classes and of the examples, or of each label."""
    t, v, d = Axis("t", "T", 4, "positions"), Axis("v", "V", 7, "vocabulary"), Axis("d", "E", 2)
    x, y = Tensor("X", (N, t), values=v), Tensor("y", (N, t), values=C)
    table, dense, bias = Tensor("E1", (v, d)), Tensor("W2", (C, d)), Tensor("b2", (C,))
    z, p, class_weight, s = Tensor("Z", (N, t, C)), Tensor("P", (N, t, C)), Tensor("w", (C,)), Tensor("s", (N, t) if each else (N,))
    weight = class_weight[y.entry()] * s.entry()
    loss = -weight * sp.log(p[n, t.index(), y.entry()])
    equations = [
        define(z, Sum(table[x.entry(), d.index()] * dense.entry(), d.index()) + bias[c]),
        softmax(z, p),
        define(Tensor("L"), Sum(loss, n, t.index()) / Sum(weight, n, t.index())),
    ]
    values = (sp.Integer(1), sp.Rational(1, 2), sp.Rational(1, 3))
    return Program(
        "tokens",
        (x,),
        (y, s),
        (table, dense, bias),
        renumber(tuple(equations)),
        (p, Tensor("L")),
        constants=(Constant(class_weight, values),),
        starts={table: "normal", bias: sp.S.Zero},
    )


def normalised(training: bool = True) -> Program:
    """Batch norm, a ReLU with a learned slope and dropout; every example's loss is an output of its own."""
    i, j = Axis("i", "D", 3, "inputs"), Axis("j", "H", 4, "hidden")
    k = Axis("k", "K", 2, "outputs")
    x, a, normal, hidden, kept, z = (Tensor(name, (N, j)) for name in ("X", "A1", "B1", "H1", "H2", "Yhat"))
    x, z = Tensor("X", (N, i)), Tensor("Yhat", (N, k))
    first, gamma, slope, second = Tensor("W1", (j, i)), Tensor("gamma", (j,)), Tensor("a"), Tensor("W2", (k, j))
    mean, variance = Tensor("mean", (j,)), Tensor("variance", (j,), sign="nonnegative")
    running, spread = Tensor("running_mean", (j,)), Tensor("running_variance", (j,), sign="nonnegative")
    mask, y, losses = Tensor("M", (N, j)), Tensor("Y", (N, k)), Tensor("E", (N,))
    at: Index = j.index()
    used = (mean, variance) if training else (running, spread)
    batch = [
        define(mean, Sum(a[n, at], n) / N.count),
        define(variance, Sum((a[n, at] - mean[at]) ** 2, n) / N.count),
        define(Tensor("new_mean", (j,)), sp.Rational(9, 10) * running[at] + mean[at] / 10),
        define(Tensor("new_variance", (j,)), sp.Rational(9, 10) * spread[at] + variance[at] * N.count / (10 * (N.count - 1))),
    ]
    values = [
        define(normal, (a[n, at] - used[0][at]) / sp.sqrt(used[1][at] + sp.Rational(1, 100000)) * gamma[at]),
        define(hidden, where(normal[n, at] <= 0, slope[()] * normal[n, at], normal[n, at])),
    ]
    dropped = [define(kept, hidden[n, at] * mask[n, at] / sp.Rational(3, 4))]
    last = kept if training else hidden
    equations = [
        define(a, Sum(x[n, i.index()] * first[at, i.index()], i.index())),
        *(batch if training else []),
        *values,
        *(dropped if training else []),
        define(z, Sum(last[n, at] * second[k.index(), at], at), "prediction: the last layer"),
        define(losses, Sum((z.entry() - y.entry()) ** 2, k.index())),
        define(Tensor("L"), Sum(losses[n], n)),
    ]
    starts: dict[Tensor, Start] = {gamma: sp.S.One, slope: sp.Rational(1, 4)}
    statistics = (
        Statistic(running, sp.S.Zero, Tensor("new_mean", (j,))),
        Statistic(spread, sp.S.One, Tensor("new_variance", (j,))),
    )
    return Program(
        "normalised",
        (x,),
        (y,),
        (first, gamma, slope, second),
        renumber(tuple(equations)),
        (z, losses, Tensor("L")),
        draws=(Draw(mask, sp.Rational(3, 4)),) if training else (),
        statistics=statistics,
        starts=starts,
    )


def targets(probabilities: bool) -> Program:
    """A table of numbers [N, 2, 3] for each example, and its squared difference from a target; where asked, one that sums to 1."""
    t, i = Axis("t", "T", 2, "positions"), Axis("i", "D", 2, "inputs")
    x, y, weight, z = Tensor("X", (N, i)), Tensor("Y", (N, t, C)), Tensor("W1", (t, C, i)), Tensor("Yhat", (N, t, C))
    equations = [
        define(z, Sum(weight.entry() * x.entry(), i.index())),
        define(Tensor("L"), Sum((z.entry() - y.entry()) ** 2, n, t.index(), c)),
    ]
    facts = (Fact(Sum(y.entry(), t.index()), sp.S.One, (n, c), "they sum to 1 along the positions"),) if probabilities else ()
    return Program("targets", (x,), (y,), (weight,), renumber(tuple(equations)), (z, Tensor("L")), facts)


def pooled() -> Program:
    """The largest of three neighbours, and a number for each example."""
    i, t, r = Axis("i", "D", 6, "inputs"), Axis("t", "T", 2), Axis("r", "R", 3)
    x, y, weight = Tensor("X", (N, i)), Tensor("y", (N,)), Tensor("W1", (t,))
    found, z = Tensor("A1", (N, t)), Tensor("Yhat", (N,))
    equations = [
        define(found, Max(x[n, 3 * t.index() + r.index()] * weight[t.index()], r.index())),
        define(z, Sum(found.entry(), t.index())),
        define(Tensor("L"), Sum((z[n] - y[n]) ** 2, n) / N.count),
    ]
    return Program("pooled", (x,), (y,), (weight,), renumber(tuple(equations)), (z, Tensor("L")))
