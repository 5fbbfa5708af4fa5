"""Standalone Numba modules from derivations."""

from codegen.cache import CacheWarning, build
from codegen.render import render

__all__ = ["CacheWarning", "build", "render"]
