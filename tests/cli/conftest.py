"""Fixtures for the command line. The sandbox runs in a thread, because each command runs its own event loop."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linq_async.cli.app import app
from linq_async.sandbox import Sandbox
from linq_async.sandbox.threaded import ThreadedSandbox

TOKEN = "secret-token-4711"
# click before 8.2 mixes standard error into standard output by default.
SEPARATE: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _default_sigint_handler() -> Iterator[None]:
    """Handle SIGINT by default. A shell that runs the tests in the background makes them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox until the test ends."""
    with ThreadedSandbox(token=TOKEN) as server:
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, without settings in its environment, and check that it shows no token."""
    for name in ("LINQ_BASE_URL", "LINQ_INTEGRATION_TOKEN", "LINQ_SEND_FROM", "LINQ_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, env: dict[str, str] | None = None, stdin: str | None = None) -> Result:
        result = CliRunner(**SEPARATE).invoke(app, list(arguments), env=env, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert TOKEN not in result.stdout + result.stderr
        return result

    return invoke


@pytest.fixture
def sandbox_env(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment that points to the sandbox."""
    return {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": sandbox.token}
