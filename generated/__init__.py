"""The modules of the shipped networks, as `chainrule check --fix` writes them."""
