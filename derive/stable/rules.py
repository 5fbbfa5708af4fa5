"""The order of the rules for stable forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp
from sympy import Expr

from derive.index import Entry, Tensor, tensors
from derive.program import Floors
from derive.stable.differences import complements, roots, squares
from derive.stable.exponentials import comparisons, differences, divided, merged, recomputed
from derive.stable.floors import floored
from derive.stable.logarithms import Changed, Definitions, log1p, of_quotients, of_sums, tanh_of_logarithms
from derive.stable.logistic import logistic
from derive.stable.shift import shifted

Form = tuple[str, Expr, tuple[str, ...], str]  # rule, result, tensors whose equations it uses, reason
Rule = tuple[str, Callable[[Expr], Changed], str]


def stable_forms(body: Expr, definitions: Definitions, floors: Floors | None) -> Iterator[Form]:
    """The rules that change an expression, one after the other: (rule, result, tensors whose equations it uses, reason)."""
    for rule, change, reason in _rules(definitions, floors):
        after, uses = change(body)
        if after != body:
            yield f"stabilise: {rule}", after, uses, reason
            body = after


def hiding(e: Expr) -> tuple[Tensor, ...]:
    """The tensors whose definitions the rules may put in: those below a logarithm, and those that a number is added to."""
    found: dict[Tensor, None] = {}
    for node in sp.preorder_traversal(e):
        if isinstance(node, sp.log):
            found.update(dict.fromkeys(tensors(node.args[0])))
        elif isinstance(node, sp.Add) and node.as_coeff_Add()[0] != 0:
            found.update((e.tensor, None) for t in node.args if isinstance(e := t.as_coeff_Mul()[1], Entry))
    return tuple(found)


def _rules(definitions: Definitions, floors: Floors | None) -> Iterator[Rule]:
    def alone(change: Callable[[Expr], Expr]) -> Callable[[Expr], Changed]:
        return lambda e: (change(e), ())

    yield "the exponential itself", lambda e: recomputed(e, definitions), "the sum loses the digits of a small exponential"
    yield "comparison of an exponential", alone(comparisons), "exp(u) is rounded to 1 where u is near 0"
    if floors is not None:
        yield "floors", alone(lambda e: floored(e, floors)), floors.reason
    yield "logarithm of a quotient", lambda e: of_quotients(e, definitions), "the logarithm of a rounded 0 is lost, its terms are not"
    yield "tanh of a logarithm", alone(tanh_of_logarithms), "tanh(log(v)) = (v^2 - 1)/(v^2 + 1) needs neither"
    yield "shift by the maximum", alone(shifted), "exp of a large number overflows; the shift leaves the value unchanged"
    yield "softplus form", alone(of_sums), "the exponent of the largest term leaves the logarithm; no exponential that stays can overflow"
    yield "logistic form", alone(logistic), "the exponential overflows, which above and below a fraction bar gives inf / inf"
    yield "logarithm near 1", alone(log1p), "log(1 + x) loses the digits of an x near 0"
    yield "difference of squares", alone(squares), "1 - u^2 loses digits where u is near 1 or -1"
    yield "complement", alone(complements), "1 - u loses digits where u is near 1; its own function does not"
    yield "one exponential", alone(merged), "a product of exponentials overflows where the exponential of the sum does not"
    yield "exponentials inside of a sum", alone(divided), "a factor overflows, beside one that is rounded to 0, where no term does"
    yield "exp(x) - 1", alone(differences), "the difference loses digits near 0"
    yield "difference of roots", alone(roots), "the difference loses digits where the root is near the number"
