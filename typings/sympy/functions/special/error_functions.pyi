from sympy.core.expr import Expr
from sympy.core.function import Function

class erf(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...
