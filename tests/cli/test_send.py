"""Tests of ``linq-async send``: what it sends, what it shows, and its exit codes."""

from __future__ import annotations

import io
import json
import logging
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from linq_async.cli import send as send_module
from linq_async.client import LinqClient
from linq_async.config import RetryPolicy
from linq_async.sandbox import Sandbox

from .conftest import TOKEN, Run

SENDER, RECIPIENT = "+15175269229", "+13343284472"
ARGUMENTS = ("send", "--from", SENDER, "--to", RECIPIENT, "--text", "Hello!")


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable retries, so that no test waits."""

    def client(*arguments: Any, **options: Any) -> LinqClient:
        return LinqClient(*arguments, **options, retry=RetryPolicy.none())

    monkeypatch.setattr(send_module, "LinqClient", client)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command retry at once."""

    def client(*arguments: Any, **options: Any) -> LinqClient:
        return LinqClient(*arguments, **options, retry=RetryPolicy(initial_delay=0.0))

    monkeypatch.setattr(send_module, "LinqClient", client)


def test_shows_the_ids(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """The message is stored as given, and the ids, service, status, key and attempts are shown."""
    result = run(*ARGUMENTS, "--to", "sam@example.com", "--name", "Us", "--key", "order-1", env=sandbox_env)
    assert result.exit_code == 0
    (message,) = sandbox.messages
    assert (message.text, message.send_from, message.idempotency_key) == ("Hello!", SENDER, "order-1")
    assert set(message.recipients) == {RECIPIENT, "sam@example.com"}
    assert sandbox.chats[0].display_name == "Us"
    words = result.stdout.split()
    for shown in (str(message.id), str(message.chat_id), "iMessage", "order-1"):
        assert shown in words
    assert result.stdout.splitlines()[0] == "sent"
    assert result.stderr == ""


def test_same_key_is_stored_once(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Running a command again with its key stores one message."""
    for _ in range(2):
        assert run(*ARGUMENTS, "--key", "order-1", env=sandbox_env).exit_code == 0
    assert len(sandbox.messages) == 1


def test_reused_key_is_not_reported_as_sent(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Another text under a used key exits with 3, and once it is surely unsent, with 1 and advice to use another."""
    assert run(*ARGUMENTS, "--key", "order-1", env=sandbox_env).exit_code == 0
    bye = ("send", "--from", SENDER, "--to", RECIPIENT, "--text", "Bye!", "--key", "order-1")
    at_once = run(*bye, env=sandbox_env)
    assert (at_once.exit_code, "--key of its own" in at_once.stderr) == (3, False)
    assert at_once.stderr.startswith("outcome unknown: the key may belong to an earlier message")
    sandbox.messages[0].sent_at -= timedelta(minutes=1)
    later = run(*bye, env=sandbox_env)
    assert (later.exit_code, "--key of its own" in later.stderr) == (1, True)
    assert later.stderr.startswith("not sent: the key belongs to an earlier message, which differs in its text;")
    for result in (at_once, later):
        assert f"message {sandbox.messages[0].id} in chat {sandbox.chats[0].id}" in result.stderr
        assert result.stdout == ""
    assert len(sandbox.messages) == 1


def test_replayed_message(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Running a command again later exits with 0, and shows that the server already had the message."""
    for replayed in (False, True):
        result = run(*ARGUMENTS, "--key", "order-1", env=sandbox_env)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "sent")
        assert ("replayed" in result.stdout) is replayed
        sandbox.messages[0].sent_at -= timedelta(minutes=1)


@pytest.mark.parametrize("key", [(), ("--key", "order-1")])
def test_server_that_rewrites_texts(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], key: tuple[str, ...]
) -> None:
    """A message whose text the server rewrites counts as sent, and the exit code is 0."""
    sandbox._state.normalise = lambda text: f"{text[:3]}\u2019 Reply STOP"
    result = run(*ARGUMENTS, *key, env=sandbox_env)
    assert (result.exit_code, result.stdout.splitlines()[0], result.stderr) == (0, "sent", "")


@pytest.mark.usefixtures("one_attempt")
def test_no_new_key_while_the_outcome_is_unknown(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A lost message that the server truncated stays unknown under its key, exits with 3, and suggests no new key."""
    sandbox._state.normalise = lambda text: text[:3]
    sandbox.faults.drop_after_storing()
    assert run(*ARGUMENTS, "--key", "order-1", env=sandbox_env).exit_code == 3
    sandbox.messages[0].sent_at -= timedelta(minutes=1)
    result = run(*ARGUMENTS, "--key", "order-1", "--json", env=sandbox_env)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], error["outcome"]) == (3, "KeyReusedError", "unknown")
    message_id, chat_id = sandbox.messages[0].id, sandbox.chats[0].id
    assert (error["message_id"], error["chat_id"]) == (message_id, chat_id)
    assert error["shown"] == f"message {message_id} in chat {chat_id}"
    assert "--key" not in result.stderr


def test_warns_of_what_the_response_lacks(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recipients and attachments missing from the response are counted once on standard error, with exit code 0."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process that has not configured logging
    logged = io.StringIO()
    monkeypatch.setattr(logging, "lastResort", logging.StreamHandler(logged))
    handles = [{"id": 1, "phone_number": RECIPIENT}]
    shown: dict[str, Any] = {
        "id": 45,
        "chat_handles": handles,
        "chat_messages": {"id": 7, "text": "Hello!", "attachments": []},
    }
    sandbox.faults.answer(200, json={"data": shown})
    more = ("--to", "sam@example.com", "--attach-url", "https://example.com/menu.pdf")
    result = run(*ARGUMENTS, *more, env=sandbox_env)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "sent")
    assert result.stderr.splitlines() == [
        "warning: the response does not show 1 of the attachments",
        "warning: the response does not show 1 of the recipients",
    ]
    assert logged.getvalue() == ""


def test_result_in_json(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """With --json, standard output is one JSON object, and standard error is empty."""
    result = run(*ARGUMENTS, "--json", env=sandbox_env)
    report = json.loads(result.stdout)
    assert report["message"]["id"] == sandbox.messages[0].id
    assert report["idempotency_key"] == sandbox.messages[0].idempotency_key
    assert (report["attempts"], result.stderr, result.exit_code) == (1, "", 0)


def test_text_from_standard_input(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """The text "-" reads standard input, without its last line break."""
    result = run("send", "--from", SENDER, "--to", RECIPIENT, "--text", "-", env=sandbox_env, stdin="Line 1\nLine 2\n")
    assert result.exit_code == 0
    assert sandbox.messages[0].text == "Line 1\nLine 2"


def test_attaches_files_and_urls(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path) -> None:
    """Files are uploaded unchanged, and URLs are passed on."""
    file = tmp_path / "quote.pdf"
    file.write_bytes(b"%PDF-1.4 not much")
    url = "https://example.com/menu.pdf"
    result = run(*ARGUMENTS, "--attach", str(file), "--attach-url", url, env=sandbox_env)
    assert result.exit_code == 0
    uploaded, linked = sorted(sandbox.messages[0].attachments, key=lambda one: one.file is None)
    assert (uploaded.filename, uploaded.content_type, uploaded.read()) == (
        "quote.pdf",
        "application/pdf",
        b"%PDF-1.4 not much",
    )
    assert linked.url == url


def test_token_from_a_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """--token-file is read without its line break, and wins over the environment."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": "another"}
    assert run(*ARGUMENTS, "--token-file", str(file), env=env).exit_code == 0
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"\xff\xfe", "not valid UTF-8"),
        (b"x" * 20_000, "too long"),
        (b"a b", "whitespace"),
    ],
)
def test_unusable_token_file(run: Run, sandbox: Sandbox, tmp_path: Path, content: bytes | None, reason: str) -> None:
    """A token file that cannot be used is a usage error with a reason, and nothing is sent."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    result = run(*ARGUMENTS, "--token-file", str(file), env={"LINQ_BASE_URL": sandbox.base_url})
    assert (result.exit_code, reason in result.stderr, len(sandbox.requests)) == (2, True, 0)


@pytest.mark.usefixtures("one_attempt")
def test_unknown_outcome_exits_with_3_and_the_key(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A send whose response is lost exits with 3 and shows the key, and a retry with that key stores nothing new."""
    sandbox.faults.drop_after_storing()
    result = run(*ARGUMENTS, env=sandbox_env)
    key = sandbox.messages[0].idempotency_key
    assert key is not None
    assert result.exit_code == 3
    assert f"--key {key}" in result.stderr
    assert result.stderr.startswith("outcome unknown: ")
    assert result.stdout == ""
    assert run(*ARGUMENTS, "--key", key, env=sandbox_env).exit_code == 0
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("one_attempt")
def test_failure_in_json(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """With --json, a failure is a JSON object with outcome, key and exit code, next to the text on standard error."""
    sandbox.faults.answer(503)
    result = run(*ARGUMENTS, "--json", "--key", "order-1", env=sandbox_env)
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "ServerError"
    assert (error["outcome"], error["idempotency_key"], error["status"]) == ("unknown", "order-1", 503)
    assert error["exit_code"] == result.exit_code == 3
    assert (error["attempts"], error["operation"]) == (1, "chats.create")
    assert "--key order-1" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_unreadable_response_exits_with_4(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A 2xx that cannot be decoded exits with 4 and warns against sending it again."""
    sandbox.faults.answer(200, json={"data": {}})
    result = run(*ARGUMENTS, env=sandbox_env)
    assert result.exit_code == 4
    assert "do not send it again" in result.stderr


def test_rejected_token_exits_with_1(run: Run, sandbox: Sandbox) -> None:
    """A 401 exits with 1, quotes the server, and refers to the doctor."""
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": "a-wrong-one"}
    result = run(*ARGUMENTS, env=env)
    assert result.exit_code == 1
    assert "the server says: " in result.stderr
    assert "error.errors" not in result.stderr
    assert "linq-async doctor" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_rate_limit_shows_the_wait(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """A 429 shows how long to wait."""
    sandbox.faults.answer(429, headers={"Retry-After": "17"})
    result = run(*ARGUMENTS, env=sandbox_env)
    assert result.exit_code == 1
    assert "Retry in 17 s" in result.stderr


@pytest.mark.usefixtures("no_waits")
def test_retry_is_shown_at_once(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Each retry is shown on standard error before the wait, with its reason."""
    sandbox.faults.answer(503)
    result = run(*ARGUMENTS, env=sandbox_env)
    assert result.exit_code == 0
    assert result.stderr == "attempt 1: 503; retrying in 0.0 s\n"


def test_no_token(run: Run, sandbox: Sandbox) -> None:
    """Without a token nothing is sent, and the exit code is 2."""
    result = run(*ARGUMENTS, env={"LINQ_BASE_URL": sandbox.base_url})
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    assert "LINQ_INTEGRATION_TOKEN" in result.stderr


def test_invalid_arguments_are_named_as_options(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Arguments that the client rejects are named as options of the command, with exit code 2."""
    arguments = ("send", "--from", "", "--to", RECIPIENT, "--to", "", "--text", "", "--key", "a b")
    result = run(*arguments, env=sandbox_env)
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    for named in ("--from must", "--to number 2 must", "--text must", "--key must"):
        assert named in result.stderr


def test_missing_file(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], tmp_path: Path) -> None:
    """An attachment that does not exist exits with 2, as a missing --to-file does, and nothing is sent."""
    result = run(*ARGUMENTS, "--attach", str(tmp_path / "none.pdf"), env=sandbox_env)
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    assert "--attach none.pdf does not exist" in result.stderr


def test_missing_option_exits_with_2(run: Run) -> None:
    """A command without a recipient is a usage error."""
    assert run("send", "--from", SENDER, "--text", "Hello!").exit_code == 2


def test_no_option_takes_the_token(run: Run) -> None:
    """The token cannot be passed as an argument, which other users of the machine could read."""
    result = run(*ARGUMENTS, "--token", TOKEN)
    assert result.exit_code == 2
    assert TOKEN not in result.output


def test_help_documents_the_exit_codes(run: Run) -> None:
    """The help lists each exit code with its meaning."""
    shown = run("send", "--help").stdout
    for line in (
        "  0  success",
        "  1  failed",
        "  2  usage error",
        "  3  may have been sent",
        "  4  sent",
    ):
        assert line in shown


@pytest.mark.usefixtures("one_attempt")
@pytest.mark.parametrize("as_json", [False, True])
def test_echoed_token(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], *, as_json: bool) -> None:
    """The token is not shown, even if the server's error repeats it."""
    echo = {"errors": [{"status": 400, "code": "bad", "title": TOKEN, "detail": f"the token {TOKEN} is odd"}]}
    sandbox.faults.answer(400, json=echo)
    result = run(*ARGUMENTS, *(["--json"] if as_json else []), env=sandbox_env)
    assert TOKEN not in result.output
    assert "<token> is odd" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_server_text_cannot_control_the_terminal(run: Run, sandbox: Sandbox, sandbox_env: dict[str, str]) -> None:
    """Control characters in the server's message are escaped, and markup is shown as it is."""
    echo = {"errors": [{"status": 422, "detail": "\x1b[31m[red]no[/red]\r\n"}]}
    sandbox.faults.answer(422, json=echo)
    result = run(*ARGUMENTS, env=sandbox_env)
    assert "the server says: \\x1b[31m[red]no[/red]\\r\\n" in result.stderr


def test_bug_does_not_look_unsent(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception after the message was sent exits with the code of the last known outcome."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("linq_async.wire.result.CallResult.decode", broken)
    result = run(*ARGUMENTS, "--key", "order-1", env=sandbox_env)
    assert len(sandbox.messages) == 1
    assert result.exit_code == 4
    assert "unexpected ZeroDivisionError" in result.stderr


def test_interrupted_send_shows_its_key(
    run: Run, sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send interrupted by Ctrl-C while the server works exits with 3 and shows the key."""
    sandbox.faults.delay(5.0)
    seen = sandbox.faults.take

    def interrupting(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return seen(*arguments)

    monkeypatch.setattr(sandbox.faults, "take", interrupting)
    result = run(*ARGUMENTS, "--key", "order-1", env=sandbox_env)
    assert result.exit_code == 3
    assert "interrupted" in result.stderr
    assert "--key order-1" in result.stderr
