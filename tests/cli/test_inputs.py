"""What ``linq-async send`` reads from files, from standard input and from the environment."""

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


def test_recipients_from_a_file(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], tmp_path: Path) -> None:
    """--to-file names recipients line by line, blank lines apart, beside those of --to."""
    file = tmp_path / "to"
    file.write_text(f"\ufeff{RECIPIENT}\r\n\n  sam@example.com  \n", encoding="utf-8")
    result = run(*ARGUMENTS, "--to", ANOTHER, "--to-file", str(file), env=to_sandbox)
    assert result.exit_code == 0, result.output
    assert set(sandbox.messages[0].recipients) == {RECIPIENT, ANOTHER, "sam@example.com"}


def test_recipients_from_standard_input(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """--to-file - reads standard input, so that no number is in the list of processes."""
    result = run(*ARGUMENTS, "--to-file", "-", env=to_sandbox, stdin=f"{RECIPIENT}\n")
    assert result.exit_code == 0, result.output
    assert sandbox.messages[0].recipients == (RECIPIENT,)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"\n \n", "names no recipient"), (b"\xff\xfe", "not text"), (b"1" * (2 << 20), "1 MiB")],
)
def test_an_unusable_file_of_recipients(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """A file of recipients that cannot be used is a wrong call, and nothing is sent."""
    file = tmp_path / "to"
    if content is not None:
        file.write_bytes(content)
    result = run(*ARGUMENTS, "--to-file", str(file), env=to_sandbox)
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    assert reason in result.stderr


def test_one_standard_input_for_two(run: Run) -> None:
    """Text and recipients cannot both come from standard input."""
    result = run("send", "--from", SENDER, "--text", "-", "--to-file", "-", stdin="Hello!")
    assert result.exit_code == 2
    assert "cannot both read standard input" in result.stderr


def test_the_sender_from_the_environment(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """LINQ_SEND_FROM is used if --from is not given, and --from wins."""
    env = {**to_sandbox, "LINQ_SEND_FROM": sandbox.phone_numbers[1]}
    for arguments in ((), ("--from", SENDER)):
        result = run("send", *arguments, "--to", RECIPIENT, "--text", "Hello!", env=env)
        assert result.exit_code == 0, result.output
    assert [message.send_from for message in sandbox.messages] == [sandbox.phone_numbers[1], SENDER]


class _Terminal(io.StringIO):
    """Standard input that a person types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "prompts"), [(_Terminal("Hello!\n"), 1), (io.StringIO("Hello!\n"), 0)])
def test_a_prompt_at_a_terminal(
    typed: io.StringIO, prompts: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody at a terminal is told what is waited for and how to end it, on standard error; a pipe is not."""
    monkeypatch.setattr("sys.stdin", typed)
    assert inputs.message_text("-") == "Hello!"
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("Type the message; end with Ctrl-D")) == ("", prompts)


@pytest.mark.skipif(os.name == "nt", reason="the mode of a file says nothing there")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_token_file_that_others_can_read(
    run: Run, sandbox: Sandbox, tmp_path: Path, mode: int, *, warned: bool
) -> None:
    """A token file whose mode lets others read it is used with a warning, by send and by doctor."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(mode)
    env = {"LINQ_BASE_URL": sandbox.base_url}
    sent = run(*ARGUMENTS, "--to", RECIPIENT, "--token-file", str(file), env=env)
    assert (sent.exit_code, "warning: other users" in sent.stderr) == (0, warned)
    checked = run("doctor", "--token-file", str(file), env=env)
    assert (checked.exit_code, "other users can read the token file" in checked.stdout) == (0, warned)
