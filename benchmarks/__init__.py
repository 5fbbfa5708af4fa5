"""Timings of the generated modules against what a user would otherwise pick."""
