"""What the README shows is what the repository holds: its excerpts are found in the committed files, its programs run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import derive

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_the_spec_is_the_shipped_one() -> None:
    (spec,) = [text for kind, text in BLOCKS if kind == "toml"]
    assert derive.loads(spec) == derive.load(ROOT / "networks" / "two_layer_softmax.toml")


def test_the_kernel_is_the_generated_one() -> None:
    (kernel,) = [text for kind, text in BLOCKS if kind == "python" and "# (7)" in text]
    assert squeezed(kernel) in squeezed((ROOT / "generated" / "two_layer_softmax.py").read_text(encoding="utf-8"))


def test_the_formulas_are_the_documents() -> None:
    document = squeezed((ROOT / "docs" / "derivations" / "two_layer_softmax.md").read_text(encoding="utf-8").replace("&", ""))
    formulas = [part for text in re.findall(r"> \$\$(.*?)\$\$", README) for part in re.split(r"\\qquad|\\tag", text)]
    sides = [squeezed(f) for f in formulas if "=" in f]
    assert len(sides) == 5
    for side in sides:
        assert side in document


@pytest.mark.parametrize("text", [t for k, t in BLOCKS if k == "python" and "import" in t], ids=["module", "engine", "gradient"])
def test_the_programs_run(text: str, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout
