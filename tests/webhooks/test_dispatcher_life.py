"""linq_async/webhooks/runner.py: what was accepted is handled, whatever ends before."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from linq_async.webhooks import (
    Accepted,
    ContactDeleted,
    Context,
    Dispatcher,
    Event,
    Inbox,
    InboxError,
    MemoryInbox,
    MessageReceived,
    NotAcceptedError,
    Receiver,
    SqliteInbox,
    event_key,
    parse,
)
from tests.faults.interrupted import cancelled_at
from tests.support.clock import Clock, until

from .bots import Recorder, event_of, messages, running
from .samples import SECRET, sample_body, signed

pytestmark = pytest.mark.asyncio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of an inbox."""
    return tmp_path / "bot.db"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Capture the log of the package from INFO on."""
    caplog.set_level(logging.INFO, logger="linq_async")
    return caplog


def _bot(handler: Recorder, inbox: Inbox, clock: Clock | None = None) -> Dispatcher[None]:
    bot = Dispatcher[None](inbox=inbox, timing=(clock or Clock(manual=True)).timing())
    bot.on(Event)(handler)
    return bot


async def _left_unfinished(path: Path, *events: Event) -> None:
    """Leave events in an inbox as a process does that is killed."""
    async with SqliteInbox(path) as inbox:
        for event in events:
            assert await inbox.take(event_key(event), event.body)


class BrokenInbox(MemoryInbox):
    """An inbox whose methods wait and fail when they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.waiting = asyncio.Event()
        self.waiting.set()

    async def take(self, key: str, body: bytes) -> bool:
        """Wait, fail or claim the key."""
        await self._step("take")
        return await super().take(key, body)

    async def done(self, key: str) -> None:
        """Wait, fail or remember the key."""
        await self._step("done")
        await super().done(key)

    async def failed(self, key: str, error: str) -> None:
        """Wait, fail or forget the key."""
        await self._step("failed")
        await super().failed(key, error)

    async def unfinished(self) -> Sequence[bytes]:
        """Wait or fail."""
        await self._step("unfinished")
        return await super().unfinished()

    async def _step(self, name: str) -> None:
        await self.waiting.wait()
        if name in self.failing:
            raise OSError(name)


async def test_a_drain_waits_for_all_events(log: pytest.LogCaptureFixture) -> None:
    """When the block is left, running and waiting events are handled, and no other is accepted."""
    handler, clock = Recorder("a"), Clock(manual=True)
    bot = _bot(handler, MemoryInbox(), clock)

    async def run() -> None:
        async with running(bot):
            await asyncio.gather(*map(bot.accept, messages("a", "b", "c")))

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    with pytest.raises(NotAcceptedError, match="is shutting down"):
        await bot.accept(event_of("d"))
    handler.release("a")
    await task
    assert handler.ended == ["a", "b", "c"]
    assert (clock.sleeps, log.messages) == ([20.0], [])


async def test_a_drain_of_memory_names_what_is_lost(log: pytest.LogCaptureFixture) -> None:
    """After the time to drain, handlers are cancelled, and the log has the keys of all events that are lost."""
    handler, clock = Recorder("a", "other"), Clock(manual=True)
    bot = _bot(handler, MemoryInbox(), clock)

    async def run() -> None:
        async with running(bot):
            others = [event_of(f"other-{number}", 2) for number in range(98)]
            await asyncio.gather(*map(bot.accept, [*messages("a", "b"), event_of("other", 2), *others]))

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    clock.advance(20.0)
    await task
    assert handler.cancelled == ["a", "other"]
    lost = [event for record in log.records for event in record.getMessage().partition("memory: ")[2].split(", ")]
    expected = ["a", "other", "b", *[f"other-{number}" for number in range(98)]]
    assert lost == [f"message.received:{event_id}" for event_id in expected]
    assert [record.getMessage().partition(" ")[0] for record in log.records] == ["50", "50", "1"]
    assert {record.levelname for record in log.records} == {"ERROR"}


async def test_a_drain_names_lost_events_of_no_chat(log: pytest.LogCaptureFixture) -> None:
    """Events that belong to no chat and wait for their turn are named, too."""
    handler, clock = Recorder("a"), Clock(manual=True)
    bot = Dispatcher[None](max_running=1, drain_seconds=1, timing=clock.timing())
    bot.on(Event)(handler)

    async def run() -> None:
        async with running(bot):
            await asyncio.gather(*map(bot.accept, [event_of("a"), event_of("b", None, ContactDeleted)]))

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    clock.advance(1.0)
    await task
    assert log.messages == ["2 events are lost, because they were in memory: message.received:a, contact.deleted:b"]


async def test_a_drain_of_a_file_loses_nothing(path: Path, log: pytest.LogCaptureFixture) -> None:
    """What is not handled in time runs at the next start, in its order and before what is new."""
    handler, clock = Recorder("a"), Clock(manual=True)
    bot = _bot(handler, SqliteInbox(path), clock)

    async def run() -> None:
        async with running(bot):
            await asyncio.gather(*map(bot.accept, [event_of("done", 2), *messages("a", "b")]))
            await handler.has_started("a")

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    clock.advance(20.0)
    await task
    assert log.messages == ["2 events are not handled yet, and run at the next start"]
    again = Recorder()
    bot = _bot(again, SqliteInbox(path))
    async with running(bot):
        assert await bot.accept(event_of("c")) is Accepted.NEW
        assert await bot.accept(event_of("a")) is Accepted.DUPLICATE
    assert (handler.ended, again.ended) == (["done"], ["a", "b", "c"])
    assert log.messages[1:] == ["2 events were left unhandled, and run again"]
    async with SqliteInbox(path) as inbox:
        assert await inbox.unfinished() == []


class _Breaking(Recorder):
    """Takes a waiting event of the chat, and fails in another way when it is cancelled, as a lost connection does."""

    async def __call__(self, event: Event, context: Context[None]) -> None:
        """Note the event, and take the one that waits."""
        self.started.append(event.event_id)
        await until(lambda: context.waiting == 1)
        self.started += [taken.event_id for taken in context.take_waiting(Event)]
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError from None


async def _drained(inbox: Inbox, attempts: int) -> Recorder:
    """Run a bot whose handler fails when the drain cancels it, after it has taken a second event."""
    handler, clock = _Breaking(), Clock(manual=True)
    bot = Dispatcher[None](inbox=inbox, drain_seconds=1, attempts=attempts, max_running=1, timing=clock.timing())
    bot.on(Event)(handler)

    async def run() -> None:
        async with running(bot):
            await asyncio.gather(*map(bot.accept, messages("a", "b")))

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    clock.advance(1.0)
    await task
    return handler


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_failure_by_the_drain_runs_at_the_next_start(path: Path, attempts: int) -> None:
    """An event whose handler turns the cancellation into another error is not failed, and is not tried again now."""
    handler, later = await _drained(SqliteInbox(path), attempts), Recorder()
    assert handler.started == ["a", "b"]
    async with running(_bot(later, SqliteInbox(path))) as bot:
        await bot.idle()
    assert later.ended == ["a", "b"]


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_failure_by_the_drain_is_named(log: pytest.LogCaptureFixture, attempts: int) -> None:
    """The log names the events that are lost, those that the handler has taken among them."""
    await _drained(MemoryInbox(), attempts)
    assert log.messages == [
        "message.received:a: the handler failed",
        "2 events are lost, because they were in memory: message.received:a, message.received:b",
    ]


async def test_unfinished_events_run_at_the_start(path: Path) -> None:
    """Events that a killed process left run as one burst; those that no handler matches any more are done."""
    bot = Dispatcher[None](inbox=SqliteInbox(path))
    bursts: list[list[str]] = []

    @bot.on(MessageReceived, when=lambda message: message.event_id != "unwanted")
    async def answer(message: MessageReceived, context: Context[None]) -> None:
        burst = context.take_waiting(MessageReceived)
        bursts.append([message.event_id, *[event.event_id for event in burst]])

    await _left_unfinished(path, *messages("a", "unwanted", "b", "c"))
    async with running(bot):
        assert await bot.accept(event_of("unwanted")) is Accepted.IGNORED
    assert bursts == [["a", "b", "c"]]
    async with SqliteInbox(path) as inbox:
        assert await inbox.unfinished() == []
        assert not await inbox.take(event_key(event_of("unwanted")), b"{}")


async def test_an_event_that_cannot_be_decoded_holds_up_nothing(path: Path, log: pytest.LogCaptureFixture) -> None:
    """A body that is not an event any more is left in the inbox and logged without its content."""
    async with SqliteInbox(path) as inbox:
        await inbox.take("damaged", b'{"text": "a text that nobody may see"}')
    await _left_unfinished(path, event_of("a"))
    handler = Recorder()
    async with running(_bot(handler, SqliteInbox(path))):
        pass
    assert handler.ended == ["a"]
    assert log.messages[0].startswith("an event in the inbox cannot be decoded: ")
    assert "nobody" not in log.text
    async with SqliteInbox(path) as inbox:
        assert len(await inbox.unfinished()) == 1


async def test_nothing_is_accepted_before_the_start(log: pytest.LogCaptureFixture) -> None:
    """Until the unfinished events have been read, a delivery is refused; if that fails, the dispatcher does not run."""
    inbox, handler = BrokenInbox(), Recorder()
    bot = _bot(handler, inbox)
    inbox.waiting.clear()
    inbox.failing.add("unfinished")

    async def run() -> None:
        async with running(bot):
            pass

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    with pytest.raises(NotAcceptedError, match="the dispatcher is starting"):
        await bot.accept(event_of("a"))
    inbox.waiting.set()
    with pytest.raises(OSError, match="unfinished"):
        await task
    inbox.failing.clear()
    async with running(bot):
        assert await bot.accept(event_of("a")) is Accepted.NEW


async def test_an_inbox_that_cannot_be_opened_stops_the_start(path: Path) -> None:
    """A second dispatcher on one file does not start, and the first one goes on."""
    async with running(_bot(Recorder(), SqliteInbox(path))) as bot:
        second = _bot(Recorder(), SqliteInbox(path))
        with pytest.raises(InboxError, match="is in use by another process"):
            async with running(second):
                pass
        with pytest.raises(NotAcceptedError, match="is not running"):
            await second.accept(event_of("a"))
        assert await bot.accept(event_of("a")) is Accepted.NEW


async def test_what_cannot_be_stored_is_not_accepted(log: pytest.LogCaptureFixture) -> None:
    """If the inbox fails, ``accept`` raises its error, the event does not run, and another delivery is new."""
    inbox, handler = BrokenInbox(), Recorder()
    async with running(_bot(handler, inbox)) as bot:
        inbox.failing.add("take")
        with pytest.raises(OSError, match="take"):
            await bot.accept(event_of("a"))
        await bot.idle()
        inbox.failing.clear()
        assert await bot.accept(event_of("a")) is Accepted.NEW
    assert handler.ended == ["a"]


async def test_a_full_disk_refuses_and_recovers(path: Path) -> None:
    """With a full disk the response is 500; once there is room again, the event is accepted and handled."""
    inbox, handler = SqliteInbox(path), Recorder()
    body = sample_body(text="x" * 50_000)
    async with running(_bot(handler, inbox)) as bot:
        receiver = Receiver(bot.accept, SECRET)
        assert inbox._file is not None
        inbox._file._connection.execute("PRAGMA max_page_count=1")
        assert (await receiver.receive("POST", signed(body), body)).status == 500
        with pytest.raises(InboxError, match="database or disk is full"):
            await bot.accept(parse(body))
        inbox._file._connection.execute("PRAGMA max_page_count=100000")
        assert (await receiver.receive("POST", signed(body), body)).status == 200
    assert handler.ended == [parse(body).event_id]


async def test_a_full_dispatcher_says_when_to_come_back() -> None:
    """Beyond ``max_waiting`` the response is 503 with Retry-After, and 200 again once there is room."""
    handler = Recorder("a")
    bot = Dispatcher[None](max_running=1, max_waiting=1)
    bot.on(Event)(handler)
    async with running(bot):
        receiver = Receiver(bot.accept, SECRET)

        async def receive(event_id: str) -> tuple[int, str | None]:
            body = event_of(event_id).body
            answer = await receiver.receive("POST", signed(body), body)
            return answer.status, answer.headers.get("Retry-After")

        assert [await receive(event_id) for event_id in "abc"] == [(200, None), (200, None), (503, "5")]
        handler.release("a")
        await bot.idle()
        assert await receive("c") == (200, None)
    assert handler.ended == ["a", "b", "c"]


async def test_an_end_that_cannot_be_stored_stops_nothing(log: pytest.LogCaptureFixture) -> None:
    """If the inbox cannot store the end of an event, the log says so, and the lane goes on."""
    inbox, handler = BrokenInbox(), Recorder()
    inbox.failing.add("done")
    async with running(_bot(handler, inbox)) as bot:
        await asyncio.gather(*map(bot.accept, messages("a", "b")))
    assert handler.ended == ["a", "b"]
    expected = [f"message.received:{event_id}: its end could not be stored, so it may run again" for event_id in "ab"]
    assert log.messages == expected


@pytest.mark.parametrize("suspension", range(3))
@pytest.mark.parametrize("ack", ["taken", "handled"])
async def test_a_cancelled_delivery_loses_no_event(path: Path, suspension: int, ack: str) -> None:
    """If a delivery is cancelled at any point, its event is handled once, and another delivery is a duplicate."""
    handler = Recorder()
    bot = Dispatcher[None](inbox=SqliteInbox(path), ack="handled" if ack == "handled" else "taken")
    bot.on(Event)(handler)

    async def deliver() -> None:
        await cancelled_at(bot.accept(event_of("a")), suspension)

    async with running(bot):
        task = asyncio.create_task(deliver())
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
        await bot.idle()
        assert await bot.accept(event_of("a")) is Accepted.DUPLICATE
    assert handler.ended == ["a"]


async def test_a_hundred_deliveries_at_once_run_once(path: Path) -> None:
    """Of a hundred deliveries of an event at once, one is new, and its handler runs once."""
    handler = Recorder()
    async with running(_bot(handler, SqliteInbox(path))) as bot:
        results = await asyncio.gather(*[bot.accept(event_of("a")) for _ in range(100)])
    assert (results.count(Accepted.NEW), results.count(Accepted.DUPLICATE)) == (1, 99)
    assert handler.ended == ["a"]


async def test_a_delivery_that_is_stored_too_late_is_refused(log: pytest.LogCaptureFixture) -> None:
    """A delivery that the inbox still stores at the end of the drain is refused: nobody would handle it."""
    inbox, handler, clock = BrokenInbox(), Recorder(), Clock(manual=True)
    bot = _bot(handler, inbox, clock)
    deliveries: list[asyncio.Task[Accepted]] = []

    async def run() -> None:
        async with running(bot):
            inbox.waiting.clear()
            deliveries.append(asyncio.create_task(bot.accept(event_of("a"))))
            await asyncio.sleep(0)

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    clock.advance(20.0)
    await task
    with pytest.raises(NotAcceptedError, match="is shutting down"):
        await deliveries[0]
    assert (handler.started, log.messages) == ([], [])


async def test_a_drain_lets_a_finished_event_be_stored(log: pytest.LogCaptureFixture) -> None:
    """A handler that has ended is not cancelled while the inbox stores that."""
    inbox, handler, clock = BrokenInbox(), Recorder("a"), Clock(manual=True)
    bot = _bot(handler, inbox, clock)

    async def run() -> None:
        async with running(bot):
            await bot.accept(event_of("a"))
            inbox.waiting.clear()
            handler.release("a")

    task = asyncio.create_task(run())
    await clock.wait_for_sleepers(1)
    await until(lambda: handler.ended == ["a"])
    clock.advance(20.0)
    await until(lambda: clock.sleeps == [20.0, 5.0])
    inbox.waiting.set()
    await task
    assert repr(inbox) == "<MemoryInbox: 0 in progress, 1 handled>"
    assert log.messages == []


async def test_a_handler_that_does_not_end_is_left_behind(log: pytest.LogCaptureFixture) -> None:
    """A handler that ignores its cancellation holds up the end for five seconds more, and no longer."""
    clock = Clock(manual=True)
    bot = Dispatcher[None](timing=clock.timing())
    let_go = asyncio.Event()

    @bot.on(Event)
    async def ignore(event: Event, context: Context[None]) -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async def run() -> None:
        async with running(bot):
            await bot.accept(event_of("a"))

    task = asyncio.create_task(run())
    try:
        for count, seconds in enumerate((20.0, 5.0), 1):
            await until(lambda: len(clock.sleeps) == count)  # noqa: B023
            clock.advance(seconds)
        await asyncio.wait_for(task, 5)
        assert len(asyncio.all_tasks()) == 2  # this one, and the handler
    finally:
        let_go.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    assert log.messages == ["1 handlers have not ended 5 s after they were cancelled: message.received:a"]


async def test_a_cancelled_block_cancels_its_handlers(log: pytest.LogCaptureFixture) -> None:
    """If the block is cancelled, its handlers may still end; if the drain is cancelled too, they are cancelled."""
    handler, clock = Recorder("a", "b"), Clock(manual=True)
    bot = _bot(handler, MemoryInbox(), clock)

    async def run() -> None:
        async with running(bot):
            await bot.accept(event_of("a", 1))
            await bot.accept(event_of("b", 2))
            await asyncio.Event().wait()

    task = asyncio.create_task(run())
    await handler.has_started("a", "b")
    task.cancel()
    await clock.wait_for_sleepers(1)
    handler.release("a")
    await until(lambda: handler.ended == ["a"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (handler.ended, handler.cancelled) == (["a"], ["b"])
    assert log.messages == ["1 events are lost, because they were in memory: message.received:b"]


async def test_idle_waits_for_everything() -> None:
    """``idle`` returns once nothing is stored, waits or runs, and also if the dispatcher ends before."""
    inbox, handler, clock = BrokenInbox(), Recorder("a", "c"), Clock(manual=True)
    bot = _bot(handler, inbox, clock)
    async with running(bot):
        inbox.waiting.clear()
        delivery = asyncio.create_task(bot.accept(event_of("a")))
        await asyncio.sleep(0)
        idle = asyncio.create_task(bot.idle())
        for step in (inbox.waiting.set, lambda: handler.release("a")):
            await asyncio.sleep(0)
            assert not idle.done()
            step()
        await asyncio.gather(idle, delivery)
        assert handler.ended == ["a"]
        await asyncio.gather(*map(bot.accept, messages("c", "d")))
        idle = asyncio.create_task(bot.idle())
        task = asyncio.create_task(clock.wait_for_sleepers(1))
        task.add_done_callback(lambda _: clock.advance(20.0))
    await idle


async def test_failed_events_can_be_run_again(path: Path) -> None:
    """The statements of docs/inbox.md list the events that have failed, and let them run at the next start."""
    document = (Path(__file__).parents[2] / "docs" / "inbox.md").read_text(encoding="utf-8")
    select, update = re.findall(r"```sql\n(.+?)\n```", document, flags=re.DOTALL)
    bot = Dispatcher[None](inbox=SqliteInbox(path))
    broken = True

    @bot.on(Event)
    async def handle(event: Event, context: Context[None]) -> None:
        if broken:
            raise KeyError

    async with running(bot):
        await bot.accept(event_of("a"))
    broken = False
    with closing(sqlite3.connect(path)) as connection:
        (row,) = connection.execute(select).fetchall()
        assert row[:2] == ("KeyError", 1)
        with connection:
            connection.execute(update)
    async with running(bot):
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT key, state, body FROM events").fetchall() == [
            (event_key(event_of("a")), "done", b"")
        ]
