"""The document of a derivation, in LaTeX or Markdown."""
