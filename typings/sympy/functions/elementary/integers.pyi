from sympy.core.expr import Expr
from sympy.core.function import Function

class floor(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...
