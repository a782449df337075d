"""``linq-async send``: what it sends, what it says, and how it exits."""

from __future__ import annotations

import json
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
    """Let the command give up at the first failure, so that no test waits."""

    def client(*arguments: Any, **options: Any) -> LinqClient:
        return LinqClient(*arguments, **options, retry=RetryPolicy.none())

    monkeypatch.setattr(send_module, "LinqClient", client)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command repeat at once."""

    def client(*arguments: Any, **options: Any) -> LinqClient:
        return LinqClient(*arguments, **options, retry=RetryPolicy(initial_delay=0.0))

    monkeypatch.setattr(send_module, "LinqClient", client)


def test_sends_and_tells_the_ids(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """A send is stored as it was asked for, and the ids, service, status, key and attempts are shown."""
    result = run(*ARGUMENTS, "--to", "sam@example.com", "--name", "Us", "--key", "order-1", env=to_sandbox)
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


def test_the_same_key_is_stored_once(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """Repeating a command with its key sends nothing twice."""
    for _ in range(2):
        assert run(*ARGUMENTS, "--key", "order-1", env=to_sandbox).exit_code == 0
    assert len(sandbox.messages) == 1


def test_a_reused_key_is_not_called_sent(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """Another text under a used key exits with 1 and asks for another key only once it is certain that it is unsent."""
    assert run(*ARGUMENTS, "--key", "order-1", env=to_sandbox).exit_code == 0
    bye = ("send", "--from", SENDER, "--to", RECIPIENT, "--text", "Bye!", "--key", "order-1")
    at_once = run(*bye, env=to_sandbox)
    assert (at_once.exit_code, "--key of its own" in at_once.stderr) == (3, False)
    assert at_once.stderr.startswith("outcome unknown: the key may belong to an earlier message")
    sandbox.messages[0].sent_at -= timedelta(minutes=1)
    later = run(*bye, env=to_sandbox)
    assert (later.exit_code, "--key of its own" in later.stderr) == (1, True)
    assert later.stderr.startswith("not sent: the key belongs to an earlier message")
    for result in (at_once, later):
        assert f"message {sandbox.messages[0].id} in chat {sandbox.chats[0].id}" in result.stderr
        assert result.stdout == ""
    assert len(sandbox.messages) == 1


def test_a_repeated_key_says_that_the_server_had_it(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """A repeat of a message that was stored before exits with 0, and says that it was."""
    for replayed in (False, True):
        result = run(*ARGUMENTS, "--key", "order-1", env=to_sandbox)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "sent")
        assert ("replayed" in result.stdout) is replayed
        sandbox.messages[0].sent_at -= timedelta(minutes=1)


@pytest.mark.parametrize("key", [(), ("--key", "order-1")])
def test_a_server_that_rewrites_texts(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], key: tuple[str, ...]
) -> None:
    """A message that the server stores with another spelling was sent: the command says so, and exits with 0."""
    sandbox._state.normalise = lambda text: f"{text[:3]}\u2019 Reply STOP"
    result = run(*ARGUMENTS, *key, env=to_sandbox)
    assert (result.exit_code, result.stdout.splitlines()[0], result.stderr) == (0, "sent", "")


@pytest.mark.usefixtures("one_attempt")
def test_a_message_that_may_be_stored_is_given_no_new_key(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]
) -> None:
    """A lost message that the server has cut is repeated under its key as unknown, exit 3, and no new key is named."""
    sandbox._state.normalise = lambda text: text[:3]
    sandbox.faults.drop_after_storing()
    assert run(*ARGUMENTS, "--key", "order-1", env=to_sandbox).exit_code == 3
    sandbox.messages[0].sent_at -= timedelta(minutes=1)
    result = run(*ARGUMENTS, "--key", "order-1", "--json", env=to_sandbox)
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], error["outcome"]) == (3, "KeyReusedError", "unknown")
    assert error["shown"] == f"message {sandbox.messages[0].id} in chat {sandbox.chats[0].id}"
    assert "--key" not in result.stderr


def test_what_the_answer_lacks_is_warned_of(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """Recipients and attachments that the answer does not show are counted on standard error; the exit code is 0."""
    handles = [{"id": 1, "phone_number": RECIPIENT}]
    shown: dict[str, Any] = {
        "id": 45,
        "chat_handles": handles,
        "chat_messages": {"id": 7, "text": "Hello!", "attachments": []},
    }
    sandbox.faults.answer(200, json={"data": shown})
    more = ("--to", "sam@example.com", "--attach-url", "https://example.com/menu.pdf")
    result = run(*ARGUMENTS, *more, env=to_sandbox)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "sent")
    assert result.stderr.splitlines() == [
        "warning: the answer does not show 1 of the attachments",
        "warning: the answer does not show 1 of the recipients",
    ]


def test_json_is_one_object_alone(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """With --json, standard output is the result as one JSON object, and standard error stays empty."""
    result = run(*ARGUMENTS, "--json", env=to_sandbox)
    told = json.loads(result.stdout)
    assert told["message"]["id"] == sandbox.messages[0].id
    assert told["idempotency_key"] == sandbox.messages[0].idempotency_key
    assert (told["attempts"], result.stderr, result.exit_code) == (1, "", 0)


def test_text_from_standard_input(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """The text "-" reads standard input, without the last line's end."""
    result = run("send", "--from", SENDER, "--to", RECIPIENT, "--text", "-", env=to_sandbox, stdin="Line 1\nLine 2\n")
    assert result.exit_code == 0
    assert sandbox.messages[0].text == "Line 1\nLine 2"


def test_attaches_files_and_urls(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], tmp_path: Path) -> None:
    """Files are uploaded byte by byte, and URLs are handed over."""
    file = tmp_path / "quote.pdf"
    file.write_bytes(b"%PDF-1.4 not much")
    url = "https://example.com/menu.pdf"
    result = run(*ARGUMENTS, "--attach", str(file), "--attach-url", url, env=to_sandbox)
    assert result.exit_code == 0
    uploaded, linked = sorted(sandbox.messages[0].attachments, key=lambda one: one.file is None)
    assert (uploaded.filename, uploaded.content_type, uploaded.read()) == (
        "quote.pdf",
        "application/pdf",
        b"%PDF-1.4 not much",
    )
    assert linked.url == url


def test_token_from_a_file(run: Run, sandbox: Sandbox, tmp_path: Path) -> None:
    """--token-file is read, its line's end apart, and wins over the environment."""
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
        (b"\xff\xfe", "not text"),
        (b"x" * 20_000, "too long"),
        (b"a b", "whitespace"),
    ],
)
def test_an_unusable_token_file(run: Run, sandbox: Sandbox, tmp_path: Path, content: bytes | None, reason: str) -> None:
    """A token file that cannot be used is named as the fault, and nothing is sent."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    result = run(*ARGUMENTS, "--token-file", str(file), env={"LINQ_BASE_URL": sandbox.base_url})
    assert (result.exit_code, reason in result.stderr, len(sandbox.requests)) == (2, True, 0)


@pytest.mark.usefixtures("one_attempt")
def test_an_unknown_outcome_exits_with_3_and_the_key(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """A send whose answer is lost exits with 3 and names the key to repeat it with, and that key repeats it once."""
    sandbox.faults.drop_after_storing()
    result = run(*ARGUMENTS, env=to_sandbox)
    key = sandbox.messages[0].idempotency_key
    assert key is not None
    assert result.exit_code == 3
    assert f"--key {key}" in result.stderr
    assert result.stderr.startswith("outcome unknown: ")
    assert result.stdout == ""
    assert run(*ARGUMENTS, "--key", key, env=to_sandbox).exit_code == 0
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("one_attempt")
def test_a_failure_in_json(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """With --json a failure is a JSON object too, with its outcome, key and exit code, beside the words for people."""
    sandbox.faults.answer(503)
    result = run(*ARGUMENTS, "--json", "--key", "order-1", env=to_sandbox)
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "ServerError"
    assert (error["outcome"], error["idempotency_key"], error["status"]) == ("unknown", "order-1", 503)
    assert error["exit_code"] == result.exit_code == 3
    assert error["attempts"] == 1
    assert "--key order-1" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_an_unreadable_answer_exits_with_4(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """A 2xx that cannot be read exits with 4 and warns against sending it again."""
    sandbox.faults.answer(200, json={"data": {}})
    result = run(*ARGUMENTS, env=to_sandbox)
    assert result.exit_code == 4
    assert "do not send it again" in result.stderr


def test_a_refused_token_exits_with_1(run: Run, sandbox: Sandbox) -> None:
    """A 401 exits with 1, quotes the server, and points to the doctor."""
    env = {"LINQ_BASE_URL": sandbox.base_url, "LINQ_INTEGRATION_TOKEN": "a-wrong-one"}
    result = run(*ARGUMENTS, env=env)
    assert result.exit_code == 1
    assert "the server says: " in result.stderr
    assert "error.errors" not in result.stderr
    assert "linq-async doctor" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_too_many_requests_tells_the_wait(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """A 429 tells how long to wait."""
    sandbox.faults.answer(429, headers={"Retry-After": "17"})
    result = run(*ARGUMENTS, env=to_sandbox)
    assert result.exit_code == 1
    assert "Repeat it in 17 s" in result.stderr


@pytest.mark.usefixtures("no_waits")
def test_a_repeated_attempt_is_told_at_once(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """Who waits for a repeated attempt is told why, on standard error."""
    sandbox.faults.answer(503)
    result = run(*ARGUMENTS, env=to_sandbox)
    assert result.exit_code == 0
    assert result.stderr == "attempt 1: 503; again in 0.0 s\n"


def test_no_token(run: Run, sandbox: Sandbox) -> None:
    """Without a token nothing is sent, and the exit code is 2."""
    result = run(*ARGUMENTS, env={"LINQ_BASE_URL": sandbox.base_url})
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    assert "LINQ_INTEGRATION_TOKEN" in result.stderr


def test_refused_arguments_are_named_as_options(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """What the client refuses is told by the names of the options, with exit code 2."""
    arguments = ("send", "--from", "", "--to", RECIPIENT, "--to", "", "--text", "", "--key", "a b")
    result = run(*arguments, env=to_sandbox)
    assert (result.exit_code, len(sandbox.requests)) == (2, 0)
    for named in ("--from must", "--to number 2 must", "--text must", "--key must"):
        assert named in result.stderr


def test_a_missing_file(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], tmp_path: Path) -> None:
    """An attachment that is not there exits with 1, and nothing is sent."""
    result = run(*ARGUMENTS, "--attach", str(tmp_path / "none.pdf"), env=to_sandbox)
    assert (result.exit_code, len(sandbox.requests)) == (1, 0)
    assert "--attach none.pdf does not exist" in result.stderr


def test_a_missing_option_exits_with_2(run: Run) -> None:
    """A call without a recipient is a usage error."""
    assert run("send", "--from", SENDER, "--text", "Hello!").exit_code == 2


def test_no_option_takes_the_token(run: Run) -> None:
    """The token cannot be given as an argument, which other users of the machine could read."""
    result = run(*ARGUMENTS, "--token", TOKEN)
    assert result.exit_code == 2
    assert TOKEN not in result.output


def test_help_documents_the_exit_codes(run: Run) -> None:
    """The help lists every exit code with its meaning."""
    shown = run("send", "--help").stdout
    for line in (
        "  0  it worked",
        "  1  it failed",
        "  2  called wrongly",
        "  3  it may have been sent",
        "  4  it was sent",
    ):
        assert line in shown


@pytest.mark.usefixtures("one_attempt")
@pytest.mark.parametrize("as_json", [False, True])
def test_a_server_that_echoes_the_token(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], *, as_json: bool
) -> None:
    """The token is shown nowhere, even where the server's error repeats it."""
    echo = {"errors": [{"status": 400, "code": "bad", "title": TOKEN, "detail": f"the token {TOKEN} is odd"}]}
    sandbox.faults.answer(400, json=echo)
    result = run(*ARGUMENTS, *(["--json"] if as_json else []), env=to_sandbox)
    assert TOKEN not in result.output
    assert "<token> is odd" in result.stderr


@pytest.mark.usefixtures("one_attempt")
def test_server_text_cannot_steer_the_terminal(run: Run, sandbox: Sandbox, to_sandbox: dict[str, str]) -> None:
    """Control characters and markup in the server's words are shown as they are spelled."""
    echo = {"errors": [{"status": 422, "detail": "\x1b[31m[red]no[/red]\r\n"}]}
    sandbox.faults.answer(422, json=echo)
    result = run(*ARGUMENTS, env=to_sandbox)
    assert "the server says: \\x1b[31m[red]no[/red]\\r\\n" in result.stderr


def test_a_fault_of_our_own_does_not_look_unsent(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unforeseen exception after the message has left exits by what is known of it, with the key."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("linq_async.wire.answer.Answer.decode", broken)
    result = run(*ARGUMENTS, "--key", "order-1", env=to_sandbox)
    assert len(sandbox.messages) == 1
    assert result.exit_code == 4
    assert "unexpected ZeroDivisionError" in result.stderr


def test_an_interrupted_send_tells_its_key(
    run: Run, sandbox: Sandbox, to_sandbox: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that is broken off by Ctrl-C while the server works exits with 3 and the key."""
    sandbox.faults.delay(5.0)
    seen = sandbox.faults.take

    def interrupting(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return seen(*arguments)

    monkeypatch.setattr(sandbox.faults, "take", interrupting)
    result = run(*ARGUMENTS, "--key", "order-1", env=to_sandbox)
    assert result.exit_code == 3
    assert "interrupted" in result.stderr
    assert "--key order-1" in result.stderr
