"""Formulas as a whole: one expression, or equations that define tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr

from derive.index import Axis, Index
from derive.language.axes import IndexAxes, collected
from derive.language.context import Context, own_indices
from derive.language.elaborate import elaborated
from derive.language.errors import Place, quoted, wrong
from derive.language.functions import CONSTANTS
from derive.language.parse import single, statements
from derive.language.scope import Operand, Scope
from derive.language.sound import UNREAL
from derive.language.tree import Name, Node, Read, Rest, Statement

Define = Callable[[str, tuple[Index, ...], Expr], Operand]


def expression(text: str, scope: Scope) -> Expr:
    """The value of one expression. Letters that no sum binds, and `...`, stand for the own indices of their axes.

    Raises FormulaError.
    """
    body = single(text)
    axes = collected([Statement(body.at, None, (), body)], scope)
    free = [Name(body.at, letter) for letter in axes.letters if letter not in axes.bound]
    places: list[Node] = [*free, Rest(body.at)] if axes.rest is not None else [*free]
    groups = [(axes.letters[p.name],) if isinstance(p, Name) else axes.rest or () for p in places]
    indices, rest = own_indices(places, groups)
    return _real(elaborated(body, Context(scope, axes, indices, rest)), body.at)


def definitions(text: str, scope: Scope, define: Define) -> Operand:
    """Elaborate equations in their order; returns the tensor that the last one defines.

    define(name, indices, body) is called once for every equation and answers with the tensor that later equations read. A bare
    expression in x means Y[...] = expression with x = X[...]. Raises FormulaError.
    """
    found = statements(text)
    if found[0].name is None and len(found) == 1:
        return _bare(found[0], scope, define)
    _check_names(found, scope)
    axes = collected(found, scope)
    defined: Operand | None = None
    for number, statement in enumerate(found):
        later = frozenset(s.name for s in found[number:] if s.name)
        indices, context = _left(statement, Context(scope, axes, {}, None, later))
        name = statement.name or ""
        defined = define(name, indices, _real(elaborated(statement.body, context), statement.body.at))
        scope = replace(scope, values={**scope.values, name: defined})
    assert defined is not None
    return defined


def _bare(statement: Statement, scope: Scope, define: Define) -> Operand:
    """Y[...] = expression, with x = X[...]."""
    read = scope.values.get("X")
    if not isinstance(read, Operand):
        raise wrong(statement.at, "an expression alone, where there is no X to apply it to", "an equation such as `Y[...] = ...`")
    rest = (Rest(statement.at),)
    axes = collected([Statement(statement.at, "Y", rest, Read(statement.at, "X", rest)), statement], scope)
    _, indices = own_indices(rest, [read.axes])
    assert indices is not None
    scope = replace(scope, values={**scope.values, "x": read.at(indices)})
    context = Context(scope, IndexAxes(axes.letters, read.axes, axes.bound), {}, indices)
    return define("Y", indices, _real(elaborated(statement.body, context), statement.body.at))


def _check_names(found: Sequence[Statement], scope: Scope) -> None:
    """Every statement is an equation, and defines a name that nothing else has."""
    seen: set[str] = set()
    for statement in found:
        name = statement.name
        if name is None:
            raise wrong(statement.at, "an expression without a left side among equations", "an equation such as `Y[..., j] = ...`")
        if name in CONSTANTS:
            raise wrong(statement.at, f"{quoted(name)} on the left side, a word of the language", "another name")
        if name in seen:
            raise wrong(statement.at, f"a second equation for {quoted(name)}", "another name")
        if name in scope.values and name not in scope.state:
            raise wrong(statement.at, f"an equation for {quoted(name)}, which has a value already", "another name")
        seen.add(name)


def _left(statement: Statement, context: Context) -> tuple[tuple[Index, ...], Context]:
    """The indices of a left side in order, and the context in which they may stand."""
    groups: list[tuple[Axis, ...]] = []
    for position in statement.positions:
        if isinstance(position, Name):
            context.check_letter(position)
        groups.append(tuple(context.axes_of([position])))
    indices, rest = own_indices(statement.positions, groups)
    order = [i for p in statement.positions for i in ([indices[p.name]] if isinstance(p, Name) else rest or ())]
    return tuple(order), replace(context, indices=indices, rest=rest)


def _real(value: Expr, at: Place) -> Expr:
    """Raises FormulaError where the expression holds infinity, NaN or the imaginary unit after all."""
    if any(node in UNREAL for node in sp.preorder_traversal(value)):
        raise wrong(at, "an expression without a real value", "one that is a real number wherever it is read")
    return value
