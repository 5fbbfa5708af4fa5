from sympy.core.basic import Basic
from sympy.core.expr import Expr
from sympy.core.function import Function
from sympy.logic.boolalg import Boolean

class ExprCondPair(Basic, tuple[Expr, Boolean]):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A SymPy Tuple of a branch and its condition, which unpacks as these two."""

    @property
    def expr(self) -> Expr: ...
    @property
    def cond(self) -> Boolean: ...
    def __new__(cls, expr: Expr, cond: Boolean) -> ExprCondPair: ...

class Piecewise(Function):
    @property
    def args(self) -> tuple[ExprCondPair, ...]: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    def __new__(cls, *args: tuple[Expr | int | float, Boolean | bool], evaluate: bool = True) -> Expr: ...

def piecewise_fold(expr: Expr, evaluate: bool = True) -> Expr: ...
