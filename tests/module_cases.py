"""The programs by hand as modules that Python runs, with PyTorch's losses of the same arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor as Torch

from chainrule.sample import sample_of
from codegen.about import About
from codegen.render import module_text
from derive import differentiate
from derive.derivation import Derivation
from derive.program import Program
from tests import handmade_modules as hand
from tests.modules import interpreted_text

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A program with what its module needs to be rendered, and PyTorch's losses of the same arrays."""

    forward: Program
    inference: Program
    words: About
    reference: Callable[[Arrays, Arrays], Torch]  # of leaves, and of data with masks and weights


def images_torch(a: Arrays, data: Arrays) -> Torch:
    hidden = F.conv2d(data["X"], a["W1"], a["b1"], stride=(1, 2), padding=1).relu()
    return F.cross_entropy(torch.einsum("notu,cotu->nc", hidden, a["W2"]), data["y"])


def tokens_torch(a: Arrays, data: Arrays) -> Torch:
    z = a["E1"][data["X"]] @ a["W2"].T + a["b2"]
    weight = torch.tensor([1, 1 / 2, 1 / 3], dtype=torch.float64)[data["y"]] * data["s"][:, None]
    return (weight * F.cross_entropy(z.permute(0, 2, 1), data["y"], reduction="none")).sum() / weight.sum()


def ignoring_torch(a: Arrays, data: Arrays) -> Torch:
    z = a["E1"][data["X"]] @ a["W2"].T + a["b2"]
    weight = torch.tensor([1, 1 / 2, 1 / 3], dtype=torch.float64)
    return F.cross_entropy(z.permute(0, 2, 1), data["y"], weight, ignore_index=-100)


def normalised_torch(a: Arrays, data: Arrays) -> Torch:
    normal = F.batch_norm(data["X"] @ a["W1"].T, None, None, a["gamma"], training=True)
    hidden = F.prelu(normal, a["a"].reshape(1)) * data["M"] / 0.75
    return ((hidden @ a["W2"].T - data["Y"]) ** 2).sum()


def pooled_torch(a: Arrays, data: Arrays) -> Torch:
    found = (data["X"].reshape(-1, 2, 3) * a["W1"][:, None]).amax(dim=2).sum(dim=1)
    return ((found - data["y"]) ** 2).mean()


NUMBER = About("pooled", "pooled: a maximum.", "values")
CASES = {
    "images": Case(hand.images(), hand.images(), hand.IMAGES, images_torch),
    "images in columns": Case(hand.images(last=True), hand.images(last=True), hand.IMAGES, images_torch),
    "tokens": Case(hand.tokens(), hand.tokens(), hand.TOKENS, tokens_torch),
    "ignoring": Case(hand.tokens(each=True), hand.tokens(each=True), hand.IGNORING, ignoring_torch),
    "normalised": Case(hand.normalised(), hand.normalised(training=False), hand.NORMALISED, normalised_torch),
    "pooled": Case(hand.pooled(), hand.pooled(), NUMBER, pooled_torch),
}


@functools.cache
def derivation(name: str) -> Derivation:
    return differentiate(CASES[name].forward)


@functools.cache
def text(name: str) -> str:
    return module_text(derivation(name), CASES[name].inference, CASES[name].words)


@functools.cache
def module(name: str) -> Any:
    return interpreted_text(CASES[name].words.name, text(name))


def at(name: str, examples: int = 7, seed: int = 0) -> Any:
    case = CASES[name]
    return sample_of(case.forward, case.words, module(name), examples, seed)
