"""What stable forms change: rounded arithmetic against IEEE 754's, and the places where forms go wrong against NumPy's."""

from __future__ import annotations

import math
import random
from pathlib import Path

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy as sp

import derive
from derive.compared import Interval
from derive.derivation import Derivation
from derive.documents.document import Document
from derive.documents.markdown import render_markdown
from derive.documents.meaning import meaning
from derive.documents.notation import notation
from derive.documents.signs import decimal_latex
from derive.documents.stability import symmetric
from derive.evaluate import value
from derive.network import Network
from derive.rounded import FLOAT32, FLOAT64, TRUE, Arithmetic
from derive.stability import Change, changes, rewritten

SHIPPED = sorted((Path(__file__).parent.parent / "networks").glob("*.toml"))


def shipped(name: str) -> Derivation:
    return derive.differentiate(derive.load(next(p for p in SHIPPED if p.stem == name)).program())


def change(name: str, tensor: str) -> Change:
    return next(c for c in changes(shipped(name)) if c.mathematical.tensor.name == tensor)


# -- arithmetic --------------------------------------------------------------------------------------------------------


def numbers(kind: type[np.floating], count: int) -> list[np.floating]:
    """Of all sizes, subnormal ones too."""
    draw = random.Random(5)
    low, high = (-149, 128) if kind is np.float32 else (-1074, 1024)
    found = (math.ldexp(draw.uniform(-1, 1), draw.randint(low, high)) for _ in range(count))
    return [kind(x) for x in found]


@pytest.mark.parametrize(("arithmetic", "kind"), [(FLOAT64, np.float64), (FLOAT32, np.float32)])
def test_sums_products_quotients_and_roots_are_those_of_ieee(arithmetic: Arithmetic, kind: type[np.floating]) -> None:
    smallest, normal = float(np.finfo(kind).smallest_subnormal), float(np.finfo(kind).tiny)

    def same(found: mpmath.mpf, wanted: np.floating) -> bool:
        off = abs(float(found) - float(wanted)) if np.isfinite(wanted) else 0.0 if float(found) == wanted else math.inf
        return off <= (0 if abs(wanted) > normal else smallest)  # what is not normal is rounded twice

    every = numbers(kind, 4000)
    with np.errstate(all="ignore"):
        for a, b in zip(every[::2], every[1::2], strict=True):
            x, y = (arithmetic.rounded(TRUE.context.mpf(float(v))) for v in (a, b))
            assert float(x) == a
            near = kind(a * kind(1.37))
            assert same(arithmetic.keep(x + arithmetic.rounded(TRUE.context.mpf(float(near)))), a + near)
            assert same(arithmetic.keep(x * y), a * b)
            assert same(arithmetic.inverse(x), kind(1) / (a if a else kind(0)))  # 0 has no sign
            assert same(arithmetic.root(abs(x)), np.sqrt(abs(a)))


def test_functions_are_rounded_once() -> None:
    for x in (-700.5, -3.0, 1e-9, 0.7, 19.0, 88.5):
        for function, exact in ((sp.exp, mpmath.exp), (sp.tanh, mpmath.tanh), (sp.erf, mpmath.erf)):
            with mpmath.workdps(80):
                wanted = float(exact(mpmath.mpf(x)))
            assert float(FLOAT64.apply(function, FLOAT64.context.mpf(x))) == wanted
    assert float(FLOAT64.apply(sp.exp, FLOAT64.context.mpf(709))) < math.inf
    assert float(FLOAT64.apply(sp.exp, FLOAT64.context.mpf(710))) == math.inf
    assert float(FLOAT32.apply(sp.exp, FLOAT32.context.mpf(89))) == math.inf
    assert math.isnan(float(FLOAT64.apply(sp.log, FLOAT64.context.mpf(-1))))
    assert float(FLOAT64.apply(sp.log, FLOAT64.context.mpf(0))) == -math.inf


# -- known places ------------------------------------------------------------------------------------------------------


def test_softmax_overflows_where_exp_does() -> None:
    found = change("digits", "P").types
    assert [t.plain.infinite for t in found] == [(Interval("710", None),), (Interval("88.8", None),)]
    assert all(not t.stable.infinite and not t.stable.lost and not t.plain.lost for t in found)
    with np.errstate(all="ignore"):
        for low, kind in ((710, np.float64), (88.8, np.float32)):
            assert np.isinf(np.exp(kind(low)))
            assert np.isfinite(np.exp(kind(low - (1 if low > 99 else 0.1))))


def test_shares_of_classes_add_up_to_one() -> None:
    found: list[list[Change]] = []
    for targets in ("labels", "probabilities"):
        loss = {"kind": "softmax_cross_entropy", "targets": targets}
        network = Network(name="shares", inputs=2, loss=loss, layers=[{"kind": "dense", "units": 3}])
        found.append(list(changes(derive.differentiate(network.program()))))
    (_, labels), (_, shares) = found
    assert labels.classes
    assert shares.classes
    for one, other in zip(labels.types, shares.types, strict=True):
        assert [i for i in one.plain.infinite if i.low] == [i for i in other.plain.infinite if i.low]
        assert one.stable == other.stable
    assert shares.types[0].example is not None
    assert shares.types[0].example.stable == shares.types[0].example.true


def test_gelu_loses_the_left_tail() -> None:
    double, single = change("residual_mlp", "H3").types
    assert double.example is not None
    assert double.plain.lost
    assert not double.stable.lost
    assert float(double.plain.lost[0].high or 0) < float(single.plain.lost[0].high or 0) < 0
    with mpmath.workdps(50):
        z = mpmath.mpf(double.example.z)
        assert math.isclose(float(double.example.true), float(z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2), rel_tol=1e-3)
    assert double.example.plain == "0.0"


def test_logistic_form_changes_no_value() -> None:
    assert all(t.agree and t.example is None for t in change("xor", "H1").types)


def test_where_a_floor_holds_the_loss_is_not_the_true_one() -> None:
    double, _ = change("lecture_bce", "L").types
    assert Interval(None, "-101") in double.stable.lost
    assert not double.stable.infinite


# -- all places, against NumPy -----------------------------------------------------------------------------------------


def at(found: Change, z: float, target: int, computed: bool) -> float:
    """A form by NumPy in float64: the first entry of its value."""
    tensors = {t for e in (found.mathematical, *found.read) for t in (e.tensor, *e.reads)} | {found.by}
    extents = {a.size: min(a.extent or 1, 2) for t in tensors for a in (*t.axes, *([t.values] if t.values else []))}
    arrays: dict[str, npt.NDArray[np.number]] = {}
    for tensor in tensors:
        filled = target if tensor.name in ("y", "Y", "T") else 0 if tensor == found.by else 1
        array = np.full([extents[a.size] for a in tensor.axes], filled, int if tensor.values else np.float64)
        if tensor == found.by:
            array[(0,) * array.ndim] = z
        arrays[tensor.name] = array
    stated = {e.tensor.name: e for e in found.read}
    for e in reversed(found.read):
        arrays[e.tensor.name] = value(stated[e.tensor.name].body, e.indices, arrays, extents)
    body = found.body if computed else found.mathematical.body
    return float(value(body, found.mathematical.indices, arrays, extents)[(0,) * len(found.mathematical.indices)])


@pytest.mark.parametrize("spec", [p.stem for p in SHIPPED])
def test_examples_against_numpy(spec: str) -> None:
    every = list(changes(shipped(spec)))
    assert {c.mathematical.tensor for c in every} == {e.tensor for e in rewritten(shipped(spec))}
    for found in every:
        example = found.types[0].example
        if example is None:
            continue
        z = float(example.z)
        plain = at(found, z, example.target, computed=False)
        assert (math.isnan(plain) or math.isinf(plain)) == (example.plain in ("nan", "+inf", "-inf"))
        if found.read and any(s.rule == "stabilise: floors" for s in found.computed.steps):
            continue  # what it reads is in its own stable form there
        computed = at(found, z, example.target, computed=True)
        assert math.isclose(computed, float(example.stable), rel_tol=2e-3)
        for interval in found.types[0].plain.infinite:
            end = float(interval.low or interval.high or 0)
            values = [at(found, end, target, computed=False) for target in ((0, 1) if found.targets else (0,))]
            assert not all(map(math.isfinite, values))


# -- in a document -----------------------------------------------------------------------------------------------------


def section(derivation: Derivation) -> str:
    return render_markdown(Document(("",), (meaning(derivation, notation(derivation)),)))


def test_layers_of_one_kind_are_shown_once() -> None:
    hidden = [{"kind": "dense", "units": 3, "activation": "gelu"}] * 3
    network = Network(name="three", inputs=2, loss="mean_squared_error", layers=[*hidden, {"kind": "dense", "units": 1}])
    text = section(derive.differentiate(network.program()))
    assert text.count("as derived, then as computed") == 2  # the activation and its gradient
    assert "Layer 1: GELU, (2), and with other names (4), (6)" in text


def test_nothing_is_said_where_nothing_is_stabilised() -> None:
    network = Network(name="plain", inputs=2, loss="mean_squared_error", layers=[{"kind": "dense", "units": 1, "activation": "relu"}])
    assert "stabilisation" not in section(derive.differentiate(network.program()))


def test_inequalities() -> None:
    assert list(symmetric((Interval(None, "-5"), Interval("5", None)))) == [r"\vert z \vert \ge 5"]
    assert list(symmetric((Interval("-2", "0"), Interval("0", "2")))) == [r"0 < \vert z \vert \le 2"]
    assert list(symmetric((Interval(None, "-5"), Interval("6", "7")))) == [r"z \le -5", r"6 \le z \le 7"]
    assert [decimal_latex(t) for t in ("nan", "+inf", "710.0", "-7.62e-23")] == [r"\mathrm{NaN}", r"\infty", "710", r"-7.62 \cdot 10^{-23}"]
