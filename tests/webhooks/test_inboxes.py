"""linq_async/webhooks: what any inbox does, and what the one in memory does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from linq_async import InvalidArgumentError
from linq_async.webhooks import Inbox, MemoryInbox, SqliteInbox
from tests.support.clock import Clock

KEY, BODY = "message.received:e-1", b'{"event_id": "e-1"}'


@pytest_asyncio.fixture(params=["memory", "sqlite"])
async def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Inbox]:
    """Give an inbox of each class, open and empty."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryInbox()
        else:
            yield await stack.enter_async_context(SqliteInbox(tmp_path / "bot.db"))


@pytest.mark.asyncio
async def test_a_key_is_taken_once(inbox: Inbox) -> None:
    """A key is new once, before and after its event is handled."""
    assert isinstance(inbox, Inbox)
    assert await inbox.take(KEY, BODY)
    assert not await inbox.take(KEY, BODY)
    await inbox.done(KEY)
    assert not await inbox.take(KEY, BODY)
    assert await inbox.take("message.sent:e-1", BODY)


@pytest.mark.asyncio
async def test_a_failed_key_is_new_again(inbox: Inbox) -> None:
    """The key of a failed event is given up, so that another delivery is new."""
    assert await inbox.take(KEY, BODY)
    await inbox.failed(KEY, "ValueError")
    assert await inbox.take(KEY, BODY)
    assert not await inbox.take(KEY, BODY)
    await inbox.done(KEY)
    assert not await inbox.take(KEY, BODY)


@pytest.mark.asyncio
async def test_of_many_at_once_one_has_the_key(inbox: Inbox) -> None:
    """If a hundred take one key at once, it is new to the first of them."""
    assert await asyncio.gather(*[inbox.take(KEY, BODY) for _ in range(100)]) == [True, *[False] * 99]


@pytest.mark.asyncio
async def test_a_failure_counts_before_the_redelivery_that_follows_it(inbox: Inbox) -> None:
    """An event that has failed is new to a delivery that arrives right after, without waiting for the first call."""
    assert await inbox.take(KEY, BODY)
    failed = asyncio.ensure_future(inbox.failed(KEY, "ValueError"))
    taken = asyncio.ensure_future(inbox.take(KEY, BODY))
    await failed
    assert await taken


@pytest.mark.asyncio
async def test_memory_has_a_limit() -> None:
    """Beyond the limit the oldest handled key is forgotten, but never one in progress."""
    inbox = MemoryInbox(max_keys=100)
    assert await inbox.take("in progress", BODY)
    for number in range(300):
        assert await inbox.take(f"k-{number}", BODY)
        await inbox.done(f"k-{number}")
    assert len(inbox) == 101
    assert repr(inbox) == "<MemoryInbox: 1 in progress, 100 handled>"
    assert not await inbox.take("in progress", BODY)
    assert not await inbox.take("k-200", BODY)
    assert await inbox.take("k-199", BODY)


@pytest.mark.asyncio
async def test_memory_forgets_with_time() -> None:
    """A handled key is forgotten after the time to keep it; one in progress is not."""
    clock = Clock(manual=True)
    inbox = MemoryInbox(keep=timedelta(hours=24), clock=clock.monotonic)
    await inbox.take("in progress", BODY)
    for key in ("old", "young"):
        await inbox.take(key, BODY)
        await inbox.done(key)
        clock.advance(12 * 3600.0)
    assert not await inbox.take("old", BODY)
    clock.advance(1.0)
    assert await inbox.take("old", BODY)
    assert not await inbox.take("young", BODY)
    assert not await inbox.take("in progress", BODY)


@pytest.mark.asyncio
async def test_memory_has_nothing_left_at_the_start() -> None:
    """Events that an earlier run did not handle are lost, and new when they are delivered again."""
    inbox = MemoryInbox()
    await inbox.take(KEY, BODY)
    await inbox.take("handled", BODY)
    await inbox.done("handled")
    assert list(await inbox.unfinished()) == []
    assert await inbox.take(KEY, BODY)
    assert not await inbox.take("handled", BODY)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"max_keys": 0}, "max_keys must be an int of 1 or more"),
        ({"max_keys": True}, "max_keys must be an int of 1 or more"),
        ({"keep": timedelta(0)}, "keep must be a timedelta above 0"),
        ({"keep": 7}, "keep must be a timedelta above 0"),
    ],
)
def test_the_limits_of_memory_are_checked(arguments: dict[str, Any], problem: str) -> None:
    """A limit that cannot work is refused by name."""
    with pytest.raises(InvalidArgumentError) as caught:
        MemoryInbox(**arguments)
    assert str(caught.value) == problem
