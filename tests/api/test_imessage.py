"""``linq.imessage``: one check in ten seconds per token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sized
from functools import partial

import pytest
import pytest_asyncio

from linq_async import Attempt, Availability, ClientStateError, LinqClient, RateLimitError, RetryPolicy
from linq_async.sandbox import Sandbox
from tests.support.clock import Clock, until
from tests.support.world import LINE, MIRA, THEO, client_on, failure_of

asyncio_test = pytest.mark.asyncio


@pytest_asyncio.fixture
async def linq(sandbox: Sandbox, clock: Clock) -> AsyncIterator[LinqClient]:
    """Return a client on the clock."""
    async with client_on(sandbox, clock) as client:
        yield client


def _holds(found: Sized, count: int) -> bool:
    return len(found) == count


def _statuses(sandbox: Sandbox) -> list[int | None]:
    return [entry.status for entry in sandbox.requests]


@asyncio_test
async def test_yes_and_no(sandbox: Sandbox) -> None:
    """The result has the number in the notation of the server."""
    sandbox.without_imessage.add(THEO)
    async with client_on(sandbox, Clock()) as linq:
        sandbox.imessage_interval = 0
        assert await linq.imessage.check(MIRA[2:]) == Availability(available=True, phone_number=MIRA)
        assert await linq.imessage.check(THEO) == Availability(available=False, phone_number=THEO)


@asyncio_test
async def test_five_tasks_take_turns(
    linq: LinqClient, sandbox: Sandbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Checks from five tasks, two of them on a derived client, are sent in order, ten seconds apart."""
    with caplog.at_level(logging.INFO, "linq_async"):
        derived = linq.with_options(retry=RetryPolicy.none())
        clients = [linq, derived, linq, derived, linq]
        start, done = clock.now, list[tuple[int, float]]()

        async def check(place: int) -> None:
            await clients[place].imessage.check(MIRA)
            done.append((place, clock.now - start))

        tasks = [asyncio.create_task(check(place)) for place in range(5)]
        for count in range(1, 5):
            await until(partial(_holds, done, count))
            await clock.wait_for_sleepers(5 - count)
            clock.advance(9.9)
            await asyncio.sleep(0)
            assert len(sandbox.requests) == count
            clock.advance(0.1)
        await asyncio.gather(*tasks)
    assert [place for place, _ in done] == [0, 1, 2, 3, 4]
    assert [round(moment) for _, moment in done] == [0, 10, 20, 30, 40]
    assert _statuses(sandbox) == [200] * 5
    waits = [record.getMessage() for record in caplog.records if "for its turn" in record.getMessage()]
    assert waits == [f"imessage.check: waits {seconds}.0 s for its turn" for seconds in (10, 20, 30, 40)]


@asyncio_test
async def test_the_seconds_count_from_the_answer(sandbox: Sandbox) -> None:
    """Ten seconds pass after a response, however late it came: the server may count from there."""
    clock = Clock()

    def slow(attempt: Attempt) -> None:
        clock.advance(2.0 if attempt.finished else 0.0)

    async with client_on(sandbox, clock, on_attempt=slow) as linq:
        sandbox.imessage_interval = 0
        for _ in range(3):
            await linq.imessage.check(MIRA)
    assert clock.sleeps == [10.0, 10.0]


@asyncio_test
async def test_who_gives_up_leaves_the_line(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """The next check takes the place of one that is cancelled."""
    await linq.imessage.check(MIRA)
    given_up = [asyncio.create_task(linq.imessage.check(MIRA)) for _ in range(20)]
    await clock.wait_for_sleepers(20)
    for task in given_up:
        task.cancel()
    await asyncio.wait(given_up)
    task = asyncio.create_task(linq.imessage.check(MIRA))
    await clock.wait_for_sleepers(1)
    clock.advance(10)
    await task
    assert _statuses(sandbox) == [200, 200]


@asyncio_test
async def test_a_retry_takes_its_turn(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """A retry goes before waiting checks, and no check follows it within ten seconds."""
    sandbox.faults.answer(429)
    done: list[str] = []

    async def check(name: str) -> None:
        await linq.imessage.check(MIRA)
        done.append(name)

    tasks = [asyncio.create_task(check(name)) for name in ("first", "second")]
    await clock.wait_for_sleepers(2)
    assert _statuses(sandbox) == [429]
    clock.advance(10)
    await until(lambda: done == ["first"])
    await clock.wait_for_sleepers(1)
    clock.advance(10)
    await asyncio.gather(*tasks)
    assert (done, _statuses(sandbox)) == (["first", "second"], [429, 200, 200])


@asyncio_test
async def test_the_wait_in_line_is_no_time_of_the_call(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """The wait for a turn does not count against the time limit of the call."""
    hurried = linq.with_options(retry=RetryPolicy(max_attempts=2, max_elapsed=1.0))
    await hurried.imessage.check(MIRA)
    task = asyncio.create_task(hurried.imessage.check(MIRA))
    await clock.wait_for_sleepers(1)
    clock.advance(10)
    assert (await task).available


@asyncio_test
async def test_a_budget_too_short_for_a_retry(linq: LinqClient, sandbox: Sandbox) -> None:
    """A retry whose turn would come after the time limit is not made."""
    sandbox.faults.answer(429)
    hurried = linq.with_options(retry=RetryPolicy(max_elapsed=9.0))
    error = await failure_of(hurried.imessage.check(MIRA))
    assert (type(error), error.attempts) == (RateLimitError, 1)


@asyncio_test
async def test_another_token_has_its_own_line(linq: LinqClient, sandbox: Sandbox) -> None:
    """A derived client with another token does not wait for the checks of this one."""
    await linq.imessage.check(MIRA)
    error = await failure_of(linq.with_options(token="another").imessage.check(MIRA))
    assert type(error).__name__ == "AuthenticationError"


@asyncio_test
async def test_other_calls_do_not_wait(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """Checks and their 429s delay no other operation, and no other operation delays a check."""
    sandbox.faults.answer(429, headers={"Retry-After": "60"})
    task = asyncio.create_task(linq.imessage.check(MIRA))
    await clock.wait_for_sleepers(1)
    assert await linq.phone_numbers.list()
    task.cancel()
    await asyncio.wait([task])


@asyncio_test
async def test_closing_the_client_ends_the_wait(linq: LinqClient, clock: Clock) -> None:
    """Closing the client ends the checks that wait for their turn at once."""
    await linq.imessage.check(MIRA)
    task = asyncio.create_task(linq.imessage.check(MIRA))
    await clock.wait_for_sleepers(1)
    await linq.aclose()
    with pytest.raises(ClientStateError):
        await task
    await clock.wait_for_sleepers(0)
    with pytest.raises(ClientStateError):
        await linq.imessage.check(MIRA)


@asyncio_test
async def test_a_wrong_argument_takes_no_turn(linq: LinqClient, sandbox: Sandbox) -> None:
    """A check that is rejected before it is sent does not use up a turn."""
    error = await failure_of(linq.imessage.check(5))  # type: ignore[arg-type]
    assert error.message == "phone_number must be a str, not int"
    assert (await linq.imessage.check(LINE)).available
