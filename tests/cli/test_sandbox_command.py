"""Tests of ``linq-async sandbox``, and of commands as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from linq_async.cli.live import LiveOutput
from linq_async.cli.sandbox import delivery_line, greeting, request_line, subscribed
from linq_async.cli.sandbox_options import seconds_or_range
from linq_async.cli.sandbox_summary import RunSummary
from linq_async.sandbox import DEFAULT_TOKEN, KeepError, LoggedRequest, Sandbox, SandboxDelivery
from linq_async.webhooks import ContactCreated, unwrap

from .conftest import TOKEN, Run

PROGRAM = (sys.executable, "-W", "error", "-m", "linq_async")


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    """Run a sandbox command that writes to a pipe."""
    with started("--token", TOKEN, "--number", "+12025550199") as process:
        yield process
        process.kill()


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start a sandbox command on a free port."""
    return subprocess.Popen(
        [*PROGRAM, "sandbox", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def read_settings(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the greeting, and return the variables that it exports."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        words = line.split()
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            found[name] = value
        if words[:2] == ["linq-async", "send"]:
            process.stdout.readline()
            return found
    raise AssertionError(process.stderr.read() if process.stderr else "")


@pytest.mark.slow
def test_serves_until_ctrl_c(served: subprocess.Popen[str]) -> None:
    """The printed settings work for a send, each request is shown at once, and Ctrl-C stops it with exit code 0."""
    settings = read_settings(served)
    assert settings["LINQ_INTEGRATION_TOKEN"] == TOKEN
    text = "a text that is not logged"
    arguments = ["send", "--from", "+12025550199", "--to", "+13343284472", "--text", text, "--key", "order-1", "--json"]
    sent = subprocess.run(
        [*PROGRAM, *arguments], env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    assert (sent.returncode, sent.stderr) == (0, "")
    assert json.loads(sent.stdout)["idempotency_key"] == "order-1"
    assert TOKEN not in sent.stdout
    subprocess.run([*PROGRAM, *arguments], env={**os.environ, **settings}, capture_output=True, check=True)
    assert served.stdout is not None
    assert served.stdout.readline() == "POST /api/partner/v2/chats 200 key=order-1 attempt=1\n"
    assert served.stdout.readline() == "POST /api/partner/v2/chats 200 key=order-1 attempt=2 replayed\n"
    served.send_signal(signal.SIGINT)
    rest, errors = served.communicate(timeout=10)
    assert (served.returncode, errors) == (0, "")
    assert text not in rest
    assert rest.splitlines() == [
        "The sandbox has stopped. What it stored is gone.",
        "  messages    1 sent, 0 received, in 1 chat",
        "  requests    2, 0 failed",
        "  repeated    order-1 x2",
    ]


@pytest.mark.slow
def test_sigterm(served: subprocess.Popen[str]) -> None:
    """SIGTERM stops the sandbox as Ctrl-C does."""
    read_settings(served)
    served.terminate()
    _, errors = served.communicate(timeout=10)
    assert (served.returncode, errors) == (0, "")


def test_random_token_and_allowed_hosts() -> None:
    """Without --token a random token is printed and required; --allow-host admits a name, and only that name."""
    with started("--allow-host", "sandbox.internal") as process:
        settings = read_settings(process)
        token, url = settings["LINQ_INTEGRATION_TOKEN"], settings["LINQ_BASE_URL"]
        assert re.fullmatch("sandbox-[0-9a-f]{32}", token)
        statuses = [
            requests.get(
                f"{url}/api/partner/v2/phone_numbers",
                headers={"Host": host, "X-LINQ-INTEGRATION-TOKEN": given},
                timeout=5,
            ).status_code
            for host, given in (("sandbox.internal:80", token), ("evil.example", token), ("localhost", DEFAULT_TOKEN))
        ]
        process.kill()
    assert statuses == [200, 421, 401]


@pytest.fixture
def receiver() -> Iterator[WebhookServer]:
    """Run a receiver of webhooks in a thread."""
    with WebhookServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class WebhookServer(ThreadingHTTPServer):
    """Answers 200, and keeps the headers and the body of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), WebhookHandler)
        self.received: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class WebhookHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, WebhookServer)
        self.server.received.append((dict(self.headers.items()), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002


@pytest.mark.parametrize("arguments", [(), pytest.param(("--webhook-secret", "a-secret"), marks=pytest.mark.slow)])
def test_webhooks(receiver: WebhookServer, arguments: tuple[str, ...]) -> None:
    """--webhook delivers each event to the URL, signed with the secret that is printed, and shows each attempt."""
    with started("--webhook", receiver.url, *arguments) as process:
        settings = read_settings(process)
        secret = settings["LINQ_WEBHOOK_SECRET"]
        assert secret == arguments[-1] if arguments else re.fullmatch("[0-9a-f]{32}", secret)
        url = f"{settings['LINQ_BASE_URL']}/api/partner/v2/contacts"
        headers = {"X-LINQ-INTEGRATION-TOKEN": settings["LINQ_INTEGRATION_TOKEN"]}
        for status in (201, 422):
            contact = {"first_name": "Mira"} if status == 201 else {}
            assert requests.post(url, json={"contact": contact}, headers=headers, timeout=5).status_code == status
        assert process.stdout is not None
        lines = {process.stdout.readline() for _ in range(3)}
        process.kill()
    assert f"webhook contact.created to {receiver.url.removeprefix('http://')} 200 attempt=1\n" in lines
    ((given, body),) = receiver.received
    assert isinstance(unwrap(body, given, secret), ContactCreated)


def test_conditions() -> None:
    """--latency, --fail and --rate-limit apply to each request, and its line shows the status."""
    with started("--latency", "0.01-0.02", "--fail", "0.5", "--rate-limit", "0.01") as process:
        settings = read_settings(process)
        url = f"{settings['LINQ_BASE_URL']}/api/partner/v2/phone_numbers"
        headers = {"X-LINQ-INTEGRATION-TOKEN": settings["LINQ_INTEGRATION_TOKEN"]}
        responses = [requests.get(url, headers=headers, timeout=5) for _ in range(2)]
        shown = requests.get(f"{settings['LINQ_BASE_URL']}/_sandbox/", timeout=5).json()["conditions"]
        process.kill()
    assert [response.status_code for response in responses] == [200, 429]
    assert 90 < int(responses[1].headers["Retry-After"]) <= 100
    assert shown == {"latency": [0.01, 0.02], "fail": 0.5, "rate_limit": 0.01}


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), (".5", 0.5), ("0.05-0.3", (0.05, 0.3)), ("0-1", (0.0, 1.0))])
def test_seconds_or_range(text: str, seconds: object) -> None:
    """--latency reads a number, or two with a hyphen between them."""
    assert seconds_or_range(text) == seconds


@pytest.mark.slow
def test_keep(tmp_path: Path, receiver: WebhookServer) -> None:
    """With --keep, a later run has what an earlier one stored, and uses its subscription and secret."""
    arguments = ("--token", TOKEN, "--webhook", receiver.url, "--keep", str(tmp_path / "kept.db"))
    secrets: list[str] = []
    rest = ""
    for text in ("One", "Two"):
        with started(*arguments) as process:
            settings = read_settings(process)
            secrets.append(settings["LINQ_WEBHOOK_SECRET"])
            url = f"{settings['LINQ_BASE_URL']}/_sandbox/receive"
            requests.post(url, json={"from": "+13343284472", "text": text}, timeout=5).raise_for_status()
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=10)
            assert (process.returncode, errors) == (0, "")
    assert secrets[0] == secrets[1]
    assert [json.loads(body)["data"]["text"] for _, body in receiver.received] == ["One", "Two"]
    assert "  messages    0 sent, 2 received, in 1 chat\n" in rest
    assert f"The sandbox has stopped. What it stored is in {tmp_path / 'kept.db'}.\n" in rest


@pytest.mark.slow
def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """Whenever the sandbox is killed, each message whose response arrived is there again, and stored once."""
    stored: list[str] = []
    for run in range(5):
        with started("--token", TOKEN, "--keep", str(tmp_path / "kept.db")) as process:
            url = f"{read_settings(process)['LINQ_BASE_URL']}/api/partner/v2/chats"
            threading.Timer(0.1 + 0.07 * run, process.kill).start()
            for n in range(10_000):
                key = f"k-{run}-{n}"
                body: dict[str, Any] = {
                    "send_from": "+15175269229",
                    "chat": {"phone_numbers": ["+13343284472"]},
                    "message": {"text": key, "idempotency_key": key},
                }
                try:
                    response = requests.post(url, json=body, headers={"X-LINQ-INTEGRATION-TOKEN": TOKEN}, timeout=5)
                except requests.ConnectionError:
                    break
                assert response.status_code == 200
                stored.append(key)
            assert process.wait(timeout=10) == -signal.SIGKILL
    with started("--token", TOKEN, "--keep", str(tmp_path / "kept.db")) as process:
        url = f"{read_settings(process)['LINQ_BASE_URL']}/_sandbox/messages"
        found = [one["text"] for one in requests.get(url, params={"limit": 5_000}, timeout=5).json()["messages"]]
        process.kill()
    assert len(found) == len(set(found))
    assert set(stored) <= set(found)
    assert len(set(found) - set(stored)) <= 5  # those whose response was lost
    assert len(stored) > 20


def test_keep_refuses(run: Run, tmp_path: Path) -> None:
    """A file that is not a sandbox's is refused with the reason and exit code 2, and left as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("These are my notes. " * 100)
    path.chmod(0o600)
    result = run("sandbox", "--port", "0", "--keep", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"cannot keep what is stored in {path}: it is not a file of the sandbox\n"
    assert path.read_text() == "These are my notes. " * 100
    assert run("sandbox", "--port", "0", "--keep", str(tmp_path)).exit_code == 2


def test_keep_that_fails_at_the_end(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last changes cannot be written, that is said, and the exit code is 1."""
    close = Sandbox.close

    async def closed(server: Sandbox) -> None:
        await close(server)
        raise KeepError("it cannot be used: disk full")

    async def served(*_: object) -> None:
        raise KeepError("it cannot be used: disk full")

    monkeypatch.setattr(Sandbox, "close", closed)
    monkeypatch.setattr(LiveOutput, "wait", served)
    result = run("sandbox", "--port", "0", "--keep", str(tmp_path / "kept.db"))
    assert (result.exit_code, result.stderr.count("disk full")) == (1, 1)


@pytest.mark.asyncio
async def test_subscription_of_an_earlier_run() -> None:
    """A subscription is used again unless another secret is given; others to the same URL are replaced."""
    async with Sandbox() as server:
        first = await subscribed(server, "http://127.0.0.1:9/a", None)
        assert await subscribed(server, "http://127.0.0.1:9/a", None) == first
        assert await subscribed(server, "http://127.0.0.1:9/a", first.secret) == first
        other = await subscribed(server, "http://127.0.0.1:9/a", "another")
        assert server.subscriptions == [other]
        await subscribed(server, "http://127.0.0.1:9/b", None)
        assert len(server.subscriptions) == 2


def logged(status: int | None, fault: str | None = None, key: str | None = None, attempt: int = 1) -> LoggedRequest:
    """Make an entry of the log."""
    return LoggedRequest(
        method="POST",
        path="/",
        query="",
        content_type="",
        request_id="sandbox-1",
        status=status,
        fault=fault,
        idempotency_key=key,
        attempt=attempt,
    )


def test_summary_lines() -> None:
    """The summary counts failures by kind, the keys with the most attempts, and failed deliveries."""
    summary = RunSummary()
    for entry in (
        logged(200),
        logged(302),
        logged(503, "answer 503"),
        logged(503, "delay 3 + answer 503"),
        logged(429, "answer 429 (rate limit)"),
        logged(None, "drop_before_storing"),
        logged(None, "delay 0.5 + drop_after_storing"),
        logged(200, "cut_body"),
        logged(200, "wrong_answer"),
        logged(None),
        *[logged(200, None, f"k-{n}", attempt) for n in range(7) for attempt in range(1, n + 1)],
        logged(200, None, "\x1b[2J" + "k" * 1_000, 30),
    ):
        summary.add_request(entry)
    for status in (200, 500, None):
        summary.add_delivery(delivery(status))
    assert summary.lines(Sandbox()) == [
        "  messages    0 sent, 0 received, in 0 chats",
        "  requests    32, 8 failed",
        (
            "  failures    503 x2, 429 x1, reset before storing x1, reset after storing x1, response cut x1,"
            " response not as documented x1, client left x1"
        ),
        "  repeated    \\x1b[2J" + "k" * 56 + " x30, k-6 x6, k-5 x5, k-4 x4, k-3 x3, and 1 more keys",
        "  webhooks    3 attempts, 2 failed",
    ]


def test_summary_stays_small() -> None:
    """Of endless keys, only the latest are remembered."""
    summary = RunSummary()
    for n in range(10_010):
        summary.add_request(logged(200, None, f"k-{n}", 2))
    assert len(summary.attempts) == 10_000
    assert "k-9" not in summary.attempts
    assert summary.lines(Sandbox())[-1].endswith("and 9995 more keys")


URL = "http://127.0.0.1:8000/linq/webhooks"


def delivery(status: int | None, error: str | None = None, url: str = URL) -> SandboxDelivery:
    """Make an attempt to deliver a webhook."""
    return SandboxDelivery(
        number=1,
        subscription_id=640,
        url=url,
        event_type="message.sent",
        event_id="one",
        subject="chat 8101",
        body=b"{}",
        attempt=2,
        status=status,
        seconds=0.1,
        ended_at=datetime.now(UTC),
        error=error,
    )


def test_delivery_line() -> None:
    """An attempt that fails says where it went and why, and shows no contents."""
    head = "webhook message.sent to 127.0.0.1:8000/linq/webhooks"
    assert delivery_line(delivery(None, "cannot connect")) == f"{head} failed (cannot connect) attempt=2"
    assert delivery_line(delivery(503)) == f"{head} 503 (not 200) attempt=2"
    assert delivery_line(delivery(200)) == f"{head} 200 attempt=2"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://mira:canary@127.0.0.1:8000/hook?key=canary#canary", "127.0.0.1:8000/hook"),
        ("https://bots.example/+13343284472/a%20b", "bots.example/<number>/a%20b"),
        ("http://bots.example/\x9b2J", "bots.example/\\x9b2J"),
        ("http://[::1", "an invalid URL"),
        ("http://127.0.0.1/" + "abcd/" * 500, "127.0.0.1/" + "abcd/" * 39 + "..."),
    ],
)
def test_delivery_line_shows_a_part_of_the_url(url: str, shown: str) -> None:
    """Of the URL, only host, port and path are shown, without numbers and control characters."""
    line = delivery_line(delivery(200, url=url))
    assert line == f"webhook message.sent to {shown} 200 attempt=2"


def test_port_in_use(run: Run) -> None:
    """A port in use is reported with what to try, and exit code 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("sandbox", "--port", str(port))
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}: " in result.stderr
    assert "in use. Try another --port, or 0." in result.stderr


@pytest.mark.parametrize("host", ["203.0.113.9", "no-such-host.invalid", "a..b", "a" * 70])
def test_host_of_another_machine(run: Run, host: str) -> None:
    """For a foreign address or an invalid name the message suggests another --host, not another --port."""
    result = run("sandbox", "--host", host, "--port", "0")
    assert result.exit_code == 1
    assert f"cannot listen on {host}:0: " in result.stderr
    assert "as --host" in result.stderr
    assert "--port" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--token", "two words"),
        ("--number", "12"),
        ("--port", "70000"),
        ("--host", "http://localhost"),
        ("--allow-host", "*"),
        ("--webhook", "localhost:8000/hook"),
        ("--webhook", "http://[::1/hook"),
        ("--webhook", "http://localhost/ hook"),
        ("--latency", "-1"),
        ("--latency", "slow"),
        ("--latency", "0.3-0.1"),
        ("--latency", "9999"),
        ("--fail", "1.5"),
        ("--fail", "nan"),
        ("--rate-limit", "0"),
    ],
)
def test_invalid_arguments(run: Run, arguments: tuple[str, str]) -> None:
    """An invalid argument is a usage error."""
    assert run("sandbox", *arguments).exit_code == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(("host", "warnings"), [("127.0.0.1", 0), ("localhost", 0), ("0.0.0.0", 3)])
async def test_warns_beyond_loopback(host: str, warnings: int) -> None:
    """A sandbox that other machines can reach warns about it, and prints a URL that the client accepts."""
    async with Sandbox(host=host) as sandbox:
        lines = greeting(sandbox, host)
    assert sum(line.startswith("warning: ") for line in lines) == warnings
    (url,) = (line.partition("=")[2] for line in lines if "export LINQ_BASE_URL=" in line)
    assert url.startswith(("http://127.0.0.1:", "http://localhost:"))


def test_request_line_hides_numbers_and_control_characters() -> None:
    """A request line shows method, path, status, key and attempt, but no phone number, address or control character."""
    entry = LoggedRequest(
        method="GET",
        path="/x/+13343284472/sam@example.com/\x1b[2J\n",
        query="phone_number=+13343284472",
        content_type="",
        request_id="r-1",
        idempotency_key="k\r1",
        attempt=2,
    )
    assert request_line(entry) == "GET /x/<number>/<number>/\\x1b[2J\\n lost key=k\\r1 attempt=2"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/api/" + "y" * 300, "/api/..."),
        ("/a/" + "y" * 190 + "13343284472", "/a/..."),
        ("/a/" + "y" * 190 + "sam@example.com", "/a/..."),
        ("/" + "\n" * 199, ("/" + "\\n" * 199)[:200]),
        ("/x/(334) 328-4472/+1.334.328.4472", "/x/(<number>/<number>"),
        ("/api/partner/v2/chats/8101/chat_messages/900001", "/api/partner/v2/chats/8101/chat_messages/900001"),
    ],
)
def test_long_path_is_cut(path: str, shown: str) -> None:
    """A path is cut at a slash, so that no part of a number remains, and numbers are hidden in any format."""
    entry = LoggedRequest(method="GET", path=path, query="", content_type="", request_id="r-1", status=404)
    assert request_line(entry) == f"GET {shown} 404"


@pytest.mark.timed
def test_request_line_has_bounded_cost() -> None:
    """A path and a key of megabytes are cut before they are searched or escaped."""
    entry = LoggedRequest(
        method="G" * 10_000,
        path="/" + "a" * 3_000_000,
        query="",
        content_type="",
        request_id="r-1",
        idempotency_key="k" * 3_000_000,
    )
    start = time.process_time()
    assert len(request_line(entry)) < 500
    assert time.process_time() - start < 0.05


def test_missing_extra() -> None:
    """Without typer or rich, one line says what to install, and the exit code is 2."""
    code = "import sys; sys.modules[sys.argv[1]] = None; from linq_async.cli import main; main()"
    for missing in ("typer", "rich"):
        result = subprocess.run([sys.executable, "-c", code, missing], capture_output=True, text=True, check=False)
        assert result.returncode == 2
        assert result.stderr == "the command line needs the extra: pip install 'linq_async[cli]'\n"


def test_version(run: Run) -> None:
    """--version shows the name of the program and its version."""
    from linq_async import __version__

    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"linq-async {__version__}\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_unwritable_result_does_not_look_unsent(
    sandbox: Sandbox, sandbox_env: dict[str, str], *, as_json: bool
) -> None:
    """A send whose result nobody reads exits with 4, not with 1, and shows message and key on standard error."""
    arguments = ["send", "--from", "+12025550101", "--to", "+13343284472", "--text", "Hello!", "--key", "order-1"]
    reader, writer = os.pipe()
    os.close(reader)
    sent = subprocess.run(
        [*PROGRAM, *arguments, *(["--json"] if as_json else [])],
        env={**os.environ, **sandbox_env},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    (message,) = sandbox.messages
    lines = [line.split() for line in sent.stderr.splitlines()]
    assert (sent.returncode, lines[0]) == (4, ["sent"])
    assert ["message", str(message.id)] in lines
    assert ["key", "order-1"] in lines
    assert sent.stderr.endswith("cannot write the output: Broken pipe\n")


@pytest.mark.slow
@pytest.mark.parametrize("requested", [False, True])
def test_ends_when_nobody_reads(*, requested: bool) -> None:
    """A sandbox whose output is closed ends at the first line that it cannot write, with the code for SIGPIPE."""
    with started() as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if requested:
            url = read_settings(process)["LINQ_BASE_URL"]
            process.stdout.close()
            requests.get(f"{url}/api/partner/v2/phone_numbers", timeout=5)
        else:
            process.stdout.close()
        try:
            assert process.wait(timeout=10) == 141
        finally:
            process.kill()
        assert process.stderr.read() == ""
