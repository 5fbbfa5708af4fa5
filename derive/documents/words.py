"""The words of a derivation: what a rule does, what a tensor means, what an activation is called."""

from __future__ import annotations

from derive.derivation import Step
from derive.documents.document import Text
from derive.documents.notation import Notation
from derive.formulas.activations import ACTIVATIONS
from derive.index import Tensor
from derive.program import Equation

# name in a sentence, operator in a formula; a kind that is not here goes by its own name
NAMES: dict[str, tuple[str, str]] = {
    "relu": ("ReLU", r"\operatorname{ReLU}"),
    "leaky_relu": ("leaky ReLU", r"\operatorname{LeakyReLU}"),
    "prelu": ("PReLU", r"\operatorname{PReLU}"),
    "relu6": ("ReLU6", r"\operatorname{ReLU6}"),
    "elu": ("ELU", r"\operatorname{ELU}"),
    "celu": ("CELU", r"\operatorname{CELU}"),
    "selu": ("SELU", r"\operatorname{SELU}"),
    "sigmoid": ("sigmoid", r"\sigma"),
    "tanh": ("tanh", r"\tanh"),
    "silu": ("SiLU", r"\operatorname{SiLU}"),
    "gelu": ("GELU", r"\operatorname{GELU}"),
    "gelu_tanh": ("GELU, tanh form", r"\operatorname{GELU}"),
    "mish": ("Mish", r"\operatorname{Mish}"),
    "glu": ("GLU", r"\operatorname{GLU}"),
    "formula": ("own formula", r"\operatorname{formula}"),
}
LAYERS: dict[str, str] = {
    "conv1d": "1-D convolution",
    "conv2d": "2-D convolution",
    "max_pool1d": "1-D max pooling",
    "max_pool2d": "2-D max pooling",
    "avg_pool1d": "1-D average pooling",
    "avg_pool2d": "2-D average pooling",
    "add": "sum",
    "multiply": "product",
    "concatenate": "concatenation",
    "rms_norm": "RMS norm",
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
}


def spoken(kind: str) -> str:
    """softmax_cross_entropy is softmax cross entropy."""
    return NAMES[kind][0] if kind in NAMES else LAYERS.get(kind, kind.replace("_", " "))


def operator(kind: str) -> str:
    """The operator of an activation in a formula."""
    return NAMES[kind][1] if kind in NAMES else rf"\operatorname{{{kind.replace('_', '')}}}"


def activation_of(equation: Equation) -> str | None:
    """The kind of activation that an equation applies, by its note."""
    kind = equation.note.rpartition(": ")[2]
    return kind if kind in ACTIVATIONS else None


def argument(equation: Equation) -> Tensor:
    """The value that an activation is applied to: what else it reads, a learned slope, has fewer axes."""
    return max(equation.reads, key=lambda tensor: len(tensor.axes))


def heading(equation: Equation) -> str:
    """The note of an equation as the beginning of a sentence: Layer 1: ReLU."""
    place, colon, kind = equation.note.rpartition(": ")
    text = f"{place}{colon}{spoken(kind)}"
    return text[:1].upper() + text[1:]


def explain(step: Step, notation: Notation) -> Text:
    """What a step does, as the words before its result."""
    refs = notation.refs(step.uses)
    match step.rule:
        case "local derivative":
            return ("With the local derivative of ", *refs, ":")
        case "stored value":
            return ("In values that the forward pass has already computed, by ", *refs, ":")
        case "delta elimination":
            return ("Each Kronecker delta leaves one term of the sum over its index:",)
        case "collect":
            return ("With common factors collected:",)
        case "substitute":
            return ("With ", *refs, " put in:")
        case "cancel":
            return ("What cancels, cancelled:",)
        case "name":
            return (f"With names for {step.because}, ", *refs, ":") if refs else (f"With names for {step.because}:",)
        case rule:
            name = rule.removeprefix("stabilise: ")
            sentence = f"{name[:1].upper()}{name[1:]}"
            sentence += f" ({step.because})" if step.because else ""
            return (sentence + ", by ", *refs, ":") if refs else (sentence + ":",)
