"""Standalone Numba modules from derivations."""

from codegen.cache import CacheWarning, build
from codegen.explain import explanation
from codegen.names import ModuleError
from codegen.places import places
from codegen.render import render

__all__ = ["CacheWarning", "ModuleError", "build", "explanation", "places", "render"]
