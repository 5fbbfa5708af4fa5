"""`python -m chainrule` is the same as `chainrule`."""

from __future__ import annotations

from chainrule.cli import main

main()
