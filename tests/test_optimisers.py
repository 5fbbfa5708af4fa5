"""The optimisers of modules: against torch.optim, one entry of the table each, and what the public functions refuse."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic_core import PydanticCustomError

from chainrule import optimisers
from codegen.cache import load_module
from codegen.names import ModuleError
from codegen.optimisers import Shown
from derive import parameters
from derive.formulas.operation import Parameter
from derive.formulas.optimisers import OPTIMISERS, Optimiser
from derive.index import Tensor
from derive.language import FormulaError
from derive.update import step, updated
from tests.allocations import allocations
from tests.modules import interpreted, network, text_of

Torch = Callable[..., Any]
OPTIM: Any = torch.optim

NET = network(3, [(5, "tanh"), (3, "identity")], "softmax_cross_entropy")
STEPS, EXAMPLES, BATCH = 25, 20, 4
ADAM = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-4, "weight_decay": 0.1}


def descent(**settings: object) -> Torch:
    def made(p: Any, lr: float, **options: float) -> Any:
        return OPTIM.SGD(p, lr=lr, **{**settings, **options})

    return made


def renamed(kind: Torch) -> Torch:
    """Its two betas by name."""

    def made(p: Any, lr: float, beta1: float = 0.9, beta2: float = 0.999, **options: float) -> Any:
        return kind(p, lr=lr, betas=(beta1, beta2), **options)

    return made


ORACLES: dict[str, tuple[Torch, dict[str, float]]] = {
    "SGD": (descent(), {"weight_decay": 0.1}),
    "Momentum": (descent(momentum=0.9), {"momentum": 0.5, "weight_decay": 0.1}),
    "Nesterov": (descent(momentum=0.9, nesterov=True), {"momentum": 0.5, "weight_decay": 0.1}),
    "Adam": (renamed(OPTIM.Adam), ADAM),
    "AdamW": (renamed(OPTIM.AdamW), ADAM),
    "RMSProp": (OPTIM.RMSprop, {"alpha": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield load_module(NET.name, text_of(NET))


@pytest.fixture(scope="module")
def plain() -> Any:
    return interpreted(NET)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.standard_normal((EXAMPLES, 3)), rng.integers(0, 3, EXAMPLES)


def trained(module: Any, optimizer: Any, dtype: type = np.float64, **more: Any) -> Any:
    """The parameters after 25 steps."""
    X, y = data()
    settings = {"epochs": STEPS * BATCH // EXAMPLES, "batch_size": BATCH, "learning_rate": 0.05, "shuffle": False}
    return module.train(module.init(1, dtype), X, y, optimizer=optimizer, **{**settings, **more})[0]


def by_torch(module: Any, oracle: Torch, options: dict[str, float], dtype: type = np.float64) -> list[np.ndarray]:
    X, y = data()
    W1, b1, W2, b2 = leaves = [torch.tensor(np.array(a), requires_grad=True) for a in module.init(1, dtype)]
    x, labels = torch.tensor(X.astype(dtype)), torch.tensor(y)
    optimizer = oracle(leaves, lr=0.05, **options)
    for k in range(STEPS):
        rows = slice(k * BATCH % EXAMPLES, k * BATCH % EXAMPLES + BATCH)
        optimizer.zero_grad()
        Z = torch.tanh(x[rows] @ W1.T + b1) @ W2.T + b2
        loss: Any = torch.nn.functional.cross_entropy(Z, labels[rows])
        loss.backward()
        optimizer.step()
    return [leaf.detach().numpy() for leaf in leaves]


def difference(found: Any, wanted: list[np.ndarray]) -> float:
    size = max(np.abs(w).max() for w in wanted)
    return max(np.abs(f - w).max() for f, w in zip(found, wanted, strict=True)) / size


# -- against PyTorch -----------------------------------------------------------------------------------------------------


def test_every_optimiser_has_its_oracle() -> None:
    assert set(ORACLES) == set(OPTIMISERS)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("chosen", [False, True], ids=["defaults", "options"])
def test_the_steps_are_those_of_torch(plain: Any, name: str, chosen: bool) -> None:
    oracle, every = ORACLES[name]
    options = every if chosen else {}
    assert difference(trained(plain, getattr(plain, name)(**options)), by_torch(plain, oracle, options)) < 1e-12


@pytest.mark.parametrize("name", ORACLES)
def test_steps_in_float32_are_those_of_torch(plain: Any, name: str) -> None:
    found = trained(plain, getattr(plain, name)(), np.float32)
    assert found.W1.dtype == np.float32
    assert difference(found, by_torch(plain, ORACLES[name][0], {}, np.float32)) < 1e-5


def test_in_float32_the_chosen_optimiser_is_compiled_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    module: Any = load_module("chosen", text_of(NET))
    found = trained(module, module.Adam(), np.float32)
    assert found.W1.dtype == np.float32
    assert difference(found, by_torch(module, renamed(OPTIM.Adam), {}, np.float32)) < 1e-5
    assert [name for name in OPTIMISERS if getattr(module, f"_{name.lower()}").signatures] == ["Adam"]


@pytest.mark.parametrize("name", ORACLES)
def test_compiled_steps_are_those_of_torch_and_allocate_nothing(compiled: Any, name: str) -> None:
    oracle, options = ORACLES[name]
    optimizer = getattr(compiled, name)(**options)
    assert difference(trained(compiled, optimizer), by_torch(compiled, oracle, options)) < 1e-12
    once, often = (allocations(lambda n=n: trained(compiled, optimizer, epochs=n)) for n in (1, 50))
    assert once == often


def test_defaults_are_those_of_torch() -> None:
    p = [torch.zeros(1, requires_grad=True)]
    for name, kind in (("Adam", OPTIM.Adam), ("AdamW", OPTIM.AdamW)):
        d = kind(p).defaults
        own = {k: v.default for k, v in OPTIMISERS[name].parameters.items()}
        assert own == {"beta1": d["betas"][0], "beta2": d["betas"][1], "eps": d["eps"], "weight_decay": d["weight_decay"]}
    d = OPTIM.RMSprop(p).defaults
    assert {k: v.default for k, v in OPTIMISERS["RMSProp"].parameters.items()} == {k: d[k] for k in ("alpha", "eps", "weight_decay")}


# -- going on ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_state_continues_one_run_with_the_next(plain: Any, name: str) -> None:
    X, y = data()
    optimizer, settings = getattr(plain, name)(), {"batch_size": BATCH, "learning_rate": 0.05}
    once, losses = plain.train(plain.init(1), X, y, epochs=3, optimizer=optimizer, **settings)
    again, _ = plain.train(plain.init(1), X, y, epochs=3, optimizer=optimizer, **settings)
    rng, state = np.random.default_rng(0), plain.State()
    p, first = plain.train(plain.init(1), X, y, epochs=1, optimizer=optimizer, seed=rng, state=state, **settings)
    kept = state.vectors
    before = kept.copy()
    p, rest = plain.train(p, X, y, epochs=2, optimizer=optimizer, seed=rng, state=state, **settings)
    assert all((a == b).all() and (a == c).all() for a, b, c in zip(once, again, p, strict=True))
    assert list(losses) == [*first, *rest]
    assert (state.optimizer, state.steps) == (name, 3 * EXAMPLES // BATCH)
    assert (kept == before).all()


def test_the_state_of_something_else_is_refused(plain: Any) -> None:
    state = plain.State()
    trained(plain, plain.Momentum(), state=state)
    with pytest.raises(ValueError, match=r"the state is that of Momentum, and the optimizer is RMSProp: a State\(\) of its own is needed"):
        trained(plain, plain.RMSProp(), state=state)
    with pytest.raises(ValueError, match=r"state.vectors has shape \(38,\) and dtype float64: \(38,\) and float32 are needed"):
        trained(plain, plain.Momentum(), np.float32, state=state)
    state.vectors = state.vectors[:-1]
    with pytest.raises(ValueError, match=r"shape \(37,\)"):
        trained(plain, plain.Momentum(), state=state)
    with pytest.raises(TypeError, match=r"state has type ndarray: a State\(\) is needed"):
        trained(plain, plain.Momentum(), state=state.vectors)


# -- what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Adam", {"beta1": 1.0}, "beta1 is 1.0: a finite number of at least 0 and below 1 is needed, of type float32"),
        ("Adam", {"beta2": 1 - 1e-12}, "beta2 is 0.999999999999: "),
        ("Adam", {"eps": 0}, "eps is 0: a finite number above 0 is needed"),
        ("AdamW", {"eps": 1e-60}, "eps is 1e-60: "),
        ("SGD", {"weight_decay": -0.1}, "weight_decay is -0.1: a finite number of at least 0 is needed"),
        ("SGD", {"weight_decay": math.inf}, "weight_decay is inf"),
        ("Momentum", {"momentum": math.nan}, "momentum is nan"),
        ("Nesterov", {"momentum": "0.9"}, "momentum is '0.9'"),
        ("Nesterov", {"momentum": True}, "momentum is True"),
        ("RMSProp", {"alpha": [0.9]}, r"alpha is \[0.9\]"),
    ],
)
def test_options_out_of_range_are_refused(plain: Any, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained(plain, getattr(plain, name)(**options), np.float32)


def test_what_is_no_optimizer_is_refused(plain: Any) -> None:
    wanted = r"SGD\(\), Momentum\(\), Nesterov\(\), Adam\(\), AdamW\(\) or RMSProp\(\) is needed"
    for given in ("adam", (0.9, 0.999), plain.Adam):
        with pytest.raises(TypeError, match=f"optimizer is {re.escape(repr(given))}: {wanted}"):
            trained(plain, given)
    with pytest.raises(TypeError, match="beta3"):
        plain.Adam(beta3=0.5)


def test_the_docstring_lists_all_options(plain: Any) -> None:
    for name, optimiser in OPTIMISERS.items():
        options = ", ".join(f"{option}={p.default!r}" for option, p in optimiser.parameters.items())
        assert f"{name}({options})" in plain.train.__doc__


# -- one entry -----------------------------------------------------------------------------------------------------------

ENTRIES: dict[str, tuple[Optimiser, Torch, dict[str, float]]] = {
    "Adam": (OPTIMISERS["Adam"], renamed(OPTIM.Adam), {"beta1": 0.8}),
    "Adagrad": (
        Optimiser(
            """slope[k] = gradient[k] + weight_decay * theta[k]
            total[k] = total[k] + slope[k]**2
            theta[k] = theta[k] - rate / (1 + (t - 1) * lr_decay) * slope[k] / (sqrt(total[k]) + eps)""",
            "Duchi et al. 2011", ("total",),
            {"lr_decay": Parameter(0.0, least=0.0), "weight_decay": Parameter(0.0, least=0.0), "eps": Parameter(1e-10, above=0.0)},
        ),
        OPTIM.Adagrad,
        {"lr_decay": 0.1, "weight_decay": 0.01},
    ),
    "Adamax": (
        Optimiser(
            """mean[k] = beta1 * mean[k] + (1 - beta1) * gradient[k]
            largest[k] = maximum(beta2 * largest[k], abs(gradient[k]) + eps)
            c1 = rate / (1 - beta1**t)
            theta[k] = theta[k] - c1 * mean[k] / largest[k]""",
            "Kingma and Ba 2015, algorithm 2", ("mean", "largest"),
            {"beta1": Parameter(0.9), "beta2": Parameter(0.999), "eps": Parameter(1e-8)},
        ),
        renamed(OPTIM.Adamax),
        {"beta1": 0.7},
    ),
}  # fmt: skip


@pytest.fixture
def table() -> Iterator[dict[str, Optimiser]]:
    """The table, for a test to change; it gets back its entries in their order, which is that of the committed modules."""
    before = dict(OPTIMISERS)
    yield OPTIMISERS
    OPTIMISERS.clear()
    OPTIMISERS.update(before)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_is_all_that_an_optimiser_needs(name: str, table: dict[str, Optimiser]) -> None:
    """Adam is deleted and put back, the others have never been there."""
    entry, oracle, options = ENTRIES[name]
    table.pop(name, None)
    assert name not in text_of(NET).replace("AdamW", "")
    table[name] = entry
    module = interpreted(NET)
    optimizer = getattr(module, name)(**options)
    assert difference(trained(module, optimizer), by_torch(module, oracle, options)) < 1e-12


def test_an_optimiser_without_options_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, Optimiser]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    table["SignDescent"] = Optimiser("theta[k] = theta[k] - rate * sign(gradient[k])", "Bernstein et al. 2018")
    module: Any = load_module("signs", text_of(network(3, [(3, "identity")], "softmax_cross_entropy")))
    p, q = module.init(1), trained(module, module.SignDescent())
    steps: np.ndarray = (q.W1 - p.W1) / 0.05
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("norm = sum(k, gradient[k]**2); theta[k] = theta[k] - norm", "the equation of norm needs more of a vector than its entry at k"),
        ("theta[k] = theta[0]", "the equation of theta needs more of a vector than its entry at k"),
        ("theta[k] = theta[k]; slope[k] = gradient[k]", "the last equation gives slope, not theta"),
    ],
)
def test_formulas_of_more_than_one_entry_are_refused(formula: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step(Optimiser(formula, "here"))


@pytest.mark.parametrize("formula", ["theta[k] = theta[k] - rat * gradient[k]", "gradient[k] = 0", "theta[k] = gradient[k]**rate"])
def test_other_mistakes_are_those_of_a_formula(formula: str) -> None:
    with pytest.raises(FormulaError):
        step(Optimiser(formula, "here"))


@pytest.mark.parametrize(
    ("name", "formula", "parameters"),
    [
        ("Own", "memory[k] = gradient[k]; theta[k] = theta[k] - rate * memory[k]", {}),
        ("Own", "theta[k] = theta[k] - rate * lambda * gradient[k]", {"lambda": Parameter(0.1)}),
        ("Train", "theta[k] = theta[k] - rate * gradient[k]", {}),
    ],
)
def test_names_that_modules_need_are_refused(name: str, formula: str, parameters: dict[str, Parameter]) -> None:
    with pytest.raises(ModuleError, match="has another use for the name"):
        Shown(name, Optimiser(formula, "here", parameters=parameters), 7)


def test_the_rule_of_the_documents_is_that_of_the_table() -> None:
    theta, slope, rate = (Tensor(name).entry() for name in ("theta", "slope", "eta"))
    assert updated(OPTIMISERS["SGD"], theta, slope, rate) == theta - rate * slope


def test_what_does_not_depend_on_k_is_computed_once_a_step() -> None:
    lines = Shown("Adam", OPTIMISERS["Adam"], 7).lines
    loop = next(k for k, line in enumerate(lines) if line.startswith("    for k"))
    assert "    c3 = real(rate / (1 - beta1**t))" in lines[:loop]
    assert not any("**t" in line for line in lines[loop:] if "#" not in line)


def test_the_page_has_every_entry_of_the_table() -> None:
    page = (Path(__file__).parent.parent / "docs" / "optimisers.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == list(OPTIMISERS)
    assert list(optimisers.files().values()) == [page]
    for optimiser in OPTIMISERS.values():
        assert all(line.strip() in page for line in optimiser.formula.splitlines())


def test_a_range_may_end_below_a_number() -> None:
    parameter = OPTIMISERS["Momentum"].parameters["momentum"]
    assert parameters.value("momentum", 0, parameter) == 0
    assert parameters.schema(parameter) == {"type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0, "default": 0.9}
    with pytest.raises(PydanticCustomError) as error:
        parameters.value("momentum", 1.0, parameter)
    assert (error.value.context or {})["right"] == "a finite number of at least 0 and below 1, such as 0.9"
