from collections.abc import Callable, Sequence
from typing import Any

def make_array(type: Any) -> Callable[..., Any]: ...
def populate_array(
    array: Any, data: Any, shape: Sequence[Any], strides: Sequence[Any], itemsize: Any, meminfo: Any
) -> Any: ...
