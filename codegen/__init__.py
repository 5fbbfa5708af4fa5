"""Code: from a derivation to a standalone Numba module."""
