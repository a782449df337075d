"""What all commands share: wrong calls in JSON, completion, and an output that cannot be written."""

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
def test_a_wrong_call_in_json(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """With --json a wrong call is one JSON object on standard output, beside the words for people."""
    result = run(*arguments, "--json")
    error = json.loads(result.stdout)["error"]
    assert (error["type"], error["outcome"], error["exit_code"]) == ("UsageError", "not_sent", 2)
    assert (error["idempotency_key"], error["attempts"], result.exit_code) == (None, 0, 2)
    assert words in error["message"]
    assert words.rpartition(" ")[2] in result.stderr


def test_without_json_nothing_is_written_to_standard_output(run: Run) -> None:
    """A wrong call without --json is told on standard error alone, with all missing options at once."""
    result = run("send", "--name", "Us")
    assert (result.exit_code, result.stdout) == (2, "")
    for option in ("--from", "--to", "--text"):
        assert option in result.stderr


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version(run: Run, option: str) -> None:
    """Both options show the version."""
    result = run(option)
    assert (result.exit_code, result.stdout.split()[0]) == (0, "linq-async")


def test_completion(run: Run) -> None:
    """The command completes its own names in the shells, and shows the script for it."""
    env = {"_LINQ_ASYNC_COMPLETE": "complete_bash", "COMP_WORDS": "linq-async s", "COMP_CWORD": "1"}
    result = run(env=env)
    assert result.stdout.split() == ["send", "sandbox"] or result.stdout.split() == ["sandbox", "send"]
    assert "--install-completion" in run("--help").stdout


def test_errors_show_no_values_of_locals() -> None:
    """The tracebacks of the command line are the plain ones of Python, which show no values."""
    assert app.pretty_exceptions_enable is False


@pytest.fixture
def closed_pipe() -> Iterator[io.TextIOWrapper]:
    """Return a stream whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = open(writer, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  # closed below
    yield stream
    stream.close()


@pytest.mark.parametrize("arguments", [("demo",), ("--help",), ("send", "--help"), ("doctor",), ("doctor", "--json")])
def test_a_closed_pipe(
    closed_pipe: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A command whose reader has gone ends quietly, as SIGPIPE would end it."""
    monkeypatch.setenv("LINQ_BASE_URL", "not a URL")
    complaints = io.StringIO()
    monkeypatch.setattr(sys, "stdout", closed_pipe)
    monkeypatch.setattr(sys, "stderr", complaints)
    with pytest.raises(SystemExit) as ended:
        app(arguments, prog_name="linq-async")
    assert (ended.value.code, complaints.getvalue()) == (141, "")


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_device() -> None:
    """A command that cannot write says so in one line, and fails."""
    with FULL.open("w") as full:
        command = (sys.executable, "-m", "linq_async", "--help")
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "cannot write the output: No space left on device\n")
