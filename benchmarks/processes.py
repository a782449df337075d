"""Run servers and workers in processes of their own."""

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
    """Run a server module, and yield its URL."""
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def run(module: str, **arguments: object) -> Any:
    """Run a benchmark module as a worker, and return the JSON value that it prints last."""
    command = [sys.executable, "-m", f"benchmarks.{module}", json.dumps(arguments)]
    completed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(completed.stdout.splitlines()[-1])
