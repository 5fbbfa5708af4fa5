"""A child process, as the one that measures sees it: orders go in, answers come back, or an error that says what became of them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from benchmarks.peers import DoesNotFit

ROOT = Path(__file__).parent.parent


class Failed(Exception):
    """A child could not do what it was told: why, in one line."""


class Process:
    """Runs `benchmarks.child`, which is started when it is first needed, and again after it has died."""

    def __init__(self, environment: Mapping[str, str], log: IO[str], python: str = sys.executable) -> None:
        self.environment, self.log, self.python = environment, log, python
        self.child: subprocess.Popen[bytes] | None = None
        self.read = b""

    def send(self, **order: object) -> None:
        """Give an order; its answer must be taken before the next one. Raises Failed."""
        if self.child is None:
            command = [self.python, "-m", "benchmarks.child"]
            pipe = subprocess.PIPE
            self.child = subprocess.Popen(command, cwd=ROOT, env=dict(self.environment), stdin=pipe, stdout=pipe, stderr=self.log)
            self.read = b""
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(json.dumps(order).encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self._dead() from None

    def receive(self, seconds: float) -> Any:
        """The answer. Raises DoesNotFit, and Failed after an error, the child's death, or the given time."""
        assert self.child is not None
        assert self.child.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self.read:
            ready, _, _ = select.select([self.child.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.stop()
                raise Failed(f"no answer within {seconds:.0f} s")
            read = os.read(self.child.stdout.fileno(), 65536)
            if not read:
                raise self._dead()
            self.read += read
        line, _, self.read = self.read.partition(b"\n")
        answer = json.loads(line)
        if "unfit" in answer:
            raise DoesNotFit(answer["unfit"])
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["value"]

    def ask(self, seconds: float, **order: object) -> Any:
        """An order and its answer."""
        self.send(**order)
        return self.receive(seconds)

    def stop(self) -> None:
        """End the child."""
        if self.child is not None:
            self.child.kill()
            self.child.communicate()
            self.child = None

    def _dead(self) -> Failed:
        assert self.child is not None
        self.child.kill()
        self.child.communicate()
        status, self.child = self.child.returncode, None
        return Failed(f"its process ended with status {status}")
