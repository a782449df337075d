"""A large file takes little memory and does not block the loop, measured in a separate process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import linq_async

HERE = Path(__file__).parent
SIZE = 512 << 20
MAX_GROWTH_MIB = 8.0
BUDGET_MS = 20.0
MAX_LAG_MS = 60.0
"""Well over the budget: the machine may be busy with other tests."""
SUMMARY = (
    "512 MiB, attempts %(attempts)s: +%(growth_mib).1f MiB peak RSS, worst lag %(worst_lag_ms).1f ms "
    "(idle before: %(idle_lag_ms).1f ms), %(mb_per_s).0f MB/s"
)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(linq_async.__file__).parent.parent)}


@contextmanager
def counting_server(*statuses: int) -> Generator[str]:
    """Run the server in a separate process, and yield its URL."""
    command = [sys.executable, str(HERE / "large_file_server.py"), "201", "201", *map(str, statuses)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def measured(path: Path) -> dict[str, Any]:
    """Send the file in a separate process, once directly and once after a 503; return the measurements."""
    with counting_server(201, 503) as url:
        command = [sys.executable, str(HERE / "large_file_client.py"), url, str(path), str(SIZE)]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_large_file_takes_little_memory_and_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sending 512 MiB, even with a retry, takes little memory and, in the best of three runs, little lag."""
    path = tmp_path / "large.mov"
    with path.open("wb") as file:
        file.truncate(SIZE)
    best = MAX_LAG_MS + 1
    for _ in range(3):
        found = measured(path)
        with capsys.disabled():
            print("\n" + SUMMARY % found, end=" ")
        assert found["attempts"] == [1, 2]
        assert found["growth_mib"] <= MAX_GROWTH_MIB
        best = min(best, found["worst_lag_ms"])
        if best <= BUDGET_MS:
            break
    assert best <= MAX_LAG_MS
