"""Names in a spec: of networks and layers."""

from __future__ import annotations

import keyword
import re
import sys
from typing import Annotated

from pydantic import AfterValidator, Field, StrictStr

from derive.spec_errors import shown, wrong

MAX_NAME = 64
NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_]*$"
NAME_RULE = f"letters, digits and underscores, at most {MAX_NAME}, the first a letter"
OTHER_MODULES = frozenset({"numpy", "numba", "llvmlite", "scipy", "sympy", "derive", "codegen", "chainrule", "generated", "networks"})


def checked_name(name: str) -> str:
    """The name itself, if a Python module or variable may have it: raises the spec's error otherwise."""
    if len(name) > MAX_NAME or not re.match(NAME_PATTERN, name) or name.endswith("\n"):
        raise wrong(f"found {shown(name)}", NAME_RULE)
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise wrong(f"found {shown(name)}, a keyword of Python", f"another name: {NAME_RULE}")
    if name in sys.stdlib_module_names or name in OTHER_MODULES:
        raise wrong(f"found {shown(name)}, which would hide the Python module of that name", f"another name: {NAME_RULE}")
    return name


Name = Annotated[
    StrictStr,
    AfterValidator(checked_name),
    Field(description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN, "maxLength": MAX_NAME}),
]
