from sympy.core.expr import Expr
from sympy.core.function import Function

class Abs(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...

class sign(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...
