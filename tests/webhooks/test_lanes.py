"""linq_async/webhooks/dispatcher.py: order within a chat, parallel work across chats, and limits."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from linq_async.webhooks import (
    Accepted,
    ContactDeleted,
    Context,
    Dispatcher,
    Event,
    MemoryInbox,
    MessageReceived,
    NotAcceptedError,
    ReactionReceived,
)
from linq_async.webhooks.data import MessageData

from .bots import Recorder, event_of, messages, running


def _bot(handler: Recorder, max_running: int = 100, max_waiting: int = 10_000) -> Dispatcher[None]:
    bot = Dispatcher[None](max_running=max_running, max_waiting=max_waiting)
    bot.on(Event)(handler)
    return bot


@pytest.mark.slow
@pytest.mark.asyncio
async def test_ten_thousand_events_over_five_hundred_chats() -> None:
    """Each chat has its events in order and one at a time, never too many chats run, and nothing is left."""
    bot = Dispatcher[None](inbox=MemoryInbox(), max_running=50)
    order: defaultdict[int, list[str]] = defaultdict(list)
    busy: Counter[int] = Counter()
    running_now = most = 0

    @bot.on(MessageReceived)
    async def handle(message: MessageReceived, context: Context[None]) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        busy[message.data.chat_id] += 1
        assert busy[message.data.chat_id] == 1
        await asyncio.sleep(0)
        order[message.data.chat_id].append(message.event_id)
        busy[message.data.chat_id] -= 1
        running_now -= 1

    async with running(bot):
        received = [
            MessageReceived(
                event_id=str(number),
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
                data=MessageData(id=number, chat_id=number % 500),
            )
            for number in range(10_000)
        ]
        for start in range(0, 10_000, 500):
            results = await asyncio.gather(*map(bot.accept, received[start : start + 500]))
            assert set(results) == {Accepted.NEW}
        await bot.idle()
        assert bot._runner is not None
        lanes = bot._runner.lanes
        assert (len(lanes), lanes.running, lanes.waiting) == (0, 0, 0)
    assert most == 50
    assert order == {chat: [str(number) for number in range(chat, 10_000, 500)] for chat in range(500)}


@pytest.mark.asyncio
async def test_a_stuck_handler_delays_its_own_chat_only() -> None:
    """While one event is stuck, those of its chat wait, and those of other chats and of none do not."""
    handler = Recorder("stuck")
    async with running(_bot(handler)) as bot:
        for event in [*messages("stuck", "behind"), event_of("other", 2), event_of("none", None, ContactDeleted)]:
            await bot.accept(event)
        await handler.has_started("other", "none")
        assert handler.ended == ["other", "none"]
        handler.release("stuck")
        await bot.idle()
    assert handler.ended == ["other", "none", "stuck", "behind"]


@pytest.mark.asyncio
async def test_events_without_a_chat_run_at_once() -> None:
    """Events that belong to no chat do not wait for each other."""
    handler = Recorder("a", "b")
    async with running(_bot(handler)) as bot:
        for event_id in "ab":
            await bot.accept(event_of(event_id, None, ContactDeleted))
        await handler.has_started("a", "b")
        handler.release("a", "b")


@pytest.mark.asyncio
async def test_a_chat_takes_its_turn_behind_others() -> None:
    """With one handler at a time, a chat with many events runs one of them, then those that waited before run."""
    handler = Recorder("a1")
    async with running(_bot(handler, max_running=1)) as bot:
        for event in [*messages("a1", "a2", "a3", chat_id=1), *messages("b1", "b2", chat_id=2)]:
            await bot.accept(event)
        handler.release("a1")
        await bot.idle()
    assert handler.ended == ["a1", "b1", "a2", "b2", "a3"]


@pytest.mark.asyncio
async def test_a_full_dispatcher_recovers() -> None:
    """Beyond the limit an event is not accepted, and says when to come back; once there is room, it is new."""
    handler = Recorder("a", "b")
    async with running(_bot(handler, max_running=1, max_waiting=2)) as bot:
        for event in messages("a", "b", "c"):
            assert await bot.accept(event) is Accepted.NEW
        refused = event_of("d", 3)
        with pytest.raises(NotAcceptedError, match="2 events wait: raise max_running") as caught:
            await bot.accept(refused)
        assert caught.value.retry_after > 0
        handler.release("a")
        await handler.has_started("b")
        assert await bot.accept(refused) is Accepted.NEW
        handler.release("b")
    assert handler.ended == ["a", "b", "d", "c"]


@pytest.mark.asyncio
async def test_a_duplicate_takes_no_room() -> None:
    """Duplicates, and events without a handler, leave the room to others."""
    handler = Recorder("a")
    bot = Dispatcher[None](max_running=1, max_waiting=1)
    bot.on(MessageReceived)(handler)
    async with running(bot):
        first, second = messages("a", "b")
        results = [
            await bot.accept(event) for event in (first, first, event_of("c", 1, ReactionReceived), first, second)
        ]
        handler.release("a")
    assert results == [Accepted.NEW, Accepted.DUPLICATE, Accepted.IGNORED, Accepted.DUPLICATE, Accepted.NEW]
    assert handler.ended == ["a", "b"]


@pytest.mark.asyncio
async def test_a_burst_is_taken_as_whole_events() -> None:
    """A handler takes the waiting events of a class in order; the others of its chat, and other chats', still run."""
    bot = Dispatcher[None]()
    taken: list[tuple[str, int, list[str], int]] = []
    contexts: list[Context[None]] = []
    others = Recorder("before")

    @bot.on(MessageReceived, when=lambda message: message.event_id != "before")
    async def answer(message: MessageReceived, context: Context[None]) -> None:
        waiting = context.waiting
        burst = [event.event_id for event in context.take_waiting(MessageReceived)]
        taken.append((message.event_id, waiting, burst, context.waiting))
        assert context.take_waiting(MessageReceived) == []
        contexts.append(context)

    bot.on(Event)(others)
    reaction = event_of("reaction", kind=ReactionReceived)
    async with running(bot):
        for event in [*messages("before", "a", "b"), reaction, *messages("c"), event_of("other", 2)]:
            await bot.accept(event)
        others.release("before")
        await bot.idle()
        assert [await bot.accept(event) for event in messages("a", "b", "c")] == [Accepted.DUPLICATE] * 3
    assert taken == [("other", 0, [], 0), ("a", 3, ["b", "c"], 1)]
    assert others.ended == ["before", "reaction"]
    assert [context.waiting for context in contexts] == [0, 0]


@pytest.mark.asyncio
async def test_nothing_is_taken_after_the_end() -> None:
    """A context that outlives its handler takes nothing: those events would never be handled."""
    bot = Dispatcher[None]()
    contexts: list[Context[None]] = []
    handled: list[str] = []

    @bot.on(MessageReceived)
    async def keep(message: MessageReceived, context: Context[None]) -> None:
        taken = [event for kept in contexts for event in kept.take_waiting(MessageReceived)]
        handled.append(f"{message.event_id} {[kept.waiting for kept in contexts]} {len(taken)} {context.waiting}")
        contexts.append(context)

    async with running(bot):
        await asyncio.gather(*map(bot.accept, messages("a", "b", "c")))
        await bot.idle()
    assert handled == ["a [] 0 2", "b [0] 0 1", "c [0, 0] 0 0"]


@pytest.mark.asyncio
async def test_a_burst_fails_with_its_first_event() -> None:
    """If the handler fails, the events that it took have failed, too: each is new when it is delivered again."""
    bot = Dispatcher[None]()
    runs: list[tuple[str, int]] = []

    @bot.on(MessageReceived)
    async def fail(message: MessageReceived, context: Context[None]) -> None:
        runs.append((message.event_id, len(context.take_waiting(MessageReceived))))
        raise ValueError

    async with running(bot):
        for _ in range(2):
            assert await asyncio.gather(*map(bot.accept, messages("a", "b"))) == [Accepted.NEW] * 2
            await bot.idle()
    assert runs == [("a", 1), ("a", 1)]
