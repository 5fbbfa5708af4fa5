"""From the tree of a formula to an index expression."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from derive.index import AtMost, Axis, Delta, Index, InRange, Max, Sum
from derive.language.axes import BINDERS, placed
from derive.language.choose import choice, compared
from derive.language.context import Context
from derive.language.errors import counted, guess, quoted, several, wrong
from derive.language.functions import CALLS, CONSTANTS, ONE, TWO
from derive.language.positions import affine, index, is_label, label, size
from derive.language.scope import Operand
from derive.language.sound import power, quotient, sound
from derive.language.static import decided
from derive.language.tree import Call, Compare, Name, Negative, Node, Not, Number, Power, Read, Rest, Series


def elaborated(node: Node, context: Context) -> Expr:
    """The value of a node. Raises FormulaError where it has none."""
    try:
        return _value(node, context)
    except ArithmeticError:  # SymPy evaluates constants to tell their sign, and some cannot be evaluated
        raise wrong(node.at, "a constant that cannot be computed", "the number that it is") from None


def _value(node: Node, context: Context) -> Expr:
    match node:
        case Number():
            return sp.Rational(node.value.numerator, node.value.denominator)
        case Name():
            return _named(node, context)
        case Read():
            value = _read(node, context)
            if label(value) is not None:
                raise wrong(node.at, f"an entry of {quoted(node.name)}, a label, as a number", "a label as a position only")
            return value
        case Call():
            return _call(node, context)
        case Series():
            return _series(node, context)
        case Negative():
            return -elaborated(node.of, context)
        case Power():
            return power(elaborated(node.base, context), elaborated(node.exponent, context), node.exponent.at)
        case Compare():
            raise wrong(node.at, f"{quoted(node.operator)} outside of a condition", "a comparison as the first argument of `where` only")
        case Not():
            raise wrong(node.at, "`not` outside of a condition", "`not` and a switch as the first argument of `where` only")
        case Rest():
            raise wrong(node.at, "`...` in the place of a value", "a value; `...` stands in brackets, or before the body of a sum")


def _named(node: Name, context: Context) -> Expr:
    name = node.name
    value = context.scope.values.get(name, CONSTANTS.get(name))
    if value is None:
        if name in context.indices or name in context.axes.letters:
            raise wrong(node.at, f"{quoted(name)}, an index, as a number", "an index in positions only")
        if name in CALLS:
            raise wrong(node.at, f"{quoted(name)} without arguments", quoted(CALLS[name]))
        raise context.unknown(node.at, name)
    if isinstance(value, bool):
        raise wrong(node.at, f"{quoted(name)}, a switch, as a number", f"`where({name}, a, b)`")
    if isinstance(value, int):
        return sp.Integer(value)
    if not isinstance(value, Operand):
        if label(value) is not None:
            raise wrong(node.at, f"{quoted(name)}, a label, as a number", "a label as a position only")
        return value
    if value.axes:
        raise wrong(node.at, f"{quoted(name)} without positions", f"{quoted(f'{name}[...]')} or {quoted(_example(name, value.axes))}")
    return value.at(())


def _example(name: str, axes: tuple[Axis, ...]) -> str:
    return f"{name}[{', '.join(axis.name for axis in axes)}]"


# -- entries -----------------------------------------------------------------------------------------------------------


def _read(node: Read, context: Context) -> Expr:
    """The entry, behind a guard for every position that may lie outside."""
    tensor = context.scope.values.get(node.name)
    if tensor is None:
        if node.name in CALLS:
            raise wrong(node.at, f"`{node.name}[`", quoted(CALLS[node.name]))
        raise context.unknown(node.at, node.name)
    if not isinstance(tensor, Operand):
        raise wrong(node.at, f"{quoted(node.name)} with positions, which is a single number", quoted(node.name))
    groups = placed(node.positions, tensor.axes)
    if groups is None:
        wanted = f"{quoted(_example(node.name, tensor.axes))} or `...`" if tensor.axes else quoted(node.name)
        found = f"{counted(len(node.positions), 'position')} of {quoted(node.name)}"
        raise wrong(node.at, f"{found}, whose axes are {several(a.name for a in tensor.axes)}", wanted)
    positions: list[Expr] = []
    guards: list[Expr] = []
    for position, axes in zip(node.positions, groups, strict=True):
        if isinstance(position, Rest):
            positions += _rest(node, position, axes, context)
            continue
        found, exact = _position(position, axes[0], context)
        positions.append(found)
        if not exact:
            guards.append(InRange(found, axes[0].count))
    return tensor.at(tuple(positions)) * sp.Mul(*guards)


def _rest(node: Read, position: Rest, axes: tuple[Axis, ...], context: Context) -> tuple[Index, ...]:
    expected = context.rest_axes(position.at)
    if axes != expected:
        here, there = (several(a.name for a in group) for group in (axes, expected))
        right = f"the same axes everywhere; elsewhere in this formula it stands for {there}"
        raise wrong(position.at, f"`...` of {quoted(node.name)} for the axes {here}", right)
    if context.rest is None:
        raise wrong(position.at, "`...` on the right only", "`...` on the left side too, or in a sum such as `sum(..., X[...])`")
    return context.rest


def _position(node: Node, axis: Axis, context: Context) -> tuple[Expr, bool]:
    """A position on an axis, and whether it lies on the axis by its type alone."""
    if is_label(node, context):
        found = _label(node, context)
        if label(found) != axis:
            raise wrong(node.at, "a label of another axis", f"a label among the positions of the axis {quoted(axis.name)}")
        return found, True
    if isinstance(node, Name) and node.name not in context.scope.values:
        found = index(node, context)
        if found.axis != axis:
            where = f"{quoted(node.name)}, an index over the axis {quoted(found.axis.name)} ({found.axis.size}),"
            raise wrong(node.at, f"{where} on the axis {quoted(axis.name)} ({axis.size})", "a letter for every axis")
        return found, True
    return affine(node, context), False


def _label(node: Node, context: Context) -> Expr:
    value = _read(node, context) if isinstance(node, Read) else context.scope.values[node.name] if isinstance(node, Name) else None
    if not isinstance(value, Expr) or label(value) is None:
        raise wrong(node.at, "an entry that is no label as a position", "an entry of a tensor of labels")
    return value


def _either(node: Node, context: Context) -> Expr:
    """A label or an affine position."""
    return _label(node, context) if is_label(node, context) else affine(node, context)


# -- operators and functions -------------------------------------------------------------------------------------------


def _series(node: Series, context: Context) -> Expr:
    first = elaborated(node.first, context)
    if node.more[0][0] in ("+", "-"):
        terms = [first]
        for operator, term in node.more:
            value = elaborated(term, context)
            terms.append(-value if operator == "-" else value)
        return sound(sp.Add(*terms), node.at)
    for operator, factor in node.more:
        if operator == "//":
            raise wrong(factor.at, "`//`, the division of whole numbers, in a formula", "`/`")
        value = elaborated(factor, context)
        first = quotient(first, value, factor.at) if operator == "/" else first * value
    return sound(first, node.at)


def _call(node: Call, context: Context) -> Expr:
    name, given = node.function, node.arguments
    if name not in CALLS:
        if name in context.scope.values:
            raise wrong(node.at, f"a call of {quoted(name)}, which is a value", f"`{name[:40]} * (...)`, or positions in `[`, `]`")
        raise wrong(node.at, f"a call of {quoted(name)}", f"one of the functions {', '.join(CALLS)}" + guess(name, CALLS))
    if name in BINDERS:
        return _binder(node, context)
    if name == "size":
        return size(node, context)
    if name == "position":
        raise wrong(node.at, "`position` as a number", "it in positions only, as in `X[n, position(i, j)]`")
    wanted = CALLS[name].count(",") + 1
    if len(given) != wanted:
        raise wrong(node.at, f"{counted(len(given), 'argument')} of {quoted(name)}", quoted(CALLS[name]))
    if name in ONE:
        return ONE[name](elaborated(given[0], context), node.at)
    if name in TWO:
        return TWO[name](elaborated(given[0], context), elaborated(given[1], context), node.at)
    if name == "where":
        return _where(node, context)
    return _indicator(node, context)


def _binder(node: Call, context: Context) -> Expr:
    if len(node.arguments) < 2:
        raise wrong(node.at, f"{quoted(node.function)} with one argument", f"the indices before the body, {quoted(CALLS[node.function])}")
    *over, body = node.arguments
    inner, indices = context.bind(over)
    value = elaborated(body, inner)
    if node.function == "max":
        return Max(value, *indices)
    total = Sum(value, *indices)
    if node.function == "sum":
        return total
    return total / sp.Mul(*[i.axis.count for i in indices if i.axis.extent != 1])


def _indicator(node: Call, context: Context) -> Expr:
    first, second = node.arguments
    if node.function == "inside":
        if not isinstance(second, Name):
            raise wrong(second.at, "an expression in the place of an axis", "the letter of an axis, as in `inside(i - 1, j)`")
        return InRange(affine(first, context), context.axis(second).count)
    a, b = _either(first, context), _either(second, context)
    if node.function == "delta":
        return Delta(a, b)
    if a.is_Integer and b.is_Integer:
        return sp.Integer(int(a) <= int(b))
    return AtMost(a, b)


def _where(node: Call, context: Context) -> Expr:
    """A choice; one that is decided before any value is known elaborates its own branch only."""
    condition, then, otherwise = node.arguments
    holds = decided(condition, context.scope, context.axes.letters, context.axes.rest)
    if holds is not None:
        return elaborated(then if holds else otherwise, context)
    if not isinstance(condition, Compare):
        raise _no_condition(condition, context)
    left, right = elaborated(condition.left, context), elaborated(condition.right, context)
    if not (left.has(sp.Piecewise) or right.has(sp.Piecewise)):
        known = compared(condition.operator, left, right, condition.at)
        if known == sp.true or known == sp.false:
            return elaborated(then if known == sp.true else otherwise, context)
    return choice(condition.operator, left, right, elaborated(then, context), elaborated(otherwise, context), node.at)


def _no_condition(node: Node, context: Context) -> Exception:
    inner = node
    while isinstance(inner, Not):
        inner = inner.of
    if isinstance(inner, Name) and inner.name not in context.scope.values:
        return context.unknown(inner.at, inner.name)
    found = "`not` before something that is no switch" if isinstance(node, Not) else "something that is no condition"
    return wrong(node.at, found, "one comparison such as `x > 0`, or a switch")
