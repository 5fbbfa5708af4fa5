from collections.abc import Iterator

class Type:
    def __call__(self, *arguments: object) -> object: ...

float32: Type
float64: Type
int64: Type
intp: Type
uint32: Type
boolean: Type
void: Type
none: Type

class Array(Type):
    dtype: Type
    def __init__(self, dtype: object, ndim: int, layout: str) -> None: ...

class BaseTuple(Type):
    def __iter__(self) -> Iterator[Type]: ...
    def __len__(self) -> int: ...

class IntegerLiteral(Type):
    literal_value: int

class Integer(Type): ...
class Float(Type): ...
