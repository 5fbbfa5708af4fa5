"""Several processes and several threads of Python that train at the same time, which Numba's own threads do not allow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.modules import network, text_of

ROOT = Path(__file__).parent.parent
NETS = {
    "chunks": network(2, [(8, "tanh"), (1, "identity")], "mean_squared_error"),
    "tiles": network(256, [(128, "relu"), (3, "identity")], "softmax_cross_entropy"),
}
PROGRAM = """import multiprocessing, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numba
import numpy as np
from codegen.cache import load_module

name, way = sys.argv[1:]
m = load_module(name, Path(sys.argv[0]).with_name(name).read_text())
assert "prange" in m.__loader__.get_source("")
p, rng, N = m.init(1), np.random.default_rng(0), 65_000 if name == "chunks" else 200
X = rng.standard_normal((N, p.W1.shape[1]))
y = X[:, :1] if name == "chunks" else rng.integers(0, 3, N)

def trained(_):
    return m.train(p, X, y, epochs=2, batch_size=N, learning_rate=0.1)[0].W1.tobytes()

first = trained(0)
if way == "fork":
    pool = multiprocessing.get_context("fork").Pool(2, numba.set_num_threads, (1,))
    results = pool.map_async(trained, range(2)).get(60)
else:
    results = list(ThreadPoolExecutor(4).map(trained, range(8)))
assert all(r == first for r in results)
"""


@pytest.mark.parametrize("name", ["chunks", pytest.param("tiles", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("way", "threads"), [("threads", "1"), pytest.param("fork", "2", marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork"))]
)
def test_one_thread_of_numba_allows_what_several_do_not(
    tmp_path_factory: pytest.TempPathFactory, name: str, way: str, threads: str
) -> None:
    """Several threads of Python at once under Numba's own scheduler, and a process forked after its threads have started."""
    folder = tmp_path_factory.getbasetemp() / "threads"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / name).write_text(text_of(NETS[name]))
    (folder / "program.py").write_text(PROGRAM)
    layer = {"NUMBA_THREADING_LAYER": "workqueue"} if way == "threads" else {}
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": threads, **layer}
    run = subprocess.run([sys.executable, folder / "program.py", name, way], env=environment, capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stderr
