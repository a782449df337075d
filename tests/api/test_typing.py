"""``linq.chats.typing``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from linq_async import LinqClient, NotFoundError, RetryPolicy
from linq_async.resources.typing_indicator import REFRESH_SECONDS
from linq_async.sandbox import Sandbox

from .given import LINE, MIRA, Clock, client_on, until

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def linq(sandbox: Sandbox, clock: Clock) -> AsyncIterator[LinqClient]:
    """Give a client with a chat, without retries, so that whatever sleeps is the indicator."""
    async with client_on(sandbox, clock, retry=RetryPolicy.none()) as client:
        await client.chats.create(send_from=LINE, phone_numbers=[MIRA], text="Hello!")
        sandbox.requests.clear()
        yield client


def _seen(sandbox: Sandbox) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in sandbox.requests]


async def test_it_starts_and_stops(linq: LinqClient, sandbox: Sandbox) -> None:
    """The indicator shows while the block runs, and is hidden after it."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id) as given:
        assert (chat.typing, given) == (True, None)
    assert not chat.typing
    assert _seen(sandbox) == ["start_typing", "stop_typing"]


async def test_it_is_started_again_in_time(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """It is started again so often that one failure leaves another try before the 60 seconds end."""
    assert 2 * REFRESH_SECONDS < 60
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        for count in (2, 3, 4):
            await clock.sleepers_are(1)
            clock.move(REFRESH_SECONDS - 1)
            await asyncio.sleep(0)
            assert len(sandbox.requests) == count - 1
            clock.move(1)
            await until(lambda wanted=count: len(sandbox.requests) == wanted)
        await clock.sleepers_are(1)
    assert _seen(sandbox) == ["start_typing"] * 4 + ["stop_typing"]
    assert clock.sleepers == 0


async def test_it_stops_when_the_block_raises(linq: LinqClient, sandbox: Sandbox) -> None:
    """The block's own exception comes out, after the indicator was hidden."""
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
    """If it cannot be started, the block does not run, and nothing is left running."""
    entered = False
    with pytest.raises(NotFoundError):
        async with linq.chats.typing(1):
            entered = True
    assert (entered, _seen(sandbox), clock.sleepers) == (False, ["start_typing"], 0)


async def test_a_failing_refresh_is_logged(
    linq: LinqClient, sandbox: Sandbox, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing refresh reaches the log and not the block, and the next one is tried in its turn."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        sandbox.faults.answer(500)
        for count in (2, 3):
            await clock.sleepers_are(1)
            clock.move(REFRESH_SECONDS)
            await until(lambda wanted=count: len(sandbox.requests) == wanted)
        await clock.sleepers_are(1)
    assert [entry.status for entry in sandbox.requests] == [201, 500, 201, 204]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith("chats.typing: not refreshed: 500 the server failed")


async def test_a_failing_stop_is_logged(linq: LinqClient, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A failing stop reaches the log and not the caller, for the server hides the indicator by itself."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        sandbox.faults.drop_before_storing()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage().startswith("chats.typing: not stopped: the connection was lost")


async def test_a_client_closed_within_the_block(linq: LinqClient, sandbox: Sandbox, clock: Clock) -> None:
    """Closing the client within the block is no error of the block's."""
    (chat,) = sandbox.chats
    async with linq.chats.typing(chat.id):
        await linq.aclose()
    assert (_seen(sandbox), clock.sleepers) == (["start_typing"], 0)


async def test_a_wrong_id_is_refused_on_entry(linq: LinqClient, sandbox: Sandbox) -> None:
    """An id that is none is refused when the block is entered, and nothing is sent."""
    with pytest.raises(ValueError, match="chat_id must be an int above 0"):
        async with linq.chats.typing(True):
            pass
    assert _seen(sandbox) == []
