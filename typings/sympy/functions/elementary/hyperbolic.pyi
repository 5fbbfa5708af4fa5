from sympy.core.expr import Expr
from sympy.core.function import Function

class sinh(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...

class cosh(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...

class tanh(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...

class atanh(Function):
    def __new__(cls, arg: Expr | float, *, evaluate: bool = True) -> Expr: ...
