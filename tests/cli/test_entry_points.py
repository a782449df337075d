"""Tests of the two entry points of the command line: ``linq-async`` and ``python -m linq_async``."""

from __future__ import annotations

import functools
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import linq_async.cli
from linq_async import __version__

MODULE = Path(linq_async.cli.__file__).parents[1] / "__main__.py"


def _run(monkeypatch: pytest.MonkeyPatch, start: Callable[[], object]) -> bytes:
    """Show the version on an ASCII terminal, and then print a character that it cannot encode."""
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # nothing to configure there
    monkeypatch.setattr(sys, "argv", ["linq-async", "--version"])
    with pytest.raises(SystemExit) as caught:
        start()
    assert not caught.value.code
    print("caf\u00e9")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "start", [linq_async.cli.main, lambda: runpy.run_path(str(MODULE), run_name="__main__")], ids=["script", "module"]
)
def test_command_line_starts(monkeypatch: pytest.MonkeyPatch, start: Callable[[], object]) -> None:
    """Both entry points run the command, flush each line, and escape what the terminal cannot encode."""
    output = _run(monkeypatch, start)
    assert output.startswith(f"linq-async {__version__}".encode())
    assert output.endswith(b"caf\\xe9\n")


def test_import_runs_nothing() -> None:
    """Importing the module does not run the command line."""
    runpy.run_path(str(MODULE), run_name="linq_async.__main__")


def test_missing_module_of_another_package_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a missing typer or rich is reported as the missing extra: any other import error is raised."""
    monkeypatch.setitem(sys.modules, "linq_async.cli.app", None)
    with pytest.raises(ModuleNotFoundError, match=r"linq_async\.cli\.app"):
        linq_async.cli.main()


COMMANDS = [
    *("", "send", "doctor", "demo", "sandbox", "webhooks", "webhooks listen", "webhooks verify"),
    *("bulk", "bulk send", "bulk retry", "bulk report", "queue", "queue dead", "queue retry"),
]
HELP = """
import contextlib, io, json, sys
import linq_async.cli

shown = {}
for command in json.loads(sys.argv[1]):
    sys.argv = ["linq-async", *command.split(), "--help"]
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())) as out, contextlib.suppress(SystemExit):
        linq_async.cli.main()
    out.seek(0)
    shown[command] = out.read()
print(json.dumps(shown))
"""


@functools.cache
def help_texts(columns: int) -> dict[str, str]:
    """Return the help text of each command in a terminal of this width, which is read when a process starts."""
    shown = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps(COMMANDS)],
        env={**os.environ, "COLUMNS": str(columns)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    texts: dict[str, str] = json.loads(shown)
    return texts


@pytest.mark.parametrize("columns", [60, pytest.param(80, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_into_the_terminal(columns: int, command: str) -> None:
    """No line of a help text is wider than the terminal."""
    shown = help_texts(columns)[command]
    assert "Usage: " in shown
    assert (
        "Exit codes:" in shown
        or command.startswith(("sandbox", "webhooks"))
        or command in ("bulk", "bulk report", "queue")
    )
    assert [line for line in shown.splitlines() if len(line) > columns] == []
