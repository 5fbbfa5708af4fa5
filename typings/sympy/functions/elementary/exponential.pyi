from sympy.core.expr import Expr
from sympy.core.function import Function

class exp(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...

class log(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...
