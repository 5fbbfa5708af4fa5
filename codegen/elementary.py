"""Which elementary functions and products a module holds, and their text: copies from kernel_functions.py and product_functions.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sympy as sp
from sympy import Basic, Expr

from derive.functions import Erfc, Expm1, Log1p, Sigmoid

SOURCE = Path(__file__).with_name("kernel_functions.py")
PRODUCTS = Path(__file__).with_name("product_functions.py")

CALLS: Mapping[type[Basic], str] = {
    sp.exp: "_exp",
    sp.log: "_log",
    sp.tanh: "_tanh",
    sp.erf: "_erf",
    Erfc: "_erfc",
    Expm1: "_expm1",
    Log1p: "_log1p",
    Sigmoid: "_sigmoid",
}


class LogOfProduct(sp.Function):
    """The logarithm of a product, a number of float64, in the type of the parameters."""


SOFTPLUS = "_softplus"  # log(1 + exp(x)) for x at most 0


def call(e: Expr) -> tuple[str, Expr] | None:
    """The elementary function that an expression calls, and its argument; None where it is none.

    log1p(exp(u)) is one function where u is at most 0, as in the stable form of softplus.
    """
    if type(e) not in CALLS:
        return None
    argument = e.args[0]
    if isinstance(e, Log1p) and isinstance(argument, sp.exp) and argument.args[0].is_nonpositive:
        return SOFTPLUS, argument.args[0]
    return CALLS[type(e)], argument


@dataclass(frozen=True)
class Copied:
    """A function as it stands in the source, and which others it calls."""

    name: str
    text: str
    calls: frozenset[str]


def copies(lines: Iterable[str], source: Path = SOURCE) -> list[str]:
    """The texts of the functions that some lines of Python call, and of those that these call, in the order of the source."""
    every = _source(source)
    needed = _called("\n".join(lines), frozenset(f.name for f in every))
    for f in reversed(every):  # a function calls such as stand before it
        needed |= f.calls if f.name in needed else frozenset()
    return [f.text for f in every if f.name in needed]


@cache
def _source(source: Path) -> tuple[Copied, ...]:
    text = source.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    names = frozenset(node.name for node in found)
    texts = ["\n".join(lines[node.decorator_list[0].lineno - 1 : node.end_lineno]) for node in found]
    return tuple(Copied(node.name, t, _called(t, names) - {node.name}) for node, t in zip(found, texts, strict=True))


def _called(text: str, names: frozenset[str]) -> frozenset[str]:
    return names & frozenset(re.findall(r"\b\w+(?=\()", text))
