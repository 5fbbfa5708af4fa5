"""The engine on attention: two indices over one axis, heads that split the features, masks: against autograd, and proved."""

from __future__ import annotations

import pytest
import torch
from sympy import Expr, exp, sqrt

from derive.index import AtMost, Axis, InRange, Sum, Tensor
from derive.program import Program
from tests.operations import Arrays, Leaves, Reference, check, define, program

N, T, D = Axis("n", "N", 2), Axis("t", "T", 4), Axis("d", "D", 6)
HEADS, E = Axis("h", "H", 2), Axis("e", "E", 3)
n, t, d, h, e = (axis.index() for axis in (N, T, D, HEADS, E))
s, r = T.index("t'"), T.index("r")
QUERIES, KEYS, VALUES = (Tensor(name, (N, T, D)) for name in "QKV")


def mask(kind: str, position: Expr) -> Expr:
    """Of the positions that t attends to: all, those up to t, or those at most 1 away on a ring that is cut open."""
    if kind == "none":
        return exp(0)
    return AtMost(position, t) if kind == "causal" else InRange(position - t + 1, Axis("b", "B", 3).count)


def attention(kind: str) -> Program:
    scores, weights, out = Tensor("S", (N, T, T)), Tensor("P", (N, T, T)), Tensor("Y", (N, T, D))
    equations = [
        define(scores, Sum(QUERIES[n, t, d] * KEYS[n, s, d], d) / sqrt(D.count)),
        define(weights, mask(kind, s) * exp(scores[n, t, s]) / Sum(mask(kind, r) * exp(scores[n, t, r]), r)),
        define(out, Sum(weights[n, t, s] * VALUES[n, s, d], s)),
    ]
    return program(f"{kind} attention", [QUERIES, KEYS, VALUES], [], equations)


def multi_head() -> Program:
    """The features of queries, keys and values are split into heads, and joined again by the last product."""
    joined = Axis("f", "F", 3)
    f, at = joined.index(), h * E.count + e
    scores, weights, head = Tensor("S", (N, HEADS, T, T)), Tensor("P", (N, HEADS, T, T)), Tensor("O", (N, T, HEADS, E))
    mix, out = Tensor("W", (joined, D)), Tensor("Y", (N, T, joined))
    equations = [
        define(scores, Sum(QUERIES[n, t, at] * KEYS[n, s, at], e) / sqrt(E.count)),
        define(weights, AtMost(s, t) * exp(scores[n, h, t, s]) / Sum(AtMost(r, t) * exp(scores[n, h, t, r]), r)),
        define(head, Sum(weights[n, h, t, s] * VALUES[n, s, at], s)),
        define(out, Sum(head[n, t, h, e] * mix[f, at], h, e)),
    ]
    return program("multi-head attention", [QUERIES, KEYS, VALUES, mix], [], equations)


def attention_torch(kind: str) -> Reference:
    away = torch.arange(4)[:, None] - torch.arange(4)[None, :]
    allowed = {"none": away == away, "causal": away >= 0, "band": away.abs() <= 1}[kind]

    def reference(a: Leaves, _: Arrays) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(a["Q"], a["K"], a["V"], attn_mask=allowed)

    return reference


def multi_head_torch(a: Leaves, _: Arrays) -> torch.Tensor:
    q, k, v = (a[name].reshape(2, 4, 2, 3).transpose(1, 2) for name in "QKV")
    heads = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    return heads.transpose(1, 2).reshape(2, 4, 6) @ a["W"].T


CASES: dict[str, tuple[Program, Reference]] = {
    **{kind: (attention(kind), attention_torch(kind)) for kind in ("none", "causal", "band")},
    "multi-head": (multi_head(), multi_head_torch),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_autograd_and_are_proved(name: str) -> None:
    check(*CASES[name])
