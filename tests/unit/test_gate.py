"""The gates of linq_async/pipeline.py: one 429 is learnt once, not by every task."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator

import attrs
import pytest

from linq_async import ConnectError, Outcome, RateLimitError, RetryPolicy, ServerError, Upload
from linq_async.pipeline import Pipeline
from linq_async.resources.chats import Chats
from linq_async.transport.limits import jitter
from linq_async.wire.request import DEFAULT_GROUP, LimitGroup, Request
from tests.support.blocking import longest_block, young_heap
from tests.support.clients import MESSAGE, ONCE, TOKEN, failure_of, piped
from tests.support.clock import Clock
from tests.support.loopback import CREATED, Loopback, Reply, Seen, refused


class _Limited:
    """A rate-limited server: it answers 429 until a given time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._opens = clock, clock.now + seconds
        self.refusals = 0

    async def answer(self, _: Seen) -> Reply:
        """Answer 429 or 201."""
        left = self._opens - self._clock.now
        if left <= 0:
            return CREATED
        self.refusals += 1
        return refused(429, Retry_After=f"{left:.3f}")


def _once(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline of single attempts behind the same gates."""
    return pipeline.with_settings(attrs.evolve(pipeline.settings, retry=ONCE))


def _check(method: str = "GET") -> Request:
    return Request(operation="check", method=method, path="/check", group=LimitGroup("check"))


@pytest.mark.asyncio
@pytest.mark.parametrize("connections", [1, 3])
async def test_one_refusal_holds_the_others_back(clock: Clock, connections: int) -> None:
    """After a 429 with Retry-After the other calls wait: only those already under way are refused, once each."""
    limit = _Limited(clock, 10.0)
    async with (
        Loopback(default=limit.answer) as server,
        piped(server, clock, max_connections=connections) as pipeline,
    ):
        chats = await asyncio.gather(*[Chats(pipeline).create(**MESSAGE) for _ in range(40)])
    assert len(chats) == 40
    assert limit.refusals <= connections
    assert len(server.seen) == 40 + limit.refusals
    assert min(clock.sleeps) >= 9.9


@pytest.mark.asyncio
async def test_a_later_call_waits_at_the_gate_without_an_attempt(clock: Clock) -> None:
    """A call that starts while the gate is closed waits at least as long as is left, then needs one attempt."""
    async with (
        Loopback(refused(429, Retry_After="30")) as server,
        piped(server, clock) as pipeline,
    ):
        assert isinstance(await failure_of(Chats(_once(pipeline)).create(**MESSAGE)), RateLimitError)
        clock.now += 12.0
        chat = await Chats(pipeline).create(**MESSAGE)
    assert chat.attempts == 1
    assert len(server.seen) == 2
    assert 18.0 <= clock.sleeps[0] <= 19.0


@pytest.mark.asyncio
@pytest.mark.parametrize("policy", [ONCE, RetryPolicy(max_elapsed=20.0)])
async def test_a_budget_shorter_than_the_gate_is_refused_here(clock: Clock, policy: RetryPolicy) -> None:
    """A call that cannot wait so long is refused before any attempt, with the seconds that are left."""
    async with Loopback(refused(429, Retry_After="30")) as server, piped(server, clock, retry=policy) as pipeline:
        first = await failure_of(Chats(pipeline).create(**MESSAGE))
        clock.now += 5.0
        second = await failure_of(Chats(pipeline).create(**MESSAGE, idempotency_key="k"))
    assert isinstance(first, RateLimitError)
    assert isinstance(second, RateLimitError)
    assert (first.attempts, second.attempts, len(server.seen), clock.sleeps) == (1, 0, 1, [])
    assert (second.outcome, second.idempotency_key) == (Outcome.NOT_SENT, "k")
    assert second.retry_after == pytest.approx(25.0)


@pytest.mark.asyncio
async def test_a_retry_waits_at_a_gate_that_another_call_has_closed(clock: Clock) -> None:
    """A call that waits before a retry waits longer if another call's 429 closes the gate meanwhile."""
    seen_at: list[float] = []

    async def answer(_: Seen) -> Reply:
        seen_at.append(clock.now)
        return CREATED

    async with (
        Loopback(refused(503), default=answer) as server,
        piped(server, clock) as pipeline,
    ):
        started, rest = clock.now, clock.sleep

        async def closing(seconds: float) -> None:
            if not clock.sleeps:
                pipeline.throttle.pause(DEFAULT_GROUP, 30.0)
            await rest(seconds)

        clock.sleep = closing
        chat = await Chats(pipeline).create(**MESSAGE)
    assert chat.attempts == 2
    assert seen_at[0] - started >= 30.0


@pytest.mark.asyncio
async def test_a_retry_ends_at_a_gate_that_stays_closed_too_long(clock: Clock) -> None:
    """If the gate outlasts the budget, the call ends in its own last failure, which says why no attempt follows."""
    async with Loopback(refused(503)) as server, piped(server, clock) as pipeline:
        rest = clock.sleep

        async def closing(seconds: float) -> None:
            pipeline.throttle.pause(DEFAULT_GROUP, 500.0)
            await rest(seconds)

        clock.sleep = closing
        error = await failure_of(Chats(pipeline).create(**MESSAGE, idempotency_key="k"))
    assert isinstance(error, ServerError)
    assert (error.status, error.outcome, error.idempotency_key, error.attempts) == (503, Outcome.UNKNOWN, "k", 1)
    assert error.retry_after == 500.0 - clock.sleeps[0]
    assert "not retried: the next attempt would have to wait 499." in str(error)
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_a_stream_that_nothing_was_read_of_is_not_said_to_be_spent(clock: Clock) -> None:
    """A call that another's 429 holds back says so, and gives no other reason: its stream has not been touched."""

    async def once() -> AsyncIterator[bytes]:
        yield b"once"

    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    async with Loopback() as server, piped(server, clock) as pipeline:
        unreachable = pipeline.with_settings(attrs.evolve(pipeline.settings, base_url=url))
        rest = clock.sleep

        async def closing(seconds: float) -> None:
            unreachable.throttle.pause(DEFAULT_GROUP, 500.0)
            await rest(seconds)

        clock.sleep = closing
        stream = Upload.from_chunks(once(), filename="a.bin")
        error = await failure_of(Chats(unreachable).create(**MESSAGE, attachments=[stream]))
    assert isinstance(error, ConnectError)
    assert "the next attempt would have to wait" in str(error)
    assert (error.outcome, error.attempts) == (Outcome.NOT_SENT, 1)
    assert "read only once" not in str(error)


@pytest.mark.asyncio
async def test_a_gate_is_for_its_group(clock: Clock) -> None:
    """A 429 in one limit group does not delay another group."""
    async with Loopback(refused(429, Retry_After="500")) as server, piped(server, clock) as pipeline:
        refusal = await failure_of(pipeline.send(_check()))
        chat = await Chats(pipeline).create(**MESSAGE)
        held = await failure_of(pipeline.send(_check()))
    assert (refusal.attempts, chat.attempts, held.attempts) == (1, 1, 0)
    assert clock.sleeps == []
    assert len(server.seen) == 2


@pytest.mark.asyncio
async def test_a_gate_is_for_its_token(clock: Clock) -> None:
    """A 429 for one token does not delay calls with another token on the same connections."""
    async with Loopback(refused(429, Retry_After="500")) as server, piped(server, clock) as pipeline:
        other = pipeline.with_settings(attrs.evolve(pipeline.settings, token="another-token"))
        refusal = await failure_of(Chats(pipeline).create(**MESSAGE))
        chat = await Chats(other).create(**MESSAGE)
        held = await failure_of(Chats(pipeline).create(**MESSAGE))
        shown = repr(pipeline.transport.pool())
    assert (refusal.attempts, chat.attempts, held.attempts, len(server.seen)) == (1, 1, 0, 2)
    assert TOKEN not in shown


@pytest.mark.slow
@pytest.mark.asyncio
async def test_many_calls_wake_without_holding_up_the_loop(clock: Clock) -> None:
    """Ten thousand calls that wait at a gate block the loop for less than half a second when it opens."""
    count, asleep, opened, over = 10_000, asyncio.Event(), asyncio.Event(), asyncio.Event()
    places = iter(range(1, count + 1))

    async def sleep(_: float) -> None:
        if next(places) == count:
            asleep.set()
        await opened.wait()

    async with Loopback(refused(429, Retry_After="50")) as server, piped(server, clock) as pipeline:
        await failure_of(_once(pipeline).send(_check()))
        clock.sleep = sleep
        calls = [asyncio.create_task(pipeline.send(_check())) for _ in range(count)]
        await asleep.wait()
        with young_heap():
            clock.now += 60.0
            opened.set()
            calls[-1].add_done_callback(lambda _: over.set())
            longest = await longest_block(over)
        answers = await asyncio.gather(*calls)
    assert {answer.attempts for answer in answers} == {1}
    assert longest < 0.5


@pytest.mark.parametrize(("seconds", "most"), [(0.4, 0.1), (2.0, 0.5), (4.0, 1.0), (60.0, 1.0)])
def test_those_who_waited_are_spread_over_a_quarter_of_the_pause(seconds: float, most: float) -> None:
    """The jitter is up to a quarter of the pause, and at most a second."""
    assert (jitter(seconds, 0.0), jitter(seconds, 0.5), jitter(seconds, 1.0)) == (0.0, most / 2, most)


@pytest.mark.asyncio
async def test_a_gate_opens_again(clock: Clock) -> None:
    """A gate whose time has passed delays no call."""
    async with Loopback(refused(429, Retry_After="500")) as server, piped(server, clock) as pipeline:
        await failure_of(Chats(pipeline).create(**MESSAGE))
        clock.now += 501.0
        assert (await Chats(pipeline).create(**MESSAGE)).attempts == 1
    assert clock.sleeps == []


@pytest.mark.asyncio
async def test_a_wrong_retry_after_does_not_silence_a_client(clock: Clock) -> None:
    """A Retry-After of any length closes the gate for at most an hour."""
    async with Loopback(refused(429, Retry_After="9999999")) as server, piped(server, clock) as pipeline:
        await failure_of(Chats(pipeline).create(**MESSAGE))
        clock.now += 3_601.0
        assert (await Chats(pipeline).create(**MESSAGE)).attempts == 1
    assert len(server.seen) == 2


@pytest.mark.asyncio
async def test_a_refusal_without_a_time_closes_no_gate(clock: Clock) -> None:
    """A 429 without Retry-After delays only the call that got it."""
    async with Loopback(refused(429)) as server, piped(server, clock, retry=ONCE) as pipeline:
        await failure_of(Chats(pipeline).create(**MESSAGE))
        assert (await Chats(pipeline).create(**MESSAGE)).attempts == 1
    assert len(server.seen) == 2


@pytest.mark.asyncio
async def test_those_who_were_refused_do_not_all_wake_at_once(clock: Clock) -> None:
    """Calls that were refused side by side wait for different times, none shorter than asked."""
    together = asyncio.Barrier(8)

    async def refuse_all(_: Seen) -> Reply:
        await together.wait()
        return refused(429, Retry_After="20")

    async def sleep(seconds: float) -> None:
        clock.sleeps.append(seconds)
        await together.wait()
        clock.now = max(clock.now, 1_030.0)

    chances = itertools.cycle((0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9))
    async with Loopback(*[refuse_all] * 8) as server, piped(server, clock, random=lambda: next(chances)) as pipeline:
        clock.sleep = sleep
        await asyncio.gather(*[Chats(pipeline).create(**MESSAGE) for _ in range(8)])
    assert min(clock.sleeps) >= 20.0
    assert len(set(clock.sleeps)) > 1


@pytest.mark.asyncio
async def test_waiting_at_a_gate_holds_no_connection_slot(clock: Clock) -> None:
    """Calls held back at one group's gate leave the slots to the calls of another."""
    released = asyncio.Event()

    async def wait(_: float) -> None:
        await released.wait()
        clock.now += 60.0

    async with Loopback(refused(429, Retry_After="50")) as server, piped(server, clock, max_connections=1) as pipeline:
        await failure_of(_once(pipeline).send(_check()))
        clock.sleep = wait
        waiting = asyncio.create_task(pipeline.send(_check()))
        chat = await asyncio.wait_for(Chats(pipeline).create(**MESSAGE), 5.0)
        released.set()
        answer = await asyncio.wait_for(waiting, 5.0)
    assert (chat.attempts, answer.attempts, len(server.seen)) == (1, 1, 3)
