"""Random programs in index notation: computed positions, guards, deltas, masks, labels, sums, maxima, in every combination."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import sympy as sp
from sympy import Expr

from derive.functions import where
from derive.index import ArgMax, AtMost, Axis, Delta, Entry, Index, InRange, Max, Sum, Tensor
from derive.program import Equation, Program

LETTERS = "abcd"


@dataclass
class _Maker:
    random: Random
    axes: list[Axis]
    known: list[Tensor]
    labels: list[Tensor]
    equations: list[Equation] = field(default_factory=list[Equation])

    def position(self, axis: Axis, indices: list[Index]) -> tuple[Expr, Expr]:
        """A position on an axis and the guard that it needs."""
        own = [i for i in indices if i.axis == axis]
        if own and self.random.random() < 0.5:
            return self.random.choice(own), sp.S.One
        labels = [t for t in self.labels if t.values == axis]
        if labels and self.random.random() < 0.5:
            label = self.random.choice(labels)
            if all(any(i.axis == a for i in indices) for a in label.axes):
                return label[tuple(self.random.choice([i for i in indices if i.axis == a]) for a in label.axes)], sp.S.One
        if axis.extent is None:
            return (self.random.choice(own), sp.S.One) if own else (sp.S.Zero, InRange(sp.S.Zero, axis.count))
        place = self.affine([i for i in indices if i.axis.extent is not None])
        return place, InRange(place, axis.count)

    def affine(self, indices: list[Index]) -> Expr:
        chosen = self.random.sample(indices, min(len(indices), self.random.choice([0, 1, 1, 2, 2, 3])))
        slopes = [self.random.choice([1, 1, 1, -1, 2, 3, -2]) for _ in chosen]
        return sp.Add(sp.Integer(self.random.randint(-2, 3)), *[a * i for a, i in zip(slopes, chosen, strict=True)])

    def entry(self, indices: list[Index]) -> Expr:
        tensor = self.random.choice(self.known)
        places = [self.position(axis, indices) for axis in tensor.axes]
        return Entry(tensor, *(p for p, _ in places)) * sp.Mul(*[g for _, g in places])

    def indicator(self, indices: list[Index]) -> Expr:
        kind = self.random.random()
        known = [i for i in indices if i.axis.extent is not None]
        if kind < 0.5 and known:
            index = self.random.choice(known)
            other, _ = self.position(index.axis, [i for i in indices if i != index])
            return Delta(index, other)
        if kind < 0.6:
            return Delta(self.affine(known), self.affine(known))
        if kind < 0.8:
            return AtMost(self.affine(known), self.affine(known))
        return InRange(self.affine(known), self.random.choice([a for a in self.axes if a.extent is not None]).count)

    def term(self, indices: list[Index], depth: int = 0) -> Expr:
        kind = self.random.random()
        if kind < 0.35 and depth < 2:
            bound = [self.random.choice(self.axes).fresh() for _ in range(self.random.choice([1, 1, 2]))]
            inside = [*indices, *bound]
            factors = [
                self.term(inside, depth + 1) if self.random.random() < 0.3 else self.entry(inside)
                for _ in range(self.random.choice([1, 2]))
            ]
            guards = [self.indicator(inside) for _ in range(self.random.choice([0, 0, 1, 1, 2]))]
            return self.random.choice([1, 1, 3]) * Sum(sp.Mul(*factors, *guards), *bound)
        if kind < 0.42 and depth < 2:
            bound = [self.random.choice(self.axes).fresh()]
            inside = [*indices, *bound]
            body = self.entry(inside) + self.entry(inside)
            if self.random.random() < 0.5 and bound[0].axis.extent is not None:
                body = where(bound[0] <= self.affine([i for i in indices if i.axis.extent is not None]), body, -sp.oo)
            return Max(body, *bound) if bound[0] in body.free_symbols else body
        if kind < 0.5:
            return sp.tanh(self.entry(indices) + self.random.choice([0, 1]))
        if kind < 0.58:
            x = self.entry(indices)
            return where(x <= 0, self.entry(indices), x * self.indicator(indices))
        if kind < 0.75:
            return self.entry(indices) * self.indicator(indices) * self.entry(indices)
        if kind < 0.8:
            return (self.entry(indices) + self.indicator(indices)) * (self.entry(indices) - self.indicator(indices))
        return self.entry(indices)

    def equation(self, number: int) -> None:
        rank = self.random.choice([0, 1, 2, 2, 3])
        axes = [self.random.choice(self.axes) for _ in range(rank)]
        tensor = Tensor(f"T{number}", axes)
        indices = list(tensor.indices())
        terms = [self.term(indices) for _ in range(self.random.choice([1, 1, 2, 3]))]
        body = sp.Add(*terms)
        if self.random.random() < 0.15 and rank and axes[0].extent is not None:
            bound = self.random.choice(self.axes).fresh()
            inner = self.entry([*indices, bound])
            if bound in inner.free_symbols:
                table = self.random.choice([t for t in self.known if bound.axis in t.axes] or [None])
                if table is not None:
                    place = ArgMax(inner, 0, bound)
                    spots = [place if a == bound.axis else self.position(a, indices) for a in table.axes]
                    guards = [s[1] for s in spots if isinstance(s, tuple)]
                    body += Entry(table, *(s[0] if isinstance(s, tuple) else s for s in spots)) * sp.Mul(*guards)
        self.equations.append(Equation(tensor, tuple(indices), body, str(number)))
        if rank:
            self.known.append(tensor)


def random_program(seed: int) -> Program:
    """A program of two to four equations over axes of extents 1 to 5 and one of unknown extent."""
    random = Random(seed)
    axes = [Axis("n", "N"), *(Axis(letter, letter.upper(), random.randint(1, 5)) for letter in LETTERS)]
    given = [Tensor("X0", axes[:2]), *(Tensor(f"X{k}", random.sample(axes, random.choice([1, 2, 3]))) for k in (1, 2))]
    labels = [Tensor(f"y{k}", random.sample(axes, random.choice([1, 2])), values=random.choice(axes[1:])) for k in range(2)]
    maker = _Maker(random, axes, list(given), labels)
    for number in range(1, random.choice([2, 3, 4]) + 1):
        maker.equation(number)
    outputs = tuple(e.tensor for e in maker.equations if random.random() < 0.5 or e is maker.equations[-1])
    return Program("random", tuple(given), tuple(labels), (), tuple(maker.equations), outputs)
