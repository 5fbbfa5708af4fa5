"""The options that choose how gradients are written, and in which convention."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import derive
from derive.derivation import Derivation
from derive.documents import render
from tests import modules
from tests.test_cli import Command, run, small

__all__ = ["run", "small"]  # fixtures

NETWORKS = Path(__file__).parent.parent / "networks"
NAMED, PARTIAL = r"G_{\hat{Y}}", r"\frac{\partial L}{\partial \hat{Y}}"


@pytest.mark.parametrize("form", ["markdown", "latex", "html"])
@pytest.mark.parametrize("detail", ["summary", "steps", "indices"])
@pytest.mark.parametrize("convention", ["rows", "columns", "xw"])
def test_partial_derivatives_have_no_names(run: Command, small: Path, form: str, detail: str, convention: str) -> None:
    arguments = ("derive", small, "--format", form, "--detail", detail, "--convention", convention)
    named, partial = run(*arguments), run(*arguments, "--notation", "partial")
    assert (named.code, partial.code) == (0, 0)
    assert run(*arguments, "--notation", "named").out == named.out
    sign = "<mi>G</mi>" if form == "html" else "G _" if form == "markdown" else "G_"
    assert named.out.count(sign) > 1
    assert partial.out.count(sign) == 1  # where the set-up says what others call it


def test_numbers_and_exercises_in_either_notation(run: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.worksheet.built", modules.interpreted)
    for sheet in (("--numbers", "seed=0"), ("--exercise",), ("--solution",)):
        out = run("derive", small, *sheet, "--format", "latex", "--notation", "partial").out
        assert PARTIAL in out
        assert NAMED not in out


def test_an_unknown_notation(run: Command, small: Path) -> None:
    result = run("derive", small, "--notation", "newton")
    assert (result.code, result.out) == (2, "")
    assert "'newton' is not one of 'named', 'partial'" in result.err


@pytest.fixture(scope="module")
def derivation() -> Derivation:
    return derive.differentiate(derive.load(NETWORKS / "xor.toml").program())


def test_from_python(derivation: Derivation) -> None:
    network = derive.load(NETWORKS / "xor.toml")
    assert r"= \frac{\partial L}{\partial Z} H_1^\top" in render(derivation, network, "latex", notation="partial")
    assert r"\frac{\partial L}{\partial Z}" in derivation.shown("partial")._repr_latex_()  # pyright: ignore[reportPrivateUsage]
    for make in (lambda: derivation.shown("newton"), lambda: derive.document(derivation, network, "latex", notation="newton")):  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="no notation is called 'newton': take named or partial"):
            make()


def test_in_products_gradients_that_are_differentiated_have_names() -> None:
    layers = [{"kind": "dense", "units": 2, "activation": "tanh"}, {"kind": "dense", "units": 2}]
    network = derive.Network(name="small", inputs=2, layers=layers, loss="softmax_cross_entropy", products=["hvp"])
    text = render(derive.differentiate(network.program()), network, "latex", notation="partial")
    assert r"\mathring{G}_{W_1}" in text
    assert r"\frac{\partial G_{Z,nc}}{\partial P_{n'c'}}" in text  # and no fraction within a fraction
    assert r"\partial \frac" not in text


# -- conventions -------------------------------------------------------------------------------------------------------


def test_prove_conventions(run: Command, small: Path) -> None:
    result = run("prove", small, "--conventions")
    assert result.code == 0
    assert "as in xw: dW1[i,c]" in result.out
    assert result.out.splitlines()[-1].endswith("checks, all hold")
    alone = run("prove", small, "--conventions", "--equation", "(3)", "--convention", "xw", "--json").record
    assert {step["number"] for step in alone["steps"]} == {"", "3"}
    assert run("prove", small, "--conventions", "--equation", "99").code == 2


def test_derive_conventions(run: Command, small: Path) -> None:
    text = run("derive", small, "--conventions", "--convention", "columns").out
    section = text.partition("## The other conventions")[2]
    assert "written in the convention columns" in section
    assert "comparisons hold" in section
    refused = run("derive", small, "--conventions", "--exercise")
    assert refused.code == 2
    assert "--conventions do not belong on an exercise" in refused.err


def test_a_page_of_results_with_its_proof(run: Command, small: Path) -> None:
    plain, proved = (run("derive", small, "--detail", "summary", *more).out for more in ((), ("--prove",)))
    assert "Code and proof" not in plain
    assert "checks hold" in proved.partition("Code and proof")[2]
    assert run("derive", small, "--exercise", "--prove").code == 2


@pytest.mark.parametrize("detail", ["summary", "steps"])
def test_links_lead_to_equations_that_are_there(run: Command, small: Path, detail: str) -> None:
    page = run("derive", small, "--format", "html", "--detail", detail, "--prove", "--conventions").out
    targets = set(re.findall(r'href="#(eq-\w+)"', page))
    assert targets <= set(re.findall(r'id="(eq-\w+)"', page))
    assert (detail == "steps") == bool(targets)
    assert "(1), layer 1" in re.sub(r"<[^>]+>", "", page)
