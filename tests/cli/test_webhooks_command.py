"""Tests of ``linq-async webhooks``."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
import pytest_asyncio

from linq_async.cli.live import LiveOutput
from linq_async.cli.webhooks import _listen  # pyright: ignore[reportPrivateUsage]
from linq_async.webhooks import sign

from .conftest import Run

SECRET = "a-long-random-string"
# The vector of the contract's notes.
BODY = (
    b'{"api_version":"v2","created_at":"2025-09-09T12:00:00-06:00","data":{"id":7001},'
    b'"event_id":"evt_sample_contact_gone","event_type":"contact.deleted"}'
)
SIGNATURE = "sha256=ca584bf94c453424f983c684a0a44727d08a6d77d0550d5d15d6cc94fbec92ec"


@attrs.define(eq=False)
class Lines(LiveOutput):
    """Keeps the lines that would be written."""

    lines: asyncio.Queue[tuple[str, bool]] = attrs.field(factory=asyncio.Queue[tuple[str, bool]])
    full: bool = False

    def show(self, line: str, *, err: bool = False) -> None:
        if self.full:
            self.error = OSError("the disk is full")
            self.failed.set()
        self.lines.put_nowait((line, err))


@attrs.frozen
class Listening:
    """A command that listens, and its URL."""

    url: str
    output: Lines
    task: asyncio.Task[str]

    async def post(self, body: bytes, secret: str = SECRET, path: str = "/linq/webhooks") -> int:
        headers = {"X-Webhook-Signature": sign(body, secret)}
        url = self.url.replace("/linq/webhooks", path)
        async with aiohttp.request("POST", url, data=body, headers=headers) as response:
            return response.status


@pytest_asyncio.fixture(params=[True, False])
async def listening(request: pytest.FixtureRequest) -> AsyncIterator[Listening]:
    """Listen on a free port, with and without --json."""
    output = Lines()
    task = asyncio.ensure_future(_listen((SECRET.encode(),), 0, output, as_json=request.param))
    line, err = await asyncio.wait_for(output.lines.get(), 5)
    assert err == request.param
    yield Listening(line.split()[3].rstrip("."), output, task)
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.asyncio
async def test_verified_events_are_shown(listening: Listening) -> None:
    """A signed event is acknowledged and shown with all its members; another request is neither."""
    assert await listening.post(BODY, "another-secret") == 401
    assert await listening.post(BODY) == 200
    text, err = listening.output.lines.get_nowait()
    head, brace, rest = text.rpartition("\n{") if text[0] != "{" else ("", "{", text[1:])
    assert json.loads(brace.strip() + rest) == json.loads(BODY)
    assert head in ("", "contact.deleted evt_sample_contact_gone")
    assert not err
    assert listening.output.lines.empty()


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/hook/mine"])
async def test_any_path_is_listened_on(listening: Listening, path: str) -> None:
    """The path of the subscription does not matter."""
    assert await listening.post(BODY, path=path) == 200
    assert listening.output.lines.qsize() == 1


@pytest.mark.asyncio
async def test_no_event_controls_the_terminal(listening: Listening) -> None:
    """Control characters in an event are escaped."""
    event: dict[str, Any] = {**json.loads(BODY), "event_type": "new", "data": {"text": "\x1b[2J\x7f\x9b\u202e\n"}}
    assert await listening.post(json.dumps(event).encode()) == 200
    text, _ = listening.output.lines.get_nowait()
    assert text.replace("\n", "").isprintable()
    assert text.isascii()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body", [b"[]", BODY.replace(b"contact.deleted", b"new").replace(b"7001", b"[" * 1_000 + b"]" * 1_000)]
)
async def test_what_is_not_an_event_is_refused(
    listening: Listening, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    """A signed body that is not an event, or is nested too deep to be shown, is refused with one line in the log."""
    assert await listening.post(body) == 500
    assert listening.output.lines.empty()
    (record,) = caplog.records
    assert "does not have the documented shape" in record.getMessage()
    assert record.exc_info is None


@pytest.mark.asyncio
async def test_an_event_that_cannot_be_shown_is_not_acknowledged(listening: Listening) -> None:
    """If the output cannot be written, the event is answered with 500, and the command ends."""
    listening.output.full = True
    assert await listening.post(BODY) == 500
    with pytest.raises(OSError, match="disk is full"):
        await asyncio.wait_for(listening.task, 5)


@pytest.mark.asyncio
async def test_a_malformed_request(listening: Listening, caplog: pytest.LogCaptureFixture) -> None:
    """What is not HTTP is not logged with its bytes."""
    port = int(listening.url.rpartition(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"+13343284472 nonsense\r\n\r\n")
    assert b"400" in await reader.readline()
    writer.close()
    assert "+1334" not in caplog.text


def test_a_port_that_is_taken(run: Run) -> None:
    """A port in use is reported with what to try, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("webhooks", "listen", "--port", str(port), "--secret", SECRET)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}: " in result.stderr
    assert "Try another --port" in result.stderr


@pytest.mark.parametrize("arguments", [("listen",), ("listen", "--secret", " "), ("verify", "-")])
def test_no_secret(run: Run, arguments: tuple[str, ...]) -> None:
    """Without a secret nothing is received or verified, and the message says how to pass one."""
    result = run("webhooks", *arguments, stdin="{}")
    assert result.exit_code == 2
    assert "secret" in result.stderr


def test_a_usage_error_in_json(run: Run) -> None:
    """With --json, a usage error is also reported in JSON."""
    result = run("webhooks", "listen", "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], "--secret" in error["message"]) == (2, "UsageError", True)


def test_verified(run: Run, tmp_path: Path) -> None:
    """A request that is verified exits with 0."""
    path = tmp_path / "body"
    path.write_bytes(BODY)
    header = f"x-webhook-signature: {SIGNATURE}"
    result = run("webhooks", "verify", str(path), "--header", header, env={"LINQ_WEBHOOK_SECRET": SECRET})
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Verified" in result.stdout
    assert "ContactDeleted" in result.stdout


@pytest.mark.parametrize(
    ("body", "secret", "words"),
    [
        (BODY + b"\n", SECRET, "without the newline"),
        (BODY, "another-secret", "No known mistake"),
        (json.dumps(json.loads(BODY)).encode(), SECRET, "compact form"),
    ],
)
def test_not_verified(run: Run, body: bytes, secret: str, words: str) -> None:
    """A request that is not verified exits with 1, and the mistake that explains it is named."""
    header = f"X-Webhook-Signature:{SIGNATURE}"
    result = run("webhooks", "verify", "-", "-H", header, "--secret", secret, stdin=body.decode())
    assert result.exit_code == 1
    assert words in result.stdout
    assert secret not in result.output


def test_verified_but_not_an_event(run: Run) -> None:
    """A signed body that is not an event exits with 1."""
    header = f"X-Webhook-Signature: {sign('[]', SECRET)}"
    result = run("webhooks", "verify", "-", "-H", header, "--secret", SECRET, stdin="[]")
    assert result.exit_code == 1
    assert "Verified" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("none",), "cannot be read"), (("-", "-H", "no colon"), "--header"), (("-", "-H", ": x"), "--header")],
)
def test_wrong_arguments(run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    """A body that cannot be read, and a header that is none, are usage errors."""
    body, *rest = arguments
    path = body if body == "-" else str(tmp_path / body)
    result = run("webhooks", "verify", path, *rest, "--secret", SECRET, stdin="{}")
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_large_body(run: Run, tmp_path: Path) -> None:
    """A body that no receiver would read is a usage error."""
    path = tmp_path / "body"
    path.write_bytes(b"x" * ((1 << 20) + 1))
    result = run("webhooks", "verify", str(path), "--secret", SECRET)
    assert (result.exit_code, "larger than 1 MiB" in result.stderr) == (2, True)
