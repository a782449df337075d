"""Defects that were measured in other clients, each pinned by a short test of this one."""

from __future__ import annotations

import asyncio
import io
import pickle
import socket
import threading
import traceback
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from linq_async import (
    ClientStateError,
    ConfigurationError,
    ConnectError,
    DecodeError,
    LinqClient,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
    Upload,
    UploadError,
)
from linq_async.resources.chats import Chats
from linq_async.uploads import HandleSource, PathSource, Reader
from tests.support.clients import AT_ONCE, MESSAGE, ONCE, TOKEN, client_of, failure_of, piped
from tests.support.clock import Clock
from tests.support.loopback import CREATED, CREATED_CHAT, HANG_UP, Loopback, Reply, Seen, Step, refused, replied

PNG = bytes(range(256)) * 400
NOBODY = "http://127.0.0.1:1"


def _late(seconds: float, answer: Reply = CREATED) -> Step:
    async def act(_: Seen) -> Reply:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Reply] = loop.create_future()
        loop.call_later(seconds, done.set_result, answer)
        return await done

    return act


# 1. The SDK sends a lost POST again without a key.


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [HANG_UP, b"HTTP/1.1 2", refused(500), refused(408)])
async def test_a_lost_post_is_sent_again_under_its_key_only(fault: Step) -> None:
    """After a drop, a 500 or a 408 the repeat carries the first request's key, and without a key there is none."""
    async with Loopback(fault, CREATED, fault) as server, client_of(server, retry=AT_ONCE) as linq:
        chat = await linq.chats.create(**MESSAGE)
        error = await failure_of(linq.request("POST", "/x", {"message": {"text": "Hello!"}}))
    assert server.keys == [chat.idempotency_key, chat.idempotency_key, None]
    assert chat.idempotency_key is not None
    assert (error.attempts, error.outcome) == (1, Outcome.UNKNOWN)


@pytest.mark.asyncio
async def test_a_conflict_is_not_sent_again() -> None:
    """A 409 is not retried: it may conflict with the same send, which is still running."""
    async with Loopback(refused(409)) as server, client_of(server, retry=AT_ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert (error.attempts, error.outcome, len(server.seen)) == (1, Outcome.UNKNOWN, 1)


@pytest.mark.asyncio
async def test_a_timed_out_post_is_sent_again_under_its_key(clock: Clock) -> None:
    """After a read timeout the text is sent at most once more, under the same key."""
    limits = Timeouts(read=0.1)
    async with Loopback(_late(30.0)) as server, piped(server, clock, timeouts=limits) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
    assert server.keys == [chat.idempotency_key] * 2


# 2. A module-level client sends twice in a later asyncio.run().


@contextmanager
def _in_a_thread(server: Loopback) -> Generator[None]:
    """Run a server on its own loop in a thread."""
    ready, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with server:
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_client_of_the_module_sends_once_in_each_run() -> None:
    """One client in three ``asyncio.run`` is three requests with three keys."""
    server = Loopback()
    with _in_a_thread(server):
        linq = client_of(server)
        chats = [asyncio.run(linq.chats.create(**MESSAGE)) for _ in range(3)]
    assert [chat.attempts for chat in chats] == [1, 1, 1]
    assert server.keys == [chat.idempotency_key for chat in chats]


# 4 and 5. Retry-After is undercut, read wrongly, or slept out for an hour.


@pytest.mark.asyncio
async def test_retry_after_61_is_61_seconds(clock: Clock) -> None:
    """A 429 that asks for 61 s is followed by no request within 61 s."""
    async with Loopback(refused(429, Retry_After="61")) as server, piped(server, clock) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
    assert (chat.attempts, len(clock.sleeps)) == (2, 1)
    assert clock.sleeps[0] >= 61.0


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [1.5, None])
async def test_retry_after_may_be_decimal_or_a_date(clock: Clock, seconds: float | None) -> None:
    """A Retry-After may be a decimal or an HTTP date."""
    date = datetime.now(UTC) + timedelta(seconds=40)
    header = f"{date:%a, %d %b %Y %H:%M:%S GMT}" if seconds is None else str(seconds)
    async with Loopback(refused(429, Retry_After=header)) as server, piped(server, clock) as pipeline:
        assert (await Chats(pipeline).create(**MESSAGE)).attempts == 2
    assert clock.sleeps[0] >= (seconds or 30.0)


@pytest.mark.asyncio
async def test_nobody_sleeps_an_hour(clock: Clock) -> None:
    """``Retry-After: 3600`` is raised at once, with the seconds on the error."""
    async with Loopback(refused(429, Retry_After="3600")) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, clock.sleeps) == (3_600.0, [])


# 6. A file is read whole into memory.


@pytest.mark.asyncio
@pytest.mark.parametrize("opened", [False, True])
async def test_a_file_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, opened: bool) -> None:
    """A path and an open file are streamed in small reads."""
    sizes: list[int] = []

    class Spy:
        def __init__(self, reader: Reader) -> None:
            self.reader, self.close = reader, reader.close

        def read(self, size: int) -> bytes | None:
            sizes.append(size)
            return self.reader.read(size)

    kind: Any = HandleSource if opened else PathSource
    really = kind.open

    def spied(source: Any, size: int) -> Spy:
        return Spy(really(source, size))

    monkeypatch.setattr(kind, "open", spied)
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(6 << 20))
    async with Loopback() as server, client_of(server) as linq:
        with path.open("rb") as handle:
            await linq.chats.create(**MESSAGE, attachments=[handle if opened else path])
    assert 6 << 20 < len(server.seen[0].body) < 7 << 20
    assert sum(sizes) == 6 << 20
    assert max(sizes) <= 1 << 20


# 7. Calls that wait for a connection time out there.


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_crowd_does_not_time_out_in_line() -> None:
    """800 sends over 50 connections to a server of 100 ms all arrive, with a read limit of 300 ms."""
    limits = Timeouts(read=0.3)
    async with (
        Loopback(default=_late(0.1)) as server,
        client_of(server, retry=ONCE, timeouts=limits, max_connections=50) as linq,
    ):
        chats = await asyncio.gather(*[linq.chats.create(**MESSAGE) for _ in range(800)])
    assert (len(chats), len(set(server.keys)), server.connections) == (800, 800, 50)


# 8. Timeout and proxy are taken and ignored.


@pytest.mark.asyncio
async def test_a_timeout_is_obeyed() -> None:
    """A read limit of 60 ms ends a call to a server that takes half a minute."""
    async with (
        Loopback(_late(30.0)) as server,
        client_of(server, retry=ONCE, timeouts=Timeouts(read=0.06)) as linq,
    ):
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, RequestTimeoutError)


@pytest.mark.asyncio
async def test_a_proxy_is_obeyed() -> None:
    """Requests use the given proxy, and never bypass one that is dead."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Loopback() as server, Loopback() as proxy:
        url = server.url
        async with client_of(server, proxy=proxy.url) as linq:
            await linq.chats.create(**MESSAGE)
        async with client_of(server, proxy=dead, retry=ONCE) as linq:
            error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, ConnectError)
    assert (error.reason, error.outcome) == ("proxy", Outcome.NOT_SENT)
    assert (len(proxy.seen), server.seen) == (1, [])
    assert proxy.seen[0].path.startswith(url)


# 9. A stream that is spent is sent again as an empty body.


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [len(PNG), None])
async def test_a_spent_stream_is_not_sent_empty(size: int | None) -> None:
    """A one-shot stream is one request, and the error says why; a factory's stream is whole on both attempts."""

    async def chunks() -> AsyncIterator[bytes]:
        yield PNG[:1_000]
        yield PNG[1_000:]

    once = Upload.from_chunks(chunks(), filename="a.png", size=size)
    again = Upload.from_chunks(chunks, filename="a.png", size=size)
    async with Loopback(refused(503), refused(503)) as server, client_of(server, retry=AT_ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE, attachments=[once]))
        spent = await failure_of(linq.chats.create(**MESSAGE, attachments=[once]))
        chat = await linq.chats.create(**MESSAGE, attachments=[again])
    assert (error.attempts, chat.attempts, len(server.seen)) == (1, 2, 3)
    assert "only once" in str(error)
    assert isinstance(spent, UploadError)
    assert all(PNG in request.body for request in server.seen)


# 10. HTML, a list or broken JSON is returned as if it were the model, or raises something raw.


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"[1, 2]", b'{"data": {"id": 4', b'"sent"', b"null", b""])
async def test_a_200_that_is_no_answer_is_an_error(body: bytes) -> None:
    """A 200 with any other body is a DecodeError with outcome SENT, and is not retried."""
    async with Loopback(Reply(200, body)) as server, client_of(server, retry=AT_ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert isinstance(error, DecodeError)
    assert (error.outcome, error.body, len(server.seen)) == (Outcome.SENT, body, 1)


# 11. A token with a trailing newline is printed in a traceback.


def test_a_token_with_a_newline_is_not_printed() -> None:
    """The token is rejected by the constructor, and the traceback does not show it."""
    given = ["tok-canary-1017\n"]
    with pytest.raises(ConfigurationError) as caught:
        LinqClient(*given)
    assert "tok-canary" not in "".join(traceback.format_exception(caught.value))


# 12. Exceptions do not survive pickle.


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [refused(422), refused(429, Retry_After="900"), Reply(200, b"[]"), HANG_UP])
async def test_an_error_of_a_real_call_survives_pickle(fault: Step) -> None:
    """Pickling keeps the class, the message and every attribute of an error from a real call."""
    async with Loopback(fault) as server, client_of(server, retry=ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE))
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), vars(found)) == (type(error), str(error), vars(error))
    assert found.idempotency_key is not None


# 14. The same BytesIO or open file is an empty part on attempt 2, or closed.


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["BytesIO", "file", "path", "bytes"])
async def test_a_file_is_whole_on_every_attempt(tmp_path: Path, kind: str) -> None:
    """Attempts 1 to 3 send the same bytes, from the position of the file, which is not moved or closed."""
    path = tmp_path / "a.png"
    path.write_bytes(b"skipped" + PNG)
    memory = io.BytesIO(b"skipped" + PNG)
    memory.name = "a.png"
    with path.open("rb") as file:
        memory.seek(7)
        file.seek(7)
        made: dict[str, Any] = {
            "BytesIO": memory,
            "file": file,
            "path": path,
            "bytes": Upload.from_bytes(PNG, filename="a.png"),
        }
        async with Loopback(refused(503), HANG_UP) as server, client_of(server, retry=AT_ONCE) as linq:
            await linq.chats.create(**MESSAGE, attachments=[made[kind]])
        assert (memory.tell(), file.tell(), memory.closed, file.closed) == (7, 7, False, False)
    parts = [request.body.split(b"\r\n--")[-2].split(b"\r\n\r\n", 1)[1] for request in server.seen]
    assert parts == [b"skipped" + PNG if kind == "path" else PNG] * 3


# 16. Null becomes the text 'None', and "false" becomes True.


@pytest.mark.asyncio
async def test_null_is_none_and_text_is_no_bool() -> None:
    """A null text is None, and "false" for a bool is an error."""
    null = {"data": {**CREATED_CHAT["data"], "display_name": None}}
    text = {"data": {**CREATED_CHAT["data"], "group": "false"}}
    async with Loopback(replied(null), replied(text)) as server, client_of(server) as linq:
        chat = await linq.chats.create(**MESSAGE)
        error = await failure_of(linq.chats.create(**MESSAGE))
    assert chat.display_name is None
    assert isinstance(error, DecodeError)
    assert error.paths == ("$.data.group",)


# Local faults are disguised as a lost connection, and retried.


@pytest.mark.asyncio
async def test_a_local_fault_is_never_retried(tmp_path: Path) -> None:
    """A missing path, a directory, a closed file and a closed client are distinct errors, raised unsent."""
    policy = RetryPolicy(max_attempts=9)
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        closed = Upload.from_file(file)
    async with Loopback() as server, client_of(server, retry=policy) as linq:
        for attachment in (tmp_path / "missing.png", tmp_path, closed):
            error = await failure_of(linq.chats.create(**MESSAGE, attachments=[attachment]))
            assert isinstance(error, UploadError)
            assert (error.attempts, error.outcome) == (0, Outcome.NOT_SENT)
        await linq.aclose()
        assert isinstance(await failure_of(linq.chats.create(**MESSAGE)), ClientStateError)
    assert server.seen == []


@pytest.mark.asyncio
async def test_a_stream_that_fails_is_never_retried() -> None:
    """An exception in the caller's stream is an UploadError after one attempt, though it breaks the connection."""

    async def chunks() -> AsyncIterator[bytes]:
        yield PNG
        raise ConnectionResetError

    upload = Upload.from_chunks(chunks, filename="a.png", size=len(PNG) * 2)
    async with Loopback() as server, client_of(server, retry=AT_ONCE) as linq:
        error = await failure_of(linq.chats.create(**MESSAGE, attachments=[upload]))
    assert isinstance(error, UploadError)
    assert (error.attempts, server.seen) == (1, [])


@pytest.mark.asyncio
async def test_a_bound_of_attempts_must_be_a_whole_number() -> None:
    """Infinity is rejected by the constructor, not by a TypeError at the first failure."""
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(max_attempts=float("inf"))  # type: ignore[arg-type]
    assert TOKEN not in repr(LinqClient(TOKEN, base_url=NOBODY))
