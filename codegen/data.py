"""The data that the public functions of a module take beside p: what it means, and what of it is refused before a kernel runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codegen.about import About
from codegen.arguments import Rows, refusal
from codegen.views import tuple_text
from derive.formulas.losses import Target
from derive.index import Entry, Sum
from derive.program import Program

NAN = "math.isnan(x)"


@dataclass(frozen=True)
class Kind:
    """What the entries of an array mean: one of them in words, several, what is refused, and the condition under which one is wrong.

    wrong, of all entries at once, names them in a message; `fault`, of the entry x, looks at all of them quickly.
    """

    one: str
    several: str
    refuses: str = ""
    wrong: str = ""
    needed: str = ""
    fault: str = NAN


LABELS = Kind("a label", "labels")
TOKENS = Kind("a token", "tokens")
EXAMPLES = Kind("a number", "numbers")
WEIGHTS = Kind("a weight", "weights", "", "~((array >= 0) & (array < np.inf))", "a finite number of at least 0 is needed")

REALS: Mapping[Target, Kind] = {
    "values": Kind("a value", "values", "NaN"),
    "unit": Kind(
        "a number in [0, 1]",
        "numbers in [0, 1]",
        "what is not in [0, 1]",
        "~((values >= 0) & (values <= 1))",
        "a number in [0, 1] is needed",
        "not 0 <= x <= 1",
    ),
    "probabilities": Kind("a probability", "probabilities", "rows that are not probabilities", "~(values >= 0)", "a probability is needed"),
    "log_probabilities": Kind(
        "a logarithm of a probability",
        "logarithms of probabilities",
        "other numbers",
        "~((values <= 0) & (values > -np.inf))",
        "a finite number of at most 0 is needed",
    ),
    "signs": Kind(
        "a sign, +1 or -1,", "signs, +1 or -1,", "what is not +1 or -1", "np.abs(values) != 1", "+1 or -1 is needed", "abs(x) != 1"
    ),
    "counts": Kind(
        "a number of at least 0",
        "numbers of at least 0",
        "what is below 0",
        "~(values >= 0)",
        "a number of at least 0 is needed",
        "not x >= 0",
    ),
}


SUMS: Mapping[Target, str] = {"probabilities": "values", "log_probabilities": "np.exp(values)"}  # what sums to 1


def examples(rows: Rows) -> dict[str, object]:
    """What the template shows of X."""
    tokens = rows.tensor.values
    kind = EXAMPLES if tokens is None else TOKENS
    meaning = f"an example a row, {rows.shape}" if tokens is None and len(rows.each) == 1 else _meaning(rows, kind)
    rank = len(rows.each) + 1
    shape = f"array.shape[1] != {rows.extents[0]}" if rank == 2 else f"array.shape[1:] != {_tuple(rows.extents)}"
    refused: list[str] = []
    if tokens is not None:
        limit = f"tokens are 0 .. {_last(rows)}"
        refused = rows.refusal("X", "array", f"(array < 0) | (array >= {tokens.extent})", limit, "IndexError")
    return {
        "shape": rows.shape,
        "tokens": tokens is not None,
        "largest": _last(rows),
        "meaning": meaning,
        "misfit": f"array.ndim != {rank}" + (f" or {shape}" if rows.each else ""),
        "one": {1: f"{kind.one} for each example", 2: "an example a row"}.get(rank, "an example along the first axis"),
        "refusal": refused,
        "fault": NAN if tokens is None else f"not 0 <= x < {tokens.extent}",
    }


def targets(rows: Rows, about: About, program: Program) -> dict[str, object]:
    """What the template shows of y."""
    kind = REALS.get(about.targets, LABELS)
    shown: dict[str, object] = {
        "shape": rows.shape,
        "shape_code": rows.shape_code,
        "shape_shown": rows.shape_shown,
        "type": rows.type,
        "kind": about.targets,
        "single": rows.extents == ["1"] and not rows.tensor.values,
        "meaning": _meaning(rows, kind),
        "refuses": kind.refuses,
        "one": _one(rows, kind),
        "refusal": rows.refusal("y", "values", kind.wrong, kind.needed) if kind.wrong else [],
        "fault": kind.fault,
        "sums": list[str](),
        "ignored": about.ignored,
    }
    if rows.tensor.values:
        shown |= _labels(rows, about)
    if about.targets in SUMS:
        shown |= _sums(rows, about, program)
    return shown


def ready(X: Rows, y: Rows, about: About, fewest: int) -> list[str]:
    """The conditions under which kernels can take X and y as they are, but for what their entries are.

    Empty for probabilities, which sum to 1: that is no condition of one entry. fewest: the fewest examples that the loss can do with.
    """
    if about.targets in SUMS:
        return []
    dtypes = [f"{name}.dtype is {'INTEGER' if rows.tensor.values else 'dtype'}" for name, rows in (("X", X), ("y", y))]
    each = f"X.shape[1:] == {tuple_text(X.extents)}" if X.extents else "X.ndim == 1"
    return [*dtypes, each, f"y.shape == {tuple_text(['len(X)', *y.extents])}", f"len(X) >= {fewest}", "X.flags.carray", "y.flags.carray"]


def weights(rows: Rows) -> dict[str, object]:
    """What the template shows of the weights of the examples."""
    return {
        "shape": rows.shape,
        "shape_code": rows.shape_code,
        "shape_shown": rows.shape_shown,
        "meaning": _meaning(rows, WEIGHTS),
        "one": _one(rows, WEIGHTS),
        "refusal": rows.refusal("sample_weight", "array", WEIGHTS.wrong, WEIGHTS.needed),
    }


def _labels(rows: Rows, about: About) -> dict[str, object]:
    """What the template shows of labels, one of which may mean that an entry is ignored."""
    wrong, limit, besides = f"(labels < 0) | (labels >= {rows.tensor.values.extent if rows.tensor.values else 0})", "", ""
    if about.ignored is not None:
        wrong = f"({wrong}) & (labels != {about.ignored})"
        limit = besides = f", or {about.ignored}, which counts nothing"
    return {
        "largest": _last(rows),
        "labels_shown": f"labels {rows.shape}" if rows.each else "N labels",
        "ignored_shown": besides,
        "refusal": rows.refusal("y", "labels", wrong, f"labels are 0 .. {_last(rows)}{limit}", "IndexError"),
        "fault": f"not 0 <= x <= {_last(rows)}" + ("" if about.ignored is None else f" and x != {about.ignored}"),
    }


def summed_axis(rows: Rows, program: Program) -> int:
    """The axis outside along which probabilities sum to 1, by the program's facts; the last one where they say nothing."""
    for fact in program.facts:
        if isinstance(fact.left, Sum):
            body, (bound, *_) = fact.left.open()
            if isinstance(body, Entry) and body.tensor == rows.tensor:
                return 1 + rows.each.index(bound.axis)
    return len(rows.each)


def _sums(rows: Rows, about: About, program: Program) -> dict[str, object]:
    """What the template shows of probabilities: their sums along an axis, and the refusal of others than 1."""
    along = summed_axis(rows, program)
    places = [p for k, p in enumerate(rows.place) if k != along]
    wrong = "~(np.abs(sums - 1) <= (1e-6 if dtype == np.float64 else 1e-4))"
    refused = refusal(places, "y", "sums", wrong, "sums to {}: probabilities sum to 1")
    return {"sums": [f"sums = {SUMS[about.targets]}.sum(axis={along})", *refused]}


def _meaning(rows: Rows, kind: Kind) -> str:
    words = {0: f"{kind.one} for each example", 1: f"a row of {kind.several} for each example"}
    return f"{words.get(len(rows.each), f'{kind.several} for each example')}, {rows.shape}"


def _one(rows: Rows, kind: Kind) -> str:
    words = {0: f"{kind.one} for each example", 1: "a row for each example"}
    return words.get(len(rows.each), "an array for each example")


def _last(rows: Rows) -> int:
    """The largest label or token."""
    return (rows.tensor.values.extent or 0) - 1 if rows.tensor.values else 0


def _tuple(extents: list[str]) -> str:
    return f"({extents[0]},)" if len(extents) == 1 else f"({', '.join(extents)})"
