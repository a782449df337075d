"""Tests of the two entry points of the command line: ``linq-async`` and ``python -m linq_async``."""

from __future__ import annotations

import io
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


SLOW = [
    pytest.param(command.split(), marks=pytest.mark.slow)
    for command in ("sandbox", "webhooks", "webhooks listen", "webhooks verify", "bulk", "bulk retry", "bulk report")
]


@pytest.mark.parametrize("columns", [60, pytest.param(80, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", [[], ["send"], ["doctor"], ["demo"], ["bulk", "send"], *SLOW], ids=" ".join)
def test_help_fits_into_the_terminal(columns: int, command: list[str]) -> None:
    """No line of a help text is wider than the terminal."""
    shown = subprocess.run(
        [sys.executable, "-m", "linq_async", *command, "--help"],
        env={**os.environ, "COLUMNS": str(columns)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "Exit codes:" in shown or command[0] in ("sandbox", "webhooks") or command in (["bulk"], ["bulk", "report"])
    assert [line for line in shown.splitlines() if len(line) > columns] == []
