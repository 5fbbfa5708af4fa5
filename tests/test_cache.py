"""The cache of compiled modules: private, repaired when damaged, never needed. And the same text under every hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codegen
from codegen.cache import load_module
from tests.modules import network, text_of

NET = network(1, [(1, "identity")], "mean_squared_error")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_module.cache_clear()
    return tmp_path / "chainrule"


def predicted(module: Any) -> float:
    p = module.Parameters(np.array([[2.0]]), np.array([1.0]))
    return module.predict(p, np.array([[3.0]]))[0, 0]


def rebuilt() -> Any:
    load_module.cache_clear()
    return codegen.build(NET)


def test_a_module_is_kept_under_its_content(home: Path) -> None:
    module = codegen.build(NET)
    assert predicted(module) == 7
    (file,) = home.glob("*/tested.py")
    assert file.read_text() == text_of(NET)
    assert (home.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o700, 0o700)
    assert codegen.build(NET) is module
    kept = list(home.rglob("*._predict*.nbc"))
    times = [f.stat().st_mtime_ns for f in kept]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again: Any = rebuilt()
        assert predicted(again) == 7
    assert sum(again._predict.stats.cache_hits.values()) == 1
    assert [f.stat().st_mtime_ns for f in kept] == times


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_damaged_cache_is_repaired(home: Path, ending: str) -> None:
    predicted(codegen.build(NET))
    for file in home.rglob(f"*.{ending}"):
        os.truncate(file, 20)
    with pytest.warns(codegen.CacheWarning, match="compiling without the cache"):
        assert predicted(rebuilt()) == 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert predicted(rebuilt()) == 7


def test_a_damaged_module_is_written_anew(home: Path) -> None:
    codegen.build(NET)
    (file,) = home.glob("*/tested.py")
    file.write_text("raise SystemExit")
    assert predicted(rebuilt()) == 7
    assert file.read_text() == text_of(NET)


def test_a_folder_that_others_may_use_is_not_trusted(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with pytest.warns(codegen.CacheWarning, match="open to other users"):
        module = codegen.build(NET)
    assert predicted(module) == 7
    assert list(home.iterdir()) == []


def test_a_folder_below_one_that_others_may_change_is_not_trusted(home: Path) -> None:
    """Whoever may rename the folder can put another one in its place between the check and the reading."""
    home.parent.chmod(0o777)
    with pytest.warns(codegen.CacheWarning, match="other users may change"):
        assert predicted(codegen.build(NET)) == 7
    assert not home.exists()
    home.parent.chmod(0o1777)  # as /tmp: nobody may rename what belongs to others
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rebuilt()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("pattern", ["*/tested.py", "*/__pycache__", "*/__pycache__/*._predict-*.nbi"])
def test_a_file_of_another_user_is_not_trusted(home: Path, pattern: str) -> None:
    predicted(codegen.build(NET))
    (planted,) = home.glob(pattern)
    os.chown(planted, 12345, 12345)
    with pytest.warns(codegen.CacheWarning, match="belongs to another user"):
        assert predicted(rebuilt()) == 7


def test_numba_keeps_nothing_elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle planted in a shared NUMBA_CACHE_DIR would run."""
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "shared"))
    predicted(codegen.build(NET))
    assert list(home.rglob("*._predict*.nbc"))
    assert not (tmp_path / "shared").exists()
    monkeypatch.setattr("numba.config.CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    with pytest.warns(codegen.CacheWarning, match="Numba would keep them in"):
        assert predicted(rebuilt()) == 7


@pytest.mark.usefixtures("home")
def test_a_folder_that_numba_cannot_write_to_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    codegen.build(NET)
    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.warns(codegen.CacheWarning, match="no locator available"):
        assert predicted(rebuilt()) == 7


@pytest.mark.parametrize("chosen", ["", "relative"])
def test_a_relative_folder_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    """It would mean another folder in every folder, and without a home there may be none at all."""
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("XDG_CACHE_HOME", chosen)
    monkeypatch.setenv("HOME", "home")
    with pytest.warns(codegen.CacheWarning, match="there is no home folder"):
        assert predicted(codegen.build(NET)) == 7
    assert list(home.parent.iterdir()) == []


def test_no_folder_is_needed(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.warns(codegen.CacheWarning, match="cannot keep"):
        assert predicted(codegen.build(NET)) == 7


THREADS = """import sys
import numpy as np
from codegen.cache import load_module
text = '''
from numba import njit, prange
@njit(parallel=True)
def _doubled(x):
    for k in prange(x.size):
        x[k] *= 2
@njit
def _doubled_twice(x):
    _doubled(x)
    _doubled(x)
'''
x = np.ones(100)
getattr(load_module("threads", text), sys.argv[1])(x)
assert sum(load_module("threads", text)._doubled_twice.stats.cache_hits.values()) == int(sys.argv[2])
print(x.sum())
"""


def test_a_function_that_was_compiled_around_a_cached_loop_by_threads_starts_them(home: Path) -> None:
    results: list[str] = []
    for function, hits in (("_doubled", "0"), ("_doubled_twice", "0"), ("_doubled_twice", "1")):
        environment = {**os.environ, "XDG_CACHE_HOME": str(home.parent), "NUMBA_NUM_THREADS": "2"}
        run = subprocess.run([sys.executable, "-c", THREADS, function, hits], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        results.append(run.stdout.strip())
    assert results == ["200.0", "400.0", "400.0"]


TRAINED = """
import hashlib
import numpy as np
import codegen
from tests.modules import network
module = codegen.build(network(300, [(64, "tanh"), (64, "tanh"), (3, "identity")], "softmax_cross_entropy"))
X = np.random.default_rng(0).standard_normal((64, 300))
p, losses = module.train(module.init(), X, np.arange(64) % 3, epochs=1, batch_size=7, learning_rate=0.1)
print(sum(module._train.stats.cache_hits.values()), hashlib.sha256(np.concatenate([a.ravel() for a in p]).tobytes()).hexdigest())
"""


def test_what_was_compiled_and_what_is_read_give_the_same_bits(home: Path) -> None:
    """Of this network they did not while the functions that `_train` calls were those that had been compiled along with it."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(home.parent)}
    runs = [
        subprocess.run([sys.executable, "-c", TRAINED], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    (compiled, bits), (read, again) = (run.split() for run in runs)
    assert (compiled, read) == ("0", "1")
    assert bits == again


def test_the_text_is_the_same_under_every_hash_seed() -> None:
    program = "from tests.test_schedule import NETS; from tests.modules import text_of; print(*map(text_of, NETS.values()))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_modules_pass_the_rules_for_handwritten_code(tmp_path: Path) -> None:
    deep = [
        (units, kind)
        for units, kind in zip(range(2, 10), ["relu", "gelu_tanh", "gelu", "elu", "silu", "softplus", "tanh", "softmax"], strict=True)
    ]
    products = {"products": ["jvp", "jacobian", "hvp"]}
    nets = [
        network(3, [(1, "identity")], "binary_cross_entropy"),
        network(3, deep, "mean_squared_error"),
        network(3, deep, {"kind": "softmax_cross_entropy", "targets": "probabilities"}, "columns"),
        network(3, [(400, "leaky_relu"), (10, "identity")], "softmax_cross_entropy", "xw"),
        network(3, [(4, "tanh"), (3, "identity")], "softmax_cross_entropy").model_copy(update=products),  # in blocks
        network(3, [(4, "tanh"), (3, "identity")], {"kind": "mean_squared_error", "sample_weights": True}, "columns").model_copy(
            update=products
        ),
    ]
    for k, net in enumerate(nets):
        (tmp_path / f"m{k}.py").write_text(text_of(net))
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        arguments = [*command, "--config", ROOT / "pyproject.toml", tmp_path]
        done = subprocess.run([sys.executable, "-m", "ruff", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
