"""Random formulas against the language: `python -m tests.fuzz_formulas 1000000` (make fuzz). A value or a FormulaError, and soon."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from random import Random
from types import FrameType

import sympy as sp

from derive.index import Axis, Tensor
from derive.language import FormulaError, Scope, declaration, expression, extent, index_axes
from tests.formulas import N, defined, operand

SECONDS = 2.0  # the longest that a formula may take
BYTES = 2**30  # the most memory that the process may take
MAX_MESSAGE = 1000  # bytes of an error's text

VALID = (
    "x * tanh(log(1 + exp(x)))", "where(x > 0, x, alpha * (exp(x) - 1))", "x * (1 + erf(x / sqrt(2))) / 2", "minimum(maximum(x, -1), 1)",
    "log(cosh(prediction - x))", "x / (1 + abs(x))", "x * sigmoid(beta * x)", "-log(P[n, target])", "softplus(beta * x) / beta",
    "exp(X[..., c]) / sum(k, exp(X[..., k]))", "where(causal, x, sinh(x) ** 2)", "sqrt(2 / pi) * (x + 0.044715 * x**3)",
    "Y[..., j] = sum(k, X[..., k] * W[j, k]) + b[j]", "Y[n, j] = max(k, X[n, j + k - 1] * inside(j + k, j))",
    "m[...] = mean(i, X[..., i]); v[...] = mean(i, (X[..., i] - m[...])**2)\nY[..., i] = (X[..., i] - m[...]) / sqrt(v[...] + 1e-5)",
    "Y[n, j] = sum(i, X[n, stride*i + 2] * delta(i, j)) / size(i)", "Y[n, i] = sum(k, X[n, k] * at_most(k, i))",
    "(size(i) + 2*stride - 3) // 2 + 1",
)  # fmt: skip
WORDS = (
    "x", "X", "W", "b", "P", "y", "alpha", "beta", "causal", "target", "prediction", "stride", "n", "i", "j", "k", "c", "pi", "Y", "m",
    "exp", "log", "sqrt", "tanh", "erf", "abs", "sign", "sigmoid", "sinh", "cosh", "softplus", "minimum", "maximum", "where", "sum", "mean",
    "max", "size", "delta", "at_most", "inside", "not", "+", "-", "*", "/", "**", "//", "(", ")", "[", "]", ",", "...", "=", "<", "<=", ">",
    ">=", "==", ";", "\n", " ", "0", "1", "2", "3", "64", "0.5", "1e-5", "1e300",
    "9999999999", "^", ".", "'", "lambda", "__import__", "\u0445",
)  # fmt: skip
FUNCTIONS = (
    "exp(A)", "log(A)", "sqrt(A)", "tanh(A)", "erf(A)", "abs(A)", "sign(A)", "sigmoid(A)", "sinh(A)", "cosh(A)", "softplus(A)",
    "minimum(A, A)", "maximum(A, A)", "where(A > A, A, A)", "where(A <= 0, A, A)", "sum(k, A * X[n, k])", "max(k, X[n, k] - A)",
    "A + A", "A - A", "A * A", "A / A", "A ** 2", "A ** -1", "A ** 0.5", "A ** 64", "-A", "mean(k, abs(X[n, k] - A))",
)  # fmt: skip
LEAVES = (
    "x", "alpha", "beta", "a", "prediction", "P[n, target]", "X[n, 0]", "X[n, i + 1]", "2", "0", "1", "-1", "0.5", "1e300",
    "pi", "700",
)  # fmt: skip

K, J = Axis("i", "D", 6), Axis("j", "H", 4)
SCOPE = Scope(
    {
        "x": Tensor("X", (N, K)).entry(), "prediction": Tensor("P", (N, J)).entry(), "a": operand("a"), "alpha": sp.Rational(1, 2),
        "beta": sp.Integer(2), "stride": 2, "causal": True, "X": operand("X", N, K), "W": operand("W", J, K), "b": operand("b", J),
        "P": operand("P", N, J), "y": operand("y", N, values=J), "target": Tensor("y", (N,), J).entry(),
    },
    {"c": K},
)  # fmt: skip


def formulas(seed: int) -> Iterator[str]:
    """Endless random texts, the same for a seed: mutations of formulas, soups of words and of characters, nested trees."""
    random = Random(seed)
    while True:
        kind = random.random()
        if kind < 0.35:
            yield soup(random)
        elif kind < 0.5:
            yield "".join(chr(random.choice((random.randrange(128), random.randrange(0x3000)))) for _ in range(random.randrange(60)))
        elif kind < 0.97:
            yield mutated(random)
        else:
            yield nested(random, random.randrange(1, 5))


def soup(random: Random) -> str:
    return "".join(random.choice(WORDS) + random.choice(("", " ")) for _ in range(random.randrange(1, 30)))


def mutated(random: Random) -> str:
    """A valid formula with a few pieces deleted, doubled, replaced or put in."""
    text = random.choice(VALID)
    for _ in range(random.randrange(1, 5)):
        begin = random.randrange(len(text) + 1)
        end = min(len(text), begin + random.randrange(6))
        piece = random.choice((random.choice(WORDS), text[begin:end] * 2, "", random.choice(VALID)))
        text = text[:begin] + piece + text[end:]
    return text


def nested(random: Random, depth: int) -> str:
    """An expression that the grammar allows, with functions inside functions."""
    if depth == 0:
        return random.choice(LEAVES)
    pattern = random.choice(FUNCTIONS)
    return "(" + "".join(nested(random, depth - 1) if c == "A" else c for c in pattern) + ")"


def feed(text: str) -> bool:
    """Give a text to the language in every way; whether one of them took it. Any error but FormulaError goes on to the caller."""
    taken = False
    for read in (
        lambda: expression(text, SCOPE),
        lambda: defined(text, SCOPE),
        lambda: extent(text, {"stride": 2}, {"i": 6}),
        lambda: index_axes(text, SCOPE),
        lambda: declaration(text),
    ):
        try:
            read()
            taken = True
        except FormulaError as error:
            check(error)
    return taken


class OutOfTime(BaseException):
    """No Exception, so that nothing on the way catches it."""


@contextmanager
def bounded(seconds: float = SECONDS, size: int = BYTES) -> Generator[None]:
    """Interrupts what takes longer on the processor, and fails what takes more memory."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = memory()
    handler = signal.signal(signal.SIGPROF, interrupt)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
    assert memory() - before <= size


def check(error: FormulaError) -> None:
    """Raises AssertionError or UnicodeError unless the error can be shown and says something."""
    assert len(str(error).encode()) < MAX_MESSAGE
    assert min(error.line, error.column) >= 1
    assert error.found
    assert error.right


def memory() -> int:
    """The most bytes that the process has taken so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(count: int) -> int:
    """Feed so many formulas; the exit status is 1 where one broke the language, took too long or too much memory."""
    begin = time.perf_counter()
    taken, worst, slowest = 0, 0.0, ""
    for number, text in zip(range(1, count + 1), formulas(1), strict=False):
        before = time.process_time()
        try:
            with bounded():
                taken += feed(text)
        except (Exception, OutOfTime) as error:
            print(f"\n{type(error).__name__}: {error}\n{text!r}")
            return 1
        took = time.process_time() - before
        if took > worst:
            worst, slowest = took, text
        if number % 10_000 == 0 or number == count:
            rate = number / (time.perf_counter() - begin)
            print(f"\r{number:,} formulas, {rate:.0f} a second, {taken:,} valid, slowest {worst:.3f} s", end="", flush=True)
    print(f", memory {memory() / 2**20:.0f} MiB\nslowest: {slowest!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
