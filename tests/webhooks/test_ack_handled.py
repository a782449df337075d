"""linq_async/webhooks/runner.py: with ``ack="handled"`` a delivery is answered after its event was handled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from linq_async.webhooks import (
    Accepted,
    Context,
    Dispatcher,
    Event,
    HandlerFailedError,
    Inbox,
    MessageReceived,
    MessageSent,
    NotAcceptedError,
    SqliteInbox,
    event_key,
)
from tests.support.clock import Clock

from .bots import Recorder, event_of, messages, running

pytestmark = pytest.mark.asyncio


def _bot(handler: Recorder, clock: Clock | None = None, inbox: Inbox | None = None) -> Dispatcher[None]:
    bot = Dispatcher[None](ack="handled", inbox=inbox, timing=(clock or Clock(manual=True)).timing())
    bot.on(MessageReceived)(handler)
    return bot


async def test_a_delivery_waits_for_its_handler() -> None:
    """``accept`` returns after the handler, and at once for an event that is done or has no handler."""
    handler = Recorder("a")
    async with running(_bot(handler)) as bot:
        delivery = asyncio.create_task(bot.accept(event_of("a")))
        await handler.has_started("a")
        assert not delivery.done()
        handler.release("a")
        assert await delivery is Accepted.NEW
        assert handler.ended == ["a"]
        assert await bot.accept(event_of("a")) is Accepted.DUPLICATE
        assert await bot.accept(event_of("b", kind=MessageSent)) is Accepted.IGNORED


async def test_a_failure_fails_every_delivery_that_waits() -> None:
    """If the handler fails, all deliveries that wait for it fail, without its text; the next one runs it again."""
    bot = Dispatcher[None](ack="handled")
    runs: list[str] = []

    @bot.on(Event)
    async def fail(event: Event, context: Context[None]) -> None:
        runs.append(event.event_id)
        await asyncio.sleep(0)
        if len(runs) == 1:
            raise ValueError("a text that nobody may see")

    async with running(bot):
        results = await asyncio.gather(*[bot.accept(event_of("a")) for _ in range(3)], return_exceptions=True)
        assert [repr(result) for result in results] == [
            repr(HandlerFailedError("message.received:a: the handler failed with ValueError"))
        ] * 3
        assert len({id(result) for result in results}) == 3
        assert await bot.accept(event_of("a")) is Accepted.NEW
    assert runs == ["a", "a"]


async def test_a_redelivery_joins_a_handler_that_takes_long() -> None:
    """After 8 s the delivery is refused while the handler goes on; the next delivery waits for the same run."""
    clock, handler = Clock(manual=True), Recorder("a")
    async with running(_bot(handler, clock)) as bot:
        delivery = asyncio.create_task(bot.accept(event_of("a")))
        await clock.wait_for_sleepers(1)
        clock.advance(8.0)
        with pytest.raises(NotAcceptedError, match=r"message\.received:a: the handler has not ended within 8 s"):
            await delivery
        joined = asyncio.create_task(bot.accept(event_of("a")))
        await clock.wait_for_sleepers(1)
        handler.release("a")
        assert await joined is Accepted.DUPLICATE
        assert await bot.accept(event_of("a")) is Accepted.DUPLICATE
    assert (handler.started, handler.ended, clock.sleeps[:2]) == (["a"], ["a"], [8.0, 8.0])


async def test_a_cancelled_delivery_leaves_the_handler_alone() -> None:
    """If the sender disconnects, the handler goes on, and the next delivery joins it."""
    handler = Recorder("a")
    async with running(_bot(handler)) as bot:
        delivery = asyncio.create_task(bot.accept(event_of("a")))
        await handler.has_started("a")
        delivery.cancel()
        await asyncio.wait([delivery])
        joined = asyncio.create_task(bot.accept(event_of("a")))
        await asyncio.sleep(0)
        handler.release("a")
        assert await joined is Accepted.DUPLICATE
    assert (handler.started, handler.cancelled) == (["a"], [])


async def test_a_burst_answers_all_its_deliveries() -> None:
    """The deliveries of events that another handler has taken return with it."""
    bot = Dispatcher[None](ack="handled")
    bursts: list[list[str]] = []

    @bot.on(MessageReceived)
    async def answer(message: MessageReceived, context: Context[None]) -> None:
        bursts.append([event.event_id for event in context.take_waiting(MessageReceived)])

    async with running(bot):
        assert await asyncio.gather(*map(bot.accept, messages("a", "b", "c"))) == [Accepted.NEW] * 3
    assert bursts == [["b", "c"]]


async def test_a_drain_refuses_the_deliveries_that_wait(caplog: pytest.LogCaptureFixture) -> None:
    """Deliveries whose handlers are cancelled, or never started, are refused: Linq delivers them again."""
    clock, handler = Clock(manual=True), Recorder("a")
    bot = Dispatcher[None](ack="handled", drain_seconds=1, timing=clock.timing())
    bot.on(Event)(handler)
    deliveries: list[asyncio.Task[Accepted]] = []

    async def run() -> None:
        async with running(bot):
            deliveries.extend(asyncio.create_task(bot.accept(event)) for event in messages("a", "b"))
            await handler.has_started("a")

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(3)
    clock.advance(1.0)
    await task
    for delivery in deliveries:
        with pytest.raises(NotAcceptedError, match="was shut down before the handler had ended"):
            await delivery
    assert handler.cancelled == ["a"]
    assert caplog.messages == ["2 events are not handled yet, and will be delivered again"]


async def test_a_handler_that_cancels_its_task_has_failed() -> None:
    """A handler whose task is cancelled by itself fails its delivery, and the next one runs it again."""
    bot = Dispatcher[None](ack="handled")
    runs: list[str] = []

    @bot.on(Event)
    async def cancel(event: Event, context: Context[None]) -> None:
        runs.append(event.event_id)
        task = asyncio.current_task()
        if task is not None and len(runs) == 1:
            task.cancel()
            await asyncio.sleep(0)

    async with running(bot):
        with pytest.raises(HandlerFailedError, match="the handler failed with CancelledError"):
            await bot.accept(event_of("a"))
        assert await bot.accept(event_of("a")) is Accepted.NEW
    assert runs == ["a", "a"]


@pytest.mark.parametrize("stored", [False, True], ids=["memory", "file"])
async def test_a_failure_that_is_no_exception_fails_its_delivery(tmp_path: Path, stored: bool) -> None:
    """Whatever a handler raises, the event is not taken for handled: its next delivery runs it again."""

    class OutcomeOfATest(BaseException):
        pass

    bot = Dispatcher[None](ack="handled", inbox=SqliteInbox(tmp_path / "bot.db") if stored else None)
    runs: list[str] = []

    @bot.on(Event)
    async def fail_once(event: Event, context: Context[None]) -> None:
        runs.append(event.event_id)
        if len(runs) == 1:
            raise OutcomeOfATest

    async with running(bot):
        with pytest.raises(HandlerFailedError, match="the handler failed with OutcomeOfATest"):
            await bot.accept(event_of("a"))
        assert await bot.accept(event_of("a")) is Accepted.NEW
    assert runs == ["a", "a"]


async def test_a_delivery_joins_an_event_of_the_run_before(tmp_path: Path) -> None:
    """A delivery of an event that a killed process left in the inbox waits for its handler."""
    path, handler = tmp_path / "bot.db", Recorder("a")
    async with SqliteInbox(path) as inbox:
        await inbox.take(event_key(event_of("a")), event_of("a").body)
    async with running(_bot(handler, inbox=SqliteInbox(path))) as bot:
        delivery = asyncio.create_task(bot.accept(event_of("a")))
        await handler.has_started("a")
        assert not delivery.done()
        handler.release("a")
        assert await delivery is Accepted.DUPLICATE
    assert handler.ended == ["a"]


async def test_what_cannot_be_stored_fails_every_delivery_that_waits(tmp_path: Path) -> None:
    """If the event cannot be stored, deliveries that have joined it fail with the first one."""
    handler, inbox = Recorder(), SqliteInbox(tmp_path / "bot.db")
    async with running(_bot(handler, inbox=inbox)) as bot:
        assert inbox._file is not None
        inbox._file._connection.execute("PRAGMA max_page_count=1")
        large = event_of("a")
        object.__setattr__(large, "body", large.body + b" " * 50_000)
        results = await asyncio.gather(*[bot.accept(large) for _ in range(2)], return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["InboxError", "HandlerFailedError"]
    assert handler.started == []
