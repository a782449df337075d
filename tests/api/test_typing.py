"""``linq.chats.typing``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from linq_async import LinqClient, NotFoundError, RetryPolicy
from linq_async.resources import typing_indicator
from linq_async.resources.typing_indicator import REFRESH_SECONDS
from linq_async.sandbox import Sandbox
from tests.support.clock import Clock, until
from tests.support.world import LINE, MIRA, client_on

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def linq(sandbox: Sandbox, clock: Clock) -> AsyncIterator[LinqClient]:
    """Return a client with a chat, without retries, so that only the indicator sleeps."""
    async with client_on(sandbox, clock, retry=RetryPolicy.none()) as client:
        await client.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
        sandbox.requests.clear()
        yield client


def _has_received(sandbox: Sandbox, count: int) -> bool:
    return len(sandbox.requests) == count


def _seen(sandbox: Sandbox) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in sandbox.requests]


async def test_it_starts_and_stops(linq: LinqClient, sandbox: Sandbox) -> None:
    """The indicator is shown while the block runs, and hidden after it."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id) as given:
        assert (chat.typing, given) == (True, None)
    assert not chat.typing
    assert _seen(sandbox) == ["start_typing", "stop_typing"]


async def test_it_is_started_again_in_time(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """The indicator is refreshed often enough for a second try within the 60 seconds."""
    assert 2 * REFRESH_SECONDS < 60
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        for count in (2, 3, 4):
            await clock.wait_for_sleepers(1)
            clock.advance(REFRESH_SECONDS - 1)
            await asyncio.sleep(0)
            assert len(sandbox.requests) == count - 1
            clock.advance(1)
            await until(partial(_has_received, sandbox, count))
        await clock.wait_for_sleepers(1)
    assert _seen(sandbox) == ["start_typing"] * 4 + ["stop_typing"]
    assert clock.sleepers == 0


async def test_it_stops_when_the_block_raises(linq: LinqClient, sandbox: Sandbox) -> None:
    """The block's exception is raised after the indicator was hidden."""
    (chat,) = sandbox.chats
    with pytest.raises(KeyError, match="mine"):
        async with linq.chats.typing(chat.id):
            raise KeyError("mine")
    assert _seen(sandbox) == ["start_typing", "stop_typing"]


async def test_it_stops_when_the_block_is_cancelled(linq: LinqClient, sandbox: Sandbox) -> None:
    """A cancelled block still hides the indicator, and stays cancelled."""
    (chat,) = sandbox.chats

    within = asyncio.Event()

    async def block() -> None:
        async with linq.chats.typing(chat.id):
            within.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await within.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _seen(sandbox) == ["start_typing", "stop_typing"]


async def test_a_failing_start_is_raised(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """If the indicator cannot be started, the block does not run, and no task is left."""
    entered = False
    with pytest.raises(NotFoundError):
        async with linq.chats.typing(1):
            entered = True
    assert (entered, _seen(sandbox), clock.sleepers) == (False, ["start_typing"], 0)


async def test_a_failing_refresh_is_logged(
    linq: LinqClient, sandbox: Sandbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed refresh is logged without the server's message, not raised, and tried again."""
    (chat,) = sandbox.chats
    async with linq.with_options(show_details=True).chats.typing(chat.id):
        sandbox.faults.answer(500)
        for count in (2, 3):
            await clock.wait_for_sleepers(1)
            clock.advance(REFRESH_SECONDS)
            await until(partial(_has_received, sandbox, count))
        await clock.wait_for_sleepers(1)
    assert [entry.status for entry in sandbox.requests] == [201, 500, 201, 204]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "chats.typing: not refreshed: ServerError, status 500"


async def test_a_failing_stop_is_logged(linq: LinqClient, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A failed stop is logged and not raised: the server hides the indicator by itself."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        sandbox.faults.drop_before_storing()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith("chats.typing: not stopped: the connection was lost")


@pytest.mark.parametrize("ending", ["well", "cancelled", "timeout"])
async def test_leaving_the_block_takes_no_longer_than_promised(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    """The stop is tried once if the server does not respond, however the block ended."""
    monkeypatch.setattr(typing_indicator, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(typing_indicator, "HURRIED_STOP_SECONDS", 0.05)
    within, loop = asyncio.Event(), asyncio.get_running_loop()

    async def block(linq: LinqClient, chat_id: int) -> None:
        async with asyncio.timeout(0.05 if ending == "timeout" else None), linq.chats.typing(chat_id):
            sandbox.faults.delay(60.0, method="DELETE", times=9)
            within.set()
            await asyncio.sleep(0 if ending == "well" else 60)

    async with client_on(sandbox, Clock()) as linq:  # with retries
        chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
        sandbox.requests.clear()
        task = asyncio.create_task(block(linq, chat.id))
        await within.wait()
        started = loop.time()
        if ending == "cancelled":
            task.cancel()
        await asyncio.wait([task], timeout=5.0)
        taken = loop.time() - started
    assert task.done()
    assert task.cancelled() == (ending == "cancelled")
    assert isinstance(None if task.cancelled() else task.exception(), TimeoutError) == (ending == "timeout")
    assert 0.04 < taken < 3.0
    assert _seen(sandbox).count("stop_typing") <= 1
    limit = "0.1" if ending == "well" else "0.05"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        f"chats.typing: not stopped within {limit} s"
    ]


async def test_stopping_is_tried_once(sandbox: Sandbox) -> None:
    """A failed stop is not retried, whatever the client's policy."""
    async with client_on(sandbox, Clock()) as linq:
        chat = await linq.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
        sandbox.requests.clear()
        async with linq.chats.typing(chat.id):
            sandbox.faults.answer(503, times=4)
    assert [entry.status for entry in sandbox.requests] == [201, 503]


async def test_a_second_cancellation_ends_the_stop(linq: LinqClient, sandbox: Sandbox) -> None:
    """A second cancellation while the indicator is being hidden ends at once and leaves no task."""
    (chat,), within = sandbox.chats, asyncio.Event()

    def stopping() -> int:
        return sum("Resource._done" in repr(task) for task in asyncio.all_tasks())

    async def block() -> None:
        async with linq.chats.typing(chat.id):
            sandbox.faults.delay(60.0, method="DELETE")
            within.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await within.wait()
    task.cancel()
    await until(lambda: sandbox.faults.pending == 0)
    assert stopping() == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: stopping() == 0)


async def test_a_client_closed_within_the_block(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """Closing the client within the block raises nothing."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        await linq.aclose()
    assert (_seen(sandbox), clock.sleepers) == (["start_typing"], 0)


async def test_a_wrong_id_is_refused_on_entry(linq: LinqClient, sandbox: Sandbox) -> None:
    """An invalid id is rejected when the block is entered, and nothing is sent."""
    with pytest.raises(ValueError, match="chat_id must be an int above 0"):
        async with linq.chats.typing(True):
            pass
    assert _seen(sandbox) == []
