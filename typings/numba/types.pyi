class Type:
    def __call__(self, *arguments: object) -> object: ...

float32: Type
float64: Type
int64: Type
intp: Type
uint32: Type
boolean: Type
void: Type

class Array(Type):
    dtype: Type
    def __init__(self, dtype: object, ndim: int, layout: str) -> None: ...

class BaseTuple(Type): ...

class IntegerLiteral(Type):
    literal_value: int

class Integer(Type): ...
