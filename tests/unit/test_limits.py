"""linq_async/transport/limits.py: the pace of a limit group, on a clock that the test advances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from linq_async import ClientStateError, RateLimitError, RetryPolicy
from linq_async.config import Settings
from linq_async.transport.limits import HeldBackError, Limits, Throttle
from linq_async.transport.session import Pool, Transport
from linq_async.wire.request import LimitGroup
from tests.support.clients import TOKEN, failure_of
from tests.support.clock import Clock

GROUP = LimitGroup("check", interval=10.0)


class Caller:
    """Calls of one limit group on one pool, and the times at which they started."""

    def __init__(self, throttle: Throttle, pool: Pool, clock: Clock) -> None:
        self.throttle, self.pool, self.clock = throttle, pool, clock
        self.starts: list[tuple[str, float]] = []

    async def call(self, name: str) -> None:
        """Wait for a turn, note its time, and end the call at once."""
        await self.throttle.acquire(self.pool, GROUP, "check")
        self.starts.append((name, self.clock.now))
        self.throttle.release(self.pool, GROUP)

    async def retry(self, name: str, wait: float) -> None:
        """Be refused now, and note the time of the next attempt."""
        started = self.clock.now
        await self.pool.slots.acquire()
        try:
            await self.throttle.sleep_before_retry(self.pool, GROUP, wait, started)
            self.starts.append((name, self.clock.now))
        finally:
            self.throttle.release(self.pool, GROUP)

    def queue(self, *names: str) -> list[asyncio.Task[None]]:
        """Start calls in this order."""
        return [asyncio.create_task(self.call(name)) for name in names]

    async def advance(self, *, times: int, seconds: float = 1.0) -> None:
        """Let time pass in small steps, with turns of the loop between them."""
        for _ in range(times):
            for _ in range(10):
                await asyncio.sleep(0)
            self.clock.advance(seconds)
        for _ in range(10):
            await asyncio.sleep(0)


@asynccontextmanager
async def calling(
    clock: Clock, limits: Limits, *, slots: int = 10, max_elapsed: float = 120.0
) -> AsyncGenerator[Caller]:
    """Open a pool on the running loop."""
    settings = Settings(
        token=TOKEN,
        base_url="http://127.0.0.1",
        retry=RetryPolicy(max_elapsed=max_elapsed),
        timing=clock.timing(lambda: 0.0),
    )
    transport = Transport(settings, max_connections=slots, session=None)
    try:
        yield Caller(Throttle(limits, settings), transport.pool(), clock)
    finally:
        await transport.aclose()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that only the test moves."""
    return Clock(start=0.0, manual=True)


@pytest_asyncio.fixture
async def caller(clock: Clock) -> AsyncGenerator[Caller]:
    """Return a caller with ten slots."""
    async with calling(clock, Limits()) as made:
        yield made


@pytest.mark.asyncio
async def test_calls_start_in_order_an_interval_apart(caller: Caller) -> None:
    """Calls start in the order of their arrival, ten seconds apart."""
    tasks = caller.queue("a", "b", "c")
    await caller.advance(times=25)
    await asyncio.gather(*tasks)
    assert caller.starts == [("a", 0.0), ("b", 10.0), ("c", 20.0)]


@pytest.mark.asyncio
async def test_calls_that_wait_for_a_slot_keep_the_pace(clock: Clock) -> None:
    """Calls that get a connection slot late start an interval apart all the same."""
    async with calling(clock, Limits(), slots=1) as caller:
        await caller.pool.slots.acquire()
        tasks = caller.queue("a", "b", "c")
        await caller.advance(times=35)
        assert caller.starts == []
        caller.pool.slots.release()
        await caller.advance(times=25)
        await asyncio.gather(*tasks)
    assert caller.starts == [("a", 35.0), ("b", 45.0), ("c", 55.0)]


@pytest.mark.asyncio
async def test_calls_behind_a_cancelled_one_move_up(caller: Caller) -> None:
    """A call behind eight cancelled ones takes the next start, before one that came later."""
    tasks = caller.queue(*"abcdefghi", "last")
    await caller.clock.wait_for_sleepers(9)
    for task in tasks[1:9]:
        task.cancel()
    tasks = [tasks[0], tasks[9], *caller.queue("later")]
    await caller.advance(times=25)
    await asyncio.gather(*tasks)
    assert caller.starts == [("a", 0.0), ("last", 10.0), ("later", 20.0)]


@pytest.mark.asyncio
async def test_calls_that_a_pause_holds_back_keep_their_order(caller: Caller) -> None:
    """A pause changes neither the order of the calls nor their distance."""
    caller.throttle.pause(GROUP, 35.0)
    tasks = caller.queue("a", "b", "c")
    await caller.advance(times=60)
    await asyncio.gather(*tasks)
    assert caller.starts == [("a", 35.0), ("b", 45.0), ("c", 55.0)]


@pytest.mark.asyncio
async def test_retries_come_first_in_their_own_order(caller: Caller) -> None:
    """Retries start before the calls that wait, in the order in which they were refused."""
    first = asyncio.create_task(caller.retry("a", 10.0))
    second = asyncio.create_task(caller.retry("b", 10.0))
    await caller.clock.wait_for_sleepers(2)
    others = caller.queue("c")
    await caller.advance(times=35)
    await asyncio.gather(first, second, *others)
    assert caller.starts == [("a", 10.0), ("b", 20.0), ("c", 30.0)]


@pytest.mark.asyncio
async def test_a_retry_is_not_sent_after_its_time(clock: Clock) -> None:
    """A retry whose turn would come after ``max_elapsed`` is given up, and its call ends."""
    async with calling(clock, Limits(), max_elapsed=15.0) as caller:
        tasks = [asyncio.create_task(caller.retry(name, 10.0)) for name in ("a", "b")]
        await caller.advance(times=60)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), HeldBackError]
    assert caller.starts == [("a", 10.0)]


@pytest.mark.asyncio
async def test_a_pause_that_is_too_long_is_not_waited_for(caller: Caller) -> None:
    """A call whose group is paused for longer than ``max_elapsed`` is refused at once, and takes no start."""
    caller.throttle.pause(GROUP, 500.0)
    error = await failure_of(caller.call("a"))
    assert isinstance(error, RateLimitError)
    assert caller.clock.sleeps == []


@pytest.mark.asyncio
async def test_closing_ends_the_calls_that_wait(caller: Caller) -> None:
    """Closing the pool ends calls that wait for their turn or for a slot."""
    tasks = caller.queue("a", "b", "c")
    await caller.clock.wait_for_sleepers(2)
    await caller.pool.close()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ClientStateError, ClientStateError]


def test_the_pace_outlives_a_loop() -> None:
    """The pace holds across event loops, and calls that a closed loop has left in the queue take no start."""
    clock, limits, left = Clock(start=0.0, manual=True), Limits(), ExitStack()

    async def first() -> list[tuple[str, float]]:
        async with calling(clock, limits) as caller:
            await caller.call("a")
            for _ in range(3):  # as a task that is still referenced, but never runs again
                left.enter_context(limits.pacers[TOKEN, GROUP.name].turn(is_retry=False))
            return caller.starts

    async def second() -> list[tuple[str, float]]:
        async with calling(clock, limits) as caller:
            (task,) = caller.queue("b")
            await caller.advance(times=15)
            await task
            return caller.starts

    assert [asyncio.run(first()), asyncio.run(second())] == [[("a", 0.0)], [("b", 10.0)]]
    left.close()
