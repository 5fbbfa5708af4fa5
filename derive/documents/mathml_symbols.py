"""The commands of the documents' formulas and the characters that show them in MathML."""

# ruff: noqa: RUF001 - the characters of mathematics are meant as they stand

from __future__ import annotations

from derive.documents.symbols import SPECIAL

# What stands to the left decides whether a minus is a sign or a subtraction, and what stands beside a function how far apart they are.
ORDINARY, INNER, FUNCTION, BINARY, RELATION, OPENING, CLOSING, PUNCTUATION = range(8)

SPACING = {BINARY: ("0.222em", "0.222em"), RELATION: ("0.278em", "0.278em"), PUNCTUATION: ("0", "0.167em")}  # TeX's, before and behind

LETTERS = {
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\delta": "δ", r"\epsilon": "ϵ", r"\varepsilon": "ε", r"\zeta": "ζ", r"\eta": "η",
    r"\theta": "θ", r"\kappa": "κ", r"\lambda": "λ", r"\mu": "μ", r"\nu": "ν", r"\xi": "ξ", r"\pi": "π", r"\rho": "ρ", r"\sigma": "σ",
    r"\tau": "τ", r"\phi": "ϕ", r"\varphi": "φ", r"\chi": "χ", r"\psi": "ψ", r"\omega": "ω", r"\partial": "∂", r"\ell": "ℓ",
}  # fmt: skip
UPRIGHT = {
    r"\Gamma": "Γ", r"\Delta": "Δ", r"\Theta": "Θ", r"\Lambda": "Λ", r"\Sigma": "Σ", r"\Phi": "Φ", r"\Psi": "Ψ", r"\Omega": "Ω",
    r"\nabla": "∇", r"\infty": "∞", r"\top": "⊤", r"\bot": "⊥", r"\dots": "…", r"\ldots": "…", r"\cdots": "⋯", r"\vdots": "⋮",
    r"\ddots": "⋱", r"\circ": "∘", r"\%": "%", r"\_": "_", r"\#": "#", r"\$": "$", r"\&": "&",
}  # fmt: skip
OPERATORS = {
    "+": ("+", BINARY), "-": ("−", BINARY), "*": ("∗", BINARY), "/": ("/", ORDINARY), ",": (",", PUNCTUATION), ";": (";", PUNCTUATION),
    ":": (":", RELATION), ".": (".", ORDINARY), "!": ("!", ORDINARY), "=": ("=", RELATION), ":=": (":=", RELATION), "<": ("<", RELATION),
    ">": (">", RELATION), "|": ("|", ORDINARY), r"\vert": ("|", ORDINARY), r"\odot": ("⊙", BINARY), r"\oslash": ("⊘", BINARY),
    r"\otimes": ("⊗", BINARY), r"\times": ("×", BINARY), r"\cdot": ("⋅", BINARY), r"\pm": ("±", BINARY), r"\le": ("≤", RELATION),
    r"\leq": ("≤", RELATION), r"\ge": ("≥", RELATION), r"\geq": ("≥", RELATION), r"\ne": ("≠", RELATION), r"\neq": ("≠", RELATION),
    r"\approx": ("≈", RELATION), r"\equiv": ("≡", RELATION), r"\in": ("∈", RELATION), r"\to": ("→", RELATION), r"\mapsto": ("↦", RELATION),
    r"\rightarrow": ("→", RELATION), r"\leftarrow": ("←", RELATION), r"\Rightarrow": ("⇒", RELATION), r"\mid": ("∣", RELATION),
}  # fmt: skip
BRACKETS = {
    "(": ("(", OPENING), ")": (")", CLOSING), "[": ("[", OPENING), "]": ("]", CLOSING), r"\{": ("{", OPENING), r"\}": ("}", CLOSING),
    r"\lbrace": ("{", OPENING), r"\rbrace": ("}", CLOSING), r"\lfloor": ("⌊", OPENING), r"\rfloor": ("⌋", CLOSING),
    r"\langle": ("⟨", OPENING), r"\rangle": ("⟩", CLOSING), r"\|": ("‖", ORDINARY), r"\Vert": ("‖", ORDINARY),
}  # fmt: skip
FUNCTIONS = {rf"\{name}": name for name in ("exp", "log", "ln", "tanh", "sinh", "cosh", "sin", "cos", "det", "dim", "arg")}
LIMITS = {rf"\{name}": name for name in ("max", "min", "sup", "inf", "lim")}  # what stands below is set underneath in a display
LARGE = {r"\sum": "∑", r"\prod": "∏"}
ACCENTS = {r"\hat": "^", r"\dot": "˙", r"\ddot": "¨", r"\mathring": "˚", r"\bar": "¯", r"\tilde": "~", r"\vec": "→"}
SPACES = {r"\,": "0.167em", r"\:": "0.222em", r"\;": "0.278em", r"\ ": "0.25em", "~": "0.25em", r"\quad": "1em", r"\qquad": "2em"}
SIZES = {r"\big": "1.2em", r"\Big": "1.8em", r"\bigg": "2.4em", r"\Bigg": "3em"}  # with l or r behind
MATRICES = {"matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "vmatrix": ("|", "|"), "cases": ("{", "")}
PLAIN = {command.removesuffix("{}"): character for character, command in SPECIAL.items()}  # escaped characters in words

PRIME = "′"
_DOUBLE = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "Q": "ℚ", "C": "ℂ", "E": "𝔼", "P": "ℙ", "1": "𝟙"}


def bold(character: str) -> str:
    """A letter or digit of the bold alphabet of mathematics; any other character as it is."""
    for first, last, start in (("A", "Z", 0x1D400), ("a", "z", 0x1D41A), ("0", "9", 0x1D7CE)):
        if first <= character <= last:
            return chr(start + ord(character) - ord(first))
    return character


def double_struck(character: str) -> str:
    """A letter of the double-struck alphabet (the real numbers' R). Raises KeyError for one that no formula uses."""
    return _DOUBLE[character]
