"""``linq.messages.wait_until_delivered``."""

from __future__ import annotations

import asyncio
import math
import pickle

import pytest

from linq_async import (
    ClientStateError,
    DeliveryTimeoutError,
    Outcome,
    RequestTimeoutError,
    RetryPolicy,
    Timeouts,
)
from linq_async.resources import messages
from linq_async.resources.messages import FIRST_POLL, SLOWEST_POLL
from tests.support.clock import Clock
from tests.support.world import World, client_on, failure_of

pytestmark = pytest.mark.asyncio


async def test_it_ends_on_delivery(filled: World) -> None:
    """The message is polled, less and less often, until it has ``delivered_at``, and then returned."""
    filled.sandbox.deliver_after = 40.0
    message = await filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id)
    assert message.delivered_at is not None
    assert filled.clock.sleeps == [0.375, 0.75, 1.5, 3.0, 6.0, 7.5, 7.5, 7.5, 7.5]
    assert {entry[0] for entry in filled.seen} == {"GET"}


async def test_a_delivered_message_is_not_waited_for(filled: World) -> None:
    """A message that is already delivered takes one request."""
    await filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id)
    assert (len(filled.seen), filled.clock.sleeps) == (1, [])


async def test_pending_with_a_time_of_delivery_is_delivered(filled: World) -> None:
    """``delivered_at`` decides, whatever the status is; an unknown status is not an error."""
    for status in ("on_the_way", "pending"):
        told = {"id": filled.message_id, "delivery_status": status, "delivered_at": None}
        filled.sandbox.faults.answer(200, json={"data": told})
    late = {**told, "delivered_at": "2026-01-01T00:00:00.000-05:00"}
    filled.sandbox.faults.answer(200, json={"data": late})
    message = await filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id)
    assert (message.delivery_status, len(filled.seen)) == ("pending", 3)


async def test_it_gives_up(filled: World) -> None:
    """The DeliveryTimeoutError comes after exactly the timeout, following one last request."""
    filled.sandbox.deliver_after = None
    start = filled.clock.now
    error = await failure_of(filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id, timeout=20))
    assert isinstance(error, DeliveryTimeoutError)
    assert (error.outcome, error.message, error.seconds) == (Outcome.SENT, "not delivered within 20 s", 20)
    assert (error.chat_id, error.message_id, error.delivery_status) == (filled.chat_id, filled.message_id, "pending")
    assert filled.clock.now == start + 20
    assert pickle.loads(pickle.dumps(error)).message_id == filled.message_id


async def test_a_failing_poll_is_raised(filled: World) -> None:
    """A failed request is raised unchanged, after the usual retries."""
    filled.sandbox.deliver_after = None
    filled.sandbox.faults.answer(503, times=4)
    error = await failure_of(filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id))
    assert (type(error).__name__, error.attempts) == ("ServerError", 4)


async def test_a_poll_takes_no_longer_than_is_left(filled: World) -> None:
    """The timeout also ends the wait for a server that does not respond."""
    filled.sandbox.faults.delay(60.0, times=9)
    loop = asyncio.get_running_loop()
    started = loop.time()
    error = await failure_of(filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id, timeout=0.1))
    assert 0.09 < loop.time() - started < 3.0
    assert isinstance(error, DeliveryTimeoutError)
    assert (error.outcome, error.seconds, error.delivery_status) == (Outcome.SENT, 0.1, None)
    assert (error.__context__, error.__cause__) == (None, None)


async def test_a_later_poll_is_bounded_too(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last request has its own time limit, and the last known status is kept."""
    monkeypatch.setattr(messages, "LAST_POLL", 0.05)
    filled.sandbox.deliver_after = None

    async def stall() -> None:
        filled.sandbox.faults.delay(60.0, times=9)

    filled.clock.at_first_sleep = stall
    looking = filled.linq.messages.wait_until_delivered(filled.chat_id, filled.message_id, timeout=0.2)
    error = await asyncio.wait_for(failure_of(looking), 3.0)
    assert isinstance(error, DeliveryTimeoutError)
    assert error.delivery_status == "pending"
    assert len(filled.seen) <= 2


async def test_a_time_limit_of_the_call_is_raised_as_it_is(filled: World) -> None:
    """A request that exceeds the client's own time limit before the timeout is a RequestTimeoutError."""
    filled.sandbox.faults.delay(60.0, times=9)
    linq = filled.linq.with_options(timeouts=Timeouts(read=0.05), retry=RetryPolicy.none())
    error = await failure_of(linq.messages.wait_until_delivered(filled.chat_id, filled.message_id, timeout=20))
    assert isinstance(error, RequestTimeoutError)


@pytest.mark.parametrize("timeout", [0, -1, True, "60", None, math.nan])
async def test_the_timeout_is_a_number_above_0(filled: World, timeout: object) -> None:
    """An invalid timeout is rejected together with invalid ids."""
    error = await failure_of(filled.linq.messages.wait_until_delivered(0, 0, timeout=timeout))  # type: ignore[arg-type]
    assert error.message.count("must be an int above 0") == 2
    assert error.message.endswith("timeout must be a number of seconds above 0")
    assert filled.seen == []


async def test_closing_the_client_ends_the_wait(filled: World) -> None:
    """Closing the client ends a wait for delivery at once."""
    filled.sandbox.deliver_after = None
    clock = Clock(manual=True)
    async with client_on(filled.sandbox, clock) as linq:
        task = asyncio.create_task(linq.messages.wait_until_delivered(filled.chat_id, filled.message_id))
        await clock.wait_for_sleepers(1)
        await linq.aclose()
        with pytest.raises(ClientStateError):
            await task
    await clock.wait_for_sleepers(0)


async def test_the_pace_is_sane() -> None:
    """The first requests follow quickly, the later ones at long intervals."""
    assert 0 < FIRST_POLL < SLOWEST_POLL < 60
