"""Tests of what all commands share: usage errors in JSON, completion, and output that cannot be written."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linq_async.cli.app import app

from .conftest import Run

SENDER, RECIPIENT = "+15175269229", "+13343284472"
FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send",), "Missing options: --from (or LINQ_SEND_FROM), --to (or --to-file), --text."),
        (("send", "--to", RECIPIENT, "--text", "Hello!"), "Missing option: --from (or LINQ_SEND_FROM)."),
        (("send", "--nonsense"), "--nonsense"),
        (("doctor", "--nonsense"), "--nonsense"),
        (("nonsense",), "nonsense"),
        (("--nonsense", "send"), "--nonsense"),
    ],
)
def test_usage_error_in_json(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """With --json, a usage error is one JSON object on standard output, next to the message on standard error."""
    result = run(*arguments, "--json")
    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["outcome"], error["exit_code"]) == ("UsageError", "not_sent", 2)
    assert (error["idempotency_key"], error["attempts"], result.exit_code) == (None, 0, 2)
    assert words in error["message"]
    assert words.rpartition(" ")[2] in result.stderr


def test_usage_error_in_json_names_the_key(run: Run) -> None:
    """The key of a send with missing options is in its JSON, as it is in that of any other failure."""
    result = run("send", "--to", RECIPIENT, "--key", "order-1", "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], error["idempotency_key"]) == (2, "UsageError", "order-1")


def test_usage_error_without_json(run: Run) -> None:
    """Without --json, a usage error is written to standard error only, and names all missing options."""
    result = run("send", "--name", "Us")
    assert (result.exit_code, result.stdout) == (2, "")
    for option in ("--from", "--to", "--text"):
        assert option in result.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(run: Run, option: str) -> None:
    """Both spellings of the option show the version."""
    result = run(option)
    assert (result.exit_code, result.stdout.split()[0]) == (0, "linq-async")


def test_completion(run: Run) -> None:
    """Commands complete in the shell, and the help names the option that installs completion."""
    env = {"_LINQ_ASYNC_COMPLETE": "complete_bash", "COMP_WORDS": "linq-async s", "COMP_CWORD": "1"}
    result = run(env=env)
    assert result.stdout.split() == ["send", "sandbox"] or result.stdout.split() == ["sandbox", "send"]
    assert "--install-completion" in run("--help").stdout


def test_tracebacks_hide_locals() -> None:
    """Tracebacks are the plain ones of Python, which do not show the values of locals."""
    assert app.pretty_exceptions_enable is False


@pytest.fixture
def closed_pipe() -> Iterator[io.TextIOWrapper]:
    """Yield a stream whose reader is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # closed below
    yield stream
    stream.close()


@pytest.mark.parametrize("arguments", [("demo",), ("--help",), ("send", "--help"), ("doctor",), ("doctor", "--json")])
def test_closed_pipe(
    closed_pipe: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A command that writes to a closed pipe exits silently, with the code for SIGPIPE."""
    monkeypatch.setenv("LINQ_BASE_URL", "not a URL")
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(SystemExit) as exit_info:
        app(arguments, prog_name="linq-async")
    assert (exit_info.value.code, errors.getvalue()) == (141, "")


@pytest.mark.parametrize("arguments", [("send", "--json"), ("nonsense", "--json")])
def test_usage_error_and_a_closed_pipe(
    closed_pipe: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A usage error whose JSON cannot be written to a pipe is shown, and the exit code is that for SIGPIPE."""
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    monkeypatch.setattr(sys, "stderr", errors)
    with pytest.raises(SystemExit) as exit_info:
        app(arguments, prog_name="linq-async")
    assert (exit_info.value.code, errors.getvalue().count("Error: ")) == (141, 1)


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="requires /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 1),
        (("send", "--json"), 2),
        (("nonsense", "--json"), 2),
        (("send", "--from", SENDER, "--to", RECIPIENT, "--text", "Hello!", "--json"), 2),
        (("send", "--from", SENDER, "--to", RECIPIENT, "--text", "Hello!", "--key", "bad key", "--json"), 2),
    ],
)
def test_full_device(arguments: tuple[str, ...], code: int) -> None:
    """A command whose output cannot be written says so in the last line on standard error, and keeps its exit code."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINQ_")}
    if "--key" in arguments:
        environment["LINQ_INTEGRATION_TOKEN"] = "a-token"
    with FULL.open("w") as full:
        command = (sys.executable, "-m", "linq_async", *arguments)
        completed = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert completed.returncode == code
    assert completed.stderr.endswith("cannot write the output: No space left on device\n")
    assert "Traceback" not in completed.stderr
