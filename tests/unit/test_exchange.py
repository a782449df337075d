"""linq_async/transport/exchange.py: failures of streams, busy loops and broken connections."""

from __future__ import annotations

import asyncio
import time as real_time
from collections.abc import AsyncIterator

import pytest

from linq_async import (
    ConnectionLostError,
    NotFoundError,
    Outcome,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
    Upload,
    UploadError,
)
from linq_async.resources.chats import Chats
from linq_async.wire.request import Request
from tests.support.clients import MESSAGE, ONCE, failure_of, piped
from tests.support.clock import Clock
from tests.support.loopback import CREATED, HANG_UP, Loopback, Reply, Seen, refused

PIECE = bytes(50_000)


@pytest.mark.asyncio
async def test_an_answer_that_came_while_the_loop_was_busy_is_read(clock: Clock) -> None:
    """A loop that was busy for longer than the read limit still reads a response that has arrived."""

    async def answer(_: Seen) -> Reply:
        asyncio.get_running_loop().call_soon(real_time.sleep, 0.15)  # the answer goes out first
        return CREATED

    async with Loopback(answer) as server, piped(server, clock, retry=ONCE, timeouts=Timeouts(read=0.05)) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
    assert (chat.attempts, len(server.seen)) == (1, 1)


@pytest.mark.asyncio
async def test_a_stream_that_gives_nothing_is_not_the_fault_of_the_server(clock: Clock) -> None:
    """A stream that makes no progress within the write limit is an UploadError, and not retried."""
    opened: list[int] = []

    async def stuck() -> AsyncIterator[bytes]:
        opened.append(1)
        yield PIECE
        await asyncio.Event().wait()

    uploads = [Upload.from_bytes(b"whole", filename="a.bin"), Upload.from_chunks(stuck, filename="b.bin")]
    async with Loopback() as server, piped(server, clock, timeouts=Timeouts(write=0.06)) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE, attachments=uploads, idempotency_key="k"))
    assert isinstance(error, UploadError)
    assert (error.index, error.filename, error.reason) == (1, "b.bin", "cannot be read: nothing came for 0.06 s")
    assert (error.outcome, error.attempts, error.idempotency_key, opened) == (Outcome.UNKNOWN, 1, "k", [1])
    assert server.seen == []


@pytest.mark.asyncio
@pytest.mark.parametrize("pieces", [0, 4])
async def test_a_stream_that_fails_after_a_part_was_sent_is_unknown(clock: Clock, pieces: int) -> None:
    """A stream that fails after part of the request was sent leaves the outcome UNKNOWN."""

    async def broken() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield PIECE
        raise OSError(5, "gone")

    upload = Upload.from_chunks(broken, filename="a.bin")
    async with Loopback() as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE, attachments=[upload]))
    assert isinstance(error, UploadError)
    assert (error.outcome, error.attempts) == (Outcome.UNKNOWN, 1)


@pytest.mark.asyncio
async def test_a_budget_is_named_as_the_caller_has_set_it(clock: Clock) -> None:
    """A call that ends by its total limit names that limit, not the seconds left for its last attempt."""
    silence = asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    policy = RetryPolicy(2, max_elapsed=4.0)
    script = (refused(503, Retry_After="3.95"), silent)
    async with Loopback(*script) as server, piped(server, clock, retry=policy, random=lambda: 0.0) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
        silence.set()
    assert isinstance(error, RequestTimeoutError)
    assert (error.phase, error.seconds, error.attempts) == ("total", 4.0, 2)
    assert error.message == "total timeout: the call did not end within 4 s"


@pytest.mark.asyncio
async def test_the_total_of_an_attempt_is_named_by_its_own_seconds(clock: Clock) -> None:
    """An attempt that ends by its own ``total`` names that limit, not that of the call."""
    silence = asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    limits = Timeouts(total=0.06)
    async with Loopback(silent) as server, piped(server, clock, retry=ONCE, timeouts=limits) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
        silence.set()
    assert isinstance(error, RequestTimeoutError)
    assert (error.phase, error.seconds) == ("total", 0.06)


@pytest.mark.asyncio
async def test_a_404_proves_nothing_for_a_post(clock: Clock) -> None:
    """A 404 to a repeated DELETE is success; to a POST it stays an error, though the first attempt was lost."""
    async with Loopback(HANG_UP, refused(404)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert isinstance(error, NotFoundError)
    assert (error.attempts, error.outcome, len(server.seen)) == (2, Outcome.UNKNOWN, 2)


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"])
async def test_no_method_is_sent_again_behind_the_count(clock: Clock, method: str) -> None:
    """A pooled connection that breaks during a single attempt carried the request once."""
    request = Request(operation="plain", method=method, path="/x")
    empty = Reply(204, headers={"Content-Length": "0"})
    async with Loopback(empty, HANG_UP) as server, piped(server, clock, retry=ONCE) as pipeline:
        await pipeline.send(request)
        error = await failure_of(pipeline.send(request))
    assert isinstance(error, ConnectionLostError)
    assert (error.attempts, error.outcome, len(server.seen), server.connections) == (1, Outcome.UNKNOWN, 2, 1)
