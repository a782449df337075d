"""Tests of what ``linq-async send`` reads from files, standard input and the environment."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from linq_async.cli import inputs
from linq_async.sandbox import Sandbox

from .conftest import TOKEN, Run

SENDER, RECIPIENT, ANOTHER = "+15175269229", "+13343284472", "+13344713465"
ARGUMENTS = ("send", "--from", SENDER, "--text", "Hello!")


def test_recipients_from_a_file(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path) -> None:
    """--to-file adds one recipient per line to those given by --to, and ignores blank lines."""
    file = tmp_path / "to"
    file.write_text(f"\ufeff{RECIPIENT}\r\n\n  sam@example.com  \n", encoding="utf-8")
    result = run(*ARGUMENTS, "--to", ANOTHER, "--to-file", str(file), env=sandbox_env)
    assert result.exit_code == 0, result.output
    assert set(sandbox.messages[0].recipients) == {RECIPIENT, ANOTHER, "sam@example.com"}


def test_recipients_from_standard_input(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """--to-file - reads standard input, so that no number appears in the process list."""
    result = run(*ARGUMENTS, "--to-file", "-", env=sandbox_env, stdin=f"{RECIPIENT}\n")
    assert result.exit_code == 0, result.output
    assert sandbox.messages[0].recipients == (RECIPIENT,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"\n \n", "contains no recipient"),
        (b"\xff\xfe", "not valid UTF-8"),
        (b"1" * (2 << 20), "1 MiB"),
    ],
)
def test_unusable_recipients_file(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """A recipients file that cannot be used is a usage error, and nothing is sent."""
    file = tmp_path / "to"
    if content is not None:
        file.write_bytes(content)
    result = run(*ARGUMENTS, "--to-file", str(file), env=sandbox_env)
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    assert reason in result.stderr


def test_standard_input_can_be_read_once(run: Run) -> None:
    """Text and recipients cannot both come from standard input."""
    result = run("send", "--from", SENDER, "--text", "-", "--to-file", "-", stdin="Hello!")
    assert result.exit_code == 2
    assert "cannot both read standard input" in result.stderr


def test_sender_from_the_environment(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """LINQ_SEND_FROM is used if --from is not given, and --from wins."""
    env = {**sandbox_env, "LINQ_SEND_FROM": sandbox.phone_numbers[1]}
    for arguments in ((), ("--from", SENDER)):
        result = run("send", *arguments, "--to", RECIPIENT, "--text", "Hello!", env=env)
        assert result.exit_code == 0, result.output
    assert [message.send_from for message in sandbox.messages] == [sandbox.phone_numbers[1], SENDER]


def test_endless_standard_input(run: Run) -> None:
    """Standard input is read up to a limit."""
    result = run("send", "--from", SENDER, "--to", RECIPIENT, "--text", "-", stdin="a" * ((1 << 20) + 1))
    assert result.exit_code == 2
    assert "standard input is larger than 1 MiB" in result.stderr


class _Terminal(io.StringIO):
    """Standard input at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "prompts"), [(_Terminal("Hello!\n"), 1), (io.StringIO("Hello!\n"), 0)])
def test_prompt_at_a_terminal(
    typed: io.StringIO, prompts: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a terminal, a prompt on standard error says what to type and how to end it; a pipe gets no prompt."""
    monkeypatch.setattr("sys.stdin", typed)
    assert inputs.read_text("-") == "Hello!"
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("Type the message; end with Ctrl-D")) == ("", prompts)


@pytest.mark.skipif(os.name == "nt", reason="file modes do not show it on Windows")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_exposed_token_file(run: Run, sandbox: Sandbox, tmp_path: Path, mode: int, *, warned: bool) -> None:
    """Both send and doctor warn if other users can read or change the token file, but use it."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(mode)
    env = {"LINQ_BASE_URL": sandbox.base_url}
    sent = run(*ARGUMENTS, "--to", RECIPIENT, "--token-file", str(file), env=env)
    assert (sent.exit_code, "warning: other users" in sent.stderr) == (0, warned)
    checked = run("doctor", "--token-file", str(file), env=env)
    assert (checked.exit_code, "other users can read the token file" in checked.stdout) == (0, warned)
