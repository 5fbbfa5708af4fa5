from collections.abc import Iterable

from sympy.core.expr import Expr

class Add(Expr):
    def __new__(cls, *args: Expr | int | float, evaluate: bool = True) -> Expr: ...
    @classmethod
    def make_args(cls, expr: Expr) -> tuple[Expr, ...]: ...
    @classmethod
    def _from_args(cls, args: Iterable[Expr]) -> Expr: ...
