"""Programs and derivations that are written by hand: what the proof is tested on without the engine.

Names are those of networks: X, W1, b1, A1, H1, W2, b2, Z (or Yhat), P, L.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from derive.derivation import Derivation, Derived, Step
from derive.family import gradient_of
from derive.functions import where
from derive.index import AtMost, Axis, Delta, Entry, InRange, Partial, Sum, Tensor
from derive.program import Equation, Program, renumber

Line = tuple[str, Expr, tuple[str, ...]]  # a rule, what it leads to, the names that it uses
Lines = Mapping[Tensor, Sequence[Line]]

N, D, H, C = Axis("n", "N"), Axis("i", "D"), Axis("j", "H"), Axis("c", "C")
n, i, j, c = N.index(), D.index(), H.index(), C.index()
m, k, b = N.index("m"), H.index("k"), C.index("b")  # to sum over

X, W1, b1, A1, H1 = Tensor("X", (N, D)), Tensor("W1", (H, D)), Tensor("b1", (H,)), Tensor("A1", (N, H)), Tensor("H1", (N, H))
W2, b2, Z, P, y = Tensor("W2", (C, H)), Tensor("b2", (C,)), Tensor("Z", (N, C)), Tensor("P", (N, C), sign="positive"), Tensor("y", (N,), C)
Yhat, Y, L = Tensor("Yhat", (N, C)), Tensor("Y", (N, C)), Tensor("L")
dP, dZ, dYhat, dH1, dA1 = (gradient_of(t) for t in (P, Z, Yhat, H1, A1))


def define(tensor: Tensor, body: Expr) -> Equation:
    return Equation(tensor, tensor.indices(), body)


def program(name: str, given: Sequence[Tensor], targets: Sequence[Tensor], parameters: Sequence[Tensor], *equations: Equation) -> Program:
    outputs = (equations[-2].tensor, equations[-1].tensor)
    return Program(name, tuple(given), tuple(targets), tuple(parameters), renumber(equations), outputs)


def chain_rule(forward: Program, tensor: Tensor) -> Expr:
    """Over the readers of a tensor, all of which must lead to the loss."""
    terms: list[Expr] = []
    for reader in forward.reading(tensor):
        places = tuple(i.axis.fresh() for i in reader.indices)
        upstream = sp.S.One if reader.tensor == forward.outputs[-1] else Entry(gradient_of(reader.tensor), *places)
        terms.append(Sum(upstream * Partial(Entry(reader.tensor, *places), tensor.entry()), *places))
    return sp.Add(*terms)


def derivation(forward: Program, lines: Lines) -> Derivation:
    """A derivation with the given steps after the chain rule, whose computed program is the mathematical one."""
    backward: list[Derived] = []
    for number, (tensor, rest) in enumerate(lines.items(), len(forward.equations) + 1):
        now = chain_rule(forward, tensor)
        steps: list[Step] = []
        for rule, after, uses in rest:
            steps.append(Step(rule, now, after, tensor.indices(), uses))
            now = after
        backward.append(Derived(Equation(gradient_of(tensor), tensor.indices(), now, str(number)), tuple(steps), tensor))
    equations = (*forward.equations, *(d.equation for d in backward))
    outputs = (*forward.outputs, *(gradient_of(p) for p in forward.parameters))
    return Derivation(forward, tuple(backward), (), replace(forward, equations=equations, outputs=outputs))


def local(after: Expr, *uses: str) -> list[Line]:
    return [("local derivative", after, uses)]


# -- networks --------------------------------------------------------------------------------------------------------


def classifier() -> Derivation:
    """X, dense, ReLU, dense, softmax cross-entropy."""
    forward = program(
        "classifier", [X], [y], [W1, b1, W2, b2],
        define(A1, Sum(X[n, i] * W1[j, i], i) + b1[j]),
        define(H1, where(A1[n, j] <= 0, 0, A1[n, j])),
        define(Z, Sum(H1[n, j] * W2[c, j], j) + b2[c]),
        define(P, sp.exp(Z[n, c]) / Sum(sp.exp(Z[n, b]), b)),
        define(L, -Sum(sp.log(P[n, y[n]]), n) / N.count),
    )  # fmt: skip
    hit = Delta(y[n], c)
    jacobian = Sum(dP[n, b] * (Delta(b, c) * P[n, b] - P[n, b] * P[n, c]), b)
    put_in = P[n, c] * (-hit / (N.count * P[n, c]) + Sum(Delta(y[n], b) / (N.count * P[n, b]) * P[n, b], b))
    lines: dict[Tensor, Sequence[Line]] = {
        P: local(-hit / (N.count * P[n, c]), "L"),
        Z: [
            ("local derivative", jacobian, ("P",)),
            ("delta elimination", P[n, c] * (dP[n, c] - Sum(dP[n, b] * P[n, b], b)), ()),
            ("substitute", put_in, ("dP",)),
            ("cancel", (P[n, c] - hit) / N.count, ()),
        ],
        **dense(),
        A1: [*local(where(A1[n, j] <= 0, 0, dH1[n, j]), "H1"), ("stored value", where(H1[n, j] <= 0, 0, dH1[n, j]), ("H1",))],
        **first_layer(),
    }
    return derivation(forward, lines)


def regression() -> Derivation:
    """X, dense, tanh, dense, mean squared error."""
    forward = program(
        "regression", [X], [Y], [W1, b1, W2, b2],
        define(A1, Sum(X[n, i] * W1[j, i], i) + b1[j]),
        define(H1, sp.tanh(A1[n, j])),
        define(Yhat, Sum(H1[n, j] * W2[c, j], j) + b2[c]),
        define(L, Sum((Yhat[n, c] - Y[n, c]) ** 2, n, c) / (N.count * C.count)),
    )  # fmt: skip
    lines: dict[Tensor, Sequence[Line]] = {
        Yhat: local(2 * (Yhat[n, c] - Y[n, c]) / (N.count * C.count)),
        **dense(dYhat, "Yhat"),
        A1: [
            *local(dH1[n, j] * (1 - sp.tanh(A1[n, j]) ** 2), "H1"),
            ("stored value", dH1[n, j] * (1 - H1[n, j] ** 2), ("H1",)),
        ],
        **first_layer(),
    }
    return derivation(forward, lines)


def dense(upstream: Tensor = dZ, reader: str = "Z") -> dict[Tensor, Sequence[Line]]:
    return {
        W2: local(Sum(upstream[n, c] * H1[n, j], n), reader),
        b2: local(Sum(upstream[n, c], n), reader),
        H1: local(Sum(upstream[n, c] * W2[c, j], c), reader),
    }


def first_layer() -> dict[Tensor, Sequence[Line]]:
    return {
        W1: local(Sum(dA1[n, j] * X[n, i], n), "A1"),
        b1: local(Sum(dA1[n, j], n), "A1"),
        X: local(Sum(dA1[n, j] * W1[j, i], j), "A1"),
    }


# -- single operations -----------------------------------------------------------------------------------------------


def operation(name: str, parameters: Sequence[Tensor], labels: Sequence[Tensor], lines: Lines, *equations: Equation) -> Derivation:
    """A derivation whose loss is the last value times given weights G, summed."""
    last = equations[-1].tensor
    weights = Tensor("G", last.axes)
    loss = define(L, Sum(weights.entry() * last.entry(), *last.indices()))
    forward = program(name, [], [weights, *labels], parameters, *equations, loss)
    return derivation(forward, {last: local(weights.entry()), **lines})


def strided_convolution() -> Derivation:
    """A[n,t] = sum_p X[n,2t+p] K[p]: every position of X is read, by fewer kernel entries at the ends."""
    length, taps, places = Axis("l", "S"), Axis("p", "R"), Axis("t", "T")
    signal, kernel, out = Tensor("X", (N, length)), Tensor("K", (taps,)), Tensor("A", (N, places))
    x, p, t = length.index(), taps.index(), places.index()
    upstream = gradient_of(out)
    lines: Lines = {
        kernel: local(Sum(upstream[n, t] * signal[n, 2 * t + p], n, t)),
        signal: [
            *local(Sum(upstream[n, t] * kernel[p] * Delta(2 * t + p, x), t, p)),
            ("delta elimination", Sum(upstream[n, t] * kernel[x - 2 * t] * InRange(x - 2 * t, taps.count), t), ()),
        ],
    }
    return operation("convolution", [signal, kernel], [], lines, define(out, Sum(signal[n, 2 * t + p] * kernel[p], p)))


def embedding() -> Derivation:
    """A[n,j] = E[words[n],j]."""
    words = Axis("v", "V")
    table, read, out = Tensor("E", (words, H)), Tensor("words", (N,), words), Tensor("A", (N, H))
    lines: Lines = {table: local(Sum(gradient_of(out)[n, j] * Delta(read[n], words.index()), n))}
    return operation("embedding", [table], [read], lines, define(out, table[read[n], j]))


def causal_softmax() -> Derivation:
    """Q[s,r] = softmax over the positions r <= s of S[s,r], and A[s,j] = sum_r Q[s,r] V[r,j]."""
    axis = Axis("s", "T")
    q = axis.index("q")
    scores, weights, values = Tensor("S", (axis, axis)), Tensor("Q", (axis, axis)), Tensor("V", (axis, H))
    out = Tensor("A", (axis, H))
    s, r = scores.indices()
    upstream, inner = gradient_of(out), gradient_of(weights)
    lines: Lines = {
        values: local(Sum(upstream[q, j] * weights[q, s], q)),
        weights: local(Sum(upstream[s, j] * values[r, j], j)),
        scores: local(AtMost(r, s) * weights[s, r] * (inner[s, r] - Sum(AtMost(q, s) * inner[s, q] * weights[s, q], q)), "Q"),
    }
    masked = AtMost(r, s) * sp.exp(scores[s, r]) / Sum(AtMost(q, s) * sp.exp(scores[s, q]), q)
    attended = define(out, Sum(weights[s, q] * values[q, j], q))
    return operation("attention", [scores, values], [], lines, Equation(weights, (s, r), masked), attended)


def two_readers() -> Derivation:
    """H1 is read by the next layer and by a shortcut around it."""
    square, out = Tensor("W2", (H, Axis("k", "K"))), Tensor("A", (N, H))
    middle = Tensor("B", (N, square.axes[1]))
    into = square.axes[1].index()
    given = Tensor("H1", (N, H))
    up, below = gradient_of(out), gradient_of(middle)
    lines: Lines = {
        middle: local(Sum(up[n, j] * square[j, into], j)),
        square: local(Sum(up[n, j] * middle[n, into], n)),
        given: local(up[n, j] + Sum(below[n, into], into) * 2 * given[n, j]),
    }
    return operation(
        "two_readers", [given, square], [], lines,
        Equation(middle, (n, into), Sum(given[n, j] ** 2, j)), define(out, Sum(middle[n, into] * square[j, into], into) + given[n, j]),
    )  # fmt: skip


def named(derivation: Derivation) -> dict[str, Tensor]:
    """All tensors of a derivation by name."""
    forward = (*derivation.forward.given, *(e.tensor for e in derivation.forward.equations))
    return {t.name: t for t in (*forward, *(d.equation.tensor for d in derivation.backward))}
