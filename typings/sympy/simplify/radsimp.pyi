from collections.abc import Callable, Sequence

from sympy.core.basic import Basic
from sympy.core.expr import Expr

def fraction(expr: Expr, exact: bool = False) -> tuple[Expr, Expr]: ...
def collect(expr: Expr, syms: Basic | Sequence[Basic], func: Callable[[Expr], Expr] | None = None) -> Expr: ...
