"""Local derivatives at one point: the forward equation of a tensor, run on dual numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sympy as sp

from derive.domains.dual import Dual, Variable
from derive.domains.number import Number
from derive.index import Entry, Partial, Tensor
from derive.proof.meaning import At, Meaningless, Place

if TYPE_CHECKING:
    from derive.proof.interpret import Interpreter

Pair = tuple[Tensor, Tensor]


class LocalDerivatives:
    """The derivatives of tensors by the tensors that their equations read, each pair computed once."""

    def __init__(self, run: Interpreter) -> None:
        self._run = run
        self._tables: dict[Pair, Mapping[Place, Number]] = {}
        self._dependents: dict[Pair, Mapping[Variable, Sequence[Place]]] = {}

    def value(self, of: Entry, by: Entry, at: At) -> Number:
        """The derivative of one entry by another."""
        place = tuple([self._run.position(i, at) for i in of.indices])
        result = self._table((of.tensor, by.tensor)).get(place)
        if not isinstance(result, Dual):
            raise Meaningless(f"{of.tensor.name}[{', '.join(map(str, place))}] is read, which is not one of its entries")
        return result.tangents.get(self._variable(by, at), self._run.number(sp.S.Zero))

    def dependent(self, e: Partial, at: At) -> Sequence[Place]:
        """The places of the entries that depend on the one by which a local derivative is taken; at all others it is 0."""
        pair = (e.of.tensor, e.by.tensor)
        if pair not in self._dependents:
            found: dict[Variable, list[Place]] = {}
            for place, value in self._table(pair).items():
                assert isinstance(value, Dual)
                for variable in value.tangents:
                    found.setdefault(variable, []).append(place)
            self._dependents[pair] = found
        return self._dependents[pair].get(self._variable(e.by, at), ())

    def _variable(self, by: Entry, at: At) -> Variable:
        """An entry as a variable of dual numbers. Raises Meaningless where there is no such entry."""
        self._run.entry(by, at)
        return by.tensor.name, tuple([self._run.position(i, at) for i in by.indices])

    def _table(self, pair: Pair) -> Mapping[Place, Number]:
        if pair not in self._tables:
            of, by = pair
            equation = self._run.equations.get(of.name)
            if equation is None:
                raise Meaningless(f"{of.name} has no forward equation")
            dual = self._run.differentiated([by.name])
            dual.define(equation)
            self._tables[pair] = dual.tables[of.name]
        return self._tables[pair]
