"""linq_async/webhooks/dispatcher.py: which handler gets an event, and what happens if it fails."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from linq_async import InvalidArgumentError, LinqClient
from linq_async.timing import Timing
from linq_async.webhooks import (
    Accepted,
    ContactDeleted,
    Context,
    Dispatcher,
    Event,
    MemoryInbox,
    MessageReceived,
    MessageSent,
    NotAcceptedError,
    ReactionReceived,
    Skip,
    SqliteInbox,
    UnknownEvent,
    WebhookEvent,
)
from tests.support.clock import Clock

from .bots import Recorder, event_of, messages, running

pytestmark = pytest.mark.asyncio


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Capture the log of the package from INFO on."""
    caplog.set_level(logging.INFO, logger="linq_async")
    return caplog


def _errors(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the messages of the log, each with the class of its exception."""
    found = [(record.getMessage(), record.exc_info) for record in log.records if record.levelno >= logging.WARNING]
    return [(message, info[0].__name__ if info and info[0] else "") for message, info in found]


async def test_the_first_handler_that_matches_gets_the_event() -> None:
    """Handlers are tried in order of registration, by class and predicate."""
    bot = Dispatcher[None]()
    names: list[str] = []

    def register(name: str) -> Any:
        async def handle(event: Event, context: Context[None]) -> None:
            names.append(f"{name} {event.event_id}")

        return handle

    bot.on(MessageReceived, when=lambda message: message.event_id == "b")(register("special"))
    bot.on(MessageReceived, MessageSent)(register("message"))
    bot.on(ReactionReceived, ContactDeleted, UnknownEvent)(register("three"))
    bot.on(MessageReceived)(register("never"))
    async with running(bot):
        assert await bot.accept(event_of("a")) is Accepted.NEW
        assert await bot.accept(event_of("b")) is Accepted.NEW
        await bot.accept(event_of("c", kind=MessageSent))
        await bot.accept(event_of("d", None, kind=ContactDeleted))
        await bot.idle()
    assert sorted(names) == ["message a", "message c", "special b", "three d"]
    assert repr(bot) == "<Dispatcher 'bot', 4 handlers, stopped>"


async def test_an_event_without_a_handler_is_ignored() -> None:
    """An event that no handler matches is not stored: it is neither new nor a duplicate."""
    inbox = MemoryInbox()
    bot = Dispatcher[None](inbox=inbox)
    bot.on(MessageReceived, when=lambda message: message.event_id == "b")(Recorder())
    async with running(bot):
        assert [await bot.accept(event_of("a")) for _ in range(2)] == [Accepted.IGNORED] * 2
        assert await bot.accept(event_of("b", kind=MessageSent)) is Accepted.IGNORED
        assert len(inbox) == 0


async def test_a_handler_can_skip_an_event() -> None:
    """After Skip, the next handler that matches gets the event, with the same context; if there is none, it is done."""
    bot = Dispatcher[None]()
    contexts: list[Context[None]] = []

    @bot.on(Event)
    async def skip(event: Event, context: Context[None]) -> None:
        contexts.append(context)
        raise Skip

    @bot.on(MessageReceived, when=lambda message: message.event_id == "a")
    async def take(message: MessageReceived, context: Context[None]) -> None:
        contexts.append(context)

    async with running(bot):
        await bot.accept(event_of("a"))
        await bot.accept(event_of("b", 2))
        await bot.idle()
        assert await bot.accept(event_of("b", 2)) is Accepted.DUPLICATE
    assert len(contexts) == 3
    assert contexts[0] is contexts[1]
    assert (contexts[0].event, contexts[0].state, contexts[0].attempt) == (event_of("a"), None, 1)


async def test_handlers_of_another_dispatcher_are_included() -> None:
    """Included handlers keep their place, with those that are registered later."""
    bot, admin = Dispatcher[None](), Dispatcher[None]()
    first, second, late = Recorder(), Recorder(), Recorder()
    bot.on(MessageSent)(first)
    bot.include(admin)
    bot.on(Event)(second)
    admin.on(MessageReceived)(late)
    async with running(bot):
        await asyncio.gather(*map(bot.accept, [event_of("a", kind=MessageSent), event_of("b")]))
    assert [first.ended, late.ended, second.ended] == [["a"], ["b"], []]


async def test_a_dispatcher_does_not_include_itself() -> None:
    """A circle of dispatchers is refused."""
    one, two, three = Dispatcher[None](), Dispatcher[None](), Dispatcher[None]()
    one.include(two)
    two.include(three)
    for inner in (one, two, three):
        with pytest.raises(ValueError, match="a dispatcher must not include itself"):
            three.include(inner)


async def test_a_failing_handler_stops_nothing(log: pytest.LogCaptureFixture) -> None:
    """After a failure the lane goes on, the key is new again, and the log has the error with the event's key."""
    bot = Dispatcher[None]()
    handled = Recorder()

    @bot.on(MessageReceived, when=lambda message: message.event_id == "bad")
    async def fail(message: MessageReceived, context: Context[None]) -> None:
        raise KeyError(message.event_id)

    bot.on(Event)(handled)
    async with running(bot):
        for event in messages("bad", "good"):
            await bot.accept(event)
        await bot.idle()
        assert await bot.accept(event_of("good")) is Accepted.DUPLICATE
        assert await bot.accept(event_of("bad")) is Accepted.NEW
    assert handled.ended == ["good"]
    assert _errors(log) == [("message.received:bad: the handler failed", "KeyError")] * 2


async def test_a_failing_predicate_stops_nothing(log: pytest.LogCaptureFixture) -> None:
    """A predicate that raises is reported as a handler that fails; the event is left to no other handler."""
    bot = Dispatcher[None]()
    handled = Recorder()
    bot.on(MessageReceived, when=lambda message: bool(1 / (message.event_id != "bad")))(handled)
    bot.on(Event)(handled)
    async with running(bot):
        for event in messages("bad", "good"):
            assert await bot.accept(event) is Accepted.NEW
        await bot.idle()
    assert handled.ended == ["good"]
    assert _errors(log) == [("message.received:bad: the handler failed", "ZeroDivisionError")]


async def test_the_nearest_error_handler_is_called(log: pytest.LogCaptureFixture) -> None:
    """An included dispatcher has its own error handler, or that of the one which includes it."""
    bot, inner, innermost = Dispatcher[None](), Dispatcher[None](), Dispatcher[None]()
    called: list[tuple[str, str, str, int]] = []

    async def fail(event: Event, context: Context[None]) -> None:
        raise KeyError(event.event_id)

    @bot.on_error
    async def outer_error(event: WebhookEvent, context: Context[None], error: Exception) -> None:
        called.append(("outer", event.event_id, type(error).__name__, context.attempt))

    @inner.on_error
    async def inner_error(event: Event, context: Context[None], error: Exception) -> None:
        called.append(("inner", event.event_id, type(error).__name__, context.attempt))
        raise ValueError

    innermost.on(MessageSent)(fail)
    inner.include(innermost)
    bot.include(inner)
    bot.on(MessageReceived)(fail)
    async with running(bot):
        for event in [event_of("a"), event_of("b", kind=MessageSent), event_of("c")]:
            await bot.accept(event)
    assert called == [("outer", "a", "KeyError", 1), ("inner", "b", "KeyError", 1), ("outer", "c", "KeyError", 1)]
    assert _errors(log) == [
        ("message.received:a: the handler failed", "KeyError"),
        ("message.sent:b: the handler failed", "KeyError"),
        ("message.sent:b: on_error failed", "ValueError"),
        ("message.received:c: the handler failed", "KeyError"),
    ]


async def test_a_handler_runs_again_in_place(log: pytest.LogCaptureFixture) -> None:
    """With attempts left, a failed handler runs again after a wait that doubles, with what it had taken."""
    clock = Clock()
    bot = Dispatcher[None](attempts=7, timing=clock.timing())
    runs: list[tuple[str, int, list[str]]] = []

    @bot.on(MessageReceived)
    async def fail(message: MessageReceived, context: Context[None]) -> None:
        burst = context.take_waiting(MessageReceived) if context.attempt != 2 else []
        runs.append((message.event_id, context.attempt, [event.event_id for event in burst]))
        if context.attempt < 7:
            raise ConnectionError

    async with running(bot):
        await asyncio.gather(*map(bot.accept, messages("a", "b", "c")))
        await bot.idle()
        assert await bot.accept(event_of("b")) is Accepted.DUPLICATE
    assert runs == [("a", attempt, [] if attempt == 2 else ["b", "c"]) for attempt in range(1, 8)]
    assert [seconds for seconds in clock.sleeps if seconds != 20.0] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert _errors(log)[0] == (
        "message.received:a: attempt 1 failed with ConnectionError, again in 1 s",
        "ConnectionError",
    )
    assert [error for _, error in _errors(log)[1:]] == [""] * 5


@pytest.mark.parametrize("kept", [False, True])
async def test_a_handler_whose_work_was_cancelled_has_failed(
    log: pytest.LogCaptureFixture, tmp_path: Path, kept: bool
) -> None:
    """A CancelledError of something that the handler awaited is a failure, and the lane goes on."""
    bot = Dispatcher[None](inbox=SqliteInbox(tmp_path / "bot.db") if kept else None)
    handled = Recorder()

    @bot.on(MessageReceived, when=lambda message: message.event_id == "bad")
    async def await_cancelled(message: MessageReceived, context: Context[None]) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    bot.on(Event)(handled)
    async with running(bot):
        await asyncio.gather(*map(bot.accept, messages("bad", "good")))
        await bot.idle()
        assert await bot.accept(event_of("bad")) is Accepted.NEW
    assert handled.ended == ["good"]
    assert _errors(log)[0] == ("message.received:bad: the handler failed", "CancelledError")


@pytest.mark.parametrize("kept", [False, True])
async def test_a_handler_that_cancels_its_task_stops_nothing(
    log: pytest.LogCaptureFixture, tmp_path: Path, kept: bool
) -> None:
    """After a handler whose own task was cancelled, the lane goes on; from a file, its event runs at the next start."""
    bot = Dispatcher[None](inbox=SqliteInbox(tmp_path / "bot.db") if kept else None)
    handled = Recorder()
    runs: list[str] = []

    @bot.on(MessageReceived, when=lambda message: message.event_id == "bad" and not runs)
    async def cancel(message: MessageReceived, context: Context[None]) -> None:
        runs.append(message.event_id)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    bot.on(Event)(handled)
    async with running(bot):
        await asyncio.gather(*map(bot.accept, messages("bad", "good")))
        await bot.idle()
        again = await bot.accept(event_of("bad"))
    assert again is (Accepted.DUPLICATE if kept else Accepted.NEW)
    async with running(bot):
        pass
    assert handled.ended == ["good", "bad"]
    kept_message = ("1 events are not handled yet, and run at the next start", "")
    assert _errors(log) == [kept_message if kept else ("message.received:bad: the handler failed", "CancelledError")]


async def test_a_failure_that_is_no_exception_stops_nothing(log: pytest.LogCaptureFixture) -> None:
    """A BaseException, such as those of test frameworks, ends its own event only."""

    class OutcomeOfATest(BaseException):
        pass

    bot = Dispatcher[None]()
    handled = Recorder()

    @bot.on(MessageReceived, when=lambda message: message.event_id == "bad")
    async def fail(message: MessageReceived, context: Context[None]) -> None:
        raise OutcomeOfATest

    bot.on(Event)(handled)
    async with running(bot):
        await asyncio.gather(*map(bot.accept, messages("bad", "good")))
        await bot.idle()
        assert await bot.accept(event_of("bad")) is Accepted.NEW
    assert handled.ended == ["good"]
    assert _errors(log) == [("message.received:bad: the handler failed", "OutcomeOfATest")] * 2


async def test_an_event_can_be_handled_here_and_now() -> None:
    """``handle`` runs the handler and returns after it, each time that it is called, and raises what it raises."""
    bot = Dispatcher[None]()
    handled: list[tuple[str, int]] = []
    reported: list[str] = []

    @bot.on_error
    async def report(event: Event, context: Context[None], error: Exception) -> None:
        reported.append(f"{event.event_id} {type(error).__name__}")

    @bot.on(MessageReceived)
    async def handle(message: MessageReceived, context: Context[None]) -> None:
        handled.append((message.event_id, context.waiting))
        if message.event_id == "bad":
            raise KeyError

    with pytest.raises(RuntimeError, match="the dispatcher is not running: use `async with"):
        await bot.handle(event_of("a"))
    async with running(bot):
        for _ in range(2):
            await bot.handle(event_of("a"))
        await bot.handle(event_of("a", kind=MessageSent))
        with pytest.raises(KeyError):
            await bot.handle(event_of("bad"))
    assert handled == [("a", 0), ("a", 0), ("bad", 0)]
    assert reported == ["bad KeyError"]


async def test_a_dispatcher_runs_once_at_a_time() -> None:
    """A dispatcher that runs is refused, accepts nothing before and after, and can be used again."""
    bot = Dispatcher[None]()
    handled = Recorder()
    bot.on(Event)(handled)
    await bot.idle()
    for number in range(2):
        with pytest.raises(NotAcceptedError, match="the dispatcher is not running"):
            await bot.accept(event_of("early"))
        async with running(bot), LinqClient("token") as linq:
            assert repr(bot) == "<Dispatcher 'bot', 1 handlers, running>"
            with pytest.raises(RuntimeError, match="already running"):
                async with bot.running(linq, None):
                    pass
            await bot.accept(event_of(f"{number}"))
    assert handled.ended == ["0", "1"]


async def test_the_state_reaches_the_handlers() -> None:
    """A handler gets the state that the dispatcher was started with, and a client on the same connections."""
    bot = Dispatcher[dict[str, int]]()
    found: list[int] = []

    @bot.on(MessageReceived)
    async def handle(message: MessageReceived, context: Context[dict[str, int]]) -> None:
        found.append(context.state["answer"])
        assert context.linq._pipeline.transport is linq._pipeline.transport

    async with LinqClient("token") as linq, bot.running(linq, {"answer": 42}):
        await bot.accept(event_of("a"))
    assert found == [42]


def _plain(event: Event, context: Context[None]) -> None: ...


async def _one(event: Event) -> None: ...


async def _two(event: Event, context: Context[None]) -> None: ...


async def _three(event: Event, context: Context[None], error: Exception) -> None: ...


class _Callable:
    async def __call__(self, event: Event, context: Context[None]) -> None: ...


async def _predicate(event: Event) -> bool:
    return True


@pytest.mark.parametrize("handler", [_plain, _one, _three, "handler", functools.partial(_one)])
async def test_a_handler_that_cannot_be_called_is_refused(handler: Any) -> None:
    """A plain function, or one with other parameters, is refused when it is registered."""
    bot = Dispatcher[None]()
    with pytest.raises(TypeError, match=r"must be a coroutine function with the parameters \(event, context\)"):
        bot.on(Event)(handler)


@pytest.mark.parametrize("handler", [_plain, _one, _two])
async def test_an_error_handler_that_cannot_be_called_is_refused(handler: Any) -> None:
    """An error handler has three parameters, and there is one of them."""
    bot = Dispatcher[None]()
    with pytest.raises(TypeError, match=r"with the parameters \(event, context, error\)"):
        bot.on_error(handler)
    bot.on_error(_three)
    with pytest.raises(TypeError, match="has an error handler already"):
        bot.on_error(_three)


async def test_whatever_can_be_called_is_a_handler() -> None:
    """Partial functions, methods and callable objects are handlers, and are returned as they are."""
    bot = Dispatcher[None]()
    for handler in (_two, _Callable(), _Callable().__call__, functools.partial(_three, error=ValueError())):
        assert bot.on(Event)(handler) is handler


@pytest.mark.parametrize("kind", ["message.received", object(), int, None])
async def test_what_is_no_event_is_refused(kind: Any) -> None:
    """Anything but the class of an event is refused when it is registered."""
    with pytest.raises(TypeError, match="expected the class of an event"):
        Dispatcher[None]().on(kind)


async def test_a_decorator_without_a_class_is_refused() -> None:
    """``@bot.on`` and ``@bot.on()`` are refused at once: they would register nothing."""
    on: Any = Dispatcher[None]().on
    with pytest.raises(TypeError, match=r"@bot\.on\(MessageReceived\), got <function _two"):
        on(_two)
    with pytest.raises(TypeError, match="name the class of the events"):
        on()


async def test_a_dispatcher_without_handlers_is_logged(log: pytest.LogCaptureFixture) -> None:
    """A dispatcher that would drop every event says so when it starts."""
    async with running(Dispatcher[None]()):
        pass
    assert _errors(log) == [("the dispatcher has no handlers: every event is answered with 200 and dropped", "")]


@pytest.mark.parametrize("when", [_predicate, True])
async def test_a_predicate_that_always_holds_is_refused(when: Any) -> None:
    """A coroutine function, whose result is always true, and what cannot be called are refused."""
    with pytest.raises(TypeError, match="when must be a plain function"):
        Dispatcher[None]().on(Event, when=when)(_two)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": ""}, "name must be a letter"),
        ({"inbox": "bot.db"}, "inbox must be a MemoryInbox, a SqliteInbox, or have their methods"),
        ({"ack": "later"}, 'ack must be "taken" or "handled"'),
        ({"max_running": 0}, "max_running must be an int of 1 or more"),
        ({"max_waiting": 1.5}, "max_waiting must be an int of 1 or more"),
        ({"attempts": True}, "attempts must be an int of 1 or more"),
        ({"drain_seconds": -1}, "drain_seconds must be a number of seconds from 0"),
        ({"drain_seconds": float("nan")}, "drain_seconds must be a number of seconds from 0"),
        ({"timing": asyncio.sleep}, "timing must be a Timing"),
    ],
)
async def test_the_arguments_are_checked(arguments: dict[str, Any], problem: str) -> None:
    """An argument that cannot work is refused by name."""
    with pytest.raises(InvalidArgumentError) as caught:
        Dispatcher[None](**arguments)
    assert str(caught.value).startswith(problem)
    assert len(caught.value.problems) == 1


async def test_all_problems_are_listed() -> None:
    """Several wrong arguments are refused together."""
    wrong = cast("Any", {"max_running": 0, "max_waiting": 0, "attempts": 0, "timing": Timing})
    with pytest.raises(InvalidArgumentError) as caught:
        Dispatcher[None](**wrong)
    assert [problem.argument for problem in caught.value.problems] == list(wrong)
