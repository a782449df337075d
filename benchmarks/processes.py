"""Servers and measured programs, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@contextmanager
def serving(module: str = "server", **options: float) -> Generator[str]:
    """Run a module that serves, and yield its URL."""
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def run(module: str, **arguments: object) -> Any:
    """Run a module of ours in a fresh process, and return the JSON that it prints last."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])
