from typing import Self, TypeVar

from sympy.core.basic import Atom
from sympy.core.expr import AtomicExpr

_S = TypeVar("_S", bound=Symbol)

class Str(Atom):
    name: str
    def __new__(cls, name: str) -> Self: ...

class Symbol(AtomicExpr):
    name: str
    def __new__(cls, name: str, **assumptions: bool | None) -> Self: ...
    @staticmethod
    def __xnew__(cls: type[_S], name: str, **assumptions: bool | None) -> _S: ...  # pyright: ignore[reportSelfClsParameterName]
    def __getnewargs_ex__(self) -> tuple[tuple[object, ...], dict[str, object]]: ...

class Dummy(Symbol):
    dummy_index: int
    def __new__(cls, name: str | None = None, dummy_index: int | None = None, **assumptions: bool | None) -> Self: ...
