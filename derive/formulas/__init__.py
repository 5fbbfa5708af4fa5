"""The forward formulas: the only mathematics of layers, activations, losses and optimisers that is written down."""
