from collections.abc import Callable
from typing import Any

def intrinsic(*, prefer_literal: bool = False) -> Callable[[Callable[..., Any]], Any]: ...
def overload(
    function: Callable[..., Any], *, prefer_literal: bool = False, inline: str = "never"
) -> Callable[[Callable[..., Any]], Any]: ...
