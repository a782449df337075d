"""linq_async/pipeline.py: attempts under one key, waits, and the records of attempts."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from linq_async import (
    Attempt,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    LinqError,
    NotFoundError,
    Outcome,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    Timeouts,
    Upload,
)
from linq_async.resources.chats import Chats
from linq_async.wire.request import Request
from tests.support.clients import MESSAGE, ONCE, failure_of, piped
from tests.support.clock import Clock
from tests.support.loopback import CREATED, HANG_UP, Loopback, Reply, Seen, Step, refused

FAILURES = {"503": refused(503), "500": refused(500), "hang-up": HANG_UP, "429": refused(429), "cut": b"HTTP/1.1 20"}


def _plain(method: str = "POST", path: str = "/x", **more: object) -> Request:
    return Request(operation="plain", method=method, path=path, body={"message": {}}, **more)  # type: ignore[arg-type]


@pytest.mark.asyncio
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_a_send_is_repeated_under_one_key(clock: Clock, failure: Step) -> None:
    """Every attempt has the same key and body, and the result has the key and the number of attempts."""
    async with Loopback(failure, failure) as server, piped(server, clock) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
    assert chat.attempts == 3
    assert server.keys == [chat.idempotency_key] * 3
    assert len({request.body for request in server.seen}) == 1


@pytest.mark.asyncio
async def test_each_send_has_a_key_of_its_own(clock: Clock) -> None:
    """Two equal sends are two messages, unless the caller's own key makes them one."""
    async with Loopback() as server, piped(server, clock) as pipeline:
        first, second = await Chats(pipeline).create(**MESSAGE), await Chats(pipeline).create(**MESSAGE)
        third = await Chats(pipeline).create(**MESSAGE, idempotency_key="order-1017")
    assert len({first.idempotency_key, second.idempotency_key, "order-1017"}) == 3
    assert server.keys == [first.idempotency_key, second.idempotency_key, third.idempotency_key]
    assert third.idempotency_key == "order-1017"


@pytest.mark.asyncio
async def test_attempts_are_bounded(clock: Clock) -> None:
    """A server that never recovers gets four attempts with doubling waits, and the last error is raised."""
    async with Loopback(default=refused(503)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE, idempotency_key="k"))
    assert isinstance(error, ServerError)
    assert (error.attempts, error.outcome, error.idempotency_key) == (4, Outcome.UNKNOWN, "k")
    assert (len(server.seen), clock.sleeps) == (4, [0.25, 0.5, 1.0])


@pytest.mark.asyncio
async def test_seconds_are_bounded(clock: Clock) -> None:
    """``max_elapsed``, which includes the next wait, ends a call that has attempts left."""
    policy = RetryPolicy(max_attempts=100, initial_delay=4.0, max_delay=4.0, max_elapsed=11.0)
    async with Loopback(default=refused(503)) as server, piped(server, clock, retry=policy) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert error.attempts == 6
    assert clock.sleeps == [2.0] * 5


@pytest.mark.asyncio
async def test_none_is_a_single_attempt_that_never_waits(clock: Clock) -> None:
    """``RetryPolicy.none()`` raises the first failure, Retry-After or not."""
    async with (
        Loopback(refused(503), refused(429, Retry_After="1")) as server,
        piped(server, clock, retry=ONCE) as pipeline,
    ):
        first, second = [await failure_of(Chats(pipeline).create(**MESSAGE)) for _ in range(2)]
        third = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert (first.attempts, second.attempts, third.attempts, len(server.seen)) == (1, 1, 0, 2)
    assert clock.sleeps == []


@pytest.mark.asyncio
async def test_an_outcome_never_goes_back(clock: Clock) -> None:
    """A lost attempt followed by a plain refusal stays UNKNOWN: the first may have been carried out."""
    async with Loopback(HANG_UP, refused(400)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert (type(error).__name__, error.attempts, error.outcome) == ("BadRequestError", 2, Outcome.UNKNOWN)


@pytest.mark.asyncio
async def test_a_cut_success_is_repeated_and_stays_sent(clock: Clock) -> None:
    """A 2xx that is cut is asked for again under its key; refused then, the outcome is still SENT."""
    cut = Reply(201, b'{"data"', {"Content-Length": "900", "Connection": "close"}).encode()
    async with Loopback(cut, refused(400)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
        chat = await Chats(pipeline).create(**MESSAGE)
    assert (error.attempts, error.outcome) == (2, Outcome.SENT)
    assert chat.attempts == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": {"id": "45"}}'])
async def test_what_cannot_be_decoded_is_never_sent_again(clock: Clock, body: bytes) -> None:
    """A whole 2xx that is not the contract is one attempt, SENT."""
    async with Loopback(Reply(200, body)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE, idempotency_key="k"))
    assert isinstance(error, DecodeError)
    assert (error.attempts, error.outcome, error.idempotency_key, error.body) == (1, Outcome.SENT, "k", body)
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_without_a_key_a_post_is_repeated_only_after_429(clock: Clock) -> None:
    """A POST without a key is retried after a 429, and after no other response."""
    async with Loopback(refused(429), HANG_UP) as server, piped(server, clock) as pipeline:
        error = await failure_of(pipeline.send(_plain()))
    assert isinstance(error, ConnectionLostError)
    assert (error.attempts, error.outcome, len(server.seen)) == (2, Outcome.UNKNOWN, 2)


@pytest.mark.asyncio
async def test_a_delete_that_is_gone_already_is_done(clock: Clock) -> None:
    """A 404 to a repeated DELETE is success; to the first attempt it is an error."""
    async with Loopback(HANG_UP, refused(404), refused(404)) as server, piped(server, clock) as pipeline:
        answer = await pipeline.send(Request(operation="delete", method="DELETE", path="/x"))
        error = await failure_of(pipeline.send(Request(operation="delete", method="DELETE", path="/x")))
    assert (answer.attempts, answer.raw.status, len(server.seen)) == (2, 404, 3)
    assert isinstance(error, NotFoundError)


@pytest.mark.asyncio
async def test_retry_after_is_waited_for(clock: Clock) -> None:
    """The wait after a 429 or 503 is what the server asked for, and not much more."""
    script = [refused(429, Retry_After="7"), refused(503, Retry_After="1.5")]
    async with Loopback(*script) as server, piped(server, clock) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
    assert (chat.attempts, len(clock.sleeps)) == (3, 2)
    assert 7.0 <= clock.sleeps[0] <= 8.0
    assert 1.5 <= clock.sleeps[1] <= 2.0


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", ["121", "3600", "1e9"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_beyond_the_budget_raises_at_once(clock: Clock, status: int, asked: str) -> None:
    """A Retry-After of an hour is raised at once, with its seconds on the error."""
    async with Loopback(refused(status, Retry_After=asked)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
    assert isinstance(error, RateLimitError | ServerError)
    assert (error.retry_after, error.attempts, clock.sleeps) == (float(asked), 1, [])


@pytest.mark.asyncio
async def test_two_seconds_pass_after_a_read_timeout(clock: Clock) -> None:
    """A request that may still run is not repeated for 2 s; then it is, under the same key."""
    silence = asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    limits = Timeouts(read=0.1)
    async with Loopback(silent) as server, piped(server, clock, timeouts=limits, random=lambda: 0.0) as pipeline:
        chat = await Chats(pipeline).create(**MESSAGE)
        silence.set()
    assert (chat.attempts, clock.sleeps) == (2, [2.0])
    assert server.keys == [chat.idempotency_key] * 2


@pytest.mark.asyncio
async def test_the_budget_cuts_an_attempt(clock: Clock) -> None:
    """What is left of max_elapsed ends a running attempt too, as a timeout of the phase "total"."""
    silence = asyncio.Event()

    async def silent(_: Seen) -> None:
        await silence.wait()

    policy = RetryPolicy(max_elapsed=0.06)
    async with Loopback(silent) as server, piped(server, clock, retry=policy) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE))
        silence.set()
    assert isinstance(error, RequestTimeoutError)
    assert (error.phase, error.outcome) == ("total", Outcome.UNKNOWN)


@pytest.mark.asyncio
async def test_a_one_shot_stream_gets_one_attempt(clock: Clock) -> None:
    """An attachment that can be read once is not sent again as an empty one, and the error says why."""

    async def once() -> object:
        yield b"bytes"

    upload = Upload.from_chunks(once(), filename="a.bin", size=5)  # type: ignore[arg-type]
    async with Loopback(refused(503)) as server, piped(server, clock) as pipeline:
        error = await failure_of(Chats(pipeline).create(**MESSAGE, attachments=[upload]))
    assert (error.attempts, len(server.seen)) == (1, 1)
    assert "only once" in str(error)


@pytest.mark.asyncio
async def test_a_hook_sees_each_attempt_before_and_after(clock: Clock) -> None:
    """The record is shown before an attempt leaves, with its key, and after it with status, outcome and wait."""
    shown: list[tuple[int, Attempt]] = []
    async with (
        Loopback(refused(503), HANG_UP) as server,
        piped(server, clock, on_attempt=lambda record: shown.append((len(server.seen), record))) as pipeline,
    ):
        chat = await Chats(pipeline).create(**MESSAGE)
    records = [record for _, record in shown]
    assert [(arrived, record.number, record.finished) for arrived, record in shown] == [
        *[(0, 1, False), (1, 1, True), (1, 2, False)],
        *[(2, 2, True), (2, 3, False), (3, 3, True)],
    ]
    assert {record.idempotency_key for record in records} == {chat.idempotency_key}
    assert {record.operation for record in records} == {"chats.create"}
    assert [(record.status, record.error, record.outcome, record.wait) for record in records[1::2]] == [
        (503, "ServerError", Outcome.UNKNOWN, 0.25),
        (None, "ConnectionLostError", Outcome.UNKNOWN, 0.5),
        (201, None, Outcome.SENT, None),
    ]


@pytest.mark.asyncio
async def test_a_cancelled_caller_finds_the_key_in_the_record(clock: Clock) -> None:
    """Cancellation passes straight through, and the records hold the key and what is known of the outcome."""
    silence, shown = asyncio.Event(), list[Attempt]()

    async def silent(_: Seen) -> None:
        await silence.wait()

    async with Loopback(silent) as server, piped(server, clock, on_attempt=shown.append) as pipeline:
        task = asyncio.create_task(Chats(pipeline).create(**MESSAGE))
        await server.arrived(1)
        key = shown[0].idempotency_key
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        silence.set()
    assert server.keys == [key]
    assert [record.finished for record in shown] == [False, True]
    assert (shown[1].error, shown[1].outcome, shown[1].idempotency_key) == ("CancelledError", Outcome.UNKNOWN, key)


@pytest.mark.asyncio
@pytest.mark.parametrize("script", [[], [refused(503)], [refused(503)] * 9])
async def test_a_failing_hook_loses_nothing(clock: Clock, caplog: pytest.LogCaptureFixture, script: list[Step]) -> None:
    """An exception in a hook is logged, and changes neither the result nor the error."""

    def failing(_: Attempt) -> None:
        raise KeyError

    async with Loopback(*script) as server, piped(server, clock, on_attempt=failing) as pipeline:
        if len(script) < 4:
            assert (await Chats(pipeline).create(**MESSAGE)).attempts == len(script) + 1
        else:
            assert isinstance(await failure_of(Chats(pipeline).create(**MESSAGE)), ServerError)
    assert [record.message for record in caplog.records] == ["on_attempt failed"] * 2 * len(server.seen)


@pytest.mark.asyncio
async def test_the_log_has_a_line_for_each_attempt_and_each_retry(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """DEBUG logs each attempt with its whole record, INFO each retry with its wait."""
    with caplog.at_level(logging.DEBUG, "linq_async"):
        async with Loopback(refused(503)) as server, piped(server, clock) as pipeline:
            await Chats(pipeline).create(**MESSAGE, idempotency_key="k-1")
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "linq_async"]
    assert [level for level, _ in lines] == ["DEBUG", "INFO", "DEBUG"]
    assert [line.replace(" 0.000 s", " 0 s") for _, line in lines] == [
        "chats.create: attempt 1, key k-1, status 503, error ServerError, outcome unknown, 0 s, wait 0.25",
        "chats.create: attempt 1 again in 0.25 s, after ServerError",
        "chats.create: attempt 2, key k-1, status 201, error None, outcome sent, 0 s, wait None",
    ]


@pytest.mark.asyncio
async def test_info_logs_only_retries(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """INFO logs only retries, and nothing for a send that succeeds at once."""
    with caplog.at_level(logging.INFO, "linq_async"):
        async with Loopback(CREATED, HANG_UP) as server, piped(server, clock) as pipeline:
            await Chats(pipeline).create(**MESSAGE)
            assert caplog.records == []
            await Chats(pipeline).create(**MESSAGE)
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.asyncio
async def test_those_who_leave_the_line_take_no_place(clock: Clock) -> None:
    """Cancelling calls that wait, or the one that has the only slot, leaves the slot to the next."""
    release = asyncio.Event()

    async def held(_: Seen) -> Reply:
        await release.wait()
        return CREATED

    async with Loopback(held) as server, piped(server, clock, max_connections=1) as pipeline:
        tasks = [asyncio.create_task(Chats(pipeline).create(**MESSAGE)) for _ in range(5)]
        await server.arrived(1)
        for task in tasks:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        release.set()
        chat = await asyncio.wait_for(Chats(pipeline).create(**MESSAGE), 5.0)
    assert {type(error) for error in done} == {asyncio.CancelledError}
    assert (chat.attempts, len(server.seen)) == (1, 2)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_waiting_in_line_is_no_timeout() -> None:
    """A thousand sends over ten connections all succeed, though all but the first wait longer than a read may take."""
    loop, limit = asyncio.get_running_loop(), 0.5
    arrivals: list[float] = []

    async def slow(_: Seen) -> Reply:
        arrivals.append(loop.time())
        answer: asyncio.Future[Reply] = loop.create_future()
        loop.call_later(0.006, answer.set_result, CREATED)
        return await answer

    limits, policy = Timeouts(connect=limit, read=limit, total=limit), RetryPolicy(1, max_elapsed=limit)
    async with (
        Loopback(default=slow) as server,
        piped(server, Clock(), max_connections=10, timeouts=limits, retry=policy) as pipeline,
    ):
        chats = await asyncio.gather(*[Chats(pipeline).create(**MESSAGE) for _ in range(1_000)])
    assert {chat.attempts for chat in chats} == {1}
    assert (len(server.seen), len(set(server.keys)), server.connections) == (1_000, 1_000, 10)
    assert arrivals[-1] - arrivals[0] > limit
    assert all(earlier <= later for earlier, later in pairwise(arrivals))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("left", "kind", "outcome"),
    [(False, ConnectError, Outcome.NOT_SENT), (True, ConnectionLostError, Outcome.UNKNOWN)],
)
async def test_an_unexpected_exception_has_an_outcome(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, left: bool, kind: type[LinqError], outcome: Outcome
) -> None:
    """Whatever aiohttp raises, the caller gets a LinqError with outcome and key, and nothing of its text."""

    def broken(self: Any, *_: Any) -> Any:
        raise AssertionError("+13343284472")

    async def broken_later(self: Any, *_: Any) -> Any:
        for _turn in range(3):  # the body goes out in a task of its own
            await asyncio.sleep(0)
        raise AssertionError("+13343284472")

    async with Loopback() as server, piped(server, clock, retry=ONCE) as pipeline:
        if left:
            monkeypatch.setattr(aiohttp.ClientResponse, "start", broken_later)
        else:
            monkeypatch.setattr(aiohttp.ClientSession, "_build_url", broken)
        error = await failure_of(Chats(pipeline).create(**MESSAGE, idempotency_key="k"))
    assert isinstance(error, kind)
    assert (error.outcome, error.idempotency_key) == (outcome, "k")
    assert "AssertionError" in str(error)
    assert "+1334" not in str(error)
